//! The trace decoder against the generated protobuf types, and against bytes that are not what they should be.

#![allow(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use model::{Event, Link, Resource, Scope, Span, SpanId, SpanKind, StatusCode, TraceId, Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest as Request;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource as PbResource;
use opentelemetry_proto::tonic::trace::v1 as pb;
use otlp::traces::{Limits, decode, encode};
use otlp::value::from_pairs;
use proptest::prelude::*;
use prost::Message;

/// What the decoder has to give, by way of the generated types; spans with bad identifiers left out.
fn by_way_of_prost(request: Request) -> Vec<Span> {
    let mut spans = Vec::new();
    for group in request.resource_spans {
        let resource = group.resource.unwrap_or_default();
        let resource = std::sync::Arc::new(Resource {
            attributes: from_pairs(resource.attributes),
            dropped_attributes_count: resource.dropped_attributes_count,
            schema_url: group.schema_url,
        });
        for group in group.scope_spans {
            let scope = group.scope.unwrap_or_default();
            let scope = std::sync::Arc::new(Scope {
                name: scope.name,
                version: scope.version,
                attributes: from_pairs(scope.attributes),
                dropped_attributes_count: scope.dropped_attributes_count,
                schema_url: group.schema_url,
            });
            for span in group.spans {
                let status = span.status.unwrap_or_default();
                let id = |bytes: &[u8]| {
                    if bytes.is_empty() { Some(SpanId::ZERO) } else { SpanId::from_slice(bytes) }
                };
                let links: Option<Vec<Link>> = span
                    .links
                    .into_iter()
                    .map(|link| {
                        let trace_id = if link.trace_id.is_empty() {
                            Some(TraceId::ZERO)
                        } else {
                            TraceId::from_slice(&link.trace_id)
                        };
                        Some(Link {
                            trace_id: trace_id?,
                            span_id: id(&link.span_id)?,
                            trace_state: link.trace_state,
                            attributes: from_pairs(link.attributes),
                            dropped_attributes_count: link.dropped_attributes_count,
                            flags: link.flags,
                        })
                    })
                    .collect();
                let ids = (
                    TraceId::from_slice(&span.trace_id).filter(|id| !id.is_zero()),
                    SpanId::from_slice(&span.span_id).filter(|id| !id.is_zero()),
                    id(&span.parent_span_id),
                );
                let (Some(links), (Some(trace_id), Some(span_id), Some(parent_span_id))) = (links, ids)
                else {
                    continue;
                };
                if span.start_time_unix_nano.max(span.end_time_unix_nano) > i64::MAX as u64 {
                    continue;
                }
                spans.push(Span {
                    trace_id,
                    span_id,
                    parent_span_id,
                    trace_state: span.trace_state,
                    flags: span.flags,
                    name: span.name,
                    kind: SpanKind::from_number(span.kind),
                    start_ns: span.start_time_unix_nano,
                    end_ns: span.end_time_unix_nano,
                    attributes: from_pairs(span.attributes),
                    dropped_attributes_count: span.dropped_attributes_count,
                    events: span
                        .events
                        .into_iter()
                        .map(|event| Event {
                            time_ns: event.time_unix_nano,
                            name: event.name,
                            attributes: from_pairs(event.attributes),
                            dropped_attributes_count: event.dropped_attributes_count,
                        })
                        .collect(),
                    dropped_events_count: span.dropped_events_count,
                    links,
                    dropped_links_count: span.dropped_links_count,
                    status_code: StatusCode::from_number(status.code),
                    status_message: status.message,
                    resource: resource.clone(),
                    scope: scope.clone(),
                });
            }
        }
    }
    spans
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(None),
        ".{0,6}".prop_map(|text| Some(Any::StringValue(text))),
        any::<bool>().prop_map(|truth| Some(Any::BoolValue(truth))),
        any::<i64>().prop_map(|number| Some(Any::IntValue(number))),
        (-1e9..1e9).prop_map(|number| Some(Any::DoubleValue(number))),
        proptest::collection::vec(any::<u8>(), 0..4).prop_map(|bytes| Some(Any::BytesValue(bytes))),
    ]
    .prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3)
                .prop_map(|values| AnyValue { value: Some(Any::ArrayValue(ArrayValue { values })) }),
            proptest::collection::vec((".{0,3}", inner), 0..3).prop_map(|pairs| {
                let values = pairs
                    .into_iter()
                    .map(|(key, value)| KeyValue { key, value: Some(value), key_strindex: 0 })
                    .collect();
                AnyValue { value: Some(Any::KvlistValue(KeyValueList { values })) }
            }),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let pair = (".{0,5}", proptest::option::weighted(0.9, any_value())).prop_map(|(key, value)| KeyValue {
        key,
        value,
        key_strindex: 0,
    });
    proptest::collection::vec(pair, 0..4)
}

fn id(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => proptest::collection::vec(1..=255_u8, bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
        1 => Just(vec![0; bytes]),
    ]
}

prop_compose! {
    fn event()(time in any::<u64>(), name in ".{0,3}", attributes in attributes(), dropped in any::<u32>()) -> pb::span::Event {
        pb::span::Event { time_unix_nano: time, name, attributes, dropped_attributes_count: dropped }
    }
}

prop_compose! {
    fn link()(
        trace_id in id(16), span_id in id(8), trace_state in ".{0,3}", attributes in attributes(),
        dropped in any::<u32>(), flags in any::<u32>(),
    ) -> pb::span::Link {
        pb::span::Link { trace_id, span_id, trace_state, attributes, dropped_attributes_count: dropped, flags }
    }
}

prop_compose! {
    fn span()(
        (trace_id, span_id, parent_span_id) in (id(16), id(8), prop_oneof![Just(Vec::new()), id(8)]),
        (trace_state, name, message) in (".{0,3}", ".{0,6}", ".{0,3}"),
        (flags, kind, code) in (any::<u32>(), -1..8, -1..4),
        (start, end) in (any::<u64>().prop_map(|time| time >> 1), any::<u64>().prop_map(|time| time >> 1)),
        attributes in attributes(),
        events in proptest::collection::vec(event(), 0..3),
        links in proptest::collection::vec(link(), 0..3),
        dropped in proptest::array::uniform3(any::<u32>()),
        has_status in any::<bool>(),
    ) -> pb::Span {
        pb::Span {
            trace_id,
            span_id,
            trace_state,
            parent_span_id,
            flags,
            name,
            kind,
            start_time_unix_nano: start,
            end_time_unix_nano: end,
            attributes,
            dropped_attributes_count: dropped[0],
            events,
            dropped_events_count: dropped[1],
            links,
            dropped_links_count: dropped[2],
            status: has_status.then_some(pb::Status { message, code }),
        }
    }
}

prop_compose! {
    fn scope_spans()(
        scope in proptest::option::of((".{0,3}", ".{0,3}", attributes(), any::<u32>())),
        spans in proptest::collection::vec(span(), 0..4),
        schema_url in ".{0,3}",
    ) -> pb::ScopeSpans {
        let scope = scope.map(|(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name, version, attributes, dropped_attributes_count,
        });
        pb::ScopeSpans { scope, spans, schema_url }
    }
}

prop_compose! {
    fn resource_spans()(
        resource in proptest::option::of((attributes(), any::<u32>())),
        scope_spans in proptest::collection::vec(scope_spans(), 0..3),
        schema_url in ".{0,3}",
    ) -> pb::ResourceSpans {
        let resource = resource.map(|(attributes, dropped_attributes_count)| PbResource {
            attributes, dropped_attributes_count, entity_refs: Vec::new(),
        });
        pb::ResourceSpans { resource, scope_spans, schema_url }
    }
}

fn request() -> impl Strategy<Value = Request> {
    proptest::collection::vec(resource_spans(), 0..3).prop_map(|resource_spans| Request { resource_spans })
}

fn spans_of(request: &Request) -> usize {
    request.resource_spans.iter().flat_map(|group| &group.scope_spans).map(|group| group.spans.len()).sum()
}

/// What holds for any bytes: where the generated types can read them, the decoder reads the same; and it never panics.
fn agree(bytes: &[u8]) -> Result<(), TestCaseError> {
    let decoded = decode(bytes, &Limits::NONE);
    if let Ok(request) = Request::decode(bytes) {
        let all = spans_of(&request);
        let (batch, rejected) =
            decoded.map_err(|error| TestCaseError::fail(format!("{error}, and prost can read it")))?;
        prop_assert_eq!(batch.span_count() + rejected.count as usize, all);
        // Two texts, because a NaN is not equal to itself.
        prop_assert_eq!(format!("{:?}", batch.to_spans()), format!("{:?}", by_way_of_prost(request)));
    }
    Ok(())
}

proptest! {
    #[test]
    fn both_decoders_agree(request in request()) {
        agree(&request.encode_to_vec())?;
    }

    #[test]
    fn both_agree_on_damaged_bytes(
        request in request(),
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let mut bytes = request.encode_to_vec();
        if bytes.is_empty() {
            return Ok(());
        }
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        agree(&bytes)?;
    }

    #[test]
    fn both_agree_on_messages_in_pieces(first in resource_spans(), second in resource_spans()) {
        // Protobuf: the bytes of two messages, one behind the other, are the merged message.
        let mut group = first.encode_to_vec();
        group.extend(second.encode_to_vec());
        let mut bytes = Vec::new();
        prost::encoding::encode_key(1, prost::encoding::WireType::LengthDelimited, &mut bytes);
        prost::encoding::encode_varint(group.len() as u64, &mut bytes);
        bytes.extend(group);
        agree(&bytes)?;
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        agree(&bytes)?;
    }

    #[test]
    fn spans_survive_the_way_to_protobuf_and_back(request in request()) {
        let bytes = request.encode_to_vec();
        let (batch, _) = decode(&bytes, &Limits::NONE).unwrap();
        let spans = batch.to_spans();
        let encoded = encode(&spans).encode_to_vec();
        let (again, rejected) = decode(&encoded, &Limits::NONE).unwrap();
        prop_assert_eq!(rejected.count, 0);
        // Grouping may change the order between groups, never within one.
        let mut before: Vec<String> = spans.iter().map(|span| format!("{span:?}")).collect();
        let mut after: Vec<String> = again.to_spans().iter().map(|span| format!("{span:?}")).collect();
        before.sort();
        after.sort();
        prop_assert_eq!(before, after);
    }
}

fn good_span() -> pb::Span {
    pb::Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: "good".into(), ..pb::Span::default() }
}

fn one_request(spans: Vec<pb::Span>) -> Vec<u8> {
    let scope_spans = vec![pb::ScopeSpans { spans, ..pb::ScopeSpans::default() }];
    Request { resource_spans: vec![pb::ResourceSpans { scope_spans, ..pb::ResourceSpans::default() }] }
        .encode_to_vec()
}

fn reasons(bytes: &[u8], limits: &Limits) -> (usize, Vec<(&'static str, u64)>, String) {
    let (batch, rejected) = decode(bytes, limits).unwrap();
    (batch.span_count(), rejected.by_reason, rejected.message)
}

fn text_pair(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(Any::StringValue(value.into())) }),
        key_strindex: 0,
    }
}

#[test]
fn a_bad_span_is_left_out_and_the_good_ones_are_taken() {
    let cases = [
        (pb::Span { trace_id: vec![1; 3], ..good_span() }, "invalid_trace_id", "trace id of 3 bytes"),
        (pb::Span { trace_id: vec![0; 16], ..good_span() }, "invalid_trace_id", "all zeros"),
        (pb::Span { span_id: Vec::new(), ..good_span() }, "invalid_span_id", "span id of 0 bytes"),
        (pb::Span { span_id: vec![0; 8], ..good_span() }, "invalid_span_id", "all zeros"),
        (pb::Span { parent_span_id: vec![1; 7], ..good_span() }, "invalid_parent_span_id", "7 bytes"),
        (pb::Span { start_time_unix_nano: u64::MAX, ..good_span() }, "time_out_of_range", "2262"),
        (
            pb::Span {
                links: vec![pb::span::Link { trace_id: vec![1], ..pb::span::Link::default() }],
                ..good_span()
            },
            "invalid_link",
            "wrong length",
        ),
        (
            pb::Span { attributes: vec![text_pair("k", "v"); 4], ..good_span() },
            "too_many_attributes",
            "4 attributes in one place, the limit is 3",
        ),
        (
            pb::Span { attributes: vec![text_pair("k", &"v".repeat(100))], ..good_span() },
            "attribute_too_large",
            "the limit is 64",
        ),
        (
            pb::Span { attributes: vec![nested(3)], ..good_span() },
            "attribute_too_deep",
            "deeper than the limit of 2",
        ),
    ];
    let limits = Limits { max_attributes: 3, max_value_bytes: 64, max_value_depth: 2 };
    for (bad, reason, message) in cases {
        let bytes = one_request(vec![good_span(), bad, good_span()]);
        let (taken, by_reason, text) = reasons(&bytes, &limits);
        assert_eq!((taken, by_reason), (2, vec![(reason, 1)]), "{text}");
        assert!(text.starts_with("span 2: ") && text.contains(message), "{text}");
    }
    let within = pb::Span { attributes: vec![nested(2)], ..good_span() };
    assert_eq!(reasons(&one_request(vec![within]), &limits).0, 1);
}

/// A value of that depth: a text within lists.
fn nested(depth: usize) -> KeyValue {
    let mut value = AnyValue { value: Some(Any::StringValue("x".into())) };
    for _ in 1..depth {
        value = AnyValue { value: Some(Any::ArrayValue(ArrayValue { values: vec![value] })) };
    }
    KeyValue { key: "k".into(), value: Some(value), key_strindex: 0 }
}

#[test]
fn text_that_is_not_utf8_rejects_the_span_or_all_spans_of_its_resource() {
    let mut bytes = one_request(vec![good_span(), pb::Span { name: "bad!".into(), ..good_span() }]);
    let at = bytes.windows(4).position(|window| window == b"bad!").unwrap();
    bytes[at] = 0xff;
    assert_eq!(reasons(&bytes, &Limits::default()).1, [("invalid_utf8", 1)]);

    let resource = PbResource { attributes: vec![text_pair("bad!", "v")], ..PbResource::default() };
    let group = pb::ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![pb::ScopeSpans { spans: vec![good_span(); 3], ..pb::ScopeSpans::default() }],
        ..pb::ResourceSpans::default()
    };
    let good = pb::ResourceSpans {
        scope_spans: vec![pb::ScopeSpans { spans: vec![good_span()], ..pb::ScopeSpans::default() }],
        ..pb::ResourceSpans::default()
    };
    let mut bytes = Request { resource_spans: vec![group, good] }.encode_to_vec();
    let at = bytes.windows(4).position(|window| window == b"bad!").unwrap();
    bytes[at] = 0xff;
    assert_eq!(reasons(&bytes, &Limits::default()).0, 1);
    assert_eq!(reasons(&bytes, &Limits::default()).1, [("invalid_utf8", 3)]);
}

#[test]
fn what_is_no_protobuf_fails_as_a_whole_and_names_the_byte() {
    let good = one_request(vec![good_span(); 3]);
    for cut in 1..good.len() {
        let error = decode(&good[..cut], &Limits::default()).unwrap_err().to_string();
        assert!(error.starts_with("invalid protobuf at byte "), "{error}");
    }
    // `resource_spans` as a number.
    let error = decode(&[0x08, 1], &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "invalid protobuf at byte 1: wrong wire type for a known field");
    let (batch, rejected) = decode(&[], &Limits::default()).unwrap();
    assert_eq!((batch.span_count(), rejected.count), (0, 0));
}

#[test]
fn values_nested_beyond_any_measure_are_an_error_not_a_crash() {
    let mut value = vec![0x0a, 1, b'x'];
    for _ in 0..5000 {
        let mut list = vec![0x0a];
        prost::encoding::encode_varint(value.len() as u64, &mut list);
        list.extend(&value);
        let mut outer = vec![0x2a];
        prost::encoding::encode_varint(list.len() as u64, &mut outer);
        outer.extend(list);
        value = outer;
    }
    let mut pair = vec![0x12];
    prost::encoding::encode_varint(value.len() as u64, &mut pair);
    pair.extend(value);
    let mut bytes = pair;
    for key in [0x4a_u8, 0x12, 0x12, 0x0a] {
        let mut outer = vec![key];
        prost::encoding::encode_varint(bytes.len() as u64, &mut outer);
        outer.extend(bytes);
        bytes = outer;
    }
    let error = decode(&bytes, &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("nested too deeply"), "{error}");
}

#[test]
fn a_value_may_come_in_pieces() {
    // KeyValue { value: array [1] } { value: array ["a"] } { key }: lists of one kind are joined, the key may come last.
    let list =
        |element: AnyValue| AnyValue { value: Some(Any::ArrayValue(ArrayValue { values: vec![element] })) };
    let first =
        KeyValue { value: Some(list(AnyValue { value: Some(Any::IntValue(1)) })), ..KeyValue::default() };
    let second = KeyValue {
        value: Some(list(AnyValue { value: Some(Any::StringValue("a".into())) })),
        ..KeyValue::default()
    };
    let mut raw = first.encode_to_vec();
    raw.extend(second.encode_to_vec());
    raw.extend(KeyValue { key: "k".into(), ..KeyValue::default() }.encode_to_vec());
    let expected = ("k".to_owned(), Value::Array(vec![Value::Int(1), "a".into()]));
    assert_eq!(otlp::traces::merge_key_value(&raw), expected);
}
