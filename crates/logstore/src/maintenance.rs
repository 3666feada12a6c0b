//! What runs in the background: sealing, merging, dropping. One thread, one thing at a time, never in the way of an append
//! or a query.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use blocks::{Ulid, io_error};

use crate::block::{Block, Plan};
use crate::seal;
use crate::store::Inner;
use crate::{Error, Result};

/// How often it looks whether there is something to do.
const TICK: Duration = Duration::from_secs(1);
/// Ticks between two looks at blocks: they change rarely.
const BLOCK_TICKS: u32 = 30;
/// Age at which the head is sealed, however small it is.
const SEAL_AGE: Duration = Duration::from_mins(30);
/// Ticks to wait after a failure, so that a full disk does not fill the log with complaints.
const FAILURE_TICKS: u32 = 30;

/// So many blocks of one size are merged into one.
const MERGE_COUNT: usize = 4;
/// Upper bounds of the sizes that are merged, in bytes: smaller blocks of one size become one of the next.
const MERGE_SIZES: [u64; 3] = [4 << 20, 32 << 20, 128 << 20];
/// The part of the retention that a merged block may span at most, and the time that it may always span: a block is
/// dropped as a whole, so a long one would keep old entries.
const MERGED_SPAN_PARTS: u32 = 8;
const MERGED_SPAN_ALWAYS: Duration = Duration::from_hours(2);

/// Starts the thread. It ends when the store is stopped or gone.
pub(crate) fn start(inner: &Arc<Inner>) -> Result<JoinHandle<()>> {
    let weak = Arc::downgrade(inner);
    let start_error = io_error("start the background thread of", &inner.config.blocks_dir);
    let thread = std::thread::Builder::new().name("logstore".to_owned());
    thread.spawn(move || run(&weak)).map_err(|error| Error::Blocks(start_error(error)))
}

fn run(store: &Weak<Inner>) {
    let mut ticks = 0_u32;
    let mut failed_at = None;
    while let Some(inner) = store.upgrade() {
        {
            let mut woken = inner.wake.0.lock();
            if !*woken {
                inner.wake.1.wait_for(&mut woken, TICK);
            }
            *woken = false;
        }
        if inner.stopping.load(Ordering::Acquire) {
            return;
        }
        ticks = ticks.wrapping_add(1);
        if failed_at.is_some_and(|failed_at| ticks.wrapping_sub(failed_at) < FAILURE_TICKS) {
            continue;
        }
        let work = || -> Result<()> {
            let sealed = inner.seal_due()?;
            if sealed || ticks.is_multiple_of(BLOCK_TICKS) {
                inner.enforce_retention()?;
                inner.compact()?;
            }
            Ok(())
        };
        failed_at = work().err().map(|error| {
            tracing::error!(%error, "the background work of the log store failed; it is tried again later");
            ticks
        });
    }
}

impl Inner {
    /// Whether the head is to be sealed.
    fn is_due(&self) -> bool {
        let state = self.state.read();
        let old_ns = self.clock.now_ns().saturating_sub(SEAL_AGE.as_nanos() as u64);
        state.sealing.is_some()
            || state.current.bytes() >= self.seal_bytes()
            || state.current.since_ns().is_some_and(|since_ns| since_ns < old_ns)
    }

    pub(crate) fn seal(&self) -> Result<bool> {
        let _one_at_a_time = self.maintenance.lock();
        self.seal_head()
    }

    /// Seals the head if it is due. Asked before the lock is held, a generation that somebody else is just sealing would
    /// look like one that failed, and the few entries behind it would become a block of their own.
    fn seal_due(&self) -> Result<bool> {
        let _one_at_a_time = self.maintenance.lock();
        if self.is_due() { self.seal_head() } else { Ok(false) }
    }

    fn seal_head(&self) -> Result<bool> {
        let (generation, last) = {
            let mut state = self.state.write();
            // One that failed before is tried again.
            if state.sealing.is_none() {
                if state.current.rows() == 0 {
                    return Ok(false);
                }
                let last = self.wal.cut()?;
                let full = std::mem::take(&mut state.current);
                state.sealing = Some((full, last));
            }
            match &state.sealing {
                Some((generation, last)) => (Arc::clone(generation), *last),
                None => return Ok(false),
            }
        };
        let plan = Plan { id: self.next_id(), last_wal: last.0, sources: Vec::new() };
        let block = Arc::new(seal::seal(&self.directory, &generation, plan)?);
        let (entries, bytes) = (block.meta.entries, block.meta.manifest.file_bytes);
        {
            let mut state = self.state.write();
            state.blocks.push(block);
            state.sealing = None;
        }
        tracing::debug!(entries, bytes, "entries were sealed");
        self.wal.remove_through(last)?;
        Ok(true)
    }

    /// Identifiers grow, so that blocks sort by age, also when the clock is set back.
    fn next_id(&self) -> Ulid {
        let mut state = self.state.write();
        let now_ms = self.clock.now_ns() / 1_000_000;
        let id = match state.last_id {
            Some(last) => Ulid::from_parts(now_ms.max(last.timestamp_ms() + 1), last.random()),
            None => Ulid::from_parts(now_ms, u128::from(std::process::id()) << 32 | u128::from(now_ms)),
        };
        state.last_id = Some(id);
        id
    }

    pub(crate) fn compact(&self) -> Result<usize> {
        let _one_at_a_time = self.maintenance.lock();
        let mut replaced = 0;
        while !self.stopping.load(Ordering::Acquire) {
            let blocks = self.state.read().blocks.clone();
            let Some(sources) = self.to_merge(&blocks) else { break };
            let plan = Plan {
                id: self.next_id(),
                last_wal: sources.iter().map(|block| block.meta.manifest.last_wal).max().unwrap_or_default(),
                sources: sources.iter().map(|block| block.meta.id()).collect(),
            };
            let merged = match seal::merge(&self.directory, &sources, plan) {
                Ok(merged) => Arc::new(merged),
                Err(error) => {
                    self.set_aside_broken(&self.snapshot());
                    return Err(error);
                }
            };
            {
                let mut state = self.state.write();
                state.blocks.retain(|block| !merged.meta.manifest.sources.contains(&block.meta.id()));
                state.blocks.push(merged);
            }
            replaced += sources.len();
            for block in sources {
                self.directory.remove(block.dir())?;
            }
        }
        Ok(replaced)
    }

    /// The oldest blocks of one size that are to become one.
    fn to_merge(&self, blocks: &[Arc<Block>]) -> Option<Vec<Arc<Block>>> {
        let longest = (self.config.retention_age / MERGED_SPAN_PARTS).max(MERGED_SPAN_ALWAYS);
        let longest_ns = i64::try_from(longest.as_nanos()).unwrap_or(i64::MAX);
        let size =
            |block: &Block| MERGE_SIZES.iter().position(|bound| block.meta.manifest.file_bytes < *bound);
        for wanted in 0..MERGE_SIZES.len() {
            let mut same: Vec<_> = blocks.iter().filter(|block| size(block) == Some(wanted)).collect();
            same.sort_by_key(|block| block.meta.time_span());
            let fits = |window: &&[&Arc<Block>]| {
                let first_ns = window.iter().map(|block| block.meta.time_span().0).min().unwrap_or(0);
                let last_ns = window.iter().map(|block| block.meta.time_span().1).max().unwrap_or(0);
                last_ns.saturating_sub(first_ns) <= longest_ns
            };
            if let Some(window) = same.windows(MERGE_COUNT).find(fits) {
                let mut sources: Vec<_> = window.iter().map(|block| Arc::clone(block)).collect();
                // Of entries of one time, those of older blocks come first.
                sources.sort_by_key(|block| block.meta.id());
                return Some(sources);
            }
        }
        None
    }

    pub(crate) fn enforce_retention(&self) -> Result<usize> {
        let _one_at_a_time = self.maintenance.lock();
        let now_ns = self.clock.now_ns() as i64;
        let oldest_ns = now_ns.saturating_sub_unsigned(self.config.retention_age.as_nanos() as u64);
        let dropped: Vec<Arc<Block>> = {
            let mut state = self.state.write();
            let mut by_age = state.blocks.clone();
            by_age.sort_by_key(|block| block.meta.time_span().1);
            let mut bytes: u64 = by_age.iter().map(|block| block.meta.manifest.file_bytes).sum();
            let too_much = |block: &Arc<Block>| {
                let drop = block.meta.time_span().1 < oldest_ns || bytes > self.config.retention_bytes;
                if drop {
                    bytes -= block.meta.manifest.file_bytes;
                }
                drop
            };
            let dropped: Vec<_> = by_age.into_iter().take_while(too_much).collect();
            state.blocks.retain(|block| !dropped.iter().any(|gone| gone.meta.id() == block.meta.id()));
            dropped
        };
        for block in &dropped {
            tracing::debug!(block = %block.dir().display(), "a block is past its retention");
            self.directory.remove(block.dir())?;
        }
        Ok(dropped.len())
    }
}
