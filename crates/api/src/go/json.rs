//! `encoding/json`: floats without a needless fraction, and `<`, `>`, `&` escaped.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

/// A value as JSON, in the bytes that Go would write.
///
/// # Errors
/// Where the value cannot be JSON: a map whose keys are no texts.
pub fn to_json(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    write(value, CompactFormatter)
}

/// The same with four spaces of indentation.
///
/// # Errors
/// As [`to_json`].
pub fn to_json_pretty(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    write(value, PrettyFormatter::with_indent(b"    "))
}

fn write(value: &impl Serialize, formatter: impl Formatter) -> serde_json::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(1024);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, Go(formatter)))?;
    Ok(bytes)
}

/// Go's way of strings and floats around another formatter's layout.
struct Go<F>(F);

impl<F: Formatter> Formatter for Go<F> {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(otlp::value::double_to_text(value).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let mut characters = rest[at..].chars();
            let special = characters.next().map_or(0, u32::from);
            write!(writer, "\\u{special:04x}")?;
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_are_those_of_go() {
        let value = json!({"a": 1.0, "b": "<&>\u{2028}\"\n", "c": [1e-7, 1e21, 0.5, -0.0, 100.0]});
        let text = String::from_utf8(to_json(&value).unwrap()).unwrap();
        assert_eq!(text, r#"{"a":1,"b":"\u003c\u0026\u003e\u2028\"\n","c":[1e-7,1e+21,0.5,-0,100]}"#);
        let pretty = String::from_utf8(to_json_pretty(&json!({"a": [1], "b": []})).unwrap()).unwrap();
        assert_eq!(pretty, "{\n    \"a\": [\n        1\n    ],\n    \"b\": []\n}");
    }
}
