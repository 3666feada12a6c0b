//! Health and figures, for people and as JSON.

use std::time::Duration;

use serde_json::{Map, Value, json};
use stack::{Part, ProcessFigures, receiver_names};

use super::Target;
use super::exposition::Sample;
use crate::output;
use crate::quantity::{show_bytes, show_count, show_duration};
use crate::table::Table;

/// All that is known of a stack.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) target: Target,
    pub(super) parts: Vec<PartHealth>,
    pub(super) samples: Vec<Sample>,
    /// From the system, where the process is on this machine and known.
    pub(super) process: Option<ProcessFigures>,
}

/// How a part is.
#[derive(Debug)]
pub(super) struct PartHealth {
    pub(super) part: Part,
    pub(super) url: String,
    /// How long its answer took, or why it is not well.
    pub(super) answer: Result<Duration, String>,
}

/// The signals, each with the word for its items.
const SIGNALS: [(&str, &str); 3] = [("traces", "spans"), ("logs", "log entries"), ("metrics", "samples")];

impl Report {
    /// Whether anything answers at all.
    pub(super) fn answers(&self) -> bool {
        self.parts.iter().any(|health| health.answer.is_ok())
    }

    /// Whether everything is well.
    pub(super) fn ok(&self) -> bool {
        self.parts.iter().all(|health| health.answer.is_ok())
    }

    pub(super) fn port_offset(&self) -> u16 {
        self.target.port_offset
    }

    pub(super) fn first_address(&self) -> String {
        Part::OtlpGrpc.local_url(self.target.bind, self.target.port_offset)
    }

    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            return output::print_json(&self.json());
        }
        output::print(&self.text());
        if !self.ok() {
            output::print_error(
                "hint: what a part says of itself is on the standard error of `mirante up`, and of the demo in DATA/demo/*.log\n",
            );
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = self.headline();
        let mut parts = Table::right_aligned(&[3]);
        for health in &self.parts {
            let (state, took) = match &health.answer {
                Ok(took) => ("ready".to_owned(), show_duration(*took)),
                Err(why) => (format!("not ready: {why}"), String::new()),
            };
            parts.row([health.part.to_string(), health.url.clone(), state, took]);
        }
        text += &format!("\n{parts}");
        if !self.samples.is_empty() {
            text += &format!("\n{}", self.figures());
        }
        text
    }

    fn headline(&self) -> String {
        let state = if self.ok() { "runs" } else { "runs, but not all of it" };
        let mut text = format!("Mirante {state}");
        if let Some(holder) = &self.target.holder {
            text += &format!(": process {}, version {}", holder.pid, holder.version);
        }
        if let Some(uptime) = self.uptime() {
            text += &format!(", up for {}", show_duration(uptime));
        }
        if let Some(resident) = self.resident_bytes() {
            text += &format!(", {} resident", show_bytes(resident));
        }
        text + "\n"
    }

    fn figures(&self) -> Table {
        let mut table = Table::right_aligned(&[1, 2, 3, 4, 5, 6]);
        let head = ["signal", "accepted", "left out", "requests refused", "in memory", "log", "blocks"];
        table.row(head.map(str::to_owned));
        for (signal, items) in SIGNALS {
            let figure = |name: &str| self.of_signal(name, signal);
            table.row([
                format!("{signal} ({items})"),
                show_count(self.accepted(signal)),
                show_count(self.dropped(signal)),
                show_count(self.refused(signal)),
                format!(
                    "{} ({})",
                    show_count(figure("mirante_head_items")),
                    show_bytes(figure("mirante_head_bytes"))
                ),
                show_bytes(figure("mirante_wal_bytes")),
                format!(
                    "{} ({})",
                    show_count(figure("mirante_blocks")),
                    show_bytes(figure("mirante_block_bytes"))
                ),
            ]);
        }
        table
    }

    fn json(&self) -> Value {
        let parts = self.parts.iter().map(|health| {
            let mut part =
                json!({"name": health.part.id(), "url": health.url, "ready": health.answer.is_ok()});
            match &health.answer {
                Ok(took) => part["answered_ms"] = json!(took.as_micros() as f64 / 1000.0),
                Err(why) => part["error"] = json!(why),
            }
            part
        });
        let signals: Map<String, Value> = SIGNALS
            .into_iter()
            .map(|(signal, _)| {
                let figure = |name: &str| self.of_signal(name, signal);
                let figures = json!({
                    "accepted": self.accepted(signal),
                    "dropped": self.dropped(signal),
                    "refused_requests": self.refused(signal),
                    "head_items": figure("mirante_head_items"),
                    "head_bytes": figure("mirante_head_bytes"),
                    "wal_segments": figure("mirante_wal_segments"),
                    "wal_bytes": figure("mirante_wal_bytes"),
                    "blocks": figure("mirante_blocks"),
                    "block_items": figure("mirante_block_items"),
                    "block_bytes": figure("mirante_block_bytes"),
                });
                (signal.to_owned(), figures)
            })
            .collect();
        json!({
            "ok": self.ok(),
            "process": self.target.holder,
            "port_offset": self.target.port_offset,
            "uptime_seconds": self.uptime().map(|uptime| uptime.as_secs()),
            "resident_bytes": self.resident_bytes(),
            "components": parts.collect::<Vec<_>>(),
            "signals": signals,
        })
    }

    fn uptime(&self) -> Option<Duration> {
        let started = self.figure("mirante_start_time_seconds")?;
        let now = model::Clock::now_ns(&model::SystemClock) as f64 / 1e9;
        Duration::try_from_secs_f64(now - started).ok()
    }

    fn resident_bytes(&self) -> Option<u64> {
        self.process
            .map(|process| process.resident_bytes)
            .or_else(|| self.figure("process_resident_memory_bytes").map(|bytes| bytes as u64))
    }

    fn figure(&self, name: &str) -> Option<f64> {
        self.samples.iter().find(|sample| sample.name == name).map(|sample| sample.value)
    }

    /// The sum over all series of a name with this `signal`.
    fn of_signal(&self, name: &str, signal: &str) -> u64 {
        let of = self.samples.iter().filter(|sample| sample.name == name && sample.label("signal") == signal);
        of.map(|sample| sample.value).sum::<f64>() as u64
    }

    /// Items that were kept.
    fn accepted(&self, signal: &str) -> u64 {
        self.of_signal(receiver_names::ACCEPTED_ITEMS, signal)
    }

    /// Items that were left out of requests of which others were kept.
    fn dropped(&self, signal: &str) -> u64 {
        self.of_signal(receiver_names::DROPPED_ITEMS, signal)
    }

    /// Requests of which nothing was kept.
    fn refused(&self, signal: &str) -> u64 {
        self.of_signal(receiver_names::REFUSED_REQUESTS, signal)
    }
}
