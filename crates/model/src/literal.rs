//! Literals of the Go language, which the query languages, templates and messages share.

use std::fmt::{self, Write};
use std::str::Chars;

/// A text, or bytes, in double quotes with Go's escapes: `strconv.Quote`, the verb `%q`. What is not UTF-8 becomes `\xff`.
///
/// ```
/// use model::literal::Quoted;
/// assert_eq!(Quoted("a\"b\u{a0}é").to_string(), r#""a\"b\u00a0é""#);
/// assert_eq!(Quoted(b"\xff\n").to_string(), r#""\xff\n""#);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Quoted<T>(pub T);

impl<T: AsRef<[u8]>> fmt::Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for chunk in self.0.as_ref().utf8_chunks() {
            for character in chunk.valid().chars() {
                escape(f, character, '"')?;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_char('"')
    }
}

/// A character in single quotes with Go's escapes: `strconv.QuoteRune`.
#[derive(Debug, Clone, Copy)]
pub struct QuotedChar(pub char);

impl fmt::Display for QuotedChar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('\'')?;
        escape(f, self.0, '\'')?;
        f.write_char('\'')
    }
}

/// What Go shows as it is: letters, marks, numbers, punctuation, symbols, and of the spaces only the common one.
pub fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return !character.is_ascii_control();
    }
    // The standard library keeps its table to itself, but escapes by it: what stays one character is shown. A mark is
    // only escaped where it has nothing before it.
    let mut text = String::from("a");
    text.push(character);
    text.escape_debug().count() == 2
}

fn escape(out: &mut impl Write, character: char, quote: char) -> fmt::Result {
    match character {
        special if special == quote || special == '\\' => {
            out.write_char('\\')?;
            out.write_char(special)
        }
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\t' => out.write_str("\\t"),
        '\u{7}' => out.write_str("\\a"),
        '\u{8}' => out.write_str("\\b"),
        '\u{b}' => out.write_str("\\v"),
        '\u{c}' => out.write_str("\\f"),
        shown if is_printable(shown) => out.write_char(shown),
        low if low.is_ascii() => write!(out, "\\x{:02x}", low as u32),
        short if (short as u32) < 0x1_0000 => write!(out, "\\u{:04x}", short as u32),
        long => write!(out, "\\U{:08x}", long as u32),
    }
}

/// `strconv.Unquote` of a text in double quotes or backticks: what is between them with its escapes read; `None` if it is
/// not a literal of Go, or not UTF-8 once its bytes are put together.
pub fn unquote(quoted: &str) -> Option<String> {
    String::from_utf8(unquote_bytes(quoted)?).ok()
}

/// The same, in quotes of either kind or backticks, and as the bytes that it means, which its escapes may make no UTF-8.
pub fn unquote_bytes(quoted: &str) -> Option<Vec<u8>> {
    let inner = |quote: char| quoted.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    if let Some(raw) = inner('`') {
        return Some(raw.replace('\r', "").into_bytes());
    }
    let quote = if quoted.starts_with('\'') { '\'' } else { '"' };
    let inner = inner(quote)?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        let decoded = if character == '\\' {
            match rest.next()? {
                // Single bytes; several of them may make one character.
                'x' => {
                    bytes.push(code(&mut rest, None, 2, 16)? as u8);
                    continue;
                }
                first @ '0'..='7' => {
                    bytes.push(u8::try_from(code(&mut rest, Some(first), 2, 8)?).ok()?);
                    continue;
                }
                'u' => char::from_u32(code(&mut rest, None, 4, 16)?)?,
                'U' => char::from_u32(code(&mut rest, None, 8, 16)?)?,
                'a' => '\u{7}',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'v' => '\u{b}',
                same if same == '\\' || same == quote => same,
                _ => return None,
            }
        } else if character == quote || character == '\n' {
            return None;
        } else {
            character
        };
        bytes.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(bytes)
}

/// The number that the next digits make.
fn code(rest: &mut Chars<'_>, first: Option<char>, digits: usize, radix: u32) -> Option<u32> {
    let text: String = first.into_iter().chain(rest.take(digits)).collect();
    u32::from_str_radix(&text, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_does_not_print_is_escaped() {
        // Go 1.26: fmt.Printf("%q", "\x00\u0085\u00a0\u00ad\u200b\u2028\ue000\ufeff\U000e0001e\u0301☺😀\ufffd'").
        let text = "\0\u{85}\u{a0}\u{ad}\u{200b}\u{2028}\u{e000}\u{feff}\u{e0001}e\u{301}☺😀\u{fffd}'";
        let quoted = r#""\x00\u0085\u00a0\u00ad\u200b\u2028\ue000\ufeff\U000e0001e"#.to_owned()
            + "\u{301}☺😀\u{fffd}'\"";
        assert_eq!(Quoted(text).to_string(), quoted);
        assert_eq!(QuotedChar('\'').to_string(), r"'\''");
        assert_eq!(QuotedChar('"').to_string(), "'\"'");
        assert_eq!(QuotedChar('\u{7f}').to_string(), r"'\x7f'");
    }

    #[test]
    fn escapes_are_read_and_what_is_no_literal_is_refused() {
        assert_eq!(
            unquote(r#""a\"b\n\x41\102\u263a\U0001F600\xe2\x98\xba""#).as_deref(),
            Some("a\"b\nAB☺😀☺")
        );
        assert_eq!(unquote("`a\\n\r`").as_deref(), Some("a\\n"));
        assert_eq!(unquote(r#"'a\'"'"#).as_deref(), Some("a'\""));
        assert_eq!(unquote_bytes(r#""\xff""#).as_deref(), Some(&[0xff][..]));
        for wrong in [
            "",
            "\"",
            "a",
            "\"a",
            r#""\q""#,
            r#""\'""#,
            "\"a\nb\"",
            r#""\400""#,
            r#""\xff""#,
            r#""\ud800""#,
            "\"a\"b\"",
        ] {
            assert_eq!(unquote(wrong), None, "{wrong}");
        }
    }
}
