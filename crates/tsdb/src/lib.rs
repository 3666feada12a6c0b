//! Samples: kept at once, found at once.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::{Batch, Clock};
use wal::SyncPolicy;

/// How the store is kept.
#[derive(Debug, Clone)]
pub struct Config {
    /// Directory of the log's segments and of the checkpoint.
    pub wal_dir: PathBuf,
    /// When the log is forced to the disk.
    pub wal_sync: SyncPolicy,
    /// Memory that the head may take, in bytes; past it, appends are refused.
    pub memory_bytes: usize,
    /// Age after which samples are dropped.
    pub retention_age: Duration,
    /// Most series.
    pub max_series: usize,
    /// How far behind the newest sample an older one is still taken.
    pub out_of_order_window: Duration,
    /// How far ahead of the clock a sample may lie.
    pub max_ahead: Duration,
    /// Most exemplars; past it the oldest are dropped.
    pub max_exemplars: usize,
    /// Bytes of log past which a checkpoint is written.
    pub checkpoint_bytes: u64,
}

impl Config {
    /// A store in a directory, with the defaults of Prometheus where it has any.
    pub fn new(wal_dir: impl Into<PathBuf>) -> Self {
        Self {
            wal_dir: wal_dir.into(),
            wal_sync: SyncPolicy::Interval(Duration::from_secs(1)),
            memory_bytes: 256 << 20,
            retention_age: Duration::from_hours(15 * 24),
            max_series: 1_000_000,
            out_of_order_window: Duration::from_mins(10),
            max_ahead: Duration::from_mins(10),
            max_exemplars: 100_000,
            checkpoint_bytes: 32 << 20,
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
    /// The head is full; try again after a while. Nothing was taken.
    #[error("the metrics head holds {bytes} bytes, the limit is {limit}")]
    Full {
        /// What it holds.
        bytes: usize,
        /// Its limit.
        limit: usize,
    },
    /// The store has been shut down.
    #[error("the metrics store is stopped")]
    Stopped,
}

/// The store's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Appended {
    /// Samples that were written.
    pub samples: u64,
    /// Data points of the sender that were taken; one that was there already counts.
    pub points: u64,
    /// Exemplars that were kept.
    pub exemplars: u64,
    /// Data points of the sender that were refused, each with its reason: out of order, too old, duplicate, too far
    /// ahead, too many series.
    pub rejected: otlp::Rejected,
}

/// The store.
#[derive(Debug)]
pub struct Tsdb {}

impl Tsdb {
    /// Opens the store: reads the checkpoint, replays the log.
    pub fn open(_config: Config, _clock: Arc<dyn Clock>) -> Result<Self> {
        unimplemented!()
    }

    /// Keeps a batch: in the log first, then in the head. When this returns, the next query finds it.
    pub fn append(&self, _batch: &Batch) -> Result<Appended> {
        unimplemented!()
    }

    /// The store's figures.
    pub fn stats(&self) -> Stats {
        unimplemented!()
    }

    /// Syncs the log. Appends are refused from here on.
    pub fn shutdown(&self) -> Result<()> {
        unimplemented!()
    }
}

/// The store's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Samples in the head.
    pub head_items: u64,
    /// Bytes of the head, estimated.
    pub head_bytes: u64,
    /// Segments and bytes of the log.
    pub wal: wal::Stats,
    /// Series in the head.
    pub series: u64,
    /// Chunks in the head.
    pub chunks: u64,
    /// Exemplars in the ring.
    pub exemplars: u64,
    /// Bytes of the newest checkpoint.
    pub checkpoint_bytes: u64,
    /// Milliseconds since the Unix epoch of the oldest sample; 0 if there is none.
    pub min_time_ms: i64,
    /// Of the newest sample.
    pub max_time_ms: i64,
}
