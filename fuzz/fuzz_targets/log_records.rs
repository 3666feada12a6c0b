//! Any bytes as a record of the log of entries: the store opens without a panic, and a whole record behind it is found.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use logstore::{Config, Direction, LogStore, Select};
use model::{LogEntry, LogStream, ManualClock, TimeRange};

const NOW_NS: u64 = 1_700_000_000_000_000_000;

fn open(dir: &std::path::Path) -> LogStore {
    LogStore::open(Config::new(dir), Arc::new(ManualClock::at_ns(NOW_NS))).expect("the store opens")
}

fuzz_target!(|bytes: &[u8]| {
    let dir = tempfile::tempdir().expect("a directory");
    {
        let (wal, _) = wal::Wal::open(wal::Config::new(dir.path().join("wal")), |_, _| {}).expect("the log opens");
        wal.append(&[bytes]).expect("a write");
        wal.append(&[&[1], bytes]).expect("a write");
    }
    let entry = LogEntry { time_ns: NOW_NS as i64, line: "whole".to_owned(), metadata: Vec::new() };
    let labels = [("fuzz", "whole")].into_iter().collect();
    open(dir.path()).append(&[LogStream { labels, entries: vec![entry] }]).expect("a write");

    let log = logql::parse_log("{fuzz=\"whole\"} |= \"whole\"").expect("a query");
    let pipeline = logql::Pipeline::new(&log).expect("a pipeline");
    let select = Select {
        matchers: &log.matchers,
        pipeline: &pipeline,
        range: TimeRange::ALL,
        direction: Direction::Forward,
        limit: 10,
    };
    assert!(!open(dir.path()).select(&select).expect("an answer").entries.is_empty());
});
