//! Whether `$1` and `${name}` in a target label make a name.

/// Whether groups may stand in a text.
pub(super) fn has_variables(template: &str) -> bool {
    template.contains('$')
}

/// A piece of a template.
enum Piece<'t> {
    Text(&'t str),
    Group(&'t str),
}

/// Takes a template apart. A `$` that begins no name stands for itself; `$$` is one `$`.
fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        pieces.push(Piece::Text(&rest[..dollar]));
        let after = &rest[dollar + 1..];
        if let Some(after) = after.strip_prefix('$') {
            pieces.push(Piece::Text("$"));
            rest = after;
            continue;
        }
        let (name, behind) = match after.strip_prefix('{') {
            Some(inner) => match inner.find('}') {
                Some(end) if is_name(&inner[..end]) => (&inner[..end], &inner[end + 1..]),
                _ => ("", after),
            },
            None => after.split_at(after.find(|c: char| !is_name_character(c)).unwrap_or(after.len())),
        };
        if name.is_empty() {
            pieces.push(Piece::Text("$"));
            rest = after;
        } else {
            pieces.push(Piece::Group(name));
            rest = behind;
        }
    }
    pieces.push(Piece::Text(rest));
    pieces
}

fn is_name_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name_character)
}

/// A legacy label name in which groups may stand: `${1}_total`, `$name`, `a$1`.
pub(super) fn is_legacy_name(template: &str) -> bool {
    let mut first = true;
    for piece in pieces(template) {
        match piece {
            Piece::Group(name) if name.is_ascii() => first = false,
            Piece::Group(_) => return false,
            Piece::Text(text) => {
                let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
                if !text.chars().all(fits) || (first && text.starts_with(|c: char| c.is_ascii_digit())) {
                    return false;
                }
                first &= text.is_empty();
            }
        }
    }
    !first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_names_may_have_groups() {
        for name in ["a", "$1", "${1}", "a_${1}_b", "_$x", "${1}2"] {
            assert!(is_legacy_name(name), "{name}");
        }
        for name in ["", "1a", "a-b", "a b", "${1}-", "$", "é"] {
            assert!(!is_legacy_name(name), "{name}");
        }
    }
}
