//! Names that the asker's character set does not have, as Prometheus' client library escapes them
//! (`model/metric.go` in prometheus/common).

use std::borrow::Cow;
use std::fmt::Write as _;

use exposition::EscapingScheme;

/// Whether a character of a name is in the classic set.
fn is_classic((position, character): (usize, char)) -> bool {
    character.is_ascii_alphabetic()
        || character == '_'
        || character == ':'
        || (character.is_ascii_digit() && position > 0)
}

/// Whether a name has the classic characters only.
pub(super) fn is_legacy(name: &str) -> bool {
    !name.is_empty() && name.chars().enumerate().all(is_classic)
}

/// A name as the asker wants it.
pub(super) fn escape(name: &str, scheme: EscapingScheme) -> Cow<'_, str> {
    let as_it_is = match scheme {
        EscapingScheme::AllowUtf8 => true,
        // Underscores are doubled in any name.
        EscapingScheme::Dots => name.is_empty(),
        EscapingScheme::Underscores | EscapingScheme::Values => name.is_empty() || is_legacy(name),
    };
    if as_it_is {
        return name.into();
    }
    let mut out = String::with_capacity(name.len() + 8);
    if scheme == EscapingScheme::Values {
        out.push_str("U__");
    }
    for (position, character) in name.char_indices() {
        match (scheme, character) {
            (EscapingScheme::Dots | EscapingScheme::Values, '_') => out.push_str("__"),
            (EscapingScheme::Dots, '.') => out.push_str("_dot_"),
            _ if is_classic((position, character)) => out.push(character),
            (EscapingScheme::Dots, _) => out.push_str("__"),
            (EscapingScheme::Values, _) => _ = write!(out, "_{:x}_", character as u32),
            _ => out.push('_'),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use EscapingScheme::{AllowUtf8, Dots, Underscores, Values};

    use super::*;

    #[test]
    fn names_are_escaped_as_the_client_library_does() {
        for (name, underscores, dots, values) in [
            ("up", "up", "up", "up"),
            ("a_b", "a_b", "a__b", "a_b"),
            ("a.b", "a_b", "a_dot_b", "U__a_2e_b"),
            ("1é", "__", "____", "U___31__e9_"),
            ("a:b.", "a:b_", "a:b_dot_", "U__a:b_2e_"),
        ] {
            assert_eq!(escape(name, Underscores), underscores, "{name}");
            assert_eq!(escape(name, Dots), dots, "{name}");
            assert_eq!(escape(name, Values), values, "{name}");
            assert_eq!(escape(name, AllowUtf8), name);
        }
    }
}
