//! Wider buckets.

use super::bounds::coarser;
use super::error::HistogramError;
use super::spans::{Buckets, SpanWriter};
use super::{CUSTOM_SCHEMA, validate};
use crate::kahan::compensated_add as kahan;
use crate::sample::{BucketSpan, Histogram};

impl Histogram {
    /// Makes the buckets as wide as those of a coarser schema.
    ///
    /// # Errors
    ///
    /// If the histogram has custom bounds, the schema is not coarser, or spans and counts do not fit together.
    pub fn reduce_resolution(&mut self, schema: i32) -> Result<(), HistogramError> {
        if self.has_custom_bounds() {
            return Err(HistogramError::ReduceCustom);
        }
        if schema == CUSTOM_SCHEMA {
            return Err(HistogramError::ReduceToCustom);
        }
        if schema >= self.schema {
            return Err(HistogramError::NotCoarser { from: self.schema, to: schema });
        }
        validate::spans(&self.positive_spans, self.positive_buckets.len())?;
        validate::spans(&self.negative_spans, self.negative_buckets.len())?;
        self.widen(schema);
        Ok(())
    }

    /// A copy in a coarser schema, or in the same one. The copy in a coarser one knows nothing of resets, as in
    /// Prometheus. A schema that is not coarser gives a plain copy.
    #[must_use]
    pub fn in_schema(&self, schema: i32) -> Self {
        let mut copy = self.clone();
        if schema < self.schema && !self.has_custom_bounds() && schema != CUSTOM_SCHEMA {
            copy.widen(schema);
            copy.reset_hint = crate::sample::ResetHint::Unknown;
        }
        copy
    }

    /// Makes the buckets as wide as those of a coarser schema.
    pub(super) fn widen(&mut self, schema: i32) {
        let from = self.schema;
        (self.positive_spans, self.positive_buckets) =
            widened(&self.positive_spans, &self.positive_buckets, from, schema);
        (self.negative_spans, self.negative_buckets) =
            widened(&self.negative_spans, &self.negative_buckets, from, schema);
        self.schema = schema;
    }
}

/// One side in a coarser schema. Empty buckets stay.
pub(super) fn widened(
    spans: &[BucketSpan],
    counts: &[f64],
    from: i32,
    to: i32,
) -> (Vec<BucketSpan>, Vec<f64>) {
    let mut writer = SpanWriter::default();
    let mut wide: Vec<f64> = Vec::with_capacity(counts.len());
    let mut last = None;
    for (index, count) in Buckets::new(spans, counts) {
        let index = coarser(index, from, to);
        match wide.last_mut() {
            Some(sum) if last == Some(index) => *sum += count,
            _ => {
                writer.push(index, 0);
                wide.push(count);
                last = Some(index);
            }
        }
    }
    (writer.finish(), wide)
}

/// Like [`widened`], with what is lost in rounding beside the counts.
pub(super) fn widened_with_lost(
    spans: &[BucketSpan],
    counts: &[f64],
    lost: &[f64],
    from: i32,
    to: i32,
) -> (Vec<BucketSpan>, Vec<f64>, Vec<f64>) {
    let mut writer = SpanWriter::default();
    let mut wide: Vec<f64> = Vec::with_capacity(counts.len());
    let mut wide_lost: Vec<f64> = Vec::with_capacity(counts.len());
    let mut last = None;
    for ((index, count), beside) in Buckets::new(spans, counts).zip(lost) {
        let index = coarser(index, from, to);
        match (wide.last_mut(), wide_lost.last_mut()) {
            (Some(sum), Some(sum_lost)) if last == Some(index) => {
                kahan(sum, sum_lost, count);
                kahan(sum, sum_lost, *beside);
            }
            _ => {
                writer.push(index, 0);
                wide.push(count);
                wide_lost.push(*beside);
                last = Some(index);
            }
        }
    }
    (writer.finish(), wide, wide_lost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::to_spans;
    use crate::sample::ResetHint;

    fn histogram() -> Histogram {
        let (positive_spans, positive_buckets) =
            to_spans([(-1, 1.0), (0, 2.0), (1, 3.0), (2, 4.0), (9, 5.0)]);
        let (negative_spans, negative_buckets) = to_spans([(4, 6.0)]);
        let reset_hint = ResetHint::NotReset;
        Histogram {
            schema: 1,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            reset_hint,
            ..Histogram::default()
        }
    }

    #[test]
    fn buckets_are_joined() {
        let mut wide = histogram();
        wide.reduce_resolution(0).unwrap();
        assert_eq!(wide.schema, 0);
        assert_eq!(wide.positive().collect::<Vec<_>>(), [(0, 3.0), (1, 7.0), (5, 5.0)]);
        assert_eq!(wide.negative().collect::<Vec<_>>(), [(2, 6.0)]);
        assert_eq!(wide.reset_hint, ResetHint::NotReset);
        assert_eq!(histogram().in_schema(0).reset_hint, ResetHint::Unknown);
        assert_eq!(histogram().in_schema(1), histogram());
    }

    #[test]
    fn what_cannot_be_reduced_is_refused() {
        let refused =
            |mut histogram: Histogram, schema| histogram.reduce_resolution(schema).unwrap_err().to_string();
        assert_eq!(refused(histogram(), 1), "cannot reduce resolution from schema 1 to 1");
        assert_eq!(refused(histogram(), CUSTOM_SCHEMA), "cannot reduce resolution to custom buckets schema");
        let custom = Histogram { schema: CUSTOM_SCHEMA, ..Histogram::default() };
        assert_eq!(refused(custom, -3), "cannot reduce resolution when there are custom buckets");
        let mut broken = histogram();
        broken.positive_buckets.pop();
        assert!(refused(broken, 0).ends_with("different number of buckets than provided"));
    }
}
