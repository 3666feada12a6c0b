//! How many bytes a span of the demo takes on the disk once it is sealed: the stack runs, people's requests are sent to
//! *users* and *albums*, the stack stops, and what it kept is sealed and measured.
//! Run with `cargo bench -p tests --bench demo_bytes`; `DEMO_REQUESTS` (10,000) says how many requests.

#![expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use model::SystemClock;
use tests::http;
use tests::mirante::Stack;
use tracestore::{Config, TraceStore};

/// The bound that the project set itself.
const MOST_BYTES_PER_SPAN: f64 = 60.0;
const PATHS: [(&str, &str); 6] = [
    ("users", "/users"),
    ("users", "/users/{n}/albums"),
    ("users", "/users/{n}"),
    ("users", "/albums"),
    ("albums", "/albums"),
    ("albums", "/albums/{n}"),
];
const CLIENTS: u64 = 16;

fn main() -> ExitCode {
    let requests: u64 =
        std::env::var("DEMO_REQUESTS").ok().and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let dir = tempfile::tempdir().expect("a directory");
    let stack = Stack::up(dir.path(), &[]);
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= requests {
                        break;
                    }
                    let (service, path) = PATHS[number as usize % PATHS.len()];
                    let path = path.replace("{n}", &(number % 8 + 1).to_string());
                    // A tenth fails on purpose; those are spans as well.
                    let _ = http::get(&format!("{}{path}", stack.url(service)));
                }
            });
        }
    });
    stack.stop();

    let memory = 256 << 20;
    let config = Config {
        background: false,
        ..Config::new(dir.path().join("wal/traces"), dir.path().join("blocks/traces"), memory)
    };
    let store = TraceStore::open(config, Arc::new(SystemClock)).expect("the store opens");
    let log = store.stats().wal.bytes;
    store.seal().expect("it is sealed");
    let stats = store.stats();
    let spans = stats.block_items;
    let each = stats.block_bytes as f64 / spans as f64;
    println!("{requests} requests of the demo: {spans} spans in {} block(s)", stats.blocks);
    println!("  log    {:6.1} bytes a span", log as f64 / spans as f64);
    println!("  sealed {each:6.1} bytes a span (at most {MOST_BYTES_PER_SPAN:.0})");
    let well = spans > requests && each <= MOST_BYTES_PER_SPAN;
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
