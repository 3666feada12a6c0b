//! From OTLP to the UI's model, as the collector's translator and Jaeger's converter do it one after the other.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use model::{KeyValue, Link, Resource, Scope, Span, SpanId, SpanKind, StatusCode, TraceId, Value, value};

use super::model::{UiLog, UiProcess, UiReference, UiSpan, UiTag, UiTrace, UiValue};
use super::trace::{Trace, WARNINGS, warnings};

/// One trace in the UI's model.
pub(super) fn to_ui(trace: &Trace) -> UiTrace<'_> {
    let mut processes: Vec<UiProcess<'_>> = Vec::new();
    let mut spans = Vec::new();
    for group in &trace.0 {
        let process = process(&group.resource);
        let number = processes.iter().position(|known| *known == process).unwrap_or_else(|| {
            processes.push(process);
            processes.len() - 1
        });
        let process_id = format!("p{}", number + 1);
        for scope in &group.scopes {
            spans.extend(scope.spans.iter().map(|span| to_ui_span(span, &scope.scope, process_id.clone())));
        }
    }
    let processes: BTreeMap<_, _> =
        processes.into_iter().zip(1..).map(|(process, number)| (format!("p{number}"), process)).collect();
    let trace_id = trace.spans().next().map_or_else(String::new, |span| show_trace_id(span.trace_id));
    UiTrace { trace_id, spans, processes, warnings: None }
}

/// Identifiers of 64 bits are shown as such.
pub(super) fn show_trace_id(id: TraceId) -> String {
    let hex = id.to_hex();
    hex.strip_prefix("0000000000000000").map_or_else(|| hex.clone(), str::to_owned)
}

fn process(resource: &Resource) -> UiProcess<'_> {
    if resource.attributes.is_empty() {
        return UiProcess { service_name: "OTLPResourceNoServiceName", tags: Vec::new() };
    }
    let tags = resource.attributes.iter().filter(|(key, _)| key != "service.name").map(tag).collect();
    UiProcess { service_name: resource.service_name(), tags }
}

fn to_ui_span<'a>(span: &'a Span, scope: &'a Scope, process_id: String) -> UiSpan<'a> {
    // The protocol's times are unsigned, Jaeger's are not.
    let (start_ns, end_ns) = (span.start_ns as i64, span.end_ns as i64);
    UiSpan {
        trace_id: show_trace_id(span.trace_id),
        span_id: span.span_id.to_hex(),
        operation_name: &span.name,
        references: references(span),
        start_time: (start_ns / 1000) as u64,
        duration: (end_ns.saturating_sub(start_ns) / 1000) as u64,
        tags: tags(span, scope),
        logs: logs(span),
        process_id,
        warnings: warnings(span),
    }
}

fn tags<'a>(span: &'a Span, scope: &'a Scope) -> Vec<UiTag<'a>> {
    let mut tags = Vec::with_capacity(span.attributes.len() + 5);
    let mut given = |key, text: &'a str| {
        if !text.is_empty() {
            tags.push(text_tag(key, text));
        }
    };
    given("otel.scope.name", &scope.name);
    given("otel.scope.version", &scope.version);
    tags.extend(span.attributes.iter().filter(|(key, _)| key != WARNINGS).map(tag));
    if span.kind != SpanKind::Unspecified {
        tags.push(text_tag("span.kind", span.kind.as_str()));
    }
    match span.status_code {
        StatusCode::Unset => {}
        StatusCode::Ok => tags.push(text_tag("otel.status_code", "OK")),
        StatusCode::Error => {
            tags.push(text_tag("otel.status_code", "ERROR"));
            tags.push(UiTag { key: "error", kind: "bool", value: UiValue::Bool(true) });
        }
    }
    let mut given = |key, text: &'a str| {
        if !text.is_empty() {
            tags.push(text_tag(key, text));
        }
    };
    given("otel.status_description", &span.status_message);
    given("w3c.tracestate", &span.trace_state);
    tags
}

fn logs(span: &Span) -> Vec<UiLog<'_>> {
    span.events
        .iter()
        .map(|event| {
            let has_own = value::find(&event.attributes, "event").is_some();
            let name = (!event.name.is_empty() && !has_own).then(|| text_tag("event", &event.name));
            UiLog {
                timestamp: (event.time_ns as i64 / 1000) as u64,
                fields: name.into_iter().chain(event.attributes.iter().map(tag)).collect(),
            }
        })
        .collect()
}

/// The parent first, then the links; a link to the parent says which kind of parent it is.
fn references(span: &Span) -> Vec<UiReference> {
    let mut references = Vec::with_capacity(span.links.len() + 1);
    let has_parent = !span.parent_span_id.is_zero();
    if has_parent {
        references.push(reference("CHILD_OF", span.trace_id, span.parent_span_id));
    }
    for link in &span.links {
        let ref_type = link_type(link);
        if has_parent && link.trace_id == span.trace_id && link.span_id == span.parent_span_id {
            references[0].ref_type = ref_type;
        } else {
            references.push(reference(ref_type, link.trace_id, link.span_id));
        }
    }
    references
}

fn link_type(link: &Link) -> &'static str {
    match value::find(&link.attributes, "opentracing.ref_type").and_then(Value::as_str) {
        Some("child_of") => "CHILD_OF",
        _ => "FOLLOWS_FROM",
    }
}

fn reference(ref_type: &'static str, trace_id: TraceId, span_id: SpanId) -> UiReference {
    UiReference { ref_type, trace_id: show_trace_id(trace_id), span_id: span_id.to_hex() }
}

fn text_tag<'a>(key: &'a str, text: &'a str) -> UiTag<'a> {
    UiTag { key, kind: "string", value: UiValue::Text(Cow::Borrowed(text)) }
}

fn tag(attribute: &KeyValue) -> UiTag<'_> {
    let (key, value) = attribute;
    let (kind, value) = match value {
        Value::Bool(truth) => ("bool", UiValue::Bool(*truth)),
        Value::Int(number) => ("int64", UiValue::Int(*number)),
        Value::Double(number) => ("float64", UiValue::Float(*number)),
        Value::Bytes(bytes) => ("binary", UiValue::Text(Cow::Owned(BASE64_STANDARD.encode(bytes)))),
        Value::Array(_) | Value::KvList(_) => {
            ("string", UiValue::Text(Cow::Owned(plain_json(&otlp::value::to_text(value)))))
        }
        other => ("string", UiValue::Text(otlp::value::to_text(other))),
    };
    UiTag { key, kind, value }
}

/// Lists are shown as JSON, in which the collector's library of Jaeger 2.20 leaves `<`, `>` and `&` as they are. Older
/// ones, and so [`otlp::value::to_text`], escape them.
fn plain_json(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let escape = &rest[at..];
        let (character, length) = match escape.get(..6) {
            Some("\\u003c") => ("<", 6),
            Some("\\u003e") => (">", 6),
            Some("\\u0026") => ("&", 6),
            // Any other escape stays, with the character that it escapes.
            _ => {
                let length = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
                (&escape[..length], length)
            }
        };
        plain.push_str(character);
        rest = &escape[length..];
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn converted(span: Span) -> Json {
        serde_json::to_value(to_ui(&Trace::new(vec![span]))).unwrap()
    }

    #[test]
    fn a_link_to_the_parent_says_which_parent_it_is() {
        let trace_id = TraceId([1; 16]);
        let link = |span_id: u8, ref_type: &str| Link {
            trace_id,
            span_id: SpanId([span_id; 8]),
            attributes: vec![("opentracing.ref_type".to_owned(), ref_type.into())],
            ..Link::default()
        };
        let span = Span {
            trace_id,
            parent_span_id: SpanId([2; 8]),
            links: vec![link(3, "child_of"), link(2, "follows_from")],
            ..Span::default()
        };
        let id = "01010101010101010101010101010101";
        assert_eq!(
            converted(span)["spans"][0]["references"],
            json!([
                {"refType": "FOLLOWS_FROM", "traceID": id, "spanID": "0202020202020202"},
                {"refType": "CHILD_OF", "traceID": id, "spanID": "0303030303030303"},
            ])
        );
    }

    #[test]
    fn values_keep_their_types_where_json_can_hold_them() {
        let attributes = vec![
            ("t".to_owned(), "x".into()),
            ("b".to_owned(), true.into()),
            ("safe".to_owned(), ((1_i64 << 53) - 1).into()),
            ("large".to_owned(), (1_i64 << 53).into()),
            ("f".to_owned(), 1.5.into()),
            ("nan".to_owned(), f64::NAN.into()),
            ("bytes".to_owned(), Value::Bytes(vec![1, 2])),
            ("list".to_owned(), Value::Array(vec!["a".into(), 1.into()])),
            ("none".to_owned(), Value::Empty),
        ];
        let tags = converted(Span { attributes, ..Span::default() })["spans"][0]["tags"].take();
        assert_eq!(
            tags,
            json!([
                {"key": "t", "type": "string", "value": "x"},
                {"key": "b", "type": "bool", "value": true},
                {"key": "safe", "type": "int64", "value": 9_007_199_254_740_991_i64},
                {"key": "large", "type": "int64", "value": "9007199254740992"},
                {"key": "f", "type": "float64", "value": 1.5},
                {"key": "nan", "type": "float64", "value": "NaN"},
                {"key": "bytes", "type": "binary", "value": "AQI="},
                {"key": "list", "type": "string", "value": "[\"a\",1]"},
                {"key": "none", "type": "string", "value": ""},
            ])
        );
    }

    #[test]
    fn lists_are_shown_as_plain_json() {
        let text = r#"["\u003ca\u003e\u0026","\\u003c","\"é\u2028"]"#;
        assert_eq!(plain_json(text), r#"["<a>&","\\u003c","\"é\u2028"]"#);
    }

    #[test]
    fn an_event_shows_its_name_unless_it_has_the_field() {
        let event = |attributes| model::Event {
            name: "named".to_owned(),
            time_ns: 1999,
            attributes,
            ..Default::default()
        };
        let events = vec![event(Vec::new()), event(vec![("event".to_owned(), "own".into())])];
        let logs = converted(Span { events, ..Span::default() })["spans"][0]["logs"].take();
        let field = |value: &str| json!({"timestamp": 1, "fields": [{"key": "event", "type": "string", "value": value}]});
        assert_eq!(logs, json!([field("named"), field("own")]));
    }

    #[test]
    fn short_identifiers_are_shown_short() {
        assert_eq!(show_trace_id("ab".parse().unwrap()), "00000000000000ab");
        assert_eq!(show_trace_id(TraceId([1; 16])), "01010101010101010101010101010101");
    }
}
