//! The messages of a trace request as JSON has them, and their way to protobuf.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::resource::v1 as resource;
use opentelemetry_proto::tonic::trace::v1 as pb;
use serde::Deserialize;

use super::lenient::{Bytes, Enum, Id, Names, Number, Object, or_default};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Request {
    // `batches` is what Tempo's own trace endpoint calls them.
    #[serde(alias = "resourceSpans", alias = "batches", deserialize_with = "or_default")]
    resource_spans: Vec<Object<ResourceSpans>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ResourceSpans {
    #[serde(deserialize_with = "or_default")]
    resource: Option<Object<Resource>>,
    #[serde(alias = "scopeSpans", alias = "instrumentationLibrarySpans", deserialize_with = "or_default")]
    scope_spans: Vec<Object<ScopeSpans>>,
    #[serde(alias = "schemaUrl", deserialize_with = "or_default")]
    schema_url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Resource {
    #[serde(deserialize_with = "or_default")]
    attributes: Vec<Object<KeyValue>>,
    #[serde(alias = "droppedAttributesCount", deserialize_with = "or_default")]
    dropped_attributes_count: Number<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ScopeSpans {
    #[serde(alias = "instrumentationLibrary", deserialize_with = "or_default")]
    scope: Option<Object<Scope>>,
    #[serde(deserialize_with = "or_default")]
    spans: Vec<Object<Span>>,
    #[serde(alias = "schemaUrl", deserialize_with = "or_default")]
    schema_url: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Scope {
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    version: String,
    #[serde(deserialize_with = "or_default")]
    attributes: Vec<Object<KeyValue>>,
    #[serde(alias = "droppedAttributesCount", deserialize_with = "or_default")]
    dropped_attributes_count: Number<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names of the specification")]
struct Span {
    #[serde(alias = "traceId", deserialize_with = "or_default")]
    trace_id: Id<16>,
    #[serde(alias = "spanId", deserialize_with = "or_default")]
    span_id: Id<8>,
    #[serde(alias = "traceState", deserialize_with = "or_default")]
    trace_state: String,
    #[serde(alias = "parentSpanId", deserialize_with = "or_default")]
    parent_span_id: Id<8>,
    #[serde(deserialize_with = "or_default")]
    flags: Number<u32>,
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    kind: Enum<SpanKindNames>,
    #[serde(alias = "startTimeUnixNano", deserialize_with = "or_default")]
    start_time_unix_nano: Number<u64>,
    #[serde(alias = "endTimeUnixNano", deserialize_with = "or_default")]
    end_time_unix_nano: Number<u64>,
    #[serde(deserialize_with = "or_default")]
    attributes: Vec<Object<KeyValue>>,
    #[serde(alias = "droppedAttributesCount", deserialize_with = "or_default")]
    dropped_attributes_count: Number<u32>,
    #[serde(deserialize_with = "or_default")]
    events: Vec<Object<Event>>,
    #[serde(alias = "droppedEventsCount", deserialize_with = "or_default")]
    dropped_events_count: Number<u32>,
    #[serde(deserialize_with = "or_default")]
    links: Vec<Object<Link>>,
    #[serde(alias = "droppedLinksCount", deserialize_with = "or_default")]
    dropped_links_count: Number<u32>,
    #[serde(deserialize_with = "or_default")]
    status: Option<Object<Status>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(alias = "timeUnixNano", deserialize_with = "or_default")]
    time_unix_nano: Number<u64>,
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    attributes: Vec<Object<KeyValue>>,
    #[serde(alias = "droppedAttributesCount", deserialize_with = "or_default")]
    dropped_attributes_count: Number<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    #[serde(alias = "traceId", deserialize_with = "or_default")]
    trace_id: Id<16>,
    #[serde(alias = "spanId", deserialize_with = "or_default")]
    span_id: Id<8>,
    #[serde(alias = "traceState", deserialize_with = "or_default")]
    trace_state: String,
    #[serde(deserialize_with = "or_default")]
    attributes: Vec<Object<KeyValue>>,
    #[serde(alias = "droppedAttributesCount", deserialize_with = "or_default")]
    dropped_attributes_count: Number<u32>,
    #[serde(deserialize_with = "or_default")]
    flags: Number<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "or_default")]
    message: String,
    #[serde(deserialize_with = "or_default")]
    code: Enum<StatusNames>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KeyValue {
    #[serde(deserialize_with = "or_default")]
    key: String,
    #[serde(deserialize_with = "or_default")]
    value: Option<Object<AnyValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names of the specification")]
struct AnyValue {
    #[serde(alias = "stringValue")]
    string_value: Option<String>,
    #[serde(alias = "boolValue")]
    bool_value: Option<bool>,
    #[serde(alias = "intValue")]
    int_value: Option<Number<i64>>,
    #[serde(alias = "doubleValue")]
    double_value: Option<Number<f64>>,
    #[serde(alias = "arrayValue")]
    array_value: Option<Object<ArrayValue>>,
    #[serde(alias = "kvlistValue")]
    kvlist_value: Option<Object<KvList>>,
    #[serde(alias = "bytesValue")]
    bytes_value: Option<Bytes>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ArrayValue {
    #[serde(deserialize_with = "or_default")]
    values: Vec<Object<AnyValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KvList {
    #[serde(deserialize_with = "or_default")]
    values: Vec<Object<KeyValue>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct SpanKindNames;

impl Names for SpanKindNames {
    fn number(name: &str) -> i32 {
        pb::span::SpanKind::from_str_name(name).map_or(0, |kind| kind as i32)
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct StatusNames;

impl Names for StatusNames {
    fn number(name: &str) -> i32 {
        pb::status::StatusCode::from_str_name(name).map_or(0, |code| code as i32)
    }
}

fn all<T, U: From<T>>(items: Vec<Object<T>>) -> Vec<U> {
    items.into_iter().map(|item| U::from(item.0)).collect()
}

impl From<Request> for ExportTraceServiceRequest {
    fn from(request: Request) -> Self {
        Self { resource_spans: all(request.resource_spans) }
    }
}

impl From<ResourceSpans> for pb::ResourceSpans {
    fn from(from: ResourceSpans) -> Self {
        Self {
            resource: from.resource.map(|Object(resource)| resource::Resource {
                attributes: all(resource.attributes),
                dropped_attributes_count: resource.dropped_attributes_count.0,
                entity_refs: Vec::new(),
            }),
            scope_spans: all(from.scope_spans),
            schema_url: from.schema_url,
        }
    }
}

impl From<ScopeSpans> for pb::ScopeSpans {
    fn from(from: ScopeSpans) -> Self {
        Self {
            scope: from.scope.map(|Object(scope)| common::InstrumentationScope {
                name: scope.name,
                version: scope.version,
                attributes: all(scope.attributes),
                dropped_attributes_count: scope.dropped_attributes_count.0,
            }),
            spans: all(from.spans),
            schema_url: from.schema_url,
        }
    }
}

impl From<Span> for pb::Span {
    fn from(from: Span) -> Self {
        Self {
            trace_id: from.trace_id.0,
            span_id: from.span_id.0,
            trace_state: from.trace_state,
            parent_span_id: from.parent_span_id.0,
            flags: from.flags.0,
            name: from.name,
            kind: from.kind.0,
            start_time_unix_nano: from.start_time_unix_nano.0,
            end_time_unix_nano: from.end_time_unix_nano.0,
            attributes: all(from.attributes),
            dropped_attributes_count: from.dropped_attributes_count.0,
            events: all(from.events),
            dropped_events_count: from.dropped_events_count.0,
            links: all(from.links),
            dropped_links_count: from.dropped_links_count.0,
            status: from
                .status
                .map(|Object(status)| pb::Status { message: status.message, code: status.code.0 }),
        }
    }
}

impl From<Event> for pb::span::Event {
    fn from(from: Event) -> Self {
        Self {
            time_unix_nano: from.time_unix_nano.0,
            name: from.name,
            attributes: all(from.attributes),
            dropped_attributes_count: from.dropped_attributes_count.0,
        }
    }
}

impl From<Link> for pb::span::Link {
    fn from(from: Link) -> Self {
        Self {
            trace_id: from.trace_id.0,
            span_id: from.span_id.0,
            trace_state: from.trace_state,
            attributes: all(from.attributes),
            dropped_attributes_count: from.dropped_attributes_count.0,
            flags: from.flags.0,
        }
    }
}

impl From<KeyValue> for common::KeyValue {
    fn from(from: KeyValue) -> Self {
        Self { key: from.key, value: from.value.map(|value| value.0.into()), key_strindex: 0 }
    }
}

impl From<AnyValue> for common::AnyValue {
    fn from(from: AnyValue) -> Self {
        use common::any_value::Value;
        // One of them is set; where a sender sets several, the last of the definition counts, as on the wire.
        let value = None
            .or(from.bytes_value.map(|bytes| Value::BytesValue(bytes.0)))
            .or(from
                .kvlist_value
                .map(|list| Value::KvlistValue(common::KeyValueList { values: all(list.0.values) })))
            .or(from
                .array_value
                .map(|list| Value::ArrayValue(common::ArrayValue { values: all(list.0.values) })))
            .or(from.double_value.map(|number| Value::DoubleValue(number.0)))
            .or(from.int_value.map(|number| Value::IntValue(number.0)))
            .or(from.bool_value.map(Value::BoolValue))
            .or(from.string_value.map(Value::StringValue));
        Self { value }
    }
}
