//! What is written about a block.

use blocks::{Manifest, Ulid};
use serde::{Deserialize, Serialize};

use crate::segment::Bounds;

/// `meta.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Meta {
    #[serde(flatten)]
    pub(crate) manifest: Manifest,
    pub(crate) spans: u64,
    pub(crate) traces: u64,
    /// When its newest span was sealed, in milliseconds since the Unix epoch: what retention goes by, because the spans' own
    /// times are the sender's.
    pub(crate) sealed_ms: u64,
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

impl blocks::Meta for Meta {
    const VERSION: u32 = 1;
    const DATA_FILE: &'static str = super::SPANS_FILE;

    fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

impl Meta {
    /// The block's name.
    pub(crate) fn id(&self) -> Ulid {
        self.manifest.id
    }

    /// Times of all spans.
    pub(crate) fn bounds(&self) -> Bounds {
        self.row_groups.iter().map(RowGroup::bounds).reduce(Bounds::join).unwrap_or(Bounds::of(0, 0))
    }
}
