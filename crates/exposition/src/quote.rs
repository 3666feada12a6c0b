//! Bytes as Go's `%q` prints them, for Prometheus' error messages.

use std::fmt;

use model::literal;

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
        let Some(shown) = self.0.get(..MAX_QUOTED).filter(|shown| shown.len() < self.0.len()) else {
            return literal::Quoted(self.0).fmt(f);
        };
        let whole = literal::Quoted(shown).to_string();
        write!(f, "{}...\"", &whole[..whole.len() - 1])
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
