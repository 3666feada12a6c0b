//! What is written about a block.

use std::path::Path;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::segment::Bounds;
use crate::{Error, Result, io_error};

/// Version that is written; a reader takes this and older ones.
pub(crate) const VERSION: u32 = 1;

/// `meta.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub(crate) version: u32,
    pub(crate) id: Ulid,
    pub(crate) spans: u64,
    pub(crate) traces: u64,
    /// Bytes of the Parquet file: a shorter one was damaged.
    pub(crate) file_bytes: u64,
    /// When its newest span was sealed, in milliseconds since the Unix epoch: what retention goes by, because the spans' own
    /// times are the sender's.
    pub(crate) sealed_ms: u64,
    /// The last segment of the log whose requests are in this block or an older one.
    pub(crate) last_wal: u64,
    /// Blocks whose spans are all in this one: where they are still there, a compaction was interrupted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sources: Vec<Ulid>,
    pub(crate) row_groups: Vec<RowGroup>,
}

/// Times of a row group, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowGroup {
    pub(crate) rows: u64,
    pub(crate) min_start_ns: u64,
    pub(crate) max_start_ns: u64,
    pub(crate) max_end_ns: u64,
}

impl RowGroup {
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds {
            min_start_ns: self.min_start_ns,
            max_start_ns: self.max_start_ns,
            max_end_ns: self.max_end_ns,
        }
    }
}

impl Meta {
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(super::META_FILE);
        let text = std::fs::read(&path).map_err(io_error("read", &path))?;
        let meta: Self = serde_json::from_slice(&text)
            .map_err(|error| Error::Corrupt { path: path.clone(), reason: error.to_string() })?;
        if meta.version > VERSION {
            let reason =
                format!("version {} is newer than this program, which reads {VERSION}", meta.version);
            return Err(Error::Corrupt { path, reason });
        }
        Ok(meta)
    }

    /// Times of all spans.
    pub(crate) fn bounds(&self) -> Bounds {
        self.row_groups.iter().map(RowGroup::bounds).reduce(Bounds::join).unwrap_or(Bounds::of(0, 0))
    }
}
