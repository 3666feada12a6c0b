//! What Prometheus demands of groups and rules.

use std::collections::{BTreeMap, BTreeSet};

use promql::Expr;

use crate::written::{self, Text};
use crate::{Alerting, Error, Group, Kind, Place, Rule, RuleFile, template};

/// Which names metrics and labels may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameScheme {
    /// Any text that is not empty.
    #[default]
    Utf8,
    /// Letters, digits and `_`, for metrics `:` as well, no digit first.
    Legacy,
}

impl NameScheme {
    fn allows_label(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => is_plain(name, |byte| byte == b'_'),
        }
    }

    fn allows_metric(self, name: &str) -> bool {
        match self {
            Self::Utf8 => !name.is_empty(),
            Self::Legacy => is_plain(name, |byte| byte == b'_' || byte == b':'),
        }
    }
}

fn is_plain(name: &str, is_mark: impl Fn(u8) -> bool) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| is_mark(first) || first.is_ascii_alphabetic())
        && bytes.all(|byte| is_mark(byte) || byte.is_ascii_alphanumeric())
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Whether keys that rule files do not have are passed over; otherwise they are errors.
    pub ignore_unknown_fields: bool,
    /// Which names metrics and labels may have.
    pub names: NameScheme,
}

/// A file that has been read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// Its groups.
    pub file: RuleFile,
    /// What the reader should know although nothing is wrong.
    pub warnings: Vec<String>,
}

/// Checks every group; all that is wrong is reported, not the first alone.
pub(crate) fn validate(groups: Vec<written::Group>, names: NameScheme) -> Result<RuleFile, Vec<Error>> {
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    let mut checked = Vec::with_capacity(groups.len());
    for group in groups {
        // Prometheus does not know where a group stands, and says so.
        let place = Some(Place::default());
        if group.name.is_empty() {
            errors.push(Error::Group { place, message: "Groupname must not be empty".to_owned() });
        }
        if !seen.insert(group.name.clone()) {
            let message = format!("groupname: \"{}\" is repeated in the same file", group.name);
            errors.push(Error::Group { place, message });
        }
        for name in group.labels.keys().filter(|name| !is_label(name, names)) {
            errors.push(Error::Group { place: None, message: format!("invalid label name: {name}") });
        }
        let mut rules = Vec::with_capacity(group.rules.len());
        for (index, rule) in group.rules.into_iter().enumerate() {
            let mut complaints = Complaints::default();
            let expr = check(&rule, names, &mut complaints);
            let error = |(places, message)| Error::Rule {
                places,
                group: group.name.clone(),
                rule: index + 1,
                name: rule.name().to_owned(),
                message,
            };
            errors.extend(complaints.0.into_iter().map(error));
            rules.extend(expr.map(|expr| checked_rule(rule, expr, &group.labels)));
        }
        checked.push(Group {
            name: group.name,
            interval: group.interval,
            query_offset: group.query_offset,
            limit: group.limit,
            rules,
        });
    }
    if errors.is_empty() { Ok(RuleFile { groups: checked }) } else { Err(errors) }
}

fn is_label(name: &str, names: NameScheme) -> bool {
    names.allows_label(name) && name != model::labels::METRIC_NAME
}

/// What is wrong with one rule: places and words.
#[derive(Default)]
struct Complaints(Vec<(Vec<Place>, String)>);

impl Complaints {
    fn at(&mut self, field: &Text, message: impl Into<String>) {
        self.0.push((vec![field.place], message.into()));
    }

    fn somewhere(&mut self, message: String) {
        self.0.push((Vec::new(), message));
    }
}

/// Checks a rule; its expression, if that can be read.
fn check(rule: &written::Rule, names: NameScheme, complaints: &mut Complaints) -> Option<Expr> {
    let (record, alert) = (&rule.record, &rule.alert);
    let is_recording = !record.value.is_empty();
    let both = vec![record.place, alert.place];
    match (is_recording, !alert.value.is_empty()) {
        (true, true) => {
            complaints.0.push((both, "only one of 'record' and 'alert' must be set".to_owned()));
        }
        (false, false) => complaints.0.push((both, "one of 'record' or 'alert' must be set".to_owned())),
        _ => {}
    }
    let mut expr = None;
    if rule.expr.value.is_empty() {
        complaints.at(&rule.expr, "field 'expr' must be set in rule");
    } else {
        match promql::parse(&rule.expr.value) {
            Ok(parsed) => expr = Some(parsed),
            Err(error) => complaints.at(&rule.expr, format!("could not parse expression: {error}")),
        }
    }
    if is_recording {
        recording(rule, names, complaints);
    }
    for name in rule.labels.keys().filter(|name| !is_label(name, names)) {
        complaints.somewhere(format!("invalid label name: {name}"));
    }
    for name in rule.annotations.keys().filter(|name| !names.allows_label(name)) {
        complaints.somewhere(format!("invalid annotation name: {name}"));
    }
    if !alert.value.is_empty() {
        for (what, texts) in [("label", &rule.labels), ("annotation", &rule.annotations)] {
            for (name, text) in texts {
                if let Err(error) = template::check(&alert.value, text) {
                    complaints.somewhere(format!("{what} {}: {error}", model::labels::Quoted(name)));
                }
            }
        }
    }
    expr
}

/// What only recording rules may not have.
fn recording(rule: &written::Rule, names: NameScheme, complaints: &mut Complaints) {
    let record = &rule.record;
    for (is_there, field) in [
        (!rule.annotations.is_empty(), "annotations"),
        (!rule.hold.is_zero(), "for"),
        (!rule.keep_firing_for.is_zero(), "keep_firing_for"),
    ] {
        if is_there {
            complaints.at(record, format!("invalid field '{field}' in recording rule"));
        }
    }
    if !names.allows_metric(&record.value) {
        complaints.at(record, format!("invalid recording rule name: {}", record.value));
    }
    // A selector where a name belongs would be a valid name.
    if record.value.contains(['{', '}']) {
        let message =
            format!("braces present in the recording rule name; should it be in expr?: {}", record.value);
        complaints.at(record, message);
    }
}

fn checked_rule(rule: written::Rule, expr: Expr, group_labels: &BTreeMap<String, String>) -> Rule {
    let mut labels = group_labels.clone();
    labels.extend(rule.labels);
    let (name, kind) = if rule.alert.value.is_empty() {
        (rule.record.value, Kind::Recording)
    } else {
        let alerting = Alerting {
            hold: rule.hold,
            keep_firing_for: rule.keep_firing_for,
            annotations: rule.annotations,
        };
        (rule.alert.value, Kind::Alerting(alerting))
    };
    Rule { name, expr, labels, kind }
}
