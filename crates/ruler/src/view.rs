//! How groups and rules are, for those who ask.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Matcher;

use crate::alert::{Alert, AlertState};
use crate::group::Group;
use crate::rule::{Rule, Status};

/// A group as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// The file that it stands in.
    pub file: String,
    /// Its rules, in the order of the file.
    pub rules: Vec<RuleView>,
    /// How often it is evaluated.
    pub interval: Duration,
    /// Most series or alerts of a rule; 0 or less for no limit.
    pub limit: i64,
    /// How long the last evaluation took.
    pub took: Duration,
    /// When it began, nanoseconds since the Unix epoch.
    pub evaluated_at_ns: Option<i64>,
}

/// A rule as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleView {
    /// Name of the metric or alert.
    pub name: String,
    /// Its expression, as Prometheus prints it.
    pub query: String,
    /// Labels to add, templates as they are written.
    pub labels: BTreeMap<String, String>,
    /// How the last evaluation went.
    pub status: Status,
    /// What an alerting rule has besides.
    pub alerting: Option<AlertingView>,
}

/// An alerting rule as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertingView {
    /// The state of the alert that has come farthest.
    pub state: AlertState,
    /// How long a series has to be there until its alert fires.
    pub hold: Duration,
    /// How long an alert goes on firing after its series has gone.
    pub keep_firing_for: Duration,
    /// Texts for people, templates as they are written.
    pub annotations: BTreeMap<String, String>,
    /// Alerts that are pending or firing, by their labels.
    pub alerts: Vec<Alert>,
}

impl RuleView {
    pub(crate) fn of(rule: &Rule) -> Self {
        let definition = &rule.definition;
        let status = rule.status();
        let alerting = definition.alerting().map(|alerting| {
            let alerts = rule.alerts.lock();
            AlertingView {
                state: if status.evaluated_at_ns.is_some() { alerts.state() } else { AlertState::Unknown },
                hold: alerting.hold,
                keep_firing_for: alerting.keep_firing_for,
                annotations: alerting.annotations.clone(),
                alerts: alerts.active().cloned().collect(),
            }
        });
        Self {
            name: definition.name.clone(),
            query: definition.expr.to_string(),
            labels: definition.labels.clone(),
            status,
            alerting,
        }
    }

    /// Whether its labels, templates as they are written, satisfy all matchers of one of the sets; without any set all
    /// rules do.
    pub fn matches(&self, sets: &[Vec<Matcher>]) -> bool {
        let value = |matcher: &Matcher| self.labels.get(matcher.name()).map_or("", String::as_str);
        sets.is_empty() || sets.iter().any(|set| set.iter().all(|matcher| matcher.matches(value(matcher))))
    }
}

impl GroupView {
    pub(crate) fn of(group: &Group) -> Self {
        Self {
            name: group.name.clone(),
            file: group.file.clone(),
            rules: group.rules.iter().map(RuleView::of).collect(),
            interval: group.interval,
            limit: group.limit,
            took: group.took(),
            evaluated_at_ns: group.evaluated_at_ns(),
        }
    }
}
