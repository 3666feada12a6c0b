//! The order of a block's rows.

use std::collections::HashMap;

use model::TraceId;

use crate::segment::{Bounds, Segment};

/// A row group is closed at the end of the trace that brings it past so many rows.
const ROW_GROUP_ROWS: usize = 32 << 10;

/// A row of a segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    /// Place of its trace among the block's traces.
    trace: u32,
    pub(super) segment: u32,
    pub(super) row: u32,
}

impl At {
    /// Its times.
    pub(super) fn bounds(self, segments: &[&Segment]) -> Bounds {
        let segment = segments[self.segment as usize];
        let start_ns = segment.start_ns(self.row);
        Bounds::of(start_ns, start_ns.wrapping_add(segment.raw_duration_ns(self.row)))
    }
}

/// The rows of a block: traces by their start, the spans of a trace by theirs.
pub(super) struct Order {
    pub(super) rows: Vec<At>,
    pub(super) row_groups: Vec<std::ops::Range<usize>>,
    pub(super) traces: u64,
    /// Most traces of a row group.
    pub(super) most_traces: u64,
}

impl Order {
    pub(super) fn of(segments: &[&Segment]) -> Self {
        let mut starts: HashMap<TraceId, u64> = HashMap::new();
        for segment in segments {
            for (row, trace_id) in segment.trace_ids().iter().enumerate() {
                let start_ns = segment.start_ns(row as u32);
                starts.entry(*trace_id).and_modify(|start| *start = start_ns.min(*start)).or_insert(start_ns);
            }
        }
        let mut traces: Vec<(u64, TraceId)> =
            starts.iter().map(|(trace_id, start)| (*start, *trace_id)).collect();
        traces.sort_unstable();
        // The same map now says the place.
        for (place, (_, trace_id)) in traces.iter().enumerate() {
            starts.insert(*trace_id, place as u64);
        }
        let trace_count = traces.len() as u64;
        drop(traces);
        let mut rows: Vec<At> = Vec::with_capacity(segments.iter().map(|segment| segment.rows()).sum());
        for (index, segment) in segments.iter().enumerate() {
            for (row, trace_id) in segment.trace_ids().iter().enumerate() {
                let trace = starts[trace_id] as u32;
                rows.push(At { trace, segment: index as u32, row: row as u32 });
            }
        }
        drop(starts);
        rows.sort_unstable_by_key(|at| {
            let segment = segments[at.segment as usize];
            (at.trace, segment.start_ns(at.row), segment.span_id(at.row), at.segment, at.row)
        });
        let mut row_groups = Vec::new();
        let mut most_traces = 0;
        let mut begin = 0;
        for end in 1..=rows.len() {
            let at_trace_end = rows.get(end).is_none_or(|next| next.trace != rows[end - 1].trace);
            if end == rows.len() || (end - begin >= ROW_GROUP_ROWS && at_trace_end) {
                most_traces = most_traces.max(u64::from(rows[end - 1].trace - rows[begin].trace) + 1);
                row_groups.push(begin..end);
                begin = end;
            }
        }
        Self { rows, row_groups, traces: trace_count, most_traces }
    }
}
