//! Native histograms from one end of a range to the other.

use std::borrow::Cow;

use model::Histogram;
use model::sample::ResetHint;

use super::super::histograms::{add_noting, subtract_noting};
use super::super::rate::RateKind;
use super::super::{CallContext, Window};
use super::Ends;
use crate::engine::annotations::{Annotations, HistogramOperation, Notice};
use crate::error::Span;
use crate::storage::HistogramPoint;

/// A histogram between two others; `None` if they do not fit together. A counter that was reset between them is taken to
/// have started from zero at the first.
pub(in crate::engine) fn interpolate_histograms(
    earlier: &HistogramPoint,
    later: &HistogramPoint,
    time_ms: i64,
    is_counter: bool,
    annotations: &mut Annotations,
    span: Span,
) -> Option<Histogram> {
    if time_ms == earlier.time_ms {
        return Some(Histogram::clone(&earlier.histogram));
    }
    let mut between = Histogram::clone(&later.histogram);
    if time_ms == later.time_ms {
        return Some(between);
    }
    let part = (time_ms - earlier.time_ms) as f64 / (later.time_ms - earlier.time_ms) as f64;
    if is_counter && later.histogram.detect_reset(&earlier.histogram) {
        between.scale(part);
        return Some(between);
    }
    let mut note = |operation| annotations.add(Notice::MismatchedCustomBuckets(operation), span);
    if between.sub(&earlier.histogram).ok()?.bounds {
        note(HistogramOperation::Subtraction);
    }
    between.scale(part);
    if between.add(&earlier.histogram).ok()?.bounds {
        note(HistogramOperation::Addition);
    }
    Some(between)
}

pub(super) fn increase(
    kind: RateKind,
    window: &Window<'_>,
    context: &mut CallContext<'_>,
) -> Option<Histogram> {
    let histograms = window.histograms;
    let ends = Ends::of(histograms, |point| point.time_ms, window)?;
    let relevant = &histograms[ends.first..=ends.last];
    if !fit(kind, relevant, window, context) {
        return None;
    }

    let left = match &histograms[ends.first..] {
        [earlier, later, ..] if ends.is_smoothed && earlier.time_ms < window.start_ms => {
            Cow::Owned(interpolated(kind, earlier, later, window.start_ms, window, context)?)
        }
        _ => Cow::Borrowed(&*histograms[ends.first].histogram),
    };
    let right = match &histograms[..=ends.last] {
        [.., earlier, later] if ends.is_smoothed && later.time_ms > window.end_ms => {
            Cow::Owned(interpolated(kind, earlier, later, window.end_ms, window, context)?)
        }
        _ => Cow::Borrowed(&*histograms[ends.last].histogram),
    };
    let is_gauge = |histogram: &Histogram| histogram.reset_hint == ResetHint::Gauge;
    let are_gauges = is_gauge(&left) && is_gauge(&right);
    if !kind.is_counter && !are_gauges {
        context.note(Notice::NotGauge { metric: window.metric() }, 0);
    }
    let mut increase = Histogram::clone(&right);
    subtract_noting(&mut increase, &left, window, context)?;
    if kind.is_counter {
        let mut correction = None;
        resets(&ends, [&left, &right], window, context, &mut correction)?;
        if let Some(correction) = correction {
            add_noting(&mut increase, &correction, window, context)?;
        }
    }
    Some(increase)
}

fn interpolated(
    kind: RateKind,
    earlier: &HistogramPoint,
    later: &HistogramPoint,
    time_ms: i64,
    window: &Window<'_>,
    context: &mut CallContext<'_>,
) -> Option<Histogram> {
    let span = context.span(0);
    let between = interpolate_histograms(earlier, later, time_ms, kind.is_counter, context.annotations, span);
    if between.is_none() {
        context.note(Notice::MixedExponentialCustom { metric: window.metric() }, 0);
    }
    between
}

/// Whether all have exponential buckets or all have custom ones. Says so if not, and which of a counter's are gauges.
fn fit(
    kind: RateKind,
    points: &[HistogramPoint],
    window: &Window<'_>,
    context: &mut CallContext<'_>,
) -> bool {
    let has_custom_bounds = points[0].histogram.has_custom_bounds();
    for point in points {
        if point.histogram.has_custom_bounds() != has_custom_bounds {
            context.note(Notice::MixedExponentialCustom { metric: window.metric() }, 0);
            return false;
        }
        if kind.is_counter && point.histogram.reset_hint == ResetHint::Gauge {
            context.note(Notice::NotCounter { metric: window.metric() }, 0);
        }
    }
    true
}

/// Adds up what a counter had reached before each reset between the ends, if there was one; `None` if that does not fit
/// together.
fn resets(
    ends: &Ends,
    [left, right]: [&Histogram; 2],
    window: &Window<'_>,
    context: &mut CallContext<'_>,
    correction: &mut Option<Histogram>,
) -> Option<()> {
    let histograms = window.histograms;
    // The left end stands for the first sample.
    let mut from = ends.first + 1;
    let mut reached = left;
    if let Some([earlier, later]) = histograms.get(ends.first..ends.first + 2)
        && ends.is_smoothed
        && earlier.time_ms < window.start_ms
        && later.histogram.detect_reset(&earlier.histogram)
    {
        // What was interpolated has this reset in it; the next one is found by comparing with the sample behind it.
        reached = &later.histogram;
        from += 1;
    }
    // The right end stands for the last sample. With nothing between them both ends may lie on one stretch.
    if from > ends.last {
        return Some(());
    }
    let between = histograms[from..ends.last].iter().map(|point| &*point.histogram);
    for current in between.chain([right]) {
        if current.detect_reset(reached) {
            match correction {
                Some(correction) => add_noting(correction, reached, window, context)?,
                None => *correction = Some(reached.clone()),
            }
        }
        reached = current;
    }
    Some(())
}
