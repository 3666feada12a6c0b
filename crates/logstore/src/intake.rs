//! From what was sent to what is kept: limits, names of structured metadata, the level.

use std::borrow::Cow;
use std::fmt::Write as _;

use model::{Labels, LogEntry, LogStream};
use otlp::Rejected;
use otlp::logs::names::label_name;

use crate::level;
use crate::limits::{Limits, Refusal};

/// A stream as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream<'a> {
    pub(crate) labels: Cow<'a, Labels>,
    pub(crate) entries: Vec<Entry<'a>>,
}

/// An entry as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    pub(crate) time_ns: i64,
    pub(crate) line: &'a str,
    /// Sorted by name, each name once.
    pub(crate) metadata: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// Refusals, each message counted: what Loki answers to a request that it took in part.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    by_message: Vec<(String, u64)>,
    by_reason: Rejected,
    /// Entries behind messages past [`MAX_MESSAGES`].
    unnamed: u64,
}

/// Most different messages of one answer; a request of many streams could otherwise be answered by megabytes.
const MAX_MESSAGES: usize = 32;

impl Refusals {
    pub(crate) fn add(&mut self, refusal: Refusal, entries: u64, of_whole_stream: bool) {
        self.by_reason.add_many(refusal.reason, entries, String::new);
        // Loki counts a refused stream as one error, however many entries it had.
        let errors = if of_whole_stream { 1 } else { entries };
        if let Some((_, count)) = self.by_message.iter_mut().find(|(message, _)| *message == refusal.message)
        {
            *count += errors;
        } else if self.by_message.len() < MAX_MESSAGES {
            self.by_message.push((refusal.message, errors));
        } else {
            self.unnamed += errors;
        }
    }

    /// Counts by reason, with the messages grouped as Loki groups them.
    pub(crate) fn into_rejected(self) -> Rejected {
        let single = self.by_message.len() == 1 && self.by_message[0].1 == 1;
        let mut message = String::new();
        for (text, count) in &self.by_message {
            if !message.is_empty() {
                message.push_str("; ");
            }
            if !single {
                _ = write!(message, "{count} errors like: ");
            }
            message.push_str(text);
        }
        if self.unnamed > 0 {
            _ = write!(message, "; and {} other errors", self.unnamed);
        }
        Rejected { message, ..self.by_reason }
    }
}

/// Checks streams and brings them to the form in which they are kept.
pub(crate) fn prepare<'a>(
    streams: &'a [LogStream],
    limits: &Limits,
    now_ns: u64,
    refusals: &mut Refusals,
) -> Vec<Stream<'a>> {
    let mut kept = Vec::with_capacity(streams.len());
    for stream in streams.iter().filter(|stream| !stream.entries.is_empty()) {
        if let Err(refusal) = limits.check_labels(&stream.labels) {
            refusals.add(refusal, stream.entries.len() as u64, true);
            continue;
        }
        let mut entries = Vec::with_capacity(stream.entries.len());
        for entry in &stream.entries {
            let checked = limits.check_entry(&stream.labels, entry, now_ns);
            match checked.and_then(|()| normalized(&stream.labels, entry, limits)) {
                Ok(entry) => entries.push(entry),
                Err(refusal) => refusals.add(refusal, 1, false),
            }
        }
        if !entries.is_empty() {
            kept.push(Stream { labels: Cow::Borrowed(&stream.labels), entries });
        }
    }
    kept
}

fn normalized<'a>(labels: &Labels, entry: &'a LogEntry, limits: &Limits) -> Result<Entry<'a>, Refusal> {
    let mut metadata = Vec::with_capacity(entry.metadata.len() + 1);
    for (name, value) in &entry.metadata {
        let name = label_name(name).map_err(|error| Refusal {
            reason: "invalid_structured_metadata_name",
            message: format!("stream '{labels}' has structured metadata with a bad name: {error}"),
        })?;
        // What stands for broken UTF-8 is taken out.
        let value = if value.contains('\u{fffd}') {
            Cow::Owned(value.replace('\u{fffd}', ""))
        } else {
            Cow::Borrowed(value.as_str())
        };
        metadata.push((name, value));
    }
    sort(&mut metadata);
    match metadata.iter_mut().find(|(name, _)| name == level::DETECTED_LEVEL) {
        Some((_, level)) if limits.discover_levels => {
            let normalized = level::normalized(level);
            if normalized != level {
                *level = Cow::Owned(normalized.to_owned());
            }
        }
        None if limits.discover_levels => {
            let level = level::detect(labels, &metadata, &entry.line).into_owned();
            let place = metadata.partition_point(|(name, _)| name.as_ref() < level::DETECTED_LEVEL);
            metadata.insert(place, (Cow::Borrowed(level::DETECTED_LEVEL), Cow::Owned(level)));
        }
        _ => {}
    }
    Ok(Entry { time_ns: entry.time_ns, line: &entry.line, metadata })
}

/// Sorts by name; of a repeated name the last value stays.
fn sort(metadata: &mut Vec<(Cow<'_, str>, Cow<'_, str>)>) {
    metadata.reverse();
    metadata.sort_by(|left, right| left.0.cmp(&right.0));
    metadata.dedup_by(|later, kept| later.0 == kept.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(metadata: &[(&str, &str)]) -> LogStream {
        let metadata = metadata.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let entry = LogEntry { time_ns: 0, line: "an error".to_owned(), metadata };
        LogStream { labels: [("app", "x")].into_iter().collect(), entries: vec![entry] }
    }

    fn kept(metadata: &[(&str, &str)]) -> Vec<(String, String)> {
        let streams = [stream(metadata)];
        let mut refusals = Refusals::default();
        let mut kept = prepare(&streams, &Limits::default(), 0, &mut refusals);
        assert_eq!(refusals.into_rejected(), Rejected::default());
        let entry = kept.remove(0).entries.remove(0);
        entry.metadata.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn metadata_is_named_sorted_and_given_a_level() {
        assert_eq!(
            kept(&[("z", "1"), ("http.method", "GET"), ("z", "2"), ("a", "x\u{fffd}y")]),
            pairs(&[("a", "xy"), ("detected_level", "error"), ("http_method", "GET"), ("z", "2")])
        );
        assert_eq!(kept(&[("detected_level", "WARNING")]), pairs(&[("detected_level", "warn")]));
    }

    #[test]
    fn refusals_are_grouped_as_loki_groups_them() {
        let mut late = stream(&[]);
        late.entries[0].time_ns = i64::MAX;
        late.entries.push(late.entries[0].clone());
        let nameless = LogStream { labels: Labels::default(), ..stream(&[]) };
        let one = [nameless.clone()];
        let mut refusals = Refusals::default();
        assert!(prepare(&one, &Limits::default(), 0, &mut refusals).is_empty());
        let text = "error at least one label pair is required per stream";
        assert_eq!(refusals.into_rejected().message, text);

        let both = [late, nameless];
        let mut refusals = Refusals::default();
        assert!(prepare(&both, &Limits::default(), 0, &mut refusals).is_empty());
        let rejected = refusals.into_rejected();
        assert_eq!(rejected.count, 3);
        assert_eq!(rejected.by_reason, [("too_far_in_future", 2), ("missing_labels", 1)]);
        assert!(
            rejected
                .message
                .starts_with("2 errors like: entry for stream '{app=\"x\"}' has timestamp too new")
        );
        assert!(rejected.message.ends_with(&format!("; 1 errors like: {text}")), "{}", rejected.message);
    }
}
