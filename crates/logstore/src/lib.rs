//! Log entries: kept at once, found at once.
//!
//! A store takes streams of entries, writes them to its log (`wal`) and keeps them in memory, where the next query
//! finds them; later it seals them into Parquet blocks, merges small blocks, and drops what is too old or too much. What it
//! refuses, it refuses in Loki's words. It knows nothing of HTTP or OTLP, and only asks `logql` which entries a query
//! wants.
//!
//! Begin with [`LogStore`]. Behind it: `intake` (what is taken), `record` (the log's bytes), `head` (memory), `index`
//! (streams by label), `block` (what lies on the disk), `seal` (head to block, blocks to block), `query` (finding), and
//! `maintenance` (what runs in the background).

mod block;
mod head;
mod index;
mod intake;
mod level;
mod limits;
mod maintenance;
mod query;
mod record;
mod seal;
mod store;

use std::path::{Path, PathBuf};
use std::time::Duration;

use otlp::Rejected;
use wal::SyncPolicy;

pub use limits::Limits;
pub use query::{Direction, FoundEntry, QueryStats, Select, Selection, StreamVolume};
pub use store::LogStore;

/// How the store is kept.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the log's segments.
    pub wal_dir: PathBuf,
    /// Directory of the blocks.
    pub blocks_dir: PathBuf,
    /// When the log is forced to the disk.
    pub wal_sync: SyncPolicy,
    /// Memory that the head may take, in bytes; past it, appends are refused until blocks are sealed. A quarter of it is
    /// what the head is sealed at.
    pub memory_bytes: usize,
    /// Age after which blocks are dropped.
    pub retention_age: Duration,
    /// Bytes of blocks past which the oldest are dropped.
    pub retention_bytes: u64,
    /// What a stream and an entry may have at most.
    pub limits: Limits,
}

impl Config {
    /// A store in a directory: synced every second, 64 MiB of memory, three days and 4 GiB of blocks.
    pub fn new(dir: impl AsRef<Path>) -> Self {
        Self {
            wal_dir: dir.as_ref().join("wal"),
            blocks_dir: dir.as_ref().join("blocks"),
            wal_sync: SyncPolicy::Interval(Duration::from_secs(1)),
            memory_bytes: 64 << 20,
            retention_age: Duration::from_hours(72),
            retention_bytes: 4 << 30,
            limits: Limits::default(),
        }
    }
}

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log refused; nothing was taken.
    #[error(transparent)]
    Wal(#[from] wal::Error),
    /// A block cannot be written or read.
    #[error(transparent)]
    Blocks(#[from] blocks::Error),
    /// The head is full; try again after a while.
    #[error("the log head holds {bytes} bytes, the limit is {limit}")]
    Full {
        /// What it holds.
        bytes: usize,
        /// Its limit.
        limit: usize,
    },
    /// What a query would give back takes more memory than it may.
    #[error("the query's result is larger than the limit of {limit} bytes")]
    ResultTooLarge {
        /// The limit, in bytes.
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

/// What the Parquet library said of a file.
fn parquet_error(path: &Path, error: &parquet::errors::ParquetError) -> Error {
    blocks::Error::damaged(path, error.to_string()).into()
}
