//! What a query says.
//!
//! Everything prints as LogQL, and reads back as what it was.

mod metric;
mod print;

use model::{MatchOp, Matcher};

pub use metric::{
    Binary, Cardinality, Grouping, LogRange, Metric, RangeAggregation, Unwrap, VectorAggregation,
};

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// Which entries are wanted.
    Log(LogExpr),
    /// What is counted of entries.
    Metric(Metric),
}

/// A stream selector with what its entries go through.
#[derive(Debug, Clone, PartialEq)]
pub struct LogExpr {
    /// What a stream's labels have to satisfy, all of it.
    pub matchers: Vec<Matcher>,
    /// What is done with each entry, in this order.
    pub stages: Vec<Stage>,
}

/// One step of a pipeline.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// Keeps or drops by the line.
    Line(LineFilter),
    /// Keeps or drops by labels.
    Label(LabelFilter),
    /// Reads the line as JSON: everything in it, or what is asked.
    Json(Vec<Extraction>),
    /// Reads the line as logfmt: everything in it, or what is asked.
    Logfmt {
        /// Stops at the first pair that is broken.
        strict: bool,
        /// Takes keys without a value as well.
        keep_empty: bool,
        /// What is asked.
        wanted: Vec<Extraction>,
    },
    /// Reads the line by the named groups of a regular expression.
    Regexp(String),
    /// Reads the line by a pattern with named placeholders.
    Pattern(String),
    /// Takes apart a line that was packed with its labels.
    Unpack,
    /// Writes the line anew.
    LineFormat(String),
    /// Writes labels anew.
    LabelFormat(Vec<LabelFormat>),
    /// Takes colour codes out of the line.
    Decolorize,
    /// Takes labels away.
    Drop(Vec<NamedMatcher>),
    /// Takes all other labels away.
    Keep(Vec<NamedMatcher>),
}

/// How a line is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineOp {
    /// `|=`: contains the text.
    Contains,
    /// `!=`: does not contain the text.
    NotContains,
    /// `|~`: the regular expression matches somewhere.
    Matches,
    /// `!~`: the regular expression matches nowhere.
    NotMatches,
    /// `|>`: the pattern fits the whole line.
    Pattern,
    /// `!>`: the pattern does not fit.
    NotPattern,
}

/// A condition on the line: one of the alternatives, or, for the negative operators, none of them.
#[derive(Debug, Clone, PartialEq)]
pub struct LineFilter {
    /// How each is compared.
    pub op: LineOp,
    /// What the line is compared with; at least one.
    pub alternatives: Vec<LineMatch>,
}

/// What a line is compared with.
#[derive(Debug, Clone, PartialEq)]
pub enum LineMatch {
    /// A text, a regular expression or a pattern.
    Text(String),
    /// An address or a range of addresses.
    Ip(String),
}

/// How a label's value is compared with a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `==` or `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
}

/// A condition on labels: those of the stream, structured metadata, and what stages before have added.
#[derive(Debug, Clone, PartialEq)]
pub enum LabelFilter {
    /// Compares a label's text.
    Text(Matcher),
    /// Compares a label's value as an address.
    Ip {
        /// The label.
        name: String,
        /// Whether it has to lie in the range, or must not.
        equal: bool,
        /// An address or a range of addresses.
        pattern: String,
    },
    /// Compares a label's value as a number, a duration or a size.
    Quantity {
        /// The label.
        name: String,
        /// How.
        op: Compare,
        /// With what.
        value: Quantity,
    },
    /// Both hold.
    And(Box<LabelFilter>, Box<LabelFilter>),
    /// One of the two holds.
    Or(Box<LabelFilter>, Box<LabelFilter>),
}

/// A number with what it measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
    /// Just a number.
    Number(f64),
    /// Nanoseconds.
    Duration(i64),
    /// Bytes.
    Bytes(u64),
}

/// A label that a parser stage sets, and where its value lies in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extraction {
    /// The label.
    pub name: String,
    /// A path in the parser's own language.
    pub path: String,
}

/// A label that is written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelFormat {
    /// From another label, which goes away.
    Rename {
        /// The new name.
        to: String,
        /// The old name.
        from: String,
    },
    /// From a template.
    Template {
        /// The label.
        name: String,
        /// The template.
        template: String,
    },
}

/// A label by name, or by a condition on its value.
#[derive(Debug, Clone, PartialEq)]
pub enum NamedMatcher {
    /// Whatever its value.
    Name(String),
    /// If its value satisfies this.
    Matcher(Matcher),
}

impl LineOp {
    /// Whether the line must not match.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotContains | Self::NotMatches | Self::NotPattern)
    }
}

impl LogExpr {
    /// Whether a matcher selects by what a stream has, and not only by what it lacks. Loki refuses a query without
    /// such a matcher.
    pub(crate) fn selects_something(&self) -> bool {
        self.matchers.iter().any(|matcher| !matcher.matches_empty())
    }
}

/// Whether a matcher's operator takes a regular expression.
pub(crate) fn is_regex(op: MatchOp) -> bool {
    matches!(op, MatchOp::Regex | MatchOp::NotRegex)
}
