//! Sums and differences of two histograms.

use std::iter::Peekable;

use super::bounds::exponential;
use super::custom::{add_mismatched, common_bounds};
use super::error::HistogramError;
use super::is_exponential;
use super::resolution::widened;
use super::spans::{Buckets, SpanWriter};
use crate::sample::{BucketSpan, Histogram, ResetHint};

/// What had to be done to put two histograms together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reconciled {
    /// One was known to come after a reset, the other was known not to.
    pub reset_collision: bool,
    /// Their custom bounds differed; the result has those that they share.
    pub bounds: bool,
}

impl Histogram {
    /// Adds another histogram: count, sum, all buckets. The finer of two schemas is made coarser, the narrower bucket
    /// around zero wider, of different custom bounds those remain that both have. Empty buckets stay, see
    /// [`Histogram::compact`]. The other one's knowledge of resets is taken into account, see [`Reconciled`].
    ///
    /// # Errors
    ///
    /// If one has custom bounds and the other has not; then nothing is changed.
    pub fn add(&mut self, other: &Self) -> Result<Reconciled, HistogramError> {
        self.combine(other, 1.0)
    }

    /// Subtracts another histogram, as [`Histogram::add`] adds it. Differences for users are gauges; that is for the
    /// caller to set.
    ///
    /// # Errors
    ///
    /// If one has custom bounds and the other has not; then nothing is changed.
    pub fn sub(&mut self, other: &Self) -> Result<Reconciled, HistogramError> {
        self.combine(other, -1.0)
    }

    fn combine(&mut self, other: &Self, sign: f64) -> Result<Reconciled, HistogramError> {
        self.check_mixable(other)?;
        let mut reconciled = Reconciled { reset_collision: self.join_hints(other.reset_hint), bounds: false };
        if !self.has_custom_bounds() {
            let (zero_count, _) = self.reconcile_zero(other, None);
            self.zero_count += sign * zero_count;
        }
        self.count += sign * other.count;
        self.sum += sign * other.sum;
        if self.has_custom_bounds() && self.custom_values != other.custom_values {
            reconciled.bounds = true;
            let common = common_bounds(&self.custom_values, &other.custom_values);
            add_mismatched(self, None, other, sign, common);
            return Ok(reconciled);
        }
        if other.schema < self.schema {
            self.widen(other.schema);
        }
        let (schema, threshold) = (self.schema, self.zero_threshold);
        let add = |spans: &mut Vec<_>, counts: &mut Vec<_>, their_spans: &[_], their_counts: &[f64]| {
            if other.schema > schema {
                let (their_spans, their_counts) = widened(their_spans, their_counts, other.schema, schema);
                add_side(spans, counts, &their_spans, &their_counts, sign, (schema, threshold));
            } else {
                add_side(spans, counts, their_spans, their_counts, sign, (schema, threshold));
            }
        };
        add(
            &mut self.positive_spans,
            &mut self.positive_buckets,
            &other.positive_spans,
            &other.positive_buckets,
        );
        if !other.has_custom_bounds() {
            add(
                &mut self.negative_spans,
                &mut self.negative_buckets,
                &other.negative_spans,
                &other.negative_buckets,
            );
        }
        Ok(reconciled)
    }

    /// Whether either both have custom bounds or none has.
    pub(super) fn check_mixable(&self, other: &Self) -> Result<(), HistogramError> {
        if self.has_custom_bounds() == other.has_custom_bounds() {
            Ok(())
        } else {
            Err(HistogramError::MixedSchemas)
        }
    }

    /// What is known of resets after another histogram has come in: a gauge makes a gauge, what is unknown makes it
    /// unknown. Returns whether the two contradicted each other.
    pub(super) fn join_hints(&mut self, other: ResetHint) -> bool {
        let own = self.reset_hint;
        if own == other || own == ResetHint::Gauge {
            return false;
        }
        if other == ResetHint::Gauge {
            self.reset_hint = ResetHint::Gauge;
            return false;
        }
        self.reset_hint = ResetHint::Unknown;
        own != ResetHint::Unknown && other != ResetHint::Unknown
    }
}

/// How many of the first buckets of a side lie within the bucket around zero.
pub(super) fn within_zero(spans: &[BucketSpan], counts: &[f64], schema: i32, threshold: f64) -> usize {
    if !is_exponential(schema) {
        return 0;
    }
    Buckets::new(spans, counts).take_while(|(index, _)| exponential(*index, schema) <= threshold).count()
}

/// Adds the buckets of one side, times the sign, but for those within the bucket around zero.
fn add_side(
    spans: &mut Vec<BucketSpan>,
    counts: &mut Vec<f64>,
    their_spans: &[BucketSpan],
    their_counts: &[f64],
    sign: f64,
    (schema, threshold): (i32, f64),
) {
    let skipped = within_zero(their_spans, their_counts, schema, threshold);
    if spans == their_spans && counts.len() == their_counts.len() {
        for (count, theirs) in counts.iter_mut().zip(their_counts).skip(skipped) {
            *count += sign * theirs;
        }
        return;
    }
    let mut writer = SpanWriter::default();
    let mut joined = Vec::with_capacity(counts.len().max(their_counts.len()));
    for pair in pairs(Buckets::new(spans, counts), Buckets::new(their_spans, their_counts).skip(skipped)) {
        writer.push(pair.index, 0);
        joined.push(match (pair.left, pair.right) {
            (Some((_, count)), Some((_, theirs))) => count + sign * theirs,
            (Some((_, count)), None) => count,
            (None, theirs) => theirs.map_or(0.0, |(_, theirs)| sign * theirs),
        });
    }
    *spans = writer.finish();
    *counts = joined;
}

/// Buckets of one index: position on its side (after what was skipped) and count.
pub(super) struct Pair {
    pub(super) index: i64,
    pub(super) left: Option<(usize, f64)>,
    pub(super) right: Option<(usize, f64)>,
}

/// The buckets of two sides, those of one index together.
pub(super) fn pairs(
    left: impl Iterator<Item = (i64, f64)>,
    right: impl Iterator<Item = (i64, f64)>,
) -> impl Iterator<Item = Pair> {
    fn at(
        side: &mut Peekable<impl Iterator<Item = (usize, (i64, f64))>>,
        wanted: i64,
    ) -> Option<(usize, f64)> {
        // Spans that go back are taken as they come.
        side.next_if(|(_, (index, _))| *index <= wanted).map(|(position, (_, count))| (position, count))
    }
    let (mut left, mut right) = (left.enumerate().peekable(), right.enumerate().peekable());
    std::iter::from_fn(move || {
        let index = match (left.peek(), right.peek()) {
            (Some((_, (left, _))), Some((_, (right, _)))) => *left.min(right),
            (Some((_, (index, _))), None) | (None, Some((_, (index, _)))) => *index,
            (None, None) => return None,
        };
        Some(Pair { index, left: at(&mut left, index), right: at(&mut right, index) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::{CUSTOM_SCHEMA, to_spans};

    fn histogram(schema: i32, buckets: &[(i64, f64)]) -> Histogram {
        let (positive_spans, positive_buckets) = to_spans(buckets.iter().copied());
        let count = buckets.iter().map(|(_, count)| count).sum();
        Histogram { schema, count, sum: 1.0, positive_spans, positive_buckets, ..Histogram::default() }
    }

    #[test]
    fn sums_take_the_coarser_schema() {
        let fine = histogram(1, &[(1, 1.0), (2, 1.0), (3, 1.0)]);
        let coarse = histogram(0, &[(1, 5.0)]);
        for (mut sum, other) in [(fine.clone(), &coarse), (coarse.clone(), &fine)] {
            sum.add(other).unwrap();
            assert_eq!(sum.schema, 0);
            assert_eq!(sum.positive().collect::<Vec<_>>(), [(1, 7.0), (2, 1.0)]);
            assert_eq!((sum.count, sum.sum), (8.0, 2.0));
        }
    }

    #[test]
    fn buckets_of_one_are_put_between_those_of_the_other() {
        let mut difference = histogram(0, &[(1, 1.0), (5, 2.0)]);
        difference.sub(&histogram(0, &[(-4, 1.0), (2, 3.0), (5, 1.0), (9, 4.0)])).unwrap();
        difference.compact(0);
        let buckets: Vec<_> = difference.positive().collect();
        assert_eq!(buckets, [(-4, -1.0), (1, 1.0), (2, -3.0), (5, 1.0), (9, -4.0)]);
    }

    #[test]
    fn what_the_wider_zero_bucket_holds_is_not_added_twice() {
        let mut wide = Histogram { zero_threshold: 1.0, zero_count: 1.0, ..histogram(0, &[(2, 1.0)]) };
        wide.add(&histogram(0, &[(0, 10.0), (1, 5.0)])).unwrap();
        assert_eq!((wide.zero_threshold, wide.zero_count), (1.0, 11.0));
        assert_eq!(wide.positive().collect::<Vec<_>>(), [(1, 5.0), (2, 1.0)]);
    }

    #[test]
    fn custom_bounds_become_those_that_both_have() {
        let custom = |bounds: &[f64], buckets: &[(i64, f64)]| Histogram {
            custom_values: bounds.to_vec(),
            ..histogram(CUSTOM_SCHEMA, buckets)
        };
        let mut sum = custom(&[1.0, 2.0, 5.0], &[(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0)]);
        let same = sum.clone();
        assert_eq!(sum.add(&same), Ok(Reconciled::default()));
        let reconciled = sum.sub(&custom(&[2.0, 4.0], &[(0, 1.0), (1, 2.0), (2, 4.0)])).unwrap();
        assert!(reconciled.bounds);
        assert_eq!(sum.custom_values, [2.0]);
        assert_eq!(sum.positive().collect::<Vec<_>>(), [(0, 3.0), (1, -2.0)]);
        assert_eq!(sum.add(&histogram(0, &[])), Err(HistogramError::MixedSchemas));
    }

    #[test]
    fn hints() {
        use ResetHint::{Gauge, NotReset, Reset, Unknown};
        let joined = |own, other| {
            let mut histogram = Histogram { reset_hint: own, ..Histogram::default() };
            let collision = histogram.join_hints(other);
            (histogram.reset_hint, collision)
        };
        assert_eq!(joined(Reset, Reset), (Reset, false));
        assert_eq!(joined(Gauge, Reset), (Gauge, false));
        assert_eq!(joined(Reset, Gauge), (Gauge, false));
        assert_eq!(joined(Reset, Unknown), (Unknown, false));
        assert_eq!(joined(Unknown, NotReset), (Unknown, false));
        assert_eq!(joined(Reset, NotReset), (Unknown, true));
    }
}
