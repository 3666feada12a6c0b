//! Alerts that should fire, and those that do.

use std::collections::BTreeMap;
use std::time::Duration;

use ruler::{AlertState, GroupView};
use serde_json::{Value, json};

use super::file::AlertTest;
use super::show::{Pairs, indented, pairs};
use crate::rules::diff::diff;

/// Labels and annotations of an alert.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Fired {
    labels: Pairs,
    annotations: Pairs,
}

/// The tests of alerts of a group by the time that they are about.
pub(super) fn by_time(tests: &[AlertTest]) -> BTreeMap<Duration, Vec<&AlertTest>> {
    let mut by_time: BTreeMap<Duration, Vec<&AlertTest>> = BTreeMap::new();
    for test in tests {
        by_time.entry(test.eval_time).or_default().push(test);
    }
    by_time
}

/// What is wrong with a test's alerts. `prefix` is the line with the name of the test group.
pub(super) fn check(test: &AlertTest, groups: &[GroupView], prefix: &str, is_diff: bool) -> Option<String> {
    let mut expected: Vec<Fired> = test
        .exp_alerts
        .iter()
        .cloned()
        .map(|mut alert| {
            // The name is the one label that the rule does not write down.
            alert.labels.insert("alertname".to_owned(), test.alertname.clone());
            Fired { labels: alert.labels, annotations: alert.annotations }
        })
        .collect();
    let mut found = firing(&test.alertname, groups);
    expected.sort();
    found.sort();
    if expected == found {
        return None;
    }
    let time = promql::format_duration(test.eval_time);
    let head = format!("{prefix}    alertname: {}, time: {time}, \n", test.alertname);
    if is_diff {
        let diff = diff(&document(&expected), &document(&found));
        return Some(format!("{head}        diff: {}", indented(&diff, INDENT)));
    }
    let [expected, found] = [expected, found].map(|alerts| indented(&text(&alerts), INDENT));
    Some(format!("{head}        exp:{expected}, \n        got:{found}"))
}

const INDENT: &str = "            ";

/// The alerts of a name that fire, of all groups.
fn firing(name: &str, groups: &[GroupView]) -> Vec<Fired> {
    let rules = groups.iter().flat_map(|group| &group.rules).filter(|rule| rule.name == name);
    let alerts = rules.filter_map(|rule| rule.alerting.as_ref()).flat_map(|alerting| &alerting.alerts);
    alerts
        .filter(|alert| alert.state == AlertState::Firing)
        .map(|alert| Fired {
            labels: alert.labels.clone().into_pairs().into_iter().collect(),
            annotations: alert.annotations.clone(),
        })
        .collect()
}

fn borrowed(all: &Pairs) -> impl Iterator<Item = (&str, &str)> {
    all.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Alerts as a numbered list.
fn text(alerts: &[Fired]) -> String {
    if alerts.is_empty() {
        return "[]".to_owned();
    }
    let one = |(index, alert): (usize, &Fired)| {
        let (labels, annotations) = (pairs(borrowed(&alert.labels)), pairs(borrowed(&alert.annotations)));
        format!("{index}:\n  Labels:{labels}\n  Annotations:{annotations}")
    };
    format!("[\n{}\n]", alerts.iter().enumerate().map(one).collect::<Vec<_>>().join(",\n"))
}

/// Alerts as a document; none are one without labels.
fn document(alerts: &[Fired]) -> Value {
    let one = |alert: &Fired| json!({"Labels": alert.labels, "Annotations": alert.annotations});
    let nothing = [Fired::default()];
    Value::Array((if alerts.is_empty() { &nothing[..] } else { alerts }).iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_a_numbered_list() {
        let alert = |value: &str| Fired {
            labels: [("a".to_owned(), value.to_owned())].into(),
            annotations: Pairs::new(),
        };
        assert_eq!(
            text(&[alert("1"), alert("2")]),
            "[\n0:\n  Labels:{a=\"1\"}\n  Annotations:{},\n1:\n  Labels:{a=\"2\"}\n  Annotations:{}\n]"
        );
        assert_eq!(text(&[]), "[]");
        assert_eq!(document(&[]), json!([{"Labels": {}, "Annotations": {}}]));
    }

    #[test]
    fn what_should_fire_and_does_not() {
        let test = AlertTest {
            eval_time: Duration::from_secs(90),
            alertname: "Down".to_owned(),
            exp_alerts: vec![super::super::file::ExpectedAlert::default()],
        };
        assert_eq!(
            check(&test, &[], "    name: a,\n", false).unwrap(),
            "    name: a,\n    alertname: Down, time: 1m30s, \n        exp:[\n            0:\n              \
             Labels:{alertname=\"Down\"}\n              Annotations:{}\n            ], \n        got:[]"
        );
        let nothing = AlertTest { exp_alerts: Vec::new(), ..test };
        assert_eq!(check(&nothing, &[], "", false), None);
    }
}
