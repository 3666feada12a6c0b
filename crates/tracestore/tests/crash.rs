//! A crash at any step loses nothing and doubles nothing; damage is stepped over; limits hold.

#![allow(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use common::{Bench, NOW_NS, append, span};
use model::{ManualClock, Span, TimeRange};
use tracestore::{Config, Error, TraceStore};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let place = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &place);
        } else {
            fs::copy(&path, &place).unwrap();
        }
    }
}

/// Spans of one trace, of three spans.
fn trace_of(trace: u8) -> Vec<Span> {
    let start = NOW_NS + u64::from(trace) * 1_000_000_000;
    vec![
        span(trace, 1, 0, "users", "GET /users", start, 30_000_000),
        span(trace, 2, 1, "users", "query", start + 1000, 10_000_000),
        span(trace, 3, 1, "albums", "GET /albums", start + 2000, 5_000_000),
    ]
}

/// Every trace is there with its three spans, and the store counts no other span anywhere.
fn complete(store: &TraceStore, traces: u8) {
    for trace in 1..=traces {
        let expected = trace_of(trace);
        assert_eq!(store.trace(expected[0].trace_id, TimeRange::ALL).unwrap(), expected, "trace {trace}");
    }
    let stats = store.stats();
    assert_eq!(stats.head_items + stats.block_items, u64::from(traces) * 3, "{stats:?}");
}

fn blocks(bench: &Bench) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        fs::read_dir(bench.dir.path().join("blocks")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn killed_before_the_block_is_renamed() {
    let bench = Bench::new();
    bench.append(&trace_of(1));
    let half = bench.dir.path().join("blocks/tmp-01ARZ3NDEKTSV4RRFFQ69G5FAV");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("spans.parquet"), b"PAR1 half").unwrap();
    let bench = bench.reopen();
    complete(&bench.store, 1);
    assert!(!half.exists());
}

#[test]
fn killed_between_the_block_and_the_removal_of_the_log() {
    let bench = Bench::new();
    bench.append(&trace_of(1));
    bench.append(&trace_of(2));
    let (wal, saved) = (bench.dir.path().join("wal"), bench.dir.path().join("saved"));
    copy(&wal, &saved);
    bench.store.seal().unwrap();
    assert_eq!(bench.store.stats().blocks, 1);
    // Later requests go into a later segment, which the block does not cover.
    bench.append(&trace_of(3));
    copy(&saved, &wal);
    let bench = bench.reopen();
    complete(&bench.store, 3);
    assert_eq!(bench.store.stats().head_items, 3);
    // And again, after everything was sealed and the log emptied.
    bench.store.seal().unwrap();
    copy(&saved, &wal);
    let bench = bench.reopen();
    complete(&bench.store, 3);
    let bench = bench.reopen().reopen();
    bench.append(&trace_of(4));
    complete(&bench.reopen().store, 4);
}

#[test]
fn killed_between_a_merged_block_and_the_removal_of_its_sources() {
    let bench = Bench::new();
    for trace in 1..=4 {
        bench.append(&trace_of(trace));
        bench.store.seal().unwrap();
    }
    let saved = bench.dir.path().join("saved");
    copy(&bench.dir.path().join("blocks"), &saved);
    bench.store.maintain().unwrap();
    assert_eq!(bench.store.stats().blocks, 1);
    assert_eq!(blocks(&bench).len(), 1);
    complete(&bench.store, 4);
    copy(&saved, &bench.dir.path().join("blocks"));
    assert_eq!(blocks(&bench).len(), 5);
    let bench = bench.reopen();
    complete(&bench.store, 4);
    assert_eq!((bench.store.stats().blocks, blocks(&bench).len()), (1, 1));
}

#[test]
fn killed_while_a_block_is_removed() {
    let bench = Bench::new();
    bench.append(&trace_of(1));
    bench.store.seal().unwrap();
    let block = blocks(&bench).remove(0);
    let removed = block.with_file_name("removed-01ARZ3NDEKTSV4RRFFQ69G5FAV");
    copy(&block, &removed);
    fs::remove_file(removed.join("meta.json")).unwrap();
    let bench = bench.reopen();
    complete(&bench.store, 1);
    assert!(!removed.exists());
}

#[test]
fn a_write_that_was_cut_off_takes_nothing_with_it() {
    let bench = Bench::new();
    bench.append(&trace_of(1));
    bench.append(&trace_of(2));
    let Bench { dir, clock, store } = bench;
    drop(store);
    let segment = fs::read_dir(dir.path().join("wal")).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 7]).unwrap();
    let store = TraceStore::open(common::config(dir.path()), clock).unwrap();
    complete(&store, 1);
}

#[test]
fn damaged_blocks_are_set_aside_and_the_rest_answers() {
    for damage in ["short", "meta", "middle", "footer"] {
        let bench = Bench::new();
        bench.append(&trace_of(1));
        bench.store.seal().unwrap();
        let block = blocks(&bench).remove(0);
        bench.append(&trace_of(2));
        bench.store.seal().unwrap();
        let path = block.join("spans.parquet");
        let mut bytes = fs::read(&path).unwrap();
        match damage {
            "short" => bytes.truncate(bytes.len() / 2),
            "middle" => (4..bytes.len() / 2).for_each(|at| bytes[at] ^= 0x55),
            "footer" => {
                let end = bytes.len();
                (end / 2..end).for_each(|at| bytes[at] = 0xff);
            }
            _ => fs::write(block.join("meta.json"), b"{\"version\":1").unwrap(),
        }
        fs::write(&path, &bytes).unwrap();
        let bench = bench.reopen();
        let id = |trace| trace_of(trace)[0].trace_id;
        assert_eq!(bench.store.trace(id(1), TimeRange::ALL).unwrap(), [], "{damage}");
        assert_eq!(bench.store.trace(id(2), TimeRange::ALL).unwrap(), trace_of(2), "{damage}");
        // The lists read what is left as well.
        assert!(bench.store.operations("users", TimeRange::ALL).is_ok(), "{damage}");
        bench.store.maintain().unwrap();
        assert_eq!(bench.store.stats().blocks, 1, "{damage}");
        let aside = blocks(&bench).iter().any(|path| path.to_string_lossy().contains("damaged-"));
        assert!(aside, "{damage}: {:?}", blocks(&bench));
        let bench = bench.reopen();
        assert_eq!(bench.store.trace(id(2), TimeRange::ALL).unwrap(), trace_of(2), "{damage}");
    }
}

#[test]
fn any_flipped_byte_of_a_block_is_survived() {
    let bench = Bench::new();
    bench.append(&trace_of(1));
    bench.store.seal().unwrap();
    let path = blocks(&bench).remove(0).join("spans.parquet");
    let Bench { dir, clock, store } = bench;
    drop(store);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(37) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &bytes).unwrap();
        let store = TraceStore::open(common::config(dir.path()), clock.clone()).unwrap();
        store.trace(trace_of(1)[0].trace_id, TimeRange::ALL).unwrap();
        store.dependencies(TimeRange::ALL).unwrap();
        store.tag_names(None, TimeRange { start_ns: NOW_NS, end_ns: NOW_NS + 2_000_000_000 }).unwrap();
    }
}

#[test]
fn a_full_head_refuses_until_it_is_sealed() {
    let bench = Bench::with(|config| config.memory_bytes = 300_000);
    let mut accepted = 0;
    let refused = loop {
        match append(&bench.store, &trace_of(accepted + 1)) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 250);
        // Fill quickly: each round adds a value that has never been there.
        let mut big = span(200, accepted, 0, "big", &"x".repeat(20_000), NOW_NS, 1);
        big.name.push_str(&accepted.to_string());
        let _ = append(&bench.store, &[big]);
    };
    assert!(matches!(refused, Error::Full { limit: 300_000, .. }), "{refused}");
    bench.store.maintain().unwrap();
    append(&bench.store, &trace_of(accepted + 1)).unwrap();
    for trace in 1..=accepted + 1 {
        let expected = trace_of(trace);
        assert_eq!(bench.store.trace(expected[0].trace_id, TimeRange::ALL).unwrap(), expected);
    }
}

#[test]
fn old_spans_are_sealed_and_old_blocks_dropped() {
    let bench = Bench::new();
    bench.append(&trace_of(1));
    bench.store.maintain().unwrap();
    assert_eq!(bench.store.stats().blocks, 0);
    bench.clock.set_ns(NOW_NS + Duration::from_mins(16).as_nanos() as u64);
    bench.store.maintain().unwrap();
    assert_eq!((bench.store.stats().blocks, bench.store.stats().head_items), (1, 0));
    bench.clock.set_ns(NOW_NS + Duration::from_hours(47).as_nanos() as u64);
    bench.store.maintain().unwrap();
    complete(&bench.store, 1);
    bench.clock.set_ns(NOW_NS + Duration::from_hours(49).as_nanos() as u64);
    bench.store.maintain().unwrap();
    assert_eq!(bench.store.stats().blocks, 0);
    assert!(blocks(&bench).is_empty());
}

#[test]
fn the_oldest_blocks_go_when_all_are_too_large() {
    let bench = Bench::with(|config| config.retention_bytes = 7_000);
    for trace in 1..=3 {
        bench.append(&trace_of(trace));
        bench.store.seal().unwrap();
    }
    let before = bench.store.stats();
    assert!(before.block_bytes > 7_000, "{before:?}");
    bench.store.maintain().unwrap();
    let after = bench.store.stats();
    assert!(after.block_bytes <= 7_000 && after.blocks > 0, "{after:?}");
    assert!(bench.store.trace(trace_of(1)[0].trace_id, TimeRange::ALL).unwrap().is_empty());
    assert!(!bench.store.trace(trace_of(3)[0].trace_id, TimeRange::ALL).unwrap().is_empty());
}

#[test]
fn a_request_that_was_sent_twice_is_found_once() {
    let bench = Bench::new();
    bench.append(&trace_of(1));
    bench.append(&trace_of(1));
    bench.store.seal().unwrap();
    bench.append(&trace_of(1));
    assert_eq!(bench.store.trace(trace_of(1)[0].trace_id, TimeRange::ALL).unwrap(), trace_of(1));
    assert_eq!(
        bench.store.dependencies(TimeRange::ALL).unwrap(),
        [("users".to_owned(), "albums".to_owned(), 1), ("users".to_owned(), "users".to_owned(), 1)]
    );
}

#[test]
fn a_closed_store_refuses_and_still_answers() {
    let bench = Bench::new();
    bench.append(&trace_of(1));
    bench.store.shutdown().unwrap();
    assert!(matches!(append(&bench.store, &trace_of(2)), Err(Error::Closed)));
    complete(&bench.store, 1);
}

#[test]
fn replay_decodes_with_the_limits_of_the_day() {
    let bench = Bench::new();
    let mut rejected = span(1, 1, 0, "users", "over", NOW_NS, 1);
    rejected.attributes = vec![("k".into(), "v".into()); 5];
    let spans = [rejected, span(1, 2, 0, "users", "within", NOW_NS, 1)];
    let request = otlp::traces::encode_to_vec(&spans);
    let limits = otlp::traces::Limits { max_attributes: 3, ..otlp::traces::Limits::default() };
    let (batch, counts) = otlp::traces::decode(&request, &limits).unwrap();
    assert_eq!(counts.count, 1);
    bench.store.append(&batch).unwrap();
    let bench = bench.reopen();
    assert_eq!(bench.store.trace(spans[0].trace_id, TimeRange::ALL).unwrap(), spans[1..]);
}

#[test]
fn appended_means_found_while_blocks_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        seal_bytes: 200_000,
        ..Config::new(dir.path().join("wal"), dir.path().join("blocks"), 64 << 20)
    };
    let store = TraceStore::open(config.clone(), Arc::new(ManualClock::at_ns(NOW_NS))).unwrap();
    let writers = 4_u8;
    let rounds = 60_u8;
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let store = &store;
            scope.spawn(move || {
                for round in 0..rounds {
                    let trace = writer * rounds + round;
                    let mut spans = trace_of(trace);
                    for span in &mut spans {
                        span.status_message = format!("{trace} ").repeat(300);
                    }
                    append(store, &spans).unwrap();
                    let found = store.trace(spans[0].trace_id, TimeRange::ALL).unwrap();
                    assert_eq!(found.len(), 3, "trace {trace}");
                }
            });
        }
    });
    let stats = store.stats();
    let all = u64::from(writers) * u64::from(rounds) * 3;
    assert_eq!(stats.head_items + stats.block_items, all, "{stats:?}");
    // The thread that seals has the lowest priority: on a busy machine it may only come to it now.
    let begin = std::time::Instant::now();
    while store.stats().blocks == 0 {
        assert!(begin.elapsed() < Duration::from_secs(30), "nothing was sealed");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(store);
    let store = TraceStore::open(config, Arc::new(ManualClock::at_ns(NOW_NS))).unwrap();
    let stats = store.stats();
    assert_eq!(stats.head_items + stats.block_items, all, "{stats:?}");
}
