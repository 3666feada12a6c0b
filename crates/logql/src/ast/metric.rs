//! Metric queries.

use super::{LabelFilter, LogExpr};
use crate::error::ParseError;

/// What is counted of entries.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// A number.
    Literal(f64),
    /// A number as a vector without labels.
    Vector(f64),
    /// A function over a range of entries.
    Range(Box<RangeAggregation>),
    /// An aggregation over series.
    Aggregation(Box<VectorAggregation>),
    /// An operation on two sides.
    Binary(Box<Binary>),
    /// Sets a label from another by a regular expression.
    LabelReplace {
        /// What is relabelled.
        inner: Box<Metric>,
        /// The label that is set.
        target: String,
        /// Its new value, with `$1` for groups.
        replacement: String,
        /// The label that is read.
        source: String,
        /// What its value has to match as a whole.
        regex: String,
    },
    /// What has no meaning; the parser gives the error instead of the query.
    #[doc(hidden)]
    Invalid(ParseError),
}

/// A function over a range of entries.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeAggregation {
    /// Its name.
    pub function: &'static str,
    /// Its parameter: the quantile.
    pub parameter: Option<f64>,
    /// The entries.
    pub range: LogRange,
    /// By which labels results are grouped.
    pub grouping: Option<Grouping>,
}

/// Entries of a stretch of time before each point.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRange {
    /// Which entries.
    pub log: LogExpr,
    /// How long the stretch is, in nanoseconds.
    pub interval_ns: i64,
    /// How much earlier it lies, in nanoseconds.
    pub offset_ns: i64,
    /// Which label holds the number.
    pub unwrap: Option<Unwrap>,
}

/// The label whose value is the number.
#[derive(Debug, Clone, PartialEq)]
pub struct Unwrap {
    /// The label.
    pub label: String,
    /// `bytes`, `duration` or `duration_seconds`.
    pub conversion: Option<&'static str>,
    /// What has to hold after the conversion.
    pub filters: Vec<LabelFilter>,
}

/// By which labels results are grouped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grouping {
    /// Whether these are taken away, and not kept.
    pub without: bool,
    /// The labels.
    pub labels: Vec<String>,
}

/// An aggregation over series.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorAggregation {
    /// Its name.
    pub function: &'static str,
    /// Its parameter: how many.
    pub parameter: Option<usize>,
    /// By which labels results are grouped.
    pub grouping: Option<Grouping>,
    /// What is aggregated.
    pub inner: Metric,
}

/// An operation on two sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Binary {
    /// The operator as it is written.
    pub op: &'static str,
    /// Whether a comparison gives 0 or 1 instead of filtering.
    pub return_bool: bool,
    /// `on (…)` or `ignoring (…)`: whether it is `on`, and the labels.
    pub matching: Option<(bool, Vec<String>)>,
    /// Which side may have several series for one of the other, and the labels to take over from that other.
    pub cardinality: Option<(Cardinality, Vec<String>)>,
    /// The left side.
    pub left: Metric,
    /// The right side.
    pub right: Metric,
}

/// Which side may have several series for one of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    /// `group_left`
    ManyToOne,
    /// `group_right`
    OneToMany,
}
