//! How much native histograms went up.

use std::borrow::Cow;

use model::Histogram;
use model::sample::ResetHint;

use super::super::histograms::{add_noting, subtract_noting};
use super::super::start_times::Started;
use super::super::{CallContext, Window};
use super::RateKind;
use crate::engine::annotations::{Annotations, Notice};
use crate::storage::HistogramPoint;

/// Why there is no increase: some buckets are exponential, some have custom bounds.
enum Mixed {
    /// Those of the ends. This is said besides what was noticed before.
    Ends,
    /// Others. This is said in place of what was noticed before.
    Others,
}

/// From the first to the last of two histograms or more, resets of a counter taken out. `None` if they do not fit
/// together.
pub(super) fn increase(
    kind: RateKind,
    window: &Window<'_>,
    context: &mut CallContext<'_>,
) -> Option<Histogram> {
    let before = std::mem::take(context.annotations);
    let increase = noting(kind, window, context);
    let mut noticed = std::mem::replace(context.annotations, before);
    if matches!(increase, Err(Mixed::Others)) {
        noticed = Annotations::default();
    }
    context.annotations.merge(noticed);
    increase.inspect_err(|_| context.note(Notice::MixedExponentialCustom { metric: window.metric() }, 0)).ok()
}

fn noting(kind: RateKind, window: &Window<'_>, context: &mut CallContext<'_>) -> Result<Histogram, Mixed> {
    let [first, between @ .., last] = window.histograms else { return Err(Mixed::Ends) };
    let metric = window.metric();
    let is_gauge = |point: &HistogramPoint| point.histogram.reset_hint == ResetHint::Gauge;
    if kind.is_counter && (is_gauge(first) || is_gauge(last)) {
        context.note(Notice::NotCounter { metric }, 0);
    }

    // Before a reset the first one does not matter, nor whether its buckets fit.
    let second = &window.histograms[1];
    let baseline = if kind.is_counter && is_reset(second, first, &first.histogram) {
        Cow::Owned(Histogram {
            schema: second.histogram.schema,
            custom_values: second.histogram.custom_values.clone(),
            ..Histogram::default()
        })
    } else {
        Cow::Borrowed(&*first.histogram)
    };
    let has_custom_bounds = baseline.has_custom_bounds();
    if last.histogram.has_custom_bounds() != has_custom_bounds {
        return Err(Mixed::Ends);
    }

    let mut schema = last.histogram.schema.min(baseline.schema);
    if kind.is_counter {
        for point in between {
            if is_gauge(point) {
                context.note(Notice::NotCounter { metric }, 0);
            }
            schema = schema.min(point.histogram.schema);
            if point.histogram.has_custom_bounds() != has_custom_bounds {
                return Err(Mixed::Others);
            }
        }
    }

    let mut increase = last.histogram.in_schema(schema);
    subtract_noting(&mut increase, &baseline, window, context).ok_or(Mixed::Others)?;
    if kind.is_counter {
        add_resets(&mut increase, &baseline, window, context).ok_or(Mixed::Others)?;
    } else if !is_gauge(first) || !is_gauge(last) {
        context.note(Notice::NotGauge { metric }, 0);
    }
    increase.reset_hint = ResetHint::Gauge;
    increase.compact(0);
    Ok(increase)
}

/// Adds what the counter had reached before each reset.
fn add_resets(
    increase: &mut Histogram,
    baseline: &Histogram,
    window: &Window<'_>,
    context: &mut CallContext<'_>,
) -> Option<()> {
    let mut overlap_is_known = false;
    let mut reached = baseline;
    for [previous, current] in window.histograms.array_windows() {
        if !overlap_is_known && started(current).overlaps(started(previous)) {
            overlap_is_known = true;
            context.note(Notice::StartTimeOverlap { metric: window.metric() }, 0);
        }
        if is_reset(current, previous, reached) {
            add_noting(increase, reached, window, context)?;
        }
        reached = &current.histogram;
    }
    Some(())
}

/// Whether the counter began anew between two points; `reached` is what stands for the value of the earlier one.
fn is_reset(current: &HistogramPoint, previous: &HistogramPoint, reached: &Histogram) -> bool {
    // Times are the cheaper ones to look at.
    started(current).is_reset_after(started(previous)) || current.histogram.detect_reset(reached)
}

pub(in super::super) fn started(point: &HistogramPoint) -> Started {
    Started { start_ms: point.start_ms, time_ms: point.time_ms }
}
