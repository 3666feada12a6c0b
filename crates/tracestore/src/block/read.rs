//! A block that is being read.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use blocks::{BlockFile, Directory, io_error};
use model::{Span, TraceId};
use parquet::bloom_filter::Sbbf;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};

use super::cache::{Cache, Kept, Places, Which};
use super::part::{Part, Shared};
use super::schema::{Column, Columns};
use super::{INDEX_FILE, Meta, SPANS_FILE};
use crate::index::Index;
use crate::query::{Call, Services};
use crate::segment::Bounds;
use crate::{Error, Result};

/// A block. Its directory goes when the last query has let go of a block that was replaced or is too old.
#[derive(Debug)]
pub(crate) struct Block {
    directory: Directory,
    pub(super) meta: Meta,
    pub(super) dir: PathBuf,
    cache: Arc<Cache>,
    /// Found damaged while it was read: it answers nothing from then on.
    broken: AtomicBool,
    remove: AtomicBool,
}

impl Block {
    pub(crate) fn new(directory: Directory, dir: PathBuf, meta: Meta, cache: Arc<Cache>) -> Self {
        Self { directory, meta, dir, cache, broken: AtomicBool::new(false), remove: AtomicBool::new(false) }
    }

    pub(crate) fn meta(&self) -> &Meta {
        &self.meta
    }

    pub(crate) fn dir(&self) -> &std::path::Path {
        &self.dir
    }

    pub(crate) fn bounds(&self) -> Bounds {
        self.meta.bounds()
    }

    /// Whether damage was met in it.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// Silences the block: damage was met in it.
    pub(crate) fn mark_broken(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }

    /// Lets the directory go with the last user of the block.
    pub(crate) fn remove_when_unused(&self) {
        self.remove.store(true, Ordering::Relaxed);
    }

    /// Times of each row group.
    pub(crate) fn row_groups(&self) -> impl ExactSizeIterator<Item = Bounds> {
        let groups = if self.is_broken() { &[] } else { self.meta.row_groups.as_slice() };
        groups.iter().map(super::RowGroup::bounds)
    }

    /// Runs a reader. Damage makes the block silent, with a word in the log, and the query goes on without it; what the
    /// operating system refuses is an error.
    pub(super) fn guarded<T: Default>(&self, read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
        if self.is_broken() {
            return Ok(T::default());
        }
        match self.read(read) {
            Err(Error::Blocks(error @ blocks::Error::Damaged { .. })) => {
                self.mark_broken();
                tracing::error!(block = %self.dir.display(), %error, "a block is damaged; it is left out from here on");
                Ok(T::default())
            }
            outcome => outcome,
        }
    }

    /// Runs a reader, and tells damage from what the operating system refuses.
    fn read<T>(&self, read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
        let path = || self.dir.join(SPANS_FILE);
        // The Parquet reader checks most of what it reads, but a damaged file may still find an index out of bounds.
        let outcome = catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|_| Err(ParquetError::General("the reader panicked".to_owned())));
        outcome.map_err(|error| match error {
            ParquetError::External(source) if is_refusal(source.as_ref()) => {
                let source =
                    source.downcast::<std::io::Error>().map_or_else(std::io::Error::other, |error| *error);
                io_error("read", path())(source).into()
            }
            error => blocks::Error::damaged(path(), error.to_string()).into(),
        })
    }

    pub(super) fn file(&self) -> parquet::errors::Result<Arc<BlockFile>> {
        match BlockFile::open(&self.dir.join(SPANS_FILE)) {
            Ok(file) => Ok(Arc::new(file)),
            // As Parquet itself passes it on, so that `guarded` can tell a refusal.
            Err(blocks::Error::Io { source, .. }) => Err(source.into()),
            Err(error) => Err(ParquetError::External(Box::new(error))),
        }
    }

    pub(super) fn footer(&self, file: &BlockFile) -> parquet::errors::Result<Arc<ParquetMetaData>> {
        if let Some(Kept::Footer(footer)) = self.cache.get(self.meta.id(), Which::Footer) {
            return Ok(footer);
        }
        let footer = Arc::new(ParquetMetaDataReader::new().parse_and_finish(file)?);
        let groups_agree = footer.num_row_groups() == self.meta.row_groups.len()
            && footer.row_groups().iter().zip(&self.meta.row_groups).all(|(group, meta)| {
                group.num_rows() == meta.rows as i64 && group.num_columns() > Column::Links as usize
            });
        if !groups_agree {
            return Err(ParquetError::General("the row groups are not those of meta.json".to_owned()));
        }
        self.cache.put(
            self.meta.id(),
            Which::Footer,
            &Kept::Footer(Arc::clone(&footer)),
            footer.memory_size(),
        );
        Ok(footer)
    }

    fn blooms(
        &self,
        file: &BlockFile,
        footer: &ParquetMetaData,
    ) -> parquet::errors::Result<Arc<Vec<Option<Sbbf>>>> {
        if let Some(Kept::Blooms(blooms)) = self.cache.get(self.meta.id(), Which::Blooms) {
            return Ok(blooms);
        }
        let blooms = footer
            .row_groups()
            .iter()
            .map(|group| Sbbf::read_from_column_chunk(group.column(Column::TraceId as usize), file))
            .collect::<parquet::errors::Result<Vec<_>>>()?;
        let bytes = blooms.iter().flatten().map(|bloom| bloom.num_blocks() * 32).sum();
        let blooms = Arc::new(blooms);
        self.cache.put(self.meta.id(), Which::Blooms, &Kept::Blooms(Arc::clone(&blooms)), bytes);
        Ok(blooms)
    }

    /// What the lists are made of; `None` where it cannot be read, and then the spans are looked at instead.
    pub(super) fn index(&self) -> Option<Arc<Index>> {
        if let Some(Kept::Index(index)) = self.cache.get(self.meta.id(), Which::Index) {
            return Some(index);
        }
        let path = self.dir.join(INDEX_FILE);
        let text = std::fs::read(&path)
            .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "an index cannot be read"))
            .ok()?;
        let index: Index = serde_json::from_slice(&text)
            .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "an index is damaged"))
            .ok()?;
        let index = Arc::new(index);
        // The tree in memory takes a few times its text.
        self.cache.put(self.meta.id(), Which::Index, &Kept::Index(Arc::clone(&index)), text.len() * 4);
        Some(index)
    }

    /// The bloom filters of the block's traces.
    pub(crate) fn trace_filter(&self) -> Result<TraceFilter> {
        self.guarded(|| {
            let file = self.file()?;
            let footer = self.footer(&file)?;
            Ok(TraceFilter(self.blooms(&file, &footer)?))
        })
    }

    /// Whether the block has spans of a trace.
    pub(crate) fn has(&self, trace_id: TraceId) -> Result<bool> {
        self.guarded(|| {
            let file = self.file()?;
            let footer = self.footer(&file)?;
            let blooms = self.blooms(&file, &footer)?;
            for (index, bloom) in blooms.iter().enumerate() {
                if bloom.as_ref().is_none_or(|bloom| bloom.check(trace_id.0.as_slice()))
                    && self
                        .places(&file, &footer, index)?
                        .binary_search_by_key(&trace_id, |place| place.0)
                        .is_ok()
                {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// Adds the spans of some traces, each to its own list.
    pub(crate) fn traces(&self, into: &mut HashMap<TraceId, Vec<Span>>) -> Result<()> {
        let spans = self.guarded(|| {
            let file = self.file()?;
            let footer = self.footer(&file)?;
            let blooms = self.blooms(&file, &footer)?;
            let mut shared = Shared::default();
            let mut spans = Vec::new();
            for (index, bloom) in blooms.iter().enumerate() {
                let may_have = |id: &TraceId| bloom.as_ref().is_none_or(|bloom| bloom.check(id.0.as_slice()));
                let mut ids = into.keys().copied().filter(may_have).peekable();
                if ids.peek().is_none() {
                    continue;
                }
                let places = self.places(&file, &footer, index)?;
                let mut ranges: Vec<Range<usize>> = ids
                    .filter_map(|id| {
                        let at = places.binary_search_by_key(&id, |place| place.0).ok()?;
                        let (_, first, count) = places[at];
                        Some(first as usize..(first + count) as usize)
                    })
                    .collect();
                ranges.sort_by_key(|range| range.start);
                if !ranges.is_empty() {
                    let part = Part::read(&file, footer.row_group(index), &ranges, Columns::ALL)?;
                    spans.extend(part.spans(&mut shared)?);
                }
            }
            Ok(spans)
        })?;
        for span in spans {
            if let Some(list) = into.get_mut(&span.trace_id) {
                list.push(span);
            }
        }
        Ok(())
    }

    /// Where the traces of a row group stand.
    fn places(
        &self,
        file: &Arc<BlockFile>,
        footer: &ParquetMetaData,
        row_group: usize,
    ) -> parquet::errors::Result<Arc<Places>> {
        let which = Which::Places(row_group as u32);
        if let Some(Kept::Places(places)) = self.cache.get(self.meta.id(), which) {
            return Ok(places);
        }
        let group = footer.row_group(row_group);
        let ids = Part::read(file, group, &all_rows(group), Columns::of(&[Column::TraceId]))?.trace_ids;
        let mut places = Places::new();
        let mut first = 0;
        // The rows of a trace are consecutive.
        for rows in ids.chunk_by(|a, b| a == b) {
            places.push((rows[0], first, rows.len() as u32));
            first += rows.len() as u32;
        }
        places.sort_unstable();
        let places = Arc::new(places);
        let bytes = places.len() * size_of::<(TraceId, u32, u32)>();
        self.cache.put(self.meta.id(), which, &Kept::Places(Arc::clone(&places)), bytes);
        Ok(places)
    }

    /// Every span of a row group.
    pub(crate) fn spans(&self, row_group: usize) -> Result<Vec<Span>> {
        self.read(|| {
            let file = self.file()?;
            let footer = self.footer(&file)?;
            let group = footer.row_group(row_group);
            let part = Part::read(&file, group, &all_rows(group), Columns::ALL)?;
            part.spans(&mut Shared::default())
        })
    }

    /// What the graph of calls needs of every span of a row group, those of a trace in a row.
    pub(crate) fn calls(&self, row_group: usize, services: &mut Services) -> Result<Vec<(TraceId, Call)>> {
        use Column::{Duration, Kind, ParentSpanId, ServiceName, SpanId, Start, TraceId};
        let wanted = Columns::of(&[TraceId, SpanId, ParentSpanId, Kind, Start, Duration, ServiceName]);
        let part = self.guarded(|| {
            let file = self.file()?;
            let footer = self.footer(&file)?;
            let group = footer.row_group(row_group);
            Part::read(&file, group, &all_rows(group), wanted)
        })?;
        let call = |row: usize| Call {
            span_id: part.span_ids[row],
            parent_span_id: part.parent_span_ids[row],
            kind: super::part::kind(part.kinds[row].data()) as u8,
            start_ns: part.starts_ns[row],
            end_ns: part.end_ns(row),
            service: services.number(super::part::text(&part.services[row])),
        };
        Ok(part.trace_ids.iter().copied().zip((0..part.trace_ids.len()).map(call)).collect())
    }
}

/// What says that a trace is not in a block.
#[derive(Debug, Default)]
pub(crate) struct TraceFilter(Arc<Vec<Option<Sbbf>>>);

impl TraceFilter {
    /// Whether the block may have spans of a trace.
    pub(crate) fn may_have(&self, trace_id: TraceId) -> bool {
        self.0.iter().any(|bloom| bloom.as_ref().is_none_or(|bloom| bloom.check(trace_id.0.as_slice())))
    }
}

/// Every row of a row group, as one range.
#[expect(clippy::single_range_in_vec_init, reason = "a list of one range is what is meant")]
pub(super) fn all_rows(group: &RowGroupMetaData) -> [Range<usize>; 1] {
    [0..group.num_rows() as usize]
}

/// Whether an error says that the system would not read, rather than that there is nothing whole to read.
fn is_refusal(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error.downcast_ref().is_some_and(blocks::is_refusal)
}

impl Drop for Block {
    fn drop(&mut self) {
        self.cache.forget(self.meta.id());
        if self.remove.load(Ordering::Relaxed)
            && let Err(error) = self.directory.remove(&self.dir)
        {
            tracing::warn!(%error, "a block that is no longer needed could not be removed");
        }
    }
}
