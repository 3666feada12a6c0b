//! The little of TraceQL that is answered so far: every span, and the names of attributes.

use tracestore::{Intrinsic, TagScopes};

/// Whether a query selects every span: `{}` or `{ true }`.
pub(super) fn selects_all(query: &str) -> bool {
    let inner = query.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| matches!(inner.trim(), "" | "true"))
}

/// What an identifier names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identifier {
    /// An attribute and where it may stand.
    Attribute(TagScopes, String),
    /// Something that has texts as values.
    Text(Intrinsic),
    /// The span's status.
    Status,
    /// The span's kind.
    Kind,
    /// Something whose values are not listed: durations, identifiers, places in the tree.
    Unlisted,
}

/// The intrinsics, as they are written.
const INTRINSICS: [(&str, Identifier); 33] = [
    ("duration", Identifier::Unlisted),
    ("event:name", Identifier::Text(Intrinsic::EventName)),
    ("event:timeSinceStart", Identifier::Unlisted),
    ("instrumentation:name", Identifier::Text(Intrinsic::ScopeName)),
    ("instrumentation:version", Identifier::Text(Intrinsic::ScopeVersion)),
    ("kind", Identifier::Kind),
    ("link:spanID", Identifier::Unlisted),
    ("link:traceID", Identifier::Unlisted),
    ("name", Identifier::Text(Intrinsic::Name)),
    ("nestedSetLeft", Identifier::Unlisted),
    ("nestedSetParent", Identifier::Unlisted),
    ("nestedSetRight", Identifier::Unlisted),
    ("parent", Identifier::Unlisted),
    ("rootName", Identifier::Text(Intrinsic::RootName)),
    ("rootServiceName", Identifier::Text(Intrinsic::RootService)),
    ("span:childCount", Identifier::Unlisted),
    ("span:duration", Identifier::Unlisted),
    ("span:id", Identifier::Unlisted),
    ("span:kind", Identifier::Kind),
    ("span:name", Identifier::Text(Intrinsic::Name)),
    ("span:parentID", Identifier::Unlisted),
    ("span:status", Identifier::Status),
    ("span:statusMessage", Identifier::Text(Intrinsic::StatusMessage)),
    ("status", Identifier::Status),
    ("statusMessage", Identifier::Text(Intrinsic::StatusMessage)),
    ("trace:duration", Identifier::Unlisted),
    ("trace:id", Identifier::Unlisted),
    ("trace:rootName", Identifier::Text(Intrinsic::RootName)),
    ("trace:rootService", Identifier::Text(Intrinsic::RootService)),
    ("traceDuration", Identifier::Unlisted),
    ("event:timestamp", Identifier::Unlisted),
    ("trace:startTime", Identifier::Unlisted),
    ("span:startTime", Identifier::Unlisted),
];

/// Reads an identifier such as `resource.service.name`, `.foo` or `span:name`.
///
/// # Errors
/// What Tempo says of a text that is none.
pub(super) fn identifier(text: &str) -> Result<Identifier, String> {
    let name = text.strip_prefix("parent.").map_or(text, |rest| {
        // `parent.` goes before a scope or an attribute; of the values it makes no difference.
        if SCOPES.iter().any(|(scope, _)| rest.starts_with(scope)) { rest } else { &text["parent".len()..] }
    });
    for (prefix, scopes) in SCOPES {
        if let Some(attribute) = name.strip_prefix(prefix) {
            let start = text.len() - attribute.len();
            return match unquote(attribute) {
                Ok(attribute) if !attribute.is_empty() => Ok(Identifier::Attribute(scopes, attribute)),
                Err(at) => Err(unexpected(text, start + at)),
                Ok(_) => Err(format!(
                    "failed to parse identifier {text}: parse error at line 0, col 2: \
                     syntax error: unexpected END_ATTRIBUTE, expecting IDENTIFIER"
                )),
            };
        }
    }
    if let Some((_, known)) = INTRINSICS.iter().find(|(name, _)| *name == text) {
        return Ok(known.clone());
    }
    let word_end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let is_prefix = matches!(&text[..word_end], "span" | "trace" | "event" | "link" | "instrumentation");
    if is_prefix && text[word_end..].starts_with(':') {
        let column = word_end + 3;
        return Err(format!(
            "failed to parse identifier {text}: parse error at line 1, col {column}: syntax error: unexpected IDENTIFIER"
        ));
    }
    let word = &text[..word_end];
    Err(format!(
        "failed to parse identifier {text}: parse error at line 1, col 2: unknown identifier: {word}"
    ))
}

/// What Tempo says where an attribute's name ends early: about the word that comes next.
fn unexpected(text: &str, at: usize) -> String {
    let after = text[at..].trim_start_matches(|c: char| c.is_whitespace());
    let word_at = text.len() - after.len();
    // A brace goes before the identifier when Tempo parses it, and columns count from one.
    let column = word_at + 2;
    let what = match after.chars().next() {
        None => "$end".to_owned(),
        Some(first) if first.is_alphabetic() => "IDENTIFIER".to_owned(),
        Some(first) => first.to_string(),
    };
    format!(
        "failed to parse identifier {text}: parse error at line 1, col {column}: syntax error: unexpected {what}"
    )
}

const NONE: TagScopes =
    TagScopes { resource: false, instrumentation: false, span: false, event: false, link: false };

/// How a scope is written before an attribute, and where it looks.
const SCOPES: [(&str, TagScopes); 6] = [
    ("resource.", TagScopes { resource: true, ..NONE }),
    ("span.", TagScopes { span: true, ..NONE }),
    ("event.", TagScopes { event: true, ..NONE }),
    ("link.", TagScopes { link: true, ..NONE }),
    ("instrumentation.", TagScopes { instrumentation: true, ..NONE }),
    (".", TagScopes { span: true, resource: true, ..NONE }),
];

/// Parts of an attribute's name may stand in quotes: `"an attribute".with."a space"`. Outside of them, spaces and
/// operators end it; the error says where.
fn unquote(name: &str) -> Result<String, usize> {
    let mut plain = String::with_capacity(name.len());
    let mut characters = name.char_indices();
    let mut quoted = false;
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => quoted = !quoted,
            '\\' if quoted => plain.push(characters.next().ok_or(at)?.1),
            '{' | '}' | '(' | ')' | '=' | '~' | '!' | '<' | '>' | '&' | '|' | '^' | ',' if !quoted => {
                return Err(at);
            }
            other if other.is_whitespace() && !quoted => return Err(at),
            other => plain.push(other),
        }
    }
    if quoted { Err(name.len()) } else { Ok(plain) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_query_for_everything_is_known() {
        for query in ["{}", " { } ", "{ true }"] {
            assert!(selects_all(query), "{query}");
        }
        for query in ["", "{", "{}|rate()", "{ .a = 1 }", "{} && {}", "{}}"] {
            assert!(!selects_all(query), "{query}");
        }
    }

    #[test]
    fn identifiers_are_read() {
        let attribute = |scopes, name: &str| Ok(Identifier::Attribute(scopes, name.to_owned()));
        let resource = TagScopes { resource: true, ..NONE };
        assert_eq!(identifier("resource.service.name"), attribute(resource, "service.name"));
        assert_eq!(identifier("parent.resource.service.name"), attribute(resource, "service.name"));
        assert_eq!(identifier("parent.foo"), identifier(".foo"));
        assert_eq!(identifier("span.\"a b\".c"), attribute(TagScopes { span: true, ..NONE }, "a b.c"));
        assert_eq!(identifier("span.a/b"), attribute(TagScopes { span: true, ..NONE }, "a/b"));
        assert_eq!(identifier("rootName"), Ok(Identifier::Text(Intrinsic::RootName)));
        assert_eq!(identifier("parent"), Ok(Identifier::Unlisted));
    }

    #[test]
    fn what_is_no_identifier_is_refused_in_tempos_words() {
        for (text, error) in [
            (
                "service.name",
                "failed to parse identifier service.name: parse error at line 1, col 2: unknown identifier: service",
            ),
            ("foo", "failed to parse identifier foo: parse error at line 1, col 2: unknown identifier: foo"),
            ("a b", "failed to parse identifier a b: parse error at line 1, col 2: unknown identifier: a"),
            (
                "span:bogus",
                "failed to parse identifier span:bogus: parse error at line 1, col 7: syntax error: unexpected IDENTIFIER",
            ),
            (
                "span.a b",
                "failed to parse identifier span.a b: parse error at line 1, col 9: syntax error: unexpected IDENTIFIER",
            ),
            (
                "span.\"a",
                "failed to parse identifier span.\"a: parse error at line 1, col 9: syntax error: unexpected $end",
            ),
            (
                "span.",
                "failed to parse identifier span.: parse error at line 0, col 2: syntax error: unexpected END_ATTRIBUTE, expecting IDENTIFIER",
            ),
        ] {
            assert_eq!(identifier(text), Err(error.to_owned()));
        }
    }
}
