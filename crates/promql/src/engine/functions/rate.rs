//! `rate`, `increase` and `delta`: how much a window went up, extended to the whole range where its samples nearly cover
//! it.

mod float;
mod histogram;

use std::sync::Arc;

use model::Histogram;

use super::histograms::add_noting;
use super::start_times::Started;
use super::{CallContext, Window, extended_rate};
use crate::engine::annotations::Notice;
use crate::storage::PointValue;

/// What is asked of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateKind {
    /// Whether values only go up but for resets.
    pub(super) is_counter: bool,
    /// Whether the result is per second.
    pub(super) is_per_second: bool,
}

pub(super) const RATE: RateKind = RateKind { is_counter: true, is_per_second: true };
pub(super) const INCREASE: RateKind = RateKind { is_counter: true, is_per_second: false };
pub(super) const DELTA: RateKind = RateKind { is_counter: false, is_per_second: false };

pub(super) fn rate(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    of(RATE, window, context)
}

pub(super) fn increase(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    of(INCREASE, window, context)
}

pub(super) fn delta(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    of(DELTA, window, context)
}

fn of(kind: RateKind, window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    if !window.histograms.is_empty() && !window.floats.is_empty() {
        context.note(Notice::MixedFloatsHistograms { metric: window.metric() }, 0);
        return None;
    }
    if window.extension.is_some() {
        return extended_rate::of(kind, window, context);
    }
    if window.floats.is_empty() {
        of_histograms(kind, window, context)
    } else {
        of_floats(kind, window, context)
    }
}

fn of_floats(kind: RateKind, window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    let (first, last) = (window.floats.first()?, window.floats.last()?);
    let mut increase = float::increase(kind, window, context);
    let covered = Covered {
        first: Started { start_ms: first.start_ms, time_ms: first.time_ms },
        last_ms: last.time_ms,
        count: window.floats.len(),
    };
    let starts_within = kind.is_counter && covered.starts_within(window);
    if starts_within {
        increase += first.value;
    }
    // Below a counter's first value there is no room for more than that value.
    let room = (kind.is_counter && increase > 0.0 && first.value >= 0.0).then(|| first.value / increase);
    Some(PointValue::Float(increase * covered.factor(kind, window, starts_within, room)?))
}

fn of_histograms(kind: RateKind, window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    let (first, last) = (window.histograms.first()?, window.histograms.last()?);
    let mut increase = match window.histograms.len() {
        1 => None,
        _ => Some(histogram::increase(kind, window, context)?),
    };
    let covered = Covered {
        first: Started { start_ms: first.start_ms, time_ms: first.time_ms },
        last_ms: last.time_ms,
        count: window.histograms.len(),
    };
    let starts_within = kind.is_counter && covered.starts_within(window);
    if starts_within {
        match &mut increase {
            Some(increase) => add_noting(increase, &first.histogram, window, context)?,
            None => increase = Some(Histogram::clone(&first.histogram)),
        }
    }
    let mut increase = increase?;
    let has_room = kind.is_counter && increase.count > 0.0 && first.histogram.count >= 0.0;
    let room = has_room.then(|| first.histogram.count / increase.count);
    increase.scale(covered.factor(kind, window, starts_within, room)?);
    Some(PointValue::Histogram(Arc::new(increase)))
}

/// What part of a range its samples cover.
struct Covered {
    first: Started,
    last_ms: i64,
    count: usize,
}

impl Covered {
    /// Whether the counter started within the range, at zero: then nothing has to be guessed before the first sample.
    fn starts_within(&self, window: &Window<'_>) -> bool {
        let start_ms = self.first.start_ms;
        start_ms != 0 && start_ms > window.start_ms && start_ms < self.first.time_ms
    }

    /// What an increase between the samples is multiplied with for that of the range, or for that of a second.
    ///
    /// Where a range's end is so near that one would not expect another sample before it, the increase is taken to go on
    /// until there; else it is taken to go on for half the usual distance. A counter does not go on below zero: `room` is
    /// the part of the increase that lies between zero and the first value. `None` for a single sample of a counter
    /// whose start is not known.
    fn factor(
        &self,
        kind: RateKind,
        window: &Window<'_>,
        starts_within: bool,
        room: Option<f64>,
    ) -> Option<f64> {
        let seconds = |from_ms: i64, to_ms: i64| (to_ms - from_ms) as f64 / 1000.0;
        let between_all = seconds(self.first.time_ms, self.last_ms);
        let between_two = match self.count {
            1 => 0.0,
            count => between_all / (count - 1) as f64,
        };
        let near = between_two * 1.1;
        let (covered, before) = if starts_within {
            (seconds(self.first.start_ms, self.last_ms), 0.0)
        } else if self.count == 1 {
            return None;
        } else {
            let distance = seconds(window.start_ms, self.first.time_ms);
            let guessed = if distance >= near { between_two / 2.0 } else { distance };
            let to_zero = room.map_or(guessed, |part| between_all * part);
            (between_all, if to_zero < guessed { to_zero } else { guessed })
        };
        let distance = seconds(self.last_ms, window.end_ms);
        let after = if distance >= near { between_two / 2.0 } else { distance };
        let factor = if covered == 0.0 { 1.0 } else { (covered + before + after) / covered };
        Some(if kind.is_per_second { factor / window.range_seconds() } else { factor })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, floats, floats_started, histogram, mixed};
    use super::*;

    fn value_of(value: Option<PointValue>) -> f64 {
        match value {
            Some(PointValue::Float(value)) => value,
            other => panic!("no float: {other:?}"),
        }
    }

    #[test]
    fn a_range_that_its_samples_nearly_cover() {
        // At 10 s, 20 s, ... 50 s; the range is (0 s, 50 s].
        let points = floats(&[10.0, 20.0, 30.0, 40.0, 50.0]);
        assert_eq!(value_of(call(increase, &points, &[]).0), 50.0);
        assert_eq!(value_of(call(rate, &points, &[]).0), 1.0);
        assert_eq!(value_of(call(delta, &points, &[]).0), 50.0);
    }

    #[test]
    fn a_counter_does_not_begin_below_zero() {
        // It was zero 5 s before the first sample.
        let points = floats(&[5.0, 15.0, 25.0, 35.0, 45.0]);
        assert_eq!(value_of(call(increase, &points, &[]).0), 45.0);
        assert_eq!(value_of(call(delta, &points, &[]).0), 50.0);
    }

    #[test]
    fn resets_are_added() {
        let points = floats(&[10.0, 20.0, 5.0, 15.0, 25.0]);
        // 15 and the 20 before the reset, over 40 s of 50 s.
        assert_eq!(value_of(call(increase, &points, &[]).0), 43.75);
        assert_eq!(value_of(call(delta, &points, &[]).0), 18.75);
    }

    #[test]
    fn one_sample_says_nothing_but_with_its_start() {
        assert_eq!(call(rate, &floats(&[7.0]), &[]).0, None);
        assert_eq!(value_of(call(increase, &floats_started(&[7.0], &[4]), &[]).0), 7.0);
        assert_eq!(call(delta, &floats_started(&[7.0], &[4]), &[]).0, None, "a gauge has no start");
    }

    #[test]
    fn starts_tell_of_resets() {
        // The second began anew between both.
        let points = floats_started(&[10.0, 12.0], &[1, 15_000]);
        let (value, notes) = call(increase, &points, &[]);
        assert!(value_of(value) > 20.0);
        assert!(notes.is_empty());
        let (_, notes) = call(increase, &floats_started(&[10.0, 12.0], &[1, 2]), &[]);
        let text = "PromQL warning: sample has start time that overlaps with previous sample timestamp for metric \"m\"";
        assert_eq!(notes, [text]);
    }

    #[test]
    fn floats_and_histograms_together_are_refused() {
        let (value, notes) = call(rate, &mixed(&[1.0], &[histogram(1.0)]), &[]);
        assert_eq!(value, None);
        let text = "PromQL warning: encountered a mix of histograms and floats for metric name \"m\"";
        assert_eq!(notes, [text]);
    }

    #[test]
    fn histograms_count_as_floats_do() {
        let histograms: Vec<_> = [10.0, 20.0, 30.0, 40.0, 50.0].map(histogram).to_vec();
        let Some(PointValue::Histogram(result)) = call(increase, &mixed(&[], &histograms), &[]).0 else {
            panic!("no histogram")
        };
        assert_eq!(result.count, 50.0);
        assert_eq!(result.reset_hint, model::sample::ResetHint::Gauge);
        let (_, notes) = call(delta, &mixed(&[], &histograms), &[]);
        assert_eq!(notes, ["PromQL warning: this native histogram metric is not a gauge: \"m\""]);
    }
}
