//! What was found and what was not.

use std::time::Duration;

use serde_json::json;

use super::request::Sent;
use crate::output;
use crate::quantity::show_duration;
use crate::table::Table;

/// All that was found.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) request: Sent,
    pub(super) checks: Vec<Check>,
}

/// One place where the request was looked for.
#[derive(Debug)]
pub(super) struct Check {
    /// Where.
    place: &'static str,
    /// What was found and how long after the answer, or what was missing.
    outcome: Result<(String, Duration), String>,
    /// What to look at if it is missing.
    hint: &'static str,
}

impl Check {
    pub(super) fn new(
        place: &'static str,
        outcome: Result<(String, Duration), String>,
        hint: &'static str,
    ) -> Self {
        Self { place, outcome, hint }
    }
}

impl Report {
    /// Whether everything was found.
    pub(super) fn ok(&self) -> bool {
        self.checks.iter().all(|check| check.outcome.is_ok())
    }

    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            return output::print_json(&self.json());
        }
        output::print(&self.text());
        if let Some(hints) = self.hints() {
            output::print_error(&hints);
        }
        Ok(())
    }

    fn text(&self) -> String {
        let sent = &self.request;
        let again = match sent.attempts {
            1 => String::new(),
            attempts => format!(" at attempt {attempts}"),
        };
        let took = show_duration(sent.took);
        let mut table = Table::right_aligned(&[2]);
        for check in &self.checks {
            let (sign, said, after) = match &check.outcome {
                Ok((said, after)) => ("✓", said, show_duration(*after)),
                Err(missing) => ("✗", missing, "missing".to_owned()),
            };
            table.row([sign.to_owned(), check.place.to_owned(), after, said.clone()]);
        }
        format!("GET {}: answered in {took}{again}, trace {}\n{table}", sent.url, sent.trace_id)
    }

    fn hints(&self) -> Option<String> {
        let missing = self.checks.iter().filter(|check| check.outcome.is_err());
        let hints: Vec<_> = missing.map(|check| format!("hint: {}: {}\n", check.place, check.hint)).collect();
        (!hints.is_empty()).then(|| hints.concat())
    }

    fn json(&self) -> serde_json::Value {
        let sent = &self.request;
        let checks = self.checks.iter().map(|check| match &check.outcome {
            Ok((said, after)) => {
                json!({"name": check.place, "ok": true, "found_ms": milliseconds(*after), "detail": said})
            }
            Err(missing) => json!({"name": check.place, "ok": false, "detail": missing, "hint": check.hint}),
        });
        json!({
            "ok": self.ok(),
            "trace_id": sent.trace_id,
            "request": {"url": sent.url, "attempts": sent.attempts, "answered_ms": milliseconds(sent.took)},
            "checks": checks.collect::<Vec<_>>(),
        })
    }
}

/// To a thousandth, which is all that it is worth.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use model::{SpanId, TraceId};
    use tokio::time::Instant;

    use super::*;

    fn report() -> Report {
        let request = Sent {
            url: "http://127.0.0.1:8001/users/1/albums".to_owned(),
            trace_id: TraceId([0xab; 16]),
            parent_id: SpanId([1; 8]),
            attempts: 2,
            took: Duration::from_millis(12),
            answered: Instant::now(),
        };
        let found = Ok(("7 spans".to_owned(), Duration::from_micros(31_500)));
        let checks = vec![
            Check::new("tempo", found, "x"),
            Check::new("loki", Err("no line".to_owned()), "are logs exported?"),
        ];
        Report { request, checks }
    }

    #[test]
    fn a_row_for_each_place() {
        let expected = "GET http://127.0.0.1:8001/users/1/albums: answered in 12 ms at attempt 2, \
            trace abababababababababababababababab\n  \
            ✓  tempo    32 ms  7 spans\n  \
            ✗  loki   missing  no line\n";
        assert_eq!(report().text(), expected);
        assert_eq!(report().hints().as_deref(), Some("hint: loki: are logs exported?\n"));
        assert!(!report().ok());
    }

    #[test]
    fn json_says_the_same() {
        let json = report().json();
        assert_eq!(json["ok"], false);
        assert_eq!(json["trace_id"], "abababababababababababababababab");
        assert_eq!(json["checks"][0]["found_ms"], 31.5);
        assert_eq!(json["checks"][1]["hint"], "are logs exported?");
        assert_eq!(json["request"]["attempts"], 2);
    }
}
