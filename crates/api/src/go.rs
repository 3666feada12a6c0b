//! How Go reads parameters and writes errors and JSON. The components are Go programs: what their handlers accept, and
//! the words with which they refuse, come from Go's standard library.

mod duration;
mod json;
mod query;
mod time;

use std::fmt;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

pub use duration::{Nanos, parse_duration};
pub use json::{to_json, to_json_pretty};
pub use query::{Query, unescape_path};
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

/// `strconv.Quote`.
pub fn quote(text: &str) -> String {
    model::literal::Quoted(text).to_string()
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
    fn quoting_escapes_as_go_does() {
        assert_eq!(quote("a\"b\\c\n\u{1}é"), "\"a\\\"b\\\\c\\n\\x01é\"");
    }
}
