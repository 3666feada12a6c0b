//! Who calls whom.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use model::{SpanId, TimeRange, TraceId};

use crate::Result;
use crate::head::Snapshot;
use crate::segment::Bounds;

/// What the graph needs of a span.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) span_id: SpanId,
    pub(crate) parent_span_id: SpanId,
    pub(crate) kind: u8,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    /// Number of the service in [`Services`].
    pub(crate) service: u32,
}

/// Numbers for names of services.
#[derive(Debug, Default)]
pub(crate) struct Services {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Services {
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    fn name(&self, number: u32) -> &str {
        &self.names[number as usize]
    }
}

/// How far apart in time two parts of the store may be for a trace to be looked for in both. A trace that lasts longer, and
/// lies in several blocks, may be taken for several traces.
const LONGEST_TRACE_NS: u64 = 3_600_000_000_000;

/// Calls between services with their counts, sorted, of the traces that lie within a range as a whole.
///
/// The traces of a block are summed up while it is read. Only those that may go on elsewhere, by the bloom filters of the
/// blocks around, are put together first; so what is held at once is the head and the traces that were cut.
pub(crate) fn dependencies(snapshot: &Snapshot, range: TimeRange) -> Result<Vec<(String, String, u64)>> {
    let mut graph = Graph { range, services: Services::default(), counts: BTreeMap::new() };
    let mut cut: HashMap<TraceId, Vec<Call>> = HashMap::new();
    let is_within = |bounds: &Bounds| range.overlaps(bounds.min_start_ns, bounds.max_end_ns);
    // Locked for a moment at a time: the newest segment is also where requests go.
    let mut segments_outside = Vec::new();
    for shared in &snapshot.segments {
        let segment = shared.read();
        if segment.bounds().is_some_and(|bounds| is_within(&bounds)) {
            for (trace_id, call) in segment.calls(&mut graph.services) {
                cut.entry(trace_id).or_default().push(call);
            }
        } else {
            segments_outside.push(shared);
        }
    }
    let in_head = |cut: &HashMap<TraceId, Vec<Call>>, trace_id: TraceId| {
        cut.contains_key(&trace_id)
            || segments_outside.iter().any(|segment| segment.read().rows_of(trace_id).next().is_some())
    };
    let (within, outside): (Vec<_>, Vec<_>) =
        snapshot.blocks.iter().partition(|block| is_within(&block.bounds()));
    for block in &within {
        let neighbours = snapshot
            .blocks
            .iter()
            .filter(|other| !Arc::ptr_eq(other, block) && are_near(&other.bounds(), &block.bounds()))
            .map(|other| other.trace_filter())
            .collect::<Result<Vec<_>>>()?;
        for row_group in 0..block.row_groups().len() {
            let calls = block.calls(row_group, &mut graph.services)?;
            for calls in calls.chunk_by(|a, b| a.0 == b.0) {
                let trace_id = calls[0].0;
                let calls = calls.iter().map(|(_, call)| *call);
                if in_head(&cut, trace_id) || neighbours.iter().any(|filter| filter.may_have(trace_id)) {
                    cut.entry(trace_id).or_default().extend(calls);
                } else {
                    graph.add(&calls.collect::<Vec<_>>());
                }
            }
        }
    }
    for (trace_id, calls) in &cut {
        // A trace with a part outside the range does not lie within it.
        let mut goes_on =
            segments_outside.iter().any(|segment| segment.read().rows_of(*trace_id).next().is_some());
        for block in &outside {
            goes_on = goes_on
                || (calls
                    .iter()
                    .any(|call| are_near(&block.bounds(), &Bounds::of(call.start_ns, call.end_ns)))
                    && block.has(*trace_id)?);
        }
        if !goes_on {
            graph.add(calls);
        }
    }
    let Graph { services: Services { names, .. }, counts, .. } = graph;
    let mut found: Vec<(String, String, u64)> = counts
        .into_iter()
        .map(|((parent, child), count)| {
            (names[parent as usize].clone(), names[child as usize].clone(), count)
        })
        .collect();
    found.sort();
    Ok(found)
}

fn are_near(one: &Bounds, other: &Bounds) -> bool {
    one.min_start_ns.saturating_sub(LONGEST_TRACE_NS) <= other.max_end_ns
        && other.min_start_ns.saturating_sub(LONGEST_TRACE_NS) <= one.max_end_ns
}

struct Graph {
    range: TimeRange,
    services: Services,
    counts: BTreeMap<(u32, u32), u64>,
}

impl Graph {
    /// Counts the calls of a whole trace.
    fn add(&mut self, calls: &[Call]) {
        let within = calls.iter().all(|call| {
            self.range.contains(call.start_ns) && self.range.contains(call.end_ns.max(call.start_ns))
        });
        if !within {
            return;
        }
        // Of spans that share an identifier the first counts, whatever the order in which they were read.
        let mut calls: Vec<&Call> = calls.iter().collect();
        calls.sort_by_key(|call| {
            (
                call.start_ns,
                call.span_id,
                call.kind,
                call.end_ns,
                self.services.name(call.service),
                call.parent_span_id,
            )
        });
        let mut seen = HashSet::with_capacity(calls.len());
        calls.retain(|call| seen.insert((call.span_id, call.kind)));
        let mut by_id: HashMap<SpanId, u32> = HashMap::with_capacity(calls.len());
        for call in &calls {
            by_id.entry(call.span_id).or_insert(call.service);
        }
        for call in calls.iter().filter(|call| !call.parent_span_id.is_zero()) {
            if let Some(parent) = by_id.get(&call.parent_span_id) {
                *self.counts.entry((*parent, call.service)).or_default() += 1;
            }
        }
    }
}
