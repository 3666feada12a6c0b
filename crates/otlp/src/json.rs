//! OTLP/JSON to OTLP/protobuf, field by field, so that everything behind it sees one encoding.
//!
//! The mapping is protobuf's own JSON mapping with what OTLP says otherwise
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>): names in lowerCamelCase only, trace and span
//! identifiers in hexadecimal, enumerations as integers only, unknown fields ignored. 64-bit integers may be numbers or
//! strings; floating point numbers may be strings as well, `NaN`, `Infinity` and `-Infinity` among them; `null` is the
//! same as not there.
//!
//! - [`schema`]: the messages as tables.
//! - `wire`: writing protobuf.

mod scalar;
mod schema;
mod wire;

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::{Error, Result};
use schema::{Field, Kind, Message};

/// Which request a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// `ExportTraceServiceRequest`
    Traces,
    /// `ExportLogsServiceRequest`
    Logs,
    /// `ExportMetricsServiceRequest`
    Metrics,
}

/// How strictly a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OTLP/JSON as the specification has it.
    Otlp,
    /// Also what protobuf's plain JSON mapping writes: identifiers in base 64, enumerations by name, fields as the
    /// proto file writes them. For files that
    /// other tools wrote.
    ProtoJson,
}

/// Reads an `Export…ServiceRequest` in JSON and writes it in protobuf.
///
/// Nesting is limited by `serde_json`, to 128 objects and lists. Identifiers of a wrong length are kept as they are:
/// what decodes them leaves them out and says so.
pub fn to_protobuf(request: Request, dialect: Dialect, json: &[u8]) -> Result<Vec<u8>> {
    let message = match request {
        Request::Traces => &schema::TRACE_REQUEST,
        Request::Logs => &schema::LOGS_REQUEST,
        Request::Metrics => &schema::METRICS_REQUEST,
    };
    // Protobuf is smaller than JSON, by half or more.
    let mut protobuf = Vec::with_capacity(json.len() / 2);
    let mut reader = serde_json::Deserializer::from_slice(json);
    let result = MessageSeed { message, dialect, out: &mut protobuf }
        .deserialize(&mut reader)
        .and_then(|()| reader.end());
    result.map_err(|error| Error::Json(error.to_string()))?;
    Ok(protobuf)
}

/// Appends the fields of a message.
struct MessageSeed<'a> {
    message: &'static Message,
    dialect: Dialect,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object ({})", self.message.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { message, dialect, out } = self;
        while let Some(known) = map.next_key_seed(KeySeed(message, dialect))? {
            match known {
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some(field) if field.repeated => {
                    map.next_value_seed(Nullable(RepeatedSeed { field, dialect, out }))?;
                }
                Some(field) => {
                    map.next_value_seed(Nullable(ValueSeed { field, tagged: true, dialect, out }))?;
                }
            }
        }
        Ok(())
    }
}

/// Looks a key up without keeping it.
struct KeySeed(&'static Message, Dialect);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let Self(message, dialect) = self;
        let is_meant = |field: &&Field| {
            field.name == name || (dialect == Dialect::ProtoJson && is_proto_name(name, field.name))
        };
        Ok(message.fields.iter().find(is_meant))
    }
}

/// Whether a name is how the proto file writes a field: `trace_id` for `traceId`.
fn is_proto_name(name: &str, camel: &str) -> bool {
    let mut letters = name.chars();
    camel.chars().all(|letter| {
        if letter.is_ascii_uppercase() {
            letters.next() == Some('_') && letters.next() == Some(letter.to_ascii_lowercase())
        } else {
            letters.next() == Some(letter)
        }
    }) && letters.next().is_none()
}

/// `null` writes nothing.
struct Nullable<S>(S);

impl<'de, S: DeserializeSeed<'de, Value = ()>> DeserializeSeed<'de> for Nullable<S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, S: DeserializeSeed<'de, Value = ()>> Visitor<'de> for Nullable<S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.deserialize(deserializer)
    }
}

/// The elements of a repeated field; numbers are packed.
struct RepeatedSeed<'a> {
    field: &'static Field,
    dialect: Dialect,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for RepeatedSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RepeatedSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list ({})", self.field.name)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Self { field, dialect, out } = self;
        if field.kind.is_packed() {
            let start = wire::begin_nested(out, field.number);
            while elements.next_element_seed(ValueSeed { field, tagged: false, dialect, out })?.is_some() {}
            wire::end_nested(out, start);
        } else {
            while elements.next_element_seed(ValueSeed { field, tagged: true, dialect, out })?.is_some() {}
        }
        Ok(())
    }
}

/// One value, with its field's key before it unless it stands in a packed list.
struct ValueSeed<'a> {
    field: &'static Field,
    tagged: bool,
    dialect: Dialect,
    out: &'a mut Vec<u8>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.field.kind {
            Kind::Message(message) => {
                let start = wire::begin_nested(self.out, self.field.number);
                MessageSeed { message: message(), dialect: self.dialect, out: self.out }
                    .deserialize(deserializer)?;
                wire::end_nested(self.out, start);
                Ok(())
            }
            Kind::Bool => {
                let value: bool = serde::Deserialize::deserialize(deserializer)?;
                self.number(u64::from(value));
                Ok(())
            }
            Kind::String | Kind::Hex | Kind::Base64 => deserializer.deserialize_str(self),
            // Numbers may be strings.
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl ValueSeed<'_> {
    /// Writes bits in the way of the field's kind.
    fn number(self, bits: u64) {
        if self.tagged {
            wire::key(self.out, self.field.number, self.field.kind.wire_type());
        }
        match self.field.kind.wire_type() {
            wire::FIXED64 => self.out.extend_from_slice(&bits.to_le_bytes()),
            wire::FIXED32 => self.out.extend_from_slice(&(bits as u32).to_le_bytes()),
            _ => wire::varint(self.out, bits),
        }
    }

    fn integer<E: serde::de::Error>(self, value: i128) -> Result<(), E> {
        let bits = scalar::integer_bits(self.field.kind, value)
            .ok_or_else(|| E::custom(format_args!("{} of {value} is out of range", self.field.name)))?;
        self.number(bits);
        Ok(())
    }
}

impl Visitor<'_> for ValueSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.field.kind.expected(), self.field.name)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        if self.field.kind.is_double() {
            self.number((value as f64).to_bits());
            return Ok(());
        }
        self.integer(i128::from(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        if self.field.kind.is_double() {
            self.number((value as f64).to_bits());
            return Ok(());
        }
        self.integer(i128::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        if self.field.kind.is_double() {
            self.number(value.to_bits());
            return Ok(());
        }
        match scalar::whole(value) {
            Some(whole) => self.integer(whole),
            None => Err(E::invalid_type(serde::de::Unexpected::Float(value), &self)),
        }
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        let unexpected = serde::de::Unexpected::Str(value);
        match self.field.kind {
            Kind::String => wire::bytes(self.out, self.field.number, value.as_bytes()),
            Kind::Hex | Kind::Base64 => {
                let decoded = scalar::binary(self.field.kind, self.dialect, value);
                let decoded = decoded.ok_or_else(|| E::invalid_value(unexpected, &self))?;
                wire::bytes(self.out, self.field.number, &decoded);
            }
            Kind::Double => {
                let parsed = scalar::double(value).ok_or_else(|| E::invalid_value(unexpected, &self))?;
                self.number(parsed.to_bits());
            }
            Kind::Enum(names) => {
                let named =
                    names.iter().find(|(name, _)| self.dialect == Dialect::ProtoJson && *name == value);
                let (_, number) = named.ok_or_else(|| E::invalid_type(unexpected, &self))?;
                return self.integer(i128::from(*number));
            }
            _ => {
                let parsed = value.parse().map_err(|_| E::invalid_value(unexpected, &self))?;
                return self.integer(parsed);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
