//! Exemplars, with `trace_id` and `span_id` as labels.

use std::fmt::Write;

use model::{Exemplar, Labels};
use opentelemetry_proto::tonic::metrics::v1::{Exemplar as Sent, exemplar::Value};

use crate::logs::text;

/// Most characters of an exemplar's labels together (OpenMetrics 1.0); past it the filtered attributes are left out.
const MAX_CHARACTERS: usize = 128;

/// The exemplars of a data point, in the order in which they came. One without a value is left out.
pub(super) fn of(sent: &[Sent]) -> Vec<Exemplar> {
    sent.iter().filter_map(one).collect()
}

fn one(sent: &Sent) -> Option<Exemplar> {
    let value = match sent.value? {
        Value::AsDouble(value) => value,
        Value::AsInt(value) => value as f64,
    };
    let mut labels = Vec::new();
    // An identifier of another length is no identifier; all zeros means none.
    let is_set = |id: &[u8], length| id.len() == length && id.iter().any(|byte| *byte != 0);
    if is_set(&sent.trace_id, 16) {
        labels.push(("trace_id".to_owned(), hex(&sent.trace_id)));
    }
    if is_set(&sent.span_id, 8) {
        labels.push(("span_id".to_owned(), hex(&sent.span_id)));
    }
    let filtered: Vec<(String, String)> = sent
        .filtered_attributes
        .iter()
        .map(|pair| (pair.key.clone(), text::of(pair.value.as_ref())))
        .collect();
    let characters = |pairs: &[(String, String)]| -> usize {
        pairs.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum()
    };
    if characters(&labels) + characters(&filtered) <= MAX_CHARACTERS {
        labels.extend(filtered);
    }
    let time_ms = (sent.time_unix_nano / 1_000_000) as i64;
    Some(Exemplar { labels: Labels::new(labels), value, time_ms })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};

    fn sent(attribute: &str) -> Sent {
        Sent {
            filtered_attributes: vec![KeyValue {
                key: "k".to_owned(),
                value: Some(AnyValue { value: Some(any_value::Value::StringValue(attribute.to_owned())) }),
                ..KeyValue::default()
            }],
            time_unix_nano: 1_999_999,
            trace_id: vec![0xab; 16],
            span_id: vec![0x0c; 8],
            value: Some(Value::AsInt(3)),
        }
    }

    #[test]
    fn identifiers_become_labels() {
        let exemplar = of(&[sent("v")]).remove(0);
        assert_eq!((exemplar.value, exemplar.time_ms), (3.0, 1));
        let expected = format!(r#"{{k="v", span_id="{}", trace_id="{}"}}"#, "0c".repeat(8), "ab".repeat(16));
        assert_eq!(exemplar.labels.to_string(), expected);
    }

    #[test]
    fn attributes_that_are_too_long_are_left_out() {
        let exemplar = of(&[sent(&"x".repeat(100))]).remove(0);
        assert_eq!(exemplar.labels.len(), 2);
        assert!(of(&[Sent { value: None, ..sent("v") }]).is_empty());
        let without = of(&[Sent { trace_id: vec![0; 16], span_id: vec![1], ..sent("v") }]).remove(0);
        assert_eq!(without.labels.to_string(), r#"{k="v"}"#);
    }
}
