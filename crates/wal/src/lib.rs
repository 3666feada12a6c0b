//! An append-only log of checksummed records, in segments: what makes "accepted" survive `kill -9`.
//!
//! A store appends a record before it answers success, keeps the data in memory, and later writes it into a block;
//! the block remembers the last [`SegmentId`] that it covers, and those segments are removed. At start, what no block
//! covers is replayed. One directory, one process, one [`Wal`]; the directory lock is the caller's.
//!
//! The log knows nothing of what a record means, never reads while it runs, and never rewrites.
//!
//! - `record`: the bytes of a record and how a damaged stretch is stepped over.
//! - `recovery`: replay at start.
//! - `writer`: [`Wal`], append, cut, sync, remove.
//!
//! # Format
//!
//! A segment is `NNNNNNNNNNNNNNNNNNNN.wal`: the eight bytes `MIRWAL1\n`, then records. A record is a mark
//! (`0x57524d01`), the payload's length and the CRC-32 (IEEE) of length and payload, each 32 bits little-endian, then
//! the payload. The mark lets recovery find the next whole record behind damaged bytes.

mod record;
mod recovery;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

pub use recovery::{Damage, Recovery};
pub use writer::{Position, Stats, Wal};

/// Number of a segment; segments are replayed in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentId(pub u64);

/// When appended bytes are forced to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// By a thread of the log's own, at most this long after the append. A killed process loses nothing; a machine
    /// that loses its power loses at most this much.
    Interval(Duration),
    /// Before [`Wal::commit`] returns; concurrent commits share one sync.
    Always,
}

/// How a log is kept.
#[derive(Debug, Clone)]
pub struct Config {
    /// The directory of the segments; created where it is missing.
    pub dir: PathBuf,
    /// When bytes are forced to the disk.
    pub sync: SyncPolicy,
    /// Longest payload of a record, in bytes.
    pub max_record_bytes: usize,
}

impl Config {
    /// A log in a directory, synced every second, with records of at most 64 MiB.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            sync: SyncPolicy::Interval(Duration::from_secs(1)),
            max_record_bytes: 64 << 20,
        }
    }
}

/// Why the log cannot do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried, as a verb: `open`, `write to` …
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A payload over [`Config::max_record_bytes`]; nothing was written.
    #[error("record of {bytes} bytes is larger than the limit of {limit}")]
    RecordTooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// An earlier write or sync failed in a way that leaves the log's end unknown. It stays refused until the log is
    /// opened anew, because a later success could hide a gap.
    #[error("the log is closed after a failed write: {0}")]
    Poisoned(String),
    /// A file that is no segment of a version that this code reads.
    #[error("{path} is not a log segment of a known version")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
}

/// The log's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

pub(crate) fn io_error(
    action: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.into();
    move |source| Error::Io { action, path, source }
}
