//! Selectors with `anchored` and `smoothed` on their own: values at the ends of a range, and between samples.

use std::sync::Arc;

use model::Labels;
use model::labels::METRIC_NAME;

use super::Error;
use super::annotations::Notice;
use super::evaluator::Evaluator;
use super::functions::extended_rate::{interpolate, interpolate_histograms};
use super::plan::Selector;
use super::select::Columns;
use super::value::Series;
use crate::ast::Extension;
use crate::error::Span;
use crate::storage::{FloatPoint, HistogramPoint, MsRange, Needed};
use model::sample::ResetHint;

impl Evaluator<'_> {
    /// Values of each series at every step, drawn between the samples around it, none of them farther away than the
    /// lookback.
    pub(super) fn smoothed_selector(
        &mut self,
        selector: &Selector,
        span: Span,
    ) -> Result<Vec<Series>, Error> {
        let (steps, lookback_ms) = (self.steps, self.options.lookback_ms);
        if steps.count() == 0 {
            return Ok(Vec::new());
        }
        let moved = selector.moved;
        let range = MsRange {
            start_ms: moved.time(steps.start_ms).saturating_sub(lookback_ms).saturating_add(1),
            end_ms: moved.time(steps.last_ms()).saturating_add(lookback_ms),
        };
        let mut out = Vec::new();
        let mut columns = Columns::default();
        let selection = self.select(&selector.matchers, range, Needed::All)?;
        for one in 0..selection.len() {
            self.check_stop()?;
            columns.fill(&*selection, one, selector);
            columns.drop_stale();
            let labels = selection.labels(one);
            let mut series = Series::new(labels.clone(), false);
            for time_ms in steps.times() {
                let at_ms = moved.time(time_ms);
                let reach = (at_ms.saturating_sub(lookback_ms), at_ms.saturating_add(lookback_ms));
                let floats = within(&columns.floats, |point| point.time_ms, reach);
                let histograms = within(&columns.histograms, |point| point.time_ms, reach);
                match (floats.is_empty(), histograms.is_empty()) {
                    (false, false) => {
                        let metric = labels.get(METRIC_NAME);
                        self.annotations.add(Notice::MixedFloatsHistograms { metric }, span);
                    }
                    (false, true) => {
                        series.floats.extend(float_at(floats, at_ms).map(|value| (time_ms, value)));
                    }
                    (true, _) => {
                        let value = self.histogram_at(histograms, at_ms, labels, span);
                        series.histograms.extend(value.map(|value| (time_ms, value)));
                    }
                }
            }
            if !series.is_empty() {
                self.hold(series.size())?;
                out.push(series);
            }
        }
        self.stats.peak(self.samples);
        Ok(out)
    }

    fn histogram_at(
        &mut self,
        histograms: &[HistogramPoint],
        at_ms: i64,
        labels: &Labels,
        span: Span,
    ) -> Option<Arc<model::Histogram>> {
        let next = histograms.partition_point(|point| point.time_ms < at_ms);
        if let Some(exact) = histograms.get(next).filter(|point| point.time_ms == at_ms) {
            return Some(Arc::clone(&exact.histogram));
        }
        let earlier = &histograms[next.checked_sub(1)?];
        let Some(later) = histograms.get(next) else {
            // What it knows of resets is about two samples that follow each other.
            let mut last = Arc::clone(&earlier.histogram);
            if last.reset_hint != ResetHint::Unknown {
                Arc::make_mut(&mut last).reset_hint = ResetHint::Unknown;
            }
            return Some(last);
        };
        let is_gauge = |point: &HistogramPoint| point.histogram.reset_hint == ResetHint::Gauge;
        let is_counter = !is_gauge(earlier) || !is_gauge(later);
        let fits = earlier.histogram.has_custom_bounds() == later.histogram.has_custom_bounds();
        let between = fits
            .then(|| interpolate_histograms(earlier, later, at_ms, is_counter, &mut self.annotations, span))
            .flatten();
        if between.is_none() {
            let metric = labels.get(METRIC_NAME);
            self.annotations.add(Notice::MixedExponentialCustom { metric }, span);
        }
        between.map(Arc::new)
    }
}

/// Points later than one time, up to another.
fn within<T>(points: &[T], time_ms: impl Fn(&T) -> i64, (after_ms, until_ms): (i64, i64)) -> &[T] {
    let start = points.partition_point(|point| time_ms(point) <= after_ms);
    let end = points.partition_point(|point| time_ms(point) <= until_ms);
    &points[start..end.max(start)]
}

/// The value at a time: between the samples around it, or the last one before it.
fn float_at(floats: &[FloatPoint], at_ms: i64) -> Option<f64> {
    let next = floats.partition_point(|point| point.time_ms < at_ms);
    match (next.checked_sub(1).map(|at| &floats[at]), floats.get(next)) {
        (_, Some(exact)) if exact.time_ms == at_ms => Some(exact.value),
        (Some(earlier), Some(later)) => Some(interpolate(earlier, later, at_ms, false)),
        (earlier, _) => earlier.map(|point| point.value),
    }
}

/// The samples within a range, and a value at each of its ends. The samples reach farther than the range.
pub(super) fn with_ends(
    floats: &[FloatPoint],
    (start_ms, end_ms): (i64, i64),
    extension: Extension,
) -> Vec<(i64, f64)> {
    let Some(mut last) = floats.len().checked_sub(1) else { return Vec::new() };
    let is_smoothed = extension == Extension::Smoothed;
    let mut first = floats[..last].partition_point(|point| point.time_ms <= start_ms).saturating_sub(1);
    if is_smoothed {
        last = floats[..last].partition_point(|point| point.time_ms < end_ms);
    }
    if floats[last].time_ms <= start_ms {
        return Vec::new();
    }
    let left = if is_smoothed && floats[first].time_ms < start_ms {
        interpolate(&floats[first], &floats[first + 1], start_ms, false)
    } else {
        floats[first].value
    };
    let right = if is_smoothed && last > 0 && floats[last].time_ms > end_ms {
        interpolate(&floats[last - 1], &floats[last], end_ms, false)
    } else {
        floats[last].value
    };
    if floats[first].time_ms <= start_ms {
        first += 1;
    }
    let end = if floats[last].time_ms >= end_ms { last } else { last + 1 };
    let mut out = vec![(start_ms, left)];
    out.extend(floats[first..end.max(first)].iter().map(|point| (point.time_ms, point.value)));
    out.push((end_ms, right));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(points: &[(i64, f64)]) -> Vec<FloatPoint> {
        points.iter().map(|&(time_ms, value)| FloatPoint { time_ms, start_ms: 0, value }).collect()
    }

    #[test]
    fn ends_of_ranges() {
        let floats = points(&[(0, 1.0), (10, 2.0), (20, 4.0), (30, 8.0)]);
        assert_eq!(
            with_ends(&floats[..3], (5, 25), Extension::Anchored),
            [(5, 1.0), (10, 2.0), (20, 4.0), (25, 4.0)]
        );
        assert_eq!(
            with_ends(&floats, (5, 25), Extension::Smoothed),
            [(5, 1.5), (10, 2.0), (20, 4.0), (25, 6.0)]
        );
        assert_eq!(with_ends(&floats[..1], (5, 25), Extension::Anchored), []);
        assert_eq!(with_ends(&[], (5, 25), Extension::Smoothed), []);
    }

    #[test]
    fn values_between_samples() {
        let floats = points(&[(10, 2.0), (20, 4.0)]);
        let found: Vec<_> = [5, 10, 15, 25].into_iter().map(|time_ms| float_at(&floats, time_ms)).collect();
        assert_eq!(found, [None, Some(2.0), Some(3.0), Some(4.0)]);
    }
}
