//! `mirante verify`: one request, found in every signal; and with the real components, all that belongs to them.
//!
//! It only speaks the components' own APIs, so it checks the embedded engine and the compose stack alike.

mod alert;
mod found;
mod grafana;
mod logs;
mod look;
mod metrics;
mod places;
mod profiles;
mod report;
mod request;
mod rules;
mod slo;
#[cfg(test)]
mod tests;
mod traces;

use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;

use crate::cli::{Target, Verify};
use crate::client::{block_on, client};
use look::Look;
use places::Places;
use report::{Check, Report};

/// Longest time for one answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The embedded engine finds what it accepted at once; what takes time is the services' exporting.
const PATIENCE_EMBEDDED: Duration = Duration::from_secs(30);
/// The real components export, scrape, flush, evaluate and notify, each every so many seconds, one after the other.
const PATIENCE_COMPOSE: Duration = Duration::from_mins(2);
/// A stack that starts may not answer yet; one that is not there never will.
const STARTING: Duration = Duration::from_secs(30);

pub(crate) fn run(verify: &Verify) -> anyhow::Result<ExitCode> {
    let wanted = Wanted { target: verify.target, alert: verify.alert };
    let timeout = verify.timeout.unwrap_or(match verify.target {
        Target::Embedded => PATIENCE_EMBEDDED,
        Target::Compose => PATIENCE_COMPOSE,
    });
    let report = block_on(follow(&Places::of(verify), wanted, timeout))?;
    report.print(verify.json)?;
    Ok(if report.ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "other programs are asked about their last minutes")]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
struct Wanted {
    target: Target,
    /// Whether an alert is raised.
    alert: bool,
}

/// Sends the request and looks everywhere at once until all is found or the time is up.
async fn follow(places: &Places, wanted: Wanted, timeout: Duration) -> anyhow::Result<Report> {
    let client = client(ANSWER_WITHIN.min(timeout))?;
    let deadline = Instant::now() + timeout;
    let patience = match wanted.target {
        Target::Embedded => Duration::ZERO,
        Target::Compose => STARTING.min(timeout),
    };
    let counted_before = metrics::count(&client, &places.prometheus).await;
    let sent = request::send(&client, &places.users, deadline, Instant::now() + patience).await?;
    let look = Look::new(&client, places, &sent, deadline);
    let checks = async {
        let ((tempo, jaeger, loki, prometheus), (exemplars, targets, rules), more) = tokio::join!(
            signals(&look, counted_before),
            of_itself(&look, wanted.target),
            compose(&look, wanted)
        );
        let mut checks = vec![tempo, jaeger, loki, prometheus, exemplars, targets, rules];
        checks.extend(more);
        checks
    };
    // Many looks at once are much to move about.
    let checks = look.while_showing_progress(Box::pin(checks)).await;
    Ok(Report { request: sent, checks })
}

/// The request in each signal.
async fn signals(look: &Look<'_>, counted_before: anyhow::Result<f64>) -> (Check, Check, Check, Check) {
    tokio::join!(
        traces::in_tempo(look),
        traces::in_jaeger(look),
        logs::in_loki(look),
        metrics::in_prometheus(look, counted_before)
    )
}

/// What Prometheus does by itself, which both targets have.
async fn of_itself(look: &Look<'_>, target: Target) -> (Check, Check, Check) {
    tokio::join!(metrics::exemplars(look), rules::targets(look, target), rules::rules(look, target))
}

/// What only the real components have. For another target each is named as no part of it.
async fn compose(look: &Look<'_>, wanted: Wanted) -> Vec<Check> {
    if wanted.target == Target::Embedded {
        let mut places = vec![
            slo::PYRRA,
            alert::ALERTMANAGER,
            alert::KARMA,
            alert::WEBHOOKS,
            profiles::PYROSCOPE,
            grafana::GRAFANA,
            grafana::DATA_SOURCES,
            grafana::DASHBOARDS,
        ];
        if wanted.alert {
            places.push(alert::ALERT);
        }
        return places.into_iter().map(Check::no_part).collect();
    }
    let raised = async { if wanted.alert { Some(alert::raised(look).await) } else { None } };
    let (pyrra, alertmanager, karma, webhooks, pyroscope, grafana, raised) = tokio::join!(
        slo::pyrra(look),
        alert::alertmanager(look),
        alert::karma(look),
        alert::webhooks(look),
        profiles::pyroscope(look),
        grafana::all(look),
        raised,
    );
    let mut checks = vec![pyrra, alertmanager, karma, webhooks, pyroscope];
    checks.extend(grafana);
    checks.extend(raised);
    checks
}
