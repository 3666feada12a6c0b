//! A real Prometheus and `mirante` side by side: the same samples by remote write, then the same queries, one to the one
//! and one to the other in turn; what remote write takes on one core; memory of a series; bytes of a sample in a block.
//! Prints a table.
//!
//! `make bench-metrics`, which brings Debian's `prometheus` where it may. Another one is taken from the folder that
//! `MIRANTE_PEERS_DIR` names, or `METRICS_PROMETHEUS` is the program itself. `METRICS_ROUNDS` (15) says how often each
//! query is asked, `METRICS_QUERY` is a part of the names of those that are, an argument `queries`, `write`, `memory` or `sealed` runs that part alone
//! (`make bench-metrics PARTS="write sealed"`). Fails where the two answer differently; with `METRICS_STRICT=true` also
//! where a bound is missed.

#![expect(clippy::print_stdout, reason = "it is here to print")]

mod asking;
mod dataset;
mod queries;
mod sealed;
mod servers;
mod table;
mod writing;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::Failed;
use table::Table;
use tests::peers;

/// Measures with a real Prometheus and adds rows.
type Part = fn(&Path, &mut Table) -> Result<(), Failed>;

fn main() -> Result<(), String> {
    let parts: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let Some(prometheus) = given().or_else(|| peers::packaged("prometheus")) else {
        println!(
            "skipped: there is no prometheus in PATH, and none could be installed (Debian: apt-get install prometheus)"
        );
        return if peers::is_ci() { Err("nothing to compare with".to_owned()) } else { Ok(()) };
    };
    println!("{}: {}", prometheus.display(), version(&prometheus));
    println!("mirante: {}", tests::mirante::program().display());
    let mut table = Table::default();
    let all: [(&str, Part); 4] = [
        ("queries", queries::measure),
        ("write", writing::rate),
        ("memory", writing::memory),
        ("sealed", sealed::measure),
    ];
    let mut failures = Vec::new();
    for (name, measure) in all {
        let wanted = parts.is_empty() || parts.iter().any(|part| part == name);
        if wanted && let Err(failed) = measure(&prometheus, &mut table) {
            let failure = format!("{name}: {}", failed.message().unwrap_or("failed"));
            println!("{failure}");
            failures.push(failure);
        }
    }
    println!("\n{table}");
    let is_strict = std::env::var("METRICS_STRICT").is_ok_and(|strict| strict == "true");
    if is_strict && table.missed() {
        failures.push("a bound was missed".to_owned());
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}

/// The program that somebody asked for.
fn given() -> Option<PathBuf> {
    let named = std::env::var_os("METRICS_PROMETHEUS").map(PathBuf::from);
    let folder = std::env::var_os("MIRANTE_PEERS_DIR").map(|dir| PathBuf::from(dir).join("prometheus"));
    named.or(folder.filter(|path| path.is_file()))
}

/// What the program says of itself, in a line.
fn version(prometheus: &Path) -> String {
    let output = Command::new(prometheus).arg("--version").output();
    let said = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&said).lines().next().unwrap_or("an unknown prometheus").to_owned()
}

/// Whether the program takes remote write 2.0. One that does not know the choice of messages would take such a request
/// for an empty one.
fn knows_v2(prometheus: &Path) -> bool {
    let help = Command::new(prometheus).arg("--help-long").output();
    help.is_ok_and(|help| {
        let said = [help.stdout, help.stderr].concat();
        String::from_utf8_lossy(&said).contains("web.remote-write-receiver.accepted-protobuf-messages")
    })
}

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Now, at a full step.
#[expect(clippy::disallowed_methods, reason = "both servers go by the clock")]
fn now_ms() -> i64 {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    now_ms - now_ms.rem_euclid(dataset::STEP_MS)
}
