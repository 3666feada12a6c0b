//! Functions of each sample of a vector that need more than a float: numbers beside it, or a histogram.

use model::Histogram;

use super::CallContext;
use super::math::{self, clamp as clamped};
use crate::storage::PointValue;

/// Of a float; histograms are left out.
fn of_float(value: &PointValue, function: impl FnOnce(f64) -> Option<f64>) -> Option<PointValue> {
    match value {
        PointValue::Float(value) => function(*value).map(PointValue::Float),
        PointValue::Histogram(_) => None,
    }
}

/// Of a histogram; floats are left out.
fn of_histogram(value: &PointValue, function: impl FnOnce(&Histogram) -> f64) -> Option<PointValue> {
    match value {
        PointValue::Float(_) => None,
        PointValue::Histogram(histogram) => Some(PointValue::Float(function(histogram))),
    }
}

pub(super) fn clamp(value: &PointValue, context: &mut CallContext<'_>) -> Option<PointValue> {
    let [min, max] = *context.scalars else { return None };
    of_float(value, |value| clamped(value, min, max))
}

pub(super) fn clamp_max(value: &PointValue, context: &mut CallContext<'_>) -> Option<PointValue> {
    let [max] = *context.scalars else { return None };
    of_float(value, |value| clamped(value, f64::NEG_INFINITY, max))
}

pub(super) fn clamp_min(value: &PointValue, context: &mut CallContext<'_>) -> Option<PointValue> {
    let [min] = *context.scalars else { return None };
    of_float(value, |value| clamped(value, min, f64::INFINITY))
}

pub(super) fn round(value: &PointValue, context: &mut CallContext<'_>) -> Option<PointValue> {
    let to_nearest = context.scalars.first().copied().unwrap_or(1.0);
    of_float(value, |value| Some(math::round(value, to_nearest)))
}

/// A sample of anything but a selector has the time of the step.
#[expect(clippy::unnecessary_wraps, reason = "one function of many")]
pub(super) fn timestamp(_: &PointValue, context: &mut CallContext<'_>) -> Option<PointValue> {
    Some(PointValue::Float(context.step_time_ms as f64 / 1000.0))
}

/// Of a sample of anything but a selector it is not known.
pub(super) fn start_timestamp(_: &PointValue, _: &mut CallContext<'_>) -> Option<PointValue> {
    None
}

pub(super) fn histogram_count(value: &PointValue, _: &mut CallContext<'_>) -> Option<PointValue> {
    of_histogram(value, |histogram| histogram.count)
}

pub(super) fn histogram_sum(value: &PointValue, _: &mut CallContext<'_>) -> Option<PointValue> {
    of_histogram(value, |histogram| histogram.sum)
}

pub(super) fn histogram_avg(value: &PointValue, _: &mut CallContext<'_>) -> Option<PointValue> {
    of_histogram(value, |histogram| histogram.sum / histogram.count)
}

pub(super) fn histogram_stdvar(value: &PointValue, _: &mut CallContext<'_>) -> Option<PointValue> {
    of_histogram(value, Histogram::variance)
}

pub(super) fn histogram_stddev(value: &PointValue, _: &mut CallContext<'_>) -> Option<PointValue> {
    of_histogram(value, |histogram| histogram.variance().sqrt())
}
