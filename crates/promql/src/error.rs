//! What is wrong with a query, and where.

use std::fmt;

/// Bytes of the query, from the first up to, not including, the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One behind the last byte.
    pub end: usize,
}

/// A query that cannot be read, in Prometheus' words: `1:5: parse error: unexpected …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// Where.
    pub span: Span,
    /// What is wrong there.
    pub message: String,
    position: Position,
    limit: Option<Limit>,
}

/// What a query may not have more of, so that reading it takes neither all memory nor the whole stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Its length: a mebibyte.
    Bytes,
    /// How deeply its expressions are nested: 100.
    Depth,
    /// Its operators and subqueries: 2,000.
    Operators,
    /// What its regular expressions take once they are compiled: 10 MiB each, 64 MiB together.
    Regex,
}

impl Limit {
    /// A name for figures.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Depth => "depth",
            Self::Operators => "operators",
            Self::Regex => "regex",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Unknown,
    Known { line: usize, column: usize },
}

impl ParseError {
    pub(crate) fn new(query: &str, span: Span, message: impl Into<String>) -> Self {
        let position = if query.is_empty() {
            Position::Unknown
        } else {
            let (line, column) = position(query, span.start);
            Position::Known { line, column }
        };
        Self { span, message: message.into(), position, limit: None }
    }

    /// The same, with the limit that was broken.
    pub(crate) fn of(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The limit that the query broke; `None` if it is wrong for another reason.
    pub fn limit(&self) -> Option<Limit> {
        self.limit
    }

    /// The same error in a longer text: the line that it tells is counted from the first one of that.
    #[must_use]
    pub fn below(mut self, lines: usize) -> Self {
        if let Position::Known { line, .. } = &mut self.position {
            *line += lines;
        }
        self
    }
}

/// Line and column of a byte of a query, both counted from 1, columns in bytes.
pub(crate) fn position(query: &str, at: usize) -> (usize, usize) {
    let before = &query.as_bytes()[..at.min(query.len())];
    let lines = before.split(|byte| *byte == b'\n');
    let (line, last) = lines.enumerate().last().unwrap_or((0, before));
    (line + 1, last.len() + 1)
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Position::Unknown => f.write_str("unknown position")?,
            Position::Known { line, column } => write!(f, "{line}:{column}")?,
        }
        write!(f, ": parse error: {}", self.message)
    }
}

impl std::error::Error for ParseError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_bytes() {
        let error = |query, start| ParseError::new(query, Span { start, end: start }, "x").to_string();
        assert_eq!(error("abc", 2), "1:3: parse error: x");
        assert_eq!(error("a\nbc\nd", 3), "2:2: parse error: x");
        assert_eq!(error("a\nbc\nd", 5), "3:1: parse error: x");
        assert_eq!(error("", 0), "unknown position: parse error: x");
        let below = ParseError::new("a\nbc", Span { start: 3, end: 3 }, "x").below(2);
        assert_eq!(below.to_string(), "4:2: parse error: x");
    }
}
