//! Asking blocks, row group by row group, column by column: the times first, then what the query looks at, and the rest
//! only of what is left.

use std::sync::Arc;

use logql::{Fields, Verdict};
use model::Labels;
use parquet::data_type::ByteArray;

use super::collector::{Collector, Key};
use super::{Direction, FoundEntry, Select, Span};
use crate::Result;
use crate::block::{Block, MetadataColumn, text};
use crate::index::StreamId;

const TRACE_ID: &str = "trace_id";
/// Rows that are read at first, and at most, before looking whether the rest is still wanted.
const FIRST_BATCH: usize = 512;
const LARGEST_BATCH: usize = 16 << 10;

/// A block with the streams that are asked.
pub(super) struct Selected<'a> {
    block: &'a Block,
    streams: Vec<StreamId>,
}

/// A row group with the streams that are asked.
pub(super) struct GroupPiece<'a> {
    block: &'a Block,
    group: usize,
    streams: Vec<StreamInGroup>,
}

/// Rows of a stream within a row group.
struct StreamInGroup {
    id: StreamId,
    first: u32,
    end: u32,
}

/// A row that may be wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    time_ns: i64,
    row: u32,
    stream: StreamId,
}

impl<'a> Selected<'a> {
    pub(super) fn new(block: &'a Block, select: &Select<'_>, span: Span) -> Self {
        let overlaps = |id: &StreamId| {
            let stream = block.streams[*id as usize];
            span.overlaps((stream.first_ns, stream.last_ns))
        };
        let streams = if span.overlaps(block.meta.time_span()) {
            block.index.select(select.matchers).into_iter().filter(overlaps).collect()
        } else {
            Vec::new()
        };
        Self { block, streams }
    }

    pub(super) fn pieces(&self, add: &mut impl FnMut((i64, i64), GroupPiece<'a>)) {
        let block = self.block;
        let mut remaining = self.streams.as_slice();
        for (group, (start, meta)) in block.group_starts().zip(&block.meta.row_groups).enumerate() {
            let end = start + meta.rows;
            let mut streams = Vec::new();
            // Streams and row groups are both in the order of rows.
            while let Some((&id, behind)) = remaining.split_first() {
                let stream = block.streams[id as usize];
                let stream_end = stream.first_row + stream.rows;
                if stream.first_row < end && stream_end > start {
                    streams.push(StreamInGroup {
                        id,
                        first: (stream.first_row.max(start) - start) as u32,
                        end: (stream_end.min(end) - start) as u32,
                    });
                }
                if stream_end > end {
                    break;
                }
                remaining = behind;
            }
            if !streams.is_empty() {
                add((meta.first_ns, meta.last_ns), GroupPiece { block, group, streams });
            }
        }
    }
}

impl GroupPiece<'_> {
    pub(super) fn scan(
        &self,
        source: u32,
        span: Span,
        select: &Select<'_>,
        collector: &mut Collector,
    ) -> Result<()> {
        let trace_id = select.pipeline.required_value(TRACE_ID).filter(|_| !self.labels_hide_trace_id());
        if let Some(trace_id) = trace_id
            && !self.block.may_have_trace(self.group, trace_id)?
        {
            return Ok(());
        }
        collector.stats.row_groups += 1;
        let mut candidates = self.candidates(span)?;
        if let Some(trace_id) = trace_id {
            self.retain_trace(&mut candidates, trace_id)?;
        }
        candidates.sort_unstable();
        if select.direction == Direction::Backward {
            candidates.reverse();
        }
        let mut rest = candidates.as_slice();
        let mut batch_rows = FIRST_BATCH.max(select.limit.min(LARGEST_BATCH));
        while let Some(next) = rest.first() {
            if !collector.wants_time(next.time_ns) {
                break;
            }
            let (batch, behind) = rest.split_at(batch_rows.min(rest.len()));
            self.scan_batch(source, batch, select, collector)?;
            rest = behind;
            // Each batch decodes the pages that it touches anew, so the batches grow.
            batch_rows = (batch_rows * 2).min(LARGEST_BATCH);
        }
        Ok(())
    }

    /// A label of a stream by that name would hide the structured metadata.
    fn labels_hide_trace_id(&self) -> bool {
        self.streams.iter().any(|stream| !self.block.index.labels(stream.id).get(TRACE_ID).is_empty())
    }

    fn candidates(&self, span: Span) -> Result<Vec<Candidate>> {
        let times_ns = self.block.times_ns(self.group)?;
        let mut candidates = Vec::new();
        for stream in &self.streams {
            let rows = stream.first..stream.end;
            let times = times_ns.get(stream.first as usize..stream.end as usize).unwrap_or_default();
            // A stream's entries are in the order of their times.
            let first = times.partition_point(|time_ns| *time_ns < span.first_ns);
            let end = times.partition_point(|time_ns| *time_ns <= span.last_ns);
            candidates.extend(rows.zip(times).take(end).skip(first).map(|(row, time_ns)| Candidate {
                time_ns: *time_ns,
                row,
                stream: stream.id,
            }));
        }
        Ok(candidates)
    }

    fn retain_trace(&self, candidates: &mut Vec<Candidate>, trace_id: &str) -> Result<()> {
        candidates.sort_unstable_by_key(|candidate| candidate.row);
        let rows: Vec<u32> = candidates.iter().map(|candidate| candidate.row).collect();
        let found = self.block.trace_ids(self.group, &rows)?;
        let mut found = found.into_iter();
        candidates.retain(|_| found.next().flatten().is_some_and(|found| text(&found) == trace_id));
        Ok(())
    }

    fn scan_batch(
        &self,
        source: u32,
        batch: &[Candidate],
        select: &Select<'_>,
        collector: &mut Collector,
    ) -> Result<()> {
        let mut kept = batch.to_vec();
        kept.sort_unstable_by_key(|candidate| candidate.row);
        let rows =
            |candidates: &[Candidate]| candidates.iter().map(|candidate| candidate.row).collect::<Vec<_>>();
        collector.stats.block_lines += kept.len() as u64;

        // Lines are read now if the query looks at them, else only those of what is left.
        let mut lines: Option<Vec<ByteArray>> = None;
        if select.pipeline.has_line_conditions() {
            let all = self.block.lines(self.group, &rows(&kept))?;
            collector.stats.block_bytes += all.iter().map(|line| line.len() as u64).sum::<u64>();
            let (candidates, passed) =
                kept.into_iter().zip(all).filter(|(_, line)| select.pipeline.keeps_line(text(line))).unzip();
            kept = candidates;
            lines = Some(passed);
        }
        if kept.is_empty() {
            return Ok(());
        }
        let fields = FieldColumns {
            metadata: self.block.metadata(self.group, &rows(&kept))?,
            trace_ids: self.block.trace_ids(self.group, &rows(&kept))?,
        };
        let mut judged = Vec::with_capacity(kept.len());
        for (at, candidate) in kept.iter().enumerate() {
            let labels = self.block.index.labels(candidate.stream);
            let fields = RowFields { columns: &fields, at, labels };
            if let Verdict::Keep(error) = select.pipeline.judge_fields(&fields) {
                judged.push((at, error));
            }
        }
        let lines = if let Some(lines) = lines {
            judged.iter().map(|(at, _)| lines[*at].clone()).collect()
        } else {
            let left: Vec<Candidate> = judged.iter().map(|(at, _)| kept[*at]).collect();
            let lines = self.block.lines(self.group, &rows(&left))?;
            collector.stats.block_bytes += lines.iter().map(|line| line.len() as u64).sum::<u64>();
            lines
        };
        for ((at, error), line) in judged.into_iter().zip(lines) {
            let Candidate { time_ns, row, stream } = kept[at];
            if !collector.wants_time(time_ns) {
                continue;
            }
            let entry = FoundEntry {
                labels: Arc::clone(self.block.index.labels(stream)),
                time_ns,
                line: text(&line).to_owned(),
                metadata: fields.owned(at),
                error,
            };
            collector.offer(Key { time_ns, source, row }, entry)?;
        }
        Ok(())
    }
}

/// Structured metadata and identifiers of traces of some rows.
pub(crate) struct FieldColumns {
    pub(crate) metadata: MetadataColumn,
    pub(crate) trace_ids: Vec<Option<ByteArray>>,
}

impl FieldColumns {
    /// A row's structured metadata, the trace's identifier at its place among them.
    pub(crate) fn owned(&self, row: usize) -> Vec<(String, String)> {
        let mut pairs: Vec<(String, String)> =
            self.metadata.row(row).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        if let Some(trace_id) = &self.trace_ids[row] {
            let place = pairs.partition_point(|(name, _)| name.as_str() < TRACE_ID);
            pairs.insert(place, (TRACE_ID.to_owned(), text(trace_id).to_owned()));
        }
        pairs
    }
}

struct RowFields<'a> {
    columns: &'a FieldColumns,
    at: usize,
    labels: &'a Labels,
}

impl Fields for RowFields<'_> {
    fn label(&self, name: &str) -> Option<&str> {
        Some(self.labels.get(name))
    }

    fn metadata(&self, name: &str) -> Option<&str> {
        if name == TRACE_ID {
            return self.columns.trace_ids[self.at].as_ref().map(text);
        }
        self.columns.metadata.row(self.at).find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}
