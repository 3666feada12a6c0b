//! Floats from one end of a range to the other.

use super::super::Window;
use super::super::rate::RateKind;
use super::Ends;
use crate::storage::FloatPoint;

/// A value between two samples. A counter that was reset between them is taken to have started from zero at the first.
pub(in crate::engine) fn interpolate(
    earlier: &FloatPoint,
    later: &FloatPoint,
    time_ms: i64,
    is_counter: bool,
) -> f64 {
    let from = if is_counter && later.value < earlier.value { 0.0 } else { earlier.value };
    let passed = (time_ms - earlier.time_ms) as f64;
    from + (later.value - from) * passed / (later.time_ms - earlier.time_ms) as f64
}

pub(super) fn increase(kind: RateKind, window: &Window<'_>) -> Option<f64> {
    let floats = window.floats;
    let Ends { first, last, is_smoothed } = Ends::of(floats, |point| point.time_ms, window)?;

    let left = match &floats[first..] {
        [earlier, later, ..] if is_smoothed && earlier.time_ms < window.start_ms => {
            interpolate(earlier, later, window.start_ms, kind.is_counter)
        }
        _ => floats[first].value,
    };
    let right = match &floats[..=last] {
        [.., earlier, later] if is_smoothed && later.time_ms > window.end_ms => {
            interpolate(earlier, later, window.end_ms, kind.is_counter)
        }
        _ => floats[last].value,
    };
    let mut increase = right - left;
    if kind.is_counter {
        // What was interpolated at the ends has resets there in it already.
        let from = first + usize::from(floats[first].time_ms <= window.start_ms);
        let until = last + usize::from(floats[last].time_ms < window.end_ms);
        increase += resets(left, right, floats.get(from..until).unwrap_or_default());
    }
    Some(increase)
}

/// What a counter had reached before each reset.
fn resets(left: f64, right: f64, points: &[FloatPoint]) -> f64 {
    let mut reached = left;
    let mut correction = 0.0;
    for value in points.iter().map(|point| point.value).chain([right]) {
        if value < reached {
            correction += reached;
        }
        reached = value;
    }
    correction
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{call_window, floats_at};
    use super::super::super::{rate, testing};
    use crate::ast::Extension::{Anchored, Smoothed};
    use crate::storage::PointValue;

    fn increase(extension: crate::ast::Extension, points: &[(i64, f64)], range: (i64, i64)) -> Option<f64> {
        let points = testing::Points { floats: floats_at(points), ..testing::Points::default() };
        match call_window(rate::increase, &points, range, Some(extension)).0 {
            Some(PointValue::Float(value)) => Some(value),
            None => None,
            other => panic!("no float: {other:?}"),
        }
    }

    #[test]
    fn anchored_begins_with_the_value_before() {
        let points = [(0, 1.0), (10, 2.0), (20, 5.0)];
        assert_eq!(increase(Anchored, &points, (5, 25)), Some(4.0));
        assert_eq!(increase(Anchored, &points, (10, 25)), Some(3.0));
        assert_eq!(increase(Anchored, &points, (20, 30)), None, "nothing within");
        assert_eq!(increase(Anchored, &[(10, 7.0)], (5, 15)), Some(0.0), "one sample, nothing before");
    }

    #[test]
    fn smoothed_is_interpolated_at_both_ends() {
        let points = [(0, 0.0), (10, 10.0), (20, 20.0), (30, 30.0)];
        assert_eq!(increase(Smoothed, &points, (5, 25)), Some(20.0));
        assert_eq!(increase(Smoothed, &points, (10, 20)), Some(10.0));
    }

    #[test]
    fn resets_within_and_at_the_ends() {
        assert_eq!(increase(Anchored, &[(0, 8.0), (10, 2.0), (20, 5.0)], (5, 25)), Some(5.0));
        // The counter is taken to have started from zero at 0 s: it is 1 at 5 s.
        assert_eq!(increase(Smoothed, &[(0, 8.0), (10, 2.0), (20, 4.0)], (5, 20)), Some(3.0));
        assert_eq!(increase(Smoothed, &[(0, 8.0), (10, 9.0), (20, 4.0)], (0, 15)), Some(3.0));
    }
}
