//! Any bytes as a segment of the log, after a whole record: no panic, the whole record is there, and a second start finds
//! what the first one found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wal::{Config, SyncPolicy, Wal};

/// Without the thread that syncs now and then: thousands of them would still be ending.
fn config(dir: &std::path::Path) -> Config {
    Config { max_record_bytes: 1 << 16, sync: SyncPolicy::Always, ..Config::new(dir) }
}

fn replay(dir: &std::path::Path) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    let (wal, _) = Wal::open(config(dir), |_, payload| records.push(payload.to_vec())).expect("the log opens");
    drop(wal);
    records
}

fuzz_target!(|bytes: &[u8]| {
    let dir = tempfile::tempdir().expect("a directory");
    {
        let (wal, _) = Wal::open(config(dir.path()), |_, _| {}).expect("the log opens");
        wal.append(&[b"whole"]).expect("a write");
    }
    let segment = std::fs::read_dir(dir.path()).expect("a directory").next().expect("a segment").expect("an entry").path();
    let mut file = std::fs::read(&segment).expect("a segment");
    file.extend_from_slice(bytes);
    std::fs::write(&segment, &file).expect("a write");
    let first = replay(dir.path());
    assert_eq!(first[0], b"whole");
    assert_eq!(replay(dir.path()), first);
});
