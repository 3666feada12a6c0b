//! The mean of many histograms.

use super::add::Reconciled;
use super::error::HistogramError;
use super::sum::HistogramSum;
use crate::sample::Histogram;

/// The mean of many histograms, as `avg` and `avg_over_time` need it: their sum divided by their number, and where the
/// sum would leave the range of doubles, a mean that each of them moves a little.
#[derive(Debug, Clone)]
pub struct HistogramMean {
    /// The sum, or the mean so far.
    sum: HistogramSum,
    /// How many there were.
    count: f64,
    incremental: bool,
    /// No number of the sum is farther from zero than this.
    reach: f64,
}

impl HistogramMean {
    /// The mean of one histogram.
    pub fn new(first: Histogram) -> Self {
        Self { reach: reach(&first), sum: HistogramSum::new(first), count: 1.0, incremental: false }
    }

    /// Adds a histogram, with what [`Histogram::add`] does to make the two fit.
    ///
    /// # Errors
    ///
    /// If one has custom bounds and the other has not; then the mean is of no use any more.
    pub fn add(&mut self, other: &Histogram) -> Result<Reconciled, HistogramError> {
        self.count += 1.0;
        let mut first = Reconciled::default();
        if !self.incremental {
            self.reach += reach(other);
            if self.reach < f64::MAX / 2.0 {
                return self.sum.add(other);
            }
            let mut sum = self.sum.clone();
            first = sum.add(other)?;
            if !sum.total.has_overflow() {
                self.sum = sum;
                return Ok(first);
            }
            self.incremental = true;
            self.sum.divide(self.count - 1.0);
        }
        self.sum.scale((self.count - 1.0) / self.count);
        let mut part = other.clone();
        part.divide(self.count);
        let reconciled = self.sum.add(&part)?;
        Ok(Reconciled {
            reset_collision: first.reset_collision || reconciled.reset_collision,
            bounds: first.bounds || reconciled.bounds,
        })
    }

    /// The mean.
    pub fn finish(mut self) -> Histogram {
        if !self.incremental {
            self.sum.divide(self.count);
        }
        self.sum.finish()
    }
}

/// The sum of the sizes of all numbers: no number of a sum can be larger than that of its parts together.
fn reach(histogram: &Histogram) -> f64 {
    let scalars = [histogram.zero_count, histogram.count, histogram.sum];
    let buckets = histogram.positive_buckets.iter().chain(&histogram.negative_buckets);
    let reach = buckets.chain(&scalars).map(|number| number.abs()).sum::<f64>();
    // Infinite bounds count as an overflow as well.
    if histogram.custom_values.iter().any(|bound| bound.is_infinite()) { f64::INFINITY } else { reach }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::to_spans;

    fn histogram(count: f64) -> Histogram {
        let (positive_spans, positive_buckets) = to_spans([(1, count)]);
        Histogram { count, sum: count, positive_spans, positive_buckets, ..Histogram::default() }
    }

    fn mean(counts: &[f64]) -> Histogram {
        let mut mean = HistogramMean::new(histogram(counts[0]));
        for count in &counts[1..] {
            mean.add(&histogram(*count)).unwrap();
        }
        mean.finish()
    }

    #[test]
    fn plain_and_beyond_the_range_of_doubles() {
        assert_eq!(mean(&[1.0, 2.0, 6.0]).positive_buckets, [3.0]);
        assert_eq!(mean(&[1.0]), histogram(1.0));
        assert_eq!(mean(&[1e308, 1e308, 1e308]).sum, 1e308);
        assert_eq!(mean(&[1e308, 1e308, -1e308, -1e308]).positive_buckets, [0.0]);
        assert_eq!(mean(&[1.0, f64::INFINITY]).sum, f64::INFINITY);
        assert!(mean(&[1.0, f64::NAN]).sum.is_nan());
    }

    #[test]
    fn many_small_numbers() {
        assert_eq!(mean(&[1.0, 1e100, 1.0, -1e100]).sum, 0.5);
    }
}
