//! Samples of metrics: floats, native histograms, exemplars. Times are Prometheus' milliseconds.

use crate::labels::Labels;

/// The NaN that marks the end of a series (Prometheus' staleness marker); compare bits, not values.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// A value at a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// The value.
    pub value: f64,
}

/// What a histogram sample knows about a counter reset before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResetHint {
    /// Nothing: it has to be found by comparing.
    #[default]
    Unknown,
    /// The counter was reset before this sample.
    Reset,
    /// It was not.
    NotReset,
    /// The histogram goes up and down; there are no resets.
    Gauge,
}

/// A run of consecutive buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketSpan {
    /// Gap to the end of the previous span; for the first span the index of its first bucket.
    pub offset: i32,
    /// How many buckets follow.
    pub length: u32,
}

/// A native histogram with absolute bucket counts (Prometheus' float histogram). Schemas -4 to 8 are exponential:
/// bucket `i` of schema `s` ends at `2^(i * 2^-s)`. Schema -53 has the custom bounds of `custom_values`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// Resolution, or -53 for custom bounds.
    pub schema: i32,
    /// Width of the bucket around zero.
    pub zero_threshold: f64,
    /// Observations in the bucket around zero.
    pub zero_count: f64,
    /// All observations.
    pub count: f64,
    /// Sum of all observed values.
    pub sum: f64,
    /// Where the positive buckets lie.
    pub positive_spans: Vec<BucketSpan>,
    /// Counts of the positive buckets.
    pub positive_buckets: Vec<f64>,
    /// Where the negative buckets lie.
    pub negative_spans: Vec<BucketSpan>,
    /// Counts of the negative buckets.
    pub negative_buckets: Vec<f64>,
    /// Upper bounds for schema -53, ascending, without `+Inf`.
    pub custom_values: Vec<f64>,
    /// What is known of a reset before this sample.
    pub reset_hint: ResetHint,
}

impl Histogram {
    /// Whether two histograms are the same bit for bit: staleness is a NaN, which never equals itself.
    pub fn same_bits(&self, other: &Self) -> bool {
        let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        let scalars = |histogram: &Self| {
            bits(&[histogram.zero_threshold, histogram.zero_count, histogram.count, histogram.sum])
        };
        self.schema == other.schema
            && self.reset_hint == other.reset_hint
            && self.positive_spans == other.positive_spans
            && self.negative_spans == other.negative_spans
            && scalars(self) == scalars(other)
            && bits(&self.positive_buckets) == bits(&other.positive_buckets)
            && bits(&self.negative_buckets) == bits(&other.negative_buckets)
            && bits(&self.custom_values) == bits(&other.custom_values)
    }
}

/// A single observation kept beside a series, with the trace it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Exemplar {
    /// `trace_id`, `span_id` and what else the sender filtered out.
    pub labels: Labels,
    /// The observed value.
    pub value: f64,
    /// Milliseconds since the Unix epoch.
    pub time_ms: i64,
}
