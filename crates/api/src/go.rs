//! How Go reads parameters and writes errors and JSON. The components are Go programs: what their handlers accept, and
//! the words with which they refuse, come from Go's standard library.

mod duration;
mod json;
mod object;
mod query;
mod time;

use std::fmt;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method, StatusCode, header};

pub use duration::{Nanos, parse_duration};
pub use json::{to_json, to_json_pretty};
pub(crate) use object::string_map;
pub use query::{Query, unescape_bytes, unescape_path};
pub use time::parse_rfc3339;

/// What `strconv` says of a text that is not a number or truth value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumError {
    function: &'static str,
    text: String,
    reason: &'static str,
}

impl fmt::Display for NumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "strconv.{}: parsing {}: {}", self.function, quote(&self.text), self.reason)
    }
}

impl std::error::Error for NumError {}

/// `strconv.ParseInt` in base 10: an optional sign and digits, at most so many bits.
pub fn parse_int(text: &str, bits: u32) -> Result<i64, NumError> {
    parse_int_as("ParseInt", text, bits)
}

/// `strconv.Atoi`.
pub fn atoi(text: &str) -> Result<i64, NumError> {
    parse_int_as("Atoi", text, 64)
}

fn parse_int_as(function: &'static str, text: &str, bits: u32) -> Result<i64, NumError> {
    let error = |reason| NumError { function, text: text.to_owned(), reason };
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(error("invalid syntax"));
    }
    let limit = i64::MAX >> (64 - bits);
    match text.parse::<i64>() {
        Ok(number) if (-limit - 1..=limit).contains(&number) => Ok(number),
        _ => Err(error("value out of range")),
    }
}

/// `strconv.ParseUint` in base 10 or 16: digits without a sign, at most so many bits.
pub fn parse_uint(text: &str, radix: u32, bits: u32) -> Result<u64, NumError> {
    let error = |reason| NumError { function: "ParseUint", text: text.to_owned(), reason };
    if text.is_empty() || !text.chars().all(|digit| digit.is_digit(radix)) {
        return Err(error("invalid syntax"));
    }
    match u64::from_str_radix(text, radix) {
        Ok(number) if number <= u64::MAX >> (64 - bits) => Ok(number),
        _ => Err(error("value out of range")),
    }
}

/// `strconv.ParseBool`.
pub fn parse_bool(text: &str) -> Result<bool, NumError> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(NumError { function: "ParseBool", text: text.to_owned(), reason: "invalid syntax" }),
    }
}

/// `strconv.ParseFloat` with 64 bits, but for hexadecimal numbers: `None` for what is no number or too large for one.
pub fn parse_float(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let is_digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let mut underscores = text.match_indices('_').map(|(at, _)| at).peekable();
    let number: f64 = if underscores.peek().is_some() {
        // Each between two digits.
        if !underscores.all(|at| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1))) {
            return None;
        }
        text.replace('_', "").parse().ok()?
    } else {
        text.parse().ok()?
    };
    let is_named = !text.contains(|character: char| character.is_ascii_digit());
    let is_signed = text.starts_with(['+', '-']);
    ((number.is_finite() || is_named) && !(number.is_nan() && is_signed)).then_some(number)
}

/// `strconv.Quote`.
pub fn quote(text: &str) -> String {
    model::literal::Quoted(text).to_string()
}

/// `http.Redirect`: leads to an address, with a line of HTML for `GET`.
pub fn redirect(method: &Method, status: StatusCode, place: &str) -> Response {
    let Ok(location) = HeaderValue::from_str(place) else {
        return http_error(StatusCode::INTERNAL_SERVER_ERROR, "an address that cannot be told");
    };
    let mut escaped = String::with_capacity(place.len());
    for character in place.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&#34;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    let mut response = if *method == Method::GET {
        let reason = status.canonical_reason().unwrap_or_default();
        (status, format!("<a href=\"{escaped}\">{reason}</a>.\n\n")).into_response()
    } else {
        status.into_response()
    };
    if *method == Method::GET || *method == Method::HEAD {
        let html = HeaderValue::from_static("text/html; charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, html);
    }
    response.headers_mut().insert(header::LOCATION, location);
    response
}

/// `http.Error`: a line of plain text, which a browser must not take for anything else.
pub fn http_error(status: StatusCode, message: &str) -> Response {
    let mut response = (status, format!("{message}\n")).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_refused_in_strconvs_words() {
        assert_eq!(parse_int("-12", 32), Ok(-12));
        assert_eq!(parse_int("+7", 64), Ok(7));
        let say = |result: Result<i64, NumError>| result.unwrap_err().to_string();
        assert_eq!(say(parse_int("abc", 64)), r#"strconv.ParseInt: parsing "abc": invalid syntax"#);
        assert_eq!(say(parse_int("", 64)), r#"strconv.ParseInt: parsing "": invalid syntax"#);
        assert_eq!(
            say(parse_int("2147483648", 32)),
            r#"strconv.ParseInt: parsing "2147483648": value out of range"#
        );
        assert_eq!(parse_int("-2147483648", 32), Ok(-2_147_483_648));
        assert_eq!(say(atoi("1x")), r#"strconv.Atoi: parsing "1x": invalid syntax"#);
        assert_eq!(
            parse_uint("-1", 10, 32).unwrap_err().to_string(),
            r#"strconv.ParseUint: parsing "-1": invalid syntax"#
        );
        assert_eq!(
            parse_uint("4294967296", 10, 32).unwrap_err().to_string(),
            r#"strconv.ParseUint: parsing "4294967296": value out of range"#
        );
        assert_eq!(parse_uint("fF", 16, 64), Ok(255));
        assert_eq!(
            parse_bool("yes").unwrap_err().to_string(),
            r#"strconv.ParseBool: parsing "yes": invalid syntax"#
        );
    }

    #[test]
    fn floats_are_those_of_strconv() {
        for (text, number) in
            [("1.5", 1.5), ("-1e3", -1000.0), ("1_000.5", 1000.5), (".5", 0.5), ("+Infinity", f64::INFINITY)]
        {
            assert_eq!(parse_float(text), Some(number), "{text}");
        }
        assert!(parse_float("NaN").is_some_and(f64::is_nan));
        for text in ["", "x", "1e400", "_1", "1_", "1__0", "1_.5", "+nan", "0x10", " 1"] {
            assert_eq!(parse_float(text), None, "{text}");
        }
    }

    #[test]
    fn quoting_escapes_as_go_does() {
        assert_eq!(quote("a\"b\\c\n\u{1}é"), "\"a\\\"b\\\\c\\n\\x01é\"");
    }
}
