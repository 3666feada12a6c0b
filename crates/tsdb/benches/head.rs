//! How many samples a second the store takes, what a series and a sample cost in memory and on disk, how long a
//! selection, a checkpoint and a replay take. `cargo bench -p tsdb`; `SERIES` and `ROUNDS` in the environment.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{
    Batch, DataPoint, Family, Labels, ManualClock, MatchOp, Matcher, Metadata, MetricType, SampleValue,
    SeriesSample, Temporality,
};
use promql::storage::{MsRange, Series, Storage};
use tsdb::{Config, Tsdb};

const START_MS: i64 = 1_800_000_000_000;
const STEP_MS: i64 = 15_000;

/// Data points of one request: what a collector sends at once.
const POINTS_PER_BATCH: usize = 1000;

fn main() {
    let series = setting("SERIES", 20_000);
    let rounds = setting("ROUNDS", 240);
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns((START_MS + rounds as i64 * STEP_MS) as u64 * 1_000_000));
    let config = Config { memory_bytes: 4 << 30, ..Config::new(dir.path(), dir.path().join("blocks")) };
    let labels: Vec<Labels> = (0..series).map(labels).collect();
    let before = resident_bytes();
    let store = Tsdb::open(config.clone(), Arc::clone(&clock) as _).unwrap();

    let mut spent = Duration::ZERO;
    let mut busy = Duration::ZERO;
    let (mut first_round, mut first_busy) = (Duration::ZERO, Duration::ZERO);
    let mut after_first = 0;
    for round in 0..rounds {
        let time_ms = START_MS + round as i64 * STEP_MS;
        for (chunk, labels) in labels.chunks(POINTS_PER_BATCH).enumerate() {
            let batch = batch(chunk * POINTS_PER_BATCH, labels, round, time_ms);
            let (began, began_busy) = (Instant::now(), processor_time());
            assert_eq!(store.append(&batch).unwrap().rejected.count, 0);
            spent += began.elapsed();
            busy += processor_time().saturating_sub(began_busy);
        }
        if round == 0 {
            (first_round, first_busy) = (spent, busy);
            after_first = resident_bytes();
        }
    }
    let stats = store.stats();
    let samples = stats.head_items as f64;
    let steady = spent.as_secs_f64() - first_round.as_secs_f64();
    println!(
        "series                {series}, {rounds} samples each, batches of {POINTS_PER_BATCH} data points"
    );
    println!("new series            {:.0} a second", series as f64 / first_round.as_secs_f64());
    let steady_busy = busy.as_secs_f64() - first_busy.as_secs_f64();
    println!("append                {:.0} samples a second", (samples - series as f64) / steady);
    println!(
        "append, alone         {:.0} samples a second of one core",
        (samples - series as f64) / steady_busy
    );
    println!("resident, a series    {} bytes after its first sample", (after_first - before) / series as u64);
    println!(
        "resident in the end   {} MiB, the store says {} MiB",
        (resident_bytes() - before) >> 20,
        stats.head_bytes >> 20
    );
    println!("head, a sample        {:.2} bytes", stats.head_bytes as f64 / samples);
    println!("log, a sample         {:.2} bytes after checkpoints", stats.wal.bytes as f64 / samples);

    let job = Matcher::new("job", MatchOp::Equal, "demo/users").unwrap();
    let route = Matcher::new("route", MatchOp::Regex, "/items/1.*").unwrap();
    let began = Instant::now();
    let found = store.select(&[job, route], MsRange::ALL).unwrap();
    let read: usize = found.iter().map(|series| series.points().count()).sum();
    let took = began.elapsed();
    println!("select                {} series, {read} samples in {took:?}", found.len());
    drop(found);

    let began = Instant::now();
    store.checkpoint().unwrap();
    println!("checkpoint            {:?}, {} MiB", began.elapsed(), store.stats().checkpoint_bytes >> 20);
    store.append(&batch(0, &labels[..1], 0, START_MS + rounds as i64 * STEP_MS)).unwrap();
    drop(store);
    let began = Instant::now();
    let store = Tsdb::open(config, clock as _).unwrap();
    println!("open, checkpoint      {:?} for {} samples", began.elapsed(), store.stats().head_items);
}

fn labels(index: usize) -> Labels {
    [
        ("__name__", format!("http_server_request_duration_seconds_{}", index % 40)),
        ("http_request_method", ["GET", "POST", "PUT", "DELETE"][index % 4].to_owned()),
        ("http_response_status_code", ["200", "404", "500"][index % 3].to_owned()),
        ("instance", format!("2f0c7b1e-4b61-4c5e-9d0a-{:012}", index / 500)),
        ("job", if index.is_multiple_of(2) { "demo/users" } else { "demo/albums" }.to_owned()),
        ("route", format!("/items/{}", index % 500)),
        ("server_address", "127.0.0.1".to_owned()),
        ("url_scheme", "http".to_owned()),
        ("id", index.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn batch(first: usize, labels: &[Labels], round: usize, time_ms: i64) -> Batch {
    let metadata = Metadata { kind: MetricType::Counter, help: String::new(), unit: "seconds".to_owned() };
    let points = labels.iter().enumerate().map(|(offset, labels)| {
        // Counters that grow by a little, each at its own pace, as those of a service do.
        let pace = (first + offset) % 17;
        let value = SampleValue::Float((round * pace + (round * 7 + offset) % 3) as f64);
        DataPoint {
            family: 0,
            temporality: Temporality::Cumulative,
            start_ms: START_MS,
            time_ms,
            samples: vec![SeriesSample { labels: labels.clone(), value, exemplars: Vec::new() }],
            derived: false,
        }
    });
    Batch {
        families: vec![Family { name: "f".to_owned(), metadata }],
        points: points.collect(),
        warnings: Vec::new(),
    }
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Time that this thread was on a core: what counts on a machine that does other work as well.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}

/// Resident memory of this process.
fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
