//! Deleting: samples of series that matchers find, in the head and in blocks.

use std::sync::Arc;

use model::Matcher;
use promql::storage::MsRange;

use crate::block::{self, Block, directory_sort};
use crate::record::Record;
use crate::{Inner, Result, Tsdb};

impl Tsdb {
    /// Deletes the samples in a range of the series that satisfy one of the sets of matchers. From the head they are
    /// gone at once; in blocks they are marked, no longer found, and go with the next
    /// [`clean_tombstones`](Self::clean_tombstones) or compaction. When this returns, a crash does not bring them back.
    pub fn delete_series(&self, sets: &[Vec<Matcher>], range: MsRange) -> Result<()> {
        let inner = self.inner();
        let _maintaining = inner.maintaining.lock();
        let position = {
            let _writer = inner.writer.lock();
            let mut record = Record::default();
            for matchers in sets {
                for series in inner.head.with_index(|index| index.select(matchers)) {
                    let span = series.data.lock().span();
                    if span.is_some_and(|(first_ms, last_ms)| range.overlaps(first_ms, last_ms)) {
                        record.deletions.push((series.id, range.start_ms, range.end_ms));
                    }
                }
            }
            if record.is_empty() {
                None
            } else {
                let position = inner.wal.append(&[&record.encode()])?;
                inner.head.apply(record);
                Some(position)
            }
        };
        if let Some(position) = position {
            inner.wal.commit(position)?;
        }
        for block in inner.blocks().iter().filter(|block| block.overlaps(range)) {
            for matchers in sets {
                block.delete(matchers, range.start_ms, range.end_ms)?;
            }
        }
        Ok(())
    }

    /// Writes blocks of which something was deleted anew, without it.
    pub fn clean_tombstones(&self) -> Result<()> {
        let inner = self.inner();
        let _maintaining = inner.maintaining.lock();
        for block in inner.blocks().iter().filter(|block| block.has_tombstones()) {
            inner.replace(std::slice::from_ref(block))?;
        }
        Ok(())
    }
}

impl Inner {
    /// Puts blocks together as one, which takes their place. The caller holds `maintaining`.
    pub(crate) fn replace(&self, replaced: &[Arc<Block>]) -> Result<()> {
        let id = self.ids.next(self.clock.now_ms());
        let written = block::compact(&self.directory, replaced, id)?;
        let ids: Vec<_> = replaced.iter().map(|block| block.meta().ulid).collect();
        let mut blocks: Vec<_> =
            self.blocks().iter().filter(|block| !ids.contains(&block.meta().ulid)).cloned().collect();
        if let Some(path) = written {
            blocks.push(Arc::new(Block::open(&path)?));
            directory_sort(&mut blocks);
        }
        *self.blocks.write() = Arc::new(blocks);
        for block in replaced {
            self.directory.remove(block)?;
        }
        Ok(())
    }
}
