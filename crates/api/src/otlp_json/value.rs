//! Attributes and their values, which both dialects write alike.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use model::{KeyValue, Value};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A list of `KeyValue` messages.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a>(pub &'a [KeyValue]);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Attribute))
    }
}

struct Attribute<'a>(&'a KeyValue);

impl Serialize for Attribute<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (key, value) = self.0;
        let mut map = serializer.serialize_map(None)?;
        if !key.is_empty() {
            map.serialize_entry("key", key)?;
        }
        map.serialize_entry("value", &AnyValue(value))?;
        map.end()
    }
}

struct AnyValue<'a>(&'a Value);

impl Serialize for AnyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Value::Empty => {}
            Value::String(text) => map.serialize_entry("stringValue", text)?,
            Value::Bool(truth) => map.serialize_entry("boolValue", truth)?,
            Value::Int(number) => map.serialize_entry("intValue", &number.to_string())?,
            Value::Double(number) => map.serialize_entry("doubleValue", &Double(*number))?,
            Value::Bytes(bytes) => map.serialize_entry("bytesValue", &BASE64_STANDARD.encode(bytes))?,
            Value::Array(values) => map.serialize_entry("arrayValue", &Array(values))?,
            Value::KvList(values) => map.serialize_entry("kvlistValue", &KvList(values))?,
        }
        map.end()
    }
}

/// A double; JSON has no numbers for those that are not finite, so they are texts.
struct Double(f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            number if number.is_nan() => serializer.serialize_str("NaN"),
            f64::INFINITY => serializer.serialize_str("Infinity"),
            f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            number => serializer.serialize_f64(number),
        }
    }
}

struct Array<'a>(&'a [Value]);

impl Serialize for Array<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Values<'a>(&'a [Value]);
        impl Serialize for Values<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.0.iter().map(AnyValue))
            }
        }
        let mut map = serializer.serialize_map(None)?;
        if !self.0.is_empty() {
            map.serialize_entry("values", &Values(self.0))?;
        }
        map.end()
    }
}

struct KvList<'a>(&'a [KeyValue]);

impl Serialize for KvList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.0.is_empty() {
            map.serialize_entry("values", &Attributes(self.0))?;
        }
        map.end()
    }
}
