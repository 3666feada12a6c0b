//! What the store does in a second, and what a line costs: `cargo bench -p logstore`.
//!
//! The lines are the real logs of `conformance/logs` where they are there, over and over, with the structured metadata
//! that an OpenTelemetry SDK gives a record; else made-up ones. `MIRANTE_BENCH_LINES` says how many (default 1,000,000);
//! `MIRANTE_BENCH_DIR` keeps the blocks for a look with other tools.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a program for people")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use logql::Pipeline;
use logstore::{Config, Direction, LogStore, Select};
use model::{Clock, LogEntry, LogStream, SystemClock, TimeRange};

const BATCH: usize = 512;
const SERVICES: [&str; 4] = ["users", "albums", "gateway", "worker"];

fn main() {
    let count =
        std::env::var("MIRANTE_BENCH_LINES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let lines = real_lines().unwrap_or_else(made_up_lines);
    let temporary = tempfile::tempdir().unwrap();
    let dir =
        std::env::var_os("MIRANTE_BENCH_DIR").map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let config = Config { memory_bytes: 256 << 20, ..Config::new(dir) };
    let store = LogStore::open(config, Arc::new(SystemClock)).unwrap();

    let now_ns = SystemClock.now_ns() as i64;
    let first_ns = now_ns - 1000 * count as i64;
    let batches: Vec<LogStream> = (0..count)
        .step_by(BATCH)
        .map(|start| batch(&lines, first_ns, start..(start + BATCH).min(count)))
        .collect();
    let bytes: usize = batches
        .iter()
        .flat_map(|stream| &stream.entries)
        .map(|entry| entry.line.len() + metadata_bytes(entry))
        .sum();
    println!("{count} lines, {} bytes each with structured metadata", bytes / count);

    let start = Instant::now();
    let (mut kept, mut longest, mut waited) = (0, Duration::ZERO, Duration::ZERO);
    for stream in &batches {
        let begun = Instant::now();
        let appended = loop {
            match store.append(std::slice::from_ref(stream)) {
                Ok(appended) => break appended,
                Err(logstore::Error::Full { .. }) => {
                    std::thread::sleep(Duration::from_millis(1));
                    waited += Duration::from_millis(1);
                }
                Err(error) => panic!("{error}"),
            }
        };
        longest = longest.max(begun.elapsed());
        kept += appended.accepted;
    }
    let took = start.elapsed();
    assert_eq!(kept, count as u64);
    println!(
        "append: {} lines/s, longest {longest:?}, waited for memory {waited:?}",
        per_second(count, took)
    );
    let stats = store.stats();
    if let Some(bytes) = stats.head_bytes.checked_div(stats.head_items) {
        println!("head: {} lines, {bytes} bytes each", stats.head_items);
    }
    query(&store, "head and blocks", count);

    let start = Instant::now();
    store.seal().unwrap();
    println!("seal of the rest: {:?}", start.elapsed());
    let stats = store.stats();
    println!(
        "blocks: {}, {} lines, {} bytes each",
        stats.blocks,
        stats.block_items,
        stats.block_bytes / stats.block_items
    );
    query(&store, "blocks", count);
    let start = Instant::now();
    let replaced = store.compact().unwrap();
    println!("merge of {replaced} blocks: {:?}", start.elapsed());
    query(&store, "merged blocks", count);
}

fn query(store: &LogStore, what: &str, count: usize) {
    let trace_id = format!("{:032x}", count / 3);
    for (name, query, limit) in [
        ("a rare text, all lines looked at", r#"{service_name=~".+"} |= "no line has this""#.to_owned(), 100),
        ("a regular expression", r#"{service_name="users"} |~ "[0-9]+x[0-9]+yz""#.to_owned(), 100),
        ("the latest hundred", r#"{service_name="users"}"#.to_owned(), 100),
        ("a trace", format!(r#"{{service_name=~".+"}} | trace_id="{trace_id}""#), 100),
    ] {
        let log = logql::parse_log(&query).unwrap();
        let pipeline = Pipeline::new(&log).unwrap();
        let select = Select {
            matchers: &log.matchers,
            pipeline: &pipeline,
            range: TimeRange::ALL,
            direction: Direction::Backward,
            limit,
        };
        let start = Instant::now();
        let selection = store.select(&select).unwrap();
        let took = start.elapsed();
        let looked_at = selection.stats.head_lines + selection.stats.block_lines;
        println!(
            "{what}: {name}: {took:?}, {} found, {looked_at} lines looked at, {} lines/s",
            selection.entries.len(),
            per_second(looked_at as usize, took)
        );
    }
}

fn per_second(count: usize, took: Duration) -> u64 {
    (count as f64 / took.as_secs_f64()) as u64
}

fn metadata_bytes(entry: &LogEntry) -> usize {
    entry.metadata.iter().map(|(name, value)| name.len() + value.len()).sum()
}

fn batch(lines: &[String], first_ns: i64, range: std::ops::Range<usize>) -> LogStream {
    let service = SERVICES[range.start / BATCH % SERVICES.len()];
    let entries = range
        .map(|index| LogEntry {
            time_ns: first_ns + 1000 * index as i64,
            line: lines[index % lines.len()].clone(),
            metadata: [
                ("severity_text", "INFO".to_owned()),
                ("severity_number", "9".to_owned()),
                ("scope_name", "users::routes".to_owned()),
                ("telemetry_sdk_language", "rust".to_owned()),
                ("http_request_method", "GET".to_owned()),
                ("trace_id", format!("{:032x}", index / 3)),
                ("span_id", format!("{:016x}", index.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        })
        .collect();
    let labels = [("service_name", service), ("service_namespace", "demo")].into_iter().collect();
    LogStream { labels, entries }
}

fn real_lines() -> Option<Vec<String>> {
    let dir = testkit::conformance_dir()?.join("logs/loghub");
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(dir).ok()?.filter_map(|file| Some(file.ok()?.path())).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    names.sort();
    let read =
        |path: &PathBuf| std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).ok();
    let lines: Vec<String> = names
        .iter()
        .filter_map(read)
        .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    (!lines.is_empty()).then_some(lines)
}

fn made_up_lines() -> Vec<String> {
    (0..10_000)
        .map(|index| {
            format!("GET /users/{} answered 200 in {} ms to 10.0.0.{}", index * 7, index % 97, index % 250)
        })
        .collect()
}
