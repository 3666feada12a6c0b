//! What happens in the background: what is past goes to blocks, blocks are put together, old ones go, the log is cut
//! short by checkpoints.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::block::{self, Block};
use crate::checkpoint::Snapshot;
use crate::{Inner, Result, millis};

/// How often the background work looks around without being woken.
const INTERVAL: Duration = Duration::from_secs(15);

/// Most segments: each start begins one, however little is written.
const MAX_SEGMENTS: u64 = 32;

/// Shares of the memory limit, in eighths: above the first, samples go to blocks until the second is reached.
const HIGH_WATER: usize = 7;
const LOW_WATER: usize = 6;

impl Inner {
    pub(crate) fn maintain(&self) -> Result<()> {
        let _maintaining = self.maintaining.lock();
        self.head.rank();
        let mut sealed = self.seal_past()?;
        if self.is_nearly_full() {
            sealed |= self.seal_to(self.config.memory_bytes / 8 * LOW_WATER)?;
        }
        self.drop_old();
        if sealed || self.checkpoint_is_due() {
            self.write_checkpoint()?;
        }
        self.drop_blocks()?;
        self.compact()
    }

    /// Drops samples of the head that are past their age.
    fn drop_old(&self) {
        let before_ms = self.oldest_ms();
        if self.head.min_time_ms() < before_ms {
            // Held, so that nothing that was judged against a series meets it gone.
            let _writer = self.writer.lock();
            let dropped = self.head.truncate(before_ms);
            tracing::debug!(?dropped, before_ms, "samples past the retention were dropped");
        }
    }

    /// Samples before this are past their age.
    fn oldest_ms(&self) -> i64 {
        self.clock.now_ms().saturating_sub(millis(self.config.retention_age))
    }

    /// Removes blocks that are past their age, and the oldest where they take too many bytes.
    fn drop_blocks(&self) -> Result<()> {
        let before_ms = self.oldest_ms();
        let blocks = self.blocks();
        let mut bytes: u64 = blocks.iter().map(|block| block.bytes()).sum();
        let (mut kept, mut dropped) = (Vec::with_capacity(blocks.len()), Vec::new());
        for block in blocks.iter() {
            if block.meta().max_time <= before_ms || bytes > self.config.retention_bytes {
                bytes -= block.bytes();
                dropped.push(Arc::clone(block));
            } else {
                kept.push(Arc::clone(block));
            }
        }
        if dropped.is_empty() {
            return Ok(());
        }
        *self.blocks.write() = Arc::new(kept);
        for block in dropped {
            tracing::info!(block = %block.meta().ulid, "a block is past the retention");
            self.directory.remove(&block)?;
        }
        Ok(())
    }

    /// Puts blocks together until there is nothing left to put together.
    fn compact(&self) -> Result<()> {
        let ranges = block::ranges(millis(self.config.retention_age));
        loop {
            let blocks = self.blocks();
            let metas: Vec<_> = blocks.iter().map(|block| block.meta()).collect();
            let planned = block::plan(&metas, &ranges);
            if planned.is_empty() || self.stopping.load(Ordering::Relaxed) {
                return Ok(());
            }
            let replaced: Vec<Arc<Block>> =
                blocks.iter().filter(|block| planned.contains(&block.meta().ulid)).cloned().collect();
            self.replace(&replaced)?;
            tracing::info!(blocks = replaced.len(), "blocks were put together");
        }
    }

    /// Whether the background work should not wait for its time.
    pub(crate) fn work_is_due(&self) -> bool {
        if self.checkpoint_is_due() || self.head.ranking_is_due() {
            return true;
        }
        // Where making room did not help, trying at every write would not either.
        let now_ms = self.clock.now_ms();
        self.is_nearly_full()
            && self.made_room_ms.fetch_max(now_ms, Ordering::Relaxed) <= now_ms.saturating_sub(1000)
    }

    fn is_nearly_full(&self) -> bool {
        self.head.bytes() > self.config.memory_bytes / 8 * HIGH_WATER
    }

    /// Whether the log is long enough for a checkpoint: longer than is configured, and than the last checkpoint was,
    /// so that writing checkpoints costs no more than writing the log.
    pub(crate) fn checkpoint_is_due(&self) -> bool {
        let last = self.checkpoint_bytes.load(Ordering::Relaxed);
        let wal = self.wal.stats();
        wal.bytes > self.config.checkpoint_bytes.max(last) || wal.segments > MAX_SEGMENTS
    }

    /// Writes a checkpoint and removes the segments that it covers.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        let _maintaining = self.maintaining.lock();
        self.write_checkpoint()
    }

    fn write_checkpoint(&self) -> Result<()> {
        let (snapshot, covered) = {
            let writer = self.writer.lock();
            let covered = self.wal.cut()?;
            (Snapshot::take(&self.head, covered, writer.next_id), covered)
        };
        let bytes = snapshot.write(&self.config.wal_dir)?;
        self.checkpoint_bytes.store(bytes, Ordering::Relaxed);
        Ok(self.wal.remove_through(covered)?)
    }
}

/// The thread that does the background work.
#[derive(Debug)]
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    woken: bool,
}

impl Keeper {
    pub(crate) fn start(inner: &Arc<Inner>) -> Self {
        let shared = Arc::new(Shared::default());
        let (weak, theirs) = (Arc::downgrade(inner), Arc::clone(&shared));
        let thread =
            std::thread::Builder::new().name("tsdb-keeper".to_owned()).spawn(move || keep(&weak, &theirs));
        if let Err(error) = &thread {
            tracing::error!(%error, "no thread for the metrics store's background work: nothing old will be dropped");
        }
        Self { shared, thread: Mutex::new(thread.ok()) }
    }

    /// Has the work done now.
    pub(crate) fn wake_if(&self, needed: bool) {
        if needed {
            self.shared.state.lock().woken = true;
            self.shared.changed.notify_all();
        }
    }

    /// Waits until the work that runs has ended, and lets no more begin.
    pub(crate) fn stop(&self) {
        self.shared.state.lock().stopping = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            // It panicked, and the panic was printed.
            _ = thread.join();
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

fn keep(inner: &Weak<Inner>, shared: &Shared) {
    let mut failed = false;
    loop {
        let until = Instant::now() + INTERVAL;
        {
            let mut state = shared.state.lock();
            // After a failure nobody's hurry counts: a full disk is not emptied by trying at every write.
            while !state.stopping && (failed || !state.woken) {
                if shared.changed.wait_until(&mut state, until).timed_out() {
                    break;
                }
            }
            if state.stopping {
                return;
            }
            state.woken = false;
        }
        let Some(inner) = inner.upgrade() else { return };
        let result = inner.maintain();
        failed = result.is_err();
        if let Err(error) = result {
            tracing::error!(%error, "the metrics store's background work failed; it is tried again");
        }
    }
}
