//! What happens in the background: old samples go, the log is cut short by checkpoints.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::checkpoint::Snapshot;
use crate::{Inner, Result, millis};

/// How often the background work looks around without being woken.
const INTERVAL: Duration = Duration::from_secs(15);

/// Most segments: each start begins one, however little is written.
const MAX_SEGMENTS: u64 = 32;

/// Shares of the memory limit, in eighths: above the first, old samples go until the second is reached.
const HIGH_WATER: usize = 7;
const LOW_WATER: usize = 6;

impl Inner {
    pub(crate) fn maintain(&self) -> Result<()> {
        self.drop_old();
        if self.checkpoint_is_due() {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Drops samples that are past their age, and the oldest where memory runs short.
    fn drop_old(&self) {
        let retention_ms = millis(self.config.retention_age);
        let before_ms = self.clock.now_ms().saturating_sub(retention_ms);
        // Held, so that nothing that was judged against a series meets it gone.
        let _writer = self.writer.lock();
        if self.head.min_time_ms() < before_ms {
            let dropped = self.head.truncate(before_ms);
            tracing::debug!(?dropped, before_ms, "samples past the retention were dropped");
        }
        if self.head.bytes() > self.config.memory_bytes / 8 * HIGH_WATER {
            self.make_room();
        }
    }

    /// Drops the oldest samples until memory is below the low-water mark. The caller holds the writer's lock.
    pub(crate) fn make_room(&self) {
        let target = self.config.memory_bytes / 8 * LOW_WATER;
        let Some(too_much) = self.head.bytes().checked_sub(target) else { return };
        let Some(before_ms) = self.head.time_to_free(too_much) else { return };
        // What is younger than the lookback is in use: rather refuse than forget it.
        let newest_ms = self.head.max_time_ms();
        let before_ms = before_ms.min(newest_ms.saturating_sub(300_000));
        let dropped = self.head.truncate(before_ms);
        tracing::warn!(
            ?dropped,
            before_ms,
            "the metrics head is nearly full: its oldest samples were dropped"
        );
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
        let _checkpointing = self.checkpointing.lock();
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
