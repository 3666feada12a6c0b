//! Attribute values and bodies as text, as the collector's data model prints them: strings as they are, numbers as
//! ECMAScript prints them, bytes in base64, lists and maps as JSON with sorted keys and nothing escaped for HTML, which is
//! where it differs from [`crate::value::to_text`].

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValueList, any_value::Value};

/// The text of a value; empty where there is none.
pub fn of(value: Option<&AnyValue>) -> String {
    let Some(value) = value.and_then(|value| value.value.as_ref()) else { return String::new() };
    match value {
        Value::StringValue(text) => text.clone(),
        Value::BoolValue(truth) => truth.to_string(),
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => float(*number),
        Value::BytesValue(bytes) => STANDARD.encode(bytes),
        Value::ArrayValue(_) | Value::KvlistValue(_) => {
            let mut json = String::new();
            // A number that JSON cannot express leaves the text empty, as it does upstream.
            write_json(value, &mut json).map_or_else(|()| String::new(), |()| json)
        }
        // An index into a dictionary that only profiles have.
        Value::StringValueStrindex(_) => String::new(),
    }
}

fn write_json(value: &Value, json: &mut String) -> Result<(), ()> {
    match value {
        Value::StringValue(text) => write_string(text, json),
        Value::BoolValue(truth) => json.push_str(if *truth { "true" } else { "false" }),
        Value::IntValue(number) => _ = write!(json, "{number}"),
        Value::DoubleValue(number) if number.is_finite() => json.push_str(&float(*number)),
        Value::DoubleValue(_) => return Err(()),
        Value::BytesValue(bytes) => write_string(&STANDARD.encode(bytes), json),
        Value::ArrayValue(array) => {
            json.push('[');
            for (index, item) in array.values.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write_optional(Some(item), json)?;
            }
            json.push(']');
        }
        Value::KvlistValue(map) => write_map(map, json)?,
        Value::StringValueStrindex(_) => json.push_str("null"),
    }
    Ok(())
}

fn write_map(map: &KeyValueList, json: &mut String) -> Result<(), ()> {
    // Of a repeated key the last value stays.
    let sorted: BTreeMap<&str, Option<&AnyValue>> =
        map.values.iter().map(|pair| (pair.key.as_str(), pair.value.as_ref())).collect();
    json.push('{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        write_string(key, json);
        json.push(':');
        write_optional(value, json)?;
    }
    json.push('}');
    Ok(())
}

fn write_optional(value: Option<&AnyValue>, json: &mut String) -> Result<(), ()> {
    if let Some(value) = value.and_then(|value| value.value.as_ref()) {
        return write_json(value, json);
    }
    json.push_str("null");
    Ok(())
}

/// A JSON string as Go writes it: as everyone does, and the two line separators that JavaScript stumbles over escaped.
fn write_string(text: &str, json: &mut String) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\u{0}'..='\u{1f}' | '\u{2028}' | '\u{2029}' => _ = write!(json, "\\u{:04x}", character as u32),
            _ => json.push(character),
        }
    }
    json.push('"');
}

/// A double as ECMAScript prints it: the shortest digits that read back, an exponent below 1e-6 and from 1e21.
fn float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{number:e}");
        // Rust writes `1e21`, ECMAScript `1e+21`.
        return if text.contains("e-") { text } else { text.replacen('e', "e+", 1) };
    }
    number.to_string()
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::common::v1::{ArrayValue, KeyValue};

    use super::*;

    fn any(value: Value) -> AnyValue {
        AnyValue { value: Some(value) }
    }

    #[test]
    fn numbers_print_as_ecmascript_prints_them() {
        for (number, text) in [
            (637.704, "637.704"),
            (1.0, "1"),
            (1e-7, "1e-7"),
            (1e21, "1e+21"),
            (123_456_789.0, "123456789"),
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5e300, "1.5e+300"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(float(number), text);
        }
    }

    #[test]
    fn maps_print_as_json_with_sorted_keys() {
        let pair = |key: &str, value| KeyValue {
            key: key.to_owned(),
            value: Some(any(value)),
            ..Default::default()
        };
        let list = ArrayValue { values: vec![any(Value::IntValue(1)), AnyValue { value: None }] };
        let map = KeyValueList {
            values: vec![
                pair("b", Value::StringValue("<a> \"q\" \u{2028}\u{1}".to_owned())),
                pair("a", Value::ArrayValue(list)),
                pair("a.b", Value::DoubleValue(0.5)),
            ],
        };
        let text = of(Some(&any(Value::KvlistValue(map))));
        assert_eq!(text, r#"{"a":[1,null],"a.b":0.5,"b":"<a> \"q\" \u2028\u0001"}"#);
        let not_json = ArrayValue { values: vec![any(Value::DoubleValue(f64::NAN))] };
        assert_eq!(of(Some(&any(Value::ArrayValue(not_json)))), "");
    }
}
