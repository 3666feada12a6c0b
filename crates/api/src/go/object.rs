//! A JSON object whose values are texts, refused in the words of Go's `encoding/json`.

use serde_json::Value;

/// Reads `{"key": "value"}`; `null` is no pair at all, as a value it is the empty text.
pub(crate) fn string_map(text: &str) -> Result<Vec<(String, String)>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| syntax_error(text, &error))?;
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
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    format!("json: cannot unmarshal {kind} into Go value of type {wanted}")
}

fn syntax_error(text: &str, error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let bytes = &line.as_bytes()[error.column().saturating_sub(1).min(line.len())..];
    let character = String::from_utf8_lossy(bytes).chars().next();
    let character = match character {
        Some('\'') => r"'\''".to_owned(),
        Some(other) => format!("'{other}'"),
        None => r"'\n'".to_owned(),
    };
    let reason = error.to_string();
    let place = [
        ("key must be a string", "looking for beginning of object key string"),
        ("trailing characters", "after top-level value"),
        ("expected `:`", "after object key"),
        ("expected `,` or `}`", "after object key:value pair"),
        ("expected `,` or `]`", "after array element"),
        ("control character", "in string literal"),
        ("invalid escape", "in string escape code"),
    ];
    let place = place
        .iter()
        .find(|(known, _)| reason.starts_with(known))
        .map_or("looking for beginning of value", |(_, place)| place);
    format!("invalid character {character} {place}")
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
