//! Traces as Tempo and Jaeger answer them, reduced to what is checked.

use std::collections::HashMap;

use anyhow::Context;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use model::SpanId;
use reqwest::Client;
use serde_json::Value;

use crate::client::get_json;

/// What is checked of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) service: String,
    /// Whether it says which database it asked.
    pub(super) is_database: bool,
}

/// Semantic conventions before and after their change of name.
const DATABASE_KEYS: [&str; 2] = ["db.system.name", "db.system"];

/// Asks Tempo's trace by id, version 2.
pub(super) async fn in_tempo(client: &Client, url: &str) -> anyhow::Result<Vec<Span>> {
    tempo_spans(&get_json(client, url, &[]).await?).context("the answer is not shaped like Tempo's")
}

/// Asks Jaeger's trace by id.
pub(super) async fn in_jaeger(client: &Client, url: &str) -> anyhow::Result<Vec<Span>> {
    jaeger_spans(&get_json(client, url, &[]).await?).context("the answer is not shaped like Jaeger's")
}

fn tempo_spans(answer: &Value) -> Option<Vec<Span>> {
    let trace = answer.get("trace")?;
    let mut spans = Vec::new();
    for resource in array(trace, "resourceSpans") {
        let attributes = array(&resource["resource"], "attributes");
        let service = attributes.iter().find(|attribute| attribute["key"] == "service.name")?;
        let service = service["value"]["stringValue"].as_str()?;
        for span in array(resource, "scopeSpans").iter().flat_map(|scope| array(scope, "spans")) {
            let keys = array(span, "attributes").iter().filter_map(|attribute| attribute["key"].as_str());
            spans.push(Span {
                id: span_id(span["spanId"].as_str()?)?,
                parent: span["parentSpanId"].as_str().and_then(span_id),
                service: service.to_owned(),
                is_database: keys.into_iter().any(|key| DATABASE_KEYS.contains(&key)),
            });
        }
    }
    Some(spans)
}

fn jaeger_spans(answer: &Value) -> Option<Vec<Span>> {
    let mut spans = Vec::new();
    for trace in answer.get("data")?.as_array()? {
        let processes: HashMap<&str, &str> = trace["processes"]
            .as_object()?
            .iter()
            .filter_map(|(id, process)| Some((id.as_str(), process["serviceName"].as_str()?)))
            .collect();
        for span in array(trace, "spans") {
            let parent =
                array(span, "references").iter().find(|reference| reference["refType"] == "CHILD_OF");
            let keys = array(span, "tags").iter().filter_map(|tag| tag["key"].as_str());
            spans.push(Span {
                id: span_id(span["spanID"].as_str()?)?,
                parent: parent.and_then(|parent| span_id(parent["spanID"].as_str()?)),
                service: (*processes.get(span["processID"].as_str()?)?).to_owned(),
                is_database: keys.into_iter().any(|key| DATABASE_KEYS.contains(&key)),
            });
        }
    }
    Some(spans)
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Hex as in OTLP/JSON and Jaeger, or base64 as protobuf's JSON has it and Tempo with it.
fn span_id(text: &str) -> Option<SpanId> {
    let id = match text.len() {
        16 => text.parse().ok()?,
        _ => SpanId::from_slice(&BASE64_STANDARD.decode(text).ok()?)?,
    };
    (!SpanId::is_zero(id)).then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expected() -> Vec<Span> {
        let span = |id: u8, parent: Option<u8>, service: &str, is_database| Span {
            id: SpanId([id; 8]),
            parent: parent.map(|parent| SpanId([parent; 8])),
            service: service.to_owned(),
            is_database,
        };
        vec![
            span(2, Some(1), "users", false),
            span(3, Some(2), "albums", true),
            span(4, None, "albums", true),
        ]
    }

    #[test]
    fn tempos_answer_is_read_with_ids_in_hex_and_in_base64() {
        let service =
            |name: &str| json!({"attributes": [{"key": "service.name", "value": {"stringValue": name}}]});
        let answer = json!({"trace": {"resourceSpans": [
            {"resource": service("users"), "scopeSpans": [{"spans": [
                {"spanId": "0202020202020202", "parentSpanId": "0101010101010101", "attributes": []}
            ]}]},
            {"resource": service("albums"), "scopeSpans": [{"spans": [
                {"spanId": "AwMDAwMDAwM=", "parentSpanId": "AgICAgICAgI=", "attributes": [{"key": "db.system.name"}]},
                {"spanId": "BAQEBAQEBAQ=", "parentSpanId": "", "attributes": [{"key": "db.system"}]}
            ]}]}
        ]}});
        assert_eq!(tempo_spans(&answer), Some(expected()));
        assert_eq!(tempo_spans(&json!({"trace": {}})), Some(Vec::new()));
        assert_eq!(tempo_spans(&json!({"batches": []})), None);
    }

    #[test]
    fn jaegers_answer_is_read() {
        let child_of = |id: &str| json!([{"refType": "CHILD_OF", "traceID": "1", "spanID": id}]);
        let answer = json!({"data": [{
            "processes": {"p1": {"serviceName": "users"}, "p2": {"serviceName": "albums"}},
            "spans": [
                {"spanID": "0202020202020202", "processID": "p1", "references": child_of("0101010101010101"), "tags": []},
                {"spanID": "0303030303030303", "processID": "p2", "references": child_of("0202020202020202"),
                 "tags": [{"key": "db.system.name", "type": "string", "value": "sqlite"}]},
                {"spanID": "0404040404040404", "processID": "p2", "references": [], "tags": [{"key": "db.system"}]}
            ]
        }]});
        assert_eq!(jaeger_spans(&answer), Some(expected()));
        assert_eq!(jaeger_spans(&json!({"data": null, "errors": []})), None);
    }
}
