//! How much floats went up.

use super::super::start_times::Started;
use super::super::{CallContext, Window};
use super::RateKind;
use crate::engine::annotations::Notice;
use crate::storage::FloatPoint;

/// From the first to the last float, resets of a counter taken out.
pub(super) fn increase(kind: RateKind, window: &Window<'_>, context: &mut CallContext<'_>) -> f64 {
    let [first, .., last] = window.floats else { return 0.0 };
    let mut increase = last.value - first.value;
    if !kind.is_counter {
        return increase;
    }
    let mut overlap_is_known = false;
    for [previous, current] in window.floats.array_windows() {
        let (earlier, later) = (started(previous), started(current));
        if !overlap_is_known && later.overlaps(earlier) {
            overlap_is_known = true;
            context.note(Notice::StartTimeOverlap { metric: window.metric() }, 0);
        }
        if current.value < previous.value || later.is_reset_after(earlier) {
            increase += previous.value;
        }
    }
    increase
}

fn started(point: &FloatPoint) -> Started {
    Started { start_ms: point.start_ms, time_ms: point.time_ms }
}
