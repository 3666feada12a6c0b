//! A rule at work: what it says, and how its last evaluation went.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::Labels;
use parking_lot::Mutex;
use promql::storage::PointValue;
use promrules::{Kind, Rule as Definition};

use crate::alerting::Alerts;
use crate::backend::{QueryError, Sample, millis, nanos};
use crate::environment::Environment;

/// How a rule's last evaluation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// There was none.
    Unknown,
    /// Well.
    Good,
    /// Badly; the last error says why.
    Bad,
}

impl Health {
    /// As the API names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Good => "ok",
            Self::Bad => "err",
        }
    }
}

/// The last evaluation of a rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// How it went.
    pub health: Health,
    /// What went wrong, in Prometheus' words.
    pub last_error: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// When it was, nanoseconds since the Unix epoch.
    pub evaluated_at_ns: Option<i64>,
}

/// Why a rule has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EvalError {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error("vector contains metrics with the same labelset after applying {0} labels")]
    SameLabels(&'static str),
    #[error("exceeded limit of {limit} with {found} {what}")]
    Limit { limit: i64, found: usize, what: &'static str },
}

/// One evaluation of one rule: with what, and when.
#[derive(Clone, Copy)]
pub(crate) struct Evaluation<'a> {
    pub(crate) environment: &'a Environment,
    /// When it is due, nanoseconds since the Unix epoch.
    pub(crate) time_ns: i64,
    /// How far in the past its data lies.
    pub(crate) query_offset: Duration,
    /// Most series or alerts; 0 or less for no limit.
    pub(crate) limit: i64,
    pub(crate) is_canceled: &'a (dyn Fn() -> bool + Sync),
}

impl Evaluation<'_> {
    /// Time of the data, and of the samples that are made of it, in milliseconds.
    pub(crate) fn data_time_ms(&self) -> i64 {
        millis(self.time_ns.saturating_sub(nanos(self.query_offset)))
    }

    pub(crate) fn query(&self, rule: &Definition) -> Result<Vec<(Labels, PointValue)>, QueryError> {
        self.environment.backend.query(&rule.expr, self.data_time_ms(), self.is_canceled)
    }

    pub(crate) fn check_limit(&self, found: usize, what: &'static str) -> Result<(), EvalError> {
        match usize::try_from(self.limit) {
            Ok(limit) if limit > 0 && found > limit => {
                Err(EvalError::Limit { limit: self.limit, found, what })
            }
            _ => Ok(()),
        }
    }
}

/// A rule that is evaluated again and again.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) definition: Definition,
    /// Alerts of an alerting rule; of a recording rule there are none.
    pub(crate) alerts: Mutex<Alerts>,
    /// Whether what was pending before the start is known, so that samples about alerts may be written over it.
    restored: AtomicBool,
    status: Mutex<Status>,
}

impl Rule {
    pub(crate) fn new(definition: Definition, restored: bool) -> Self {
        let status =
            Status { health: Health::Unknown, last_error: None, took: Duration::ZERO, evaluated_at_ns: None };
        Self {
            definition,
            alerts: Mutex::default(),
            restored: AtomicBool::new(restored),
            status: Mutex::new(status),
        }
    }

    pub(crate) fn is_restored(&self) -> bool {
        self.restored.load(Ordering::Relaxed)
    }

    pub(crate) fn set_restored(&self) {
        self.restored.store(true, Ordering::Relaxed);
    }

    pub(crate) fn status(&self) -> Status {
        self.status.lock().clone()
    }

    /// Notes how the evaluation went.
    pub(crate) fn set_outcome(&self, error: Option<String>) {
        let mut status = self.status.lock();
        status.health = if error.is_none() { Health::Good } else { Health::Bad };
        status.last_error = error;
    }

    /// Notes when the evaluation began and how long it took.
    pub(crate) fn set_time(&self, evaluated_at_ns: i64, took: Duration) {
        let mut status = self.status.lock();
        status.evaluated_at_ns = Some(evaluated_at_ns);
        status.took = took;
    }

    /// The samples that the rule makes at a time.
    pub(crate) fn evaluate(&self, evaluation: Evaluation<'_>) -> Result<Vec<Sample>, EvalError> {
        match &self.definition.kind {
            Kind::Recording => record(&self.definition, evaluation),
            Kind::Alerting(alerting) => {
                let found = evaluation.query(&self.definition)?;
                let alerts = Alerts::of(&self.definition, alerting, found, evaluation)?;
                self.alerts.lock().advance(
                    &self.definition,
                    alerting,
                    &alerts,
                    evaluation,
                    self.is_restored(),
                )
            }
        }
    }
}

/// The result of a recording rule under its name and with its labels.
fn record(rule: &Definition, evaluation: Evaluation<'_>) -> Result<Vec<Sample>, EvalError> {
    let found = evaluation.query(rule)?;
    let time_ms = evaluation.data_time_ms();
    let name = [(model::labels::METRIC_NAME, rule.name.as_str())];
    let samples: Vec<Sample> = found
        .into_iter()
        .map(|(labels, value)| {
            let added = name.into_iter().chain(pairs(&rule.labels));
            Sample { labels: with_labels(labels, added), time_ms, value }
        })
        .collect();
    let mut seen = std::collections::HashSet::with_capacity(samples.len());
    if samples.iter().any(|sample| !seen.insert(&sample.labels)) {
        return Err(EvalError::SameLabels("rule"));
    }
    evaluation.check_limit(samples.len(), "series")?;
    Ok(samples)
}

/// Names with values, borrowed.
pub(crate) fn pairs(
    labels: &std::collections::BTreeMap<String, String>,
) -> impl Iterator<Item = (&str, &str)> {
    labels.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Labels with others put over them; an empty value takes a label away.
pub(crate) fn with_labels<'a>(base: Labels, added: impl Iterator<Item = (&'a str, &'a str)>) -> Labels {
    let mut all = base.into_pairs();
    all.extend(added.map(|(name, value)| (name.to_owned(), value.to_owned())));
    Labels::new(all)
}
