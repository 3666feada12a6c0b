//! Series in memory: a [`Storage`] for tests of rules and of the engine, which takes samples as Prometheus' store does.

mod chunk;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::ops::Range;
use std::sync::Arc;

use model::labels::METRIC_NAME;
use model::{Histogram, Labels, MatchOp, Matcher};

use crate::storage::{MsRange, Point, PointValue, Series, Storage};

/// Series with their samples. What was selected does not change with what is written later.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    by_name: HashMap<String, BTreeMap<Labels, Arc<Vec<Point>>>>,
}

/// Why a sample is not taken, in Prometheus' words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// Its series has a later one.
    #[error("out of order sample")]
    OutOfOrder,
    /// Its series has another value at that time.
    #[error("duplicate sample for timestamp")]
    Duplicate,
    /// It is a histogram that does not hold together.
    #[error("{0}")]
    Histogram(String),
}

impl Memory {
    /// Adds a sample at the end of a series. Histograms become what Prometheus' chunks make of them.
    ///
    /// # Errors
    /// It is not later than the last sample of its series, or is a histogram that does not hold together. The same sample
    /// once more is no error.
    pub fn append(&mut self, labels: &Labels, mut point: Point) -> Result<(), Refused> {
        if let PointValue::Histogram(histogram) = &point.value {
            histogram.validate().map_err(|error| Refused::Histogram(error.to_string()))?;
        }
        let named = self.by_name.entry(labels.get(METRIC_NAME).to_owned()).or_default();
        let points = Arc::make_mut(named.entry(labels.clone()).or_default());
        let last = points.last();
        match last.map(|last| last.time_ms.cmp(&point.time_ms)) {
            Some(std::cmp::Ordering::Greater) => return Err(Refused::OutOfOrder),
            Some(std::cmp::Ordering::Equal) => {
                let is_same = last.is_some_and(|last| is_same(&last.value, &point.value));
                return if is_same { Ok(()) } else { Err(Refused::Duplicate) };
            }
            Some(std::cmp::Ordering::Less) | None => {}
        }
        if let PointValue::Histogram(histogram) = &mut point.value {
            chunk::store(histogram, points);
        }
        points.push(point);
        Ok(())
    }
}

fn is_same(left: &PointValue, right: &PointValue) -> bool {
    match (left, right) {
        (PointValue::Float(left), PointValue::Float(right)) => left.to_bits() == right.to_bits(),
        (PointValue::Histogram(left), PointValue::Histogram(right)) => {
            left.sum.to_bits() == right.sum.to_bits()
                && Histogram { sum: 0.0, reset_hint: right.reset_hint, ..(**left).clone() }
                    == Histogram { sum: 0.0, ..(**right).clone() }
        }
        _ => false,
    }
}

/// A series that was selected.
#[derive(Debug)]
pub struct Selected {
    labels: Labels,
    points: Arc<Vec<Point>>,
    within: Range<usize>,
}

impl Selected {
    fn new(labels: &Labels, points: &Arc<Vec<Point>>, range: MsRange) -> Option<Self> {
        let from = points.partition_point(|point| point.time_ms < range.start_ms);
        let to = points.partition_point(|point| point.time_ms <= range.end_ms);
        (from < to).then(|| Self { labels: labels.clone(), points: Arc::clone(points), within: from..to })
    }
}

impl Series for Selected {
    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn points(&self) -> impl Iterator<Item = Point> + '_ {
        self.points[self.within.clone()].iter().cloned()
    }
}

impl Storage for Memory {
    type Series = Selected;
    type Error = Infallible;

    fn select(&self, matchers: &[Matcher], range: MsRange) -> Result<Vec<Selected>, Infallible> {
        let exact = |matcher: &&Matcher| matcher.name() == METRIC_NAME && matcher.op() == MatchOp::Equal;
        let named: Vec<_> = match matchers.iter().find(exact) {
            Some(name) => self.by_name.get(name.value()).into_iter().collect(),
            None => self.by_name.values().collect(),
        };
        let matching = named
            .into_iter()
            .flatten()
            .filter(|(labels, _)| matchers.iter().all(|it| it.matches_labels(labels)));
        let mut selected: Vec<Selected> =
            matching.filter_map(|(labels, points)| Selected::new(labels, points, range)).collect();
        selected.sort_by(|left, right| left.labels.cmp(&right.labels));
        Ok(selected)
    }
}

#[cfg(test)]
mod tests {
    use model::sample::ResetHint;

    use super::*;

    fn float(time_ms: i64, value: f64) -> Point {
        Point { time_ms, start_ms: 0, value: PointValue::Float(value) }
    }

    #[test]
    fn samples_come_in_order() {
        let mut memory = Memory::default();
        let labels: Labels = [(METRIC_NAME, "a"), ("b", "c")].into_iter().collect();
        assert_eq!(memory.append(&labels, float(10, 1.0)), Ok(()));
        assert_eq!(memory.append(&labels, float(10, 1.0)), Ok(()));
        assert_eq!(memory.append(&labels, float(10, 2.0)), Err(Refused::Duplicate));
        assert_eq!(memory.append(&labels, float(9, 1.0)), Err(Refused::OutOfOrder));
        assert_eq!(memory.append(&labels, float(20, 2.0)), Ok(()));
        let matchers = [Matcher::new(METRIC_NAME, MatchOp::Equal, "a").unwrap()];
        let times = |range| {
            let found = memory.select(&matchers, range).unwrap();
            found.iter().flat_map(|series| series.points().map(|point| point.time_ms)).collect::<Vec<_>>()
        };
        assert_eq!(times(MsRange::ALL), [10, 20]);
        assert_eq!(times(MsRange { start_ms: 11, end_ms: 20 }), [20]);
        assert_eq!(times(MsRange { start_ms: 21, end_ms: 30 }), Vec::<i64>::new());
    }

    #[test]
    fn histograms_know_whether_they_go_on() {
        let mut memory = Memory::default();
        let labels: Labels = [(METRIC_NAME, "h")].into_iter().collect();
        let histogram = |time_ms, count: f64| {
            let (positive_spans, positive_buckets) = model::histogram::to_spans([(0, count)]);
            let histogram = Histogram { count, positive_spans, positive_buckets, ..Histogram::default() };
            Point { time_ms, start_ms: 0, value: PointValue::Histogram(Arc::new(histogram)) }
        };
        for (time_ms, count) in [(1, 1.0), (2, 2.0), (3, 1.0)] {
            memory.append(&labels, histogram(time_ms, count)).unwrap();
        }
        let found = memory.select(&[], MsRange::ALL).unwrap();
        let hints: Vec<_> = found[0]
            .points()
            .filter_map(|point| match point.value {
                PointValue::Histogram(histogram) => Some(histogram.reset_hint),
                PointValue::Float(_) => None,
            })
            .collect();
        assert_eq!(hints, [ResetHint::Unknown, ResetHint::NotReset, ResetHint::Unknown]);
        let bad = Histogram { count: -1.0, ..Histogram::default() };
        let bad = Point { time_ms: 4, start_ms: 0, value: PointValue::Histogram(Arc::new(bad)) };
        assert!(matches!(memory.append(&labels, bad), Err(Refused::Histogram(_))));
    }
}
