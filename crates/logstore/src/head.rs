//! What is in memory: generations of segments.
//!
//! A *generation* is what one block will hold. The current one takes entries; when it is sealed, the log is cut at the
//! same moment, the next one takes over, and the old one stays to be queried until its block is published.
//!
//! Within a generation one *segment* is active. It is shared copy-on-write: a query takes it as it stands and scans
//! without a lock, and the next append copies it, if a query still holds it, which is cheap because a segment is small.
//! A full segment is frozen and never written again.

pub(crate) mod segment;

use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::index::{StreamId, StreamIndex};
use crate::intake::{Refusals, Stream};
use crate::limits::too_many_streams;
use segment::Segment;

/// Bytes and rows at which a segment is frozen.
const SEGMENT_BYTES: usize = 1 << 20;
const SEGMENT_ROWS: usize = 16 << 10;

/// What one block will hold.
#[derive(Debug, Default)]
pub(crate) struct Generation {
    index: RwLock<StreamIndex>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    frozen: Vec<Arc<Segment>>,
    frozen_bytes: usize,
    active: Arc<Segment>,
    rows: u64,
    /// When the first entry was taken, by the store's clock.
    since_ns: Option<u64>,
}

/// What an append did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Inserted {
    pub(crate) entries: u64,
    pub(crate) duplicates: u64,
}

/// A generation as it stood at one moment.
#[derive(Debug)]
pub(crate) struct View {
    /// Oldest first.
    pub(crate) segments: Vec<Arc<Segment>>,
}

impl Generation {
    /// Leaves out the streams that would be too many.
    pub(crate) fn admit<'a>(
        &self,
        streams: Vec<Stream<'a>>,
        max_streams: usize,
        refusals: &mut Refusals,
    ) -> Vec<Stream<'a>> {
        let index = self.index.read();
        let mut room = max_streams.saturating_sub(index.len());
        let mut admitted = Vec::with_capacity(streams.len());
        for stream in streams {
            if index.id(&stream.labels).is_none() {
                if room == 0 {
                    refusals.add(too_many_streams(&stream.labels), stream.entries.len() as u64, true);
                    continue;
                }
                room -= 1;
            }
            admitted.push(stream);
        }
        admitted
    }

    /// Takes entries, each once: one that is there already with the same stream, time, line and metadata is a
    /// duplicate.
    pub(crate) fn insert(&self, streams: &[Stream<'_>], now_ns: u64) -> Inserted {
        let mut inserted = Inserted::default();
        let mut state = self.state.lock();
        let state = &mut *state;
        state.since_ns.get_or_insert(now_ns);
        for stream in streams {
            let id = self.stream_id(stream);
            for entry in &stream.entries {
                let hash = segment::content_hash(id, entry);
                if state.frozen.iter().rev().any(|segment| segment.contains(hash, id, entry)) {
                    inserted.duplicates += 1;
                    continue;
                }
                let active = Arc::make_mut(&mut state.active);
                if !active.insert(hash, id, entry) {
                    inserted.duplicates += 1;
                    continue;
                }
                inserted.entries += 1;
                if active.bytes() >= SEGMENT_BYTES || active.rows() >= SEGMENT_ROWS {
                    state.freeze();
                }
            }
        }
        state.rows += inserted.entries;
        inserted
    }

    fn stream_id(&self, stream: &Stream<'_>) -> StreamId {
        let known = self.index.read().id(&stream.labels);
        known.unwrap_or_else(|| self.index.write().insert(&stream.labels))
    }

    /// The generation as it stands.
    pub(crate) fn view(&self) -> View {
        let state = self.state.lock();
        let mut segments = state.frozen.clone();
        if state.active.rows() > 0 {
            segments.push(Arc::clone(&state.active));
        }
        View { segments }
    }

    /// The streams that satisfy a condition on the index. Take the [`view`](Self::view) first: every stream of a view
    /// is in the index.
    pub(crate) fn with_index<T>(&self, read: impl FnOnce(&StreamIndex) -> T) -> T {
        read(&self.index.read())
    }

    /// How many entries it holds.
    pub(crate) fn rows(&self) -> u64 {
        self.state.lock().rows
    }

    /// Rough size in memory.
    pub(crate) fn bytes(&self) -> usize {
        let state = self.state.lock();
        state.frozen_bytes + state.active.bytes() + self.index.read().bytes()
    }

    /// When the first entry was taken, by the store's clock.
    pub(crate) fn since_ns(&self) -> Option<u64> {
        self.state.lock().since_ns
    }
}

impl State {
    fn freeze(&mut self) {
        let full = std::mem::take(&mut self.active);
        self.frozen_bytes += full.bytes();
        self.frozen.push(full);
    }
}
