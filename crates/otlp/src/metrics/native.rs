//! Exponential histograms as native histograms, and explicit ones as native histograms with custom bounds.

use std::sync::Arc;

use model::histogram::{CUSTOM_SCHEMA, to_spans};
use model::sample::ResetHint;
use model::{Histogram, SampleValue, SeriesSample};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{ExponentialHistogramDataPoint, HistogramDataPoint};

use super::exemplars;
use super::points::{Points, has_no_value, stale};

/// Finest and coarsest resolution of a native histogram.
const SCHEMA_MAX: i32 = 8;
const SCHEMA_MIN: i32 = -4;

/// Width of the zero bucket: what Prometheus sets, whatever the sender says.
const ZERO_THRESHOLD: f64 = 1e-128;

impl Points<'_> {
    /// Exponential histograms.
    pub(super) fn exponential(&mut self, points: Vec<ExponentialHistogramDataPoint>) {
        for point in points {
            let buckets = |buckets: &Option<Buckets>| buckets.as_ref().map_or(0, |it| it.bucket_counts.len());
            if !self.bucket_count_fits(buckets(&point.positive) + buckets(&point.negative)) {
                continue;
            }
            let histogram = match from_exponential(&point) {
                Ok(histogram) => histogram,
                Err(reason) => {
                    self.reject("unsupported_scale", &reason);
                    continue;
                }
            };
            let attributes = (point.attributes, point.exemplars);
            self.native(&attributes, histogram, point.start_time_unix_nano, point.time_unix_nano);
        }
    }

    /// Explicit histograms that become native ones.
    pub(super) fn custom_buckets(&mut self, points: Vec<HistogramDataPoint>) {
        for point in points {
            if !self.bucket_count_fits(point.bucket_counts.len().max(point.explicit_bounds.len())) {
                continue;
            }
            if point.bucket_counts.len() > point.explicit_bounds.len() + 1
                || !point.explicit_bounds.is_sorted_by(|left, right| left < right)
            {
                let reason = "the bounds of a histogram are not ascending or too few for its buckets";
                self.reject("invalid_buckets", reason);
                continue;
            }
            let histogram = from_explicit(&point);
            let attributes = (point.attributes, point.exemplars);
            self.native(&attributes, histogram, point.start_time_unix_nano, point.time_unix_nano);
        }
    }

    fn native(
        &mut self,
        (attributes, exemplars): &(
            Vec<opentelemetry_proto::tonic::common::v1::KeyValue>,
            Vec<opentelemetry_proto::tonic::metrics::v1::Exemplar>,
        ),
        histogram: Histogram,
        start_ns: u64,
        time_ns: u64,
    ) {
        let name = self.family();
        let Some(mut labels) = self.labels(attributes) else { return };
        labels.set("__name__", name.as_str());
        if histogram.count == 0.0 && histogram.sum != 0.0 && !histogram.sum.is_nan() {
            self.warn(|| {
                format!("histogram data point of {name} has zero count, but non-zero sum: {}", histogram.sum)
            });
        }
        let value = SampleValue::Histogram(Arc::new(histogram));
        let exemplars = exemplars::of(exemplars);
        self.push(start_ns, time_ns, vec![SeriesSample { labels: labels.build(), value, exemplars }]);
    }
}

fn from_exponential(point: &ExponentialHistogramDataPoint) -> Result<Histogram, String> {
    if point.scale < SCHEMA_MIN {
        return Err(format!(
            "cannot convert exponential to native histogram. Scale must be >= {SCHEMA_MIN}, was {}",
            point.scale
        ));
    }
    let schema = point.scale.min(SCHEMA_MAX);
    // Past 63 halvings, every index is 0 or -1 and stays it.
    let scale_down = (i64::from(point.scale) - i64::from(schema)).min(63) as u32;
    let layout = |buckets: &Option<Buckets>| match buckets {
        None => (Vec::new(), Vec::new()),
        Some(buckets) => {
            // Index 0 holds (1, base] in OTLP; in a native histogram it is the bucket that ends at 1.
            let index = |position: usize| ((i64::from(buckets.offset) + position as i64) >> scale_down) + 1;
            to_spans(
                buckets
                    .bucket_counts
                    .iter()
                    .enumerate()
                    .map(|(position, count)| (index(position), *count as f64)),
            )
        }
    };
    let (positive_spans, positive_buckets) = layout(&point.positive);
    let (negative_spans, negative_buckets) = layout(&point.negative);
    let no_value = has_no_value(point.flags);
    Ok(Histogram {
        schema,
        zero_threshold: ZERO_THRESHOLD,
        zero_count: point.zero_count as f64,
        count: if no_value { 0.0 } else { point.count as f64 },
        sum: if no_value { stale() } else { point.sum.unwrap_or(0.0) },
        positive_spans,
        positive_buckets,
        negative_spans,
        negative_buckets,
        custom_values: Vec::new(),
        reset_hint: ResetHint::Unknown,
    })
}

fn from_explicit(point: &HistogramDataPoint) -> Histogram {
    let no_value = has_no_value(point.flags);
    let buckets = point.bucket_counts.iter().enumerate().map(|(index, count)| (index as i64, *count as f64));
    let (positive_spans, positive_buckets) = to_spans(buckets);
    Histogram {
        schema: CUSTOM_SCHEMA,
        count: if no_value { 0.0 } else { point.count as f64 },
        sum: if no_value { stale() } else { point.sum.unwrap_or(0.0) },
        positive_spans,
        positive_buckets,
        custom_values: point.explicit_bounds.clone(),
        ..Histogram::default()
    }
}

#[cfg(test)]
mod tests {
    use model::sample::BucketSpan;

    use super::*;

    fn point(scale: i32, offset: i32, counts: &[u64]) -> ExponentialHistogramDataPoint {
        ExponentialHistogramDataPoint {
            scale,
            count: counts.iter().sum(),
            sum: Some(10.0),
            positive: Some(Buckets { offset, bucket_counts: counts.to_vec() }),
            ..ExponentialHistogramDataPoint::default()
        }
    }

    fn layout(scale: i32, offset: i32, counts: &[u64]) -> (i32, Vec<(i32, u32)>, Vec<f64>) {
        let histogram = from_exponential(&point(scale, offset, counts)).unwrap();
        let spans = histogram.positive_spans.iter().map(|span| (span.offset, span.length)).collect();
        (histogram.schema, spans, histogram.positive_buckets)
    }

    #[test]
    fn indices_are_shifted_by_one() {
        assert_eq!(layout(1, 0, &[4, 3, 2, 1]), (1, vec![(1, 4)], vec![4.0, 3.0, 2.0, 1.0]));
        assert_eq!(layout(1, -3, &[4, 3]), (1, vec![(-2, 2)], vec![4.0, 3.0]));
        assert_eq!(layout(1, 5, &[]), (1, vec![], vec![]));
        assert_eq!(layout(1, 5, &[0, 0]), (1, vec![], vec![]));
    }

    #[test]
    fn small_gaps_are_filled_and_large_ones_begin_a_span() {
        assert_eq!(layout(1, 0, &[4, 0, 0, 2]), (1, vec![(1, 4)], vec![4.0, 0.0, 0.0, 2.0]));
        assert_eq!(layout(1, 0, &[4, 0, 0, 0, 2]), (1, vec![(1, 1), (3, 1)], vec![4.0, 2.0]));
        assert_eq!(layout(1, 0, &[0, 0, 0, 0, 2, 0]), (1, vec![(5, 1)], vec![2.0]));
    }

    #[test]
    fn fine_scales_are_merged_to_schema_8() {
        assert_eq!(layout(9, 0, &[4, 3, 2, 1]), (8, vec![(1, 2)], vec![7.0, 3.0]));
        assert_eq!(layout(10, 0, &[4, 3, 2, 1]), (8, vec![(1, 1)], vec![10.0]));
        // Leading empty buckets do not move what follows.
        assert_eq!(layout(9, 0, &[0, 0, 1, 1]), (8, vec![(2, 1)], vec![2.0]));
        // Negative indices round down: -1 and -2 of scale 9 are -1 of scale 8.
        assert_eq!(layout(9, -2, &[1, 1, 5]), (8, vec![(0, 2)], vec![2.0, 5.0]));
        assert_eq!(layout(i32::MAX, i32::MAX, &[1, 2]).0, 8);
    }

    #[test]
    fn coarse_scales_are_refused() {
        assert!(from_exponential(&point(-4, 0, &[1])).is_ok());
        let error = from_exponential(&point(-5, 0, &[1])).unwrap_err();
        assert_eq!(error, "cannot convert exponential to native histogram. Scale must be >= -4, was -5");
    }

    #[test]
    fn no_recorded_value_is_a_stale_sum() {
        let histogram =
            from_exponential(&ExponentialHistogramDataPoint { flags: 1, ..point(0, 0, &[1]) }).unwrap();
        assert!(SampleValue::Histogram(Arc::new(histogram)).is_stale());
    }

    #[test]
    fn custom_bounds() {
        let histogram = from_explicit(&HistogramDataPoint {
            count: 6,
            sum: Some(3.0),
            bucket_counts: vec![0, 1, 2, 0, 0, 0, 3],
            explicit_bounds: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            ..HistogramDataPoint::default()
        });
        assert_eq!(histogram.schema, -53);
        assert_eq!(
            histogram.positive_spans,
            [BucketSpan { offset: 1, length: 2 }, BucketSpan { offset: 3, length: 1 }]
        );
        assert_eq!(histogram.positive_buckets, [1.0, 2.0, 3.0]);
    }
}
