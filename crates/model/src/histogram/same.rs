//! When two histograms are equal.

use super::spans::Buckets;
use crate::sample::{BucketSpan, Histogram};

impl Histogram {
    /// Whether both have the same numbers bit for bit in the same buckets, as PromQL's `==` means it. Empty buckets
    /// count; what is known of resets does not. Spans of no buckets do not count either.
    pub fn equals(&self, other: &Self) -> bool {
        let same = |left: f64, right: f64| left.to_bits() == right.to_bits();
        self.schema == other.schema
            && same(self.count, other.count)
            && same(self.sum, other.sum)
            && (!self.has_custom_bounds() || self.custom_values == other.custom_values)
            && self.zero_threshold == other.zero_threshold
            && same(self.zero_count, other.zero_count)
            && sides_equal(
                (&self.negative_spans, &self.negative_buckets),
                (&other.negative_spans, &other.negative_buckets),
            )
            && sides_equal(
                (&self.positive_spans, &self.positive_buckets),
                (&other.positive_spans, &other.positive_buckets),
            )
    }
}

fn sides_equal(left: (&[BucketSpan], &[f64]), right: (&[BucketSpan], &[f64])) -> bool {
    let bits = |(spans, counts)| {
        Buckets::new(spans, counts).map(|(index, count): (i64, f64)| (index, count.to_bits()))
    };
    left.1.len() == right.1.len() && bits(left).eq(bits(right))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::ResetHint;

    fn histogram(spans: &[(i32, u32)], counts: &[f64]) -> Histogram {
        let spans = spans.iter().map(|(offset, length)| BucketSpan { offset: *offset, length: *length });
        Histogram {
            positive_spans: spans.collect(),
            positive_buckets: counts.to_vec(),
            ..Histogram::default()
        }
    }

    #[test]
    fn empty_spans_do_not_count() {
        let plain = histogram(&[(1, 1), (2, 1)], &[1.0, 2.0]);
        assert!(plain.equals(&histogram(&[(1, 1), (1, 0), (1, 1)], &[1.0, 2.0])));
        assert!(!plain.equals(&histogram(&[(1, 1), (3, 1)], &[1.0, 2.0])));
        assert!(!plain.equals(&histogram(&[(1, 4)], &[1.0, 0.0, 0.0, 2.0])));
        assert!(plain.equals(&Histogram { reset_hint: ResetHint::Gauge, ..plain.clone() }));
    }

    #[test]
    fn bits_count() {
        let nan = Histogram { sum: f64::NAN, ..Histogram::default() };
        assert!(nan.equals(&nan.clone()));
        assert!(!Histogram { sum: -0.0, ..Histogram::default() }.equals(&Histogram::default()));
    }
}
