//! What can be wrong with a document, and how readers say so.

use std::fmt::Write as _;

use crate::node::Position;

/// A result with this crate's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a reader gives: a value, or a [`Failure`].
pub type Outcome<T> = std::result::Result<T, Failure>;

/// Which of Go's packages the texts follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `yaml/v2`, as in Prometheus' and Alertmanager's configuration: a null empties a value, `y` and `on` are booleans,
    /// a field given twice is `already set in type …`.
    V2,
    /// `yaml/v3`, as in rule files: a null leaves a value as it was, a key given twice is `already defined at line …`.
    V3,
}

/// One complaint about a value or a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Where it stands.
    pub position: Position,
    /// What is wrong, without the line.
    pub text: String,
}

/// Why a document was refused. `Display` gives Go's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not YAML.
    #[error("yaml: {}{message}", of_line(*said))]
    Syntax {
        /// Line, from 1.
        line: u32,
        /// The line that Go's text names, which counts in its own way.
        said: Option<u32>,
        /// What was found or missing.
        message: String,
    },
    /// It is larger, deeper or more repetitive than is allowed.
    #[error("yaml: {message}")]
    Limit {
        /// Which bound, and how much it is.
        message: String,
        /// Where it was reached, when that is known.
        line: Option<u32>,
    },
    /// Values of wrong types, unknown fields, keys given twice.
    #[error("yaml: unmarshal errors:\n{}", lines(.0))]
    Types(Vec<Issue>),
    /// What a component's own check says. The text carries no line; [`Error::line`] does.
    #[error("{message}")]
    Refused {
        /// The component's text.
        message: String,
        /// Where the value stands that was refused, when it is one value.
        position: Option<Position>,
    },
}

impl Error {
    /// The line (from 1) that the first complaint is about.
    pub fn line(&self) -> Option<u32> {
        match self {
            Self::Syntax { line, .. } => Some(*line),
            Self::Limit { line, .. } => *line,
            Self::Types(issues) => issues.first().map(|issue| issue.position.line),
            Self::Refused { position, .. } => position.map(|position| position.line),
        }
    }
}

fn of_line(line: Option<u32>) -> String {
    line.map(|line| format!("line {line}: ")).unwrap_or_default()
}

fn lines(issues: &[Issue]) -> String {
    let mut text = String::new();
    for (index, issue) in issues.iter().enumerate() {
        let end = if index == 0 { "" } else { "\n" };
        let _ = write!(text, "{end}  line {}: {}", issue.position.line, issue.text);
    }
    text
}

/// Why a reader gives no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It has complained to the [`Context`]; what stands beside the value can still be read.
    Noted,
    /// The document is refused at once, with this text.
    Fatal {
        /// The component's text.
        message: String,
        /// Where the value stands.
        position: Option<Position>,
    },
}

/// A check that failed and that concerns no single value.
pub fn fatal(message: impl Into<String>) -> Failure {
    Failure::Fatal { message: message.into(), position: None }
}

/// How many complaints are kept; more help nobody.
const MOST_ISSUES: usize = 100;

/// What readers share: the dialect, and the complaints so far.
#[derive(Debug)]
pub struct Context {
    dialect: Dialect,
    issues: Vec<Issue>,
    count: usize,
    /// Refusals that wait for the mapping around them to be read without a complaint.
    waiting: Vec<Failure>,
}

impl Context {
    /// Without complaints.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, issues: Vec::new(), count: 0, waiting: Vec::new() }
    }

    /// Whose texts are used.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Notes a complaint. Give the returned failure on where the value cannot be used.
    pub fn complain(&mut self, position: Position, text: impl Into<String>) -> Failure {
        self.count += 1;
        if self.issues.len() < MOST_ISSUES {
            self.issues.push(Issue { position, text: text.into() });
        }
        Failure::Noted
    }

    /// Refuses the document once the mapping around a value has been read: where that brings complaints, they are told
    /// instead. Give the returned failure on.
    pub fn refuse_later(&mut self, position: Position, message: impl Into<String>) -> Failure {
        self.waiting.push(Failure::Fatal { message: message.into(), position: Some(position) });
        Failure::Noted
    }

    /// How many refusals wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets the refusals since there were so many, and gives the first of them.
    pub(crate) fn take_waiting(&mut self, before: usize) -> Option<Failure> {
        self.waiting.drain(before.min(self.waiting.len())..).next()
    }

    /// How many complaints there were, to see later whether there are more.
    pub fn complaints(&self) -> usize {
        self.count
    }

    /// Makes a reader's outcome and the complaints into a result.
    ///
    /// # Errors
    /// The complaints by line, or the fatal failure.
    pub fn finish<T>(mut self, outcome: Outcome<T>) -> Result<T> {
        let waiting = self.take_waiting(0).filter(|_| self.issues.is_empty());
        match waiting.map_or(outcome, Err) {
            Err(Failure::Fatal { message, position }) => Err(Error::Refused { message, position }),
            Ok(value) if self.issues.is_empty() => Ok(value),
            Ok(_) | Err(Failure::Noted) => {
                // Go reads a mapping in the order of the file; readers here ask for fields in an order of their own.
                self.issues.sort_by_key(|issue| issue.position);
                Err(Error::Types(self.issues))
            }
        }
    }
}
