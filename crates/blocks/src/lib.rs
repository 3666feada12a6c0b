//! Directories of immutable blocks: how a block is published in one step, found again at start, replaced, removed and set
//! aside, whatever a store keeps in it; and the file type through which Parquet is read.
//!
//! A block is a directory named by its [`Ulid`]. It is written as `tmp-…`, forced to the disk and then renamed, so that it
//! is whole or not there. A block that replaces others names them as its sources in its metadata; where a crash came
//! between publishing it and removing them, [`Directory::scan`] removes them. What is damaged is renamed to `damaged-…`
//! and reported, never removed.
//!
//! - [`Directory`] and [`Draft`]: the life of blocks.
//! - [`Manifest`] and [`Meta`]: what a block's `meta.json` says, and the checks that it makes possible.
//! - [`BlockFile`]: a file that many threads read at once.

mod directory;
mod draft;
mod file;
mod manifest;

use std::path::PathBuf;

pub use directory::{Directory, Scan, read_json};
pub use draft::Draft;
pub use file::BlockFile;
pub use manifest::{META_FILE, Manifest, Meta};
pub use ulid::Ulid;

/// Why blocks cannot be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried, as a verb: `open`, `write` …
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What lies there is not what should be there.
    #[error("{path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Error {
    /// Whether the operating system refused: no reason to take a block for damaged. See [`is_refusal`].
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_refusal(source),
            Self::Damaged { .. } => false,
        }
    }

    /// The error that a file is damaged.
    pub fn damaged(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), reason: reason.into() }
    }
}

/// Whether the operating system would not read what is there, as when there are too many open files, rather than that
/// there is nothing whole to read.
pub fn is_refusal(error: &std::io::Error) -> bool {
    error.raw_os_error().is_some() && error.kind() != std::io::ErrorKind::NotFound
}

/// Result of keeping and reading blocks.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Makes an error of what the operating system said.
pub fn io_error(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.into();
    move |source| Error::Io { action, path, source }
}
