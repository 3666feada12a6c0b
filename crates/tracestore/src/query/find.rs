//! The search: first the traces that have a span which satisfies a filter, newest first, from columns alone; then the
//! whole of each such trace, to check what is asked of it and to sum it up.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use model::{Span, StatusCode, TimeRange, TraceId};

use crate::Result;
use crate::block::Block;
use crate::filter::Region;
use crate::head::{Shared, Snapshot};
use crate::search::{Search, SearchResult, ServiceStats, SpanFilter, TraceSummary};

use super::trace::traces;

/// How far outside the window of [`Search::overlaps`] a span that satisfies the filter may lie, when other spans of its
/// trace are what reaches into the window.
const BEYOND_WINDOW_NS: u64 = 3_600_000_000_000;
/// So many traces are read at once.
const AT_ONCE: usize = 32;
/// Longest list of candidates. A search whose filter many traces satisfy, while nearly none of them pass what is asked of
/// the trace as a whole, ends here.
const MAX_CANDIDATES: usize = 100_000;

/// Runs a search.
pub(crate) fn search(snapshot: &Snapshot, search: &Search) -> Result<SearchResult> {
    let mut run = Run { snapshot, search, seen: HashSet::new(), result: SearchResult::default() };
    if search.limit == 0 {
        return Ok(run.result);
    }
    // Every filter has to be met by some span of the range, so the one that leaves the fewest traces leads.
    let lead = search.also.iter().fold(&search.filter, |lead, other| {
        if other.specificity() > lead.specificity() { other } else { lead }
    });
    match search.overlaps {
        None => run.newest(lead, Region::starting_in(search.range))?,
        Some(window) => {
            run.newest(lead, Region { starts: search.range, overlaps: window })?;
            let after = TimeRange {
                start_ns: window.end_ns.max(search.range.start_ns),
                end_ns: window.end_ns.saturating_add(BEYOND_WINDOW_NS).min(search.range.end_ns),
            };
            let before = TimeRange {
                start_ns: window.start_ns.saturating_sub(BEYOND_WINDOW_NS).max(search.range.start_ns),
                end_ns: window.start_ns.min(search.range.end_ns),
            };
            for edge in [after, before] {
                if edge.start_ns < edge.end_ns {
                    run.edge(lead, Region::starting_in(edge))?;
                }
            }
        }
    }
    let mut result = run.result;
    result.traces.sort_by(|a, b| b.start_ns.cmp(&a.start_ns).then(a.trace_id.cmp(&b.trace_id)));
    result.traces.truncate(search.limit);
    Ok(result)
}

struct Run<'a> {
    snapshot: &'a Snapshot,
    search: &'a Search,
    /// Traces that were looked at as a whole.
    seen: HashSet<TraceId>,
    result: SearchResult,
}

impl Run<'_> {
    /// Adds the newest traces of a region, as many as are asked for.
    fn newest(&mut self, lead: &SpanFilter, region: Region) -> Result<()> {
        let wanted = self.search.limit;
        let mut ask = wanted;
        loop {
            let candidates = self.candidates(lead, region, ask)?;
            let all = candidates.len() < ask;
            for candidates in candidates.chunks(wanted.min(AT_ONCE)) {
                self.look_at(candidates)?;
                if self.result.traces.len() >= wanted {
                    self.result.traces.truncate(wanted);
                    return Ok(());
                }
            }
            if all || ask >= MAX_CANDIDATES {
                return Ok(());
            }
            ask = (ask * 4).min(MAX_CANDIDATES);
        }
    }

    /// Adds traces whose spans outside the window satisfy the filter, while the trace reaches into the window.
    fn edge(&mut self, lead: &SpanFilter, region: Region) -> Result<()> {
        // Few traces cross an edge, and each candidate is read as a whole: the nearest ones suffice.
        let candidates = self.candidates(lead, region, self.search.limit.saturating_mul(4).min(1000))?;
        for candidates in candidates.chunks(AT_ONCE) {
            self.look_at(candidates)?;
        }
        Ok(())
    }

    /// Reads traces as a whole, and adds the summaries of those that satisfy everything, in the order given.
    fn look_at(&mut self, candidates: &[(TraceId, u64)]) -> Result<()> {
        let trace_ids: Vec<TraceId> =
            candidates.iter().map(|(trace_id, _)| *trace_id).filter(|id| self.seen.insert(*id)).collect();
        let traces = traces(self.snapshot, &trace_ids, TimeRange::ALL)?;
        for trace_id in trace_ids {
            let spans = traces.get(&trace_id).map_or(&[][..], Vec::as_slice);
            self.result.traces.extend(summary(trace_id, spans, self.search));
        }
        Ok(())
    }

    /// The traces with the newest spans that satisfy a filter, newest first, at most `limit`.
    fn candidates(
        &mut self,
        filter: &SpanFilter,
        region: Region,
        limit: usize,
    ) -> Result<Vec<(TraceId, u64)>> {
        let mut sources = Vec::new();
        for segment in &self.snapshot.segments {
            let bounds = segment.read().bounds();
            sources.extend(bounds.map(|bounds| (bounds, Source::Segment(segment))));
        }
        for block in self.snapshot.blocks.iter() {
            for (index, bounds) in block.row_groups().enumerate() {
                sources.push((bounds, Source::RowGroup(block, index)));
            }
        }
        sources.retain(|(bounds, _)| region.may_have(bounds));
        sources.sort_by_key(|(bounds, _)| std::cmp::Reverse(bounds.max_start_ns));
        let mut newest = Newest { limit, starts: HashMap::new(), least: 0 };
        for (bounds, source) in sources {
            if newest.starts.len() >= limit && bounds.max_start_ns < newest.least {
                break;
            }
            self.scan(&source, filter, region, &mut newest)?;
            newest.prune();
        }
        let mut found: Vec<(TraceId, u64)> = newest.starts.into_iter().collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
        Ok(found)
    }

    fn scan(
        &mut self,
        source: &Source<'_>,
        filter: &SpanFilter,
        region: Region,
        newest: &mut Newest,
    ) -> Result<()> {
        match source {
            Source::Segment(segment) => {
                let segment = segment.read();
                if let Some(scan) = segment.scan(filter, region) {
                    self.result.inspected_spans += segment.rows() as u64;
                    self.result.inspected_bytes += segment.bytes() as u64;
                    for row in scan.rows() {
                        newest.add(segment.trace_id(row), segment.start_ns(row));
                    }
                }
            }
            Source::RowGroup(block, index) => {
                let (spans, bytes) = block
                    .scan(*index, filter, region, &mut |trace_id, start_ns| newest.add(trace_id, start_ns))?;
                self.result.inspected_spans += spans;
                self.result.inspected_bytes += bytes;
            }
        }
        Ok(())
    }
}

enum Source<'a> {
    Segment(&'a Shared),
    RowGroup(&'a Arc<Block>, usize),
}

/// The traces with the newest matching spans.
struct Newest {
    limit: usize,
    /// The newest matching start of each trace.
    starts: HashMap<TraceId, u64>,
    /// No older span can still get its trace in.
    least: u64,
}

impl Newest {
    fn add(&mut self, trace_id: TraceId, start_ns: u64) {
        if start_ns < self.least {
            return;
        }
        let start = self.starts.entry(trace_id).or_default();
        *start = (*start).max(start_ns);
    }

    /// Drops what is beyond the limit.
    fn prune(&mut self) {
        if self.starts.len() <= self.limit {
            if self.starts.len() == self.limit {
                self.least = self.starts.values().copied().min().unwrap_or_default();
            }
            return;
        }
        let mut starts: Vec<(u64, std::cmp::Reverse<TraceId>)> =
            self.starts.iter().map(|(trace_id, start)| (*start, std::cmp::Reverse(*trace_id))).collect();
        let last = starts.len() - self.limit;
        let (_, least, _) = starts.select_nth_unstable(last);
        let least = *least;
        self.least = least.0;
        self.starts.retain(|trace_id, start| (*start, std::cmp::Reverse(*trace_id)) >= least);
    }
}

/// What a search gives back of a trace; `None` if the trace does not satisfy it.
fn summary(trace_id: TraceId, spans: &[Span], search: &Search) -> Option<TraceSummary> {
    let start_ns = spans.iter().map(|span| span.start_ns).min()?;
    let end_ns = spans.iter().map(|span| span.end_ns.max(span.start_ns)).max()?;
    let duration_ns = end_ns - start_ns;
    let satisfies = |filter: &SpanFilter| {
        filter.is_empty()
            || spans.iter().any(|span| search.range.contains(span.start_ns) && filter.matches(span))
    };
    if search.min_trace_duration_ns.is_some_and(|least| duration_ns < least)
        || search.max_trace_duration_ns.is_some_and(|most| duration_ns > most)
        || search.overlaps.is_some_and(|window| !window.overlaps(start_ns, end_ns))
        || !search.also.iter().all(satisfies)
    {
        return None;
    }
    let root = spans.iter().find(|span| span.parent_span_id.is_zero());
    let root_service = root.map_or("", |root| root.resource.service_name());
    let root_name = root.map_or("", |root| root.name.as_str());
    let has =
        |text: &str, part: &Option<String>| part.as_ref().is_none_or(|part| text.contains(part.as_str()));
    if !has(root_service, &search.root_service_contains) || !has(root_name, &search.root_name_contains) {
        return None;
    }
    let mut matched = 0;
    let mut first: Vec<Span> = Vec::new();
    for span in
        spans.iter().filter(|span| search.range.contains(span.start_ns) && search.filter.matches(span))
    {
        matched += 1;
        if first.len() < search.spans_per_trace {
            first.push(span.clone());
        }
    }
    if matched == 0 {
        return None;
    }
    let mut services: BTreeMap<&str, ServiceStats> = BTreeMap::new();
    for span in spans {
        let stats = services.entry(span.resource.service_name()).or_default();
        stats.spans += 1;
        stats.errors += u64::from(span.status_code == StatusCode::Error);
    }
    Some(TraceSummary {
        trace_id,
        root_service: root_service.to_owned(),
        root_name: root_name.to_owned(),
        start_ns,
        end_ns,
        spans: first,
        matched,
        services: services.into_iter().map(|(service, stats)| (service.to_owned(), stats)).collect(),
    })
}
