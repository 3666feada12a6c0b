//! Attribute values between the model and protobuf, and as text.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{KeyValue, Value};
use opentelemetry_proto::tonic::common::v1 as pb;
use pb::any_value::Value as Any;

/// A value as protobuf has it; an empty one is an `AnyValue` with nothing set.
pub fn to_any(value: &Value) -> pb::AnyValue {
    let value = match value {
        Value::Empty => None,
        Value::String(text) => Some(Any::StringValue(text.clone())),
        Value::Bool(truth) => Some(Any::BoolValue(*truth)),
        Value::Int(number) => Some(Any::IntValue(*number)),
        Value::Double(number) => Some(Any::DoubleValue(*number)),
        Value::Bytes(bytes) => Some(Any::BytesValue(bytes.clone())),
        Value::Array(values) => {
            Some(Any::ArrayValue(pb::ArrayValue { values: values.iter().map(to_any).collect() }))
        }
        Value::KvList(pairs) => Some(Any::KvlistValue(pb::KeyValueList { values: to_pairs(pairs) })),
    };
    pb::AnyValue { value }
}

/// A value from protobuf. An index into a string table, which only profiles have, is empty.
pub fn from_any(value: pb::AnyValue) -> Value {
    match value.value {
        None | Some(Any::StringValueStrindex(_)) => Value::Empty,
        Some(Any::StringValue(text)) => Value::String(text),
        Some(Any::BoolValue(truth)) => Value::Bool(truth),
        Some(Any::IntValue(number)) => Value::Int(number),
        Some(Any::DoubleValue(number)) => Value::Double(number),
        Some(Any::BytesValue(bytes)) => Value::Bytes(bytes),
        Some(Any::ArrayValue(list)) => Value::Array(list.values.into_iter().map(from_any).collect()),
        Some(Any::KvlistValue(list)) => Value::KvList(from_pairs(list.values)),
    }
}

/// Attributes as protobuf has them, in order.
pub fn to_pairs(attributes: &[KeyValue]) -> Vec<pb::KeyValue> {
    attributes
        .iter()
        .map(|(key, value)| pb::KeyValue { key: key.clone(), value: Some(to_any(value)), key_strindex: 0 })
        .collect()
}

/// Attributes from protobuf, in order.
pub fn from_pairs(attributes: Vec<pb::KeyValue>) -> Vec<KeyValue> {
    attributes.into_iter().map(|pair| (pair.key, pair.value.map_or(Value::Empty, from_any))).collect()
}

/// A value as text, as the collector and all that is built on it (Tempo, Jaeger, Loki) write it: texts as they are,
/// numbers in decimal, bytes in base64, lists as JSON with sorted keys, nothing for an empty value.
pub fn to_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Empty => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        Value::Bool(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
        Value::Int(number) => Cow::Owned(number.to_string()),
        Value::Double(number) => Cow::Owned(double_to_text(*number)),
        Value::Bytes(bytes) => Cow::Owned(STANDARD.encode(bytes)),
        Value::Array(_) | Value::KvList(_) => {
            let mut text = String::new();
            write_json(value, &mut text);
            Cow::Owned(text)
        }
    }
}

/// A double as Go's `encoding/json` writes it: shortest digits, an exponent below 1e-6 and from 1e21; `NaN`, `+Inf` and
/// `-Inf` as `strconv` has them.
pub fn double_to_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let size = number.abs();
    if size == 0.0 || (1e-6..1e21).contains(&size) {
        return number.to_string();
    }
    // Rust writes 1e21 and 1e-7, Go 1e+21 and 1e-07 shortened to 1e-7.
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if !exponent.starts_with('-') => format!("{digits}e+{exponent}"),
        _ => text,
    }
}

/// Whether a value, written as text, is this text. Doubles are also recognised as Rust writes them.
pub fn text_is(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own == text,
        Value::Double(number) => double_to_text(*number) == text || number.to_string() == text,
        other => to_text(other) == text,
    }
}

fn write_json(value: &Value, out: &mut String) {
    match value {
        Value::Empty => out.push_str("null"),
        Value::String(text) => write_json_text(text, out),
        Value::Bool(_) | Value::Int(_) => out.push_str(&to_text(value)),
        Value::Double(number) if number.is_finite() => out.push_str(&double_to_text(*number)),
        Value::Double(_) | Value::Bytes(_) => write_json_text(&to_text(value), out),
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json(value, out);
            }
            out.push(']');
        }
        Value::KvList(pairs) => {
            // Go sorts the keys of a map, and of a repeated key the last one counts.
            let sorted: std::collections::BTreeMap<&str, &Value> =
                pairs.iter().map(|(key, value)| (key.as_str(), value)).collect();
            out.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_json_text(key, out);
                out.push(':');
                write_json(value, out);
            }
            out.push('}');
        }
    }
}

/// A JSON text with the escapes of Go's encoder, which also hides `<`, `>`, `&` and the two line separators.
fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..'\u{20}' => {
                let _ = write!(out, "\\u{:04x}", character as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_as_go_writes_them() {
        for (number, text) in [
            (72.5, "72.5"),
            (1.0, "1"),
            (-0.0, "-0"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (1e-7, "1e-7"),
            (0.000_001, "0.000001"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(double_to_text(number), text);
        }
        assert!(
            text_is(&Value::Double(1e21), "1e+21") && text_is(&Value::Double(1e21), "1000000000000000000000")
        );
        assert!(!text_is(&Value::Int(1), "1.0"));
    }

    #[test]
    fn lists_are_json_with_sorted_keys() {
        let value = Value::KvList(vec![
            ("b".into(), Value::Array(vec![Value::Int(1), Value::Empty, Value::Bytes(vec![1, 2])])),
            ("a".into(), "<\u{1}\"".into()),
        ]);
        assert_eq!(to_text(&value), r#"{"a":"\u003c\u0001\"","b":[1,null,"AQI="]}"#);
    }
}
