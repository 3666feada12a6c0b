//! What earlier versions wrote is read. A directory below `fixtures` for each version of the formats: `wal` has a request
//! that is in no block, `blocks` a block; together they have [`spans`]. A fixture is never changed; a new version of a
//! format gets a new one.

#![allow(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Bench, NOW_NS, config};
use model::{Event, Link, ManualClock, Scope, Span, SpanId, SpanKind, StatusCode, TimeRange, TraceId, Value};
use tracestore::TraceStore;

/// Spans that use every field, the first in the block and the second in the log.
fn spans() -> [Span; 2] {
    let mut full = common::span(1, 1, 2, "users", "GET /users/{id}", NOW_NS, 1_234_567);
    full.trace_state = "vendor=value".into();
    full.flags = 0x101;
    full.kind = SpanKind::Server;
    full.status_code = StatusCode::Error;
    full.status_message = "no such user".into();
    full.attributes = vec![
        ("text".into(), "é<\u{1}".into()),
        ("int".into(), Value::Int(i64::MIN)),
        ("double".into(), Value::Double(0.1)),
        ("bool".into(), Value::Bool(true)),
        ("bytes".into(), Value::Bytes(vec![0, 255])),
        ("list".into(), Value::Array(vec![Value::Int(1), Value::Double(1.0), Value::Empty])),
        ("map".into(), Value::KvList(vec![("$k".into(), "v".into())])),
        ("empty".into(), Value::Empty),
    ];
    full.dropped_attributes_count = 1;
    full.dropped_events_count = 2;
    full.dropped_links_count = 3;
    full.events = vec![Event {
        time_ns: NOW_NS + 5,
        name: "exception".into(),
        attributes: vec![("exception.type".into(), "NotFound".into())],
        dropped_attributes_count: 4,
    }];
    full.links = vec![Link {
        trace_id: TraceId([9; 16]),
        span_id: SpanId([8; 8]),
        trace_state: "a=b".into(),
        attributes: vec![("link".into(), Value::Int(7))],
        dropped_attributes_count: 5,
        flags: 6,
    }];
    full.scope = Arc::new(Scope {
        name: "library".into(),
        version: "1.2.3".into(),
        attributes: vec![("scope".into(), "s".into())],
        dropped_attributes_count: 7,
        schema_url: "https://opentelemetry.io/schemas/1.40.0".into(),
    });
    let plain = common::span(2, 1, 0, "albums", "GET /albums", NOW_NS + 1_000, 10);
    [full, plain]
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

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

#[test]
fn every_version_is_read() {
    let mut versions = 0;
    for entry in fs::read_dir(fixtures()).unwrap() {
        let fixture = entry.unwrap().path();
        let dir = tempfile::tempdir().unwrap();
        copy(&fixture, dir.path());
        let store = TraceStore::open(config(dir.path()), Arc::new(ManualClock::at_ns(NOW_NS))).unwrap();
        let stats = store.stats();
        assert_eq!((stats.head_items, stats.block_items), (1, 1), "{}", fixture.display());
        for span in spans() {
            let found = store.trace(span.trace_id, TimeRange::ALL).unwrap();
            assert_eq!(found, [span], "{}", fixture.display());
        }
        assert_eq!(store.services(TimeRange::ALL).unwrap(), ["albums", "users"]);
        versions += 1;
    }
    assert!(versions > 0);
}

#[test]
#[ignore = "writes the fixture of the present version"]
fn write_fixture() {
    let bench = Bench::new();
    let [sealed, logged] = spans();
    bench.append(&[sealed]);
    bench.store.seal().unwrap();
    bench.append(&[logged]);
    let Bench { dir, store, .. } = bench;
    drop(store);
    copy(dir.path(), &fixtures().join("v1"));
}
