//! How long `mirante up` takes until every port is ready, the demo services included, and what the processes take of
//! memory when nothing happens. Run with `cargo bench -p tests --bench startup`.
//!
//! The bounds are those that the project set itself; past one of them the benchmark fails. `STARTUP_ROUNDS` (default 10)
//! says how often it starts.

#![expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]

use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;
use tests::mirante::{Stack, resident_bytes};

/// To ready, by the program's own clock, and by ours from before the process is there until its last line is read.
const READY_WITHIN: Duration = Duration::from_millis(300);
const MIRANTE_BYTES: u64 = 60_000_000;
const DEMO_BYTES: u64 = 25_000_000;
/// How long nothing happens before memory is looked at.
const IDLE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let rounds: usize = std::env::var("STARTUP_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    // The first start of a program reads it from the disk; builds it, even.
    drop(Stack::up(tempfile::tempdir().expect("a directory").path(), &[]));

    let dir = tempfile::tempdir().expect("a directory");
    let mut times = Vec::new();
    for round in 0..rounds {
        // Half of the starts find nothing, half what the ones before have left.
        let fresh = tempfile::tempdir().expect("a directory");
        let stack = Stack::up(if round % 2 == 0 { fresh.path() } else { dir.path() }, &[]);
        times.push(stack.took);
        stack.stop();
    }
    times.sort();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);

    let stack = Stack::up(dir.path(), &[]);
    std::thread::sleep(IDLE);
    let mut resident = vec![("mirante".to_owned(), resident_bytes(stack.pid()), MIRANTE_BYTES)];
    for (service, pid) in stack.demo_pids() {
        resident.push((service, resident_bytes(pid), DEMO_BYTES));
    }
    let status: Value =
        serde_json::from_slice(&stack.run("status", &["--json"]).stdout).expect("status is JSON");
    stack.stop();

    let mut well = median <= READY_WITHIN;
    println!(
        "from start to every port ready, {rounds} starts with both demo services (at most {READY_WITHIN:?}):"
    );
    println!("  median {median:?}, worst {worst:?}, best {:?}", times[0]);
    println!("resident memory {IDLE:?} after the start, idle:");
    for (name, bytes, most) in &resident {
        println!("  {name:<8} {:6.1} MB (at most {:.0} MB)", *bytes as f64 / 1e6, *most as f64 / 1e6);
        well &= bytes <= most;
    }
    well &= resident.len() == 3 && status["ok"] == true;
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
