//! Buckets with their bounds.

use super::bounds::bound;
use super::spans::Buckets;
use crate::go_math::log2;
use crate::sample::Histogram;

/// A bucket with its bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// The lower end.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
    /// Whether the lower end belongs to the bucket.
    pub lower_inclusive: bool,
    /// Whether the upper end belongs to the bucket.
    pub upper_inclusive: bool,
    /// Observations in it.
    pub count: f64,
}

impl Bucket {
    /// How much of the bucket's width lies below a value that is within its finite bounds: by distance where `linear`
    /// (custom bounds, the bucket around zero), else by the logarithm of it.
    pub fn fraction_below(&self, value: f64, linear: bool) -> f64 {
        if linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let [lower, upper, at] = [self.lower, self.upper, value].map(|bound| log2(bound.abs()));
        if value > 0.0 {
            return (at - lower) / (upper - lower);
        }
        1.0 - ((at - upper) / (lower - upper))
    }
}

impl Histogram {
    /// The positive bucket with an index and a count.
    fn positive_bucket(&self, (index, count): (i64, f64)) -> Bucket {
        let upper = bound(index, self.schema, &self.custom_values);
        let lower = bound(index - 1, self.schema, &self.custom_values);
        self.with_ends(index, lower, upper, count)
    }

    /// The negative bucket with an index and a count.
    fn negative_bucket(&self, (index, count): (i64, f64)) -> Bucket {
        let lower = -bound(index, self.schema, &self.custom_values);
        let upper = -bound(index - 1, self.schema, &self.custom_values);
        self.with_ends(index, lower, upper, count)
    }

    /// The end that is farther from zero belongs to a bucket; of custom bounds the upper one does.
    fn with_ends(&self, index: i64, lower: f64, upper: f64, count: f64) -> Bucket {
        let (lower_inclusive, upper_inclusive) =
            if self.has_custom_bounds() { (index == 0, true) } else { (lower < 0.0, upper > 0.0) };
        Bucket { lower, upper, lower_inclusive, upper_inclusive, count }
    }

    /// The positive buckets with their bounds, ascending; empty ones too.
    pub fn positive_with_bounds(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        self.positive().map(|bucket| self.positive_bucket(bucket))
    }

    /// The negative buckets with their bounds, by ascending distance from zero; empty ones too.
    pub fn negative_with_bounds(&self) -> impl DoubleEndedIterator<Item = Bucket> + '_ {
        self.negative().map(|bucket| self.negative_bucket(bucket))
    }

    /// The bucket around zero.
    pub fn zero_bucket(&self) -> Bucket {
        Bucket {
            lower: -self.zero_threshold,
            upper: self.zero_threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// All buckets by ascending bounds: negative ones, the one around zero if anything is in it, positive ones. What
    /// overlaps with the bucket around zero ends at it.
    pub fn all_buckets(&self) -> AllBuckets<'_> {
        let zero = (self.zero_count > 0.0).then(|| self.zero_bucket());
        AllBuckets { histogram: self, negative: self.negative(), zero, positive: self.positive() }
    }
}

/// All buckets of a histogram by ascending bounds, see [`Histogram::all_buckets`]; reversed, by descending ones.
#[derive(Debug, Clone)]
pub struct AllBuckets<'a> {
    histogram: &'a Histogram,
    negative: Buckets<'a>,
    zero: Option<Bucket>,
    positive: Buckets<'a>,
}

impl AllBuckets<'_> {
    /// The bucket without what the bucket around zero covers.
    fn outside_zero(&self, mut bucket: Bucket) -> Bucket {
        let threshold = self.histogram.zero_threshold;
        if bucket.upper < 0.0 && bucket.upper > -threshold {
            bucket.upper = -threshold;
        } else if bucket.lower > 0.0 && bucket.lower < threshold {
            bucket.lower = threshold;
        }
        bucket
    }
}

impl Iterator for AllBuckets<'_> {
    type Item = Bucket;

    fn next(&mut self) -> Option<Bucket> {
        if let Some(bucket) = self.negative.next_back() {
            return Some(self.outside_zero(self.histogram.negative_bucket(bucket)));
        }
        if let Some(zero) = self.zero.take() {
            return Some(zero);
        }
        let bucket = self.positive.next()?;
        Some(self.outside_zero(self.histogram.positive_bucket(bucket)))
    }
}

impl DoubleEndedIterator for AllBuckets<'_> {
    fn next_back(&mut self) -> Option<Bucket> {
        if let Some(bucket) = self.positive.next_back() {
            return Some(self.outside_zero(self.histogram.positive_bucket(bucket)));
        }
        if let Some(zero) = self.zero.take() {
            return Some(zero);
        }
        let bucket = self.negative.next()?;
        Some(self.outside_zero(self.histogram.negative_bucket(bucket)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::{CUSTOM_SCHEMA, to_spans};

    #[test]
    fn all_buckets_ascend() {
        let (positive_spans, positive_buckets) = to_spans([(0, 1.0), (1, 2.0)]);
        let (negative_spans, negative_buckets) = to_spans([(0, 3.0), (2, 4.0)]);
        let histogram = Histogram {
            zero_threshold: 0.75,
            zero_count: 5.0,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            ..Histogram::default()
        };
        let all: Vec<_> = histogram.all_buckets().map(|it| (it.lower, it.upper, it.count)).collect();
        let expected = [
            (-4.0, -2.0, 4.0),
            (-2.0, -1.0, 0.0),
            (-1.0, -0.75, 3.0),
            (-0.75, 0.75, 5.0),
            (0.75, 1.0, 1.0),
            (1.0, 2.0, 2.0),
        ];
        assert_eq!(all, expected);
        let mut reversed: Vec<_> = histogram.all_buckets().rev().map(|it| it.upper).collect();
        reversed.reverse();
        assert_eq!(reversed, expected.map(|it| it.1));
        let ends: Vec<_> =
            histogram.all_buckets().map(|it| (it.lower_inclusive, it.upper_inclusive)).collect();
        assert_eq!((ends[0], ends[3], ends[5]), ((true, false), (true, true), (false, true)));
    }

    #[test]
    fn the_first_custom_bucket_has_both_ends() {
        let histogram = Histogram {
            schema: CUSTOM_SCHEMA,
            custom_values: vec![1.0],
            positive_spans: to_spans([(0, 1.0), (1, 1.0)]).0,
            positive_buckets: vec![1.0, 1.0],
            ..Histogram::default()
        };
        let ends: Vec<_> = histogram.all_buckets().map(|it| (it.lower, it.lower_inclusive)).collect();
        assert_eq!(ends, [(f64::NEG_INFINITY, true), (1.0, false)]);
    }

    #[test]
    fn fractions_of_a_bucket() {
        let bucket =
            Bucket { lower: 1.0, upper: 4.0, lower_inclusive: false, upper_inclusive: true, count: 1.0 };
        assert_eq!((bucket.fraction_below(2.0, false), bucket.fraction_below(2.5, true)), (0.5, 0.5));
        let mirrored = Bucket { lower: -4.0, upper: -1.0, ..bucket };
        assert_eq!(mirrored.fraction_below(-2.0, false), 0.5);
    }
}
