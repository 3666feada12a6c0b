//! Functions of the samples in a window that do not ask how far apart they are.

use std::sync::Arc;

use model::kahan::{CompensatedSum, compensated_add};

use super::quantile::{is_valid, quantile};
use super::{CallContext, Window};
use crate::engine::annotations::Notice;
use crate::storage::{FloatPoint, PointValue};

/// A function of floats; there is one at least.
type OfFloats = fn(&[FloatPoint]) -> f64;

/// What every function does that is not for histograms: it leaves them out and says so.
fn of_floats(window: &Window<'_>, context: &mut CallContext<'_>, function: OfFloats) -> Option<PointValue> {
    if window.floats.is_empty() {
        return None;
    }
    if !window.histograms.is_empty() {
        context.note(Notice::HistogramIgnoredInMixedRange { metric: window.metric() }, 0);
    }
    Some(PointValue::Float(function(window.floats)))
}

#[expect(clippy::unnecessary_wraps, reason = "one function of many")]
pub(super) fn count(window: &Window<'_>, _: &mut CallContext<'_>) -> Option<PointValue> {
    Some(PointValue::Float((window.floats.len() + window.histograms.len()) as f64))
}

#[expect(clippy::unnecessary_wraps, reason = "one function of many")]
pub(super) fn present(_: &Window<'_>, _: &mut CallContext<'_>) -> Option<PointValue> {
    Some(PointValue::Float(1.0))
}

pub(super) fn first(window: &Window<'_>, _: &mut CallContext<'_>) -> Option<PointValue> {
    match (window.floats.first(), window.histograms.first()) {
        (Some(float), None) => Some(PointValue::Float(float.value)),
        (Some(float), Some(histogram)) if float.time_ms < histogram.time_ms => {
            Some(PointValue::Float(float.value))
        }
        (_, histogram) => Some(PointValue::Histogram(Arc::clone(&histogram?.histogram))),
    }
}

pub(super) fn last(window: &Window<'_>, _: &mut CallContext<'_>) -> Option<PointValue> {
    match (window.floats.last(), window.histograms.last()) {
        (Some(float), None) => Some(PointValue::Float(float.value)),
        (Some(float), Some(histogram)) if histogram.time_ms < float.time_ms => {
            Some(PointValue::Float(float.value))
        }
        (_, histogram) => Some(PointValue::Histogram(Arc::clone(&histogram?.histogram))),
    }
}

pub(super) fn time_of_first(window: &Window<'_>, _: &mut CallContext<'_>) -> Option<PointValue> {
    let times = [window.floats.first().map(|it| it.time_ms), window.histograms.first().map(|it| it.time_ms)];
    times.into_iter().flatten().min().map(seconds)
}

pub(super) fn time_of_last(window: &Window<'_>, _: &mut CallContext<'_>) -> Option<PointValue> {
    // Where only floats or only histograms are, the other's time counts as 0.
    let times = [window.floats.last().map(|it| it.time_ms), window.histograms.last().map(|it| it.time_ms)];
    times.into_iter().map(Option::unwrap_or_default).max().map(seconds)
}

fn seconds(time_ms: i64) -> PointValue {
    PointValue::Float(time_ms as f64 / 1000.0)
}

pub(super) fn max(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    of_floats(window, context, |floats| extreme(floats, |value, so_far| value > so_far).value)
}

pub(super) fn min(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    of_floats(window, context, |floats| extreme(floats, |value, so_far| value < so_far).value)
}

pub(super) fn time_of_max(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    of_floats(window, context, |floats| {
        extreme(floats, |value, so_far| value >= so_far).time_ms as f64 / 1000.0
    })
}

pub(super) fn time_of_min(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    of_floats(window, context, |floats| {
        extreme(floats, |value, so_far| value <= so_far).time_ms as f64 / 1000.0
    })
}

/// The point that is better than those before it; anything is better than NaN.
fn extreme(floats: &[FloatPoint], is_better: impl Fn(f64, f64) -> bool) -> FloatPoint {
    let better = |best: FloatPoint, point: &FloatPoint| {
        if is_better(point.value, best.value) || best.value.is_nan() { *point } else { best }
    };
    floats.iter().fold(floats[0], better)
}

/// The sum of floats, with what rounding took from it.
pub(super) fn sum_of_floats(floats: &[FloatPoint]) -> f64 {
    let mut sum = CompensatedSum::default();
    sum.extend(floats.iter().map(|point| point.value));
    if sum.sum.is_infinite() { sum.sum } else { sum.total() }
}

/// The mean of floats: their sum by their number, or, where the sum becomes too large for a number, a mean that is moved
/// by each.
pub(super) fn mean_of_floats(floats: &[FloatPoint]) -> f64 {
    let mut sum = CompensatedSum { sum: floats[0].value, lost: 0.0 };
    for (index, point) in floats.iter().enumerate().skip(1) {
        let mut larger = sum;
        larger.add(point.value);
        if larger.sum.is_infinite() {
            return moved_mean(sum, index, &floats[index..]);
        }
        sum = larger;
    }
    let count = floats.len() as f64;
    sum.sum / count + sum.lost / count
}

/// The mean of some numbers, of which the sum is known, and of further floats.
fn moved_mean(sum: CompensatedSum, count: usize, floats: &[FloatPoint]) -> f64 {
    let mut count = count as f64;
    let (mut mean, mut lost) = (sum.sum / count, sum.lost / count);
    for point in floats {
        let weight = count / (count + 1.0);
        count += 1.0;
        (mean, lost) = (mean * weight, lost * weight);
        compensated_add(&mut mean, &mut lost, point.value / count);
    }
    mean + lost
}

/// The variance of floats around their mean, in one pass.
fn variance(floats: &[FloatPoint]) -> f64 {
    let (mut mean, mut squares) = (CompensatedSum::default(), CompensatedSum::default());
    let mut count = 0.0;
    for point in floats {
        count += 1.0;
        let delta = point.value - mean.total();
        mean.add(delta / count);
        squares.add(delta * (point.value - mean.total()));
    }
    squares.total() / count
}

pub(super) fn stdvar(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    of_floats(window, context, variance)
}

pub(super) fn stddev(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    of_floats(window, context, |floats| variance(floats).sqrt())
}

/// The median distance from the median.
pub(super) fn median_deviation(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    if window.floats.is_empty() {
        return None;
    }
    if !window.histograms.is_empty() {
        context.note(Notice::HistogramIgnoredInMixedRange { metric: window.metric() }, 0);
    }
    if window.floats.iter().any(|point| point.value.is_nan()) {
        return Some(PointValue::Float(f64::NAN));
    }
    let values = context.numbers(window.floats);
    let median = quantile(0.5, values);
    for value in &mut *values {
        *value = (*value - median).abs();
    }
    Some(PointValue::Float(quantile(0.5, values)))
}

/// The quantile that the first scalar argument names.
pub(super) fn quantile_over_time(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    let q = *context.scalars.first()?;
    if window.floats.is_empty() {
        return None;
    }
    if !is_valid(q) {
        context.note(Notice::InvalidQuantile(q), 0);
    }
    if !window.histograms.is_empty() {
        // Prometheus points at its first argument, which is the quantile.
        context.note(Notice::HistogramIgnoredInMixedRange { metric: window.metric() }, 0);
    }
    Some(PointValue::Float(quantile(q, context.numbers(window.floats))))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, float, floats, histogram, mixed};
    use super::*;

    #[test]
    fn extremes_and_their_times() {
        let points = floats(&[2.0, 8.0, 1.0, 8.0, 1.0]);
        assert_eq!(float(call(max, &points, &[]).0), 8.0);
        assert_eq!(float(call(min, &points, &[]).0), 1.0);
        assert_eq!(float(call(time_of_max, &points, &[]).0), 40.0, "the last of equals");
        assert_eq!(float(call(time_of_min, &points, &[]).0), 50.0);
        let points = floats(&[f64::NAN, 3.0, f64::NAN]);
        assert_eq!(float(call(max, &points, &[]).0), 3.0);
        assert_eq!(float(call(min, &points, &[]).0), 3.0);
        assert!(float(call(max, &floats(&[f64::NAN, f64::NAN]), &[]).0).is_nan());
    }

    #[test]
    fn sums_keep_what_is_small() {
        assert_eq!(sum_of_floats(&floats(&[1.0, 1e100, 1.0, -1e100])), 2.0);
        assert_eq!(sum_of_floats(&floats(&[f64::INFINITY, 1.0])), f64::INFINITY);
        assert_eq!(mean_of_floats(&floats(&[5.0, 5e100, 1.0, -5e100])), 1.5);
    }

    #[test]
    fn means_of_numbers_whose_sum_is_none() {
        let max = f64::MAX;
        assert_eq!(mean_of_floats(&floats(&[max, max])), max);
        assert_eq!(mean_of_floats(&floats(&[max, f64::INFINITY])), f64::INFINITY);
        assert!(mean_of_floats(&floats(&[f64::INFINITY, f64::NEG_INFINITY])).is_nan());
    }

    #[test]
    fn deviations() {
        let points = floats(&[0.0, 8.0, 8.0, 2.0, 3.0]);
        assert!((float(call(stdvar, &points, &[]).0) - 10.56).abs() < 1e-12);
        assert!((float(call(stddev, &points, &[]).0) - 3.249_615).abs() < 1e-6);
        assert_eq!(float(call(stdvar, &floats(&[1.599_050_563_727_786_8; 3]), &[]).0), 0.0);
        let points = floats(&[4.0, 6.0, 2.0, 1.0, 999.0, 1.0, 2.0]);
        assert_eq!(float(call(median_deviation, &points, &[]).0), 1.0);
        assert!(float(call(median_deviation, &floats(&[1.0, f64::NAN]), &[]).0).is_nan());
    }

    #[test]
    fn quantiles_warn() {
        let (value, notes) = call(quantile_over_time, &floats(&[1.0, 2.0, 3.0]), &[0.5]);
        assert_eq!((float(value), notes.len()), (2.0, 0));
        let (value, notes) = call(quantile_over_time, &floats(&[1.0]), &[2.0]);
        assert_eq!(float(value), f64::INFINITY);
        assert_eq!(notes, ["PromQL warning: quantile value should be between 0 and 1, got 2"]);
    }

    #[test]
    fn histograms_are_left_out_and_that_is_said() {
        let (value, notes) = call(max, &mixed(&[1.0, 2.0], &[histogram(1.0)]), &[]);
        assert_eq!(float(value), 2.0);
        let text = "PromQL info: ignored histograms in a range containing both floats and histograms for metric name \"m\"";
        assert_eq!(notes, [text]);
        let (value, notes) = call(max, &mixed(&[], &[histogram(1.0)]), &[]);
        assert!(value.is_none() && notes.is_empty());
    }

    #[test]
    fn first_and_last_of_both() {
        // Floats at 10 s and 20 s, the histogram at 30 s.
        let points = mixed(&[1.0, 2.0], &[histogram(7.0)]);
        assert_eq!(float(call(first, &points, &[]).0), 1.0);
        assert!(matches!(call(last, &points, &[]).0, Some(PointValue::Histogram(it)) if it.count == 7.0));
        assert_eq!(float(call(time_of_first, &points, &[]).0), 10.0);
        assert_eq!(float(call(time_of_last, &points, &[]).0), 30.0);
        assert_eq!(float(call(count, &points, &[]).0), 3.0);
    }
}
