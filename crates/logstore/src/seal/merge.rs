//! Several blocks to one. Streams are merged one after the other, a few thousand entries of each block at a time, so it
//! takes little memory however large the blocks are.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use blocks::Directory;
use model::Labels;

use crate::Result;
use crate::block::{Block, BlockWriter, Plan, text};
use crate::index::StreamId;
use crate::query::FieldColumns;

/// Entries of one block that are in memory at once.
const CHUNK_ROWS: usize = 4096;

/// Merges blocks; an entry that several of them have is written once.
pub(crate) fn merge(directory: &Directory, sources: &[Arc<Block>], plan: Plan) -> Result<Block> {
    let mut streams: BTreeMap<&Arc<Labels>, Vec<(usize, StreamId)>> = BTreeMap::new();
    for (at, block) in sources.iter().enumerate() {
        for (id, labels) in block.index.all() {
            streams.entry(labels).or_default().push((at, id));
        }
    }
    let mut writer = BlockWriter::new(directory, plan.id)?;
    for (labels, parts) in streams {
        writer.stream(labels);
        let mut cursors = Vec::with_capacity(parts.len());
        for (at, id) in parts {
            cursors.push(Cursor::new(&sources[at], id)?);
        }
        merge_stream(&mut cursors, &mut writer)?;
    }
    writer.finish(plan)
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Content {
    line: String,
    metadata: Vec<(String, String)>,
}

fn merge_stream(cursors: &mut [Cursor<'_>], writer: &mut BlockWriter) -> Result<()> {
    // Contents of the current time, to find what is there twice.
    let mut seen: HashSet<Content> = HashSet::new();
    let mut seen_ns = i64::MIN;
    loop {
        let times = cursors.iter().enumerate().filter_map(|(at, cursor)| Some((cursor.next_ns()?, at)));
        let Some((time_ns, at)) = times.min() else { return Ok(()) };
        let Some(content) = cursors[at].take()? else { return Ok(()) };
        if time_ns != seen_ns {
            seen.clear();
            seen_ns = time_ns;
        }
        if seen.contains(&content) {
            continue;
        }
        let metadata = content.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        writer.entry(time_ns, &content.line, metadata)?;
        // One block alone has nothing twice.
        if cursors.len() > 1 {
            seen.insert(content);
        }
    }
}

/// The entries of a stream of one block, by time.
struct Cursor<'a> {
    block: &'a Block,
    /// Row groups with the rows that are left in them.
    groups: VecDeque<(usize, std::ops::Range<u32>)>,
    /// Times of all rows of the first of these groups.
    group_times_ns: Vec<i64>,
    chunk: VecDeque<(i64, Content)>,
}

impl<'a> Cursor<'a> {
    fn new(block: &'a Block, id: StreamId) -> Result<Self> {
        let stream = block.streams[id as usize];
        let end = stream.first_row + stream.rows;
        let mut groups = VecDeque::new();
        for (group, (start, meta)) in block.group_starts().zip(&block.meta.row_groups).enumerate() {
            let (first, last) = (stream.first_row.max(start), end.min(start + meta.rows));
            if first < last {
                groups.push_back((group, (first - start) as u32..(last - start) as u32));
            }
        }
        let mut cursor = Self { block, groups, group_times_ns: Vec::new(), chunk: VecDeque::new() };
        cursor.fill()?;
        Ok(cursor)
    }

    fn next_ns(&self) -> Option<i64> {
        self.chunk.front().map(|(time_ns, _)| *time_ns)
    }

    fn take(&mut self) -> Result<Option<Content>> {
        let taken = self.chunk.pop_front().map(|(_, content)| content);
        if self.chunk.is_empty() {
            self.fill()?;
        }
        Ok(taken)
    }

    fn fill(&mut self) -> Result<()> {
        let Some((group, left)) = self.groups.front_mut() else { return Ok(()) };
        if self.group_times_ns.is_empty() {
            self.group_times_ns = self.block.times_ns(*group)?;
        }
        let end = left.end.min(left.start + CHUNK_ROWS as u32);
        let rows: Vec<u32> = (left.start..end).collect();
        let lines = self.block.lines(*group, &rows)?;
        let fields = FieldColumns {
            metadata: self.block.metadata(*group, &rows)?,
            trace_ids: self.block.trace_ids(*group, &rows)?,
        };
        for (at, (row, line)) in rows.iter().zip(lines).enumerate() {
            let time_ns = self.group_times_ns.get(*row as usize).copied().unwrap_or_default();
            let content = Content { line: text(&line).to_owned(), metadata: fields.owned(at) };
            self.chunk.push_back((time_ns, content));
        }
        left.start = end;
        if left.start >= left.end {
            self.groups.pop_front();
            self.group_times_ns.clear();
        }
        Ok(())
    }
}
