//! The notation in which tests write series with their points: that of Prometheus' own tests and of
//! `promtool test rules`.
//!
//! ```text
//! metric{label="value"} 1 2.5 _ stale -Inf     points one by one; _ is none, stale ends the series
//! metric                0+10x5                 0, and five more, each larger by 10; 100-10x5 falls
//! metric                7x3 _x4                7, and three more; four times none
//! metric                {{schema:1 count:3 sum:4 buckets:[1 2]}}+{{count:1 buckets:[1]}}x5
//! metric@st             -1m -1mx3 _ 0s+10sx2   start timestamps of the points in the next line, relative to theirs
//! ```
//!
//! Histograms have the keys `schema`, `sum`, `count`, `z_bucket`, `z_bucket_w`, `buckets`, `offset`, `n_buckets`,
//! `n_offset`, `custom_values` and `counter_reset_hint` (`unknown`, `reset`, `not_reset`, `gauge`), each at most once.
//! [`model::histogram::Notation`] prints them so.
//!
//! - [`parse_series`]: a line with points.
//! - [`is_start_times`] and [`parse_start_times`]: a line with start timestamps.

mod start_times;

use std::sync::Arc;

use model::{Histogram, Labels};

use crate::error::ParseError;
pub use start_times::{StartTimes, is_start_times, parse_start_times};

/// Most points of one line. Prometheus has no limit.
pub const MAX_POINTS: usize = 10_000_000;

/// A series with its points, one for each step of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesText {
    /// The name, as the label `__name__`, and the other labels.
    pub labels: Labels,
    /// The points, from the first step on.
    pub points: Vec<Point>,
}

/// What a series has at one step.
#[derive(Debug, Clone, PartialEq)]
pub enum Point {
    /// Nothing.
    None,
    /// A number; the marker of staleness for `stale`.
    Float(f64),
    /// A histogram.
    Histogram {
        /// The histogram, as it is written: nothing is checked.
        histogram: Arc<Histogram>,
        /// Whether what it knows of resets was written down; else a test does not expect anything of that.
        hint_given: bool,
    },
}

/// Reads a series with its points.
///
/// # Errors
///
/// In Prometheus' words, with the place in the line; also if there are more than [`MAX_POINTS`] points.
///
/// ```
/// use promql::series_text::{Point, parse_series};
/// let series = parse_series("up{job=\"a\"} 1 _ 5-2x2")?;
/// assert_eq!(series.labels.get("job"), "a");
/// let points = [1.0, 5.0, 3.0, 1.0].map(Point::Float);
/// assert_eq!((&series.points[0], &series.points[2..]), (&points[0], &points[1..]));
/// assert_eq!(
///     parse_series("up 1+1").unwrap_err().to_string(),
///     "1:7: parse error: unexpected end of input in series values"
/// );
/// # Ok::<(), promql::ParseError>(())
/// ```
pub fn parse_series(line: &str) -> Result<SeriesText, ParseError> {
    crate::parser::parse_series(line)
}

#[cfg(test)]
mod tests;
