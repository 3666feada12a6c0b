//! Histograms times and by a number.

use crate::sample::{Histogram, ResetHint};

impl Histogram {
    /// Multiplies count, sum and all buckets. What is less than zero afterwards is a gauge.
    pub fn scale(&mut self, factor: f64) {
        self.each_number(|number| *number *= factor);
        if factor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    /// Divides count, sum and all buckets. What is less than zero afterwards is a gauge. Divided by zero there are no
    /// buckets.
    pub fn divide(&mut self, divisor: f64) {
        if divisor == 0.0 {
            self.positive_spans.clear();
            self.positive_buckets.clear();
            self.negative_spans.clear();
            self.negative_buckets.clear();
        }
        self.each_number(|number| *number /= divisor);
        if divisor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    /// Whether any number of it is infinite.
    pub fn has_overflow(&self) -> bool {
        let scalars = [self.zero_count, self.count, self.sum];
        let buckets = self.positive_buckets.iter().chain(&self.negative_buckets);
        buckets.chain(&self.custom_values).chain(&scalars).any(|number| number.is_infinite())
    }

    fn each_number(&mut self, mut change: impl FnMut(&mut f64)) {
        for number in [&mut self.zero_count, &mut self.count, &mut self.sum] {
            change(number);
        }
        self.positive_buckets.iter_mut().chain(&mut self.negative_buckets).for_each(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::to_spans;

    fn histogram() -> Histogram {
        let (positive_spans, positive_buckets) = to_spans([(1, 2.0)]);
        let (negative_spans, negative_buckets) = to_spans([(1, 4.0)]);
        Histogram {
            count: 7.0,
            sum: 3.0,
            zero_count: 1.0,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            ..Histogram::default()
        }
    }

    #[test]
    fn all_numbers_change() {
        let mut twice = histogram();
        twice.scale(-2.0);
        assert_eq!((twice.count, twice.sum, twice.zero_count), (-14.0, -6.0, -2.0));
        assert_eq!((&twice.positive_buckets[..], &twice.negative_buckets[..]), (&[-4.0][..], &[-8.0][..]));
        assert_eq!(twice.reset_hint, ResetHint::Gauge);
        twice.divide(-2.0);
        assert_eq!(twice, Histogram { reset_hint: ResetHint::Gauge, ..histogram() });
    }

    #[test]
    fn by_zero() {
        let mut infinite = histogram();
        infinite.divide(0.0);
        assert_eq!(
            (infinite.count, infinite.positive().count(), infinite.negative().count()),
            (f64::INFINITY, 0, 0)
        );
        assert!(infinite.has_overflow() && !histogram().has_overflow());
    }
}
