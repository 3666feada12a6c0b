//! Log entries: kept at once, found at once.
//!
//! A store takes streams of entries, writes them to its log (`wal`) and keeps them in memory, where the next query
//! finds them; later it seals them into Parquet blocks, merges small blocks, and drops what is too old or too much. What it
//! refuses, it refuses in Loki's words. It knows nothing of HTTP or OTLP, and only asks `logql` which entries a query
//! wants.
//!
//! Begin with [`LogStore`]. Behind it: `intake` (what is taken), `record` (the log's bytes), `head` (memory), `index`
//! (streams by label).

mod head;
mod index;
mod intake;
mod level;
mod limits;
mod record;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, LogStream};
use otlp::Rejected;
use parking_lot::RwLock;
use wal::{SyncPolicy, Wal};

use head::{Generation, Inserted};
use intake::Refusals;
pub use limits::Limits;

/// How the store is kept.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the log's segments.
    pub wal_dir: PathBuf,
    /// Directory of the blocks.
    pub blocks_dir: PathBuf,
    /// When the log is forced to the disk.
    pub wal_sync: SyncPolicy,
    /// Memory that the head may take, in bytes; past it, appends are refused until blocks are sealed.
    pub memory_bytes: usize,
    /// Age after which blocks are dropped.
    pub retention_age: Duration,
    /// Bytes of blocks past which the oldest are dropped.
    pub retention_bytes: u64,
    /// What a stream and an entry may have at most.
    pub limits: Limits,
}

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log refused; nothing was taken.
    #[error(transparent)]
    Wal(#[from] wal::Error),
    /// The head is full; try again after a while.
    #[error("the log head holds {bytes} bytes, the limit is {limit}")]
    Full {
        /// What it holds.
        bytes: usize,
        /// Its limit.
        limit: usize,
    },
    /// The store has been shut down.
    #[error("the log store is shut down")]
    ShutDown,
}

/// The store's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What became of the entries of an append.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Appended {
    /// Entries that are kept now. One that was there already counts as well: the sender need not send it again.
    pub accepted: u64,
    /// Those among them that were there already, with the same stream, time, line and structured metadata.
    pub duplicates: u64,
    /// What was refused. The message is the body of Loki's answer, each different message once with its count; if it
    /// is not empty, Loki answers 400, though the rest was taken.
    pub rejected: Rejected,
}

/// The store.
#[derive(Debug)]
pub struct LogStore {
    config: Config,
    clock: Arc<dyn Clock>,
    wal: Wal,
    /// Held shared by appends, exclusively while the log is cut and the generation is changed with it, so that a
    /// block holds just what the segments up to the cut hold.
    current: RwLock<Arc<Generation>>,
}

impl LogStore {
    /// Opens the store: replays the log, lists the blocks, starts sealing in the background.
    pub fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Self> {
        let generation = Arc::new(Generation::default());
        let mut unreadable = 0_u64;
        let now_ns = clock.now_ns();
        let (wal, recovery) = Wal::open(
            wal::Config { sync: config.wal_sync, ..wal::Config::new(&config.wal_dir) },
            |_, bytes| match record::decode(bytes) {
                Ok(streams) => _ = generation.insert(&streams, now_ns),
                Err(error) => {
                    unreadable += 1;
                    tracing::error!(%error, "a record of the log of entries was left out");
                }
            },
        )?;
        if !recovery.damage.is_empty() {
            tracing::warn!(damage = ?recovery.damage, "the log of entries was damaged");
        }
        tracing::info!(records = recovery.records, entries = generation.rows(), unreadable, "log replayed");
        Ok(Self { config, clock, wal, current: RwLock::new(generation) })
    }

    /// Keeps entries: first in the log, then in the head. When this returns, the next query finds them.
    pub fn append(&self, streams: &[LogStream]) -> Result<Appended> {
        let now_ns = self.clock.now_ns();
        let mut refusals = Refusals::default();
        let prepared = intake::prepare(streams, &self.config.limits, now_ns, &mut refusals);

        let generation = self.current.read();
        let admitted = generation.admit(prepared, self.config.limits.max_streams, &mut refusals);
        let mut inserted = Inserted::default();
        if !admitted.is_empty() {
            let (bytes, limit) = (generation.bytes(), self.config.memory_bytes);
            if bytes >= limit {
                return Err(Error::Full { bytes, limit });
            }
            let position = self.wal.append(&[&record::encode(&admitted)])?;
            inserted = generation.insert(&admitted, now_ns);
            drop(generation);
            self.wal.commit(position)?;
        }
        Ok(Appended {
            accepted: inserted.entries + inserted.duplicates,
            duplicates: inserted.duplicates,
            rejected: refusals.into_rejected(),
        })
    }

    /// The store's figures.
    pub fn stats(&self) -> Stats {
        let generation = self.current.read();
        Stats {
            head_items: generation.rows(),
            head_bytes: generation.bytes() as u64,
            wal: self.wal.stats(),
            ..Stats::default()
        }
    }
}

/// The store's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Entries in the head.
    pub head_items: u64,
    /// Bytes of the head, estimated.
    pub head_bytes: u64,
    /// Segments and bytes of the log.
    pub wal: wal::Stats,
    /// Blocks on disk.
    pub blocks: u64,
    /// Their bytes.
    pub block_bytes: u64,
    /// Their entries.
    pub block_items: u64,
}
