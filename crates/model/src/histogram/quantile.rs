//! Quantiles, fractions and the variance of what a native histogram observed.

use super::buckets::Bucket;
use crate::go_math::{exp2, log2};
use crate::kahan::CompensatedSum;
use crate::sample::Histogram;

/// A quantile of a native histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantile {
    /// The value below which that part of all observations lies; infinite below 0 and above 1, NaN of nothing.
    pub value: f64,
    /// What observations of NaN did to it.
    pub nan: NanEffect,
}

/// What observations of NaN do to a quantile. They are in no bucket, yet among all observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NanEffect {
    /// Nothing: there are none.
    None,
    /// The quantile is larger than it would be without them.
    Skew,
    /// The quantile lies among them.
    Result,
}

/// What part of the observations of a native histogram lies between two values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fraction {
    /// The part, NaN of nothing.
    pub value: f64,
    /// Whether NaN was observed, which lies between no values.
    pub has_nan: bool,
}

impl Histogram {
    /// A quantile: linear within a bucket with custom bounds and in the bucket around zero, exponential elsewhere. Without
    /// negative buckets what is around zero is taken to be above it, without positive ones below it; of the first and
    /// the last of custom bounds the finite end is given.
    pub fn quantile(&self, q: f64) -> Quantile {
        let plain = |value| Quantile { value, nan: NanEffect::None };
        if q < 0.0 {
            return plain(f64::NEG_INFINITY);
        }
        if q > 1.0 {
            return plain(f64::INFINITY);
        }
        if self.count == 0.0 || q.is_nan() {
            return plain(f64::NAN);
        }
        // From the end that is nearer. What is NaN is above all buckets, so that the upper end is none then.
        let has_nan_sum = self.sum.is_nan();
        let ascends = has_nan_sum || q < 0.5;
        let mut buckets = self.all_buckets();
        let rank = if ascends { q } else { 1.0 - q } * self.count;
        let mut bucket = EMPTY;
        let mut count = 0.0;
        while let Some(next) = if ascends { buckets.next() } else { buckets.next_back() } {
            bucket = next;
            count += bucket.count;
            if bucket.count != 0.0 && count >= rank {
                break;
            }
        }
        if self.has_custom_bounds() {
            if bucket.lower == f64::NEG_INFINITY {
                if bucket.upper <= 0.0 {
                    return plain(bucket.upper);
                }
                bucket.lower = 0.0;
            } else if bucket.upper == f64::INFINITY {
                return plain(bucket.lower);
            }
        } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
            self.one_sided(&mut bucket);
        }
        // Rounding may have made it more.
        count = if count > self.count { self.count } else { count };
        if count < rank {
            if has_nan_sum {
                return Quantile { value: f64::NAN, nan: NanEffect::Result };
            }
            return plain(bucket.upper);
        }
        let rank = if ascends { rank - (count - bucket.count) } else { count - rank };
        let mut nan = NanEffect::None;
        if has_nan_sum {
            // Prometheus reckons on with the last bucket here.
            for next in buckets {
                bucket = next;
                count += bucket.count;
            }
            if count < self.count {
                nan = NanEffect::Skew;
            }
        }
        Quantile { value: self.within(&bucket, rank / bucket.count), nan }
    }

    /// The value at a part of a bucket's observations.
    fn within(&self, bucket: &Bucket, part: f64) -> f64 {
        if self.has_custom_bounds() || (bucket.lower <= 0.0 && bucket.upper >= 0.0) {
            return bucket.lower + (bucket.upper - bucket.lower) * part;
        }
        // On a logarithmic scale all buckets are equally wide.
        let (lower, upper) = (log2(bucket.lower.abs()), log2(bucket.upper.abs()));
        if bucket.lower > 0.0 {
            exp2(lower + (upper - lower) * part)
        } else {
            -exp2(upper + (lower - upper) * (1.0 - part))
        }
    }

    /// The bucket around zero of a histogram that has observed nothing below, or nothing above, ends at zero.
    fn one_sided(&self, bucket: &mut Bucket) {
        let (has_negative, has_positive) =
            (!self.negative_buckets.is_empty(), !self.positive_buckets.is_empty());
        if has_positive && !has_negative {
            bucket.lower = 0.0;
        } else if has_negative && !has_positive {
            bucket.upper = 0.0;
        }
    }

    /// What part of all observations lies between two values: the counterpart of [`Histogram::quantile`].
    pub fn fraction(&self, lower: f64, upper: f64) -> Fraction {
        let plain = |value| Fraction { value, has_nan: false };
        if self.count == 0.0 || lower.is_nan() || upper.is_nan() {
            return plain(f64::NAN);
        }
        if lower >= upper {
            return plain(0.0);
        }
        let (mut below_lower, mut below_upper) = (None, None);
        let (mut count, mut below) = (0.0, 0.0);
        let mut buckets = self.all_buckets();
        for mut bucket in buckets.by_ref() {
            count += bucket.count;
            let is_around_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
            if is_around_zero {
                self.one_sided(&mut bucket);
            }
            let is_linear = self.has_custom_bounds() || is_around_zero;
            for (bound, found) in [(lower, &mut below_lower), (upper, &mut below_upper)] {
                if found.is_some() {
                    continue;
                }
                if bucket.lower >= bound {
                    *found = Some(below);
                } else if bucket.upper > bound {
                    *found = Some(if is_linear && bucket.lower == f64::NEG_INFINITY {
                        // Nothing can be said within what has no end; all of it is taken to be below.
                        bucket.count
                    } else {
                        below + bucket.count * bucket.fraction_below(bound, is_linear)
                    });
                }
            }
            if below_lower.is_some() && below_upper.is_some() {
                break;
            }
            below += bucket.count;
        }
        let mut has_nan = false;
        if self.sum.is_nan() {
            count = buckets.fold(count, |count, bucket| count + bucket.count);
            has_nan = count < self.count;
        } else {
            count = self.count;
        }
        let [below_lower, below_upper] = [below_lower, below_upper]
            .map(|below| below.map_or(count, |below| if below > count { count } else { below }));
        Fraction { value: (below_upper - below_lower) / self.count, has_nan }
    }

    /// The variance of all observations around their mean, each taken to lie in the middle of its bucket: the arithmetic
    /// one with custom bounds, zero around zero, the geometric one elsewhere.
    pub fn variance(&self) -> f64 {
        let mean = self.sum / self.count;
        let mut squares = CompensatedSum::default();
        for bucket in self.all_buckets().filter(|bucket| bucket.count != 0.0) {
            let middle = if self.has_custom_bounds() {
                f64::midpoint(bucket.upper, bucket.lower)
            } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
                0.0
            } else {
                (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
            };
            let distance = middle - mean;
            squares.add(bucket.count * distance * distance);
        }
        squares.total() / self.count
    }
}

/// What there is where no bucket is.
const EMPTY: Bucket =
    Bucket { lower: 0.0, upper: 0.0, lower_inclusive: false, upper_inclusive: false, count: 0.0 };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::{CUSTOM_SCHEMA, to_spans};

    fn exponential(zero_count: f64, positive: &[(i64, f64)], negative: &[(i64, f64)]) -> Histogram {
        let (positive_spans, positive_buckets) = to_spans(positive.iter().copied());
        let (negative_spans, negative_buckets) = to_spans(negative.iter().copied());
        let in_buckets: f64 = positive.iter().chain(negative).map(|(_, count)| count).sum();
        Histogram {
            zero_threshold: 0.5,
            zero_count,
            count: zero_count + in_buckets,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            ..Histogram::default()
        }
    }

    fn custom(bounds: &[f64], counts: &[f64]) -> Histogram {
        let (positive_spans, positive_buckets) = to_spans((0..).zip(counts.iter().copied()));
        Histogram {
            schema: CUSTOM_SCHEMA,
            custom_values: bounds.to_vec(),
            count: counts.iter().sum(),
            positive_spans,
            positive_buckets,
            ..Histogram::default()
        }
    }

    fn value(histogram: &Histogram, q: f64) -> f64 {
        histogram.quantile(q).value
    }

    #[test]
    fn what_is_no_quantile() {
        let histogram = exponential(0.0, &[(1, 4.0)], &[]);
        assert_eq!((value(&histogram, -0.1), value(&histogram, 1.1)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(value(&histogram, f64::NAN).is_nan() && value(&Histogram::default(), 0.5).is_nan());
    }

    #[test]
    fn exponential_buckets_are_halved_by_their_logarithm() {
        let histogram = exponential(0.0, &[(1, 4.0), (2, 4.0)], &[]);
        assert!((value(&histogram, 0.25) - std::f64::consts::SQRT_2).abs() < 1e-12);
        assert_eq!((value(&histogram, 0.0), value(&histogram, 0.5), value(&histogram, 1.0)), (1.0, 2.0, 4.0));
        let negative = exponential(0.0, &[], &[(1, 4.0), (2, 4.0)]);
        assert_eq!((value(&negative, 0.0), value(&negative, 1.0)), (-4.0, -1.0));
    }

    #[test]
    fn around_zero_it_is_linear_and_one_sided() {
        let positive = exponential(2.0, &[(1, 2.0)], &[]);
        assert_eq!((value(&positive, 0.25), positive.fraction(0.0, 0.25).value), (0.25, 0.25));
        let negative = exponential(2.0, &[], &[(1, 2.0)]);
        assert_eq!(value(&negative, 0.75), -0.25);
        let both = exponential(2.0, &[(1, 1.0)], &[(1, 1.0)]);
        assert_eq!(value(&both, 0.5), 0.0);
    }

    #[test]
    fn custom_buckets_are_linear_and_their_ends_finite() {
        let histogram = custom(&[1.0, 2.0], &[2.0, 4.0, 2.0]);
        let quantiles = [0.0, 0.125, 0.25, 0.5, 0.75, 0.9, 1.0].map(|q| value(&histogram, q));
        assert_eq!(quantiles, [0.0, 0.5, 1.0, 1.5, 2.0, 2.0, 2.0]);
        assert_eq!(value(&custom(&[-1.0, 2.0], &[2.0]), 0.5), -1.0);
        assert_eq!(histogram.fraction(1.0, 2.0).value, 0.5);
        assert_eq!(histogram.fraction(f64::NEG_INFINITY, f64::INFINITY).value, 1.0);
    }

    #[test]
    fn fractions() {
        let histogram = exponential(2.0, &[(1, 2.0), (2, 4.0)], &[]);
        assert_eq!(histogram.fraction(0.0, f64::INFINITY).value, 1.0);
        assert_eq!(histogram.fraction(1.0, 2.0).value, 0.25);
        assert_eq!(histogram.fraction(2.0, 1.0).value, 0.0);
        assert!(histogram.fraction(f64::NAN, 1.0).value.is_nan());
        assert!(Histogram::default().fraction(0.0, 1.0).value.is_nan());
    }

    #[test]
    fn nan_is_observed_above_everything() {
        let histogram = Histogram { sum: f64::NAN, count: 8.0, ..exponential(0.0, &[(1, 4.0)], &[]) };
        assert_eq!(histogram.quantile(0.5), Quantile { value: 2.0, nan: NanEffect::Skew });
        let result = histogram.quantile(0.9);
        assert!(result.value.is_nan() && result.nan == NanEffect::Result);
        assert_eq!(histogram.fraction(1.0, 2.0), Fraction { value: 0.5, has_nan: true });
    }

    #[test]
    fn variances() {
        let one = Histogram { sum: 4.0, ..exponential(0.0, &[(2, 1.0)], &[]) };
        assert!((one.variance() - (8_f64.sqrt() - 4.0).powi(2)).abs() < 1e-12);
        let zero = Histogram { sum: 0.0, ..exponential(3.0, &[], &[]) };
        assert_eq!(zero.variance(), 0.0);
        let custom = Histogram { sum: 3.0, ..custom(&[1.0, 2.0], &[0.0, 2.0]) };
        assert_eq!(custom.variance(), 0.0);
        assert!(Histogram::default().variance().is_nan());
    }
}
