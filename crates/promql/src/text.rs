//! Quoted texts and written numbers.

use model::literal::{self, Quoted};

/// The text between the quotes, escapes read. The lexer has checked it, so nothing can be wrong; bytes that are not
/// UTF-8 together become replacement characters.
pub(crate) fn unquote(literal: &str) -> String {
    unquote_bytes(literal).0
}

/// The same, and the bytes in quotes with Go's escapes where they are not UTF-8.
pub(crate) fn unquote_bytes(literal: &str) -> (String, Option<String>) {
    // Unlike Go's literals, those in backticks keep their carriage returns.
    let raw = literal.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
    let bytes = match raw {
        Some(raw) => raw.as_bytes().to_vec(),
        None => literal::unquote_bytes(literal).unwrap_or_default(),
    };
    match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(broken) => {
            let bytes = broken.as_bytes();
            (String::from_utf8_lossy(bytes).into_owned(), Some(Quoted(bytes).to_string()))
        }
    }
}

/// A written number: decimal, hexadecimal, octal with a leading zero, `Inf`, `NaN`, underscores between digits.
pub(crate) fn number(text: &str) -> Result<f64, &'static str> {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "inf" => return Ok(f64::INFINITY),
        "nan" => return Ok(f64::NAN),
        _ => {}
    }
    let plain = lower.replace('_', "");
    let (digits, radix) = match plain.strip_prefix("0x") {
        Some(digits) => (digits, 16),
        // What begins with a zero and is no octal number is a decimal one: 08, 0.5.
        None if plain.len() > 1 && plain.starts_with('0') => (&plain[1..], 8),
        None => (plain.as_str(), 10),
    };
    if let Ok(integer) = i64::from_str_radix(digits, radix) {
        return Ok(integer as f64);
    }
    // Underscores are for integers only.
    if radix == 16 || lower.contains('_') {
        return Err("invalid syntax");
    }
    match plain.parse::<f64>() {
        Ok(number) if number.is_infinite() => Err("value out of range"),
        Ok(number) => Ok(number),
        Err(_) => Err("invalid syntax"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(unquote(r#""a\"b""#), "a\"b");
        assert_eq!(unquote(r"'a\'b\\'"), "a'b\\");
        assert_eq!(unquote(r"`a\n`"), "a\\n");
        assert_eq!(unquote("`a\r`"), "a\r");
        assert_eq!(unquote(r#""\x41\102\u263a\U0001F600\n""#), "AB☺😀\n");
        assert_eq!(unquote(r#""\xe2\x98\xba \xff""#), "☺ \u{fffd}");
        assert_eq!(unquote("''"), "");
    }

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("1", 1.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("5e-3", 0.005),
            ("0755", 493.0),
            ("089", 89.0),
            ("0x1F", 31.0),
            ("1_000", 1000.0),
            ("0.5", 0.5),
            ("0", 0.0),
            ("99999999999999999999", 1e20),
        ] {
            assert_eq!((number(text), text), (Ok(expected), text));
        }
        assert!(number("NaN").unwrap().is_nan());
        assert_eq!(number("1_0.5"), Err("invalid syntax"));
        assert_eq!(number("1e"), Err("invalid syntax"));
        assert_eq!(number("1e309"), Err("value out of range"));
    }
}
