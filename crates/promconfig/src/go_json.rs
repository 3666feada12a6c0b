//! How Go's `encoding/json` refuses JSON.

use serde_json::Value;

/// What a value is called.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What is said of a text that is no JSON; `error` says where it breaks off.
pub fn syntax_error(text: &[u8], error: &serde_json::Error) -> String {
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    let line = text.split(|byte| *byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let bytes = &line[error.column().saturating_sub(1).min(line.len())..];
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
