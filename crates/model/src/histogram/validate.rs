//! What makes a histogram invalid.

use super::error::Invalid;
use super::is_exponential;
use crate::number::{Decimals, General};
use crate::sample::{BucketSpan, Histogram};

impl Histogram {
    /// Checks a histogram whose counts are any numbers. That the count is not what the buckets hold is no error, since
    /// sums of doubles are not exact.
    ///
    /// # Errors
    ///
    /// What is wrong, as Prometheus checks float histograms.
    pub fn validate(&self) -> Result<(), Invalid> {
        self.check_layout()?;
        if self.count < 0.0 {
            return Err(Invalid::NegativeCount(General(self.count).to_string()));
        }
        counts(&self.positive_buckets).map_err(positive)
    }

    /// Checks a histogram whose counts are whole numbers: the buckets together must hold what the count says, or no
    /// more than that where something that is not a number was observed.
    ///
    /// # Errors
    ///
    /// What is wrong, as Prometheus checks integer histograms.
    pub fn validate_whole(&self) -> Result<(), Invalid> {
        self.validate()?;
        let buckets = self.positive_buckets.iter().chain(&self.negative_buckets);
        let found = buckets.sum::<f64>() + self.zero_count;
        let count = self.count;
        if self.sum.is_nan() {
            return if found > count { Err(Invalid::CountTooSmall { found, count }) } else { Ok(()) };
        }
        if found == count { Ok(()) } else { Err(Invalid::CountMismatch { found, count }) }
    }

    fn check_layout(&self) -> Result<(), Invalid> {
        if self.has_custom_bounds() {
            return self.check_custom().map_err(|reason| Invalid::Custom(Box::new(reason)));
        }
        if !is_exponential(self.schema) {
            return Err(Invalid::Schema(self.schema));
        }
        spans(&self.positive_spans, self.positive_buckets.len()).map_err(positive)?;
        spans(&self.negative_spans, self.negative_buckets.len()).map_err(negative)?;
        counts(&self.negative_buckets).map_err(negative)?;
        if self.zero_count < 0.0 {
            return Err(Invalid::NegativeZeroBucket(General(self.zero_count).to_string()));
        }
        if self.custom_values.is_empty() { Ok(()) } else { Err(Invalid::ExponentialWithBounds) }
    }

    fn check_custom(&self) -> Result<(), Invalid> {
        bounds(&self.custom_values)?;
        let place = |(index, span): (usize, &BucketSpan)| negative_offset(index, *span);
        if let Some(span) = self.positive_spans.iter().enumerate().find(|(_, span)| span.offset < 0) {
            return Err(place(span));
        }
        spans(&self.positive_spans, self.positive_buckets.len())?;
        let covered = |span: &BucketSpan| u64::from(span.length) + u64::from(span.offset.unsigned_abs());
        let length = self.positive_spans.iter().map(covered).sum();
        if (self.custom_values.len() as u64) + 1 < length {
            return Err(Invalid::TooFewBounds { bounds: self.custom_values.len(), length });
        }
        if self.zero_count != 0.0 {
            return Err(Invalid::CustomZeroCount);
        }
        if self.zero_threshold != 0.0 {
            return Err(Invalid::CustomZeroThreshold);
        }
        if !self.negative_spans.is_empty() {
            return Err(Invalid::CustomNegativeSpans);
        }
        if self.negative_buckets.is_empty() { Ok(()) } else { Err(Invalid::CustomNegativeBuckets) }
    }
}

fn positive(reason: Invalid) -> Invalid {
    Invalid::Positive(Box::new(reason))
}

fn negative(reason: Invalid) -> Invalid {
    Invalid::Negative(Box::new(reason))
}

fn negative_offset(index: usize, span: BucketSpan) -> Invalid {
    Invalid::NegativeOffset { number: index + 1, offset: span.offset }
}

/// Whether spans ascend and there are as many counts as they say.
pub(super) fn spans(spans: &[BucketSpan], given: usize) -> Result<(), Invalid> {
    let back = spans.iter().enumerate().skip(1).find(|(_, span)| span.offset < 0);
    if let Some((index, span)) = back {
        return Err(negative_offset(index, *span));
    }
    let needed = spans.iter().map(|span| u64::from(span.length)).sum();
    if needed == given as u64 { Ok(()) } else { Err(Invalid::Buckets { needed, given }) }
}

fn counts(counts: &[f64]) -> Result<(), Invalid> {
    match counts.iter().enumerate().find(|(_, count)| **count < 0.0) {
        Some((index, count)) => {
            Err(Invalid::NegativeBucket { number: index + 1, count: General(*count).to_string() })
        }
        None => Ok(()),
    }
}

fn bounds(bounds: &[f64]) -> Result<(), Invalid> {
    for (index, current) in bounds.iter().enumerate() {
        if current.is_nan() {
            return Err(Invalid::BoundNan);
        }
        let previous = index.checked_sub(1).map(|previous| bounds[previous]);
        if let Some(previous) = previous.filter(|previous| current <= previous) {
            return Err(Invalid::BoundsOrder {
                previous: Decimals(previous).to_string(),
                current: Decimals(*current).to_string(),
            });
        }
    }
    if bounds.last() == Some(&f64::INFINITY) { Err(Invalid::BoundInfinite) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::CUSTOM_SCHEMA;

    fn good() -> Histogram {
        Histogram {
            count: 4.0,
            zero_count: 1.0,
            sum: 3.0,
            positive_spans: vec![BucketSpan { offset: -1, length: 2 }],
            positive_buckets: vec![1.0, 2.0],
            ..Histogram::default()
        }
    }

    fn custom() -> Histogram {
        Histogram {
            schema: CUSTOM_SCHEMA,
            count: 3.0,
            positive_spans: vec![BucketSpan { offset: 1, length: 2 }],
            positive_buckets: vec![1.0, 2.0],
            custom_values: vec![1.0, 2.0],
            ..Histogram::default()
        }
    }

    fn refused(mut histogram: Histogram, change: fn(&mut Histogram)) -> String {
        assert_eq!(histogram.validate_whole(), Ok(()));
        change(&mut histogram);
        histogram.validate_whole().unwrap_err().to_string()
    }

    #[test]
    fn exponential() {
        assert!(refused(good(), |it| it.schema = 9).ends_with("got schema 9"));
        assert!(refused(good(), |it| it.positive_buckets.clear()).starts_with("positive side: spans need 2"));
        assert!(
            refused(good(), |it| it.negative_buckets.push(1.0)).starts_with("negative side: spans need 0")
        );
        assert!(
            refused(good(), |it| it.positive_buckets[0] = -1e6)
                .starts_with("positive side: bucket number 1 has observation count of -1e+06: ")
        );
        assert!(refused(good(), |it| it.zero_count = -1.0).starts_with("zero bucket has"));
        assert!(refused(good(), |it| it.count = -1.0).starts_with("observation count is  -1: "));
        assert!(refused(good(), |it| it.custom_values.push(1.0)).ends_with("must not have custom bounds"));
        assert!(
            refused(good(), |it| it.count = 5.0)
                .starts_with("4 observations found in buckets, but the Count field is 5: ")
        );
        assert!(
            refused(good(), |it| {
                it.sum = f64::NAN;
                it.count = 3.0;
            })
            .contains("should be at least")
        );
        let nan = Histogram { sum: f64::NAN, count: 9.0, ..good() };
        assert_eq!(nan.validate_whole(), Ok(()));
        assert_eq!(Histogram { count: 5.0, ..good() }.validate(), Ok(()));
    }

    #[test]
    fn custom_bounds() {
        let refused = |change| refused(custom(), change);
        assert!(
            refused(|it| it.positive_spans[0].offset = -1)
                .starts_with("custom buckets: span number 1 with offset -1")
        );
        assert!(refused(|it| it.positive_spans[0].offset = 2).contains("only 2 custom bounds defined which"));
        assert!(refused(|it| it.custom_values[0] = f64::NAN).ends_with("must not be NaN"));
        assert!(
            refused(|it| it.custom_values[1] = 1.0)
                .starts_with("custom buckets: previous bound is 1.000000 and current is 1.000000: ")
        );
        assert!(refused(|it| it.custom_values[1] = f64::INFINITY).contains("last +Inf bound"));
        assert_eq!(refused(|it| it.zero_count = 1.0), "custom buckets: must have zero count of 0");
        assert_eq!(refused(|it| it.zero_threshold = 1.0), "custom buckets: must have zero threshold of 0");
        assert_eq!(
            refused(|it| it.negative_spans = it.positive_spans.clone()),
            "custom buckets: must not have negative spans"
        );
        assert_eq!(
            refused(|it| it.negative_buckets.push(1.0)),
            "custom buckets: must not have negative buckets"
        );
        assert!(refused(|it| it.positive_buckets[1] = -1.0).starts_with("positive side: bucket number 2"));
    }
}
