//! Writing a block from segments.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use model::{TimeRange, TraceId};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ulid::Ulid;

use super::{INDEX_FILE, META_FILE, Meta, RowGroup, SPANS_FILE, columns, meta, schema};
use crate::index::{Index, STORED_VALUES, Want};
use crate::segment::{Bounds, Cell, Segment};
use crate::{Result, codec, io_error, parquet_error};

/// A row group is closed at the end of the trace that brings it past so many rows.
const ROW_GROUP_ROWS: usize = 32 << 10;
/// Rows that are handed to a column's writer at once.
const BATCH_ROWS: usize = 2048;

/// What a block is made of.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) id: Ulid,
    pub(crate) last_wal: u64,
    pub(crate) sources: Vec<Ulid>,
}

/// Writes the spans of some segments as a block below a directory. When this returns, the block is on the disk.
pub(crate) fn write(blocks_dir: &Path, segments: &[&Segment], plan: Plan) -> Result<Meta> {
    let temporary = blocks_dir.join(format!("{}{}", super::open::TEMPORARY, plan.id));
    let place = blocks_dir.join(plan.id.to_string());
    match fs::remove_dir_all(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(io_error("remove", &temporary)(error));
        }
        _ => {}
    }
    fs::create_dir_all(&temporary).map_err(io_error("create", &temporary))?;
    let outcome = write_files(&temporary, segments, plan);
    let meta = match outcome {
        Ok(meta) => meta,
        Err(error) => {
            // What could be written is of no use; the spans are still in head and log.
            let _ = fs::remove_dir_all(&temporary);
            return Err(error);
        }
    };
    fs::rename(&temporary, &place).map_err(io_error("rename", &temporary))?;
    sync_dir(blocks_dir)?;
    Ok(meta)
}

/// Forces a directory's entries to the disk.
pub(crate) fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("sync", dir))
}

fn write_files(dir: &Path, segments: &[&Segment], plan: Plan) -> Result<Meta> {
    let order = Order::of(segments);
    let spans_path = dir.join(SPANS_FILE);
    let file = File::create(&spans_path).map_err(io_error("create", &spans_path))?;
    let failed = |error| parquet_error(&spans_path, error);
    let properties = schema::properties(order.most_traces).map_err(failed)?;
    let mut writer = SerializedFileWriter::new(
        BufWriter::with_capacity(256 << 10, file),
        schema::schema().map_err(failed)?,
        Arc::new(properties),
    )
    .map_err(failed)?;
    let mut row_groups = Vec::new();
    for rows in &order.row_groups {
        let rows = &order.rows[rows.clone()];
        let group = writer.next_row_group().map_err(failed)?;
        RowGroupWriter { segments, rows, group }.write().map_err(failed)?;
        let bounds = rows.iter().map(|at| at.bounds(segments)).reduce(Bounds::join);
        let bounds = bounds.unwrap_or(Bounds::of(0, 0));
        row_groups.push(RowGroup {
            rows: rows.len() as u64,
            min_start_ns: bounds.min_start_ns,
            max_start_ns: bounds.max_start_ns,
            max_end_ns: bounds.max_end_ns,
        });
    }
    let file = writer.into_inner().map_err(failed)?;
    let file = file.into_inner().map_err(|error| io_error("write to", &spans_path)(error.into_error()))?;
    file.sync_all().map_err(io_error("sync", &spans_path))?;
    let file_bytes = file.metadata().map_err(io_error("stat", &spans_path))?.len();

    let mut index = Index::new(STORED_VALUES);
    for segment in segments {
        segment.collect(TimeRange::ALL, &Want::Everything, &mut index);
    }
    write_json(&dir.join(INDEX_FILE), &index)?;
    let meta = Meta {
        version: meta::VERSION,
        id: plan.id,
        spans: order.rows.len() as u64,
        traces: order.traces,
        file_bytes,
        last_wal: plan.last_wal,
        sources: plan.sources,
        row_groups,
    };
    write_json(&dir.join(META_FILE), &meta)?;
    sync_dir(dir)?;
    Ok(meta)
}

fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_vec(value).map_err(|error| io_error("write to", path)(error.into()))?;
    File::create(path)
        .and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        })
        .map_err(io_error("write to", path))
}

/// A row of a segment.
#[derive(Debug, Clone, Copy)]
struct At {
    /// Place of its trace among the block's traces.
    trace: u32,
    segment: u32,
    row: u32,
}

impl At {
    fn bounds(self, segments: &[&Segment]) -> Bounds {
        let segment = segments[self.segment as usize];
        let start_ns = segment.start_ns(self.row);
        Bounds::of(start_ns, start_ns.wrapping_add(segment.raw_duration_ns(self.row)))
    }
}

/// The rows of a block: traces by their start, the spans of a trace by theirs.
struct Order {
    rows: Vec<At>,
    row_groups: Vec<std::ops::Range<usize>>,
    traces: u64,
    /// Most traces of a row group.
    most_traces: u64,
}

impl Order {
    fn of(segments: &[&Segment]) -> Self {
        let mut starts: HashMap<TraceId, u64> = HashMap::new();
        for segment in segments {
            for (row, trace_id) in segment.trace_ids().iter().enumerate() {
                let start_ns = segment.start_ns(row as u32);
                starts.entry(*trace_id).and_modify(|start| *start = start_ns.min(*start)).or_insert(start_ns);
            }
        }
        let mut traces: Vec<(u64, TraceId)> =
            starts.iter().map(|(trace_id, start)| (*start, *trace_id)).collect();
        traces.sort_unstable();
        // The same map now says the place.
        for (place, (_, trace_id)) in traces.iter().enumerate() {
            starts.insert(*trace_id, place as u64);
        }
        let trace_count = traces.len() as u64;
        drop(traces);
        let mut rows: Vec<At> = Vec::with_capacity(segments.iter().map(|segment| segment.rows()).sum());
        for (index, segment) in segments.iter().enumerate() {
            for (row, trace_id) in segment.trace_ids().iter().enumerate() {
                let trace = starts[trace_id] as u32;
                rows.push(At { trace, segment: index as u32, row: row as u32 });
            }
        }
        drop(starts);
        rows.sort_unstable_by_key(|at| {
            let segment = segments[at.segment as usize];
            (at.trace, segment.start_ns(at.row), segment.span_id(at.row), at.segment, at.row)
        });
        let mut row_groups = Vec::new();
        let mut most_traces = 0;
        let mut begin = 0;
        for end in 1..=rows.len() {
            let at_trace_end = rows.get(end).is_none_or(|next| next.trace != rows[end - 1].trace);
            if end == rows.len() || (end - begin >= ROW_GROUP_ROWS && at_trace_end) {
                most_traces = most_traces.max(u64::from(rows[end - 1].trace - rows[begin].trace) + 1);
                row_groups.push(begin..end);
                begin = end;
            }
        }
        Self { rows, row_groups, traces: trace_count, most_traces }
    }
}

/// Texts by number, each made once for a column.
struct Texts {
    by_segment: Vec<Vec<Option<ByteArray>>>,
}

impl Texts {
    fn new(sizes: impl Iterator<Item = usize>) -> Self {
        Self { by_segment: sizes.map(|size| vec![None; size]).collect() }
    }

    fn get(&mut self, segment: u32, index: u32, make: impl FnOnce() -> String) -> ByteArray {
        self.by_segment[segment as usize][index as usize]
            .get_or_insert_with(|| ByteArray::from(make().into_bytes()))
            .clone()
    }
}

type Outcome = parquet::errors::Result<()>;

struct RowGroupWriter<'a, W: std::io::Write + Send> {
    segments: &'a [&'a Segment],
    rows: &'a [At],
    group: SerializedRowGroupWriter<'a, W>,
}

impl<'a, W: std::io::Write + Send> RowGroupWriter<'a, W> {
    fn write(mut self) -> Outcome {
        // In the order of the schema.
        self.fixed(|segment, row| Some(segment.trace_ids()[row as usize].0))?;
        self.fixed(|segment, row| Some(segment.span_id(row).0))?;
        self.fixed(|segment, row| {
            Some(segment.parent_span_id(row)).filter(|id| !id.is_zero()).map(|id| id.0)
        })?;
        self.numbers(|segment, row| Some(segment.start_ns(row) as i64))?;
        self.numbers(|segment, row| Some(segment.raw_duration_ns(row) as i64))?;
        self.strings(|segment, row| Some(segment.name(row)))?;
        self.words(|segment, row| segment.kind(row).as_str())?;
        self.words(|segment, row| segment.status(row).as_str())?;
        self.strings(|segment, row| {
            segment.status_message(row).filter(|text| !segment.string(*text).is_empty())
        })?;
        self.strings(|segment, row| Some(segment.service(row)))?;
        self.strings(|segment, row| {
            segment.trace_state(row).filter(|text| !segment.string(*text).is_empty())
        })?;
        self.numbers(|segment, row| Some(i64::from(segment.flags(row))))?;
        for index in 0..3 {
            self.numbers(|segment, row| {
                Some(i64::from(segment.dropped(row)[index])).filter(|count| *count > 0)
            })?;
        }
        self.attribute_keys()?;
        self.attribute_values()?;
        self.attribute_types()?;
        let mut resources = Texts::new(self.segments.iter().map(|segment| segment.resource_count()));
        self.bytes(|at, segment| {
            let index = segment.resource_index(at.row);
            Some(resources.get(at.segment, index, || columns::resource_to_json(segment.resource(index))))
        })?;
        let mut scopes = Texts::new(self.segments.iter().map(|segment| segment.origin_count()));
        self.bytes(|at, segment| {
            let index = segment.origin_index(at.row);
            Some(scopes.get(at.segment, index, || columns::scope_to_json(segment.scope(index))))
        })?;
        self.bytes(|at, segment| {
            let events = segment.events_of(at.row);
            (!events.is_empty()).then(|| columns::events_to_json(&events).into_bytes().into())
        })?;
        self.bytes(|at, segment| {
            let links = segment.links_of(at.row);
            (!links.is_empty()).then(|| columns::links_to_json(&links).into_bytes().into())
        })?;
        self.group.close().map(drop)
    }

    /// Writes the next column in batches: `fill` puts a row's values and, for an optional or repeated column, its levels.
    fn column<T: DataType>(&mut self, mut fill: impl FnMut(At, &'a Segment, &mut Cells<T>)) -> Outcome {
        let Some(mut column) = self.group.next_column()? else {
            return Err(parquet::errors::ParquetError::General("more columns than in the schema".to_owned()));
        };
        let typed = column.typed::<T>();
        let is_optional = typed.get_descriptor().max_def_level() > 0;
        let is_repeated = typed.get_descriptor().max_rep_level() > 0;
        let mut cells = Cells { values: Vec::new(), definitions: Vec::new(), repetitions: Vec::new() };
        for rows in self.rows.chunks(BATCH_ROWS) {
            cells.values.clear();
            cells.definitions.clear();
            cells.repetitions.clear();
            for at in rows {
                fill(*at, self.segments[at.segment as usize], &mut cells);
            }
            // Levels only where the schema has some.
            let definitions = is_optional.then_some(cells.definitions.as_slice());
            let repetitions = is_repeated.then_some(cells.repetitions.as_slice());
            typed.write_batch(&cells.values, definitions, repetitions)?;
        }
        column.close()
    }

    fn fixed<const N: usize>(&mut self, get: impl Fn(&Segment, u32) -> Option<[u8; N]>) -> Outcome {
        // Identifiers of many rows share a piece of memory.
        let mut pool = BytesMut::new();
        self.column::<FixedLenByteArrayType>(|at, segment, cells| {
            let value = get(segment, at.row).map(|id| {
                if pool.capacity() < N {
                    pool.reserve(BATCH_ROWS * N);
                }
                pool.extend_from_slice(&id);
                FixedLenByteArray::from(ByteArray::from(pool.split().freeze()))
            });
            cells.optional(value);
        })
    }

    fn numbers(&mut self, get: impl Fn(&Segment, u32) -> Option<i64>) -> Outcome {
        self.column::<Int64Type>(|at, segment, cells| cells.optional(get(segment, at.row)))
    }

    fn bytes(&mut self, mut get: impl FnMut(At, &Segment) -> Option<ByteArray>) -> Outcome {
        self.column::<ByteArrayType>(|at, segment, cells| cells.optional(get(at, segment)))
    }

    fn words(&mut self, get: impl Fn(&Segment, u32) -> &'static str) -> Outcome {
        self.bytes(|at, segment| Some(Bytes::from_static(get(segment, at.row).as_bytes()).into()))
    }

    fn strings(&mut self, get: impl Fn(&Segment, u32) -> Option<u32>) -> Outcome {
        let mut texts = Texts::new(self.segments.iter().map(|segment| segment.string_count()));
        self.bytes(|at, segment| {
            get(segment, at.row)
                .map(|index| texts.get(at.segment, index, || segment.string(index).to_owned()))
        })
    }

    fn attribute_keys(&mut self) -> Outcome {
        let mut texts = Texts::new(self.segments.iter().map(|segment| segment.string_count()));
        self.column::<ByteArrayType>(|at, segment, cells| {
            cells.repeated(
                segment
                    .cells(at.row)
                    .map(|(key, _)| texts.get(at.segment, key, || segment.string(key).to_owned())),
            );
        })
    }

    fn attribute_values(&mut self) -> Outcome {
        let mut texts = Texts::new(self.segments.iter().map(|segment| segment.pair_count()));
        self.column::<ByteArrayType>(|at, segment, cells| {
            cells.repeated(segment.cells(at.row).map(|(_, cell)| {
                let text = || codec::to_typed_text(&cell.value(segment)).1;
                match (cell, cell.plain_text()) {
                    (Cell::Pair(pair), _) => texts.get(at.segment, pair, text),
                    (_, Some(plain)) => Bytes::copy_from_slice(plain).into(),
                    (_, None) => text().into_bytes().into(),
                }
            }));
        })
    }

    fn attribute_types(&mut self) -> Outcome {
        let mut kinds: Vec<Vec<Option<char>>> =
            self.segments.iter().map(|segment| vec![None; segment.pair_count()]).collect();
        self.bytes(|at, segment| {
            let letters: String = segment
                .cells(at.row)
                .map(|(_, cell)| {
                    let letter = || codec::to_typed_text(&cell.value(segment)).0;
                    match cell {
                        Cell::Pair(pair) => {
                            *kinds[at.segment as usize][pair as usize].get_or_insert_with(letter)
                        }
                        Cell::Bytes(_) if cell.plain_text().is_some() => 's',
                        Cell::Bytes(_) => letter(),
                    }
                })
                .collect();
            letters.bytes().any(|letter| letter != b's').then(|| letters.into_bytes().into())
        })
    }
}

/// Values of a column and their levels.
struct Cells<T: DataType> {
    values: Vec<T::T>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

impl<T: DataType> Cells<T> {
    fn optional(&mut self, value: Option<T::T>) {
        self.definitions.push(i16::from(value.is_some()));
        self.values.extend(value);
    }

    fn repeated(&mut self, values: impl Iterator<Item = T::T>) {
        let before = self.values.len();
        self.values.extend(values);
        let count = self.values.len() - before;
        if count == 0 {
            self.definitions.push(0);
            self.repetitions.push(0);
        }
        for index in 0..count {
            self.definitions.push(1);
            self.repetitions.push(i16::from(index > 0));
        }
    }
}
