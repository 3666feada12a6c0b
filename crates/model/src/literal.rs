//! Literals of the Go language, which the query languages and templates share.

use std::str::Chars;

/// `strconv.Unquote` of a text in double quotes or backticks: what is between them with its escapes read; `None` if it is
/// not a literal of Go, or not UTF-8 once its bytes are put together.
pub fn unquote(quoted: &str) -> Option<String> {
    let inner = |quote: char| quoted.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    if let Some(raw) = inner('`') {
        return Some(raw.replace('\r', ""));
    }
    let mut bytes = Vec::new();
    let mut rest = inner('"')?.chars();
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
                same @ ('\\' | '"') => same,
                _ => return None,
            }
        } else if character == '"' || character == '\n' {
            return None;
        } else {
            character
        };
        bytes.extend_from_slice(decoded.encode_utf8(&mut [0; 4]).as_bytes());
    }
    String::from_utf8(bytes).ok()
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
    fn escapes_are_read_and_what_is_no_literal_is_refused() {
        assert_eq!(
            unquote(r#""a\"b\n\x41\102\u263a\U0001F600\xe2\x98\xba""#).as_deref(),
            Some("a\"b\nAB☺😀☺")
        );
        assert_eq!(unquote("`a\\n\r`").as_deref(), Some("a\\n"));
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
