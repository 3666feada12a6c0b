//! A rule file as it is written: every text with its place, nothing checked.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Place;

/// A text and where it stands; empty and at 0:0 if it is not there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Text {
    pub(crate) value: String,
    pub(crate) place: Place,
}

#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) interval: Duration,
    pub(crate) query_offset: Option<Duration>,
    pub(crate) limit: i64,
    pub(crate) rules: Vec<Rule>,
    pub(crate) labels: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
pub(crate) struct Rule {
    pub(crate) record: Text,
    pub(crate) alert: Text,
    pub(crate) expr: Text,
    pub(crate) hold: Duration,
    pub(crate) keep_firing_for: Duration,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Rule {
    pub(crate) fn name(&self) -> &str {
        if self.alert.value.is_empty() { &self.record.value } else { &self.alert.value }
    }
}
