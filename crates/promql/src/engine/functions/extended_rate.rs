//! `rate`, `increase` and `delta` of ranges that are `anchored` or `smoothed`: from the value at one end of the range to
//! that at the other, without guesses about what lies beyond.
//!
//! The window reaches beyond the range. Anchored, the value at the older end is that of the last sample until then; at
//! the newer end it is that of the last sample in the range. Smoothed, values at both ends are interpolated.

mod float;
mod histogram;

use std::sync::Arc;

use super::rate::RateKind;
use super::{CallContext, Window};
use crate::ast::Extension;
use crate::storage::PointValue;

#[allow(unused_imports, reason = "selectors with `smoothed` come next")]
pub(in crate::engine) use self::{float::interpolate, histogram::interpolate_histograms};

/// The window holds floats or histograms, not both.
pub(super) fn of(kind: RateKind, window: &Window<'_>, context: &mut CallContext<'_>) -> Option<PointValue> {
    let seconds = window.range_seconds();
    if window.floats.is_empty() {
        let mut increase = histogram::increase(kind, window, context)?;
        if kind.is_per_second {
            increase.divide(seconds);
        }
        increase.reset_hint = model::sample::ResetHint::Gauge;
        increase.compact(0);
        return Some(PointValue::Histogram(Arc::new(increase)));
    }
    let increase = float::increase(kind, window)?;
    Some(PointValue::Float(if kind.is_per_second { increase / seconds } else { increase }))
}

/// First and last sample that matter to a range: those at its ends, or the nearest beyond them. `None` if the range has
/// no value.
struct Ends {
    first: usize,
    last: usize,
    is_smoothed: bool,
}

impl Ends {
    fn of<T>(points: &[T], time_ms: impl Fn(&T) -> i64, window: &Window<'_>) -> Option<Self> {
        let is_smoothed = window.extension == Some(Extension::Smoothed);
        let newest = points.len().checked_sub(1)?;
        let behind_start = points[..newest].partition_point(|point| time_ms(point) <= window.start_ms);
        let first = behind_start.saturating_sub(1);
        let last = if is_smoothed {
            points[..newest].partition_point(|point| time_ms(point) < window.end_ms)
        } else {
            newest
        };
        if time_ms(&points[last]) <= window.start_ms
            || (is_smoothed && time_ms(&points[first]) > window.end_ms)
        {
            return None;
        }
        Some(Self { first, last, is_smoothed })
    }
}
