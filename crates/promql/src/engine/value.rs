//! Values of expressions: those that are handed out, and those that one part of a query hands to the next.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Histogram, Labels};

use super::Error;
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

impl Series {
    /// Adds a sample at its place by time; an error if there is one.
    pub(crate) fn insert(&mut self, time_ms: i64, value: PointValue) -> Result<(), Error> {
        let (float, histogram) = (place(&self.floats, time_ms), place(&self.histograms, time_ms));
        let (Some(float), Some(histogram)) = (float, histogram) else { return Err(Error::same_labels()) };
        match value {
            PointValue::Float(value) => self.floats.insert(float, (time_ms, value)),
            PointValue::Histogram(value) => self.histograms.insert(histogram, (time_ms, value)),
        }
        Ok(())
    }

    /// Adds all samples of a series with the same labels; an error if both have one at the same time.
    fn join(&mut self, other: Self) -> Result<(), Error> {
        for (time_ms, value) in other.floats {
            self.insert(time_ms, PointValue::Float(value))?;
        }
        for (time_ms, value) in other.histograms {
            self.insert(time_ms, PointValue::Histogram(value))?;
        }
        Ok(())
    }

    /// The same, but a float and a histogram may have the same time.
    fn join_by_type(&mut self, other: Self) -> Result<(), Error> {
        join_points(&mut self.floats, other.floats)?;
        join_points(&mut self.histograms, other.histograms)
    }
}

/// Where a point belongs; `None` if there is one of the same time.
fn place<T>(points: &[(i64, T)], time_ms: i64) -> Option<usize> {
    match points.last() {
        Some((last_ms, _)) if *last_ms >= time_ms => {
            points.binary_search_by_key(&time_ms, |(time_ms, _)| *time_ms).err()
        }
        _ => Some(points.len()),
    }
}

fn join_points<T>(points: &mut Vec<(i64, T)>, others: Vec<(i64, T)>) -> Result<(), Error> {
    for (time_ms, value) in others {
        let place = place(points, time_ms).ok_or_else(Error::same_labels)?;
        points.insert(place, (time_ms, value));
    }
    Ok(())
}

/// Series with the same labels as one, where labels were made others; an error if two have a sample of the same type at
/// the same step.
pub(crate) fn merge_same(series: Vec<Series>) -> Result<Vec<Series>, Error> {
    merge(series, Series::join_by_type)
}

/// Results with the same labels as one series; an error if two have a sample at the same step.
pub(crate) fn merge_results(series: Vec<Series>) -> Result<Vec<Series>, Error> {
    merge(series, Series::join)
}

fn merge(
    series: Vec<Series>,
    join: fn(&mut Series, Series) -> Result<(), Error>,
) -> Result<Vec<Series>, Error> {
    let mut known: HashMap<Labels, usize> = HashMap::with_capacity(series.len());
    let mut out: Vec<Series> = Vec::with_capacity(series.len());
    for one in series {
        if let Some(at) = known.get(&one.labels) {
            join(&mut out[*at], one)?;
        } else {
            known.insert(one.labels.clone(), out.len());
            out.push(one);
        }
    }
    Ok(out)
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
