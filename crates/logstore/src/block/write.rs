//! Writing a block, stream by stream, holding no more than one row group in memory.

use std::fs::File;
use std::io::BufWriter;
use std::sync::Arc;

use blocks::{Directory, Draft, Manifest, Meta as _, Ulid, io_error};
use bytes::Bytes;
use model::Labels;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use super::columns::TextColumn;
use super::schema::{self, TRACE_ID};
use super::{Block, ENTRIES_FILE, Meta, RowGroup, STREAMS_FILE, StreamMeta};
use crate::{Result, parquet_error};

/// A row group is closed at so many rows or bytes of text.
const GROUP_ROWS: usize = 32 << 10;
const GROUP_BYTES: usize = 16 << 20;
/// Values that are handed to a column's writer at once.
const BATCH: usize = 1024;

/// What a block stands for.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) id: Ulid,
    /// The last segment of the log that it covers.
    pub(crate) last_wal: u64,
    /// The blocks that it replaces.
    pub(crate) sources: Vec<Ulid>,
}

/// A block that is being written. Dropped before it is finished, it leaves nothing behind.
pub(crate) struct BlockWriter {
    draft: Draft,
    file: SerializedFileWriter<BufWriter<File>>,
    row_groups: Vec<RowGroup>,
    streams: Vec<StreamMeta>,
    rows: u64,
    group: Group,
}

/// The row group that is being filled.
#[derive(Debug, Default)]
struct Group {
    times_ns: Vec<i64>,
    /// Rows by stream, each with its labels.
    labels: Vec<(Arc<Labels>, usize)>,
    lines: TextColumn,
    trace_ids: Vec<Option<ByteArray>>,
    metadata_names: TextColumn,
    metadata_values: TextColumn,
    /// How many pairs each row has.
    metadata_counts: Vec<u32>,
}

impl BlockWriter {
    pub(crate) fn new(directory: &Directory, id: Ulid) -> Result<Self> {
        let mut draft = directory.begin(id)?;
        let path = draft.path(ENTRIES_FILE);
        let failed = |error| parquet_error(&path, &error);
        let file = BufWriter::with_capacity(256 << 10, draft.create(ENTRIES_FILE)?);
        let properties = Arc::new(schema::properties(GROUP_ROWS).map_err(failed)?);
        let schema = schema::schema().map_err(failed)?;
        let file = SerializedFileWriter::new(file, schema, properties).map_err(failed)?;
        Ok(Self {
            draft,
            file,
            row_groups: Vec::new(),
            streams: Vec::new(),
            rows: 0,
            group: Group::default(),
        })
    }

    /// Begins the next stream. Streams have to come by their labels.
    pub(crate) fn stream(&mut self, labels: &Arc<Labels>) {
        self.streams.push(StreamMeta {
            labels: labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            first_row: self.rows,
            rows: 0,
            first_ns: i64::MAX,
            last_ns: i64::MIN,
            bytes: 0,
        });
        self.group.labels.push((Arc::clone(labels), 0));
    }

    /// Adds an entry of the stream that was begun last. Entries have to come by time.
    pub(crate) fn entry<'a>(
        &mut self,
        time_ns: i64,
        line: &str,
        metadata: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<()> {
        let Some(stream) = self.streams.last_mut() else { return Ok(()) };
        let group = &mut self.group;
        let mut bytes = line.len();
        let mut pairs = 0;
        let mut trace_id = None;
        for (name, value) in metadata {
            bytes += name.len() + value.len();
            if name == TRACE_ID {
                trace_id = Some(ByteArray::from(value));
            } else {
                group.metadata_names.push(name);
                group.metadata_values.push(value);
                pairs += 1;
            }
        }
        group.times_ns.push(time_ns);
        group.lines.push(line);
        group.trace_ids.push(trace_id);
        group.metadata_counts.push(pairs);
        if let Some((_, rows)) = group.labels.last_mut() {
            *rows += 1;
        }
        stream.rows += 1;
        stream.bytes += bytes as u64;
        stream.first_ns = stream.first_ns.min(time_ns);
        stream.last_ns = stream.last_ns.max(time_ns);
        self.rows += 1;
        if group.times_ns.len() >= GROUP_ROWS || group.bytes() >= GROUP_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<()> {
        // The stream may go on in the next row group.
        let current = self.group.labels.last().map(|(labels, _)| (Arc::clone(labels), 0));
        let group = std::mem::replace(
            &mut self.group,
            Group { labels: current.into_iter().collect(), ..Group::default() },
        );
        if group.times_ns.is_empty() {
            return Ok(());
        }
        self.row_groups.push(RowGroup {
            rows: group.times_ns.len() as u64,
            first_ns: group.times_ns.iter().copied().min().unwrap_or(0),
            last_ns: group.times_ns.iter().copied().max().unwrap_or(0),
        });
        let path = self.draft.path(ENTRIES_FILE);
        let written = self.file.next_row_group().and_then(|writer| group.write(writer));
        written.map_err(|error| parquet_error(&path, &error))
    }

    /// Publishes the block: it is on the disk when this returns.
    pub(crate) fn finish(mut self, plan: Plan) -> Result<Block> {
        self.flush()?;
        let path = self.draft.path(ENTRIES_FILE);
        let file = self.file.into_inner().map_err(|error| parquet_error(&path, &error))?;
        let file = file.into_inner().map_err(|error| io_error("write", &path)(error.into_error()))?;
        let file_bytes = file.metadata().map_err(io_error("stat", &path))?.len();
        drop(file);
        self.streams.retain(|stream| stream.rows > 0);
        let manifest = Manifest {
            version: Meta::VERSION,
            id: plan.id,
            file_bytes,
            last_wal: plan.last_wal,
            sources: plan.sources,
        };
        let meta = Meta { manifest, entries: self.rows, row_groups: self.row_groups };
        self.draft.write_json(STREAMS_FILE, &self.streams)?;
        Block::open(self.draft.publish(&meta)?, meta)
    }
}

impl Group {
    fn bytes(&self) -> usize {
        self.lines.bytes() + self.metadata_names.bytes() + self.metadata_values.bytes()
    }

    fn write(self, mut writer: SerializedRowGroupWriter<'_, BufWriter<File>>) -> parquet::errors::Result<()> {
        let shared = |text: &str| ByteArray::from(Bytes::copy_from_slice(text.as_bytes()));
        let (mut label_names, mut label_values, mut label_counts) = (Vec::new(), Vec::new(), Vec::new());
        for (labels, rows) in &self.labels {
            let pairs: Vec<_> = labels.iter().map(|(name, value)| (shared(name), shared(value))).collect();
            for _ in 0..*rows {
                label_names.extend(pairs.iter().map(|(name, _)| name.clone()));
                label_values.extend(pairs.iter().map(|(_, value)| value.clone()));
                label_counts.push(pairs.len() as u32);
            }
        }
        let label_levels = Levels::of_lists(&label_counts);
        let metadata_levels = Levels::of_lists(&self.metadata_counts);
        let trace_levels: Vec<i16> =
            self.trace_ids.iter().map(|trace_id| i16::from(trace_id.is_some())).collect();
        let trace_ids: Vec<ByteArray> = self.trace_ids.into_iter().flatten().collect();

        write_column::<Int64Type>(&mut writer, &self.times_ns, &Levels::default())?;
        write_column::<ByteArrayType>(&mut writer, &label_names, &label_levels)?;
        write_column::<ByteArrayType>(&mut writer, &label_values, &label_levels)?;
        write_column::<ByteArrayType>(&mut writer, &self.lines.into_arrays(), &Levels::default())?;
        let trace_levels = Levels { definition: trace_levels, repetition: Vec::new() };
        write_column::<ByteArrayType>(&mut writer, &trace_ids, &trace_levels)?;
        write_column::<ByteArrayType>(&mut writer, &self.metadata_names.into_arrays(), &metadata_levels)?;
        write_column::<ByteArrayType>(&mut writer, &self.metadata_values.into_arrays(), &metadata_levels)?;
        writer.close().map(drop)
    }
}

/// How values are spread over rows.
#[derive(Debug, Default)]
struct Levels {
    /// Empty where every row has a value.
    definition: Vec<i16>,
    /// Empty where no row has several.
    repetition: Vec<i16>,
}

impl Levels {
    /// Of lists of these lengths.
    fn of_lists(counts: &[u32]) -> Self {
        let mut levels = Self::default();
        for &count in counts {
            levels.definition.extend(std::iter::repeat_n(i16::from(count > 0), count.max(1) as usize));
            levels.repetition.push(0);
            levels.repetition.extend(std::iter::repeat_n(1, count.saturating_sub(1) as usize));
        }
        levels
    }
}

/// Writes the next column. It is handed over in small batches at the borders of rows, because the writer looks at the size
/// of a page only between two batches.
fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, BufWriter<File>>,
    values: &[T::T],
    levels: &Levels,
) -> parquet::errors::Result<()>
where
    T::T: Clone,
{
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the schema has fewer columns than are written".to_owned()));
    };
    let _: &ColumnWriter<'_> = column.untyped();
    let writer = column.typed::<T>();
    if levels.definition.is_empty() {
        for batch in values.chunks(BATCH) {
            writer.write_batch(batch, None, None)?;
        }
        return column.close();
    }
    let (mut value_at, mut level_at) = (0, 0);
    while level_at < levels.definition.len() {
        let mut level_end = (level_at + BATCH).min(levels.definition.len());
        while levels.repetition.get(level_end).is_some_and(|repetition| *repetition != 0) {
            level_end += 1;
        }
        let definition = &levels.definition[level_at..level_end];
        let value_end = value_at + definition.iter().filter(|level| **level > 0).count();
        let repetition =
            if levels.repetition.is_empty() { None } else { Some(&levels.repetition[level_at..level_end]) };
        writer.write_batch(&values[value_at..value_end], Some(definition), repetition)?;
        (value_at, level_at) = (value_end, level_end);
    }
    column.close()
}
