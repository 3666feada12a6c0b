//! What of the configuration the stores and the receivers are built with.

use std::time::Duration;

use promconfig::Config;

use crate::Keep;

/// Settings that hold from the start to the stop: a reload that changes them says so.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    /// How long samples are kept. What the file does not say the command line does, as in Prometheus.
    pub(crate) retention: Keep,
    /// How far behind the newest sample an older one is still taken, where the file says it.
    pub(crate) out_of_order_window: Option<Duration>,
    /// Most exemplars, where the file says it.
    pub(crate) max_exemplars: Option<usize>,
    /// How OTLP becomes series.
    pub(crate) otlp: otlp::metrics::Config,
}

impl Settings {
    /// What a file says; `retention` is that of the command line.
    pub(super) fn of(config: &Config, retention: Keep) -> Self {
        let tsdb = &config.storage.tsdb;
        let age = Some(tsdb.retention_time).filter(|age| !age.is_zero());
        let bytes = u64::try_from(tsdb.retention_size).ok().filter(|bytes| *bytes > 0);
        Self {
            retention: Keep { age: age.unwrap_or(retention.age), bytes: bytes.unwrap_or(retention.bytes) },
            out_of_order_window: Some(tsdb.out_of_order_time_window).filter(|window| !window.is_zero()),
            max_exemplars: config.storage.max_exemplars.map(|most| usize::try_from(most).unwrap_or(0)),
            otlp: config.otlp.clone(),
        }
    }

    /// Writes into a file what holds where it says nothing of how long samples are kept, as Prometheus shows it.
    pub(super) fn complete(&self, config: &mut Config) {
        let tsdb = &mut config.storage.tsdb;
        if tsdb.retention_time.is_zero() {
            tsdb.retention_time = self.retention.age;
        }
        if tsdb.retention_size == 0 {
            tsdb.retention_size = i64::try_from(self.retention.bytes).unwrap_or(0);
        }
    }

    /// The blocks of the file in which these differ from others.
    pub(super) fn changed(&self, other: &Self) -> Vec<&'static str> {
        let blocks = [
            ("storage.tsdb.retention", self.retention != other.retention),
            ("storage.tsdb.out_of_order_time_window", self.out_of_order_window != other.out_of_order_window),
            ("storage.exemplars", self.max_exemplars != other.max_exemplars),
            ("otlp", self.otlp != other.otlp),
        ];
        blocks.into_iter().filter_map(|(block, differs)| differs.then_some(block)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(yaml: &str) -> Settings {
        Settings::of(&Config::parse(yaml, |_| None).unwrap(), Keep::default())
    }

    #[test]
    fn the_file_wins_where_it_says_something() {
        let plain = settings("");
        assert_eq!(plain.retention, Keep::default());
        assert_eq!((plain.out_of_order_window, plain.max_exemplars), (None, None));
        let own = settings(
            "storage: {tsdb: {out_of_order_time_window: 5m, retention: {time: 2d}}, exemplars: {max_exemplars: -1}}\n\
             otlp: {promote_all_resource_attributes: true}",
        );
        assert_eq!(own.retention, Keep { age: Duration::from_hours(48), ..Keep::default() });
        assert_eq!((own.out_of_order_window, own.max_exemplars), (Some(Duration::from_mins(5)), Some(0)));
        assert!(own.otlp.promote_all_resource_attributes);
        assert_eq!(own.changed(&plain).len(), 4);
        assert!(own.changed(&own).is_empty());
        let mut config = Config::default();
        own.complete(&mut config);
        assert!(
            config.print().contains("    retention:\n      time: 2d\n      size: 5GiB\n"),
            "{}",
            config.print()
        );
    }
}
