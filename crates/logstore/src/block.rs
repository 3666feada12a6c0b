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

use blocks::{Manifest, Ulid};
use serde::{Deserialize, Serialize};

pub(crate) use columns::{MetadataColumn, text};
pub(crate) use open::open_all;
pub(crate) use read::Block;
pub(crate) use write::{BlockWriter, Plan};

const ENTRIES_FILE: &str = "entries.parquet";
const STREAMS_FILE: &str = "streams.json";

/// `meta.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Meta {
    #[serde(flatten)]
    pub(crate) manifest: Manifest,
    pub(crate) entries: u64,
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

impl blocks::Meta for Meta {
    const VERSION: u32 = 1;
    const DATA_FILE: &'static str = ENTRIES_FILE;

    fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

impl Meta {
    /// The block's name.
    pub(crate) fn id(&self) -> Ulid {
        self.manifest.id
    }

    /// The earliest and the latest time.
    pub(crate) fn time_span(&self) -> (i64, i64) {
        let first = self.row_groups.iter().map(|group| group.first_ns).min();
        let last = self.row_groups.iter().map(|group| group.last_ns).max();
        (first.unwrap_or(0), last.unwrap_or(0))
    }
}
