//! Groups over a backend whose answers are set by hand.

mod alerts;
mod groups;
mod lifecycle;
mod notifier;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use model::{Labels, ManualClock, Matcher};
use parking_lot::Mutex;
use promql::Expr;
use promql::storage::{MsRange, PointValue};
use promrules::Options;

use crate::backend::{Backend, Newest, QueryError, Sample};
use crate::environment::{Config, Environment};
use crate::group::Group;
use crate::metrics::Metrics;
use crate::notify::{Notify, Outgoing};

pub(crate) const SECOND: i64 = 1_000_000_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;

pub(crate) type Answer = Result<Vec<(Labels, f64)>, String>;

/// Answers as it is told, and keeps what is written and sent.
#[derive(Default)]
pub(crate) struct Hand {
    pub(crate) answers: Mutex<HashMap<String, Answer>>,
    pub(crate) asked_ms: Mutex<Vec<i64>>,
    pub(crate) written: Mutex<Vec<Sample>>,
    pub(crate) refuse: Mutex<Option<(String, String)>>,
    pub(crate) broken: Mutex<Option<String>>,
    pub(crate) newest: Mutex<Vec<(Labels, Newest)>>,
    pub(crate) sent: Mutex<Vec<Outgoing>>,
}

impl Hand {
    pub(crate) fn answer(&self, expr: &str, series: &[(&[(&str, &str)], f64)]) {
        let series = series.iter().map(|(labels, value)| (labels.iter().copied().collect(), *value));
        self.answers.lock().insert(expr.to_owned(), Ok(series.collect()));
    }

    /// What was written since it was asked last: series, time in seconds, value, `end` for the end of a series.
    pub(crate) fn written(&self) -> Vec<String> {
        let samples = std::mem::take(&mut *self.written.lock());
        let line = |sample: &Sample| {
            let value = match &sample.value {
                value if value.is_stale() => "end".to_owned(),
                PointValue::Float(value) => value.to_string(),
                PointValue::Histogram(_) => "histogram".to_owned(),
            };
            format!("{} @{} {value}", sample.labels, sample.time_ms as f64 / 1000.0)
        };
        let mut lines: Vec<String> = samples.iter().map(line).collect();
        lines.sort();
        lines
    }

    pub(crate) fn sent(&self) -> Vec<Outgoing> {
        std::mem::take(&mut *self.sent.lock())
    }
}

impl Backend for Hand {
    fn query(
        &self,
        expr: &Expr,
        time_ms: i64,
        _is_canceled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<(Labels, PointValue)>, QueryError> {
        self.asked_ms.lock().push(time_ms);
        match self.answers.lock().get(&expr.to_string()).cloned().unwrap_or(Ok(Vec::new())) {
            Ok(series) => {
                Ok(series.into_iter().map(|(labels, value)| (labels, PointValue::Float(value))).collect())
            }
            Err(error) => Err(QueryError::Failed(error)),
        }
    }

    fn append(&self, samples: Vec<Sample>) -> Result<Vec<(usize, String)>, String> {
        if let Some(error) = self.broken.lock().clone() {
            return Err(error);
        }
        let mut refused = Vec::new();
        for (position, sample) in samples.into_iter().enumerate() {
            match &*self.refuse.lock() {
                Some((name, words)) if sample.labels.get("__name__") == name => {
                    refused.push((position, words.clone()));
                }
                _ => self.written.lock().push(sample),
            }
        }
        Ok(refused)
    }

    fn newest(&self, matchers: &[Matcher], _range: MsRange) -> Result<Vec<(Labels, Newest)>, String> {
        let all = self.newest.lock().clone();
        Ok(all
            .into_iter()
            .filter(|(labels, _)| matchers.iter().all(|it| it.matches_labels(labels)))
            .collect())
    }
}

/// Alerts go where the rest goes.
pub(crate) struct To(pub(crate) Arc<Hand>);

impl Notify for To {
    fn send(&self, alerts: Vec<Outgoing>) {
        self.0.sent.lock().extend(alerts);
    }
}

/// A backend with the environment around it.
pub(crate) fn stage() -> (Arc<Hand>, Environment) {
    let hand = Arc::new(Hand::default());
    let environment = Environment {
        backend: Arc::<Hand>::clone(&hand),
        notify: Arc::new(To(Arc::clone(&hand))),
        clock: Arc::new(ManualClock::at_ns(0)),
        metrics: Metrics::register(&prometheus::Registry::new()).unwrap(),
        config: Config::default(),
        query_offset: Duration::ZERO,
        external_labels: [("region", "north")].into_iter().collect(),
        external_url: "http://prometheus.example:9090".to_owned(),
    };
    (hand, environment)
}

/// The one group of a file, without anything to restore.
pub(crate) fn group(rules: &str) -> Group {
    group_of(&format!("groups:\n- name: g\n  rules:\n{rules}"), true)
}

pub(crate) fn group_of(text: &str, restored: bool) -> Group {
    let mut file = promrules::parse(text, Options::default()).unwrap().file;
    Group::new("rules.yml", file.groups.remove(0), Duration::from_secs(60), restored)
}

pub(crate) fn evaluate(group: &Group, environment: &Environment, time_ns: i64) {
    group.iterate(environment, time_ns, &|| false);
}
