//! What was found and what was not.

use std::time::Duration;

use serde_json::json;

use super::look::Outcome;
use super::request::Sent;
use crate::output;
use crate::quantity::show_duration;
use crate::table::Table;

const NO_PART: &str = "not part of this target";

/// All that was found.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) request: Sent,
    pub(super) checks: Vec<Check>,
}

/// A place where something is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) name: &'static str,
    /// For what.
    pub(super) asked: &'static str,
    /// What to look at if it is missing.
    pub(super) hint: &'static str,
}

/// What came of looking there.
#[derive(Debug)]
pub(super) struct Check {
    place: Place,
    /// `None` where the target has no such place.
    outcome: Option<Outcome>,
}

impl Check {
    pub(super) fn new(place: Place, outcome: Outcome) -> Self {
        Self { place, outcome: Some(outcome) }
    }

    /// The target has no such place, which is no failure.
    pub(super) fn no_part(place: Place) -> Self {
        Self { place, outcome: None }
    }

    fn is_missing(&self) -> bool {
        matches!(self.outcome, Some(Err(_)))
    }
}

impl Report {
    /// Whether everything was found.
    pub(super) fn ok(&self) -> bool {
        !self.checks.iter().any(Check::is_missing)
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
        let mut table = Table::right_aligned(&[3]);
        for check in &self.checks {
            let Place { name, asked, .. } = check.place;
            let (sign, after, said) = match &check.outcome {
                Some(Ok((said, after))) => ("✓", show_duration(*after), said.as_str()),
                Some(Err(missing)) => ("✗", "missing".to_owned(), missing.as_str()),
                None => ("·", "-".to_owned(), NO_PART),
            };
            table.row([sign.to_owned(), name.to_owned(), asked.to_owned(), after, said.to_owned()]);
        }
        format!("GET {}: answered in {took}{again}, trace {}\n{table}", sent.url, sent.trace_id)
    }

    fn hints(&self) -> Option<String> {
        let missing = self.checks.iter().filter(|check| check.is_missing());
        let hints: Vec<_> =
            missing.map(|check| format!("hint: {}: {}\n", check.place.name, check.place.hint)).collect();
        (!hints.is_empty()).then(|| hints.concat())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        let sent = &self.request;
        let checks = self.checks.iter().map(|check| {
            let Place { name, asked, hint } = check.place;
            match &check.outcome {
                Some(Ok((said, after))) => {
                    json!({"name": name, "asked": asked, "ok": true, "found_ms": milliseconds(*after), "detail": said})
                }
                Some(Err(missing)) => {
                    json!({"name": name, "asked": asked, "ok": false, "detail": missing, "hint": hint})
                }
                // Neither well nor ill.
                None => json!({"name": name, "asked": asked, "ok": null, "detail": NO_PART}),
            }
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
        let place = |name, asked, hint| Place { name, asked, hint };
        let checks = vec![
            Check::new(place("tempo", "trace by id", "x"), found),
            Check::new(place("loki", "lines", "are logs exported?"), Err("no line".to_owned())),
            Check::no_part(place("karma", "health", "x")),
        ];
        Report { request, checks }
    }

    #[test]
    fn a_row_for_each_place() {
        let expected = "GET http://127.0.0.1:8001/users/1/albums: answered in 12 ms at attempt 2, \
            trace abababababababababababababababab\n  \
            ✓  tempo  trace by id    32 ms  7 spans\n  \
            ✗  loki   lines        missing  no line\n  \
            ·  karma  health             -  not part of this target\n";
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
        assert_eq!(
            json["checks"][2],
            json!({"name": "karma", "asked": "health", "ok": null, "detail": NO_PART})
        );
        assert_eq!(json["request"]["attempts"], 2);
    }
}
