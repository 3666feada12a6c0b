//! Only a part of what was observed: PromQL's `</` and `>/`.

use super::buckets::Bucket;
use crate::sample::Histogram;

/// Which observations stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Those below the value: `</`.
    Below,
    /// Those above the value: `>/`.
    Above,
}

/// What stays of a bucket, and where it lies in the middle.
struct Part {
    count: f64,
    middle: f64,
}

const NOTHING: Part = Part { count: 0.0, middle: 0.0 };

impl Histogram {
    /// Takes out what was observed on the other side of a value. Of the bucket in which the value lies a part stays:
    /// by the logarithm of the distance, or by the distance for custom bounds and in the bucket around zero. If anything
    /// was taken out, count and sum are computed from what the buckets hold, and the histogram is compacted.
    pub fn trim(&mut self, keep: Keep, at: f64) {
        let linear = self.has_custom_bounds();
        let (mut count, mut sum, mut changed) = (0.0, 0.0, false);
        let mut side = |buckets: Vec<Bucket>, counts: &mut [f64], positive: bool| {
            let mut any = false;
            for (bucket, left) in buckets.iter().zip(counts).filter(|(bucket, _)| bucket.count != 0.0) {
                any = true;
                let part = part(bucket, keep, at, Shape { linear, positive });
                count += part.count;
                sum += part.middle * part.count;
                changed |= *left != part.count;
                *left = part.count;
            }
            any
        };
        let positive: Vec<_> = self.positive_with_bounds().collect();
        let has_positive = side(positive, &mut self.positive_buckets, true);
        let negative: Vec<_> = self.negative_with_bounds().collect();
        let has_negative = side(negative, &mut self.negative_buckets, false);
        if self.zero_count > 0.0 {
            let mut zero = self.zero_bucket();
            if has_negative && !has_positive {
                zero.upper = 0.0;
            }
            if has_positive && !has_negative {
                zero.lower = 0.0;
            }
            let part = zero_part(&zero, keep, at);
            count += part.count;
            sum += part.middle * part.count;
            changed |= self.zero_count != part.count;
            self.zero_count = part.count;
        }
        if changed {
            (self.count, self.sum) = (count, sum);
            self.compact(0);
        }
    }
}

/// How observations are spread within a bucket.
#[derive(Clone, Copy)]
struct Shape {
    linear: bool,
    positive: bool,
}

fn part(bucket: &Bucket, keep: Keep, at: f64, shape: Shape) -> Part {
    let Bucket { lower, upper, count, .. } = *bucket;
    let (whole, cut) = match keep {
        Keep::Below => (upper <= at, lower < at),
        Keep::Above => (lower >= at, upper > at),
    };
    if whole {
        return Part { count, middle: middle(lower, upper, shape) };
    }
    if !cut {
        return NOTHING;
    }
    if lower.is_infinite() || upper.is_infinite() {
        return part_of_endless(bucket, keep, at);
    }
    let below = count * bucket.fraction_below(at, shape.linear);
    match keep {
        Keep::Below => Part { count: below, middle: middle(lower, at, shape) },
        Keep::Above => Part { count: count - below, middle: middle(at, upper, shape) },
    }
}

/// What stays of a bucket without an end, in which the value lies. Nothing is known of how observations are spread in
/// it, so all goes but for two cases: a first bucket is taken to begin at zero if it ends above it, else all of it to
/// lie at the value; and all of a last bucket is taken to lie above the value.
fn part_of_endless(bucket: &Bucket, keep: Keep, at: f64) -> Part {
    let Bucket { lower, upper, count, .. } = *bucket;
    if lower.is_infinite() {
        let from_zero = upper > 0.0 && upper.is_finite();
        return match keep {
            Keep::Below if from_zero && at > 0.0 => Part { count: count * at / upper, middle: at / 2.0 },
            Keep::Below if upper <= 0.0 => Part { count, middle: at },
            Keep::Above if from_zero && at >= 0.0 => {
                Part { count: count * (1.0 - at / upper), middle: f64::midpoint(at, upper) }
            }
            Keep::Below | Keep::Above => NOTHING,
        };
    }
    match keep {
        Keep::Below => NOTHING,
        Keep::Above => Part { count, middle: at },
    }
}

/// What stays of the bucket around zero.
fn zero_part(bucket: &Bucket, keep: Keep, at: f64) -> Part {
    let Bucket { lower, upper, count, .. } = *bucket;
    let (from, to) = match keep {
        Keep::Below if at <= lower => return NOTHING,
        Keep::Above if at > lower && at >= upper => return NOTHING,
        Keep::Below if at >= upper => (lower, upper),
        Keep::Above if at <= lower => (lower, upper),
        Keep::Below => (lower, at),
        Keep::Above => (at, upper),
    };
    if (from, to) == (lower, upper) {
        return Part { count, middle: f64::midpoint(lower, upper) };
    }
    Part { count: count * ((to - from) / (upper - lower)), middle: f64::midpoint(from, to) }
}

/// Where the observations between two values lie in the middle.
fn middle(lower: f64, upper: f64, shape: Shape) -> f64 {
    match (lower.is_infinite(), upper.is_infinite()) {
        (true, true) => 0.0,
        (true, false) if upper > 0.0 => upper / 2.0,
        (true, false) => upper,
        (false, true) => lower,
        (false, false) if shape.linear => f64::midpoint(lower, upper),
        (false, false) => {
            let middle = (lower * upper).abs().sqrt();
            if shape.positive { middle } else { -middle }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::{CUSTOM_SCHEMA, to_spans};

    fn exponential() -> Histogram {
        let (positive_spans, positive_buckets) = to_spans([(1, 2.0), (2, 4.0)]);
        let (negative_spans, negative_buckets) = to_spans([(2, 8.0)]);
        Histogram {
            count: 17.0,
            sum: 100.0,
            zero_threshold: 0.5,
            zero_count: 3.0,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            ..Histogram::default()
        }
    }

    fn trimmed(mut histogram: Histogram, keep: Keep, at: f64) -> String {
        histogram.trim(keep, at);
        histogram.to_string()
    }

    #[test]
    fn at_a_bound() {
        assert_eq!(trimmed(exponential(), Keep::Below, 4.0), exponential().to_string());
        assert_eq!(
            trimmed(exponential(), Keep::Above, 2.0),
            format!("{{count:4, sum:{}, (2,4]:4}}", 4.0 * 8_f64.sqrt())
        );
    }

    #[test]
    fn within_a_bucket() {
        let at = 2_f64.sqrt();
        let mut below = exponential();
        below.trim(Keep::Below, at);
        assert!((below.positive_buckets[0] - 1.0).abs() < 1e-12, "{below}");
        assert!((below.count - 12.0).abs() < 1e-12 && below.negative().count() == 1, "{below}");
        let mut zero = exponential();
        zero.trim(Keep::Above, 0.25);
        assert_eq!((zero.zero_count, zero.negative().count()), (0.75, 0));
        let mut negative = exponential();
        negative.trim(Keep::Below, -2.0 * at);
        assert!((negative.count - 4.0).abs() < 1e-12, "{negative}");
    }

    #[test]
    fn of_one_sided_histograms_the_zero_bucket_is_one_sided() {
        let mut positive = exponential();
        positive.negative_spans.clear();
        positive.negative_buckets.clear();
        positive.trim(Keep::Below, 0.25);
        assert_eq!((positive.zero_count, positive.count, positive.sum), (1.5, 1.5, 0.1875));
    }

    #[test]
    fn custom_bounds_are_linear_and_endless_buckets_go() {
        let custom = || {
            let (positive_spans, positive_buckets) = to_spans([(0, 4.0), (1, 8.0), (2, 1.0)]);
            Histogram {
                schema: CUSTOM_SCHEMA,
                count: 13.0,
                custom_values: vec![2.0, 4.0],
                positive_spans,
                positive_buckets,
                ..Histogram::default()
            }
        };
        assert_eq!(trimmed(custom(), Keep::Below, 3.0), "{count:8, sum:14, [-Inf,2]:4, (2,4]:4}");
        assert_eq!(trimmed(custom(), Keep::Below, 1.0), "{count:2, sum:1, [-Inf,2]:2}");
        assert_eq!(trimmed(custom(), Keep::Below, -1.0), "{count:0, sum:0}");
        assert_eq!(trimmed(custom(), Keep::Above, 5.0), "{count:1, sum:5, (4,+Inf]:1}");
        assert_eq!(
            trimmed(custom(), Keep::Above, 1.0),
            "{count:11, sum:31, [-Inf,2]:2, (2,4]:8, (4,+Inf]:1}"
        );
        assert_eq!(trimmed(custom(), Keep::Above, f64::NEG_INFINITY), custom().to_string());
        assert_eq!(trimmed(custom(), Keep::Below, f64::NAN), "{count:0, sum:0}");
    }
}
