//! Native histograms: buckets by index, their bounds, and the arithmetic that PromQL does with them.
//!
//! All is for [`Histogram`], whose counts are absolute numbers, as in Prometheus' float histogram; results are those of
//! Prometheus 3.14, down to the order in which numbers are added.
//!
//! - [`Buckets`] and [`Bucket`]: what is in a histogram, by index or with bounds.
//! - [`Histogram::add`], [`Histogram::sub`], [`Histogram::scale`]: arithmetic; [`HistogramSum`] and [`HistogramMean`] for
//!   many, with compensated sums.
//! - [`Histogram::detect_reset`]: whether a counter began anew.
//! - [`Histogram::validate`]: what makes a histogram invalid, in Prometheus' words.
//! - [`Histogram::quantile`], [`Histogram::fraction`], [`Histogram::variance`]: what was observed; [`classic_quantile`]
//!   and [`classic_fraction`] for classic buckets.
//! - [`Histogram::trim`]: only what was observed below or above a value.

mod add;
mod bounds;
mod buckets;
mod classic;
mod compact;
mod custom;
mod error;
mod fractions;
mod mean;
mod quantile;
mod reset;
mod resolution;
mod same;
mod scale;
mod spans;
mod sum;
mod text;
mod trim;
mod validate;
mod zero;

pub use add::Reconciled;
pub use buckets::{AllBuckets, Bucket};
pub use classic::{ClassicBucket, ClassicQuantile, Repaired, classic_fraction, classic_quantile};
pub use error::{HistogramError, Invalid};
pub use mean::HistogramMean;
pub use quantile::{Fraction, NanEffect, Quantile};
pub use spans::{Buckets, to_spans};
pub use sum::HistogramSum;
pub use text::Notation;
pub use trim::Keep;

/// The schema of histograms with custom bounds.
pub const CUSTOM_SCHEMA: i32 = -53;

/// The coarsest exponential schema.
pub const MIN_SCHEMA: i32 = -4;

/// The finest exponential schema.
pub const MAX_SCHEMA: i32 = 8;

/// Whether a schema is one of the exponential ones.
pub fn is_exponential(schema: i32) -> bool {
    (MIN_SCHEMA..=MAX_SCHEMA).contains(&schema)
}
