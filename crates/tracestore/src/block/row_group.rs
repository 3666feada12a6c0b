//! Writing the columns of a row group.

use bytes::{Bytes, BytesMut};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, Int64Type,
};
use parquet::file::writer::SerializedRowGroupWriter;

use super::columns;
use super::order::At;
use crate::codec;
use crate::segment::{Cell, Segment};

/// Rows that are handed to a column's writer at once.
const BATCH_ROWS: usize = 2048;

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

/// Writes the columns of a row group, one after the other.
pub(super) struct RowGroupWriter<'a, W: std::io::Write + Send> {
    pub(super) segments: &'a [&'a Segment],
    pub(super) rows: &'a [At],
    pub(super) group: SerializedRowGroupWriter<'a, W>,
}

impl<'a, W: std::io::Write + Send> RowGroupWriter<'a, W> {
    pub(super) fn write(mut self) -> Outcome {
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
