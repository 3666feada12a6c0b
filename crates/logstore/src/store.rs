//! The store itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use blocks::{Directory, Ulid};
use model::{Clock, Labels, LogStream, Matcher, TimeRange};
use parking_lot::{Condvar, Mutex, RwLock};
use wal::{SegmentId, Wal};

use crate::block::{self, Block};
use crate::head::{Generation, Inserted};
use crate::intake::{self, Refusals};
use crate::query::{Select, Selection, Snapshot, StreamVolume};
use crate::{Appended, Config, Error, Result, Stats, maintenance, record};

/// Most bytes that the result of a query may take.
const MAX_RESULT_BYTES: usize = 128 << 20;

/// The store. Dropping it stops its background work.
#[derive(Debug)]
pub struct LogStore {
    inner: Arc<Inner>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) wal: Wal,
    pub(crate) directory: Directory,
    /// Held shared by appends, exclusively while the log is cut and the generation is changed with it, so that a
    /// block holds just what the segments up to the cut hold.
    pub(crate) state: RwLock<State>,
    /// Held by whoever seals, merges or drops blocks: one at a time.
    pub(crate) maintenance: Mutex<()>,
    pub(crate) stopping: AtomicBool,
    pub(crate) wake: (Mutex<bool>, Condvar),
}

#[derive(Debug, Default)]
pub(crate) struct State {
    /// By identifier, which is by age.
    pub(crate) blocks: Vec<Arc<Block>>,
    /// The generation that is being sealed, with the last segment of the log that it covers.
    pub(crate) sealing: Option<(Arc<Generation>, SegmentId)>,
    pub(crate) current: Arc<Generation>,
    /// The newest identifier that was given out.
    pub(crate) last_id: Option<Ulid>,
}

impl LogStore {
    /// Opens the store: lists the blocks, replays what of the log they do not cover, starts sealing in the background.
    pub fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Self> {
        let directory = Directory::open(&config.blocks_dir)?;
        let opened = block::open_all(&directory)?;
        let generation = Arc::new(Generation::default());
        let mut unreadable = 0_u64;
        let now_ns = clock.now_ns();
        let wal_config = wal::Config { sync: config.wal_sync, ..wal::Config::new(&config.wal_dir) };
        let (wal, recovery) = Wal::open_after(wal_config, opened.last_wal.map(SegmentId), |_, bytes| {
            match record::decode(bytes) {
                Ok(streams) => _ = generation.insert(&streams, now_ns),
                Err(error) => {
                    unreadable += 1;
                    tracing::error!(%error, "a record of the log of entries was left out");
                }
            }
        })?;
        if !recovery.damage.is_empty() {
            tracing::warn!(damage = ?recovery.damage, "the log of entries was damaged");
        }
        let (blocks, entries) = (opened.blocks.len(), generation.rows());
        tracing::info!(records = recovery.records, entries, blocks, unreadable, "log store opened");
        let last_id = opened.blocks.last().map(|block| block.meta.id());
        let state = State { blocks: opened.blocks, sealing: None, current: generation, last_id };
        let inner = Arc::new(Inner {
            config,
            clock,
            wal,
            directory,
            state: RwLock::new(state),
            maintenance: Mutex::new(()),
            stopping: AtomicBool::new(false),
            wake: (Mutex::new(false), Condvar::new()),
        });
        let worker = maintenance::start(&inner)?;
        Ok(Self { inner, worker: Mutex::new(Some(worker)) })
    }

    /// Keeps entries: first in the log, then in the head. When this returns, the next query finds them.
    pub fn append(&self, streams: &[LogStream]) -> Result<Appended> {
        let inner = &*self.inner;
        let now_ns = inner.clock.now_ns();
        let mut refusals = Refusals::default();
        let prepared = intake::prepare(streams, &inner.config.limits, now_ns, &mut refusals);

        let state = inner.state.read();
        if inner.stopping.load(Ordering::Acquire) {
            return Err(Error::ShutDown);
        }
        let admitted = state.current.admit(prepared, inner.config.limits.max_streams, &mut refusals);
        let mut inserted = Inserted::default();
        if !admitted.is_empty() {
            let (bytes, limit) = (state.head_bytes(), inner.config.memory_bytes);
            if bytes >= limit {
                drop(state);
                inner.wake();
                return Err(Error::Full { bytes, limit });
            }
            let position = inner.wal.append(&[&record::encode(&admitted)])?;
            inserted = state.current.insert(&admitted, now_ns);
            let seal = state.sealing.is_none() && state.current.bytes() >= inner.seal_bytes();
            drop(state);
            if seal {
                inner.wake();
            }
            inner.wal.commit(position)?;
        }
        Ok(Appended {
            accepted: inserted.entries + inserted.duplicates,
            duplicates: inserted.duplicates,
            rejected: refusals.into_rejected(),
        })
    }

    /// The entries that satisfy a query.
    ///
    /// Damage that is met in a block is an error of this query; the block is set aside, and later queries go on without
    /// it.
    pub fn select(&self, select: &Select<'_>) -> Result<Selection> {
        let snapshot = self.inner.snapshot();
        let result = snapshot.select(select, MAX_RESULT_BYTES);
        if result.is_err() {
            self.inner.set_aside_broken(&snapshot);
        }
        result
    }

    /// The streams with entries in the range whose labels satisfy every matcher, by their labels.
    pub fn streams(&self, range: TimeRange, matchers: &[Matcher]) -> Vec<Arc<Labels>> {
        self.inner.snapshot().streams(range, matchers)
    }

    /// How much is kept of those streams. Of blocks, whole pieces are counted, also where only a part of them lies in the
    /// range.
    pub fn volumes(&self, range: TimeRange, matchers: &[Matcher]) -> Vec<StreamVolume> {
        self.inner.snapshot().volumes(range, matchers)
    }

    /// Seals what is in memory now, instead of waiting for size or age. Returns whether there was something.
    pub fn seal(&self) -> Result<bool> {
        self.inner.seal()
    }

    /// Merges small blocks now, as far as they are to be merged. Returns how many blocks were replaced.
    pub fn compact(&self) -> Result<usize> {
        self.inner.compact()
    }

    /// Drops blocks that are too old or too many now. Returns how many.
    pub fn enforce_retention(&self) -> Result<usize> {
        self.inner.enforce_retention()
    }

    /// The store's figures.
    pub fn stats(&self) -> Stats {
        let state = self.inner.state.read();
        Stats {
            head_items: state.generations().map(|generation| generation.rows()).sum(),
            head_bytes: state.head_bytes() as u64,
            wal: self.inner.wal.stats(),
            blocks: state.blocks.len() as u64,
            block_bytes: state.blocks.iter().map(|block| block.meta.manifest.file_bytes).sum(),
            block_items: state.blocks.iter().map(|block| block.meta.entries).sum(),
        }
    }

    /// Stops the background work, seals nothing, syncs the log. Appends are refused from here on; queries are answered
    /// still.
    pub fn shutdown(&self) -> Result<()> {
        self.stop();
        // An append that was under way has the state; behind it nothing is written any more.
        drop(self.inner.state.write());
        Ok(self.inner.wal.sync()?)
    }

    fn stop(&self) {
        self.inner.stopping.store(true, Ordering::Release);
        self.inner.wake();
        if let Some(worker) = self.worker.lock().take()
            && worker.join().is_err()
        {
            tracing::error!("the background work of the log store panicked");
        }
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        self.stop();
    }
}

impl State {
    pub(crate) fn generations(&self) -> impl Iterator<Item = &Arc<Generation>> {
        self.sealing.iter().map(|(generation, _)| generation).chain([&self.current])
    }

    pub(crate) fn head_bytes(&self) -> usize {
        self.generations().map(|generation| generation.bytes()).sum()
    }
}

impl Inner {
    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.state.read();
        Snapshot { blocks: state.blocks.clone(), generations: state.generations().cloned().collect() }
    }

    /// Size of the current generation at which it is sealed.
    pub(crate) fn seal_bytes(&self) -> usize {
        self.config.memory_bytes / 4
    }

    /// Lets the background work look at once.
    pub(crate) fn wake(&self) {
        *self.wake.0.lock() = true;
        self.wake.1.notify_one();
    }

    pub(crate) fn set_aside_broken(&self, snapshot: &Snapshot) {
        for block in snapshot.blocks.iter().filter(|block| block.is_broken()) {
            let known = {
                let mut state = self.state.write();
                let before = state.blocks.len();
                state.blocks.retain(|other| other.meta.id() != block.meta.id());
                state.blocks.len() < before
            };
            if known {
                tracing::error!(block = %block.dir().display(), "a block is damaged; it is set aside");
                if let Err(error) = self.directory.set_aside(block.dir()) {
                    tracing::error!(%error, "a damaged block cannot be renamed");
                }
            }
        }
    }
}
