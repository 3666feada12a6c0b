//! Arithmetic of native histograms, with what has to be said about it.

use std::sync::Arc;

use model::Histogram;
use model::histogram::{HistogramError, HistogramMean, HistogramSum, Reconciled};

use model::sample::ResetHint;

use super::{CallContext, Window, over_time};
use crate::engine::annotations::{HistogramOperation, Notice};
use crate::storage::PointValue;

/// Adds a histogram to another; `None`, and a warning, if their buckets do not fit together.
pub(super) fn add_noting(
    base: &mut Histogram,
    other: &Histogram,
    window: &Window<'_>,
    context: &mut CallContext<'_>,
) -> Option<()> {
    let done = base.add(other);
    noted(&done, HistogramOperation::Addition, window, context)
}

/// Subtracts a histogram from another; `None`, and a warning, if their buckets do not fit together.
pub(super) fn subtract_noting(
    base: &mut Histogram,
    other: &Histogram,
    window: &Window<'_>,
    context: &mut CallContext<'_>,
) -> Option<()> {
    let done = base.sub(other);
    noted(&done, HistogramOperation::Subtraction, window, context)
}

/// Collisions of counter resets are not said: what calls this looks for resets itself.
fn noted(
    done: &Result<Reconciled, HistogramError>,
    operation: HistogramOperation,
    window: &Window<'_>,
    context: &mut CallContext<'_>,
) -> Option<()> {
    let Ok(reconciled) = done else {
        context.note(Notice::MixedExponentialCustom { metric: window.metric() }, 0);
        return None;
    };
    if reconciled.bounds {
        context.note(Notice::MismatchedCustomBuckets(operation), 0);
    }
    Some(())
}

pub(super) fn sum_over_time(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    over_time_of(window, context, over_time::sum_of_floats, |window, context| {
        let (first, others) = window.histograms.split_first()?;
        let mut sum = HistogramSum::new(Histogram::clone(&first.histogram));
        let others = others.iter().map(|point| sum.add(&point.histogram));
        noted_all(others, window, context)?;
        Some(sum.finish())
    })
}

pub(super) fn avg_over_time(window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    over_time_of(window, context, over_time::mean_of_floats, |window, context| {
        let (first, others) = window.histograms.split_first()?;
        let mut mean = HistogramMean::new(Histogram::clone(&first.histogram));
        let others = others.iter().map(|point| mean.add(&point.histogram));
        noted_all(others, window, context)?;
        Some(mean.finish())
    })
}

fn over_time_of(
    window: &Window<'_>,
    context: &mut CallContext<'_>,
    of_floats: fn(&[crate::storage::FloatPoint]) -> f64,
    of_histograms: fn(&Window<'_>, &mut CallContext<'_>) -> Option<Histogram>,
) -> Option<PointValue> {
    if window.histograms.is_empty() {
        return (!window.floats.is_empty()).then(|| PointValue::Float(of_floats(window.floats)));
    }
    if !window.floats.is_empty() {
        context.note(Notice::MixedFloatsHistograms { metric: window.metric() }, 0);
        return None;
    }
    Some(PointValue::Histogram(Arc::new(of_histograms(window, context)?)))
}

/// Says what was noticed while all histograms of a window were put together; `None` if they do not fit.
fn noted_all(
    all: impl Iterator<Item = Result<Reconciled, HistogramError>>,
    window: &Window<'_>,
    context: &mut CallContext<'_>,
) -> Option<()> {
    let mut bounds = false;
    for done in all {
        let Ok(reconciled) = done else {
            context.note(Notice::MixedExponentialCustom { metric: window.metric() }, 0);
            return None;
        };
        bounds |= reconciled.bounds;
    }
    let has = |hint| window.histograms.iter().any(|point| point.histogram.reset_hint == hint);
    if has(ResetHint::Reset) && has(ResetHint::NotReset) {
        context.note(Notice::CounterResetCollision(HistogramOperation::Aggregation), 0);
    }
    if bounds {
        context.note(Notice::MismatchedCustomBuckets(HistogramOperation::Aggregation), 0);
    }
    Some(())
}
