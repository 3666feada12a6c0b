//! Durations in buckets.

use std::time::Duration;

use crate::config::Unit;

/// Upper bounds of buckets, in a unit, shared between the series that have them.
#[derive(Debug, Clone)]
pub(crate) struct Bounds(std::sync::Arc<[f64]>);

impl Bounds {
    pub(crate) fn new(buckets: &[Duration], unit: Unit) -> Self {
        let bound = |bucket: &Duration| unit.of_ns(u64::try_from(bucket.as_nanos()).unwrap_or(u64::MAX));
        Self(buckets.iter().map(bound).collect())
    }

    pub(crate) fn to_vec(&self) -> Vec<f64> {
        self.0.to_vec()
    }
}

/// Counts by bucket, not cumulative, and the sum.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) count: u64,
    pub(crate) sum: f64,
    /// One more than there are bounds.
    pub(crate) buckets: Box<[u64]>,
}

impl Histogram {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        Self { count: 0, sum: 0.0, buckets: vec![0; bounds.0.len() + 1].into() }
    }

    /// Counts a value so many times. A bound belongs to the bucket below it.
    #[inline]
    pub(crate) fn observe(&mut self, bounds: &Bounds, value: f64, times: u64) {
        let bucket = bounds.0.partition_point(|bound| *bound < value);
        self.count = self.count.saturating_add(times);
        self.sum += value * times as f64;
        self.buckets[bucket] = self.buckets[bucket].saturating_add(times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_the_bucket_below_it() {
        let bounds = Bounds::new(&[Duration::from_millis(5), Duration::from_secs(1)], Unit::Seconds);
        let mut histogram = Histogram::new(&bounds);
        for (value, times) in [(0.0, 1), (0.005, 2), (0.006, 1), (1.0, 1), (1.5, 3)] {
            histogram.observe(&bounds, value, times);
        }
        assert_eq!((histogram.count, &*histogram.buckets), (8, &[3, 2, 3][..]));
        assert!((histogram.sum - 5.516).abs() < 1e-12);
        assert_eq!(Bounds::new(&[Duration::from_millis(5)], Unit::Milliseconds).to_vec(), [5.0]);
    }
}
