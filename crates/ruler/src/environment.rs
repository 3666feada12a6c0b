//! What every group works with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, Labels};
use promql::storage::PointValue;

use crate::backend::Backend;
use crate::metrics::Metrics;
use crate::notify::{Notify, Outgoing};

/// How rules are evaluated. The defaults are those of Prometheus' flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// How long an alert is not handed over again (`--rules.alert.resend-delay`).
    pub resend_delay: Duration,
    /// How old what was pending may be to be restored after a start (`--rules.alert.for-outage-tolerance`).
    pub outage_tolerance: Duration,
    /// How long a restored alert stays pending at least; alerts that hold less are not restored
    /// (`--rules.alert.for-grace-period`).
    pub for_grace_period: Duration,
    /// Most groups that are evaluated at the same time.
    pub concurrency: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            resend_delay: Duration::from_mins(1),
            outage_tolerance: Duration::from_hours(1),
            for_grace_period: Duration::from_mins(10),
            concurrency: 4,
        }
    }
}

/// What every group works with. Groups keep theirs until the rules are loaded again.
pub(crate) struct Environment {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) notify: Arc<dyn Notify>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) metrics: Metrics,
    pub(crate) config: Config,
    /// How far in the past groups look that do not say it themselves.
    pub(crate) query_offset: Duration,
    pub(crate) external_labels: Labels,
    /// Where Prometheus is found from outside, without a slash at the end.
    pub(crate) external_url: String,
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Environment {
    /// A query that stands in a template.
    pub(crate) fn query_text(
        &self,
        text: &str,
        time_ms: i64,
        is_canceled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<(Labels, PointValue)>, String> {
        let expr = promql::parse(text).map_err(|error| error.to_string())?;
        self.backend.query(&expr, time_ms, is_canceled).map_err(|error| error.to_string())
    }

    /// Hands alerts over.
    pub(crate) fn send(&self, expr: &str, alerts: Vec<crate::Alert>) {
        if alerts.is_empty() {
            return;
        }
        let link = crate::notify::table_link(expr);
        let outgoing = alerts.into_iter().map(|alert| Outgoing {
            starts_at_ns: alert.fired_at_ns,
            ends_at_ns: alert.resolved_at_ns.or(alert.valid_until_ns),
            generator_url: format!("{}{link}", self.external_url),
            labels: alert.labels,
            annotations: alert.annotations,
        });
        self.notify.send(outgoing.collect());
    }

    pub(crate) fn now_ns(&self) -> i64 {
        i64::try_from(self.clock.now_ns()).unwrap_or(i64::MAX)
    }
}
