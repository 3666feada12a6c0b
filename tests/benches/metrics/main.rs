//! A real Prometheus and `mirante` side by side: the same samples by remote write, then the same queries, one to the one
//! and one to the other in turn; what remote write takes on one core; memory of a series. Prints a table.
//!
//! `make bench-metrics`, which brings Debian's `prometheus` where it may. `METRICS_PROMETHEUS` names another program,
//! `METRICS_ROUNDS` (15) says how often each query is asked, an argument `queries`, `write` or `memory` runs that part
//! alone. Fails where the two answer differently; with `METRICS_STRICT=true` also where a bound is missed.

#![expect(clippy::print_stdout, reason = "it is here to print")]

mod asking;
mod dataset;
mod queries;
mod servers;
mod table;
mod writing;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::Failed;
use table::Table;
use tests::peers;

fn main() -> Result<(), String> {
    let parts: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let given = std::env::var_os("METRICS_PROMETHEUS").map(PathBuf::from);
    let Some(prometheus) = given.or_else(|| peers::packaged("prometheus")) else {
        println!(
            "skipped: there is no prometheus in PATH, and none could be installed (Debian: apt-get install prometheus)"
        );
        return if peers::is_ci() { Err("nothing to compare with".to_owned()) } else { Ok(()) };
    };
    println!("{}", version(&prometheus));
    println!("mirante: {}", tests::mirante::program().display());
    let mut table = Table::default();
    let mut measure = || -> Result<(), Failed> {
        if wanted("queries") {
            queries::measure(&prometheus, &mut table)?;
        }
        if wanted("write") {
            writing::rate(&prometheus, &mut table)?;
        }
        if wanted("memory") {
            writing::memory(&prometheus, &mut table)?;
        }
        Ok(())
    };
    let measured = measure();
    println!("\n{table}");
    measured.map_err(|failed| failed.message().unwrap_or("failed").to_owned())?;
    let is_strict = std::env::var("METRICS_STRICT").is_ok_and(|strict| strict == "true");
    if is_strict && table.missed() { Err("a bound was missed".to_owned()) } else { Ok(()) }
}

/// What the program says of itself, in a line.
fn version(prometheus: &Path) -> String {
    let output = Command::new(prometheus).arg("--version").output();
    let said = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    String::from_utf8_lossy(&said).lines().next().unwrap_or("an unknown prometheus").to_owned()
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
