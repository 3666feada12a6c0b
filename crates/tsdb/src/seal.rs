//! What is past goes from the head into blocks, a range of two hours each.
//!
//! The block is written from a copy while writes go on; then the head drops what the block has, and a checkpoint lets
//! the log before it go. Whatever a crash interrupts, every sample is in the block or in the log, some in both: reading
//! gives each time once, and the next seal and compaction clear up.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use crate::block::{Block, Directory, Meta, directory_sort};
use crate::chunk::{pack, range_end};
use crate::series::{Sealing, Series};
use crate::{Inner, Result, millis};

/// How far a range has to be past before it is sealed: half of its length, as with Prometheus.
const SETTLING_MS: i64 = crate::chunk::RANGE_MS / 2;

/// What is younger than this stays in memory even where that runs short.
const IN_USE_MS: i64 = 300_000;

impl Inner {
    /// Seals every range that is past. The caller holds `maintaining`.
    pub(crate) fn seal_past(&self) -> Result<bool> {
        let mut sealed = false;
        while let Some(end_ms) = self.next_past() {
            self.seal_before(end_ms)?;
            sealed = true;
            if self.next_past() == Some(end_ms) {
                // Somebody wrote behind our back into what was sealed: at the next round.
                break;
            }
        }
        Ok(sealed)
    }

    /// The end of the oldest range in the head, if it is past.
    fn next_past(&self) -> Option<i64> {
        let (oldest_ms, newest_ms) = (self.head.min_time_ms(), self.head.max_time_ms());
        if oldest_ms > newest_ms {
            return None;
        }
        let end_ms = range_end(oldest_ms);
        let settling_ms = SETTLING_MS.max(millis(self.config.out_of_order_window));
        (newest_ms.saturating_sub(settling_ms) >= end_ms).then_some(end_ms)
    }

    /// Seals so much that memory falls to a mark: the oldest first, in whole ranges where these suffice. The caller holds
    /// `maintaining`.
    pub(crate) fn seal_to(&self, mark: usize) -> Result<bool> {
        let Some(too_much) = self.head.bytes().checked_sub(mark) else { return Ok(false) };
        let Some(end_ms) = self.head.time_to_free(too_much) else { return Ok(false) };
        let end_ms = end_ms.min(self.head.max_time_ms().saturating_sub(IN_USE_MS));
        let mut sealed = false;
        while self.head.min_time_ms() < end_ms {
            let oldest_ms = self.head.min_time_ms();
            self.seal_before(range_end(oldest_ms).min(end_ms))?;
            sealed = true;
            if self.head.min_time_ms() <= oldest_ms {
                break;
            }
        }
        if sealed {
            tracing::info!(
                end_ms,
                bytes = self.head.bytes(),
                "samples went to a block early: the head was nearly full"
            );
        }
        Ok(sealed)
    }

    /// Writes what the head has before a time to a block, and drops it from the head.
    fn seal_before(&self, end_ms: i64) -> Result<()> {
        let begin_ms = range_end(self.head.min_time_ms()).saturating_sub(crate::chunk::RANGE_MS);
        // A record is applied by parts; no seal may fall in between.
        let (all, sealed) = {
            let _writer = self.writer.lock();
            let all = self.head.all();
            let sealed: HashMap<u32, Sealing> =
                all.iter().map(|series| (series.id, series.data.lock().seal(end_ms))).collect();
            (all, sealed)
        };
        let first_ms = sealed
            .values()
            .filter_map(|sealing| sealing.chunks.first().map(|chunk| chunk.first_ms))
            .min()
            .unwrap_or(begin_ms);
        // Beside a block of the same range it does not claim more of it than it needs.
        let is_shared = self.blocks().iter().any(|block| {
            let meta = block.meta();
            meta.min_time < end_ms && meta.max_time > begin_ms
        });
        let begin_ms = if is_shared { first_ms } else { begin_ms.min(first_ms) };
        if let Some(path) = self.write_block(&self.directory, &all, &sealed, begin_ms, end_ms)? {
            let block = Arc::new(Block::open(&path)?);
            let mut blocks = Vec::clone(&self.blocks());
            blocks.push(block);
            directory_sort(&mut blocks);
            *self.blocks.write() = Arc::new(blocks);
        }
        let _writer = self.writer.lock();
        let dropped = self.head.drop_sealed(end_ms, &sealed);
        tracing::debug!(?dropped, end_ms, "samples went to a block");
        Ok(())
    }

    /// Writes the head as it is to a block of another directory.
    pub(crate) fn copy_head(&self, directory: &Directory) -> Result<()> {
        let (all, copied, first_ms, last_ms) = {
            let _writer = self.writer.lock();
            let all = self.head.all();
            let copied: HashMap<u32, Sealing> =
                all.iter().map(|series| (series.id, series.data.lock().seal(i64::MAX))).collect();
            (all, copied, self.head.min_time_ms(), self.head.max_time_ms())
        };
        self.write_block(directory, &all, &copied, first_ms, last_ms.saturating_add(1)).map(drop)
    }

    fn write_block(
        &self,
        directory: &Directory,
        all: &[Arc<Series>],
        sealed: &HashMap<u32, Sealing>,
        begin_ms: i64,
        end_ms: i64,
    ) -> Result<Option<PathBuf>> {
        let mut series: Vec<(&Arc<Series>, &Sealing)> = all
            .iter()
            .filter_map(|series| Some((series, sealed.get(&series.id)?)))
            .filter(|(_, sealing)| !sealing.chunks.is_empty())
            .collect();
        if series.is_empty() {
            return Ok(None);
        }
        series.sort_unstable_by(|left, right| left.0.labels.cmp(&right.0.labels));
        let symbols: BTreeSet<&str> = series
            .iter()
            .flat_map(|(series, _)| series.labels.iter())
            .flat_map(|(name, value)| [name, value])
            .collect();
        let meta = Meta::of_head(self.ids.next(self.clock.now_ms()), begin_ms, end_ms);
        let mut writer = directory.begin(meta, symbols.into_iter())?;
        for (series, sealing) in series {
            let labels: Vec<(&str, &str)> = series.labels.iter().collect();
            writer.add(&labels, &pack(&sealing.chunks), &sealing.starts)?;
        }
        writer.publish().map(Some)
    }
}
