//! All spans of a trace.

use std::cmp::Ordering;

use model::{Span, TimeRange, TraceId};

use crate::Result;
use crate::head::Snapshot;

/// The spans of a trace from every segment and block that has spans starting or running within a range; each span once,
/// by start time.
pub(crate) fn trace(snapshot: &Snapshot, trace_id: TraceId, range: TimeRange) -> Result<Vec<Span>> {
    let mut spans = Vec::new();
    for segment in &snapshot.segments {
        let segment = segment.read();
        if segment.bounds().is_some_and(|bounds| range.overlaps(bounds.min_start_ns, bounds.max_end_ns)) {
            spans.extend(segment.rows_of(trace_id).map(|row| segment.span(row)));
        }
    }
    for block in snapshot.blocks.iter() {
        let bounds = block.bounds();
        if range.overlaps(bounds.min_start_ns, bounds.max_end_ns) {
            block.trace(trace_id, &mut spans)?;
        }
    }
    Ok(once_each(spans))
}

/// Sorts spans by start and drops those that came twice: a sender that got no answer sends again. As in Tempo, a span is
/// known by its identifier and its kind, because some clients share one identifier between both sides of a call.
fn once_each(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by(|a, b| {
        let key = |span: &Span| (span.start_ns, span.span_id, span.kind as u8, span.end_ns);
        // The same order whatever part of the store a span came from, down to spans that differ in little things.
        key(a)
            .cmp(&key(b))
            .then_with(|| a.name.cmp(&b.name))
            .then_with(|| a.resource.service_name().cmp(b.resource.service_name()))
            .then_with(|| if a == b { Ordering::Equal } else { format!("{a:?}").cmp(&format!("{b:?}")) })
    });
    let mut seen = std::collections::HashSet::with_capacity(spans.len());
    spans.retain(|span| seen.insert((span.span_id, span.kind)));
    spans
}
