//! Lines through the samples of a window: `deriv`, `predict_linear`, and smoothing that follows a trend.

use model::kahan::CompensatedSum;
use model::number::Fixed;

use super::{CallContext, Window};
use crate::engine::annotations::Notice;
use crate::storage::{FloatPoint, PointValue};

/// A line.
struct Line {
    /// Per second.
    slope: f64,
    /// Where it is at the time that was asked for.
    intercept: f64,
}

/// The line with the least squares of distances; there is a float at least.
fn line_through(floats: &[FloatPoint], intercept_ms: i64) -> Line {
    let first = floats[0].value;
    // Compared so that a NaN makes them differ. The first is not compared: alone, or among equals, it is the line.
    if !floats[1..].iter().any(|point| point.value != first) {
        return if first.is_infinite() {
            Line { slope: f64::NAN, intercept: f64::NAN }
        } else {
            Line { slope: 0.0, intercept: first }
        };
    }
    let [mut x, mut y, mut xy, mut xx] = [CompensatedSum::default(); 4];
    for point in floats {
        let seconds = (point.time_ms - intercept_ms) as f64 / 1e3;
        x.add(seconds);
        y.add(point.value);
        xy.add(seconds * point.value);
        xx.add(seconds * seconds);
    }
    let count = floats.len() as f64;
    let [x, y, xy, xx] = [x.total(), y.total(), xy.total(), xx.total()];
    let covariance = xy - x * y / count;
    let variance = xx - x * x / count;
    let slope = covariance / variance;
    Line { slope, intercept: y / count - slope * x / count }
}

/// The floats, if there are two at least; says when histograms are left out.
fn floats_of<'a>(window: &Window<'a>, context: &mut CallContext<'_>) -> Option<&'a [FloatPoint]> {
    if !window.floats.is_empty() && !window.histograms.is_empty() {
        // The first argument is the range in all functions here.
        context.note(Notice::HistogramIgnoredInMixedRange { metric: window.metric() }, 0);
    }
    (window.floats.len() >= 2).then_some(window.floats)
}

pub(super) fn deriv(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    let floats = floats_of(window, context)?;
    // A time near those of the samples keeps numbers small and exact.
    Some(PointValue::Float(line_through(floats, floats[0].time_ms).slope))
}

/// Where the line is so many seconds after the evaluation's time as the scalar argument says.
pub(super) fn predict_linear(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    let seconds = *context.scalars.first()?;
    let line = line_through(floats_of(window, context)?, context.step_time_ms);
    Some(PointValue::Float(line.slope * seconds + line.intercept))
}

/// Exponential smoothing of values and of their trend, with the factors that the scalar arguments give.
pub(super) fn double_exponential_smoothing(
    window: &Window<'_>,
    context: &mut CallContext<'_>,
) -> Option<PointValue> {
    let [smoothing, trend_factor] = *context.scalars else { return None };
    for (factor, name, short) in [(smoothing, "smoothing", "sf"), (trend_factor, "trend", "tf")] {
        // Written so that NaN is let through, as Prometheus does.
        if factor <= 0.0 || factor >= 1.0 {
            let got = if factor.is_infinite() { Fixed(factor).to_string() } else { format!("{factor:.6}") };
            context.fail(format!("invalid {name} factor. Expected: 0 < {short} < 1, got: {got}"));
            return None;
        }
    }
    let floats = floats_of(window, context)?;
    let mut before = 0.0;
    let mut smooth = floats[0].value;
    let mut trend = floats[1].value - floats[0].value;
    for (index, point) in floats.iter().enumerate().skip(1) {
        if index > 1 {
            trend = trend_factor * (smooth - before) + (1.0 - trend_factor) * trend;
        }
        let next = smoothing * point.value + (1.0 - smoothing) * (smooth + trend);
        (before, smooth) = (smooth, next);
    }
    Some(PointValue::Float(smooth))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, failure, floats, histogram, mixed};
    use super::*;

    #[test]
    fn a_line_through_points() {
        // One point each 10 s.
        let points = floats(&[0.0, 10.0, 20.0, 30.0]);
        assert_eq!(call(deriv, &points, &[]).0, Some(PointValue::Float(1.0)));
        // The evaluation is at the end of the window, which is the last point.
        assert_eq!(call(predict_linear, &points, &[60.0]).0, Some(PointValue::Float(90.0)));
    }

    #[test]
    fn points_of_one_value() {
        let points = floats(&[3.0, 3.0, 3.0]);
        assert_eq!(call(deriv, &points, &[]).0, Some(PointValue::Float(0.0)));
        assert_eq!(call(predict_linear, &points, &[60.0]).0, Some(PointValue::Float(3.0)));
        let infinite = floats(&[f64::INFINITY, f64::INFINITY]);
        assert!(matches!(call(deriv, &infinite, &[]).0, Some(PointValue::Float(value)) if value.is_nan()));
        assert_eq!(call(deriv, &floats(&[1.0]), &[]).0, None);
    }

    #[test]
    fn smoothing() {
        let points = floats(&[10.0, 20.0, 30.0, 40.0]);
        let value = call(double_exponential_smoothing, &points, &[0.5, 0.5]).0;
        assert_eq!(value, Some(PointValue::Float(40.0)));
        let refused = |factors: &[f64]| failure(double_exponential_smoothing, &points, factors).unwrap();
        let text = "invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000";
        assert_eq!(refused(&[1.0, 0.5]), text);
        assert_eq!(refused(&[0.5, -0.1]), "invalid trend factor. Expected: 0 < tf < 1, got: -0.100000");
        assert_eq!(refused(&[0.5, f64::INFINITY]), "invalid trend factor. Expected: 0 < tf < 1, got: +Inf");
    }

    #[test]
    fn one_float_among_histograms_is_said() {
        let (value, notes) = call(deriv, &mixed(&[1.0], &[histogram(1.0)]), &[]);
        assert!(value.is_none());
        assert_eq!(notes.len(), 1);
        let (value, notes) = call(deriv, &mixed(&[], &[histogram(1.0), histogram(2.0)]), &[]);
        assert!(value.is_none() && notes.is_empty());
    }
}
