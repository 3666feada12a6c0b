//! What was read of blocks and is likely wanted again: footers, bloom filters, indexes, where traces
//! stand. Bounded by bytes; what was used
//! longest ago goes first.

use std::collections::HashMap;
use std::sync::Arc;

use blocks::Ulid;
use model::TraceId;
use parking_lot::Mutex;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::ParquetMetaData;

use crate::index::Index;

/// A thing that is kept.
#[derive(Debug, Clone)]
pub(super) enum Kept {
    Footer(Arc<ParquetMetaData>),
    /// One a row group.
    Blooms(Arc<Vec<Option<Sbbf>>>),
    Index(Arc<Index>),
    Places(Arc<Places>),
}

/// Where the traces of a row group stand: identifier, first row and number of rows, by identifier.
pub(super) type Places = Vec<(TraceId, u32, u32)>;

/// Which thing of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Which {
    Footer,
    Blooms,
    Index,
    /// Of a row group.
    Places(u32),
}

/// The cache, shared by all blocks of a store.
#[derive(Debug)]
pub(crate) struct Cache {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: HashMap<(Ulid, Which), Entry>,
    bytes: usize,
    /// Counts uses, as a clock for "longest ago".
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    kept: Kept,
    bytes: usize,
    used: u64,
}

impl Cache {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    pub(super) fn get(&self, block: Ulid, which: Which) -> Option<Kept> {
        let mut state = self.state.lock();
        state.uses += 1;
        let uses = state.uses;
        let entry = state.entries.get_mut(&(block, which))?;
        entry.used = uses;
        Some(entry.kept.clone())
    }

    pub(super) fn put(&self, block: Ulid, which: Which, kept: &Kept, bytes: usize) {
        if bytes > self.limit {
            return;
        }
        let mut state = self.state.lock();
        state.uses += 1;
        let entry = Entry { kept: kept.clone(), bytes, used: state.uses };
        state.bytes += bytes;
        if let Some(old) = state.entries.insert((block, which), entry) {
            state.bytes -= old.bytes;
        }
        while state.bytes > self.limit {
            let oldest = state.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| *key);
            let Some(entry) = oldest.and_then(|key| state.entries.remove(&key)) else { break };
            state.bytes -= entry.bytes;
        }
    }

    /// Forgets a block.
    pub(super) fn forget(&self, block: Ulid) {
        let mut state = self.state.lock();
        let mut bytes = 0;
        state.entries.retain(|(own, _), entry| {
            bytes += if *own == block { entry.bytes } else { 0 };
            *own != block
        });
        state.bytes -= bytes;
    }
}
