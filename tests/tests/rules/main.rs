//! Rules and alerts of a running stack: with a real Alertmanager, and beside a real Prometheus.

mod alertmanager;
mod beside;
mod data;
mod own;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use tests::http;
use tests::peers::{pinned, tool, trial};

fn main() -> ExitCode {
    let trials = vec![
        Trial::test("our rules and those that Pyrra makes of our objectives are evaluated", own::rules),
        trial(
            "an alert goes from pending to firing, to Alertmanager, through kill -9, to resolved",
            &["alertmanager", "amtool"],
            tool,
            alertmanager::from_pending_to_resolved,
        ),
        trial(
            "rules make the same series and the same alerts as in Prometheus",
            &["prometheus"],
            pinned,
            beside::prometheus,
        ),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What an API answers to a `GET`, below `data`.
fn ask(url: &str, path: &str, parameters: &[(&str, &str)]) -> Result<Value, Failed> {
    let address = reqwest::Url::parse_with_params(&format!("{url}/api/v1/{path}"), parameters)?;
    // A question mark without anything behind it is no path of ours.
    let answer = http::get(address.as_str().trim_end_matches('?'))?;
    let mut body: Value = serde_json::from_str(&answer.body)
        .map_err(|error| format!("{path}: {} {error}: {}", answer.status, answer.body))?;
    Ok(body["data"].take())
}

/// Asks until there is something; `what` it is that does not come.
fn until<T>(
    what: &str,
    within: Duration,
    mut ask: impl FnMut() -> Result<Option<T>, Failed>,
) -> Result<T, Failed> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = ask()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(format!("{what}: not within {within:?}").into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
