//! How much floats went up.

use super::super::{CallContext, Window};
use super::RateKind;
use crate::engine::annotations::Notice;

/// From the first to the last float, resets of a counter taken out.
pub(super) fn increase(kind: RateKind, window: &Window<'_>, context: &mut CallContext<'_>) -> f64 {
    let [first, .., last] = window.floats else { return 0.0 };
    let mut increase = last.value - first.value;
    if !kind.is_counter {
        return increase;
    }
    let mut overlap_is_known = false;
    for found in window.breaks {
        if found.overlaps && !overlap_is_known {
            overlap_is_known = true;
            context.note(Notice::StartTimeOverlap { metric: window.metric() }, 0);
        }
        if found.is_reset {
            increase += window.floats[found.at - window.first_float - 1].value;
        }
    }
    increase
}
