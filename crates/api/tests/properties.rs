//! What holds for every input: OTLP/JSON that is written is read back as it was, durations print as they parse, and no
//! text makes a parser panic.

use std::sync::Arc;

use api::go::{self, Nanos, Query};
use api::otlp_json::{Dialect, JsonList, group};
use model::{Event, KeyValue, Link, Resource, Scope, Span, SpanId, SpanKind, StatusCode, TraceId, Value};
use proptest::collection::vec;
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Empty),
        ".{0,8}".prop_map(Value::String),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("a number equals itself", |number| !number.is_nan()).prop_map(Value::Double),
        vec(any::<u8>(), 0..5).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::Array),
            vec((".{1,4}", inner), 0..3).prop_map(Value::KvList),
        ]
    })
}

/// Keys differ, as they do in every attribute list that is valid.
fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    proptest::collection::btree_map("[a-z.<]{1,6}", value(), 0..4).prop_map(|map| map.into_iter().collect())
}

fn id<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    any::<[u8; N]>().prop_filter("an identifier is not zero", |id| id.iter().any(|byte| *byte != 0))
}

/// A time that the receiver takes: up to the year 2262.
fn time() -> impl Strategy<Value = u64> {
    0..=i64::MAX as u64
}

fn span() -> impl Strategy<Value = Span> {
    let identity = (id::<16>(), id::<8>(), any::<[u8; 8]>(), any::<u32>(), "[a-z=,]{0,6}");
    let told = (".{0,8}", 0..6_i32, time(), time(), 0..3_i32, ".{0,6}");
    let event = (time(), ".{0,6}", attributes(), any::<u32>());
    let link = (id::<16>(), id::<8>(), attributes(), any::<u32>());
    let lists = (attributes(), vec(event, 0..3), vec(link, 0..3), any::<[u32; 3]>());
    (identity, told, lists).prop_map(|(identity, told, lists)| {
        let (trace_id, span_id, parent, flags, trace_state) = identity;
        let (name, kind, start_ns, end_ns, status, status_message) = told;
        let (attributes, events, links, dropped) = lists;
        Span {
            trace_id: TraceId(trace_id),
            span_id: SpanId(span_id),
            parent_span_id: SpanId(parent),
            trace_state,
            flags,
            name,
            kind: SpanKind::from_number(kind),
            start_ns,
            end_ns,
            attributes,
            dropped_attributes_count: dropped[0],
            events: events
                .into_iter()
                .map(|(time_ns, name, attributes, dropped_attributes_count)| Event {
                    time_ns,
                    name,
                    attributes,
                    dropped_attributes_count,
                })
                .collect(),
            dropped_events_count: dropped[1],
            links: links
                .into_iter()
                .map(|(trace_id, span_id, attributes, flags)| Link {
                    trace_id: TraceId(trace_id),
                    span_id: SpanId(span_id),
                    attributes,
                    flags,
                    ..Link::default()
                })
                .collect(),
            dropped_links_count: dropped[2],
            status_code: StatusCode::from_number(status),
            status_message,
            ..Span::default()
        }
    })
}

proptest! {
    #[test]
    fn otlp_json_is_read_back_as_it_was(
        mut spans in vec(span(), 1..4),
        resource in attributes(),
        scope in (".{0,5}", ".{0,5}", attributes()),
    ) {
        let resource = Arc::new(Resource { attributes: resource, schema_url: "x".to_owned(), ..Resource::default() });
        let (name, version, attributes) = scope;
        let scope = Arc::new(Scope { name, version, attributes, ..Scope::default() });
        for span in &mut spans {
            span.resource = Arc::clone(&resource);
            span.scope = Arc::clone(&scope);
        }
        let groups = group(&spans);
        let list = go::to_json(&JsonList(&groups, Dialect::Otlp)).unwrap();
        let json = [br#"{"resourceSpans":"#, &list[..], b"}"].concat();
        let request = otlp::json::to_protobuf(otlp::json::Request::Traces, otlp::json::Dialect::ProtoJson, &json).unwrap();
        let (batch, rejected) = otlp::traces::decode(&request, &otlp::traces::Limits::default()).unwrap();
        prop_assert_eq!(rejected.count, 0, "{:?}", rejected);
        prop_assert_eq!(batch.to_spans(), spans);
    }

    #[test]
    fn durations_print_as_they_parse(nanos in any::<i64>()) {
        prop_assert_eq!(go::parse_duration(&Nanos(nanos).to_string()), Ok(Nanos(nanos)));
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in ".{0,40}", odd in r#"[-+0-9.:TZehmsu"\\ {}=%&;é]{0,40}"#) {
        for text in [&text, &odd] {
            let _ = go::parse_duration(text);
            let _ = go::parse_rfc3339(text);
            let _ = go::parse_int(text, 32);
            let _ = go::parse_uint(text, 16, 64);
            let _ = go::quote(text);
            let query = Query::parse(Some(text));
            prop_assert!(query.iter().count() <= text.len() + 1);
        }
    }
}
