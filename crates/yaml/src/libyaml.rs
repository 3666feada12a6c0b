//! What version 2 of Go's package says of a text that is no YAML: it gives on what libyaml's scanner and parser say, and
//! the lines of the two are not counted alike.

use crate::error::Error;

/// What the parser complains of, which comes after the scanner.
const OF_THE_PARSER: [&str; 5] = [
    "did not find expected key",
    "did not find expected '-' indicator",
    "did not find expected ','",
    "did not find expected node content",
    "did not find expected <document start>",
];

/// The error with the words and the line that version 2 gives.
pub(crate) fn in_words_of_v2(error: Error, text: &str) -> Error {
    let Error::Syntax { line, message, .. } = error else { return error };
    let last = text.matches('\n').count() as u32 + 1;
    let message = match message.as_str() {
        // A value in a list in brackets that was not closed on the line before.
        "illegal placement of ':' indicator" => "did not find expected ',' or ']'".to_owned(),
        "unknown anchor referenced" => {
            return Error::Syntax { line, said: None, message: unknown_anchor(text, line) };
        }
        "misplaced bracket" => match text.lines().nth(line as usize - 1).map(begins_with_bracket) {
            Some(true) => "did not find expected node content".to_owned(),
            _ => "did not find expected key".to_owned(),
        },
        trailing if trailing.starts_with("invalid trailing content after ") => {
            "did not find expected key".to_owned()
        }
        _ => message,
    };
    // What was not closed is missed at the end of the text.
    let is_unclosed = |opening: char| {
        message.contains("expected ','")
            && text.lines().nth(line as usize - 1).is_some_and(|it| it.contains(opening))
    };
    let line_of_it = match message.as_str() {
        "found unexpected end of stream" | "invalid indentation in multiline quoted scalar" => last,
        _ if is_unclosed('[') || is_unclosed('{') => last,
        _ => line,
    };
    let message = match message.as_str() {
        "invalid indentation in multiline quoted scalar" => "found unexpected end of stream".to_owned(),
        _ => message,
    };
    let by_parser = OF_THE_PARSER.iter().any(|known| message.starts_with(known));
    // The parser counts from 0; of the first line nothing is said.
    let said = match line_of_it {
        0 | 1 => None,
        later if by_parser => Some(later - 1),
        later => Some(later),
    };
    Error::Syntax { line, said, message }
}

/// Whether a closing bracket stands where a value should.
fn begins_with_bracket(line: &str) -> bool {
    let before = line.find([']', '}']).map_or("", |at| line[..at].trim_end());
    before.is_empty() || before.ends_with([':', '-'])
}

fn unknown_anchor(text: &str, line: u32) -> String {
    let line = text.lines().nth(line as usize - 1).unwrap_or_default();
    let name = line.split_once('*').map_or("", |(_, rest)| rest);
    let end =
        name.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(name.len());
    format!("unknown anchor '{}' referenced", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, parse};

    /// The words are those of promtool 3.14.
    #[test]
    fn words_and_lines_are_those_of_version_2() {
        for (text, words) in [
            ("global: [a\n", "yaml: line 1: did not find expected ',' or ']'"),
            ("x: [a, b\n\n\n", "yaml: line 3: did not find expected ',' or ']'"),
            ("a: [b\nc: d\n", "yaml: line 1: did not find expected ',' or ']'"),
            ("x: {a: b\ny: 1\n", "yaml: line 1: did not find expected ',' or '}'"),
            ("{a: b\n", "yaml: line 1: did not find expected ',' or '}'"),
            ("- a\nb: c\n", "yaml: line 1: did not find expected '-' indicator"),
            ("x:\n  - a\n b: c\n", "yaml: line 2: did not find expected key"),
            ("a: b\n  c: d\n", "yaml: line 2: mapping values are not allowed in this context"),
            ("a: b: c\n", "yaml: mapping values are not allowed in this context"),
            ("a: \"b\n", "yaml: line 2: found unexpected end of stream"),
            ("x: \"a\n\nb: c\n", "yaml: line 4: found unexpected end of stream"),
            ("a: @b\n", "yaml: found character that cannot start any token"),
            ("x: 1\ny: ]\n", "yaml: line 1: did not find expected node content"),
            ("x: [a]]\n", "yaml: did not find expected key"),
            ("x: 1\ny: \"a\" b\n", "yaml: line 1: did not find expected key"),
            ("a: *x\n", "yaml: unknown anchor 'x' referenced"),
        ] {
            let error = parse(text, Limits::default()).unwrap_err();
            assert_eq!(in_words_of_v2(error, text).to_string(), words, "{text:?}");
        }
    }
}
