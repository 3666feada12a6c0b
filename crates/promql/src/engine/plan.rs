//! An expression made ready for its evaluation: durations reckoned, times of `@` resolved, parentheses gone, and parts
//! that are the same at every step marked, so that they are evaluated once.

mod duration;
mod lower;
mod totals;

use model::Matcher;

use crate::ast::{AggregateOp, BinaryOp, Extension, Matching, StringLiteral, ValueType};
use crate::deep::deeper;
use crate::error::Span;
use crate::functions::Function;

pub(super) use lower::lower;

/// A part of a query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Where it stands in the query.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a part of a query is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// A number.
    Number(f64),
    /// A text.
    Text(StringLiteral),
    /// The newest samples of series.
    Vector(Selector),
    /// Samples of series within a range in milliseconds.
    Matrix(Selector, i64),
    /// An expression at steps of its own, within a range.
    Subquery(Box<Subquery>),
    /// The negative of an expression.
    Negative(Box<Node>),
    /// An operator between two.
    Binary(Box<Binary>),
    /// Series put together.
    Aggregate(Box<Aggregate>),
    /// A function.
    Call(Call),
    /// What is the same at every step.
    Invariant(Box<Node>),
}

/// Series by their labels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Selector {
    /// All conditions, the one on the metric's name among them.
    pub(crate) matchers: Vec<Matcher>,
    /// When.
    pub(crate) moved: Moved,
    /// `anchored` or `smoothed`.
    pub(crate) extension: Option<Extension>,
    /// Whether counts and sums of histograms are enough, without their buckets.
    pub(crate) only_totals: bool,
}

/// How the time that is looked at differs from the evaluation's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Moved {
    /// How far back in time, in milliseconds; negative is forward.
    pub(crate) offset_ms: i64,
    /// A time that it is fixed to, before the offset.
    pub(crate) at_ms: Option<i64>,
}

impl Moved {
    /// The time that is looked at in an evaluation at some time.
    pub(crate) fn time(self, time_ms: i64) -> i64 {
        self.at_ms.unwrap_or(time_ms).saturating_sub(self.offset_ms)
    }
}

/// An expression at steps of its own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Subquery {
    /// What is evaluated.
    pub(crate) expr: Node,
    /// For how long, in milliseconds; the older end is not included.
    pub(crate) range_ms: i64,
    /// How often, in milliseconds; 0 is the engine's default.
    pub(crate) step_ms: i64,
    /// When.
    pub(crate) moved: Moved,
}

/// An operator between two expressions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Binary {
    /// The operator.
    pub(crate) op: BinaryOp,
    /// Left of it.
    pub(crate) left: Node,
    /// Right of it.
    pub(crate) right: Node,
    /// Which series belong together; only between vectors.
    pub(crate) matching: Matching,
    /// Whether a comparison answers with 0 or 1.
    pub(crate) returns_bool: bool,
}

/// Series put together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aggregate {
    /// How.
    pub(crate) op: AggregateOp,
    /// Which.
    pub(crate) expr: Node,
    /// `k`, a quantile, a label's name.
    pub(crate) param: Option<Node>,
    /// Labels that make a group or that do not, sorted.
    pub(crate) grouping: Vec<String>,
    /// Whether the labels are those that do not.
    pub(crate) is_without: bool,
    /// Where the whole stands.
    pub(crate) span: Span,
}

/// A function of expressions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// Which.
    pub(crate) function: &'static Function,
    /// Of what.
    pub(crate) args: Vec<Node>,
    /// Where it stands.
    pub(crate) span: Span,
}

impl Node {
    /// The type of its value.
    pub(crate) fn value_type(&self) -> ValueType {
        match &self.kind {
            Kind::Number(_) => ValueType::Scalar,
            Kind::Text(_) => ValueType::String,
            Kind::Vector(_) | Kind::Aggregate(_) => ValueType::Vector,
            Kind::Matrix(..) | Kind::Subquery(_) => ValueType::Matrix,
            Kind::Negative(node) | Kind::Invariant(node) => node.value_type(),
            Kind::Binary(binary) => {
                let scalar = |node: &Self| deeper(|| node.value_type()) == ValueType::Scalar;
                if scalar(&binary.left) && scalar(&binary.right) {
                    ValueType::Scalar
                } else {
                    ValueType::Vector
                }
            }
            Kind::Call(call) => call.function.returns,
        }
    }

    /// The same without the mark of what is the same at every step.
    pub(crate) fn inner(&self) -> &Self {
        match &self.kind {
            Kind::Invariant(node) => node.inner(),
            _ => self,
        }
    }

    /// The text of an argument that is one; the grammar has seen to it.
    pub(crate) fn text(&self) -> &str {
        match &self.inner().kind {
            Kind::Text(text) => &text.value,
            _ => "",
        }
    }
}
