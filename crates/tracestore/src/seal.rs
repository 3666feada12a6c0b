//! The background work: from head to block, small blocks into larger ones, old ones away.
//!
//! The order of the steps is what makes a crash harmless. A generation and the log's segments up to its cut hold the same
//! requests. The block is written under another name, forced to the disk and renamed; from then on a start skips the log
//! up to the segment that the block names. Then the block takes the generation's place in the head, and last the log's
//! segments go. A merged block names the blocks that it replaces; a start removes those that are still there.

mod compact;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use blocks::{Directory, Ulid, io_error};
use model::Clock;
use parking_lot::{Condvar, Mutex};

use crate::block::{self, Block, Cache, Plan};
use crate::head::{Generation, Head};
use crate::segment::Segment;
use crate::{Config, Error, Result};

/// How often ages are looked at.
const TICK: Duration = Duration::from_secs(1);

/// What the background thread works with.
#[derive(Debug)]
pub(crate) struct Sealer {
    config: Config,
    directory: Directory,
    head: Arc<Head>,
    cache: Arc<Cache>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    wake: Condvar,
    /// One at a time seals, compacts or drops.
    working: Mutex<()>,
    /// Makes identifiers of blocks of one millisecond different.
    ids: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    stopping: bool,
    woken: bool,
}

impl Sealer {
    pub(crate) fn new(
        config: Config,
        directory: Directory,
        head: Arc<Head>,
        cache: Arc<Cache>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            config,
            directory,
            head,
            cache,
            clock,
            state: Mutex::default(),
            wake: Condvar::new(),
            working: Mutex::new(()),
            ids: AtomicU64::new(0),
        }
    }

    /// Starts the thread. It runs at the lowest priority, so that on a busy machine requests come first.
    pub(crate) fn start(sealer: &Arc<Self>) -> Result<JoinHandle<()>> {
        let own = Arc::clone(sealer);
        let thread = std::thread::Builder::new()
            .name("trace-seal".to_owned())
            .spawn(move || {
                // On Linux this is the priority of the calling thread alone.
                if let Err(error) = rustix::process::setpriority_process(None, 19) {
                    tracing::debug!(%error, "the sealing thread keeps its priority");
                }
                own.run();
            })
            .map_err(io_error("start the sealing thread of", &sealer.config.blocks_dir))?;
        Ok(thread)
    }

    fn run(&self) {
        loop {
            {
                let mut state = self.state.lock();
                if !state.stopping && !state.woken {
                    self.wake.wait_for(&mut state, TICK);
                }
                if state.stopping {
                    return;
                }
                state.woken = false;
            }
            // A panic must not end the sealing for good: the head would fill up and refuse everything.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.run_once()));
            let error = match outcome {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("panicked".to_owned()),
            };
            if let Some(error) = error {
                tracing::error!(error, "sealing traces failed; it is tried again");
                // Not at once: a full disk would be asked without a pause.
                let mut state = self.state.lock();
                if !state.stopping {
                    self.wake.wait_for(&mut state, TICK);
                }
            }
        }
    }

    /// Whether an append calls for sealing now rather than at the next tick.
    pub(crate) fn is_due<T>(&self, appended: &Result<T>) -> bool {
        matches!(appended, Err(Error::Full { .. })) || self.head.current_bytes() >= self.config.seal_bytes
    }

    pub(crate) fn wake(&self) {
        let mut state = self.state.lock();
        if !state.woken {
            state.woken = true;
            self.wake.notify_all();
        }
    }

    pub(crate) fn stop(&self) {
        self.state.lock().stopping = true;
        self.wake.notify_all();
    }

    fn is_stopping(&self) -> bool {
        self.state.lock().stopping
    }

    /// Everything that is due now.
    pub(crate) fn run_once(&self) -> Result<()> {
        let _working = self.working.lock();
        let is_old = self.head.oldest_ns().is_some_and(|oldest_ns| {
            self.clock.now_ns().saturating_sub(oldest_ns) >= self.config.seal_age.as_nanos() as u64
        });
        let is_full = self.head.bytes() >= self.config.memory_bytes;
        if is_old || is_full || self.head.current_bytes() >= self.config.seal_bytes {
            self.head.cut()?;
        }
        self.seal_cut()?;
        self.set_broken_aside();
        self.drop_old();
        if !self.is_stopping() {
            self.compact()?;
        }
        Ok(())
    }

    /// Seals the whole head.
    pub(crate) fn seal_all(&self) -> Result<()> {
        let _working = self.working.lock();
        self.head.cut()?;
        self.seal_cut()
    }

    fn seal_cut(&self) -> Result<()> {
        while let Some(generation) = self.head.next_cut() {
            if self.is_stopping() {
                // The log has it all; the next start goes on here.
                return Ok(());
            }
            self.seal_generation(&generation)?;
        }
        Ok(())
    }

    fn seal_generation(&self, generation: &Arc<Generation>) -> Result<()> {
        let guards: Vec<_> = generation.segments.iter().map(|segment| segment.read()).collect();
        let segments: Vec<&Segment> = guards.iter().map(|guard| &**guard).collect();
        let plan = Plan {
            id: self.next_id(),
            sealed_ms: self.clock.now_ns() / 1_000_000,
            last_wal: generation.last_wal.0,
            sources: Vec::new(),
        };
        let block = self.write(&segments, plan)?;
        drop(segments);
        drop(guards);
        self.head.sealed(generation, Some(block));
        self.head.wal.remove_through(generation.last_wal)?;
        Ok(())
    }

    fn write(&self, segments: &[&Segment], plan: Plan) -> Result<Arc<Block>> {
        let (dir, meta) = block::write(&self.directory, segments, plan)?;
        Ok(Arc::new(Block::new(self.directory.clone(), dir, meta, Arc::clone(&self.cache))))
    }

    /// An identifier that is later than all others of this process, and most likely unlike those of others.
    fn next_id(&self) -> Ulid {
        let count = self.ids.fetch_add(1, Ordering::Relaxed);
        let random = rand_bits();
        Ulid::from_parts(self.clock.now_ns() / 1_000_000, u128::from(count) << 64 | u128::from(random))
    }

    fn set_broken_aside(&self) {
        for block in self.head.snapshot().blocks.iter().filter(|block| block.is_broken()) {
            self.head.replace_blocks(std::slice::from_ref(block), None);
            if let Err(error) = self.directory.set_aside(block.dir()) {
                tracing::error!(%error, "a damaged block could not be set aside");
            }
        }
    }

    /// Drops blocks that are too old, and the oldest ones where all are too large together.
    fn drop_old(&self) {
        let snapshot = self.head.snapshot();
        let mut blocks: Vec<&Arc<Block>> = snapshot.blocks.iter().collect();
        blocks.sort_by_key(|block| (block.meta().sealed_ms, block.bounds().max_end_ns));
        let now_ms = self.clock.now_ns() / 1_000_000;
        let mut bytes: u64 = blocks.iter().map(|block| block.meta().manifest.file_bytes).sum();
        for block in blocks {
            let age_ms = now_ms.saturating_sub(block.meta().sealed_ms);
            let too_old = u128::from(age_ms) > self.config.retention_age.as_millis();
            if !too_old && bytes <= self.config.retention_bytes {
                break;
            }
            bytes -= block.meta().manifest.file_bytes;
            tracing::info!(block = %block.dir().display(), too_old, "a block has reached the end of its retention");
            self.drop_block(block, None);
        }
    }

    fn drop_block(&self, block: &Arc<Block>, replacement: Option<Arc<Block>>) {
        block.remove_when_unused();
        self.head.replace_blocks(std::slice::from_ref(block), replacement);
    }
}

/// Random bits from the hasher that the standard library seeds for each map.
fn rand_bits() -> u64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
