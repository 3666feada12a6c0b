//! How many samples a second of remote write are taken on one core: requests as Prometheus sends them (2,000 samples of
//! as many series, in a snappy block), through the route into the store and its log. `cargo bench -p receiver`;
//! `SERIES` and `ROUNDS` in the environment.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use model::ManualClock;
use prost::encoding::{WireType, encode_key, encode_varint};
use receiver::{Config, Ingest, Stores, prometheus_router};
use tower::ServiceExt as _;

const START_MS: i64 = 1_800_000_000_000;
const STEP_MS: i64 = 15_000;

/// Samples of one request: what Prometheus sends at once.
const SAMPLES_PER_REQUEST: usize = 2000;

const KINDS: [&str; 2] =
    ["application/x-protobuf", "application/x-protobuf;proto=io.prometheus.write.v2.Request"];

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let (series, rounds) = (setting("SERIES", 20_000), setting("ROUNDS", 60));
    let dir = tempfile::tempdir().unwrap();
    let end_ms = START_MS + rounds as i64 * STEP_MS;
    let clock = Arc::new(ManualClock::at_ns(end_ms as u64 * 1_000_000));
    let stores = stores(dir.path(), &clock);
    let metrics = Arc::clone(&stores.metrics);
    let registry = prometheus::Registry::new();
    let router = prometheus_router(Ingest::new(stores, Config::default(), clock, &registry).unwrap());
    for version in [1, 2] {
        let (mut spent, mut busy, mut sent, mut bytes) = (Duration::ZERO, Duration::ZERO, 0, 0);
        for round in 0..rounds {
            let starts = (0..series).step_by(SAMPLES_PER_REQUEST);
            let numbers = starts.map(|first| first..series.min(first + SAMPLES_PER_REQUEST));
            let bodies: Vec<Bytes> = numbers.map(|numbers| request(version, numbers, round)).collect();
            let length: usize = bodies.iter().map(Bytes::len).sum();
            let (began, began_busy) = (Instant::now(), processor_time());
            for body in bodies {
                let request = Request::post("/api/v1/write").header("content-type", KINDS[version - 1]);
                let request = request.body(Body::from(body)).unwrap();
                let response = router.clone().oneshot(request).await.unwrap();
                assert_eq!(response.status(), 204);
            }
            // The first round makes the series.
            if round > 0 {
                spent += began.elapsed();
                busy += processor_time().saturating_sub(began_busy);
                sent += series;
                bytes += length;
            }
        }
        println!(
            "remote write {version}.0: {:.0} samples a second, {:.0} a second of one core, {:.1} bytes a sample sent",
            sent as f64 / spent.as_secs_f64(),
            sent as f64 / busy.as_secs_f64(),
            bytes as f64 / sent as f64
        );
    }
    assert_eq!(metrics.stats().head_items, 2 * (series * rounds) as u64);
}

fn stores(dir: &std::path::Path, clock: &Arc<ManualClock>) -> Stores {
    let path = |name: &str| dir.join(name);
    let traces = tracestore::Config {
        background: false,
        ..tracestore::Config::new(path("traces-wal"), path("traces"), 64 << 20)
    };
    let logs = logstore::Config {
        wal_dir: path("logs-wal"),
        blocks_dir: path("logs"),
        wal_sync: wal::SyncPolicy::Interval(Duration::from_secs(1)),
        memory_bytes: 64 << 20,
        retention_age: Duration::from_hours(24),
        retention_bytes: 1 << 30,
        limits: logstore::Limits::default(),
    };
    let metrics = tsdb::Config {
        memory_bytes: 4 << 30,
        checkpoint_bytes: u64::MAX,
        ..tsdb::Config::new(path("metrics-wal"), path("metrics"))
    };
    Stores {
        traces: Arc::new(tracestore::TraceStore::open(traces, Arc::clone(clock) as _).unwrap()),
        logs: Arc::new(logstore::LogStore::open(logs, Arc::clone(clock) as _).unwrap()),
        metrics: Arc::new(tsdb::Tsdb::open(metrics, Arc::clone(clock) as _).unwrap()),
        observer: None,
    }
}

fn labels(version: usize, number: usize) -> [(&'static str, String); 9] {
    [
        ("__name__", format!("http_server_request_duration_seconds_{}", number % 40)),
        ("http_request_method", ["GET", "POST", "PUT", "DELETE"][number % 4].to_owned()),
        ("http_response_status_code", ["200", "404", "500"][number % 3].to_owned()),
        ("id", number.to_string()),
        ("instance", format!("2f0c7b1e-4b61-4c5e-9d0a-{:012}", number / 500)),
        ("job", if number.is_multiple_of(2) { "demo/users" } else { "demo/albums" }.to_owned()),
        ("route", format!("/items/{}", number % 500)),
        ("url_scheme", "http".to_owned()),
        ("version", version.to_string()),
    ]
}

fn request(version: usize, numbers: Range<usize>, round: usize) -> Bytes {
    let time_ms = START_MS + round as i64 * STEP_MS;
    let mut out = Vec::new();
    let mut symbols: Vec<String> = vec![String::new()];
    let mut known = HashMap::new();
    for number in numbers {
        let mut series = Vec::new();
        let mut refs = Vec::new();
        for (name, value) in labels(version, number) {
            if version == 1 {
                let mut label = Vec::new();
                message(&mut label, 1, name.as_bytes());
                message(&mut label, 2, value.as_bytes());
                message(&mut series, 1, &label);
                continue;
            }
            for symbol in [name.to_owned(), value] {
                let next = symbols.len();
                let number = *known.entry(symbol.clone()).or_insert_with(|| {
                    symbols.push(symbol);
                    next
                });
                encode_varint(number as u64, &mut refs);
            }
        }
        if version == 2 {
            message(&mut series, 1, &refs);
        }
        let mut sample = Vec::new();
        prost::encoding::double::encode(1, &((number * 7 + round * (number % 9)) as f64), &mut sample);
        prost::encoding::int64::encode(2, &time_ms, &mut sample);
        message(&mut series, 2, &sample);
        message(&mut out, if version == 1 { 1 } else { 5 }, &series);
    }
    if version == 2 {
        for symbol in &symbols {
            message(&mut out, 4, symbol.as_bytes());
        }
    }
    snap::raw::Encoder::new().compress_vec(&out).unwrap().into()
}

fn message(out: &mut Vec<u8>, tag: u32, bytes: &[u8]) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What the process has used of processors, all threads together: the work is done on other threads than this one.
fn processor_time() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let used = tasks.map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        text.split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    });
    Duration::from_nanos(used.sum())
}
