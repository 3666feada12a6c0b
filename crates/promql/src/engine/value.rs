//! Values of expressions: those that are handed out, and those that one part of a query hands to the next.

use std::sync::Arc;

use model::{Histogram, Labels};

use super::size::histogram_size;
use crate::storage::PointValue;

/// The value of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number at a time.
    Scalar(i64, f64),
    /// A text at a time.
    String(i64, String),
    /// One sample of each series at a time.
    Vector(i64, Vec<(Labels, PointValue)>),
    /// Samples of each series.
    Matrix(Vec<SeriesPoints>),
}

/// The samples of a series in a result.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeriesPoints {
    /// The series.
    pub labels: Labels,
    /// Its floats, by time.
    pub floats: Vec<(i64, f64)>,
    /// Its native histograms, by time.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
}

impl SeriesPoints {
    /// Whether it has no sample.
    pub fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    /// How many samples it has.
    pub fn len(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }
}

/// A series of a vector at every step of an evaluation: at most one sample for each step, a float or a histogram, both
/// lists by ascending time.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Series {
    /// Its labels; the metric's name is still there where it is to be dropped in the end.
    pub(crate) labels: Labels,
    /// Whether the metric's name is dropped when the query is done: that late, so that functions in between may use it.
    pub(crate) drops_name: bool,
    /// Time of the step and value.
    pub(crate) floats: Vec<(i64, f64)>,
    /// Time of the step and value.
    pub(crate) histograms: Vec<(i64, Arc<Histogram>)>,
}

impl Series {
    /// A series without samples.
    pub(crate) fn new(labels: Labels, drops_name: bool) -> Self {
        Self { labels, drops_name, floats: Vec::new(), histograms: Vec::new() }
    }

    /// Whether it has no sample.
    pub(crate) fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    /// How many samples it has, histograms counted by their size.
    pub(crate) fn size(&self) -> usize {
        self.floats.len()
            + self.histograms.iter().map(|(_, histogram)| histogram_size(histogram)).sum::<usize>()
    }

    /// Adds a sample behind the others.
    pub(crate) fn push(&mut self, time_ms: i64, value: PointValue) {
        match value {
            PointValue::Float(value) => self.floats.push((time_ms, value)),
            PointValue::Histogram(histogram) => self.histograms.push((time_ms, histogram)),
        }
    }
}

/// Samples of several series, histograms counted by their size.
pub(crate) fn total_size(series: &[Series]) -> usize {
    series.iter().map(Series::size).sum()
}

/// What a part of a query is at every step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    /// A number for each step.
    Scalar(Vec<f64>),
    /// Series.
    Vector(Vec<Series>),
    /// A text.
    Text(String),
}
