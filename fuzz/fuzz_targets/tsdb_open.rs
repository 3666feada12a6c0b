//! Any bytes as a record of the metrics store's log, and as its checkpoint: the store opens or refuses, and what it
//! opened can be read and written.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use model::{ManualClock, MatchOp, Matcher};
use promql::storage::{MsRange, Series, Storage};
use tsdb::{Config, Tsdb};

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let dir = tempfile::tempdir().expect("a folder for temporary files");
    if kind % 2 == 0 {
        let (wal, _) = wal::Wal::open(wal::Config::new(dir.path()), |_, _| {}).expect("an empty folder");
        wal.append(&[bytes]).expect("a small record");
    } else {
        let checkpoint = [if kind % 4 == 1 { b"MIRTSD2\n" } else { b"MIRTSD1\n" }.as_slice(), &frames(bytes)].concat();
        std::fs::write(dir.path().join("head.checkpoint"), checkpoint).expect("a small file");
    }
    let clock = Arc::new(ManualClock::at_ns(1_800_000_000_000_000_000));
    let Ok(store) = Tsdb::open(Config::new(dir.path(), dir.path().join("blocks")), clock) else { return };
    let any = Matcher::new("x", MatchOp::NotEqual, "none").expect("a text is always a matcher");
    for series in store.select(&[any], MsRange::ALL).expect("a head is always read") {
        assert!(series.points().is_sorted_by_key(|point| point.time_ms) || kind % 2 == 1);
    }
    store.maintain().expect("a folder that can be written to");
    store.checkpoint().expect("a folder that can be written to");
});

/// The bytes in frames with right checksums, so that what is within them is reached.
fn frames(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for payload in bytes.chunks(64) {
        out.extend((payload.len() as u32).to_le_bytes());
        out.extend(crc32fast::hash(payload).to_le_bytes());
        out.extend(payload);
    }
    out
}
