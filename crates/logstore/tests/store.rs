//! The store as a whole: what is kept is found, once, in order, across sealing, restart, merging and damage.

mod common;

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use common::{NOW_NS, entry, labels, lines, open, open_with, select, stream};
use logstore::{Config, Direction, Error, Limits};
use model::{LogEntry, TimeRange};

const NOW: i64 = NOW_NS as i64;

#[test]
fn what_is_appended_is_found_at_once_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let appended =
        store.append(&[stream(&[("app", "a")], vec![entry(NOW - 2, "one"), entry(NOW - 1, "two")])]).unwrap();
    assert_eq!((appended.accepted, appended.duplicates, appended.rejected.count), (2, 0, 0));
    assert_eq!(lines(&store, r#"{app="a"}"#), ["one", "two"]);
    assert_eq!(store.stats().head_items, 2);
    store.shutdown().unwrap();
    assert!(matches!(store.append(&[stream(&[("app", "a")], vec![entry(NOW, "x")])]), Err(Error::ShutDown)));
    drop(store);

    let store = open(dir.path());
    assert_eq!(lines(&store, r#"{app="a"}"#), ["one", "two"]);
    assert!(store.seal().unwrap());
    assert!(!store.seal().unwrap(), "nothing is left to seal");
    assert_eq!(lines(&store, r#"{app="a"}"#), ["one", "two"]);
    assert_eq!((store.stats().head_items, store.stats().blocks, store.stats().block_items), (0, 1, 2));
    drop(store);

    let store = open(dir.path());
    assert_eq!(store.stats().head_items, 0, "the log that the block covers is gone");
    assert_eq!(lines(&store, r#"{app="a"}"#), ["one", "two"]);
}

#[test]
fn an_entry_is_kept_once_wherever_its_twin_lies() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let twin = || [stream(&[("app", "a")], vec![entry(NOW, "same"), entry(NOW, "other")])];
    assert_eq!(store.append(&twin()).unwrap().duplicates, 0);
    let again = store.append(&twin()).unwrap();
    assert_eq!((again.accepted, again.duplicates), (2, 2));
    store.seal().unwrap();
    // A block holds it, the head takes it again: a query gives it once.
    store.append(&twin()).unwrap();
    assert_eq!(lines(&store, r#"{app="a"}"#), ["same", "other"]);
    for _ in 0..3 {
        store.seal().unwrap();
        store.append(&twin()).unwrap();
    }
    store.seal().unwrap();
    assert_eq!(store.stats().block_items, 10);
    assert_eq!(store.compact().unwrap(), 4);
    assert_eq!(lines(&store, r#"{app="a"}"#), ["same", "other"]);
    assert!(store.stats().block_items < 10, "merging writes it once");
}

#[test]
fn structured_metadata_comes_back_and_traces_are_found_in_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let entries = (0..1000_i64)
        .map(|index| LogEntry {
            time_ns: NOW - 1000 + index,
            line: format!("line {index}"),
            metadata: vec![
                ("trace_id".to_owned(), format!("{index:032x}")),
                ("http.route".to_owned(), "/users".to_owned()),
                ("empty".to_owned(), String::new()),
            ],
        })
        .collect();
    store.append(&[stream(&[("app", "a")], entries)]).unwrap();
    let check = || {
        let query = format!(r#"{{app="a"}} | trace_id="{:032x}""#, 77);
        let found = select(&store, &query, TimeRange::ALL, Direction::Backward, 10);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, "line 77");
        let pairs: Vec<_> =
            found[0].metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let trace_id = format!("{:032x}", 77);
        assert_eq!(
            pairs,
            [("detected_level", "unknown"), ("empty", ""), ("http_route", "/users"), ("trace_id", &trace_id)]
        );
        assert_eq!(found[0].labels.as_ref(), &labels(&[("app", "a")]));
        assert!(lines(&store, r#"{app="a"} | trace_id="ffff""#).is_empty());
        assert_eq!(lines(&store, r#"{app="a"} | http_route="/users""#).len(), 1000);
    };
    check();
    store.seal().unwrap();
    check();
}

#[test]
fn order_range_and_limit() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // Out of order, over two streams, a part sealed.
    for (index, sealed) in [(5, true), (1, true), (4, false), (2, false), (3, false)] {
        let app = if index % 2 == 0 { "even" } else { "odd" };
        store.append(&[stream(&[("app", app)], vec![entry(NOW + index, &index.to_string())])]).unwrap();
        if sealed {
            store.seal().unwrap();
        }
    }
    let get = |direction, from: i64, to: i64, limit| {
        let range = TimeRange { start_ns: (NOW + from) as u64, end_ns: (NOW + to) as u64 };
        select(&store, r#"{app=~".+"}"#, range, direction, limit)
            .into_iter()
            .map(|entry| entry.line)
            .collect::<String>()
    };
    assert_eq!(get(Direction::Forward, 0, 10, 10), "12345");
    assert_eq!(get(Direction::Backward, 0, 10, 10), "54321");
    assert_eq!(get(Direction::Forward, 2, 5, 10), "234", "the end is not included");
    assert_eq!(get(Direction::Forward, 0, 10, 2), "12");
    assert_eq!(get(Direction::Backward, 0, 10, 2), "54");
    assert_eq!(get(Direction::Forward, 5, 2, 2), "");
    let range = TimeRange { start_ns: NOW_NS, end_ns: NOW_NS + 2 };
    let names: Vec<_> = store.streams(range, &[]).iter().map(|labels| labels.get("app").to_owned()).collect();
    assert_eq!(names, ["odd"]);
    let volumes = store.volumes(TimeRange::ALL, &[]);
    assert_eq!(volumes.iter().map(|volume| volume.entries).collect::<Vec<_>>(), [2, 3]);
}

#[test]
fn limits_refuse_in_part() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { max_streams: 2, ..Limits::default() };
    let store = open_with(Config { limits, ..Config::new(dir.path()) });
    let appended = store
        .append(&[
            stream(
                &[("app", "a")],
                vec![entry(NOW, "kept"), entry(0, "too old"), entry(i64::MAX, "too new")],
            ),
            stream(&[("app", "b")], vec![entry(NOW, "kept")]),
            stream(&[("app", "c")], vec![entry(NOW, "one stream too many"), entry(NOW, "x")]),
            stream(&[], vec![entry(NOW, "no labels")]),
            stream(&[("app", "d")], vec![]),
        ])
        .unwrap();
    assert_eq!(appended.accepted, 2);
    assert_eq!(
        appended.rejected.by_reason,
        [
            ("greater_than_max_sample_age", 1),
            ("too_far_in_future", 1),
            ("missing_labels", 1),
            ("stream_limit", 2)
        ]
    );
    assert_eq!(lines(&store, r#"{app=~".+"}"#), ["kept", "kept"]);
}

#[test]
fn a_full_head_refuses_until_it_is_sealed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_with(Config { memory_bytes: 4 << 20, ..Config::new(dir.path()) });
    let line = "x".repeat(1000);
    let mut kept = 0;
    let mut refused = false;
    for batch in 0..200_i64 {
        let entries = (0..100).map(|index| entry(NOW - batch * 100 - index, &line)).collect();
        match store.append(&[stream(&[("app", "a")], entries)]) {
            Ok(_) => kept += 100,
            Err(Error::Full { bytes, limit }) => {
                assert!(bytes >= limit);
                refused = true;
                store.seal().unwrap();
            }
            Err(error) => panic!("{error}"),
        }
    }
    // The background thread seals as well, so a refusal is likely but not certain.
    let _ = refused;
    assert_eq!(lines(&store, r#"{app="a"}"#).len(), kept);
    assert!(store.stats().head_bytes < 6 << 20);
}

#[test]
fn old_and_too_many_blocks_go() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { retention_age: Duration::from_hours(1), ..Config::new(dir.path()) };
    let store = open_with(config.clone());
    for hours in [3, 2, 0] {
        let time_ns = NOW - hours * 3_600_000_000_000 - 1;
        store.append(&[stream(&[("app", "a")], vec![entry(time_ns, &hours.to_string())])]).unwrap();
        store.seal().unwrap();
    }
    assert_eq!(store.enforce_retention().unwrap(), 2);
    assert_eq!(lines(&store, r#"{app="a"}"#), ["0"]);
    drop(store);
    let store = open_with(Config { retention_bytes: 1, ..config });
    assert_eq!(store.enforce_retention().unwrap(), 1);
    assert!(lines(&store, r#"{app="a"}"#).is_empty());
    assert_eq!(fs::read_dir(dir.path().join("blocks")).unwrap().count(), 0);
}

#[test]
fn no_crash_point_loses_or_doubles() {
    let dir = tempfile::tempdir().unwrap();
    let wal = dir.path().join("wal");
    let blocks = dir.path().join("blocks");
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        fs::create_dir_all(to).unwrap();
        for file in fs::read_dir(from).unwrap() {
            let path = file.unwrap().path();
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    };
    let store = open(dir.path());
    store.append(&[stream(&[("app", "a")], vec![entry(NOW, "one"), entry(NOW + 1, "two")])]).unwrap();
    let saved = tempfile::tempdir().unwrap();
    let before = saved.path().join("wal");
    copy(&wal, &before);
    store.seal().unwrap();
    drop(store);

    // The block was published, the log not removed yet.
    copy(&before, &wal);
    let store = open(dir.path());
    assert_eq!((store.stats().head_items, store.stats().block_items), (0, 2));
    assert_eq!(lines(&store, r#"{app="a"}"#), ["one", "two"]);
    store.append(&[stream(&[("app", "a")], vec![entry(NOW + 2, "three")])]).unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(lines(&store, r#"{app="a"}"#), ["one", "two", "three"], "what came later is replayed");
    drop(store);

    // The block was half written: the log still has everything.
    fs::remove_dir_all(&wal).unwrap();
    fs::remove_dir_all(&blocks).unwrap();
    copy(&before, &wal);
    fs::create_dir_all(blocks.join("tmp-01ARZ3NDEKTSV4RRFFQ69G5FAV")).unwrap();
    let store = open(dir.path());
    assert_eq!(lines(&store, r#"{app="a"}"#), ["one", "two"]);
    assert_eq!(fs::read_dir(&blocks).unwrap().count(), 0);
}

#[test]
fn an_interrupted_merge_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let blocks = dir.path().join("blocks");
    let store = open(dir.path());
    for index in 0..4 {
        store.append(&[stream(&[("app", "a")], vec![entry(NOW + index, &index.to_string())])]).unwrap();
        store.seal().unwrap();
    }
    let saved = dir.path().join("saved");
    fs::create_dir(&saved).unwrap();
    let one = fs::read_dir(&blocks).unwrap().next().unwrap().unwrap();
    let copied = saved.join(one.file_name());
    fs::create_dir(&copied).unwrap();
    for file in fs::read_dir(one.path()).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, copied.join(path.file_name().unwrap())).unwrap();
    }
    assert_eq!(store.compact().unwrap(), 4);
    drop(store);
    fs::rename(&copied, blocks.join(one.file_name())).unwrap();
    let store = open(dir.path());
    assert_eq!(store.stats().blocks, 1);
    assert_eq!(lines(&store, r#"{app="a"}"#), ["0", "1", "2", "3"]);
}

#[test]
fn damaged_blocks_are_set_aside_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let blocks = dir.path().join("blocks");
    let block = || fs::read_dir(&blocks).unwrap().next().unwrap().unwrap().path();
    let aside = || {
        let names =
            fs::read_dir(&blocks).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("damaged-")).count()
    };
    let fill = || {
        let store = open(dir.path());
        let entries = (0..5000).map(|index| entry(NOW + index, &format!("line {index}"))).collect();
        store.append(&[stream(&[("app", "a")], entries)]).unwrap();
        store.seal().unwrap();
        store
    };
    // Too short, seen at start.
    drop(fill());
    let parquet = block().join("entries.parquet");
    let bytes = fs::read(&parquet).unwrap();
    fs::write(&parquet, &bytes[..bytes.len() - 10]).unwrap();
    let store = open(dir.path());
    assert!(lines(&store, r#"{app="a"}"#).is_empty());
    assert_eq!(aside(), 1);
    drop(store);
    fs::remove_dir_all(&blocks).unwrap();

    // Of the right length, but broken inside: the query that meets it fails, the next goes on without it.
    let store = fill();
    let parquet = block().join("entries.parquet");
    let mut bytes = fs::read(&parquet).unwrap();
    let middle = bytes.len() / 4;
    bytes[8..middle].fill(0xff);
    // In place: the store has the file open.
    fs::OpenOptions::new().write(true).open(&parquet).unwrap().write_all_at(&bytes, 0).unwrap();
    let (log, pipeline) = common::parse(r#"{app="a"}"#);
    let query = logstore::Select {
        matchers: &log.matchers,
        pipeline: &pipeline,
        range: TimeRange::ALL,
        direction: Direction::Forward,
        limit: 10_000,
    };
    assert!(matches!(store.select(&query), Err(Error::Blocks(_))));
    assert!(store.select(&query).unwrap().entries.is_empty());
    assert_eq!(aside(), 1);
    let appended = store.append(&[stream(&[("app", "a")], vec![entry(NOW, "goes on")])]).unwrap();
    assert_eq!(appended.accepted, 1);
    assert_eq!(lines(&store, r#"{app="a"}"#), ["goes on"]);
}

#[test]
fn ingest_and_queries_and_sealing_go_on_together() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    std::thread::scope(|scope| {
        for thread in 0..3_i64 {
            let store = &store;
            scope.spawn(move || {
                for index in 0..300 {
                    let line = format!("{thread} {index}");
                    let name = thread.to_string();
                    store.append(&[stream(&[("app", &name)], vec![entry(NOW + index, &line)])]).unwrap();
                    let query = format!(r#"{{app="{thread}"}} |= "{line}""#);
                    let found = lines(store, &query);
                    assert!(found.contains(&line), "{line} in {found:?}");
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..10 {
                store.seal().unwrap();
                store.compact().unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
        });
    });
    assert_eq!(lines(&store, r#"{app=~".+"}"#).len(), 900);
}
