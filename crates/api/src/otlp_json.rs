//! Traces as JSON: spans grouped back to `resourceSpans` and `scopeSpans`, written in one of two dialects.
//!
//! OTLP/JSON proper (the OTLP specification, "JSON Protobuf Encoding") has identifiers in hex and enums as numbers:
//! Jaeger's API v3 answers with it. Tempo writes the same messages by the general rules of protobuf's JSON mapping
//! instead: identifiers in base64, enums by name. Both leave out what has its default value, and write 64-bit integers
//! as texts.

mod value;

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use model::{Event, Link, Resource, Scope, Span};
use serde::ser::{Serialize, SerializeMap, Serializer};

pub use value::Attributes;

/// How identifiers and enums are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OTLP/JSON: hex, numbers.
    Otlp,
    /// Protobuf's JSON mapping: base64, names.
    Protobuf,
}

/// Spans that have their resource in common.
#[derive(Debug, Clone)]
pub struct ResourceSpans<'a> {
    /// The resource.
    pub resource: &'a Resource,
    /// Its spans by scope.
    pub scopes: Vec<ScopeSpans<'a>>,
}

/// Spans that have their resource and their scope in common.
#[derive(Debug, Clone)]
pub struct ScopeSpans<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// The spans.
    pub spans: Vec<&'a Span>,
}

/// Groups spans by resource and scope. Groups stand in the order of their first spans, spans keep theirs.
pub fn group(spans: &[Span]) -> Vec<ResourceSpans<'_>> {
    let mut groups: Vec<ResourceSpans<'_>> = Vec::new();
    // Spans of one sender mostly share the very same resource; only an unknown address needs the comparison by value.
    let mut known: HashMap<*const Resource, usize> = HashMap::new();
    for span in spans {
        let resource: &Resource = &span.resource;
        let index = *known.entry(Arc::as_ptr(&span.resource)).or_insert_with(|| {
            groups.iter().position(|group| group.resource == resource).unwrap_or_else(|| {
                groups.push(ResourceSpans { resource, scopes: Vec::new() });
                groups.len() - 1
            })
        });
        let scopes = &mut groups[index].scopes;
        let scope: &Scope = &span.scope;
        match scopes.iter_mut().find(|known| std::ptr::eq(known.scope, scope) || known.scope == scope) {
            Some(known) => known.spans.push(span),
            None => scopes.push(ScopeSpans { scope, spans: vec![span] }),
        }
    }
    groups
}

/// A message and how to write it.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a, T>(pub &'a T, pub Dialect);

/// The fields of one message, each left out where it has its default value.
struct Fields<M> {
    map: M,
    dialect: Dialect,
}

impl<M: SerializeMap> Fields<M> {
    fn text(&mut self, key: &'static str, value: &str) -> Result<(), M::Error> {
        if value.is_empty() { Ok(()) } else { self.map.serialize_entry(key, value) }
    }

    fn count(&mut self, key: &'static str, value: u32) -> Result<(), M::Error> {
        if value == 0 { Ok(()) } else { self.map.serialize_entry(key, &value) }
    }

    fn time(&mut self, key: &'static str, value_ns: u64) -> Result<(), M::Error> {
        if value_ns == 0 { Ok(()) } else { self.map.serialize_entry(key, &value_ns.to_string()) }
    }

    fn id(&mut self, key: &'static str, bytes: &[u8]) -> Result<(), M::Error> {
        if bytes.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        match self.dialect {
            Dialect::Otlp => self.map.serialize_entry(key, &hex::encode(bytes)),
            Dialect::Protobuf => self.map.serialize_entry(key, &BASE64_STANDARD.encode(bytes)),
        }
    }

    fn number(&mut self, key: &'static str, number: u8, name: &str) -> Result<(), M::Error> {
        match self.dialect {
            _ if number == 0 => Ok(()),
            Dialect::Otlp => self.map.serialize_entry(key, &number),
            Dialect::Protobuf => self.map.serialize_entry(key, name),
        }
    }

    fn attributes(&mut self, values: &[model::KeyValue]) -> Result<(), M::Error> {
        if values.is_empty() { Ok(()) } else { self.map.serialize_entry("attributes", &Attributes(values)) }
    }

    fn list<T>(&mut self, key: &'static str, values: &[T]) -> Result<(), M::Error>
    where
        for<'b> Json<'b, T>: Serialize,
    {
        if values.is_empty() {
            Ok(())
        } else {
            self.map.serialize_entry(key, &JsonList(values, self.dialect))
        }
    }
}

fn fields<S: Serializer>(serializer: S, dialect: Dialect) -> Result<Fields<S::SerializeMap>, S::Error> {
    Ok(Fields { map: serializer.serialize_map(None)?, dialect })
}

/// A list of messages and how to write them.
#[derive(Debug, Clone, Copy)]
pub struct JsonList<'a, T>(pub &'a [T], pub Dialect);

impl<T> Serialize for JsonList<'_, T>
where
    for<'b> Json<'b, T>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|item| Json(item, self.1)))
    }
}

impl Serialize for Json<'_, &Span> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Json(*self.0, self.1).serialize(serializer)
    }
}

impl Serialize for Json<'_, ResourceSpans<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = fields(serializer, self.1)?;
        fields.map.serialize_entry("resource", &Json(self.0.resource, self.1))?;
        fields.list("scopeSpans", &self.0.scopes)?;
        fields.text("schemaUrl", &self.0.resource.schema_url)?;
        fields.map.end()
    }
}

impl Serialize for Json<'_, Resource> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = fields(serializer, self.1)?;
        fields.attributes(&self.0.attributes)?;
        fields.count("droppedAttributesCount", self.0.dropped_attributes_count)?;
        fields.map.end()
    }
}

impl Serialize for Json<'_, ScopeSpans<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = fields(serializer, self.1)?;
        fields.map.serialize_entry("scope", &Json(self.0.scope, self.1))?;
        fields.list("spans", &self.0.spans)?;
        fields.text("schemaUrl", &self.0.scope.schema_url)?;
        fields.map.end()
    }
}

impl Serialize for Json<'_, Scope> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = fields(serializer, self.1)?;
        fields.text("name", &self.0.name)?;
        fields.text("version", &self.0.version)?;
        fields.attributes(&self.0.attributes)?;
        fields.count("droppedAttributesCount", self.0.dropped_attributes_count)?;
        fields.map.end()
    }
}

impl Serialize for Json<'_, Span> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let span = self.0;
        let mut fields = fields(serializer, self.1)?;
        fields.id("traceId", &span.trace_id.0)?;
        fields.id("spanId", &span.span_id.0)?;
        fields.text("traceState", &span.trace_state)?;
        fields.id("parentSpanId", &span.parent_span_id.0)?;
        fields.count("flags", span.flags)?;
        fields.text("name", &span.name)?;
        fields.number("kind", span.kind as u8, span.kind.protocol_name())?;
        fields.time("startTimeUnixNano", span.start_ns)?;
        fields.time("endTimeUnixNano", span.end_ns)?;
        fields.attributes(&span.attributes)?;
        fields.count("droppedAttributesCount", span.dropped_attributes_count)?;
        fields.list("events", &span.events)?;
        fields.count("droppedEventsCount", span.dropped_events_count)?;
        fields.list("links", &span.links)?;
        fields.count("droppedLinksCount", span.dropped_links_count)?;
        fields.map.serialize_entry("status", &Json(&Status(span), self.1))?;
        fields.map.end()
    }
}

/// The status of a span, a message of its own.
struct Status<'a>(&'a Span);

impl Serialize for Json<'_, Status<'_>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let span = self.0.0;
        let mut fields = fields(serializer, self.1)?;
        fields.text("message", &span.status_message)?;
        fields.number("code", span.status_code as u8, span.status_code.protocol_name())?;
        fields.map.end()
    }
}

impl Serialize for Json<'_, Event> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = fields(serializer, self.1)?;
        fields.time("timeUnixNano", self.0.time_ns)?;
        fields.text("name", &self.0.name)?;
        fields.attributes(&self.0.attributes)?;
        fields.count("droppedAttributesCount", self.0.dropped_attributes_count)?;
        fields.map.end()
    }
}

impl Serialize for Json<'_, Link> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = fields(serializer, self.1)?;
        fields.id("traceId", &self.0.trace_id.0)?;
        fields.id("spanId", &self.0.span_id.0)?;
        fields.text("traceState", &self.0.trace_state)?;
        fields.attributes(&self.0.attributes)?;
        fields.count("droppedAttributesCount", self.0.dropped_attributes_count)?;
        fields.count("flags", self.0.flags)?;
        fields.map.end()
    }
}

#[cfg(test)]
mod tests {
    use model::{SpanId, SpanKind, StatusCode, TraceId, Value};
    use serde_json::json;

    use super::*;

    fn spans() -> Vec<Span> {
        let resource = |name: &str| {
            Arc::new(Resource {
                attributes: vec![("service.name".to_owned(), name.into())],
                ..Resource::default()
            })
        };
        let (users, albums, users_again) = (resource("users"), resource("albums"), resource("users"));
        let http = Arc::new(Scope { name: "http".to_owned(), ..Scope::default() });
        let span = |number: u8, resource: &Arc<Resource>, scope: &Arc<Scope>| Span {
            trace_id: TraceId([1; 16]),
            span_id: SpanId([number; 8]),
            resource: Arc::clone(resource),
            scope: Arc::clone(scope),
            ..Span::default()
        };
        vec![
            span(1, &users, &http),
            span(2, &albums, &http),
            span(3, &users_again, &http),
            span(4, &users, &Arc::default()),
        ]
    }

    #[test]
    fn spans_are_grouped_by_equal_resources_and_scopes() {
        let spans = spans();
        let shape: Vec<Vec<Vec<u8>>> = group(&spans)
            .iter()
            .map(|group| {
                group
                    .scopes
                    .iter()
                    .map(|scope| scope.spans.iter().map(|span| span.span_id.0[0]).collect())
                    .collect()
            })
            .collect();
        assert_eq!(shape, [vec![vec![1, 3], vec![4]], vec![vec![2]]]);
    }

    #[test]
    fn the_two_dialects_differ_in_identifiers_and_enums() {
        let span = Span {
            trace_id: TraceId([0xab; 16]),
            span_id: SpanId([1; 8]),
            parent_span_id: SpanId([2; 8]),
            name: "GET /".to_owned(),
            kind: SpanKind::Server,
            start_ns: 5,
            end_ns: 7,
            flags: 256,
            status_code: StatusCode::Error,
            status_message: "no".to_owned(),
            attributes: vec![
                ("i".to_owned(), 5.into()),
                ("d".to_owned(), 1.5.into()),
                ("n".to_owned(), f64::NAN.into()),
                ("b".to_owned(), Value::Bytes(vec![1, 2])),
                ("l".to_owned(), Value::Array(vec!["x".into(), Value::Empty])),
                ("k".to_owned(), Value::KvList(vec![("y".to_owned(), false.into())])),
            ],
            events: vec![Event { time_ns: 6, name: "e".to_owned(), ..Event::default() }],
            links: vec![Link { trace_id: TraceId([3; 16]), span_id: SpanId([4; 8]), ..Link::default() }],
            ..Span::default()
        };
        let common = json!([
            {"key": "i", "value": {"intValue": "5"}},
            {"key": "d", "value": {"doubleValue": 1.5}},
            {"key": "n", "value": {"doubleValue": "NaN"}},
            {"key": "b", "value": {"bytesValue": "AQI="}},
            {"key": "l", "value": {"arrayValue": {"values": [{"stringValue": "x"}, {}]}}},
            {"key": "k", "value": {"kvlistValue": {"values": [{"key": "y", "value": {"boolValue": false}}]}}},
        ]);
        assert_eq!(
            serde_json::to_value(Json(&span, Dialect::Otlp)).unwrap(),
            json!({
                "traceId": "abababababababababababababababab", "spanId": "0101010101010101",
                "parentSpanId": "0202020202020202", "flags": 256, "name": "GET /", "kind": 2,
                "startTimeUnixNano": "5", "endTimeUnixNano": "7", "attributes": common,
                "events": [{"timeUnixNano": "6", "name": "e"}],
                "links": [{"traceId": "03030303030303030303030303030303", "spanId": "0404040404040404"}],
                "status": {"message": "no", "code": 2},
            })
        );
        let protobuf = serde_json::to_value(Json(&span, Dialect::Protobuf)).unwrap();
        assert_eq!(protobuf["traceId"], "q6urq6urq6urq6urq6urqw==");
        assert_eq!(protobuf["spanId"], "AQEBAQEBAQE=");
        assert_eq!(protobuf["kind"], "SPAN_KIND_SERVER");
        assert_eq!(protobuf["status"], json!({"message": "no", "code": "STATUS_CODE_ERROR"}));
        assert_eq!(protobuf["attributes"], common);
    }
}
