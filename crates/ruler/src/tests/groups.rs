use super::*;
use crate::rule::Health;
use crate::view::GroupView;

const RULES: &str =
    "  - record: a:sum\n    expr: a\n    labels: {kind: sum, gone: ''}\n  - record: b:sum\n    expr: b\n";

#[test]
fn results_have_the_rules_name_and_labels_and_end_with_them() {
    let (hand, environment) = stage();
    let group = group(RULES);
    hand.answer("a", &[(&[("__name__", "a"), ("x", "1"), ("gone", "y")], 3.0), (&[("x", "2")], 4.0)]);
    evaluate(&group, &environment, MINUTE);
    assert_eq!(
        hand.written(),
        [r#"{__name__="a:sum", kind="sum", x="1"} @60 3"#, r#"{__name__="a:sum", kind="sum", x="2"} @60 4"#,]
    );
    hand.answer("a", &[(&[("x", "2")], 5.0)]);
    evaluate(&group, &environment, 2 * MINUTE);
    assert_eq!(
        hand.written(),
        [
            r#"{__name__="a:sum", kind="sum", x="1"} @120 end"#,
            r#"{__name__="a:sum", kind="sum", x="2"} @120 5"#,
        ]
    );
    evaluate(&group, &environment, 3 * MINUTE);
    assert_eq!(hand.written().len(), 1, "what has ended does not end again");
}

#[test]
fn an_offset_moves_the_query_and_the_samples() {
    let (hand, environment) = stage();
    let text = format!("groups:\n- name: g\n  query_offset: 30s\n  rules:\n{RULES}");
    let group = group_of(&text, true);
    hand.answer("a", &[(&[("x", "1")], 3.0)]);
    evaluate(&group, &environment, MINUTE);
    assert_eq!(*hand.asked_ms.lock(), [30_000, 30_000]);
    assert_eq!(hand.written(), [r#"{__name__="a:sum", kind="sum", x="1"} @30 3"#]);
}

#[test]
fn a_rule_that_fails_leaves_the_others_alone_and_ends_nothing() {
    let (hand, environment) = stage();
    let group = group(RULES);
    hand.answer("a", &[(&[("x", "1")], 3.0)]);
    evaluate(&group, &environment, 0);
    hand.written();
    hand.answers.lock().insert("a".to_owned(), Err("no answer".to_owned()));
    hand.answer("b", &[(&[], 1.0)]);
    evaluate(&group, &environment, MINUTE);
    assert_eq!(hand.written(), [r#"{__name__="b:sum"} @60 1"#]);
    let view = GroupView::of(&group);
    assert_eq!((view.rules[0].status.health, view.rules[1].status.health), (Health::Bad, Health::Good));
    assert_eq!(view.rules[0].status.last_error.as_deref(), Some("no answer"));
}

#[test]
fn limits_and_equal_labels_are_errors() {
    let (hand, environment) = stage();
    let error = |group: &Group| {
        evaluate(group, &environment, 0);
        GroupView::of(group).rules[0].status.last_error.clone().unwrap()
    };
    let text = format!("groups:\n- name: g\n  limit: 1\n  rules:\n{RULES}");
    hand.answer("a", &[(&[("x", "1")], 3.0), (&[("x", "2")], 3.0)]);
    assert_eq!(error(&group_of(&text, true)), "exceeded limit of 1 with 2 series");
    hand.answer("a", &[(&[("gone", "1")], 3.0), (&[("gone", "2")], 3.0)]);
    assert_eq!(
        error(&group(RULES)),
        "vector contains metrics with the same labelset after applying rule labels"
    );
}

#[test]
fn what_the_store_refuses_is_an_error_and_not_ended_later() {
    let (hand, environment) = stage();
    let group = group(RULES);
    hand.answer("a", &[(&[("x", "1")], 3.0)]);
    *hand.refuse.lock() = Some(("a:sum".to_owned(), "out of bounds".to_owned()));
    evaluate(&group, &environment, 0);
    assert_eq!(GroupView::of(&group).rules[0].status.last_error.as_deref(), Some("out of bounds"));
    *hand.refuse.lock() = None;
    hand.answer("a", &[]);
    evaluate(&group, &environment, MINUTE);
    assert!(hand.written().is_empty());
}

#[test]
fn a_store_that_takes_nothing_is_an_error_and_series_end_when_it_takes_again() {
    let (hand, environment) = stage();
    let group = group(RULES);
    hand.answer("a", &[(&[("x", "1")], 3.0)]);
    evaluate(&group, &environment, 0);
    hand.written();
    hand.answer("a", &[]);
    *hand.broken.lock() = Some("full".to_owned());
    evaluate(&group, &environment, MINUTE);
    assert_eq!(GroupView::of(&group).rules[0].status.last_error.as_deref(), Some("full"));
    *hand.broken.lock() = None;
    evaluate(&group, &environment, 2 * MINUTE);
    assert_eq!(hand.written(), [r#"{__name__="a:sum", kind="sum", x="1"} @120 end"#]);
}

#[test]
fn series_of_rules_that_are_no_more_end_at_the_next_evaluation() {
    let (hand, environment) = stage();
    let before = group(RULES);
    hand.answer("a", &[(&[("x", "1")], 3.0)]);
    hand.answer("b", &[(&[("x", "1")], 3.0), (&[("x", "2")], 3.0)]);
    evaluate(&before, &environment, 0);
    hand.written();
    let after = group("  - record: a:sum\n    expr: a\n    labels: {kind: sum, gone: ''}\n");
    after.take_over(&before);
    // Someone else goes on with one of them.
    let goes_on = [("__name__", "b:sum"), ("x", "2")].into_iter().collect();
    hand.newest.lock().push((goes_on, Some((60_000, 1.0))));
    evaluate(&after, &environment, MINUTE);
    assert_eq!(
        hand.written(),
        [r#"{__name__="a:sum", kind="sum", x="1"} @60 3"#, r#"{__name__="b:sum", x="1"} @60 end"#]
    );
}

#[test]
fn what_says_the_same_in_other_words_is_the_same() {
    let one = group("  - record: r\n    expr: sum by(a) (b)\n");
    assert!(one.says_the_same(&group("  - record: r\n    expr: 'sum by (a)(b)'\n")));
    for other in [
        "  - record: r\n    expr: sum by(c) (b)\n",
        "  - record: r\n    expr: sum by(a) (b)\n    labels: {x: y}\n",
    ] {
        assert!(!one.says_the_same(&group(other)), "{other}");
    }
}

#[test]
fn a_stop_ends_an_evaluation_between_two_rules() {
    let (hand, environment) = stage();
    let group = group(RULES);
    hand.answer("a", &[(&[("x", "1")], 3.0)]);
    let asked = std::sync::atomic::AtomicU32::new(0);
    group.iterate(&environment, 0, &|| asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0);
    assert_eq!(hand.asked_ms.lock().len(), 1);
}
