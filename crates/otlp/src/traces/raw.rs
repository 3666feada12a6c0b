//! Attributes and values that are still protobuf bytes.
//!
//! A `KeyValue` stays a slice until somebody asks for it: a store that keeps equal attributes once compares the bytes
//! and never looks inside. Protobuf allows a field to be repeated and means by it that the parts are merged; the
//! functions here do that, so they agree with every other protobuf library.

use model::{KeyValue, Value};

use super::MAX_DEPTH;
use super::wire::{BYTES, Reader};

/// One attribute: the bytes of a `KeyValue` message, already checked by [`decode`](super::decode).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttributeRef<'a> {
    raw: &'a [u8],
}

impl<'a> AttributeRef<'a> {
    pub(crate) fn new(raw: &'a [u8]) -> Self {
        Self { raw }
    }

    /// The whole message.
    #[inline]
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Key and the bytes of the `AnyValue`, if the message is laid out as every encoder lays it out: the key, then the
    /// value, each once, nothing else. `None` for other layouts; [`key_value`](Self::key_value) reads them all.
    #[inline]
    pub fn split(self) -> Option<(&'a str, &'a [u8])> {
        let mut reader = Reader::new(self.raw);
        if reader.key().ok()? != (1, BYTES) {
            return None;
        }
        let key = reader.bytes().ok()?;
        if reader.key().ok()? != (2, BYTES) {
            return None;
        }
        let value = reader.bytes().ok()?;
        if !reader.is_empty() {
            return None;
        }
        Some((std::str::from_utf8(key).ok()?, value))
    }

    /// Key and value, owned.
    pub fn key_value(self) -> KeyValue {
        merge_key_value(self.raw)
    }
}

/// Key and value of the bytes of a `KeyValue`. Bytes that are no such message give what could be read of them.
pub fn merge_key_value(raw: &[u8]) -> KeyValue {
    key_value_at(raw, 0)
}

/// The value of the bytes of an `AnyValue`.
pub fn value_of(raw: &[u8]) -> Value {
    let mut value = Value::Empty;
    merge_value(&mut value, raw);
    value
}

/// Merges the bytes of an `AnyValue` into a value: the last field counts, lists of one kind are joined.
pub fn merge_value(value: &mut Value, raw: &[u8]) {
    let _ = merge_value_at(value, raw, 0);
}

/// The attributes (field 1 or any other) of a message's bytes: every `KeyValue` under a field number.
pub fn attributes_of(raw: &[u8], field: u32) -> Vec<KeyValue> {
    let mut attributes = Vec::new();
    let mut reader = Reader::new(raw);
    while !reader.is_empty() {
        let Ok((number, wire)) = reader.key() else { break };
        if (number, wire) == (field, BYTES) {
            let Ok(raw) = reader.bytes() else { break };
            attributes.push(merge_key_value(raw));
        } else if reader.skip(number, wire).is_err() {
            break;
        }
    }
    attributes
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn key_value_at(raw: &[u8], depth: usize) -> KeyValue {
    let mut key = String::new();
    let mut value = Value::Empty;
    let mut reader = Reader::new(raw);
    while !reader.is_empty() {
        let Ok((number, wire)) = reader.key() else { break };
        let done = match (number, wire) {
            (1, BYTES) => reader.bytes().map(|bytes| key = text(bytes)).is_ok(),
            (2, BYTES) => {
                reader.bytes().is_ok_and(|bytes| merge_value_at(&mut value, bytes, depth).is_some())
            }
            _ => reader.skip(number, wire).is_ok(),
        };
        if !done {
            break;
        }
    }
    (key, value)
}

/// `None` where reading had to stop.
fn merge_value_at(value: &mut Value, raw: &[u8], depth: usize) -> Option<()> {
    if depth >= MAX_DEPTH {
        return None;
    }
    let mut reader = Reader::new(raw);
    while !reader.is_empty() {
        let (number, wire) = reader.key().ok()?;
        match number {
            1 => *value = Value::String(text(reader.bytes().ok()?)),
            2 => *value = Value::Bool(reader.varint().ok()? != 0),
            3 => *value = Value::Int(reader.varint().ok()? as i64),
            4 => *value = Value::Double(f64::from_bits(reader.fixed64().ok()?)),
            5 => {
                if !matches!(value, Value::Array(_)) {
                    *value = Value::Array(Vec::new());
                }
                let mut list = reader.message().ok()?;
                while !list.is_empty() {
                    let (number, wire) = list.key().ok()?;
                    if (number, wire) == (1, BYTES) {
                        let mut element = Value::Empty;
                        merge_value_at(&mut element, list.bytes().ok()?, depth + 1)?;
                        if let Value::Array(elements) = value {
                            elements.push(element);
                        }
                    } else {
                        list.skip(number, wire).ok()?;
                    }
                }
            }
            6 => {
                if !matches!(value, Value::KvList(_)) {
                    *value = Value::KvList(Vec::new());
                }
                let mut list = reader.message().ok()?;
                while !list.is_empty() {
                    let (number, wire) = list.key().ok()?;
                    if (number, wire) == (1, BYTES) {
                        let pair = key_value_at(list.bytes().ok()?, depth + 1);
                        if let Value::KvList(pairs) = value {
                            pairs.push(pair);
                        }
                    } else {
                        list.skip(number, wire).ok()?;
                    }
                }
            }
            7 => *value = Value::Bytes(reader.bytes().ok()?.to_vec()),
            8 => {
                // An index into a string table that only profiles have: here it stands for nothing.
                reader.varint().ok()?;
                *value = Value::Empty;
            }
            _ => reader.skip(number, wire).ok()?,
        }
    }
    Some(())
}
