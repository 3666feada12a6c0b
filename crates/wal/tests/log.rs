//! The log as a store uses it: append, crash, replay.

#![allow(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use std::fs;
use std::io::Write;
use std::path::Path;

use wal::{Config, Error, Recovery, SegmentId, SyncPolicy, Wal};

fn reopen(dir: &Path) -> (Wal, Recovery, Vec<(SegmentId, Vec<u8>)>) {
    let mut records = Vec::new();
    let (wal, recovery) =
        Wal::open(Config::new(dir), |segment, payload| records.push((segment, payload.to_vec()))).unwrap();
    (wal, recovery, records)
}

fn payloads(records: &[(SegmentId, Vec<u8>)]) -> Vec<&[u8]> {
    records.iter().map(|(_, payload)| payload.as_slice()).collect()
}

fn only_segment(dir: &Path) -> std::path::PathBuf {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files[0].clone()
}

#[test]
fn what_was_appended_is_replayed_in_order_across_segments() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (wal, recovery, _) = reopen(dir.path());
        assert_eq!(recovery, Recovery::default());
        wal.append(&[b"one"]).unwrap();
        let first = wal.cut().unwrap();
        let position = wal.append(&[b"t", b"", b"wo"]).unwrap();
        assert!(position.segment > first);
        wal.append(&[b""]).unwrap();
    }
    let (_, recovery, records) = reopen(dir.path());
    assert_eq!(payloads(&records), [b"one".as_slice(), b"two", b""]);
    assert_eq!((recovery.records, recovery.bytes, recovery.damage.len()), (3, 6, 0));
}

#[test]
fn removed_segments_are_not_replayed_and_the_active_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    {
        let (wal, ..) = reopen(dir.path());
        wal.append(&[b"sealed"]).unwrap();
        let sealed = wal.cut().unwrap();
        wal.append(&[b"kept"]).unwrap();
        wal.remove_through(SegmentId(sealed.0 + 10)).unwrap();
        assert_eq!(wal.stats().segments, 1);
    }
    assert_eq!(payloads(&reopen(dir.path()).2), [b"kept"]);
}

#[test]
fn empty_segments_do_not_pile_up() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..5 {
        drop(reopen(dir.path()));
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_tail_torn_at_any_byte_loses_only_the_torn_record() {
    let source = tempfile::tempdir().unwrap();
    {
        let (wal, ..) = reopen(source.path());
        for record in [b"first".as_slice(), b"second", b"third"] {
            wal.append(&[record]).unwrap();
        }
    }
    let whole = fs::read(only_segment(source.path())).unwrap();
    let ends = [8, 8 + 17, 8 + 17 + 18, 8 + 17 + 18 + 17];
    for cut in 0..whole.len() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("00000000000000000001.wal"), &whole[..cut]).unwrap();
        let (wal, recovery, records) = reopen(dir.path());
        let expected = ends.iter().filter(|end| **end <= cut).count().saturating_sub(1);
        assert_eq!(records.len(), expected, "cut at {cut}");
        assert!(recovery.damage.iter().all(|damage| damage.torn_tail));
        // What is written after the repair is found together with what was there before.
        wal.append(&[b"after"]).unwrap();
        drop(wal);
        let (_, again, records) = reopen(dir.path());
        assert_eq!((records.len(), again.damage.len()), (expected + 1, 0), "cut at {cut}");
    }
}

#[test]
fn a_flipped_bit_anywhere_loses_at_most_one_record_and_is_reported() {
    let source = tempfile::tempdir().unwrap();
    {
        let (wal, ..) = reopen(source.path());
        for number in 0..5_u8 {
            wal.append(&[&[number; 20]]).unwrap();
        }
    }
    let whole = fs::read(only_segment(source.path())).unwrap();
    for byte in 8..whole.len() {
        let dir = tempfile::tempdir().unwrap();
        let mut damaged = whole.clone();
        damaged[byte] ^= 0x10;
        fs::write(dir.path().join("00000000000000000001.wal"), &damaged).unwrap();
        let (_, recovery, records) = reopen(dir.path());
        assert_eq!(records.len(), 4, "bit flipped in byte {byte}");
        assert_eq!(recovery.damage.len(), 1);
        assert_eq!(recovery.damage[0].bytes, 32);
    }
}

#[test]
fn a_record_over_the_limit_is_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { max_record_bytes: 10, ..Config::new(dir.path()) };
    let (wal, _) = Wal::open(config, |_, _| ()).unwrap();
    let before = wal.stats();
    let error = wal.append(&[b"0123456", b"7890"]).unwrap_err();
    assert!(matches!(error, Error::RecordTooLarge { bytes: 11, limit: 10 }));
    assert_eq!(wal.stats(), before);
}

#[test]
fn a_file_of_another_format_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut file = fs::File::create(dir.path().join("00000000000000000001.wal")).unwrap();
    file.write_all(b"MIRWAL9\nwhatever").unwrap();
    let error = Wal::open(Config::new(dir.path()), |_, _| ()).unwrap_err();
    assert!(matches!(error, Error::UnknownFormat { .. }));
}

#[test]
fn concurrent_commits_under_always_all_return() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { sync: SyncPolicy::Always, ..Config::new(dir.path()) };
    let (wal, _) = Wal::open(config, |_, _| ()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let wal = &wal;
            scope.spawn(move || {
                for _ in 0..25 {
                    let position = wal.append(&[&[thread]]).unwrap();
                    wal.commit(position).unwrap();
                }
            });
        }
    });
    drop(wal);
    assert_eq!(reopen(dir.path()).2.len(), 100);
}

#[test]
fn numbers_never_begin_anew() {
    let dir = tempfile::tempdir().unwrap();
    // Opened and closed without a record: the next segment is a later one all the same.
    let mut last = SegmentId(0);
    for _ in 0..3 {
        let (wal, ..) = reopen(dir.path());
        let segment = wal.cut().unwrap();
        assert!(segment > last);
        last = segment;
    }
    // A directory that was emptied, with a block that remembers segment 100.
    fs::remove_dir_all(dir.path()).unwrap();
    let (wal, _) = Wal::open_after(Config::new(dir.path()), Some(SegmentId(100)), |_, _| {}).unwrap();
    assert_eq!(wal.append(&[b"new"]).unwrap().segment, SegmentId(101));
}

#[test]
fn covered_segments_are_not_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let covered = {
        let (wal, ..) = reopen(dir.path());
        wal.append(&[b"in a block"]).unwrap();
        let covered = wal.cut().unwrap();
        wal.append(&[b"not yet"]).unwrap();
        covered
    };
    let mut records = Vec::new();
    let (wal, recovery) = Wal::open_after(Config::new(dir.path()), Some(covered), |_, payload| {
        records.push(payload.to_vec());
    })
    .unwrap();
    assert_eq!((records, recovery.records, wal.stats().segments), (vec![b"not yet".to_vec()], 1, 2));
}
