//! What a block says of itself: its `meta.json`, as Prometheus has it.

use serde::{Deserialize, Serialize};
use ulid::Ulid;

/// The version of the layout, and of the index.
pub(crate) const VERSION: u32 = 1;

/// `meta.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Meta {
    pub(crate) ulid: Ulid,
    /// First millisecond that may have a sample.
    pub(crate) min_time: i64,
    /// First millisecond that has none any more.
    pub(crate) max_time: i64,
    #[serde(default)]
    pub(crate) stats: BlockStats,
    pub(crate) compaction: Compaction,
    pub(crate) version: u32,
}

/// How much a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "the names are those of the file")]
pub(crate) struct BlockStats {
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_samples: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_float_samples: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_histogram_samples: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_series: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_chunks: u64,
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) num_tombstones: u64,
}

/// What a block was made from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Compaction {
    /// How often its samples were compacted.
    pub(crate) level: u32,
    /// The blocks that were cut from a head and are in this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sources: Vec<Ulid>,
    /// Nothing is in it: it may go.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) deletable: bool,
    /// The blocks that it replaces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parents: Vec<Parent>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) failed: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) hints: Vec<String>,
}

/// A block that was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parent {
    pub(crate) ulid: Ulid,
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
}

impl Meta {
    /// What a block says that was cut from the head.
    pub(crate) fn of_head(ulid: Ulid, min_time: i64, max_time: i64) -> Self {
        Self {
            ulid,
            min_time,
            max_time,
            stats: BlockStats::default(),
            compaction: Compaction { level: 1, sources: vec![ulid], ..Compaction::default() },
            version: VERSION,
        }
    }

    /// What a block says that replaces others.
    pub(crate) fn of_blocks(ulid: Ulid, blocks: &[&Self]) -> Self {
        let mut sources: Vec<Ulid> =
            blocks.iter().flat_map(|block| block.compaction.sources.iter().copied()).collect();
        sources.sort_unstable();
        sources.dedup();
        let level = blocks.iter().map(|block| block.compaction.level).max().unwrap_or(0) + 1;
        let parents = blocks.iter().map(|block| Parent {
            ulid: block.ulid,
            min_time: block.min_time,
            max_time: block.max_time,
        });
        let compaction = Compaction { level, sources, parents: parents.collect(), ..Compaction::default() };
        Self {
            ulid,
            min_time: blocks.iter().map(|block| block.min_time).min().unwrap_or(0),
            max_time: blocks.iter().map(|block| block.max_time).max().unwrap_or(0),
            stats: BlockStats::default(),
            compaction,
            version: VERSION,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_prometheus_wrote_is_read_and_written_alike() {
        let text = r#"{"ulid":"01JZ0000000000000000000000","minTime":1000,"maxTime":7200000,"stats":{"numSamples":5,"numSeries":2,"numChunks":3},"compaction":{"level":2,"sources":["01JZ0000000000000000000001"],"parents":[{"ulid":"01JZ0000000000000000000001","minTime":1000,"maxTime":7200000}]},"version":1}"#;
        let meta: Meta = serde_json::from_str(text).unwrap();
        assert_eq!((meta.stats.num_samples, meta.compaction.level, meta.max_time), (5, 2, 7_200_000));
        assert_eq!(serde_json::to_string(&meta).unwrap(), text);
    }
}
