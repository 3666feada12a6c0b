//! Bytes as Go's `%q` prints them, for Prometheus' error messages.

use std::fmt;

/// Most bytes of a body that a message quotes; what is longer ends in `...`.
pub const MAX_QUOTED: usize = 4096;

/// Bytes in double quotes with Go's escapes; what is not UTF-8 as `\xff`.
///
/// ```
/// use exposition::Quoted;
/// assert_eq!(Quoted(b"a{b=\"\xff\"}\n").to_string(), r#""a{b=\"\xff\"}\n""#);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        let shown = &self.0[..self.0.len().min(MAX_QUOTED)];
        for chunk in shown.utf8_chunks() {
            for character in chunk.valid().chars() {
                quote(character, f)?;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        f.write_str(if shown.len() < self.0.len() { "...\"" } else { "\"" })
    }
}

fn quote(character: char, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match character {
        '"' => f.write_str("\\\""),
        '\\' => f.write_str("\\\\"),
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        '\u{7}' => f.write_str("\\a"),
        '\u{8}' => f.write_str("\\b"),
        '\u{b}' => f.write_str("\\v"),
        '\u{c}' => f.write_str("\\f"),
        low if low.is_ascii_control() => write!(f, "\\x{:02x}", low as u32),
        // The byte order mark and other formats are no control characters here, but Go does not print them either.
        hidden if hidden.is_control() || matches!(hidden, '\u{feff}' | '\u{200b}'..='\u{200f}') => {
            write!(f, "\\u{:04x}", hidden as u32)
        }
        shown => write!(f, "{shown}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut() {
        let text = Quoted(&[b'a'; MAX_QUOTED + 1]).to_string();
        assert_eq!(text.len(), MAX_QUOTED + 5);
        assert!(text.ends_with("a...\""));
    }

    #[test]
    fn escapes() {
        assert_eq!(Quoted("\0é\u{85}\u{feff}\x7f".as_bytes()).to_string(), r#""\x00é\u0085\ufeff\x7f""#);
    }
}
