//! A block that is being read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use blocks::{BlockFile, Error, read_json};
use model::Labels;
use parquet::basic::Type;
use parquet::bloom_filter::Sbbf;
use parquet::column::page::PageReader;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::serialized_reader::SerializedPageReader;

use super::columns::{Lists, MetadataColumn, damaged};
use super::schema::{COLUMNS, Column};
use super::{ENTRIES_FILE, Meta, STREAMS_FILE, StreamMeta};
use crate::index::StreamIndex;
use crate::{Result, parquet_error};

/// A block.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) meta: Meta,
    dir: PathBuf,
    file: Arc<BlockFile>,
    footer: ParquetMetaData,
    /// Numbers of streams are their places in `streams`.
    pub(crate) index: StreamIndex,
    pub(crate) streams: Vec<StreamRows>,
    /// Found damaged while it was read.
    broken: AtomicBool,
}

/// Where a stream's entries lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamRows {
    /// Counted over the whole file.
    pub(crate) first_row: u64,
    pub(crate) rows: u64,
    pub(crate) first_ns: i64,
    pub(crate) last_ns: i64,
    /// Bytes of its lines and structured metadata.
    pub(crate) bytes: u64,
}

impl Block {
    /// Opens a block, and checks what can be checked without reading its entries.
    pub(crate) fn open(dir: PathBuf, meta: Meta) -> Result<Self> {
        let path = dir.join(ENTRIES_FILE);
        let file = Arc::new(BlockFile::open(&path)?);
        let footer = guarded(|| ParquetMetaDataReader::new().parse_and_finish(&*file))
            .map_err(|error| parquet_error(&path, &error))?;
        let groups_agree = footer.num_row_groups() == meta.row_groups.len()
            && footer.row_groups().iter().zip(&meta.row_groups).all(|(group, known)| {
                group.num_rows() == known.rows as i64
                    && group.num_columns() == COLUMNS
                    && group.column(Column::Timestamp as usize).column_type() == Type::INT64
                    && group.columns()[1..].iter().all(|column| column.column_type() == Type::BYTE_ARRAY)
            });
        if !groups_agree {
            return Err(Error::damaged(path, "the row groups are not those of meta.json").into());
        }
        let (index, streams) = read_streams(&dir.join(STREAMS_FILE), meta.entries)?;
        Ok(Self { meta, dir, file, footer, index, streams, broken: AtomicBool::new(false) })
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether damage was met in it.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    /// First row of each row group, counted over the whole file.
    pub(crate) fn group_starts(&self) -> impl Iterator<Item = u64> {
        self.meta.row_groups.iter().scan(0, |next, group| {
            let start = *next;
            *next += group.rows;
            Some(start)
        })
    }

    /// Times of all rows of a row group.
    pub(crate) fn times_ns(&self, group: usize) -> Result<Vec<i64>> {
        self.read(|| {
            let rows = self.footer.row_group(group).num_rows() as usize;
            let mut times = Vec::with_capacity(rows);
            let mut reader = self.column::<Int64Type>(group, Column::Timestamp)?;
            while times.len() < rows {
                let (read, _, _) = reader.read_records(rows - times.len(), None, None, &mut times)?;
                if read == 0 {
                    return Err(damaged("the times"));
                }
            }
            Ok(times)
        })
    }

    /// Lines of some rows of a row group, ascending.
    pub(crate) fn lines(&self, group: usize, rows: &[u32]) -> Result<Vec<ByteArray>> {
        self.read(|| {
            let mut reader = self.column::<ByteArrayType>(group, Column::Line)?;
            let mut lines = Vec::with_capacity(rows.len());
            for_runs(&mut reader, rows, |reader, count| {
                reader.read_records(count, None, None, &mut lines).map(|(read, _, _)| read)
            })?;
            Ok(lines)
        })
    }

    /// Identifiers of the traces of some rows, ascending.
    pub(crate) fn trace_ids(&self, group: usize, rows: &[u32]) -> Result<Vec<Option<ByteArray>>> {
        self.read(|| {
            let mut reader = self.column::<ByteArrayType>(group, Column::TraceId)?;
            let (mut values, mut present) = (Vec::new(), Vec::with_capacity(rows.len()));
            for_runs(&mut reader, rows, |reader, count| {
                reader.read_records(count, Some(&mut present), None, &mut values).map(|(read, _, _)| read)
            })?;
            let mut values = values.into_iter();
            Ok(present.into_iter().map(|level| if level > 0 { values.next() } else { None }).collect())
        })
    }

    /// Whether an entry of a row group may belong to a trace; "no" is certain.
    pub(crate) fn may_have_trace(&self, group: usize, trace_id: &str) -> Result<bool> {
        self.read(|| {
            let column = self.footer.row_group(group).column(Column::TraceId as usize);
            let filter = Sbbf::read_from_column_chunk(column, &*self.file)?;
            Ok(filter.is_none_or(|filter| filter.check(trace_id)))
        })
    }

    /// Structured metadata of some rows, ascending, without the trace's identifier.
    pub(crate) fn metadata(&self, group: usize, rows: &[u32]) -> Result<MetadataColumn> {
        self.read(|| {
            MetadataColumn::new(
                self.lists(group, Column::MetadataKey, rows)?,
                self.lists(group, Column::MetadataValue, rows)?,
            )
        })
    }

    fn lists(&self, group: usize, column: Column, rows: &[u32]) -> parquet::errors::Result<Lists> {
        let mut reader = self.column::<ByteArrayType>(group, column)?;
        let mut lists = Lists { texts: Vec::new(), ends: Vec::with_capacity(rows.len()) };
        let (mut present, mut repeated) = (Vec::new(), Vec::new());
        for_runs(&mut reader, rows, |reader, count| {
            let levels = (Some(&mut present), Some(&mut repeated));
            reader.read_records(count, levels.0, levels.1, &mut lists.texts).map(|(read, _, _)| read)
        })?;
        let mut values = 0;
        for (level, repetition) in present.iter().zip(&repeated) {
            if *repetition == 0 {
                lists.ends.push(values);
            }
            values += usize::from(*level > 0);
            if let Some(end) = lists.ends.last_mut() {
                *end = values;
            }
        }
        if lists.ends.len() == rows.len() && values == lists.texts.len() {
            Ok(lists)
        } else {
            Err(damaged("lists"))
        }
    }

    fn column<T: DataType>(
        &self,
        group: usize,
        column: Column,
    ) -> parquet::errors::Result<ColumnReaderImpl<T>> {
        let group = self.footer.row_group(group);
        let chunk = group.column(column as usize);
        let pages =
            SerializedPageReader::new(Arc::clone(&self.file), chunk, group.num_rows() as usize, None)?;
        let pages: Box<dyn PageReader> = Box::new(pages);
        Ok(ColumnReaderImpl::new(chunk.column_descr_ptr(), pages))
    }

    /// Reads; damage makes the block one to be set aside, and the query an error.
    fn read<T>(&self, read: impl FnOnce() -> parquet::errors::Result<T>) -> Result<T> {
        guarded(read).map_err(|error| {
            let is_io = matches!(&error, ParquetError::External(source) if source.is::<std::io::Error>());
            if !is_io {
                self.broken.store(true, Ordering::Relaxed);
            }
            parquet_error(&self.dir.join(ENTRIES_FILE), &error)
        })
    }
}

/// The Parquet reader checks most of what it reads, but a damaged file may still make it panic.
fn guarded<T>(read: impl FnOnce() -> parquet::errors::Result<T>) -> parquet::errors::Result<T> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(ParquetError::General("the reader panicked".to_owned())))
}

/// Reads the rows run by run, stepping over what lies between.
fn for_runs<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: &[u32],
    mut read: impl FnMut(&mut ColumnReaderImpl<T>, usize) -> parquet::errors::Result<usize>,
) -> parquet::errors::Result<()> {
    let mut at = 0_usize;
    for run in rows.chunk_by(|left, right| left + 1 == *right) {
        let start = run[0] as usize;
        if reader.skip_records(start - at)? != start - at {
            return Err(damaged("the rows"));
        }
        at = start + run.len();
        let mut left = run.len();
        while left > 0 {
            let count = read(reader, left)?;
            if count == 0 {
                return Err(damaged("the rows"));
            }
            left -= count;
        }
    }
    Ok(())
}

fn read_streams(path: &Path, entries: u64) -> Result<(StreamIndex, Vec<StreamRows>)> {
    let listed: Vec<StreamMeta> = read_json(path)?;
    let mut index = StreamIndex::default();
    let mut streams = Vec::with_capacity(listed.len());
    let mut next_row = 0;
    for stream in listed {
        if stream.first_row != next_row {
            return Err(Error::damaged(path, "the rows of the streams do not follow each other").into());
        }
        next_row += stream.rows;
        let labels: Labels = stream.labels.into_iter().collect();
        if index.insert(&labels) as usize != streams.len() {
            return Err(Error::damaged(path, "a stream is listed twice").into());
        }
        streams.push(StreamRows {
            first_row: stream.first_row,
            rows: stream.rows,
            first_ns: stream.first_ns,
            last_ns: stream.last_ns,
            bytes: stream.bytes,
        });
    }
    if next_row != entries {
        return Err(Error::damaged(path, "the streams have not as many rows as the block").into());
    }
    Ok((index, streams))
}
