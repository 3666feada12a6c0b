//! Classic buckets, collected one by one, as a native histogram with custom buckets.

use model::Histogram;
use model::histogram::{CUSTOM_SCHEMA, to_spans};
use model::sample::BucketSpan;

use crate::float::ShortestFloat;

/// What has been collected of a classic histogram. After an error everything is ignored until [`Collected::reset`].
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Upper bound and cumulative count, ascending.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
    error: Option<String>,
}

impl Collected {
    pub(crate) fn reset(&mut self) {
        self.buckets.clear();
        (self.count, self.sum, self.error) = (None, 0.0, None);
    }

    pub(crate) fn set_sum(&mut self, sum: f64) {
        if self.error.is_none() {
            self.sum = sum;
        }
    }

    pub(crate) fn set_count(&mut self, count: f64) {
        if self.error.is_some() {
        } else if count < 0.0 {
            self.error = Some(format!("count must be non-negative: count={}", ShortestFloat(count)));
        } else {
            self.count = Some(count);
        }
    }

    /// Adds a bucket with its cumulative count. A bound that is there already is ignored.
    pub(crate) fn add_bucket(&mut self, bound: f64, count: f64) {
        if self.error.is_some() {
            return;
        }
        let (le, value) = (ShortestFloat(bound), ShortestFloat(count));
        if bound.is_nan() {
            self.error = Some("bucket boundary must not be NaN".to_owned());
        } else if count < 0.0 {
            self.error = Some(format!("bucket count must be non-negative: le={le}, count={value}"));
        } else {
            let at = self.buckets.partition_point(|(other, _)| *other < bound);
            let before = at.checked_sub(1).and_then(|before| self.buckets.get(before));
            match (before, self.buckets.get(at)) {
                (_, Some((other, _))) if *other == bound => {}
                (Some((_, lower)), _) if count < *lower => {
                    let lower = ShortestFloat(*lower);
                    self.error = Some(format!("count is not cumulative: {value} < {lower}"));
                }
                (_, Some((_, higher))) if count > *higher => {
                    let higher = ShortestFloat(*higher);
                    self.error = Some(format!("count is not cumulative: {value} > {higher}"));
                }
                _ => self.buckets.insert(at, (bound, count)),
            }
        }
    }

    /// The histogram, or why there is none.
    pub(crate) fn convert(&mut self) -> Result<Histogram, String> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        let count = self.count.or(self.buckets.last().map(|(_, count)| *count)).unwrap_or(0.0);
        if self.buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let whole = |number: f64| number == number.round() && number.abs() < 9.2e18;
        let integers = whole(count) && self.buckets.iter().all(|(_, count)| whole(*count));
        let last = self.buckets.last().map_or(0.0, |(_, count)| *count);
        if count != last {
            let (count, last) = (ShortestFloat(count), ShortestFloat(last));
            return Err(format!("count mismatch: count={count} != le=+Inf count={last}"));
        }
        let mut before = 0.0;
        let own = self.buckets.iter().map(|(_, count)| {
            let own = count - before;
            before = *count;
            own
        });
        let own = (0..).zip(own);
        let (positive_spans, positive_buckets) = if integers { to_spans(own) } else { packed(own) };
        let bounds = self.buckets.iter().map(|(bound, _)| *bound);
        Ok(Histogram {
            schema: CUSTOM_SCHEMA,
            count,
            sum: self.sum,
            positive_spans,
            positive_buckets,
            custom_values: bounds.filter(|bound| *bound != f64::INFINITY).collect(),
            ..Histogram::default()
        })
    }
}

/// Buckets as spans without any empty bucket, by ascending index.
pub(crate) fn packed(buckets: impl Iterator<Item = (i64, f64)>) -> (Vec<BucketSpan>, Vec<f64>) {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut counts = Vec::new();
    let mut next = 0;
    for (index, count) in buckets.filter(|(_, count)| *count != 0.0) {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => {
                let offset = (index - next).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
                spans.push(BucketSpan { offset, length: 1 });
            }
        }
        counts.push(count);
        next = index + 1;
    }
    (spans, counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(buckets: &[(f64, f64)], count: Option<f64>) -> Result<Histogram, String> {
        let mut collected = Collected::default();
        collected.set_sum(10.0);
        for (bound, count) in buckets {
            collected.add_bucket(*bound, *count);
        }
        if let Some(count) = count {
            collected.set_count(count);
        }
        collected.convert()
    }

    #[test]
    fn buckets_in_any_order() {
        let expected = collected(&[(1.0, 2.0), (2.0, 2.0), (f64::INFINITY, 5.0)], Some(5.0)).unwrap();
        assert_eq!(expected.custom_values, [1.0, 2.0]);
        assert_eq!(expected.positive_buckets, [2.0, 0.0, 3.0]);
        let turned = [(2.0, 2.0), (f64::INFINITY, 5.0), (1.0, 2.0), (1.0, 7.0)];
        assert_eq!(collected(&turned, None).unwrap(), expected);
        // Without the last bucket the count is what it would be.
        assert_eq!(collected(&turned[..1], Some(5.0)).unwrap().custom_values, [2.0]);
    }

    #[test]
    fn fractions_keep_no_empty_bucket() {
        let histogram = collected(&[(1.0, 0.5), (2.0, 0.5), (3.0, 1.5)], Some(1.5)).unwrap();
        assert_eq!(histogram.positive_buckets, [0.5, 1.0]);
        assert_eq!(histogram.positive_spans.len(), 2);
    }

    #[test]
    fn what_makes_no_sense() {
        let cases = [
            (vec![(1.0, 2.0), (2.0, 1.0)], None, "count is not cumulative: 1 < 2"),
            (vec![(2.0, 1.0), (1.0, 2.0)], None, "count is not cumulative: 2 > 1"),
            (vec![(1.0, -2.0)], None, "bucket count must be non-negative: le=1, count=-2"),
            (vec![(f64::NAN, 2.0)], None, "bucket boundary must not be NaN"),
            (vec![(1.0, 2.0)], Some(-1.0), "count must be non-negative: count=-1"),
            (vec![(f64::INFINITY, 2.0)], Some(1.0), "count mismatch: count=1 != le=+Inf count=2"),
        ];
        for (buckets, count, message) in cases {
            assert_eq!(collected(&buckets, count).unwrap_err(), message);
        }
    }
}
