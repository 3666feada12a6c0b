//! Spans: kept at once, found at once, sealed into Parquet.

mod search;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, Span, SpanKind, TimeRange, TraceId, Value};
use wal::SyncPolicy;

pub use search::{
    Intrinsic, Search, SearchResult, ServiceStats, SpanFilter, Tag, TagMatch, TagScope, TagScopes,
    TraceSummary,
};

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
    /// Age after which blocks are dropped.
    pub retention_age: Duration,
    /// Bytes of blocks past which the oldest are dropped.
    pub retention_bytes: u64,
    /// What a span may have at most; has to be what the receiver decodes with.
    pub limits: otlp::traces::Limits,
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
}

/// The store's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The store.
#[derive(Debug)]
pub struct TraceStore {}

impl TraceStore {
    /// Opens the store: replays the log, lists the blocks, starts sealing in the background.
    pub fn open(_config: Config, _clock: Arc<dyn Clock>) -> Result<Self> {
        unimplemented!()
    }

    /// Keeps a request: its bytes in the log, its spans in the head. When this returns, the next query finds them.
    pub fn append(&self, _request: &[u8], _batch: &otlp::traces::Batch<'_>) -> Result<()> {
        unimplemented!()
    }

    /// The spans of a trace, each span once, by start time; empty if there is no such trace.
    pub fn trace(&self, _trace_id: TraceId, _range: TimeRange) -> Result<Vec<Span>> {
        unimplemented!()
    }

    /// Traces with a span that satisfies the filter, newest first.
    pub fn search(&self, _search: &Search) -> Result<SearchResult> {
        unimplemented!()
    }

    /// Service names, sorted.
    pub fn services(&self, _range: TimeRange) -> Result<Vec<String>> {
        unimplemented!()
    }

    /// Names and kinds of the spans of a service, sorted.
    pub fn operations(&self, _service: &str, _range: TimeRange) -> Result<Vec<(String, SpanKind)>> {
        unimplemented!()
    }

    /// Keys of attributes by scope, sorted.
    pub fn tag_names(
        &self,
        _scope: Option<TagScope>,
        _range: TimeRange,
    ) -> Result<Vec<(TagScope, Vec<String>)>> {
        unimplemented!()
    }

    /// Distinct values of an attribute, at most `limit`.
    pub fn tag_values(
        &self,
        _scopes: TagScopes,
        _key: &str,
        _range: TimeRange,
        _limit: usize,
    ) -> Result<Vec<Value>> {
        unimplemented!()
    }

    /// Distinct values of an intrinsic, sorted, the empty text left out, at most `limit`.
    pub fn intrinsic_values(
        &self,
        _intrinsic: Intrinsic,
        _range: TimeRange,
        _limit: usize,
    ) -> Result<Vec<String>> {
        unimplemented!()
    }

    /// Calls between services: (parent, child, how many), one for each span whose parent is stored, of the traces that
    /// lie within the range from their first start to their last end. A service's calls of itself are among them, as
    /// Jaeger counts them.
    pub fn dependencies(&self, _range: TimeRange) -> Result<Vec<(String, String, u64)>> {
        unimplemented!()
    }

    /// The store's figures.
    pub fn stats(&self) -> Stats {
        unimplemented!()
    }

    /// Stops the background work, seals nothing, syncs the log. Appends are refused from here on.
    pub fn shutdown(&self) -> Result<()> {
        unimplemented!()
    }
}

/// The store's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Spans in the head.
    pub head_items: u64,
    /// Bytes of the head, estimated.
    pub head_bytes: u64,
    /// Segments and bytes of the log.
    pub wal: wal::Stats,
    /// Blocks on disk.
    pub blocks: u64,
    /// Their bytes.
    pub block_bytes: u64,
    /// Their spans.
    pub block_items: u64,
}
