//! The spans that are not yet in a block, and the log that keeps them.
//!
//! A request goes into the log and then into the active segment, under one lock, so that the log's segments and the
//! head's generations hold the same requests: when a generation is cut, the log is cut too, and the block that is made
//! of the generation covers the log up to there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use otlp::traces::Batch;
use parking_lot::{Mutex, RwLock};
use wal::{Position, SegmentId, Wal};

use crate::block::Block;
use crate::record;
use crate::segment::Segment;
use crate::{Error, Result};

/// Bytes past which a new segment of the log is begun when the head begins one of its own.
const WAL_SEGMENT_BYTES: u64 = 16 << 20;

/// A segment that may still be appended to.
pub(crate) type Shared = Arc<RwLock<Segment>>;

/// What a query looks at: everything at one moment. Spans that arrive later may be seen in the newest segment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) segments: Vec<Shared>,
    pub(crate) blocks: Arc<Vec<Arc<Block>>>,
}

/// Spans that become one block.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) segments: Vec<Shared>,
    /// The last segment of the log with its requests.
    pub(crate) last_wal: SegmentId,
    bytes: usize,
}

/// The head with its log, and the list of blocks beside it, because both change in one step when a block is sealed.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) wal: Wal,
    /// Held while a request goes into log and head, and while a generation is cut.
    ingest: Mutex<Ingest>,
    state: RwLock<State>,
    /// Memory of all segments but the active one.
    frozen_bytes: AtomicUsize,
    /// The part of it that belongs to the generation that is being filled.
    current_bytes: AtomicUsize,
    active_bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct Ingest {
    closed: bool,
    /// When the first request of the current generation came.
    oldest_ns: Option<u64>,
}

#[derive(Debug)]
struct State {
    active: Shared,
    /// Full segments of the current generation.
    frozen: Vec<Shared>,
    /// Generations that wait to be sealed, oldest first.
    cut: Vec<Arc<Generation>>,
    blocks: Arc<Vec<Arc<Block>>>,
}

impl Head {
    pub(crate) fn new(wal: Wal, replayed: Vec<Segment>, blocks: Vec<Arc<Block>>, now_ns: u64) -> Self {
        let mut segments: Vec<Shared> =
            replayed.into_iter().map(|segment| Arc::new(RwLock::new(segment))).collect();
        let active = segments.pop().unwrap_or_default();
        let frozen_bytes = segments.iter().map(|segment| segment.read().bytes()).sum();
        let (active_bytes, is_empty) = {
            let active = active.read();
            (active.bytes(), active.rows() == 0 && segments.is_empty())
        };
        Self {
            wal,
            ingest: Mutex::new(Ingest { closed: false, oldest_ns: (!is_empty).then_some(now_ns) }),
            state: RwLock::new(State { active, frozen: segments, cut: Vec::new(), blocks: Arc::new(blocks) }),
            frozen_bytes: AtomicUsize::new(frozen_bytes),
            current_bytes: AtomicUsize::new(frozen_bytes),
            active_bytes: AtomicUsize::new(active_bytes),
        }
    }

    /// Keeps a request. The result says where the log stands behind it.
    pub(crate) fn append(&self, batch: &Batch<'_>, now_ns: u64, limit: usize) -> Result<Position> {
        let bytes = self.bytes();
        if bytes >= limit {
            return Err(Error::Full { bytes, limit });
        }
        let mut ingest = self.ingest.lock();
        if ingest.closed {
            return Err(Error::Closed);
        }
        let position = self.wal.append(&[&record::header(now_ns, batch.limits()), batch.request()])?;
        ingest.oldest_ns.get_or_insert(now_ns);
        let active = self.state.read().active.clone();
        let (bytes, is_full) = {
            let mut segment = active.write();
            segment.insert(batch);
            (segment.bytes(), segment.is_full())
        };
        self.active_bytes.store(bytes, Ordering::Relaxed);
        if is_full {
            self.freeze(&active);
            // A replay reads a segment of the log as a whole. If it cannot be cut now, it is with the next one.
            if self.wal.active_bytes() >= WAL_SEGMENT_BYTES
                && let Err(error) = self.wal.cut()
            {
                tracing::warn!(%error, "the trace log goes on in a long segment");
            }
        }
        Ok(position)
    }

    /// Puts an empty segment in the place of the active one. The caller holds the ingest lock.
    fn freeze(&self, active: &Shared) {
        let mut state = self.state.write();
        state.frozen.push(Arc::clone(active));
        state.active = Shared::default();
        drop(state);
        let bytes = {
            let mut segment = active.write();
            segment.freeze();
            segment.bytes()
        };
        self.frozen_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.current_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.active_bytes.store(0, Ordering::Relaxed);
    }

    /// Makes what came so far a generation of its own, to be sealed. Does nothing if nothing came.
    pub(crate) fn cut(&self) -> Result<()> {
        let mut ingest = self.ingest.lock();
        let active = self.state.read().active.clone();
        if active.read().rows() > 0 {
            self.freeze(&active);
        }
        if self.state.read().frozen.is_empty() {
            return Ok(());
        }
        let last_wal = self.wal.cut()?;
        ingest.oldest_ns = None;
        self.current_bytes.store(0, Ordering::Relaxed);
        let mut state = self.state.write();
        let segments = std::mem::take(&mut state.frozen);
        let bytes = segments.iter().map(|segment| segment.read().bytes()).sum();
        state.cut.push(Arc::new(Generation { segments, last_wal, bytes }));
        Ok(())
    }

    /// The oldest generation that waits to be sealed.
    pub(crate) fn next_cut(&self) -> Option<Arc<Generation>> {
        self.state.read().cut.first().cloned()
    }

    /// Memory of the generation that is being filled.
    pub(crate) fn current_bytes(&self) -> usize {
        self.current_bytes.load(Ordering::Relaxed) + self.active_bytes.load(Ordering::Relaxed)
    }

    /// When the first request of the generation that is being filled came.
    pub(crate) fn oldest_ns(&self) -> Option<u64> {
        self.ingest.lock().oldest_ns
    }

    /// Puts a block in the place of a generation: no query sees both or neither.
    pub(crate) fn sealed(&self, generation: &Arc<Generation>, block: Option<Arc<Block>>) {
        let mut state = self.state.write();
        state.cut.retain(|waiting| !Arc::ptr_eq(waiting, generation));
        let mut blocks = state.blocks.to_vec();
        blocks.extend(block);
        state.blocks = Arc::new(blocks);
        drop(state);
        self.frozen_bytes.fetch_sub(generation.bytes, Ordering::Relaxed);
    }

    /// Puts a block in the place of others.
    pub(crate) fn replace_blocks(&self, old: &[Arc<Block>], new: Option<Arc<Block>>) {
        let mut state = self.state.write();
        let mut blocks = state.blocks.to_vec();
        blocks.retain(|block| !old.iter().any(|old| Arc::ptr_eq(old, block)));
        blocks.extend(new);
        state.blocks = Arc::new(blocks);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let state = self.state.read();
        let mut segments: Vec<Shared> =
            state.cut.iter().flat_map(|generation| &generation.segments).cloned().collect();
        segments.extend(state.frozen.iter().cloned());
        segments.push(Arc::clone(&state.active));
        Snapshot { segments, blocks: Arc::clone(&state.blocks) }
    }

    /// Memory of the head, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.frozen_bytes.load(Ordering::Relaxed) + self.active_bytes.load(Ordering::Relaxed)
    }

    /// Refuses appends from here on.
    pub(crate) fn close(&self) {
        self.ingest.lock().closed = true;
    }
}
