//! The store: opening, appending, asking, closing.

use std::sync::Arc;
use std::thread::JoinHandle;

use blocks::Directory;
use model::{Clock, Span, SpanKind, TimeRange, TraceId, Value};
use parking_lot::Mutex;
use wal::{SegmentId, Wal};

use crate::block::{self, Cache};
use crate::head::{Head, Snapshot};
use crate::index::{SCOPES, Want};
use crate::seal::Sealer;
use crate::search::{Intrinsic, Search, SearchResult, TagScope, TagScopes};
use crate::segment::Segment;
use crate::{Config, Result, codec, query, record};

/// Most names of a list of services, operations or keys.
const MOST_NAMES: usize = 100_000;

/// The store. Dropping it stops the background work and syncs the log.
#[derive(Debug)]
pub struct TraceStore {
    head: Arc<Head>,
    sealer: Arc<Sealer>,
    thread: Mutex<Option<JoinHandle<()>>>,
    clock: Arc<dyn Clock>,
    memory_bytes: usize,
}

impl TraceStore {
    /// Opens the store: lists the blocks, replays what of the log they do not cover, starts sealing in the background.
    ///
    /// Damage in the log or a block is written to our own log and stepped over.
    pub fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Self> {
        let cache = Arc::new(Cache::new((config.memory_bytes / 16).max(4 << 20)));
        let directory = Directory::open(&config.blocks_dir)?;
        let opened = block::open_all(&directory, &cache)?;
        let mut segments: Vec<Segment> = Vec::new();
        let mut wal_config = wal::Config::new(&config.wal_dir);
        wal_config.sync = config.wal_sync;
        let (wal, recovery) =
            Wal::open_after(wal_config, opened.last_wal.map(SegmentId), |segment_id, payload| {
                match record::decode(payload) {
                    Ok(batch) => {
                        match segments.last_mut() {
                            Some(last) if last.is_full() => {
                                last.freeze();
                                segments.push(Segment::default());
                            }
                            None => segments.push(Segment::default()),
                            Some(_) => {}
                        }
                        if let Some(segment) = segments.last_mut() {
                            segment.insert(&batch);
                        }
                    }
                    Err(error) => {
                        tracing::error!(
                            segment = segment_id.0,
                            error,
                            "a record of the trace log cannot be read"
                        );
                    }
                }
            })?;
        for damage in &recovery.damage {
            if damage.torn_tail {
                tracing::info!(?damage, "an interrupted write at the end of the trace log was cut");
            } else {
                tracing::error!(?damage, "the trace log is damaged; the stretch was skipped");
            }
        }
        let head = Arc::new(Head::new(wal, segments, opened.blocks, clock.now_ns()));
        let memory_bytes = config.memory_bytes;
        let background = config.background;
        let sealer = Arc::new(Sealer::new(config, directory, Arc::clone(&head), cache, Arc::clone(&clock)));
        let thread = if background { Some(Sealer::start(&sealer)?) } else { None };
        Ok(Self { head, sealer, thread: Mutex::new(thread), clock, memory_bytes })
    }

    /// Keeps a request: its bytes in the log, its spans in the head. When this returns, the next query finds them. A batch
    /// without spans leaves no trace.
    pub fn append(&self, batch: &otlp::traces::Batch<'_>) -> Result<()> {
        if batch.span_count() == 0 {
            return Ok(());
        }
        let appended = self.head.append(batch, self.clock.now_ns(), self.memory_bytes);
        if self.sealer.is_due(&appended) {
            self.sealer.wake();
        }
        self.head.wal.commit(appended?)?;
        Ok(())
    }

    fn snapshot(&self) -> Snapshot {
        self.head.snapshot()
    }

    /// The spans of a trace, each span once, by start time; empty if there is no such trace. The range is a hint: parts of
    /// the store without spans in it are left out, but what is looked at gives all its spans.
    pub fn trace(&self, trace_id: TraceId, range: TimeRange) -> Result<Vec<Span>> {
        query::trace(&self.snapshot(), trace_id, range)
    }

    /// Traces with a span that satisfies the filter, newest first.
    pub fn search(&self, search: &Search) -> Result<SearchResult> {
        query::search(&self.snapshot(), search)
    }

    /// Service names, sorted.
    pub fn services(&self, range: TimeRange) -> Result<Vec<String>> {
        // The operations of each service do not matter here, so a low limit keeps them from being gathered.
        let index = query::collect(&self.snapshot(), range, &Want::Services, 1)?;
        Ok(index.operations.into_keys().take(MOST_NAMES).collect())
    }

    /// Names and kinds of the spans of a service, sorted.
    pub fn operations(&self, service: &str, range: TimeRange) -> Result<Vec<(String, SpanKind)>> {
        let mut index = query::collect(&self.snapshot(), range, &Want::Operations, MOST_NAMES)?;
        let operations = index.operations.remove(service).unwrap_or_default();
        Ok(operations
            .values
            .into_iter()
            .map(|(name, kind)| (name, SpanKind::from_number(i32::from(kind))))
            .collect())
    }

    /// Keys of attributes by scope, sorted; scopes without any are left out.
    pub fn tag_names(
        &self,
        scope: Option<TagScope>,
        range: TimeRange,
    ) -> Result<Vec<(TagScope, Vec<String>)>> {
        let mut index = query::collect(&self.snapshot(), range, &Want::Keys, MOST_NAMES)?;
        let mut names = Vec::new();
        for own in SCOPES.into_iter().filter(|own| scope.is_none_or(|scope| scope == *own)) {
            let keys: Vec<String> =
                std::mem::take(&mut index.tags[own as usize]).into_keys().take(MOST_NAMES).collect();
            if !keys.is_empty() {
                names.push((own, keys));
            }
        }
        Ok(names)
    }

    /// Distinct values of an attribute, at most `limit`, sorted by type and then by value.
    pub fn tag_values(
        &self,
        scopes: TagScopes,
        key: &str,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<Value>> {
        let index = query::collect(&self.snapshot(), range, &Want::Values(scopes, key), limit)?;
        let json: std::collections::BTreeSet<&String> =
            index.tags.iter().filter_map(|keys| keys.get(key)).flat_map(|values| &values.values).collect();
        let mut values: Vec<Value> = json.into_iter().filter_map(|json| codec::from_json(json)).collect();
        values.sort_by(codec::compare);
        values.truncate(limit);
        Ok(values)
    }

    /// Distinct values of an intrinsic, sorted, the empty text left out, at most `limit`.
    pub fn intrinsic_values(
        &self,
        intrinsic: Intrinsic,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<String>> {
        let index = query::collect(&self.snapshot(), range, &Want::Intrinsic(intrinsic), limit)?;
        Ok(index.intrinsic(intrinsic).cloned().collect())
    }

    /// Calls between services: (parent, child, how many), one for each span whose parent is stored, of the traces that
    /// lie within the range from their first start to their last end. A service's calls of itself are among them, as
    /// Jaeger counts them.
    pub fn dependencies(&self, range: TimeRange) -> Result<Vec<(String, String, u64)>> {
        query::dependencies(&self.snapshot(), range)
    }

    /// Does what the background thread does, once: seals what is due, compacts, drops what is too old or too much. For
    /// stores that were opened without the thread.
    pub fn maintain(&self) -> Result<()> {
        self.sealer.run_once()
    }

    /// Seals everything that is in the head now, and waits for it.
    pub fn seal(&self) -> Result<()> {
        self.sealer.seal_all()
    }

    /// The store's figures.
    pub fn stats(&self) -> Stats {
        let snapshot = self.snapshot();
        let metas = || snapshot.blocks.iter().map(|block| block.meta());
        Stats {
            head_items: snapshot.segments.iter().map(|segment| segment.read().rows() as u64).sum(),
            head_bytes: self.head.bytes() as u64,
            wal: self.head.wal.stats(),
            blocks: snapshot.blocks.len() as u64,
            block_bytes: metas().map(|meta| meta.manifest.file_bytes).sum(),
            block_items: metas().map(|meta| meta.spans).sum(),
        }
    }

    /// Stops the background work, seals nothing, syncs the log. Appends are refused from here on; queries still answer.
    pub fn shutdown(&self) -> Result<()> {
        self.head.close();
        self.stop_thread();
        self.head.wal.sync()?;
        Ok(())
    }

    fn stop_thread(&self) {
        self.sealer.stop();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that seals traces had panicked");
        }
    }
}

impl Drop for TraceStore {
    fn drop(&mut self) {
        self.stop_thread();
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
