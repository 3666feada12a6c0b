//! Finding entries.
//!
//! A query takes the head's segments and the blocks as they stand at one moment and asks them one by one, newest first
//! or oldest first as the answer is wanted, keeping no more than it may return. What cannot come before the worst entry
//! that is kept already is not read.

mod block;
mod collector;
mod head;

use std::collections::BTreeMap;
use std::sync::Arc;

use logql::{EntryError, Pipeline};
use model::{Labels, Matcher, TimeRange};

use crate::block::Block;
use crate::head::Generation;
use crate::{Error, Result};
pub(crate) use block::FieldColumns;
use collector::Collector;

/// In which order entries are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}

/// A query for entries.
#[derive(Debug, Clone, Copy)]
pub struct Select<'a> {
    /// What a stream's labels have to satisfy.
    pub matchers: &'a [Matcher],
    /// What an entry has to satisfy.
    pub pipeline: &'a Pipeline,
    /// When.
    pub range: TimeRange,
    /// In which order.
    pub direction: Direction,
    /// Most entries to give back: the first ones in that order.
    pub limit: usize,
}

/// An entry that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntry {
    /// The labels of its stream.
    pub labels: Arc<Labels>,
    /// Nanoseconds since the Unix epoch.
    pub time_ns: i64,
    /// The line.
    pub line: String,
    /// Its structured metadata, by name.
    pub metadata: Vec<(String, String)>,
    /// What went wrong while it was judged.
    pub error: Option<EntryError>,
}

/// What a query found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// In the order that was asked for; entries of one time in the order in which they came, or its reverse.
    pub entries: Vec<FoundEntry>,
    /// What it took.
    pub stats: QueryStats,
}

/// What a query took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueryStats {
    /// Lines of the head that were looked at.
    pub head_lines: u64,
    /// Their bytes.
    pub head_bytes: u64,
    /// Segments of the head that were looked at.
    pub head_segments: u64,
    /// Lines of blocks that were looked at.
    pub block_lines: u64,
    /// Their bytes.
    pub block_bytes: u64,
    /// Row groups of blocks that were looked at.
    pub row_groups: u64,
    /// Entries that were found more than once.
    pub duplicates: u64,
    /// Entries that satisfied the query, whether they are given back or not.
    pub matched: u64,
}

impl QueryStats {
    /// Adds what another query took.
    pub fn add(&mut self, other: &Self) {
        self.head_lines += other.head_lines;
        self.head_bytes += other.head_bytes;
        self.head_segments += other.head_segments;
        self.block_lines += other.block_lines;
        self.block_bytes += other.block_bytes;
        self.row_groups += other.row_groups;
        self.duplicates += other.duplicates;
        self.matched += other.matched;
    }
}

/// What is kept of a stream in a stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamVolume {
    /// The stream.
    pub labels: Arc<Labels>,
    /// How many pieces of head and blocks hold something of it.
    pub chunks: u64,
    /// Entries of those pieces.
    pub entries: u64,
    /// Bytes of their lines and structured metadata.
    pub bytes: u64,
}

/// What is queried, as it stood at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) blocks: Vec<Arc<Block>>,
    /// The one that is being sealed, if there is one, before the one that takes entries.
    pub(crate) generations: Vec<Arc<Generation>>,
}

/// Times as signed numbers, both ends included.
#[derive(Debug, Clone, Copy)]
struct Span {
    first_ns: i64,
    last_ns: i64,
}

impl Span {
    /// `None` if the range is empty.
    fn of(range: TimeRange) -> Option<Self> {
        let signed = |time_ns: u64| i64::try_from(time_ns).unwrap_or(i64::MAX);
        // A range from the epoch on is a range from the beginning.
        let first_ns = if range.start_ns == 0 { i64::MIN } else { signed(range.start_ns) };
        let last_ns =
            if range.end_ns > i64::MAX as u64 { i64::MAX } else { signed(range.end_ns).checked_sub(1)? };
        (first_ns <= last_ns).then_some(Self { first_ns, last_ns })
    }

    fn contains(self, time_ns: i64) -> bool {
        (self.first_ns..=self.last_ns).contains(&time_ns)
    }

    fn overlaps(self, (first_ns, last_ns): (i64, i64)) -> bool {
        first_ns <= self.last_ns && last_ns >= self.first_ns
    }
}

/// A piece that is asked as a whole.
enum Piece<'a> {
    Segment(head::SegmentPiece<'a>),
    Group(block::GroupPiece<'a>),
}

impl Snapshot {
    pub(crate) fn select(&self, select: &Select<'_>, max_bytes: usize) -> Result<Selection> {
        let Some(span) = Span::of(select.range) else { return Ok(Selection::default()) };
        let mut collector = Collector::new(select.direction, select.limit, max_bytes);
        let generations: Vec<_> =
            self.generations.iter().map(|generation| head::Selected::new(generation, select)).collect();
        let blocks: Vec<_> =
            self.blocks.iter().map(|block| block::Selected::new(block, select, span)).collect();

        // The order of the pieces says which of two entries of one time came first.
        let mut pieces = Vec::new();
        for block in &blocks {
            block.pieces(&mut |span, piece| pieces.push((pieces.len() as u32, span, Piece::Group(piece))));
        }
        for generation in &generations {
            generation
                .pieces(&mut |span, piece| pieces.push((pieces.len() as u32, span, Piece::Segment(piece))));
        }
        pieces.retain(|(_, times, _)| span.overlaps(*times));
        match select.direction {
            Direction::Forward => pieces.sort_by_key(|(_, (first_ns, _), _)| *first_ns),
            Direction::Backward => pieces.sort_by_key(|(_, (_, last_ns), _)| std::cmp::Reverse(*last_ns)),
        }
        for (source, (first_ns, last_ns), piece) in pieces {
            let best = if select.direction == Direction::Forward { first_ns } else { last_ns };
            if !collector.wants_time(best) {
                continue;
            }
            match piece {
                Piece::Segment(piece) => piece.scan(source, span, select, &mut collector)?,
                Piece::Group(piece) => piece.scan(source, span, select, &mut collector)?,
            }
        }
        Ok(collector.finish())
    }

    /// The streams with an entry in the range, by their labels.
    pub(crate) fn streams(&self, range: TimeRange, matchers: &[Matcher]) -> Vec<Arc<Labels>> {
        self.volumes(range, matchers).into_iter().map(|volume| volume.labels).collect()
    }

    /// What is kept of the streams in the range, by their labels.
    pub(crate) fn volumes(&self, range: TimeRange, matchers: &[Matcher]) -> Vec<StreamVolume> {
        let Some(span) = Span::of(range) else { return Vec::new() };
        let mut volumes: BTreeMap<Arc<Labels>, StreamVolume> = BTreeMap::new();
        let mut add = |labels: &Arc<Labels>, entries: u64, bytes: u64| {
            let volume = volumes.entry(Arc::clone(labels)).or_insert_with(|| StreamVolume {
                labels: Arc::clone(labels),
                chunks: 0,
                entries: 0,
                bytes: 0,
            });
            volume.chunks += 1;
            volume.entries += entries;
            volume.bytes += bytes;
        };
        for block in &self.blocks {
            for id in block.index.select(matchers) {
                let stream = block.streams[id as usize];
                if span.overlaps((stream.first_ns, stream.last_ns)) {
                    add(block.index.labels(id), stream.rows, stream.bytes);
                }
            }
        }
        for generation in &self.generations {
            head::volumes(generation, span, matchers, &mut add);
        }
        volumes.into_values().collect()
    }
}

/// The refusal of a result that is too large.
fn too_large(limit: usize) -> Error {
    Error::ResultTooLarge { limit }
}
