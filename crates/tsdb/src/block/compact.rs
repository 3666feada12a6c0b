//! Small blocks become large ones: which, as Prometheus chooses them, and how.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use ulid::Ulid;

use super::{Block, BlockSeries, Directory, Meta};
use crate::chunk::RANGE_MS;
use crate::{Result, merge};

/// Blocks are not made larger than this.
const MAX_RANGE_MS: i64 = 31 * 24 * 3_600_000;

/// Lengths of blocks: two hours, and each three times the one before, up to a tenth of the retention.
pub(crate) fn ranges(retention_ms: i64) -> Vec<i64> {
    let most = (retention_ms / 10).clamp(RANGE_MS, MAX_RANGE_MS);
    std::iter::successors(Some(RANGE_MS), |range| range.checked_mul(3))
        .take_while(|range| *range <= most)
        .collect()
}

/// Chooses blocks to put together: first those that overlap, then those that fill a longer range, then one of which
/// much was deleted. None if there is nothing to do.
pub(crate) fn plan(blocks: &[Arc<Meta>], ranges: &[i64]) -> Vec<Ulid> {
    let mut blocks: Vec<&Meta> = blocks.iter().map(|meta| &**meta).collect();
    blocks.sort_by_key(|meta| (meta.min_time, meta.ulid));
    let overlapping = overlapping(&blocks);
    if !overlapping.is_empty() {
        return overlapping;
    }
    // The newest stays by itself: others may still be put beside it.
    let Some((_, blocks)) = blocks.split_last() else { return Vec::new() };
    let Some(newest) = blocks.last() else { return Vec::new() };
    for range in ranges.iter().skip(1) {
        for group in by_range(blocks, *range) {
            let (Some(first), Some(last)) = (group.first(), group.last()) else { continue };
            let is_full = last.max_time - first.min_time == *range || last.max_time <= newest.min_time;
            if group.len() > 1 && is_full && !group.iter().any(|meta| meta.compaction.failed) {
                return group.iter().map(|meta| meta.ulid).collect();
            }
        }
    }
    let long_ms = ranges.get(ranges.len() / 2).copied().unwrap_or(RANGE_MS);
    for meta in blocks.iter().rev() {
        let (stones, series) = (meta.stats.num_tombstones, meta.stats.num_series);
        if meta.max_time - meta.min_time < long_ms {
            return if stones > 0 && stones >= series { vec![meta.ulid] } else { Vec::new() };
        }
        if stones as f64 / (series + 1) as f64 > 0.05 {
            return vec![meta.ulid];
        }
    }
    Vec::new()
}

/// The first run of blocks of which each overlaps one before it.
fn overlapping(blocks: &[&Meta]) -> Vec<Ulid> {
    let mut run: Vec<Ulid> = Vec::new();
    let mut end = i64::MIN;
    for (index, meta) in blocks.iter().enumerate() {
        if index > 0 && meta.min_time < end {
            if run.is_empty() {
                run.push(blocks[index - 1].ulid);
            }
            run.push(meta.ulid);
        } else if !run.is_empty() {
            break;
        }
        end = end.max(meta.max_time);
    }
    run
}

/// Blocks by the aligned range that they lie in; those that lie in two are left out.
fn by_range<'a>(blocks: &'a [&'a Meta], range: i64) -> impl Iterator<Item = &'a [&'a Meta]> {
    let end = move |meta: &Meta| (meta.min_time.div_euclid(range) + 1) * range;
    blocks
        .split(move |meta| meta.max_time > end(meta))
        .flat_map(move |inside| inside.chunk_by(move |left, right| end(left) == end(right)))
}

/// Puts blocks together as a new one, without what was deleted. `None` if nothing is left; the blocks are still there
/// in any case.
pub(crate) fn compact(directory: &Directory, blocks: &[Arc<Block>], id: Ulid) -> Result<Option<PathBuf>> {
    let metas: Vec<Arc<Meta>> = blocks.iter().map(|block| block.meta()).collect();
    let symbols: BTreeSet<&str> = blocks.iter().flat_map(|block| block.symbols()).collect();
    let meta = Meta::of_blocks(id, &metas.iter().map(|meta| &**meta).collect::<Vec<_>>());
    let mut writer = directory.begin(meta, symbols.into_iter())?;
    let mut sources: Vec<_> = blocks.iter().map(|block| block.all().peekable()).collect();
    loop {
        // The series that comes first, from every block that has it.
        let mut first: Option<&BlockSeries> = None;
        for source in &mut sources {
            match source.peek() {
                Some(Ok(series)) if first.is_none_or(|first| series.labels < first.labels) => {
                    first = Some(series);
                }
                _ => {}
            }
        }
        let first = first.map(|series| series.labels.clone());
        let (mut chunks, mut starts, mut any) = (Vec::new(), Vec::new(), false);
        for source in &mut sources {
            let next = source.next_if(|series| match series {
                Ok(series) => Some(&series.labels) == first.as_ref(),
                Err(_) => true,
            });
            if let Some(series) = next.transpose()? {
                any = true;
                starts = merge::starts((&chunks, starts), (&series.chunks, series.starts));
                chunks.extend(merge::tidy(series.chunks, &series.deleted));
            }
        }
        let Some(labels) = first.filter(|_| any) else { break };
        let chunks = merge::tidy(chunks, &crate::intervals::Intervals::default());
        if !chunks.is_empty() {
            writer.add(&labels.iter().collect::<Vec<_>>(), &chunks, &starts)?;
        }
    }
    if writer.series() == 0 {
        return Ok(None);
    }
    writer.publish().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn meta(number: u64, from_h: i64, to_h: i64) -> Arc<Meta> {
        Arc::new(Meta::of_head(Ulid::from_parts(number, 0), from_h * HOUR, to_h * HOUR))
    }

    fn planned(blocks: &[(i64, i64)]) -> Vec<u64> {
        let metas: Vec<_> =
            blocks.iter().enumerate().map(|(number, (from, to))| meta(number as u64, *from, *to)).collect();
        let ranges = ranges(15 * 24 * HOUR);
        plan(&metas, &ranges).into_iter().map(|id| id.timestamp_ms()).collect()
    }

    #[test]
    fn lengths_are_tripled_up_to_a_tenth_of_the_retention() {
        assert_eq!(ranges(15 * 24 * HOUR), [2 * HOUR, 6 * HOUR, 18 * HOUR]);
        assert_eq!(ranges(HOUR), [2 * HOUR]);
        assert_eq!(ranges(365 * 24 * HOUR), [2, 6, 18, 54, 162, 486].map(|hours| hours * HOUR));
    }

    #[test]
    fn what_fills_a_longer_range_is_put_together() {
        assert_eq!(planned(&[]), [0_u64; 0]);
        assert_eq!(planned(&[(0, 2)]), [0_u64; 0]);
        assert_eq!(planned(&[(0, 2), (2, 4), (4, 6)]), [0_u64; 0], "the newest stays by itself");
        assert_eq!(planned(&[(0, 2), (2, 4), (4, 6), (6, 8)]), [0, 1, 2]);
        // A gap in a range that is past is no reason to wait.
        assert_eq!(planned(&[(0, 2), (4, 6), (6, 8), (8, 10)]), [0, 1]);
        assert_eq!(planned(&[(2, 4), (6, 8), (8, 10), (10, 12)]), [0_u64; 0]);
        assert_eq!(planned(&[(0, 6), (6, 12), (12, 18), (18, 20), (20, 22)]), [0, 1, 2]);
    }

    #[test]
    fn what_overlaps_comes_first() {
        assert_eq!(planned(&[(0, 2), (2, 4), (2, 4), (4, 6), (6, 8)]), [1, 2]);
        assert_eq!(planned(&[(0, 6), (2, 4), (4, 8), (8, 10)]), [0, 1, 2]);
        assert_eq!(planned(&[(0, 2), (0, 2)]), [0, 1], "the newest too");
    }

    #[test]
    fn a_block_without_much_left_is_written_anew() {
        let stones = |number, from, to, tombstones| {
            let mut meta = Meta::clone(&meta(number, from, to));
            (meta.stats.num_tombstones, meta.stats.num_series) = (tombstones, 10);
            Arc::new(meta)
        };
        let ranges = ranges(15 * 24 * HOUR);
        let chosen = |blocks: &[Arc<Meta>]| plan(blocks, &ranges).len();
        assert_eq!(chosen(&[stones(0, 0, 6, 1), meta(1, 6, 8)]), 1);
        assert_eq!(chosen(&[stones(0, 0, 2, 1), meta(1, 6, 8)]), 0);
        assert_eq!(chosen(&[stones(0, 0, 2, 10), meta(1, 6, 8)]), 1);
    }
}
