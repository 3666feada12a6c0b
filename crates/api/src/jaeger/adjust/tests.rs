use std::sync::Arc;

use model::{Event, Link, Scope, TraceId};

use super::super::trace::warnings;
use super::*;

const MS: u64 = 1_000_000;

fn resource(attributes: &[(&str, Value)]) -> Arc<Resource> {
    let attributes = attributes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    Arc::new(Resource { attributes, ..Resource::default() })
}

fn span(id: u8, parent: u8, start_ms: u64, end_ms: u64) -> Span {
    Span {
        trace_id: TraceId([1; 16]),
        span_id: SpanId([id; 8]),
        parent_span_id: SpanId([parent; 8]),
        start_ns: start_ms * MS,
        end_ns: end_ms * MS,
        scope: Arc::new(Scope::default()),
        ..Span::default()
    }
}

fn adjusted(spans: Vec<Span>) -> Trace {
    let mut trace = Trace::new(spans);
    adjust(&mut trace);
    trace
}

#[test]
fn a_server_span_does_not_share_its_clients_identifier() {
    let client = Span { kind: SpanKind::Client, ..span(7, 0, 0, 9) };
    let server = Span { kind: SpanKind::Server, ..span(7, 0, 1, 8) };
    let trace = adjusted(vec![client, server, span(8, 7, 2, 3)]);
    let spans: Vec<&Span> = trace.spans().collect();
    let fresh = SpanId(1_u64.to_be_bytes());
    assert_eq!(spans[0].span_id, SpanId([7; 8]));
    assert_eq!((spans[1].span_id, spans[1].parent_span_id), (fresh, SpanId([7; 8])));
    assert_eq!(spans[2].parent_span_id, fresh);
}

#[test]
fn attributes_and_events_are_sorted_and_the_last_of_a_key_stays() {
    let attribute = |key: &str, value: i64| (key.to_owned(), Value::Int(value));
    let mut one = span(1, 0, 0, 1);
    one.attributes = vec![attribute("b", 1), attribute("a", 2), attribute("b", 3)];
    one.events = ["y", "x"].map(|name| Event { name: name.to_owned(), ..Event::default() }).to_vec();
    let trace = adjusted(vec![one]);
    let span = trace.spans().next().unwrap();
    assert_eq!(span.attributes, [attribute("a", 2), attribute("b", 3)]);
    assert_eq!(span.events[0].name, "x");
}

#[test]
fn the_same_span_twice_is_shown_once() {
    let trace = adjusted(vec![span(1, 0, 0, 1), span(1, 0, 0, 1), span(1, 0, 0, 2)]);
    assert_eq!(trace.spans().count(), 2);
    let second = trace.spans().nth(1).unwrap();
    assert_eq!(warnings(second), Some(vec!["duplicate span IDs; skipping clock skew adjustment".to_owned()]));
}

#[test]
fn skew_is_told_and_not_applied() {
    let on = |host: &str, mut span: Span| {
        span.resource = resource(&[("host.name", host.into())]);
        span
    };
    let spans = vec![
        on("a", span(1, 0, 100, 200)),
        // Within its parent.
        on("b", span(2, 1, 120, 150)),
        // Before its parent and shorter: it would be centred.
        on("b", span(3, 1, 50, 60)),
        // On the same host as its parent: takes over what its parent got.
        on("b", span(4, 3, 10, 20)),
        // Longer than its parent and earlier.
        on("c", span(5, 1, 90, 300)),
        // On the same host as the root, whatever its times are.
        on("a", span(6, 1, 1, 2)),
        on("a", span(7, 99, 1, 2)),
    ];
    let trace = adjusted(spans);
    let said: Vec<Option<Vec<String>>> = (1..=7)
        .map(|id| warnings(trace.spans().find(|span| span.span_id == SpanId([id; 8])).unwrap()))
        .collect();
    let delta = |delta: &str| {
        Some(vec![format!("clock skew adjustment disabled; not applying calculated delta of {delta}")])
    };
    let orphan =
        "parent span ID=6363636363636363 is not in the trace; skipping clock skew adjustment".to_owned();
    assert_eq!(said, [None, None, delta("95ms"), delta("95ms"), delta("10ms"), None, Some(vec![orphan])]);
    assert_eq!(trace.spans().find(|span| span.span_id == SpanId([3; 8])).unwrap().start_ns, 50 * MS);
}

#[test]
fn a_ring_of_parents_ends() {
    assert_eq!(adjusted(vec![span(1, 2, 0, 1), span(2, 1, 0, 1)]).spans().count(), 2);
}

#[test]
fn addresses_library_attributes_and_links_are_put_right() {
    let mut one = span(1, 0, 0, 1);
    one.resource = resource(&[("telemetry.sdk.name", "otel".into())]);
    one.attributes = vec![
        ("ip".to_owned(), Value::Int(0x0808_0808)),
        ("peer.ipv4".to_owned(), Value::Double(f64::from(0x0102_0304))),
        ("telemetry.sdk.language".to_owned(), "rust".into()),
        ("telemetry.sdk.name".to_owned(), "other".into()),
    ];
    one.links = vec![Link::default(), Link { trace_id: TraceId([2; 16]), ..Link::default() }];
    let trace = adjusted(vec![one]);
    let span = trace.spans().next().unwrap();
    let text = |key: &str| value::find(&span.attributes, key).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(text("ip").as_deref(), Some("8.8.8.8"));
    assert_eq!(text("peer.ipv4").as_deref(), Some("1.2.3.4"));
    assert_eq!(text("telemetry.sdk.language"), None);
    assert_eq!(text("telemetry.sdk.name").as_deref(), Some("other"));
    assert_eq!(value::find(&trace.0[0].resource.attributes, "telemetry.sdk.language"), Some(&"rust".into()));
    assert_eq!(span.links.len(), 1);
    let said = warnings(span).unwrap();
    assert_eq!(
        said,
        [
            "conflicting values between Span and Resource for attribute telemetry.sdk.name",
            "Invalid span link removed"
        ]
    );
}
