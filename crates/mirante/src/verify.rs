//! `mirante verify`: one request, found in every signal.
//!
//! It only speaks the components' own APIs, so it checks the embedded engine and the compose stack alike.

mod found;
mod logs;
mod metrics;
mod report;
mod request;
mod traces;

use std::process::ExitCode;
use std::time::Duration;

use reqwest::Client;
use stack::Part;
use tokio::time::Instant;

use crate::cli::Verify;
use crate::client::{block_on, client};
use report::{Check, Report};
use request::Sent;

/// First pause between two looks at one place; doubled each time, up to the longest.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const LOOK_AGAIN_SLOWLY: Duration = Duration::from_millis(250);
/// Longest time for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Where everything is.
#[derive(Debug)]
struct Places {
    users: String,
    tempo: String,
    jaeger: String,
    loki: String,
    prometheus: String,
}

impl Places {
    fn of(verify: &Verify) -> Self {
        let offset = verify.ports.port_offset;
        let place = |given: &Option<crate::address::BaseUrl>, part: Part| {
            given.as_ref().map_or_else(|| part.local_url([127, 0, 0, 1].into(), offset), ToString::to_string)
        };
        Self {
            users: place(&verify.users, Part::Users),
            tempo: place(&verify.tempo, Part::Tempo),
            jaeger: place(&verify.jaeger, Part::Jaeger),
            loki: place(&verify.loki, Part::Loki),
            prometheus: place(&verify.prometheus, Part::Prometheus),
        }
    }
}

pub(crate) fn run(verify: &Verify) -> anyhow::Result<ExitCode> {
    let report = block_on(follow(&Places::of(verify), verify.timeout))?;
    report.print(verify.json)?;
    Ok(if report.ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Sends the request and looks everywhere at once until all is found or the time is up.
async fn follow(places: &Places, timeout: Duration) -> anyhow::Result<Report> {
    let client = client(ANSWER_WITHIN.min(timeout))?;
    let deadline = Instant::now() + timeout;
    let counted_before = metrics::count(&client, &places.prometheus).await;
    let sent = request::send(&client, &places.users, deadline).await?;
    let look = Look { client: &client, places, sent: &sent, deadline };
    let (tempo, jaeger, loki, prometheus) =
        tokio::join!(look.tempo(), look.jaeger(), look.loki(), look.prometheus(counted_before));
    Ok(Report { request: sent, checks: vec![tempo, jaeger, loki, prometheus] })
}

/// Looking for one request.
struct Look<'a> {
    client: &'a Client,
    places: &'a Places,
    sent: &'a Sent,
    deadline: Instant,
}

impl Look<'_> {
    async fn tempo(&self) -> Check {
        let url = format!("{}/api/v2/traces/{}", self.places.tempo, self.sent.trace_id);
        let found = self.until_found(async || {
            traces::complete(&found::in_tempo(self.client, &url).await?, self.sent.parent_id)
        });
        let hint = "is OTLP sent to this stack? Its receivers count on /metrics what they accept";
        Check::new("tempo", found.await, hint)
    }

    async fn jaeger(&self) -> Check {
        let url = format!("{}/api/traces/{}", self.places.jaeger, self.sent.trace_id);
        let found = self.until_found(async || {
            traces::complete(&found::in_jaeger(self.client, &url).await?, self.sent.parent_id)
        });
        Check::new(
            "jaeger",
            found.await,
            "does Jaeger look into the same storage as Tempo, or get the same spans?",
        )
    }

    async fn loki(&self) -> Check {
        let found = self.until_found(async || logs::lines(self.client, &self.places.loki, self.sent).await);
        Check::new(
            "loki",
            found.await,
            "are logs exported (OTEL_LOGS_EXPORTER), and do they carry the trace id?",
        )
    }

    async fn prometheus(&self, before: Result<f64, anyhow::Error>) -> Check {
        // Not to be counted before is not to have been asked before; what else was wrong is wrong now as well.
        let before = before.unwrap_or(0.0);
        let found = self.until_found(async || {
            metrics::more_than(before, metrics::count(self.client, &self.places.prometheus).await?)
        });
        let hint =
            "are metrics exported (OTEL_METRICS_EXPORTER), and how often (OTEL_METRIC_EXPORT_INTERVAL)?";
        Check::new("prometheus", found.await, hint)
    }

    /// Looks again and again. Gives what was found and how long after the answer, or what was missing at last.
    async fn until_found(
        &self,
        look: impl AsyncFn() -> anyhow::Result<String>,
    ) -> Result<(String, Duration), String> {
        let mut pause = LOOK_AGAIN;
        loop {
            let missing = match tokio::time::timeout_at(self.deadline, look()).await {
                Ok(Ok(found)) => return Ok((found, self.sent.answered.elapsed())),
                Ok(Err(missing)) => missing.to_string(),
                Err(_late) => "no answer in time".to_owned(),
            };
            if Instant::now() + pause >= self.deadline {
                return Err(missing);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_AGAIN_SLOWLY);
        }
    }
}
