//! The few attributes of a span that count, found without decoding the others.

use model::Value;
use otlp::traces::{AttributeRef, merge_key_value, value_of};

/// Attributes that are looked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// In the order of the bytes that they begin with, so that those of one length stand together.
    keys: Vec<Key>,
    /// By the length of a key: the first in `keys` that is as long, or past the end.
    first: Box<[usize; 256]>,
}

#[derive(Debug)]
struct Key {
    name: String,
    /// How a `KeyValue` with this key begins, as every encoder writes it: field 1, length, text.
    prefix: Vec<u8>,
    /// Its place among what was asked for.
    place: usize,
}

/// A value as it was found: bytes, which are read once they are needed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found<'a> {
    /// Of its `AnyValue`.
    Value(&'a [u8]),
    /// Of the `KeyValue`, where that is laid out unusually.
    Pair(&'a [u8]),
}

/// What was found, by the places of what was asked for.
pub(crate) type Row<'a> = Vec<Option<Found<'a>>>;

impl Wanted {
    /// Attributes by name; none twice.
    pub(crate) fn new(names: &[String]) -> Self {
        let mut keys: Vec<Key> = names
            .iter()
            .enumerate()
            .map(|(place, name)| {
                let mut prefix = vec![FIELD_1_BYTES];
                let mut length = name.len();
                while length >= 0x80 {
                    prefix.push(length as u8 | 0x80);
                    length >>= 7;
                }
                prefix.push(length as u8);
                prefix.extend_from_slice(name.as_bytes());
                Key { name: name.clone(), prefix, place }
            })
            .collect();
        keys.sort_by(|left, right| left.prefix.cmp(&right.prefix));
        let mut first = Box::new([keys.len(); 256]);
        for (index, key) in keys.iter().enumerate().rev() {
            first[usize::from(key.prefix[1])] = index;
        }
        Self { keys, first }
    }

    /// How many are looked for.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Finds what is wanted among the attributes of a span. Of attributes with one key the first counts.
    pub(crate) fn find<'a>(&self, attributes: &[AttributeRef<'a>], row: &mut Row<'a>) {
        row.fill(None);
        for attribute in attributes {
            let raw = attribute.raw();
            match raw {
                [FIELD_1_BYTES, length, ..] => {
                    for key in &self.keys[self.first[usize::from(*length)]..] {
                        if key.prefix[1] != *length {
                            break;
                        }
                        if !raw.starts_with(&key.prefix) {
                            continue;
                        }
                        if row[key.place].is_none() {
                            let value = usual_value(&raw[key.prefix.len()..]);
                            row[key.place] = Some(value.map_or(Found::Pair(raw), Found::Value));
                        }
                        break;
                    }
                }
                _ => self.find_unusual(raw, row),
            }
        }
    }

    #[cold]
    fn find_unusual<'a>(&self, raw: &'a [u8], row: &mut Row<'a>) {
        let (name, _) = merge_key_value(raw);
        let key = self.keys.iter().find(|key| key.name == name);
        if let Some(found) = key.and_then(|key| row.get_mut(key.place))
            && found.is_none()
        {
            *found = Some(Found::Pair(raw));
        }
    }
}

/// Tag of field 1 with a length, in a `KeyValue` the key, in an `AnyValue` a text.
const FIELD_1_BYTES: u8 = 1 << 3 | 2;
/// Tag of field 2 with a length, in a `KeyValue` the value.
const FIELD_2_BYTES: u8 = 2 << 3 | 2;
/// Tag of field 3 as a varint, in an `AnyValue` a whole number.
const FIELD_3_VARINT: u8 = 3 << 3;

/// The value of a `KeyValue` of which this stands behind the key, if it is a short one and nothing else follows.
#[inline]
fn usual_value(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [FIELD_2_BYTES, length @ 0..0x80, value @ ..] if usize::from(*length) == value.len() => Some(value),
        _ => None,
    }
}

impl Found<'_> {
    /// Appends the value as text.
    pub(crate) fn write_text(&self, out: &mut Vec<u8>) {
        match self {
            // A text shorter than 128 bytes, as nearly all are.
            Self::Value([FIELD_1_BYTES, length, text @ ..]) if usize::from(*length) == text.len() => {
                out.extend_from_slice(text);
            }
            // A whole number below 16,384: two bytes of a varint at most.
            Self::Value([FIELD_3_VARINT, low]) if *low < 0x80 => write_number(u16::from(*low), out),
            Self::Value([FIELD_3_VARINT, low, high]) if *low >= 0x80 && *high < 0x80 => {
                write_number(u16::from(*low & 0x7f) | u16::from(*high) << 7, out);
            }
            other => out.extend_from_slice(other.text().as_bytes()),
        }
    }

    /// The value as text.
    pub(crate) fn text(&self) -> String {
        match self.value() {
            Value::String(text) => text,
            other => otlp::value::to_text(&other).into_owned(),
        }
    }

    /// The value.
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Value(raw) => value_of(raw),
            Self::Pair(raw) => merge_key_value(raw).1,
        }
    }
}

fn write_number(mut number: u16, out: &mut Vec<u8>) {
    let mut digits = [0; 5];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::KeyValue;
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use prost::Message;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn texts(wanted: &[&str], attributes: &[(&str, Value)]) -> Vec<Option<String>> {
        let attributes = attributes
            .iter()
            .map(|(key, value)| KeyValue {
                key: (*key).to_owned(),
                value: Some(otlp::value::to_any(value)),
                ..KeyValue::default()
            })
            .collect();
        let span = Span { trace_id: vec![1; 16], span_id: vec![1; 8], attributes, ..Span::default() };
        let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        let bytes = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let (batch, _) = otlp::traces::decode(&bytes, &otlp::traces::Limits::default()).unwrap();
        let wanted = Wanted::new(&names(wanted));
        let mut row = vec![None; wanted.len()];
        wanted.find(batch.attributes(&batch.spans()[0].attributes), &mut row);
        row.iter()
            .map(|found| {
                let mut text = Vec::new();
                let found = found.as_ref()?;
                found.write_text(&mut text);
                assert_eq!(text, found.text().as_bytes());
                Some(String::from_utf8(text).unwrap())
            })
            .collect()
    }

    #[test]
    fn values_are_found_by_key_as_text() {
        let long = "x".repeat(300);
        let attributes = [
            ("a.bcd", Value::String("no".to_owned())),
            ("a.bce", Value::Int(200)),
            ("z", Value::Int(7)),
            ("empty", Value::Empty),
            ("long", Value::String(long.clone())),
            ("big", Value::Int(-1)),
            ("truth", Value::Bool(true)),
            (&long, Value::Int(16_384)),
            ("z", Value::Int(8)),
        ];
        let wanted = ["z", "a.bce", "none", "empty", "long", "big", "truth", &long, "a.bcx"];
        let expected = [
            Some("7"),
            Some("200"),
            None,
            Some(""),
            Some(&*long),
            Some("-1"),
            Some("true"),
            Some("16384"),
            None,
        ];
        let expected: Vec<Option<String>> =
            expected.into_iter().map(|text: Option<&str>| text.map(str::to_owned)).collect();
        assert_eq!(texts(&wanted, &attributes), expected);
    }

    #[test]
    fn numbers_are_written_in_decimal() {
        for number in [0, 9, 10, 127, 128, 404, 9999, 16_383] {
            let mut out = Vec::new();
            write_number(number, &mut out);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
