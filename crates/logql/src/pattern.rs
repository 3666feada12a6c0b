//! Patterns with placeholders: `<_> level=<_> <_>`.
//!
//! Fact source: `pkg/logql/log/pattern` of grafana/loki.

use memchr::memmem;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Bytes that have to be there.
    Literal(String),
    /// Something, at least one byte; the name is `_` where it does not matter.
    Placeholder(String),
}

/// A pattern that fits a whole line or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

impl Pattern {
    /// A pattern for a line filter: placeholders without names, never two in a row.
    pub(crate) fn of_line(text: &str) -> Result<Self, String> {
        let parts = parts(text);
        check_neighbours(&parts)?;
        for part in &parts {
            if let Part::Placeholder(name) = part
                && name != "_"
            {
                return Err(format!("named captures are not allowed: found '<{name}>'"));
            }
        }
        Ok(Self { parts })
    }

    /// Whether a text is a pattern for the stage `pattern`, which needs names.
    pub(crate) fn check_parser(text: &str) -> Result<(), String> {
        let parts = parts(text);
        let named = |part: &Part| match part {
            Part::Placeholder(name) if name != "_" => Some(name.clone()),
            _ => None,
        };
        let names: Vec<String> = parts.iter().filter_map(named).collect();
        if names.is_empty() {
            return Err("at least one capture is required".to_owned());
        }
        check_neighbours(&parts)?;
        match names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
            Some((_, name)) => Err(format!("duplicate capture name ({name}): invalid expression")),
            None => Ok(()),
        }
    }

    /// Whether the pattern fits the whole line. The empty pattern fits the empty line only.
    pub(crate) fn fits(&self, line: &str) -> bool {
        if line.is_empty() || self.parts.is_empty() {
            return line.is_empty() && self.parts.is_empty();
        }
        let mut at = 0;
        for (index, part) in self.parts.iter().enumerate() {
            let Part::Literal(literal) = part else { continue };
            let Some(found) = memmem::find(&line.as_bytes()[at..], literal.as_bytes()) else { return false };
            // A placeholder before it must have taken something. What stands before the first literal of a pattern
            // that begins with one is let through, as it is upstream.
            if index != 0 && found == 0 {
                return false;
            }
            at += found + literal.len();
        }
        let ends_in_placeholder = matches!(self.parts.last(), Some(Part::Placeholder(_)));
        ends_in_placeholder == (at != line.len())
    }
}

fn parts(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some((name, behind)) = placeholder(rest) {
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal)));
            }
            parts.push(Part::Placeholder(name.to_owned()));
            rest = behind;
        } else {
            literal.push(character);
            rest = &rest[character.len_utf8()..];
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    parts
}

/// A placeholder at the beginning of a text, and what lies behind it.
fn placeholder(text: &str) -> Option<(&str, &str)> {
    let (name, behind) = text.strip_prefix('<')?.split_once('>')?;
    let first = name.chars().next()?;
    let fits = (first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    fits.then_some((name, behind))
}

fn check_neighbours(parts: &[Part]) -> Result<(), String> {
    for pair in parts.windows(2) {
        if let [Part::Placeholder(left), Part::Placeholder(right)] = pair {
            return Err(format!("found consecutive capture '<{left}><{right}>': invalid expression"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_lines() {
        for (pattern, line, expected) in [
            ("<_> baz", "foo bar baz", true),
            ("<_> bar", "foo bar baz", false),
            ("foo <_>", "foo bar baz", true),
            ("foo <_>", "foo ", false),
            ("<_> bar <_>", " bar ", false),
            ("<_>bar<_>", " bar ", true),
            ("foo bar baz", "foo bar baz", true),
            ("<_>", "x", true),
            ("<_>", "", false),
            ("", "", true),
            ("", "x", false),
            ("a <1> b", "a <1> b", true),
        ] {
            assert_eq!(Pattern::of_line(pattern).unwrap().fits(line), expected, "{pattern:?} {line:?}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert_eq!(
            Pattern::of_line("<_><_>").unwrap_err(),
            "found consecutive capture '<_><_>': invalid expression"
        );
        assert_eq!(Pattern::of_line("a <b>").unwrap_err(), "named captures are not allowed: found '<b>'");
        assert_eq!(Pattern::check_parser("a <_>").unwrap_err(), "at least one capture is required");
        assert_eq!(
            Pattern::check_parser("<a> <a>").unwrap_err(),
            "duplicate capture name (a): invalid expression"
        );
        assert_eq!(Pattern::check_parser("<a> <_> <b>"), Ok(()));
    }
}
