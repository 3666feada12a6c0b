//! Values as JSON text in blocks: plain where plain is enough, and always read back exactly.
//!
//! Lists are arrays, maps are objects in their order. What JSON has no word for is an object with one key that begins
//! with `$`: `{"$bytes":"base64"}`, `{"$double":"NaN"}`, and `{"$map":[["$key",1]]}` for a map with such keys. A double
//! always has a point or an exponent, an integer never.

use std::cmp::Ordering;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::{KeyValue, Value};
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Appends a value to JSON text.
pub(crate) fn write(value: &Value, out: &mut String) {
    match value {
        Value::Empty => out.push_str("null"),
        Value::String(text) => write_text(text, out),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Double(number) if number.is_finite() => {
            // Writing into memory does not fail.
            let _ = write!(out, "{number:?}");
        }
        Value::Double(number) => {
            out.push_str("{\"$double\":");
            write_text(&otlp::value::double_to_text(*number), out);
            out.push('}');
        }
        Value::Bytes(bytes) => {
            out.push_str("{\"$bytes\":\"");
            STANDARD.encode_string(bytes, out);
            out.push_str("\"}");
        }
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(value, out);
            }
            out.push(']');
        }
        Value::KvList(pairs) if pairs.iter().any(|(key, _)| key.starts_with('$')) => {
            out.push_str("{\"$map\":[");
            for (index, (key, value)) in pairs.iter().enumerate() {
                out.push_str(if index > 0 { ",[" } else { "[" });
                write_text(key, out);
                out.push(',');
                write(value, out);
                out.push(']');
            }
            out.push_str("]}");
        }
        Value::KvList(pairs) => {
            out.push('{');
            for (index, (key, value)) in pairs.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

/// A value as JSON text.
pub(crate) fn to_json(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// The value of JSON text; `None` if [`write`] could not have written it.
pub(crate) fn from_json(text: &str) -> Option<Value> {
    // Depth is bounded by serde_json, which is deeper than what a request may nest.
    serde_json::from_str::<Json>(text).ok().map(|json| json.0)
}

fn write_text(text: &str, out: &mut String) {
    // Writing a text into memory does not fail.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Empty)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        i64::try_from(number).map(Value::Int).map_err(E::custom)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Double(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Json(value)) = elements.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut pairs: Vec<KeyValue> = Vec::new();
        while let Some((key, Json(value))) = entries.next_entry::<String, Json>()? {
            pairs.push((key, value));
        }
        if !matches!(pairs.as_slice(), [(key, _)] if key.starts_with('$')) {
            return Ok(Value::KvList(pairs));
        }
        let (key, value) = pairs.remove(0);
        special(&key, value).ok_or_else(|| de::Error::custom("unknown special value"))
    }
}

fn special(key: &str, value: Value) -> Option<Value> {
    match (key, value) {
        ("$bytes", Value::String(text)) => STANDARD.decode(text).ok().map(Value::Bytes),
        ("$double", Value::String(text)) => text.parse().ok().map(Value::Double),
        ("$map", Value::Array(entries)) => entries
            .into_iter()
            .map(|entry| match entry {
                Value::Array(mut pair) if pair.len() == 2 => {
                    let value = pair.pop()?;
                    match pair.pop()? {
                        Value::String(key) => Some((key, value)),
                        _ => None,
                    }
                }
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(Value::KvList),
        _ => None,
    }
}

/// An order of values for lists: by type, then numbers by size and the rest by their text.
pub(crate) fn compare(left: &Value, right: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::String(_) => 0,
        Value::Int(_) => 1,
        Value::Double(_) => 2,
        Value::Bool(_) => 3,
        Value::Bytes(_) => 4,
        Value::Array(_) => 5,
        Value::KvList(_) => 6,
        Value::Empty => 7,
    };
    rank(left).cmp(&rank(right)).then_with(|| match (left, right) {
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Double(left), Value::Double(right)) => left.total_cmp(right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        _ => to_json(left).cmp(&to_json(right)),
    })
}

/// The letter of a value's type, and its text, as the attribute columns have them.
pub(crate) fn to_typed_text(value: &Value) -> (char, String) {
    match value {
        Value::Empty => ('n', String::new()),
        Value::String(text) => ('s', text.clone()),
        Value::Bool(_) => ('b', otlp::value::to_text(value).into_owned()),
        Value::Int(_) => ('i', otlp::value::to_text(value).into_owned()),
        Value::Double(_) => ('d', otlp::value::to_text(value).into_owned()),
        Value::Bytes(_) => ('y', otlp::value::to_text(value).into_owned()),
        Value::Array(_) | Value::KvList(_) => ('j', to_json(value)),
    }
}

/// The way back from [`to_typed_text`].
pub(crate) fn from_typed_text(kind: char, text: &str) -> Option<Value> {
    match kind {
        'n' => Some(Value::Empty),
        's' => Some(Value::String(text.to_owned())),
        'b' => text.parse().ok().map(Value::Bool),
        'i' => text.parse().ok().map(Value::Int),
        'd' => text.parse().ok().map(Value::Double),
        'y' => STANDARD.decode(text).ok().map(Value::Bytes),
        'j' => from_json(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Empty),
            ".*".prop_map(Value::String),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<f64>()
                .prop_filter("NaN is not equal to itself", |number| !number.is_nan())
                .prop_map(Value::Double),
            proptest::collection::vec(any::<u8>(), 0..9).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(4, 24, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                proptest::collection::vec(("[$a-c]{0,2}", inner), 0..5).prop_map(Value::KvList),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_come_back(value in value()) {
            prop_assert_eq!(from_json(&to_json(&value)), Some(value.clone()));
            let (kind, text) = to_typed_text(&value);
            prop_assert_eq!(from_typed_text(kind, &text), Some(value));
        }
    }

    #[test]
    fn plain_values_are_plain() {
        let value = Value::KvList(vec![
            ("a".into(), 1.into()),
            ("b".into(), Value::Array(vec![1.0.into(), true.into()])),
        ]);
        assert_eq!(to_json(&value), r#"{"a":1,"b":[1.0,true]}"#);
        let nan = to_json(&Value::Double(f64::NAN));
        assert!(matches!(from_json(&nan), Some(Value::Double(number)) if number.is_nan()));
        assert_eq!(from_json(r#"{"$bytes":1}"#), None);
    }
}
