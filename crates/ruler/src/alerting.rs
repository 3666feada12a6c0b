//! Alerts of a rule, from one evaluation to the next: pending, firing, resolved.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Labels;
use model::labels::METRIC_NAME;
use promql::storage::PointValue;
use promrules::template::{self, AlertData};
use promrules::{Alerting, Rule as Definition};

use crate::alert::{Alert, AlertState};
use crate::backend::{Sample, millis, nanos};
use crate::rule::{EvalError, Evaluation, pairs, with_labels};

/// The label with an alert's name.
pub(crate) const ALERT_NAME: &str = "alertname";
/// The series that say which alerts there are.
const ALERTS: &str = "ALERTS";
/// The series that say since when alerts have been pending; what is restored after a start.
pub(crate) const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";
/// The label with an alert's state.
const ALERT_STATE: &str = "alertstate";
/// How long an alert that has resolved is kept, and told again: Alertmanager may miss it once.
const RESOLVED_RETENTION: Duration = Duration::from_mins(15);

/// The alerts of a rule that are pending or firing, or fired a short while ago.
#[derive(Debug, Default, Clone)]
pub(crate) struct Alerts(BTreeMap<Labels, Alert>);

impl Alerts {
    /// An alert for each series of a result.
    pub(crate) fn of(
        rule: &Definition,
        alerting: &Alerting,
        found: Vec<(Labels, PointValue)>,
        evaluation: Evaluation<'_>,
    ) -> Result<Self, EvalError> {
        let environment = evaluation.environment;
        let query =
            |text: &str| environment.query_text(text, millis(evaluation.time_ns), evaluation.is_canceled);
        let mut alerts = BTreeMap::new();
        for (labels, value) in found {
            let data = AlertData {
                labels: &labels,
                value: &value,
                external_labels: &environment.external_labels,
                external_url: &environment.external_url,
                time_ms: millis(evaluation.time_ns),
                query: &query,
            };
            let expand = |text: &String| {
                template::expand(&rule.name, text, &data).unwrap_or_else(|error| {
                    tracing::warn!(alert = rule.name, %error, "expanding alert template failed");
                    format!("<error expanding template: {error}>")
                })
            };
            let added: Vec<_> =
                rule.labels.iter().map(|(name, text)| (name.as_str(), expand(text))).collect();
            let annotations =
                alerting.annotations.iter().map(|(name, text)| (name.clone(), expand(text))).collect();
            let added = added.iter().map(|(name, value)| (*name, value.as_str()));
            let added =
                [(METRIC_NAME, "")].into_iter().chain(added).chain([(ALERT_NAME, rule.name.as_str())]);
            let alert = Alert {
                state: AlertState::Pending,
                labels: with_labels(labels.clone(), added),
                annotations,
                value: if let PointValue::Float(value) = value { value } else { 0.0 },
                active_at_ns: evaluation.time_ns,
                fired_at_ns: None,
                resolved_at_ns: None,
                last_sent_ns: None,
                valid_until_ns: None,
                keep_firing_since_ns: None,
            };
            if alerts.insert(alert.labels.clone(), alert).is_some() {
                return Err(EvalError::SameLabels("alert"));
            }
        }
        Ok(Self(alerts))
    }

    /// Takes in what an evaluation found, and gives the samples that tell of it; none before what was pending before
    /// the start is known.
    pub(crate) fn advance(
        &mut self,
        rule: &Definition,
        alerting: &Alerting,
        found: &Self,
        evaluation: Evaluation<'_>,
        is_restored: bool,
    ) -> Result<Vec<Sample>, EvalError> {
        let time_ns = evaluation.time_ns;
        for (labels, alert) in &found.0 {
            match self.0.get_mut(labels) {
                Some(known) if known.state != AlertState::Inactive => {
                    known.value = alert.value;
                    known.annotations.clone_from(&alert.annotations);
                }
                _ => {
                    self.0.insert(labels.clone(), alert.clone());
                }
            }
        }
        let mut active = 0;
        let mut samples = Vec::new();
        self.0.retain(|labels, alert| {
            if found.0.contains_key(labels) {
                alert.keep_firing_since_ns = None;
            } else {
                let is_kept = keep_firing(alert, alerting.keep_firing_for, time_ns);
                if !is_kept {
                    return end(alert, time_ns);
                }
            }
            active += 1;
            let held_ns = time_ns.saturating_sub(alert.active_at_ns);
            let has_held = held_ns >= nanos(alerting.hold);
            match alert.state {
                AlertState::Pending if has_held => {
                    alert.state = AlertState::Firing;
                    alert.fired_at_ns = Some(time_ns);
                }
                // The rule was changed to hold longer.
                AlertState::Firing if !has_held => {
                    alert.state = AlertState::Pending;
                    alert.fired_at_ns = None;
                    alert.last_sent_ns = None;
                    alert.keep_firing_since_ns = None;
                }
                _ => {}
            }
            if is_restored {
                samples.extend(tell(rule, alert, evaluation.data_time_ms()));
            }
            true
        });
        if let Err(error) = evaluation.check_limit(active, "alerts") {
            self.0.clear();
            return Err(error);
        }
        Ok(samples)
    }

    /// Those that have to be handed over at a time; they are marked as sent. Each is true for four times the longer of
    /// interval and delay: two evaluations or two requests may fail.
    pub(crate) fn take_due(
        &mut self,
        time_ns: i64,
        resend_delay: Duration,
        interval: Duration,
    ) -> Vec<Alert> {
        let valid_for_ns = nanos(resend_delay.max(interval)).saturating_mul(4);
        let due = self.0.values_mut().filter(|alert| alert.needs_sending(time_ns, resend_delay));
        due.map(|alert| {
            alert.last_sent_ns = Some(time_ns);
            alert.valid_until_ns = Some(time_ns.saturating_add(valid_for_ns));
            alert.clone()
        })
        .collect()
    }

    /// Those whose condition holds, or that go on firing.
    pub(crate) fn active(&self) -> impl Iterator<Item = &Alert> {
        self.0.values().filter(|alert| alert.resolved_at_ns.is_none())
    }

    /// The state of the one that has come farthest.
    pub(crate) fn state(&self) -> AlertState {
        self.0.values().map(|alert| alert.state).max().unwrap_or(AlertState::Inactive)
    }

    /// All of them, to restore since when they have been pending.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Alert> {
        self.0.values_mut()
    }

    /// Takes over what another has.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(labels, alert)| (labels.clone(), alert.clone())));
    }
}

/// Whether an alert whose series has gone goes on firing.
fn keep_firing(alert: &mut Alert, keep_firing_for: Duration, time_ns: i64) -> bool {
    if alert.state != AlertState::Firing || keep_firing_for.is_zero() {
        return false;
    }
    let since_ns = *alert.keep_firing_since_ns.get_or_insert(time_ns);
    time_ns.saturating_sub(since_ns) < nanos(keep_firing_for)
}

/// Ends an alert whose series has gone; whether it is still kept.
fn end(alert: &mut Alert, time_ns: i64) -> bool {
    let is_old = alert
        .resolved_at_ns
        .is_some_and(|resolved_ns| time_ns.saturating_sub(resolved_ns) > nanos(RESOLVED_RETENTION));
    let is_kept = alert.state != AlertState::Pending && !is_old;
    if alert.state != AlertState::Inactive {
        alert.state = AlertState::Inactive;
        alert.resolved_at_ns = Some(time_ns);
    }
    is_kept
}

/// The two samples about an alert: that it is there, and since when.
fn tell(rule: &Definition, alert: &Alert, time_ms: i64) -> [Sample; 2] {
    let sample = |name, state, value| {
        let own = pairs(&rule.labels).chain(alert.labels.iter());
        let added = own.chain([(METRIC_NAME, name), (ALERT_NAME, rule.name.as_str())]).chain(state);
        Sample { labels: with_labels(Labels::default(), added), time_ms, value: PointValue::Float(value) }
    };
    [
        sample(ALERTS, Some((ALERT_STATE, alert.state.as_str())), 1.0),
        sample(ALERTS_FOR_STATE, None, alert.active_at_ns.div_euclid(1_000_000_000) as f64),
    ]
}
