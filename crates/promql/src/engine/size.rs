//! How much samples count.

use model::Histogram;

/// What Go takes for an empty float histogram, in bytes.
const EMPTY_BYTES: usize = 168;

/// What a histogram counts for the limit on samples: as many as there are floats with times in its room, as Prometheus
/// reckons.
pub(crate) fn histogram_size(histogram: &Histogram) -> usize {
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    let buckets = histogram.positive_buckets.len() + histogram.negative_buckets.len();
    let bytes = EMPTY_BYTES + 8 * (spans + buckets + histogram.custom_values.len());
    (bytes + 8) / 16
}
