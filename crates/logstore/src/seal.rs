//! From the head to a block, and from small blocks to a larger one.

mod merge;

use std::sync::Arc;

use blocks::Directory;
use model::Labels;

use crate::Result;
use crate::block::{Block, BlockWriter, Plan};
use crate::head::Generation;
use crate::index::StreamId;
pub(crate) use merge::merge;

/// Writes a generation as a block: streams by their labels, entries of a stream by time.
pub(crate) fn seal(directory: &Directory, generation: &Generation, plan: Plan) -> Result<Block> {
    let view = generation.view();
    let mut streams: Vec<(Arc<Labels>, StreamId)> =
        generation.with_index(|index| index.all().map(|(id, labels)| (Arc::clone(labels), id)).collect());
    streams.sort_unstable();
    let mut writer = BlockWriter::new(directory, plan.id)?;
    for (labels, id) in streams {
        let mut rows: Vec<(i64, usize, u32)> = Vec::new();
        for (at, segment) in view.segments.iter().enumerate() {
            rows.extend(segment.rows_of(id).iter().map(|&row| (segment.time_ns(row), at, row)));
        }
        // Of entries of one time, those that came first come first.
        rows.sort_unstable();
        writer.stream(&labels);
        for (time_ns, segment, row) in rows {
            let segment = &view.segments[segment];
            writer.entry(time_ns, segment.line(row), segment.metadata(row))?;
        }
    }
    writer.finish(plan)
}
