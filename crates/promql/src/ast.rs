//! What a query says.

use model::Matcher;

use crate::error::Span;

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// A number.
    Number(f64),
    /// A text.
    String(String),
    /// The newest sample of each series.
    Vector(VectorSelector),
    /// The samples of each series within a range.
    Matrix(MatrixSelector),
    /// An expression in parentheses.
    Paren(Box<Expr>),
}

impl Expr {
    /// The expression without parentheses around it.
    pub fn inner(&self) -> &Self {
        match self {
            Self::Paren(inner) => inner.inner(),
            other => other,
        }
    }

    /// The type of its value, as Prometheus documents it.
    pub fn type_name(&self) -> &'static str {
        match self.inner() {
            Self::Number(_) => "scalar",
            Self::String(_) => "string",
            Self::Vector(_) => "instant vector",
            Self::Matrix(_) | Self::Paren(_) => "range vector",
        }
    }

    /// The matchers of each selector in it.
    pub fn selectors(&self) -> Vec<&[Matcher]> {
        match self.inner() {
            Self::Vector(selector) => vec![&selector.matchers],
            Self::Matrix(selector) => vec![&selector.vector.matchers],
            _ => Vec::new(),
        }
    }
}

/// Series by their labels, at a time that may be moved.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSelector {
    /// All conditions, the one on the metric's name among them.
    pub matchers: Vec<Matcher>,
    /// How far back in time, in milliseconds; negative is forward.
    pub offset_ms: i64,
    /// The time that it is fixed to.
    pub at: Option<At>,
    /// Where it stands.
    pub span: Span,
    pub(crate) name: Option<String>,
}

/// Series with the samples of a range that ends at the evaluation's time.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixSelector {
    /// Which series.
    pub vector: VectorSelector,
    /// How long the range is, in milliseconds; its older end is not included.
    pub range_ms: i64,
    /// Where it stands.
    pub span: Span,
}

/// A time that does not move with the evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Milliseconds since the Unix epoch.
    Time(i64),
    /// The first time of a range query, or the time of an instant query.
    Start,
    /// The last time of a range query, or the time of an instant query.
    End,
}
