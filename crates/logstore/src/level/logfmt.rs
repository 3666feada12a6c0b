//! Looks for a level in a line of `key=value` pairs.

/// The value of the name that comes first in the list of names, whatever its case. Reading ends at the first pair that
/// is not well formed.
pub(super) fn first_of(line: &str, names: &[&str]) -> Option<String> {
    let mut best = (names.len(), None);
    let mut rest = line;
    while let Some((key, value, behind)) = pair(rest) {
        rest = behind;
        if let Some(rank) = names[..best.0].iter().position(|name| name.eq_ignore_ascii_case(key)) {
            best = (rank, Some(value));
            if rank == 0 {
                break;
            }
        }
    }
    best.1.map(str::to_owned)
}

/// The first pair of a text and what lies behind it; a key alone has an empty value.
fn pair(text: &str) -> Option<(&str, &str, &str)> {
    let blank = |character: char| character <= ' ';
    let text = text.trim_start_matches(blank);
    if text.is_empty() {
        return None;
    }
    let end =
        text.find(|character| blank(character) || character == '=' || character == '"').unwrap_or(text.len());
    let (key, behind) = text.split_at(end);
    let Some(value) = behind.strip_prefix('=') else {
        return if behind.starts_with('"') { None } else { Some((key, "", behind)) };
    };
    if key.is_empty() {
        return None;
    }
    if let Some(quoted) = value.strip_prefix('"') {
        let mut escaped = false;
        let end = quoted.find(|character| {
            let closes = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            closes
        })?;
        // Escapes stay as they are: no level has one.
        return Some((key, &quoted[..end], &quoted[end + 1..]));
    }
    let end = value
        .find(|character| blank(character) || character == '=' || character == '"')
        .unwrap_or(value.len());
    let (value, behind) = value.split_at(end);
    if behind.starts_with(['=', '"']) { None } else { Some((key, value, behind)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_until_the_first_that_is_broken() {
        let of = |line: &str| first_of(line, &["level", "lvl"]);
        assert_eq!(of(r#"a=1 b="x \" level=no" level=info"#).as_deref(), Some("info"));
        assert_eq!(of("lvl=a level=b lvl=c").as_deref(), Some("b"));
        assert_eq!(of("Level=x").as_deref(), Some("x"));
        assert_eq!(of("level").as_deref(), Some(""));
        assert_eq!(of(r#"a"b level=info"#), None);
        assert_eq!(of("a=b=c level=info"), None);
        assert_eq!(of("=x level=info"), None);
        assert_eq!(of(r#"a="open level=info"#), None);
    }
}
