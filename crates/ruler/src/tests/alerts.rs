use std::collections::BTreeMap;

use super::*;
use crate::alert::AlertState;
use crate::rule::Health;
use crate::view::{AlertingView, GroupView};

const DOWN: &str = "  - alert: Down\n    expr: down\n    for: 5m\n    labels: {severity: page}\n    annotations: {summary: is down}\n";

fn alerting(group: &Group) -> AlertingView {
    GroupView::of(group).rules[0].alerting.clone().unwrap()
}

#[test]
fn an_alert_is_pending_then_firing_then_resolved() {
    let (hand, environment) = stage();
    let group = group(DOWN);
    assert_eq!(alerting(&group).state, AlertState::Unknown);
    evaluate(&group, &environment, 0);
    assert_eq!(alerting(&group).state, AlertState::Inactive);
    hand.answer("down", &[(&[("__name__", "down"), ("job", "a")], 7.0)]);
    evaluate(&group, &environment, MINUTE);
    assert_eq!(
        hand.written(),
        [
            r#"{__name__="ALERTS", alertname="Down", alertstate="pending", job="a", severity="page"} @60 1"#,
            r#"{__name__="ALERTS_FOR_STATE", alertname="Down", job="a", severity="page"} @60 60"#,
        ]
    );
    let view = alerting(&group);
    assert_eq!((view.state, view.alerts[0].value), (AlertState::Pending, 7.0));
    assert_eq!(view.alerts[0].labels.to_string(), r#"{alertname="Down", job="a", severity="page"}"#);
    assert!(hand.sent().is_empty(), "pending alerts are nobody's business");

    evaluate(&group, &environment, 6 * MINUTE);
    assert_eq!(
        hand.written(),
        [
            r#"{__name__="ALERTS", alertname="Down", alertstate="firing", job="a", severity="page"} @360 1"#,
            r#"{__name__="ALERTS", alertname="Down", alertstate="pending", job="a", severity="page"} @360 end"#,
            r#"{__name__="ALERTS_FOR_STATE", alertname="Down", job="a", severity="page"} @360 60"#,
        ]
    );
    let sent = hand.sent();
    assert_eq!(
        (sent[0].starts_at_ns, sent[0].ends_at_ns),
        (Some(6 * MINUTE), Some(10 * MINUTE)),
        "true for four intervals"
    );
    assert_eq!(sent[0].generator_url, "http://prometheus.example:9090/graph?g0.expr=down&g0.tab=1");
    assert_eq!(sent[0].annotations, BTreeMap::from([("summary".to_owned(), "is down".to_owned())]));

    hand.answer("down", &[]);
    evaluate(&group, &environment, 7 * MINUTE);
    assert_eq!(hand.written().len(), 2, "both series end");
    let sent = hand.sent();
    assert_eq!(sent[0].ends_at_ns, Some(7 * MINUTE));
    assert_eq!(alerting(&group).state, AlertState::Inactive);
    assert!(alerting(&group).alerts.is_empty());

    // It is told again for a quarter of an hour.
    let told = (8..30).filter(|minute| {
        evaluate(&group, &environment, minute * MINUTE + 1);
        !hand.sent().is_empty()
    });
    let told: Vec<i64> = told.collect();
    assert_eq!((told.first(), told.last()), (Some(&8), Some(&20)), "{told:?}");
}

#[test]
fn an_alert_that_was_pending_alone_is_forgotten() {
    let (hand, environment) = stage();
    let group = group(DOWN);
    hand.answer("down", &[(&[("job", "a")], 1.0)]);
    evaluate(&group, &environment, 0);
    hand.answer("down", &[]);
    evaluate(&group, &environment, MINUTE);
    hand.answer("down", &[(&[("job", "a")], 1.0)]);
    evaluate(&group, &environment, 2 * MINUTE);
    assert_eq!(alerting(&group).alerts[0].active_at_ns, 2 * MINUTE);
    assert!(hand.sent().is_empty());
}

#[test]
fn an_alert_keeps_firing_as_long_as_it_is_told() {
    let (hand, environment) = stage();
    let group = group("  - alert: Down\n    expr: down\n    keep_firing_for: 5m\n");
    hand.answer("down", &[(&[("job", "a")], 1.0)]);
    evaluate(&group, &environment, 0);
    hand.answer("down", &[]);
    for minute in 1..6 {
        evaluate(&group, &environment, minute * MINUTE);
        let alert = &alerting(&group).alerts[0];
        assert_eq!((alert.state, alert.keep_firing_since_ns), (AlertState::Firing, Some(MINUTE)));
    }
    // Coming back begins anew.
    hand.answer("down", &[(&[("job", "a")], 1.0)]);
    evaluate(&group, &environment, 5 * MINUTE + SECOND);
    assert_eq!(alerting(&group).alerts[0].keep_firing_since_ns, None);
    hand.answer("down", &[]);
    evaluate(&group, &environment, 6 * MINUTE);
    evaluate(&group, &environment, 10 * MINUTE);
    assert_eq!(alerting(&group).state, AlertState::Firing);
    evaluate(&group, &environment, 11 * MINUTE);
    assert_eq!(alerting(&group).state, AlertState::Inactive);
}

#[test]
fn too_many_alerts_are_none_and_an_error() {
    let (hand, environment) = stage();
    let text = format!("groups:\n- name: g\n  limit: 1\n  rules:\n{DOWN}");
    let group = group_of(&text, true);
    hand.answer("down", &[(&[("job", "a")], 1.0), (&[("job", "b")], 1.0)]);
    evaluate(&group, &environment, 0);
    let view = GroupView::of(&group);
    assert_eq!(view.rules[0].status.last_error.as_deref(), Some("exceeded limit of 1 with 2 alerts"));
    assert_eq!(view.rules[0].status.health, Health::Bad);
    assert!(alerting(&group).alerts.is_empty() && hand.written().is_empty());
}

#[test]
fn alerts_have_to_differ_by_their_labels() {
    let (hand, environment) = stage();
    let group = group("  - alert: Down\n    expr: down\n    labels: {job: ''}\n");
    hand.answer("down", &[(&[("job", "a")], 1.0), (&[("job", "b")], 1.0)]);
    evaluate(&group, &environment, 0);
    assert_eq!(
        GroupView::of(&group).rules[0].status.last_error.as_deref(),
        Some("vector contains metrics with the same labelset after applying alert labels")
    );
}

#[test]
fn a_rule_that_holds_longer_makes_a_firing_alert_pending_again() {
    let (hand, environment) = stage();
    let before = group(DOWN);
    hand.answer("down", &[(&[("job", "a")], 1.0)]);
    evaluate(&before, &environment, 0);
    evaluate(&before, &environment, 5 * MINUTE);
    assert_eq!(alerting(&before).state, AlertState::Firing);
    let after = group(&DOWN.replace("5m", "10m"));
    assert!(!after.says_the_same(&before));
    after.take_over(&before);
    evaluate(&after, &environment, 6 * MINUTE);
    let alert = &alerting(&after).alerts[0];
    assert_eq!((alert.state, alert.fired_at_ns, alert.active_at_ns), (AlertState::Pending, None, 0));
}

#[test]
fn since_when_it_was_pending_is_restored() {
    let (hand, environment) = stage();
    let text = format!("groups:\n- name: g\n  rules:\n{}", DOWN.replace("5m", "30m"));
    let group = group_of(&text, false);
    hand.answer("down", &[(&[("job", "a")], 1.0), (&[("job", "b")], 1.0)]);
    let series = |job: &str| {
        [("__name__", "ALERTS_FOR_STATE"), ("alertname", "Down"), ("job", job), ("severity", "page")]
            .into_iter()
            .collect::<Labels>()
    };
    // Last seen after ten minutes, pending since the fifth.
    *hand.newest.lock() = vec![(series("a"), Some((600_000, 300.0))), (series("c"), None)];
    evaluate(&group, &environment, 20 * MINUTE);
    assert!(hand.written().is_empty(), "what was written before is not written over until it is known");
    group.restore(&environment, 20 * MINUTE);
    let since: Vec<_> = alerting(&group).alerts.iter().map(|alert| alert.active_at_ns / MINUTE).collect();
    assert_eq!(since, [15, 20]);
    evaluate(&group, &environment, 21 * MINUTE);
    assert_eq!(hand.written().len(), 4);
}
