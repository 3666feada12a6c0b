//! What rules read and write: a store of metrics that answers queries.

use std::time::Duration;

use model::{Labels, Matcher};
use promql::Expr;
use promql::storage::{MsRange, PointValue};

/// A sample that a rule makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The series, its name in `__name__`.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// The value; the end of a series is a staleness marker.
    pub value: PointValue,
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// Whoever asked does not wait any more.
    #[error("query was canceled in query execution")]
    Canceled,
    /// The engine or the store says why, in Prometheus' words.
    #[error("{0}")]
    Failed(String),
}

/// The newest float of a series in a range: time in milliseconds since the Unix epoch, and value.
pub type Newest = Option<(i64, f64)>;

/// A store of metrics that answers queries. Calls block.
pub trait Backend: Send + Sync {
    /// An expression at a time, in milliseconds since the Unix epoch: series with their values. A scalar is one series
    /// without labels.
    fn query(
        &self,
        expr: &Expr,
        time_ms: i64,
        is_canceled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<(Labels, PointValue)>, QueryError>;

    /// Writes samples. Those that are refused come back by their position with Prometheus' words for why; an error means
    /// that none was written.
    fn append(&self, samples: Vec<Sample>) -> Result<Vec<(usize, String)>, String>;

    /// The newest sample of each series in a range.
    fn newest(&self, matchers: &[Matcher], range: MsRange) -> Result<Vec<(Labels, Newest)>, String>;
}

/// A duration in nanoseconds, as times are counted here.
pub(crate) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// Nanoseconds since the Unix epoch as the milliseconds of samples.
pub(crate) fn millis(time_ns: i64) -> i64 {
    time_ns.div_euclid(1_000_000)
}
