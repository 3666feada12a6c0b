//! Rules that have been checked.

use std::collections::BTreeMap;
use std::time::Duration;

use promql::Expr;

/// The groups of a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleFile {
    /// In the order of the file.
    pub groups: Vec<Group>,
}

impl RuleFile {
    /// How many rules there are.
    pub fn rule_count(&self) -> usize {
        self.groups.iter().map(|group| group.rules.len()).sum()
    }
}

/// Rules that are evaluated together, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name, once in a file.
    pub name: String,
    /// How often; zero if the file leaves it to the configuration.
    pub interval: Duration,
    /// How far in the past; `None` if the file leaves it to the configuration.
    pub query_offset: Option<Duration>,
    /// Most series of a recording rule and most alerts of an alerting rule; 0 or less for no limit.
    pub limit: i64,
    /// In the order of the file, which is that of their evaluation.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Name of the metric that is recorded, or of the alert.
    pub name: String,
    /// What is evaluated.
    pub expr: Expr,
    /// Labels to add, those of the group among them; a label with an empty value is taken away.
    pub labels: BTreeMap<String, String>,
    /// What becomes of the result.
    pub kind: Kind,
}

/// What becomes of a rule's result.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// It is kept as a metric.
    Recording,
    /// Each of its series is an alert.
    Alerting(Alerting),
}

/// What an alerting rule says besides.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Alerting {
    /// How long a series has to be there until its alert fires.
    pub hold: Duration,
    /// How long an alert goes on firing after its series has gone.
    pub keep_firing_for: Duration,
    /// Texts for people, with templates.
    pub annotations: BTreeMap<String, String>,
}

impl Rule {
    /// What it says as an alert; `None` of a recording rule.
    pub fn alerting(&self) -> Option<&Alerting> {
        match &self.kind {
            Kind::Recording => None,
            Kind::Alerting(alerting) => Some(alerting),
        }
    }
}
