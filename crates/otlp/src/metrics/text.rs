//! Attribute values as label values: what `AsString` gives in the collector's data model.

use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::number::Short;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};

/// Deepest nesting of lists and maps that is written out; what lies deeper is left out.
const MAX_DEPTH: usize = 16;

/// The value of an attribute as a text: lists and maps as JSON, bytes in base64.
pub(super) fn of(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        None | Some(Value::StringValueStrindex(_)) => String::new(),
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::BytesValue(bytes)) => STANDARD.encode(bytes),
        Some(other) => {
            let mut out = String::new();
            write_json(&mut out, other, 0);
            out
        }
    }
}

fn write_json(out: &mut String, value: &Value, depth: usize) {
    let nested =
        |out: &mut String, value: &Option<AnyValue>| match value.as_ref().and_then(|it| it.value.as_ref()) {
            Some(inner) if depth < MAX_DEPTH => write_json(out, inner, depth + 1),
            _ => out.push_str("null"),
        };
    match value {
        Value::StringValue(text) => quote(out, text),
        Value::BoolValue(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::IntValue(number) => _ = write!(out, "{number}"),
        Value::DoubleValue(number) => out.push_str(&double(*number)),
        Value::BytesValue(bytes) => quote(out, &STANDARD.encode(bytes)),
        Value::StringValueStrindex(_) => out.push_str("null"),
        Value::ArrayValue(array) => {
            out.push('[');
            for (index, item) in array.values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                nested(out, &Some(item.clone()));
            }
            out.push(']');
        }
        Value::KvlistValue(list) => {
            out.push('{');
            // Go writes the keys of a map in order, and of a key that comes twice the last value.
            for (index, (key, value)) in sorted(&list.values).into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                quote(out, key);
                out.push(':');
                nested(out, value);
            }
            out.push('}');
        }
    }
}

fn sorted(pairs: &[KeyValue]) -> Vec<(&str, &Option<AnyValue>)> {
    let by_key: std::collections::BTreeMap<_, _> =
        pairs.iter().map(|pair| (pair.key.as_str(), &pair.value)).collect();
    by_key.into_iter().collect()
}

/// As Go's `encoding/json` writes a double: the exponent without a leading zero.
fn double(number: f64) -> String {
    if !number.is_finite() {
        return format!("json: unsupported value: {}", Short(number));
    }
    let text = Short(number).to_string();
    match text.split_once("e-0") {
        Some((digits, exponent)) => format!("{digits}e-{exponent}"),
        None => text,
    }
}

fn quote(out: &mut String, text: &str) {
    // A string always has a JSON form.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValueList};

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    fn pair(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.to_owned(), value: Some(any(value)), ..KeyValue::default() }
    }

    #[test]
    fn as_the_collector_prints() {
        let text = |value| of(Some(&any(value)));
        assert_eq!(of(None), "");
        assert_eq!(text(Value::StringValue("a\"b".to_owned())), "a\"b");
        assert_eq!(text(Value::BoolValue(true)), "true");
        assert_eq!(text(Value::IntValue(-7)), "-7");
        assert_eq!(text(Value::DoubleValue(1.5)), "1.5");
        assert_eq!(text(Value::DoubleValue(3.0)), "3");
        assert_eq!(text(Value::DoubleValue(1e-7)), "1e-7");
        assert_eq!(text(Value::DoubleValue(f64::NAN)), "json: unsupported value: NaN");
        assert_eq!(text(Value::BytesValue(vec![1, 2, 255])), "AQL/");
        let list = Value::ArrayValue(ArrayValue {
            values: vec![
                any(Value::StringValue("x<y".to_owned())),
                any(Value::IntValue(1)),
                AnyValue::default(),
            ],
        });
        assert_eq!(text(list.clone()), r#"["x<y",1,null]"#);
        let map = Value::KvlistValue(KeyValueList {
            values: vec![pair("b", list), pair("a", Value::BoolValue(false))],
        });
        assert_eq!(text(map), r#"{"a":false,"b":["x<y",1,null]}"#);
    }

    #[test]
    fn deep_values_end() {
        let mut value = Value::IntValue(1);
        for _ in 0..100 {
            value = Value::ArrayValue(ArrayValue { values: vec![any(value)] });
        }
        assert!(of(Some(&any(value))).len() < 50);
    }
}
