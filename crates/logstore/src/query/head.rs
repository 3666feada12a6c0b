//! Asking the head.

use std::sync::Arc;

use logql::{Fields, Verdict};
use model::{Labels, Matcher};

use super::collector::{Collector, Key};
use super::{Direction, FoundEntry, Select, Span};
use crate::Result;
use crate::head::segment::{RowId, Segment};
use crate::head::{Generation, View};
use crate::index::StreamId;

/// A generation with the streams that are asked.
pub(super) struct Selected {
    view: View,
    streams: Vec<(StreamId, Arc<Labels>)>,
}

/// A segment with the streams that are asked.
pub(super) struct SegmentPiece<'a> {
    segment: &'a Segment,
    streams: &'a [(StreamId, Arc<Labels>)],
}

impl Selected {
    pub(super) fn new(generation: &Generation, select: &Select<'_>) -> Self {
        // The view comes first: then every stream of it is in the index.
        let view = generation.view();
        let streams = selected(generation, select.matchers);
        Self { view, streams }
    }

    pub(super) fn pieces<'a>(&'a self, add: &mut impl FnMut((i64, i64), SegmentPiece<'a>)) {
        if self.streams.is_empty() {
            return;
        }
        for segment in &self.view.segments {
            add(segment.time_span(), SegmentPiece { segment, streams: &self.streams });
        }
    }
}

fn selected(generation: &Generation, matchers: &[Matcher]) -> Vec<(StreamId, Arc<Labels>)> {
    generation.with_index(|index| {
        index.select(matchers).into_iter().map(|id| (id, Arc::clone(index.labels(id)))).collect()
    })
}

impl SegmentPiece<'_> {
    /// Whether an entry may have every value that the query wants of structured metadata: a trace's identifier is in few
    /// segments.
    fn may_satisfy(&self, select: &Select<'_>) -> bool {
        select.pipeline.required_values().all(|(name, value)| {
            let of_streams = self.streams.iter().any(|(_, labels)| !labels.get(name).is_empty());
            of_streams || self.segment.has_text(value)
        })
    }

    pub(super) fn scan(
        &self,
        source: u32,
        span: Span,
        select: &Select<'_>,
        collector: &mut Collector,
    ) -> Result<()> {
        let segment = self.segment;
        if !self.may_satisfy(select) {
            return Ok(());
        }
        collector.stats.head_segments += 1;
        let mut candidates: Vec<(i64, RowId, usize)> = Vec::new();
        for (stream, (id, _)) in self.streams.iter().enumerate() {
            let rows = segment.rows_of(*id).iter().map(|&row| (segment.time_ns(row), row, stream));
            candidates.extend(rows.filter(|(time_ns, _, _)| span.contains(*time_ns)));
        }
        candidates.sort_unstable();
        if select.direction == Direction::Backward {
            candidates.reverse();
        }
        for (time_ns, row, stream) in candidates {
            if !collector.wants_time(time_ns) {
                break;
            }
            let line = segment.line(row);
            collector.stats.head_lines += 1;
            collector.stats.head_bytes += line.len() as u64;
            if !select.pipeline.keeps_line(line) {
                continue;
            }
            let labels = &self.streams[stream].1;
            let Verdict::Keep(error) = select.pipeline.judge_fields(&RowFields { segment, row, labels })
            else {
                continue;
            };
            let metadata =
                segment.metadata(row).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let labels = Arc::clone(labels);
            let entry = FoundEntry { labels, time_ns, line: line.to_owned(), metadata, error };
            collector.offer(Key { time_ns, source, row }, entry)?;
        }
        Ok(())
    }
}

struct RowFields<'a> {
    segment: &'a Segment,
    row: RowId,
    labels: &'a Labels,
}

impl Fields for RowFields<'_> {
    fn label(&self, name: &str) -> Option<&str> {
        Some(self.labels.get(name))
    }

    fn metadata(&self, name: &str) -> Option<&str> {
        self.segment.metadata(self.row).find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// Gives what the head keeps of each stream in a stretch of time.
pub(super) fn volumes(
    generation: &Generation,
    span: Span,
    matchers: &[Matcher],
    add: &mut impl FnMut(&Arc<Labels>, u64, u64),
) {
    let view = generation.view();
    let streams = selected(generation, matchers);
    for segment in view.segments.iter().filter(|segment| span.overlaps(segment.time_span())) {
        for (id, labels) in &streams {
            let (mut entries, mut bytes) = (0, 0);
            for &row in segment.rows_of(*id).iter().filter(|&&row| span.contains(segment.time_ns(row))) {
                entries += 1;
                let metadata: usize =
                    segment.metadata(row).map(|(name, value)| name.len() + value.len()).sum();
                bytes += (segment.line(row).len() + metadata) as u64;
            }
            if entries > 0 {
                add(labels, entries, bytes);
            }
        }
    }
}
