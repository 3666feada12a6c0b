//! Why a query is refused, in Loki's words.

use std::fmt;

/// A query that cannot be read, or that says something that has no meaning.
///
/// Shown as Loki shows it: `parse error at line 1, col 5: syntax error: …`, or without a place where Loki gives none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong.
    pub message: String,
    /// Counted from 1; 0 where Loki gives none, which is also the case behind tokens of more than one character.
    pub line: usize,
    /// Counted from 1 in characters; 0 where there is none.
    pub column: usize,
}

impl ParseError {
    pub(crate) fn at(message: impl Into<String>, line: usize, column: usize) -> Self {
        Self { message: message.into(), line, column }
    }

    /// An error that concerns no single place.
    pub(crate) fn nowhere(message: impl Into<String>) -> Self {
        Self::at(message, 0, 0)
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if (self.line, self.column) == (0, 0) {
            return write!(f, "parse error : {}", self.message);
        }
        write!(f, "parse error at line {}, col {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Why a query that reads well cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PipelineError {
    /// A regular expression or a pattern in it is none.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// It is not evaluated yet.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// A query that is read, but that this engine does not evaluate yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} not supported yet: {text}")]
pub struct Unsupported {
    /// What, in the plural with its verb: `metric queries are`.
    pub(crate) what: &'static str,
    /// As it was written.
    pub(crate) text: String,
}
