//! Whether an answer is what a test expects.

use model::histogram::Notation;
use model::sample::STALE_NAN_BITS;
use model::{Histogram, Labels};
use promql::engine::{SeriesPoints, Steps, Value};
use promql::series_text::Point;
use promql::storage::PointValue;

use crate::eval::{Answer, Eval, Series};

/// How much floats may differ, relative to their sum.
const TOLERANCE: f64 = 0.000_001;

/// Compares the whole answer.
pub(crate) fn value(eval: &Eval, value: &Value) -> Result<(), String> {
    match value {
        Value::Scalar(_, found) => scalar(&eval.answer, *found),
        Value::String(_, found) if *found == eval.answer.text => Ok(()),
        Value::String(_, found) => Err(format!("expected {:?}, found {found:?}", eval.answer.text)),
        Value::Vector(_, samples) => vector(&eval.answer, samples, eval.is_ordered),
        Value::Matrix(_) if eval.is_ordered => Err("a matrix has no order of its own".to_owned()),
        Value::Matrix(series) => {
            no_scalar(&eval.answer)?;
            sorted(series)?;
            matrix(&eval.answer.series, series, eval.steps)
        }
    }
}

/// Compares a scalar.
pub(crate) fn scalar(answer: &Answer, found: f64) -> Result<(), String> {
    match answer.scalar {
        Some(expected) if nearly(expected, found) => Ok(()),
        Some(expected) => Err(format!("expected scalar {expected}, found {found}")),
        None => Err(format!("expected no scalar, found {found}")),
    }
}

fn no_scalar(answer: &Answer) -> Result<(), String> {
    answer.scalar.map_or(Ok(()), |number| Err(format!("expected the scalar {number}, found series")))
}

/// Compares the samples of one time.
pub(crate) fn vector(
    answer: &Answer,
    found: &[(Labels, PointValue)],
    is_ordered: bool,
) -> Result<(), String> {
    no_scalar(answer)?;
    for (at, (labels, value)) in found.iter().enumerate() {
        let Some(expected) = answer.series.iter().find(|expected| expected.labels == *labels) else {
            return Err(format!("unexpected {labels} {}", print(value)));
        };
        if is_ordered && expected.place != at + 1 {
            return Err(format!("{labels} is at {}, not at {}", at + 1, expected.place));
        }
        // Where nothing stands, zero is meant.
        let point = match expected.points.first() {
            None => return Err(format!("{labels} has no value to be compared")),
            Some(Point::None) => &Point::Float(0.0),
            Some(point) => point,
        };
        if !same(point, value) {
            return Err(format!("expected {labels} {}, found {}", print_point(point), print(value)));
        }
    }
    match answer.series.iter().find(|expected| found.iter().all(|(known, _)| *known != expected.labels)) {
        Some(missing) => Err(format!("missing {}", missing.labels)),
        None => Ok(()),
    }
}

/// Whether series are in the order of their labels.
pub(crate) fn sorted(series: &[SeriesPoints]) -> Result<(), String> {
    let is_sorted = series.is_sorted_by(|left, right| left.labels <= right.labels);
    if is_sorted { Ok(()) } else { Err("the series are not sorted".to_owned()) }
}

fn matrix(expected: &[Series], found: &[SeriesPoints], steps: Steps) -> Result<(), String> {
    for series in found {
        let labels = &series.labels;
        let Some(known) = expected.iter().find(|known| known.labels == *labels) else {
            return Err(format!("unexpected {labels} {}", print_series(series)));
        };
        let mut floats = series.floats.iter();
        let mut histograms = series.histograms.iter();
        for (step, point) in known.points.iter().enumerate() {
            let time_ms = steps.start_ms + steps.step_ms * step as i64;
            if time_ms > steps.end_ms {
                return Err("more points are expected than there are steps".to_owned());
            }
            let next = match point {
                Point::None => continue,
                Point::Float(_) => floats.next().map(|(at_ms, value)| (*at_ms, PointValue::Float(*value))),
                Point::Histogram { .. } => {
                    histograms.next().map(|(at_ms, value)| (*at_ms, PointValue::Histogram(value.clone())))
                }
            };
            if next.is_none_or(|(at_ms, value)| at_ms != time_ms || !same(point, &value)) {
                let found = print_series(series);
                return Err(format!(
                    "expected {labels} {} at {time_ms} ms, found {found}",
                    print_point(point)
                ));
            }
        }
        if floats.next().is_some() || histograms.next().is_some() {
            return Err(format!("{labels} has more points than expected: {}", print_series(series)));
        }
    }
    match expected.iter().find(|known| found.iter().all(|series| series.labels != known.labels)) {
        Some(missing) => Err(format!("missing {}", missing.labels)),
        None => Ok(()),
    }
}

fn same(expected: &Point, found: &PointValue) -> bool {
    match (expected, found) {
        (Point::Float(expected), PointValue::Float(found)) => nearly(*expected, *found),
        (Point::Histogram { histogram, hint_given }, PointValue::Histogram(found)) => {
            nearly_same(histogram, found) && (!hint_given || histogram.reset_hint == found.reset_hint)
        }
        _ => false,
    }
}

fn nearly_same(expected: &Histogram, found: &Histogram) -> bool {
    let [expected, found] = [expected, found].map(|histogram| {
        let mut histogram = histogram.clone();
        histogram.compact(0);
        histogram
    });
    let buckets = |histogram: &Histogram| -> Vec<(i64, f64)> {
        let negative = histogram.negative().map(|(index, count)| (-index - 1_000_000_000, count));
        negative.chain(histogram.positive()).collect()
    };
    let (expected_buckets, found_buckets) = (buckets(&expected), buckets(&found));
    expected.schema == found.schema
        && nearly(expected.count, found.count)
        && nearly(expected.sum, found.sum)
        && expected.custom_values == found.custom_values
        && expected.zero_threshold == found.zero_threshold
        && nearly(expected.zero_count, found.zero_count)
        && expected_buckets.len() == found_buckets.len()
        && expected_buckets.iter().zip(&found_buckets).all(|((index, count), (found_index, found_count))| {
            index == found_index && nearly(*count, *found_count)
        })
}

fn nearly(left: f64, right: f64) -> bool {
    let is_stale = |number: f64| number.to_bits() == STALE_NAN_BITS;
    if is_stale(left) || is_stale(right) {
        return is_stale(left) && is_stale(right);
    }
    if left == right || (left.is_nan() && right.is_nan()) {
        return true;
    }
    let (sum, difference) = (left.abs() + right.abs(), (left - right).abs());
    if left == 0.0 || right == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

fn print(value: &PointValue) -> String {
    match value {
        PointValue::Float(value) => value.to_string(),
        PointValue::Histogram(histogram) => Notation(histogram).to_string(),
    }
}

fn print_point(point: &Point) -> String {
    match point {
        Point::None => "_".to_owned(),
        Point::Float(value) => value.to_string(),
        Point::Histogram { histogram, .. } => Notation(histogram).to_string(),
    }
}

fn print_series(series: &SeriesPoints) -> String {
    let floats = series.floats.iter().map(|(time_ms, value)| format!("{value} @ {time_ms}"));
    let histograms = series.histograms.iter();
    let histograms = histograms.map(|(time_ms, histogram)| format!("{} @ {time_ms}", Notation(histogram)));
    floats.chain(histograms).collect::<Vec<_>>().join(", ")
}
