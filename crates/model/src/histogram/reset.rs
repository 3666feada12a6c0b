//! Whether a counter began anew between two histograms.

use super::bounds::{coarser, exponential};
use super::custom::fell_between_bounds;
use super::is_exponential;
use super::spans::Buckets;
use crate::sample::{Histogram, ResetHint};

impl Histogram {
    /// Whether the counter was reset since the previous histogram. A histogram that knows says so. Else any number that
    /// fell means a reset (not the sum of the values, which may fall), and so does a finer schema, a narrower bucket
    /// around zero, or one that now cuts a bucket that was not empty. Gauges are compared as if they were counters.
    pub fn detect_reset(&self, previous: &Self) -> bool {
        match self.reset_hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < previous.count {
            return true;
        }
        if self.has_custom_bounds() {
            if !previous.has_custom_bounds() {
                return true;
            }
            if self.custom_values != previous.custom_values {
                return fell_between_bounds(self, previous);
            }
        }
        if self.schema > previous.schema || self.zero_threshold < previous.zero_threshold {
            return true;
        }
        let before = previous.with_wider_zero(self.zero_threshold, None);
        if before.threshold != self.zero_threshold || self.zero_count < before.count {
            return true;
        }
        fell(
            joined(self.positive(), self.schema, self.schema, self.zero_threshold),
            joined(previous.positive(), previous.schema, self.schema, self.zero_threshold),
        ) || fell(
            joined(self.negative(), self.schema, self.schema, self.zero_threshold),
            joined(previous.negative(), previous.schema, self.schema, self.zero_threshold),
        )
    }
}

/// Buckets in a coarser schema, without the first ones that lie within the bucket around zero.
fn joined(buckets: Buckets<'_>, from: i32, to: i32, threshold: f64) -> impl Iterator<Item = (i64, f64)> {
    let mut buckets = buckets.map(move |(index, count)| (coarser(index, from, to), count)).peekable();
    let skip = threshold != 0.0 && is_exponential(to);
    std::iter::from_fn(move || {
        let (index, mut sum) = buckets.next()?;
        while let Some((_, count)) = buckets.next_if(|(next, _)| *next == index) {
            sum += count;
        }
        Some((index, sum))
    })
    .skip_while(move |(index, _)| skip && exponential(*index, to) <= threshold)
}

/// Whether any bucket holds less than before, or one that was not empty is gone.
fn fell(mut now: impl Iterator<Item = (i64, f64)>, before: impl Iterator<Item = (i64, f64)>) -> bool {
    let mut current = now.next();
    for (index, count) in before {
        while current.is_some_and(|(at, _)| at < index) {
            current = now.next();
        }
        let fell = match current {
            Some((at, left)) if at == index => left < count,
            _ => count != 0.0,
        };
        if fell {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::{CUSTOM_SCHEMA, to_spans};

    fn histogram(schema: i32, buckets: &[(i64, f64)]) -> Histogram {
        let (positive_spans, positive_buckets) = to_spans(buckets.iter().copied());
        Histogram { schema, count: 10.0, positive_spans, positive_buckets, ..Histogram::default() }
    }

    #[test]
    fn any_number_that_falls() {
        let before = histogram(0, &[(1, 2.0), (3, 4.0)]);
        assert!(!before.detect_reset(&before));
        assert!(!histogram(0, &[(0, 1.0), (1, 2.0), (2, 9.0), (3, 4.0)]).detect_reset(&before));
        assert!(histogram(0, &[(1, 2.0), (3, 3.0)]).detect_reset(&before));
        assert!(histogram(0, &[(1, 2.0)]).detect_reset(&before));
        assert!(histogram(0, &[(3, 4.0)]).detect_reset(&before));
        assert!(Histogram { count: 9.0, ..before.clone() }.detect_reset(&before));
        assert!(!Histogram { sum: -9.0, ..before.clone() }.detect_reset(&before));
    }

    #[test]
    fn negative_buckets_too() {
        let (negative_spans, negative_buckets) = to_spans([(1, 2.0)]);
        let before = Histogram { negative_spans, negative_buckets, ..histogram(0, &[]) };
        assert!(histogram(0, &[]).detect_reset(&before));
        assert!(!before.detect_reset(&before));
    }

    #[test]
    fn a_histogram_that_knows() {
        let known = |reset_hint| Histogram { reset_hint, ..histogram(0, &[(1, 1.0)]) };
        assert!(known(ResetHint::Reset).detect_reset(&histogram(0, &[])));
        assert!(!known(ResetHint::NotReset).detect_reset(&histogram(0, &[(1, 2.0)])));
        assert!(known(ResetHint::Gauge).detect_reset(&histogram(0, &[(1, 2.0)])));
    }

    #[test]
    fn schemas() {
        let before = histogram(1, &[(1, 1.0), (2, 1.0), (3, 5.0)]);
        assert!(!histogram(0, &[(1, 2.0), (2, 5.0)]).detect_reset(&before));
        assert!(histogram(0, &[(1, 1.0), (2, 5.0)]).detect_reset(&before));
        assert!(before.detect_reset(&histogram(0, &[])));
        let custom = Histogram { schema: CUSTOM_SCHEMA, count: 10.0, ..Histogram::default() };
        assert!(custom.detect_reset(&before) && before.detect_reset(&custom));
        assert!(!custom.detect_reset(&custom));
    }

    #[test]
    fn the_bucket_around_zero() {
        let before =
            Histogram { zero_threshold: 0.1, zero_count: 1.0, ..histogram(0, &[(0, 2.0), (2, 1.0)]) };
        let now = |zero_threshold, zero_count| Histogram {
            zero_threshold,
            zero_count,
            ..histogram(0, &[(2, 1.0)])
        };
        assert!(!now(1.0, 3.0).detect_reset(&before));
        assert!(now(1.0, 2.0).detect_reset(&before));
        // Cuts the bucket (0.5, 1].
        assert!(now(0.75, 3.0).detect_reset(&before));
        assert!(now(0.01, 3.0).detect_reset(&before));
    }
}
