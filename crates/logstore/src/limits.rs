//! What is refused at the door, in Loki's words: labels, ages, line lengths and structured metadata.
//!
//! Fact source: `pkg/validation` and `pkg/distributor/validator.go` of grafana/loki; the defaults are Loki's.

use std::time::Duration;

use model::{Labels, LogEntry};

/// What a stream and an entry may have at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest line, in bytes.
    pub max_line_bytes: usize,
    /// Most labels of a stream; `service_name` is not counted.
    pub max_label_names: usize,
    /// Longest name of a stream label, in bytes.
    pub max_label_name_bytes: usize,
    /// Longest value of a stream label, in bytes.
    pub max_label_value_bytes: usize,
    /// Most bytes of an entry's structured metadata, names and values together; `detected_level` is not counted.
    pub max_metadata_bytes: usize,
    /// Most pairs of an entry's structured metadata.
    pub max_metadata_pairs: usize,
    /// Entries older than this are refused.
    pub max_age: Duration,
    /// Entries further than this in the future are refused.
    pub max_ahead: Duration,
    /// Most streams that the head holds; entries of a further stream are refused until blocks are sealed.
    pub max_streams: usize,
    /// Whether a level is looked for in entries that name none, and added as `detected_level`.
    pub discover_levels: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_line_bytes: 256 << 10,
            max_label_names: 15,
            max_label_name_bytes: 1024,
            max_label_value_bytes: 2048,
            max_metadata_bytes: 64 << 10,
            max_metadata_pairs: 128,
            max_age: Duration::from_hours(7 * 24),
            max_ahead: Duration::from_mins(10),
            max_streams: 5000,
            discover_levels: true,
        }
    }
}

/// Why something was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// A short word for a metric's label, Loki's own.
    pub(crate) reason: &'static str,
    /// For the sender, in Loki's words.
    pub(crate) message: String,
}

impl Refusal {
    fn new(reason: &'static str, message: String) -> Self {
        Self { reason, message }
    }
}

impl Limits {
    /// Whether a stream may have these labels.
    pub(crate) fn check_labels(&self, labels: &Labels) -> Result<(), Refusal> {
        if labels.is_empty() {
            let message = "error at least one label pair is required per stream".to_owned();
            return Err(Refusal::new("missing_labels", message));
        }
        let counted = labels.len() - usize::from(!labels.get("service_name").is_empty());
        if counted > self.max_label_names {
            let limit = self.max_label_names;
            let message = format!("entry for stream '{labels}' has {counted} label names; limit {limit}");
            return Err(Refusal::new("max_label_names_per_series", message));
        }
        for (name, value) in labels.iter() {
            if name.len() > self.max_label_name_bytes {
                let message = format!("stream '{labels}' has label name too long: '{name}'");
                return Err(Refusal::new("label_name_too_long", message));
            }
            if value.len() > self.max_label_value_bytes {
                let message = format!("stream '{labels}' has label value too long: '{value}'");
                return Err(Refusal::new("label_value_too_long", message));
            }
        }
        Ok(())
    }

    /// Whether an entry may be taken at this time.
    pub(crate) fn check_entry(&self, labels: &Labels, entry: &LogEntry, now_ns: u64) -> Result<(), Refusal> {
        let oldest_ns = now_ns as i64 - self.max_age.as_nanos() as i64;
        if entry.time_ns < oldest_ns {
            let (time, oldest) = (rfc3339(entry.time_ns), rfc3339(oldest_ns));
            let message = format!(
                "entry for stream '{labels}' has timestamp too old: {time}, oldest acceptable timestamp is: {oldest}"
            );
            return Err(Refusal::new("greater_than_max_sample_age", message));
        }
        if entry.time_ns > now_ns as i64 + self.max_ahead.as_nanos() as i64 {
            let time = rfc3339(entry.time_ns);
            let message = format!("entry for stream '{labels}' has timestamp too new: {time}");
            return Err(Refusal::new("too_far_in_future", message));
        }
        if entry.line.len() > self.max_line_bytes {
            let (limit, length) = (self.max_line_bytes, entry.line.len());
            let message = format!(
                "max entry size '{limit}' bytes exceeded for stream '{labels}' while adding an entry with length '{length}' bytes"
            );
            return Err(Refusal::new("line_too_long", message));
        }
        self.check_metadata(labels, &entry.metadata)
    }

    fn check_metadata(&self, labels: &Labels, metadata: &[(String, String)]) -> Result<(), Refusal> {
        let bytes: usize = metadata
            .iter()
            .filter(|(name, _)| name != crate::level::DETECTED_LEVEL)
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if bytes > self.max_metadata_bytes {
            let limit = self.max_metadata_bytes;
            let message = format!(
                "stream '{labels}' has structured metadata too large: '{bytes}' bytes, limit: '{limit}' bytes. Please see `limits_config.max_structured_metadata_size` or contact your Loki administrator to increase it"
            );
            return Err(Refusal::new("structured_metadata_too_large", message));
        }
        let count = metadata.len();
        if count > self.max_metadata_pairs {
            let limit = self.max_metadata_pairs;
            let message = format!(
                "stream '{labels}' has too many structured metadata labels: '{count}', limit: '{limit}'. Please see `limits_config.max_structured_metadata_entries_count` or contact your Loki administrator to increase it"
            );
            return Err(Refusal::new("structured_metadata_too_many", message));
        }
        Ok(())
    }
}

/// The refusal of a stream that would be one too many.
pub(crate) fn too_many_streams(labels: &Labels) -> Refusal {
    // The one tenant has the name that Loki gives it where tenants are off.
    let message = format!(
        "maximum active stream limit exceeded when trying to create stream {labels}, reduce the number of active streams (reduce labels or reduce label values), or contact your Loki administrator to see if the limit can be increased, user: 'fake'"
    );
    Refusal::new("stream_limit", message)
}

/// RFC 3339 with whole seconds in UTC.
fn rfc3339(time_ns: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(time_ns))
        .map_or_else(|_| time_ns.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_760_000_000_000_000_000;

    fn labels() -> Labels {
        [("app", "x")].into_iter().collect()
    }

    fn entry(time_ns: i64, line: &str) -> LogEntry {
        LogEntry { time_ns, line: line.to_owned(), metadata: Vec::new() }
    }

    fn refused(limits: &Limits, entry: &LogEntry) -> String {
        limits.check_entry(&labels(), entry, NOW).unwrap_err().message
    }

    #[test]
    fn ages_are_refused_in_lokis_words() {
        let limits = Limits::default();
        assert_eq!(limits.check_entry(&labels(), &entry(NOW as i64, "l"), NOW), Ok(()));
        assert_eq!(
            refused(&limits, &entry(NOW as i64 - 8 * 86_400_000_000_000, "l")),
            r#"entry for stream '{app="x"}' has timestamp too old: 2025-10-01T08:53:20Z, oldest acceptable timestamp is: 2025-10-02T08:53:20Z"#
        );
        assert_eq!(
            refused(&limits, &entry(NOW as i64 + 601_000_000_000, "l")),
            r#"entry for stream '{app="x"}' has timestamp too new: 2025-10-09T09:03:21Z"#
        );
        let edge = entry(NOW as i64 - 7 * 86_400_000_000_000, "l");
        assert_eq!(limits.check_entry(&labels(), &edge, NOW), Ok(()));
    }

    #[test]
    fn sizes_are_refused_in_lokis_words() {
        let limits =
            Limits { max_line_bytes: 3, max_metadata_bytes: 4, max_metadata_pairs: 1, ..Limits::default() };
        assert_eq!(
            refused(&limits, &entry(NOW as i64, "long")),
            r#"max entry size '3' bytes exceeded for stream '{app="x"}' while adding an entry with length '4' bytes"#
        );
        let with = |metadata: &[(&str, &str)]| LogEntry {
            metadata: metadata.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
            ..entry(NOW as i64, "l")
        };
        assert!(
            refused(&limits, &with(&[("abc", "de")])).contains("too large: '5' bytes, limit: '4' bytes.")
        );
        assert!(refused(&limits, &with(&[("a", "b"), ("c", "d")])).contains("labels: '2', limit: '1'."));
        assert_eq!(limits.check_entry(&labels(), &with(&[("detected_level", "information")]), NOW), Ok(()));
    }

    #[test]
    fn labels_are_refused_in_lokis_words() {
        let many = |count: usize| -> Labels {
            (0..count).map(|index| (format!("l{index:02}"), "v".to_owned())).collect()
        };
        let limits = Limits::default();
        assert_eq!(limits.check_labels(&many(15)), Ok(()));
        assert!(
            limits.check_labels(&many(16)).unwrap_err().message.ends_with("has 16 label names; limit 15")
        );
        let mut with_service = many(15).into_pairs();
        with_service.push(("service_name".to_owned(), "s".to_owned()));
        assert_eq!(limits.check_labels(&Labels::new(with_service)), Ok(()));
        assert_eq!(limits.check_labels(&Labels::default()).unwrap_err().reason, "missing_labels");
        let long: Labels = [("a".repeat(1025).as_str(), "v")].into_iter().collect();
        assert_eq!(limits.check_labels(&long).unwrap_err().reason, "label_name_too_long");
        let long: Labels = [("a", "v".repeat(2049).as_str())].into_iter().collect();
        assert_eq!(limits.check_labels(&long).unwrap_err().reason, "label_value_too_long");
    }
}
