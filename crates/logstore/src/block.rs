//! Sealed entries: a directory with a Parquet file that any tool reads, and two small files beside it.
//!
//! - `entries.parquet`: the entries, those of a stream in consecutive rows and by time, streams by their labels.
//! - `meta.json`: how many, from when to when, which part of the log it covers, which blocks it replaces.
//! - `streams.json`: the streams, with the rows and the times of each.

mod columns;
mod open;
mod read;
mod schema;
mod write;

use std::collections::BTreeMap;

use blocks::Ulid;
use serde::{Deserialize, Serialize};

pub(crate) use columns::{MetadataColumn, text};
pub(crate) use open::open_all;
pub(crate) use read::Block;
pub(crate) use write::{BlockWriter, Plan};

const ENTRIES_FILE: &str = "entries.parquet";
const META_FILE: &str = "meta.json";
const STREAMS_FILE: &str = "streams.json";

/// Version that is written; a reader takes this and older ones.
const VERSION: u32 = 1;

/// `meta.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Meta {
    version: u32,
    id: Ulid,
    pub(crate) entries: u64,
    /// Bytes of the Parquet file: a shorter one was damaged.
    pub(crate) file_bytes: u64,
    /// The last segment of the log whose entries are in this block or an older one.
    pub(crate) last_wal: u64,
    /// Blocks whose entries are all in this one: where they are still there, a compaction was interrupted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sources: Vec<Ulid>,
    pub(crate) row_groups: Vec<RowGroup>,
}

/// Rows and times of a row group, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowGroup {
    pub(crate) rows: u64,
    pub(crate) first_ns: i64,
    pub(crate) last_ns: i64,
}

/// A line of `streams.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct StreamMeta {
    labels: BTreeMap<String, String>,
    first_row: u64,
    rows: u64,
    first_ns: i64,
    last_ns: i64,
    /// Bytes of its lines and structured metadata.
    bytes: u64,
}

impl Meta {
    /// The block's name.
    pub(crate) fn id(&self) -> Ulid {
        self.id
    }

    /// The earliest and the latest time.
    pub(crate) fn time_span(&self) -> (i64, i64) {
        let first = self.row_groups.iter().map(|group| group.first_ns).min();
        let last = self.row_groups.iter().map(|group| group.last_ns).max();
        (first.unwrap_or(0), last.unwrap_or(0))
    }
}
