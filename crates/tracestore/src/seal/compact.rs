//! Small blocks into larger ones: fewer files to open, and the spans of a trace in one place.

use std::sync::Arc;

use crate::block::{Block, Plan};
use crate::segment::Segment;
use crate::{Error, Result};

use super::Sealer;

/// So many neighbours of about one size become one block.
const FAN_IN: usize = 4;
/// Neighbours are of about one size if none is larger than the smallest times this.
const SIZE_RATIO: u64 = 8;
/// Spans that are put into a segment at once.
const CHUNK: usize = 512;

impl Sealer {
    /// Merges as long as there is something to merge.
    pub(super) fn compact(&self) -> Result<()> {
        while let Some(blocks) = self.choose() {
            if self.is_stopping() {
                return Ok(());
            }
            self.merge(&blocks)?;
        }
        Ok(())
    }

    /// Neighbours in time that are small and of about one size.
    fn choose(&self) -> Option<Vec<Arc<Block>>> {
        let snapshot = self.head.snapshot();
        let mut blocks: Vec<Arc<Block>> =
            snapshot.blocks.iter().filter(|block| !block.is_broken()).cloned().collect();
        blocks.sort_by_key(|block| (block.bounds().min_start_ns, block.meta().id()));
        blocks
            .windows(FAN_IN)
            .find(|blocks| {
                let sizes = || blocks.iter().map(|block| block.meta().spans);
                let smallest = sizes().min().unwrap_or_default().max(1);
                sizes().sum::<u64>() <= self.config.compact_spans
                    && sizes().all(|spans| spans <= smallest * SIZE_RATIO)
            })
            .map(<[_]>::to_vec)
    }

    fn merge(&self, blocks: &[Arc<Block>]) -> Result<()> {
        let mut segments = Vec::new();
        for block in blocks {
            let mut damaged = false;
            for row_group in 0..block.meta().row_groups.len() {
                match block.spans(row_group) {
                    Ok(spans) => fill(&mut segments, &spans)?,
                    Err(Error::Blocks(error @ blocks::Error::Damaged { .. })) => {
                        tracing::error!(%error, "a block cannot be merged");
                        damaged = true;
                        break;
                    }
                    // What the system refuses now it may grant later: the blocks stay as they are.
                    Err(error) => return Err(error),
                }
            }
            if damaged {
                block.mark_broken();
                return Ok(());
            }
        }
        let plan = Plan {
            id: self.next_id(),
            sealed_ms: blocks.iter().map(|block| block.meta().sealed_ms).max().unwrap_or_default(),
            last_wal: blocks.iter().map(|block| block.meta().manifest.last_wal).max().unwrap_or_default(),
            sources: blocks.iter().map(|block| block.meta().id()).collect(),
        };
        let segments: Vec<&Segment> = segments.iter().collect();
        let merged = self.write(&segments, plan)?;
        for block in blocks {
            block.remove_when_unused();
        }
        self.head.replace_blocks(blocks, Some(merged));
        Ok(())
    }
}

/// Puts spans into segments, on the way that requests take: encoded, decoded, inserted.
fn fill(segments: &mut Vec<Segment>, spans: &[model::Span]) -> Result<()> {
    for chunk in spans.chunks(CHUNK) {
        let request = otlp::traces::encode_to_vec(chunk);
        let (batch, rejected) = otlp::traces::decode(&request, &otlp::traces::Limits::NONE)
            .map_err(|error| lost(&error.to_string()))?;
        if rejected.count > 0 {
            return Err(lost(&rejected.message));
        }
        match segments.last_mut() {
            Some(last) if last.is_full() => {
                last.freeze();
                segments.push(Segment::default());
            }
            None => segments.push(Segment::default()),
            Some(_) => {}
        }
        if let Some(segment) = segments.last_mut() {
            segment.insert(&batch);
        }
    }
    Ok(())
}

/// A merge that would not carry every span over is not done.
fn lost(reason: &str) -> crate::Error {
    crate::Error::Parquet {
        path: std::path::PathBuf::from(crate::block::SPANS_FILE),
        reason: reason.to_owned(),
    }
}
