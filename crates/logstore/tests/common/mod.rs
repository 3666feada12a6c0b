//! What the tests of the store share.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use logql::{LogExpr, Pipeline};
use logstore::{Config, Direction, FoundEntry, LogStore, Select};
use model::{Labels, LogEntry, LogStream, ManualClock, TimeRange};

pub const NOW_NS: u64 = 1_760_000_000_000_000_000;

pub fn open(dir: &Path) -> LogStore {
    open_with(Config::new(dir))
}

pub fn open_with(config: Config) -> LogStore {
    LogStore::open(config, Arc::new(ManualClock::at_ns(NOW_NS))).unwrap()
}

pub fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

pub fn entry(time_ns: i64, line: &str) -> LogEntry {
    LogEntry { time_ns, line: line.to_owned(), metadata: Vec::new() }
}

pub fn stream(pairs: &[(&str, &str)], entries: Vec<LogEntry>) -> LogStream {
    LogStream { labels: labels(pairs), entries }
}

pub fn parse(query: &str) -> (LogExpr, Pipeline) {
    let log = logql::parse_log(query).unwrap();
    let pipeline = Pipeline::new(&log).unwrap();
    (log, pipeline)
}

pub fn select(
    store: &LogStore,
    query: &str,
    range: TimeRange,
    direction: Direction,
    limit: usize,
) -> Vec<FoundEntry> {
    let (log, pipeline) = parse(query);
    let select = Select { matchers: &log.matchers, pipeline: &pipeline, range, direction, limit };
    store.select(&select).unwrap().entries
}

/// All lines of a query, oldest first.
pub fn lines(store: &LogStore, query: &str) -> Vec<String> {
    let found = select(store, query, TimeRange::ALL, Direction::Forward, usize::MAX);
    found.into_iter().map(|entry| entry.line).collect()
}
