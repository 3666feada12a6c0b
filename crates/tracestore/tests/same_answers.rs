//! Head, blocks and compacted blocks give the same answers, and these are the answers of a plain look at every span.

#![allow(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

mod common;

use std::collections::BTreeSet;

use common::{Bench, NOW_NS, any_span};
use model::{Span, SpanKind, StatusCode, TimeRange, TraceId, Value};
use proptest::prelude::*;
use tracestore::{
    Intrinsic, Search, SpanFilter, Tag, TagMatch, TagScope, TagScopes, TraceStore, TraceSummary,
};

/// Everything that a store can be asked, as text.
fn answers(store: &TraceStore, searches: &[Search], ranges: &[TimeRange]) -> Vec<String> {
    let mut answers = Vec::new();
    for trace in 1..9 {
        let id = common::span(trace, 1, 0, "", "", 0, 0).trace_id;
        answers.push(format!("{:?}", store.trace(id, TimeRange::ALL).unwrap()));
    }
    for search in searches {
        let traces: Vec<TraceSummary> = store.search(search).unwrap().traces;
        answers.push(format!("{search:?}: {traces:?}"));
    }
    for range in ranges {
        answers.push(format!("{:?}", store.services(*range).unwrap()));
        answers.push(format!("{:?}", store.operations("users", *range).unwrap()));
        answers.push(format!("{:?}", store.tag_names(None, *range).unwrap()));
        for key in ["k", "l", "kk", "service.name", "none"] {
            answers.push(format!("{:?}", store.tag_values(TagScopes::ALL, key, *range, 1000).unwrap()));
        }
        for intrinsic in [
            Intrinsic::Name,
            Intrinsic::StatusMessage,
            Intrinsic::RootName,
            Intrinsic::RootService,
            Intrinsic::EventName,
            Intrinsic::ScopeName,
            Intrinsic::ScopeVersion,
        ] {
            answers.push(format!("{:?}", store.intrinsic_values(intrinsic, *range, 1000).unwrap()));
        }
        answers.push(format!("{:?}", store.dependencies(*range).unwrap()));
    }
    answers
}

fn tag() -> impl Strategy<Value = Tag> {
    (
        prop_oneof![Just("k"), Just("l"), Just("kk")],
        prop_oneof![Just("a"), Just("1"), Just("1.5"), Just("true"), Just(""), Just("<")],
        any::<bool>(),
        proptest::array::uniform5(any::<bool>()),
    )
        .prop_map(|(key, value, contains, [resource, instrumentation, span, event, link])| Tag {
            scopes: TagScopes { resource, instrumentation, span, event, link },
            key: key.to_owned(),
            value: value.to_owned(),
            matching: if contains { TagMatch::Contains } else { TagMatch::Equal },
        })
}

fn filter() -> impl Strategy<Value = SpanFilter> {
    let maybe = proptest::option::weighted::<BoxedStrategy<String>>;
    (
        (
            maybe(0.3, prop_oneof![Just("users"), Just("nobody")].prop_map(str::to_owned).boxed()),
            maybe(0.3, prop_oneof![Just("GET /"), Just("other")].prop_map(str::to_owned).boxed()),
            maybe(0.1, Just("r".to_owned()).boxed()),
            maybe(0.1, Just("s".to_owned()).boxed()),
            maybe(0.1, Just("1".to_owned()).boxed()),
        ),
        proptest::option::weighted(0.2, (0..6_i32).prop_map(SpanKind::from_number)),
        proptest::option::weighted(0.2, (0..3_i32).prop_map(StatusCode::from_number)),
        proptest::option::weighted(0.2, 0..2_000_000_000_u64),
        proptest::option::weighted(0.2, 2_000_000_000..5_000_000_000_u64),
        proptest::collection::vec(tag(), 0..2),
    )
        .prop_map(|(texts, kind, status, min_duration_ns, max_duration_ns, tags)| {
            let (service, name, name_contains, scope_name, scope_version) = texts;
            SpanFilter {
                service,
                name,
                name_contains,
                scope_name,
                scope_version,
                kind,
                status,
                min_duration_ns,
                max_duration_ns,
                tags,
            }
        })
}

fn range() -> impl Strategy<Value = TimeRange> {
    prop_oneof![
        1 => Just(TimeRange::ALL),
        2 => (0..300_u64, 1..300_u64).prop_map(|(start, length)| TimeRange {
            start_ns: NOW_NS + start * 1_000_000_000,
            end_ns: NOW_NS + (start + length) * 1_000_000_000,
        }),
    ]
}

prop_compose! {
    fn search()(
        range in range(),
        filter in filter(),
        also in proptest::collection::vec(filter(), 0..2),
        overlaps in proptest::option::weighted(0.3, range()),
        root in proptest::option::weighted(0.2, prop_oneof![Just("u"), Just("GET")]),
        least in proptest::option::weighted(0.2, 0..100_000_000_000_u64),
        most in proptest::option::weighted(0.2, 0..300_000_000_000_u64),
        limit in 0..10_usize,
    ) -> Search {
        Search {
            range,
            filter,
            also,
            overlaps,
            root_service_contains: root.filter(|text| *text == "u").map(str::to_owned),
            root_name_contains: root.filter(|text| *text == "GET").map(str::to_owned),
            min_trace_duration_ns: least,
            max_trace_duration_ns: most,
            limit,
            spans_per_trace: 3,
        }
    }
}

/// The traces that a search has to find, by looking at every span; all of them, whatever the limit.
fn expected(traces: &[Vec<Span>], search: &Search) -> BTreeSet<TraceId> {
    let start = |spans: &[Span]| spans.iter().map(|span| span.start_ns).min().unwrap();
    let end = |spans: &[Span]| spans.iter().map(|span| span.end_ns.max(span.start_ns)).max().unwrap();
    traces
        .iter()
        .filter(|spans| !spans.is_empty())
        .filter(|spans| {
            let has = |filter: &SpanFilter| {
                spans.iter().any(|span| search.range.contains(span.start_ns) && filter.matches(span))
            };
            let duration = end(spans) - start(spans);
            let root = spans.iter().find(|span| span.parent_span_id.is_zero());
            let contains = |text: Option<&str>, part: &Option<String>| {
                part.as_ref().is_none_or(|part| text.unwrap_or("").contains(part.as_str()))
            };
            has(&search.filter)
                && search.also.iter().all(has)
                && search.overlaps.is_none_or(|window| window.overlaps(start(spans), end(spans)))
                && search.min_trace_duration_ns.is_none_or(|least| duration >= least)
                && search.max_trace_duration_ns.is_none_or(|most| duration <= most)
                && contains(root.map(|root| root.resource.service_name()), &search.root_service_contains)
                && contains(root.map(|root| root.name.as_str()), &search.root_name_contains)
        })
        .map(|spans| spans[0].trace_id)
        .collect()
}

/// Names the first answer that differs, not all of them.
fn same(answers: &[String], from_head: &[String]) -> Result<(), TestCaseError> {
    for (answer, from_head) in answers.iter().zip(from_head) {
        prop_assert_eq!(answer, from_head);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn head_blocks_and_merged_blocks_answer_alike(
        requests in proptest::collection::vec(proptest::collection::vec(any_span(), 1..12), 4..10),
        searches in proptest::collection::vec(search(), 1..12),
        ranges in proptest::collection::vec(range(), 1..3),
    ) {
        let head = Bench::new();
        for request in &requests {
            head.append(request);
        }
        let from_head = answers(&head.store, &searches, &ranges);

        // The plain look.
        let traces: Vec<Vec<Span>> = (1..9)
            .map(|trace| head.store.trace(common::span(trace, 1, 0, "", "", 0, 0).trace_id, TimeRange::ALL).unwrap())
            .collect();
        for search in &searches {
            let all = Search { limit: 100, ..search.clone() };
            let found: BTreeSet<TraceId> =
                head.store.search(&all).unwrap().traces.iter().map(|trace| trace.trace_id).collect();
            prop_assert_eq!(found, expected(&traces, search), "{:?}", search);
            prop_assert!(head.store.search(search).unwrap().traces.len() <= search.limit);
        }

        // Replayed.
        let head = head.reopen();
        same(&answers(&head.store, &searches, &ranges), &from_head)?;

        // All in one block.
        head.store.seal().unwrap();
        prop_assert_eq!(head.store.stats().head_items, 0);
        same(&answers(&head.store, &searches, &ranges), &from_head)?;

        // A block for each request, then merged, then opened anew.
        let blocks = Bench::new();
        for request in &requests {
            blocks.append(request);
            blocks.store.seal().unwrap();
        }
        prop_assert_eq!(blocks.store.stats().blocks, requests.len() as u64);
        same(&answers(&blocks.store, &searches, &ranges), &from_head)?;
        blocks.store.maintain().unwrap();
        same(&answers(&blocks.store, &searches, &ranges), &from_head)?;
        let blocks = blocks.reopen();
        same(&answers(&blocks.store, &searches, &ranges), &from_head)?;
        prop_assert_eq!(blocks.store.stats().head_items, 0);
    }
}

#[test]
fn a_span_comes_back_as_it_went_in() {
    let bench = Bench::new();
    let mut span = common::span(1, 1, 0, "users", "GET /", NOW_NS, 5);
    span.attributes = vec![
        ("text".into(), "é<".into()),
        ("number".into(), Value::Int(-1)),
        ("double".into(), Value::Double(1e21)),
        ("list".into(), Value::Array(vec![Value::Int(1), Value::Empty, "x".into()])),
    ];
    bench.append(std::slice::from_ref(&span));
    assert_eq!(bench.store.trace(span.trace_id, TimeRange::ALL).unwrap(), [span.clone()]);
    bench.store.seal().unwrap();
    assert_eq!(bench.store.trace(span.trace_id, TimeRange::ALL).unwrap(), [span]);
    assert_eq!(bench.store.tag_names(Some(TagScope::Span), TimeRange::ALL).unwrap()[0].1.len(), 4);
}
