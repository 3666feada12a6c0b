//! `irate` and `idelta`: between the last two samples of a window.

use std::sync::Arc;

use model::Histogram;
use model::sample::ResetHint;

use super::histograms::subtract_noting;
use super::mixed::{Sample, Value};
use super::{CallContext, Window};
use crate::engine::annotations::Notice;
use crate::storage::PointValue;

pub(super) fn irate(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    between_last_two(window, true, context)
}

pub(super) fn idelta(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    between_last_two(window, false, context)
}

/// The last two samples of both kinds, the earlier one first. Of two at the same time the histogram is the earlier.
fn last_two<'a>(window: &Window<'a>) -> Option<[Sample<'a>; 2]> {
    let floats = window.floats.iter().rev().take(2).map(Sample::from);
    let histograms = window.histograms.iter().rev().take(2).map(Sample::from);
    let (mut floats, mut histograms) = (floats.peekable(), histograms.peekable());
    let mut newest = || match (floats.peek(), histograms.peek()) {
        (Some(float), Some(histogram)) if float.time.time_ms < histogram.time.time_ms => histograms.next(),
        (Some(_), _) => floats.next(),
        (None, _) => histograms.next(),
    };
    let later = newest()?;
    Some([newest()?, later])
}

fn between_last_two(
    window: &Window<'_>,
    is_counter: bool,
    context: &mut CallContext<'_>,
) -> Option<PointValue> {
    let [earlier, later] = last_two(window)?;
    let milliseconds = later.time.time_ms - earlier.time.time_ms;
    if milliseconds == 0 {
        return None;
    }
    let seconds = milliseconds as f64 / 1000.0;
    let started_anew = later.time.is_reset_after(earlier.time);
    let metric = window.metric();
    match (earlier.value, later.value) {
        (Value::Float(before), Value::Float(after)) => {
            // A counter that was reset went up from zero.
            let is_reset = is_counter && (after < before || started_anew);
            let increase = if is_reset { after } else { after - before };
            Some(PointValue::Float(if is_counter { increase / seconds } else { increase }))
        }
        (Value::Histogram(before), Value::Histogram(after)) => {
            let is_gauge = |histogram: &Histogram| histogram.reset_hint == ResetHint::Gauge;
            if is_counter && (is_gauge(after) || is_gauge(before)) {
                context.note(Notice::NotCounter { metric }, 0);
            }
            let are_gauges = is_gauge(after) && is_gauge(before);
            if !is_counter && !are_gauges {
                context.note(Notice::NotGauge { metric }, 0);
            }
            let mut increase = after.clone();
            if !is_counter || !(started_anew || after.detect_reset(before)) {
                subtract_noting(&mut increase, before, window, context)?;
            }
            increase.reset_hint = ResetHint::Gauge;
            increase.compact(0);
            if is_counter {
                increase.divide(seconds);
            }
            Some(PointValue::Histogram(Arc::new(increase)))
        }
        _ => {
            context.note(Notice::MixedFloatsHistograms { metric }, 0);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, floats, floats_started, histogram, mixed};
    use super::*;

    #[test]
    fn the_last_two_count() {
        let points = floats(&[500.0, 10.0, 30.0]);
        assert_eq!(call(irate, &points, &[]).0, Some(PointValue::Float(2.0)));
        assert_eq!(call(idelta, &points, &[]).0, Some(PointValue::Float(20.0)));
        assert_eq!(call(irate, &floats(&[1.0]), &[]).0, None);
    }

    #[test]
    fn resets() {
        let points = floats(&[50.0, 20.0]);
        assert_eq!(call(irate, &points, &[]).0, Some(PointValue::Float(2.0)));
        assert_eq!(call(idelta, &points, &[]).0, Some(PointValue::Float(-30.0)));
        let started = floats_started(&[10.0, 20.0], &[0, 15_000]);
        assert_eq!(call(irate, &started, &[]).0, Some(PointValue::Float(2.0)));
    }

    #[test]
    fn histograms_and_floats() {
        let points = mixed(&[], &[histogram(1.0), histogram(21.0)]);
        let Some(PointValue::Histogram(result)) = call(irate, &points, &[]).0 else { panic!("no histogram") };
        assert_eq!(result.count, 2.0);
        assert_eq!(call(irate, &mixed(&[1.0], &[histogram(1.0)]), &[]).1.len(), 1);
        let (value, notes) = call(irate, &mixed(&[1.0], &[histogram(1.0), histogram(2.0)]), &[]);
        assert!(value.is_some() && notes.is_empty(), "the float is older");
    }
}
