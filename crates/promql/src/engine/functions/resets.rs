//! `resets` and `changes`: how often a value went down, or became another.

use super::mixed::{Sample, Value};
use super::{CallContext, Window};
use crate::ast::Extension;
use crate::storage::PointValue;

pub(super) fn resets(window: &Window<'_>, _: &mut CallContext<'_>) -> Option<PointValue> {
    count(window, |previous, current| match (previous.value, current.value) {
        (Value::Float(before), Value::Float(after)) => {
            after < before || current.time.is_reset_after(previous.time)
        }
        (Value::Histogram(before), Value::Histogram(after)) => {
            current.time.is_reset_after(previous.time) || after.detect_reset(before)
        }
        _ => true,
    })
}

pub(super) fn changes(window: &Window<'_>, _: &mut CallContext<'_>) -> Option<PointValue> {
    count(window, |previous, current| match (previous.value, current.value) {
        (Value::Float(before), Value::Float(after)) => {
            before != after && !(before.is_nan() && after.is_nan())
        }
        (Value::Histogram(before), Value::Histogram(after)) => !before.equals(after),
        _ => true,
    })
}

/// How many pairs of neighbours satisfy a condition, floats and histograms in the order of their times.
fn count(window: &Window<'_>, is_counted: impl Fn(Sample<'_>, Sample<'_>) -> bool) -> Option<PointValue> {
    let (skipped_floats, skipped_histograms) = before_anchor(window)?;
    let floats = window.floats[skipped_floats..].iter().map(Sample::from);
    let histograms = window.histograms[skipped_histograms..].iter().map(Sample::from);
    let (mut floats, mut histograms) = (floats.peekable(), histograms.peekable());
    let mut next = || match (floats.peek(), histograms.peek()) {
        (Some(float), Some(histogram)) if float.time.time_ms > histogram.time.time_ms => histograms.next(),
        (Some(_), _) => floats.next(),
        (None, _) => histograms.next(),
    };
    let mut previous = next()?;
    let mut found = 0_u32;
    while let Some(current) = next() {
        found += u32::from(is_counted(previous, current));
        previous = current;
    }
    Some(PointValue::Float(f64::from(found)))
}

/// How many floats and histograms of an anchored window lie before its anchor: the newest sample of either kind that is
/// not within the range yet. `None` if nothing is within.
fn before_anchor(window: &Window<'_>) -> Option<(usize, usize)> {
    if window.extension != Some(Extension::Anchored) {
        return Some((0, 0));
    }
    let floats = window.floats.partition_point(|point| point.time_ms <= window.start_ms);
    let histograms = window.histograms.partition_point(|point| point.time_ms <= window.start_ms);
    if floats == window.floats.len() && histograms == window.histograms.len() {
        return None;
    }
    let last_float = floats.checked_sub(1);
    let last_histogram = histograms.checked_sub(1);
    let float_ms = last_float.map(|at| window.floats[at].time_ms);
    let histogram_ms = last_histogram.map(|at| window.histograms[at].time_ms);
    Some(match (last_float, last_histogram) {
        // What there is none of is less than any time.
        (Some(float), _) if float_ms >= histogram_ms => (float, histograms),
        (_, Some(histogram)) => (floats, histogram),
        _ => (0, 0),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Points, call, call_window, float, floats, floats_at, histogram, mixed};
    use super::*;

    #[test]
    fn floats_down_and_other() {
        let points = floats(&[1.0, 2.0, 2.0, 1.0, f64::NAN, f64::NAN, 0.0]);
        assert_eq!(float(call(resets, &points, &[]).0), 1.0);
        assert_eq!(float(call(changes, &points, &[]).0), 4.0);
        assert_eq!(float(call(changes, &floats(&[1.0]), &[]).0), 0.0);
    }

    #[test]
    fn a_change_of_kind_is_both() {
        let points = mixed(&[1.0], &[histogram(1.0), histogram(1.0), histogram(0.5)]);
        assert_eq!(float(call(resets, &points, &[]).0), 2.0);
        assert_eq!(float(call(changes, &points, &[]).0), 2.0);
    }

    #[test]
    fn anchored_compares_with_the_value_before() {
        let points = Points { floats: floats_at(&[(0, 9.0), (10, 5.0), (20, 3.0)]), ..Points::default() };
        let anchored = |range| call_window(changes, &points, range, Some(Extension::Anchored)).0;
        assert_eq!(float(anchored((5, 25))), 2.0);
        assert_eq!(float(anchored((10, 25))), 1.0);
        assert_eq!(anchored((20, 30)), None);
    }
}
