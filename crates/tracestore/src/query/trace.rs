//! All spans of a trace.

use std::cmp::Ordering;
use std::collections::HashMap;

use model::{Span, TimeRange, TraceId};

use crate::Result;
use crate::head::Snapshot;

/// The spans of a trace from every segment and block that has spans starting or running within a range; each span once,
/// by start time.
pub(crate) fn trace(snapshot: &Snapshot, trace_id: TraceId, range: TimeRange) -> Result<Vec<Span>> {
    Ok(traces(snapshot, &[trace_id], range)?.remove(&trace_id).unwrap_or_default())
}

/// The spans of several traces: what they share of the work is done once.
pub(crate) fn traces(
    snapshot: &Snapshot,
    trace_ids: &[TraceId],
    range: TimeRange,
) -> Result<HashMap<TraceId, Vec<Span>>> {
    let mut found: HashMap<TraceId, Vec<Span>> = trace_ids.iter().map(|id| (*id, Vec::new())).collect();
    for segment in &snapshot.segments {
        let segment = segment.read();
        if segment.bounds().is_some_and(|bounds| range.overlaps(bounds.min_start_ns, bounds.max_end_ns)) {
            for (trace_id, spans) in &mut found {
                spans.extend(segment.rows_of(*trace_id).map(|row| segment.span(row)));
            }
        }
    }
    for block in snapshot.blocks.iter() {
        let bounds = block.bounds();
        if range.overlaps(bounds.min_start_ns, bounds.max_end_ns) {
            block.traces(&mut found)?;
        }
    }
    for spans in found.values_mut() {
        *spans = once_each(std::mem::take(spans));
    }
    Ok(found)
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
