//! Quoted texts and written numbers.

use std::borrow::Cow;

use model::labels::Quoted;

/// The text between the quotes, escapes read. The lexer has checked it, so nothing can be wrong; bytes that are not
/// UTF-8 together become replacement characters.
pub(crate) fn unquote(literal: &str) -> String {
    unquote_bytes(literal).0
}

/// The same, and the bytes in quotes with Go's escapes where they are not UTF-8.
pub(crate) fn unquote_bytes(literal: &str) -> (String, Option<String>) {
    let bytes = bytes_of(literal);
    match std::str::from_utf8(&bytes) {
        Ok(text) => (text.to_owned(), None),
        Err(_) => (String::from_utf8_lossy(&bytes).into_owned(), Some(quoted(&bytes))),
    }
}

fn quoted(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        let text = Quoted(chunk.valid()).to_string();
        out.push_str(&text[1..text.len() - 1]);
        out.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    out.push('"');
    out
}

fn bytes_of(literal: &str) -> Cow<'_, [u8]> {
    let inner = &literal[1..literal.len().max(2) - 1];
    if literal.starts_with('`') || !inner.contains('\\') {
        return inner.as_bytes().into();
    }
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(backslash) = rest.find('\\') {
        out.extend_from_slice(&rest.as_bytes()[..backslash]);
        rest = &rest[backslash + 1..];
        let Some(kind) = rest.chars().next() else { break };
        let (skip, digits, base) = match kind {
            'x' => (1, 2, 16),
            'u' => (1, 4, 16),
            'U' => (1, 8, 16),
            '0'..='7' => (0, 3, 8),
            simple => {
                let meant = match simple {
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'v' => '\u{b}',
                    other => other,
                };
                out.extend_from_slice(meant.encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[simple.len_utf8()..];
                continue;
            }
        };
        let Some((number, after)) = rest.get(skip..).and_then(|it| it.split_at_checked(digits)) else {
            break;
        };
        let number = u32::from_str_radix(number, base).unwrap_or(0);
        match kind {
            'u' | 'U' => {
                let character = char::from_u32(number).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => out.push(number as u8),
        }
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out.into()
}

/// A written number: decimal, hexadecimal, octal with a leading zero, `Inf`, `NaN`, underscores between digits.
pub(crate) fn number(text: &str) -> Option<f64> {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "inf" => return Some(f64::INFINITY),
        "nan" => return Some(f64::NAN),
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
        return Some(integer as f64);
    }
    // Underscores are for integers only.
    if radix == 16 || lower.contains('_') {
        return None;
    }
    plain.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(unquote(r#""a\"b""#), "a\"b");
        assert_eq!(unquote(r"'a\'b\\'"), "a'b\\");
        assert_eq!(unquote(r"`a\n`"), "a\\n");
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
            assert_eq!((number(text), text), (Some(expected), text));
        }
        assert!(number("NaN").unwrap().is_nan());
        assert_eq!(number("1_0.5"), None);
        assert_eq!(number("1e"), None);
    }
}
