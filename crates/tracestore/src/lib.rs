//! Spans: kept at once, found at once, sealed into Parquet.
//!
//! An append writes the request's bytes to the log and its spans to the head; when it returns, a killed process does not
//! lose them and the next query finds them. In the background the head is sealed into blocks, small blocks are made
//! into larger ones, and old ones go. Queries look at head and blocks alike.
//!
//! It knows nothing of HTTP or of the components whose APIs ask it; queries block and belong on a pool of their own.
//!
//! - [`TraceStore`]: all there is to call. [`Search`]: what can be asked.
//! - `head`: log, segments and generations. `segment`: the columns in memory.
//! - `block`: the files. `seal`: from head to block, compaction, retention.
//! - `query`: the answers.

mod block;
mod codec;
mod filter;
mod head;
mod index;
mod query;
mod record;
mod seal;
mod search;
mod segment;
mod store;

use std::path::PathBuf;
use std::time::Duration;

use wal::SyncPolicy;

pub use search::{
    Intrinsic, Search, SearchResult, ServiceStats, SpanFilter, Tag, TagMatch, TagScope, TagScopes,
    TraceSummary,
};
pub use store::{Stats, TraceStore};

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
    /// Time after which spans are dropped, from when they were sealed; their own times may lie anywhere.
    pub retention_age: Duration,
    /// Bytes of blocks past which the oldest are dropped.
    pub retention_bytes: u64,
    /// Age at which spans are sealed, however few they are.
    pub seal_age: Duration,
    /// Memory of spans at which they are sealed, in bytes.
    pub seal_bytes: usize,
    /// Blocks are merged into blocks of at most so many spans.
    pub compact_spans: u64,
    /// Whether a thread seals, compacts and drops by itself. Without it, [`TraceStore::maintain`] does.
    pub background: bool,
}

impl Config {
    /// A store in two directories with a limit to its memory, a quarter of which is sealed at a time; spans are kept for
    /// 48 hours and in at most 10 GiB.
    pub fn new(wal_dir: impl Into<PathBuf>, blocks_dir: impl Into<PathBuf>, memory_bytes: usize) -> Self {
        Self {
            wal_dir: wal_dir.into(),
            blocks_dir: blocks_dir.into(),
            wal_sync: SyncPolicy::Interval(Duration::from_secs(1)),
            memory_bytes,
            retention_age: Duration::from_hours(48),
            retention_bytes: 10 << 30,
            seal_age: Duration::from_mins(15),
            seal_bytes: (memory_bytes / 4).min(64 << 20),
            compact_spans: 256 << 10,
            background: true,
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
    /// The head is full; try again after a while.
    #[error("the trace head holds {bytes} bytes, the limit is {limit}")]
    Full {
        /// What it holds.
        bytes: usize,
        /// Its limit.
        limit: usize,
    },
    /// The store was shut down.
    #[error("the trace store is closed")]
    Closed,
    /// A block cannot be kept or read.
    #[error(transparent)]
    Blocks(#[from] blocks::Error),
    /// What was to be a block could not be put into its form.
    #[error("writing {path}: {reason}")]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What the writer said.
        reason: String,
    },
}

/// The store's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) fn parquet_error(path: &std::path::Path, error: parquet::errors::ParquetError) -> Error {
    match error {
        parquet::errors::ParquetError::External(source) if source.is::<std::io::Error>() => {
            let source =
                source.downcast::<std::io::Error>().map_or_else(std::io::Error::other, |error| *error);
            blocks::io_error("write", path)(source).into()
        }
        other => Error::Parquet { path: path.to_owned(), reason: other.to_string() },
    }
}
