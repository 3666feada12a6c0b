//! The query's text to tokens, as Go's `text/scanner` and Loki's lexer above it cut it.

mod scan;
mod token;

use crate::error::ParseError;
use crate::units;
use scan::{Raw, RawKind, Scanner};
pub(crate) use token::{Kind, Token};

/// The tokens of a query, ended by one of kind [`Kind::End`], and what stopped the reading early, if something did.
/// The error counts only if no syntax error comes before it.
pub(crate) fn tokens(query: &str) -> (Vec<Token>, Option<ParseError>) {
    let mut lexer = Lexer { scanner: Scanner::new(query) };
    let mut tokens = Vec::new();
    loop {
        match lexer.next() {
            Ok(token) => {
                let end = token.kind == Kind::End;
                tokens.push(token);
                if end {
                    return (tokens, None);
                }
            }
            Err(error) => {
                tokens.push(Token { kind: Kind::End, line: error.line, column: error.column });
                return (tokens, Some(error));
            }
        }
    }
}

struct Lexer {
    scanner: Scanner,
}

impl Lexer {
    fn next(&mut self) -> Result<Token, ParseError> {
        let raw = loop {
            let raw = self.scanner.scan()?;
            if raw.kind != RawKind::Character('#') {
                break raw;
            }
            // A comment goes to the end of the line.
            while self.scanner.peek().is_some_and(|next| next != '\n') {
                self.scanner.advance();
            }
        };
        let simple = |kind| Token { kind, line: raw.line, column: raw.column };
        // Reading on behind a token makes Loki forget its line.
        let extended = |kind| Token { kind, line: 0, column: raw.column };
        match raw.kind {
            RawKind::End => return Ok(simple(Kind::End)),
            RawKind::Number => {
                if let Some(ns) = self.extend(&raw.text, is_duration_character, units::query_duration) {
                    return Ok(extended(Kind::Duration(ns)));
                }
                if let Some(bytes) = self.extend(&raw.text, is_size_character, units::size) {
                    return Ok(extended(Kind::Bytes(bytes)));
                }
                return Ok(simple(Kind::Number(raw.text)));
            }
            RawKind::Character('-') => {
                if let Some(flag) = self.flag() {
                    return Ok(extended(Kind::Flag(flag)));
                }
                if let Some(ns) = self.extend("-", is_duration_character, units::query_duration) {
                    return Ok(extended(Kind::Duration(ns)));
                }
            }
            RawKind::Text => {
                let text = model::literal::unquote(&raw.text)
                    .ok_or_else(|| ParseError::at("invalid syntax", raw.line, raw.column))?;
                return Ok(simple(Kind::Text(text)));
            }
            RawKind::Character('[') => return self.range(&raw).map(|ns| extended(Kind::Range(ns))),
            _ => {}
        }
        if let Some(next) = self.scanner.peek() {
            let with_next = format!("{}{next}", raw.text);
            // Two characters make one operator where there is one, however short the first half is.
            if let Some(kind) = token::operator(&with_next) {
                self.scanner.advance();
                return Ok(extended(kind));
            }
        }
        let lower = raw.text.to_lowercase();
        if let Some(kind) = token::function(&lower) {
            return Ok(simple(if self.is_call() { kind } else { Kind::Identifier(raw.text) }));
        }
        let kind = token::operator(&lower).or_else(|| token::keyword(&lower));
        Ok(simple(kind.unwrap_or(Kind::Identifier(raw.text))))
    }

    /// Reads on behind a number as long as the characters fit, and takes them if the whole has a meaning.
    fn extend<T>(
        &mut self,
        start: &str,
        fits: impl Fn(char) -> bool,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let more: String = self
            .scanner
            .rest()
            .iter()
            .take_while(|next| next.is_numeric() || **next == '.' || fits(**next))
            .collect();
        if more.is_empty() {
            return None;
        }
        let value = read(&format!("{start}{more}")).ok()?;
        more.chars().for_each(|_| self.scanner.advance());
        Some(value)
    }

    /// `--strict` or `--keep-empty`, behind the first dash.
    fn flag(&mut self) -> Option<String> {
        if self.scanner.peek() != Some('-') {
            return None;
        }
        let rest = self.scanner.rest();
        let more: String = rest.iter().take_while(|next| next.is_alphabetic() || **next == '-').collect();
        if !["-strict", "-keep-empty"].contains(&more.as_str()) {
            return None;
        }
        more.chars().for_each(|_| self.scanner.advance());
        Some(format!("-{more}"))
    }

    /// What stands between brackets, as a duration.
    fn range(&mut self, bracket: &Raw) -> Result<i64, ParseError> {
        let error = |message: String| ParseError::at(message, 0, bracket.column);
        let mut text = String::new();
        while let Some(next) = self.scanner.peek() {
            self.scanner.advance();
            if next == ']' {
                return units::prometheus_duration(&text).map_err(error);
            }
            text.push(next);
        }
        Err(error("missing closing ']' in duration".to_owned()))
    }

    /// Whether a call follows: a parenthesis, or `by (` or `without (`. Else a function's name is a plain name.
    fn is_call(&self) -> bool {
        let text: String = self.scanner.rest().iter().take(64).collect();
        let text = text.trim_start().to_lowercase();
        let grouped =
            |word: &str| text.strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with('('));
        text.starts_with('(') || grouped("by") || grouped("without")
    }
}

fn is_duration_character(character: char) -> bool {
    "nuµmshdwy".contains(character)
}

fn is_size_character(character: char) -> bool {
    "BikKMGTP".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(query: &str) -> Vec<Kind> {
        let (mut tokens, error) = tokens(query);
        assert_eq!(error, None);
        assert_eq!(tokens.pop().unwrap().kind, Kind::End);
        tokens.into_iter().map(|token| token.kind).collect()
    }

    fn error(query: &str) -> String {
        tokens(query).1.unwrap().to_string()
    }

    #[test]
    fn operators_names_and_values_are_told_apart() {
        let name = |text: &str| Kind::Identifier(text.to_owned());
        let text = |text: &str| Kind::Text(text.to_owned());
        assert_eq!(
            kinds("{a=~`x\\d`} |= \"y\\n\" | json b"),
            [
                Kind::OpenBrace,
                name("a"),
                Kind::Regex,
                text("x\\d"),
                Kind::CloseBrace,
                Kind::PipeExact,
                text("y\n"),
                Kind::Pipe,
                Kind::Word("json"),
                name("b")
            ]
        );
        assert_eq!(kinds("rate rate(")[..2], [name("rate"), Kind::RangeFunction("rate")]);
        assert_eq!(kinds("sum by (a)")[0], Kind::VectorFunction("sum"));
        assert_eq!(
            kinds("1 2.5KiB 250ms -5m --strict"),
            [
                Kind::Number("1".to_owned()),
                Kind::Bytes(2560),
                Kind::Duration(250_000_000),
                Kind::Duration(-300_000_000_000),
                Kind::Flag("--strict".to_owned())
            ]
        );
        assert_eq!(kinds("[5m] # rest\n="), [Kind::Range(300_000_000_000), Kind::Equal]);
        assert_eq!(kinds("größe // gone\n/* gone */ @"), [name("größe"), name("@")]);
    }

    #[test]
    fn what_is_no_token_is_said_with_its_place() {
        assert_eq!(error("{a=\"b"), "parse error at line 1, col 4: literal not terminated");
        assert_eq!(error("{a=\"\\d\"}"), "parse error at line 1, col 4: invalid char escape");
        assert_eq!(error("\n  [5"), "parse error at line 0, col 3: missing closing ']' in duration");
        assert_eq!(error("a `b"), "parse error at line 1, col 3: literal not terminated");
    }
}
