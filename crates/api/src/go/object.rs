//! A JSON object whose values are texts, refused in the words of Go's `encoding/json`.

use promconfig::go_json;
use serde_json::Value;

/// Reads `{"key": "value"}`; `null` is no pair at all, as a value it is the empty text.
pub(crate) fn string_map(text: &str) -> Result<Vec<(String, String)>, String> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| go_json::syntax_error(text.as_bytes(), &error))?;
    let map = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Object(map) => map,
        other => return Err(type_error(&other, "map[string]string")),
    };
    map.into_iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key, text)),
            Value::Null => Ok((key, String::new())),
            other => Err(type_error(&other, "string")),
        })
        .collect()
}

fn type_error(value: &Value, wanted: &str) -> String {
    format!("json: cannot unmarshal {} into Go value of type {wanted}", go_json::kind(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words are those of a Jaeger 2.20 that was asked the same.
    #[test]
    fn what_is_no_map_of_texts_is_refused_in_gos_words() {
        for (text, error) in [
            ("abc", "invalid character 'a' looking for beginning of value"),
            (r#"{"a":1}"#, "json: cannot unmarshal number into Go value of type string"),
            (r#"{"a":[]}"#, "json: cannot unmarshal array into Go value of type string"),
            (r#"{"a":{}}"#, "json: cannot unmarshal object into Go value of type string"),
            (r#"{"a":true}"#, "json: cannot unmarshal bool into Go value of type string"),
            ("[1]", "json: cannot unmarshal array into Go value of type map[string]string"),
            ("1", "json: cannot unmarshal number into Go value of type map[string]string"),
            (r#""a""#, "json: cannot unmarshal string into Go value of type map[string]string"),
            (r#"{"a""#, "unexpected end of JSON input"),
            ("", "unexpected end of JSON input"),
            ("{}{", "invalid character '{' after top-level value"),
            ("{a}", "invalid character 'a' looking for beginning of object key string"),
            (r#"{"a" 1}"#, "invalid character '1' after object key"),
            (r#"{"a":"b" "c"}"#, "invalid character '\"' after object key:value pair"),
        ] {
            assert_eq!(string_map(text), Err(error.to_owned()), "{text}");
        }
    }

    #[test]
    fn maps_are_read() {
        let pairs = string_map(r#"{"a":"1","b":null}"#).unwrap();
        assert_eq!(pairs, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]);
        assert_eq!(string_map("null"), Ok(Vec::new()));
    }
}
