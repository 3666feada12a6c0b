//! Some columns of some rows of a row group.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use blocks::BlockFile;
use bytes::Bytes;
use model::{KeyValue, Resource, Scope, Span, SpanId, SpanKind, StatusCode, TraceId};
use parquet::column::page::PageReader;
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FixedLenByteArrayType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::serialized_reader::SerializedPageReader;

use super::columns;
use super::schema::{Column, Columns};
use crate::codec;

/// Columns of consecutive rows; those that were not asked for are empty.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) rows: usize,
    pub(super) trace_ids: Vec<TraceId>,
    pub(super) span_ids: Vec<SpanId>,
    pub(super) parent_span_ids: Vec<SpanId>,
    pub(super) starts_ns: Vec<u64>,
    /// End minus start, wrapping.
    pub(super) durations_ns: Vec<u64>,
    pub(super) names: Vec<ByteArray>,
    pub(super) kinds: Vec<ByteArray>,
    pub(super) status_codes: Vec<ByteArray>,
    pub(super) status_messages: Vec<ByteArray>,
    pub(super) services: Vec<ByteArray>,
    trace_states: Vec<ByteArray>,
    flags: Vec<i64>,
    dropped: [Vec<i64>; 3],
    pub(super) keys: Vec<ByteArray>,
    pub(super) values: Vec<ByteArray>,
    /// For each row, where its attributes begin; one more at the end.
    pub(super) attributes_at: Vec<usize>,
    pub(super) types: Vec<ByteArray>,
    pub(super) resources: Vec<ByteArray>,
    pub(super) scopes: Vec<ByteArray>,
    pub(super) events: Vec<ByteArray>,
    pub(super) links: Vec<ByteArray>,
}

fn damaged(what: &str) -> ParquetError {
    ParquetError::General(format!("{what} is not what this program writes"))
}

impl Part {
    /// Reads the columns that are wanted, of ranges of rows in rising order, one behind the other.
    pub(super) fn read(
        file: &Arc<BlockFile>,
        group: &RowGroupMetaData,
        ranges: &[Range<usize>],
        wanted: Columns,
    ) -> Result<Self> {
        let source = Source { file, group, ranges, rows: ranges.iter().map(Range::len).sum() };
        let mut part = Self { rows: source.rows, ..Self::default() };
        let texts = |column: Column| -> Result<Vec<ByteArray>> {
            if wanted.has(column) { source.texts(column) } else { Ok(Vec::new()) }
        };
        let numbers = |column: Column| -> Result<Vec<i64>> {
            if wanted.has(column) { source.numbers(column) } else { Ok(Vec::new()) }
        };
        if wanted.has(Column::TraceId) {
            part.trace_ids = source.fixed(Column::TraceId)?.into_iter().map(TraceId).collect();
        }
        if wanted.has(Column::SpanId) {
            part.span_ids = source.fixed(Column::SpanId)?.into_iter().map(SpanId).collect();
        }
        if wanted.has(Column::ParentSpanId) {
            part.parent_span_ids = source.fixed(Column::ParentSpanId)?.into_iter().map(SpanId).collect();
        }
        part.starts_ns = numbers(Column::Start)?.into_iter().map(|start| start as u64).collect();
        part.durations_ns = numbers(Column::Duration)?.into_iter().map(|duration| duration as u64).collect();
        part.names = texts(Column::Name)?;
        part.kinds = texts(Column::Kind)?;
        part.status_codes = texts(Column::StatusCode)?;
        part.status_messages = texts(Column::StatusMessage)?;
        part.services = texts(Column::ServiceName)?;
        part.trace_states = texts(Column::TraceState)?;
        part.flags = numbers(Column::Flags)?;
        part.dropped = [
            numbers(Column::DroppedAttributes)?,
            numbers(Column::DroppedEvents)?,
            numbers(Column::DroppedLinks)?,
        ];
        if wanted.has(Column::AttributeKey) {
            (part.keys, part.attributes_at) = source.lists(Column::AttributeKey)?;
        }
        if wanted.has(Column::AttributeValue) {
            let (values, at) = source.lists(Column::AttributeValue)?;
            if wanted.has(Column::AttributeKey) && at != part.attributes_at {
                return Err(damaged("the list of attributes"));
            }
            part.values = values;
        }
        part.types = texts(Column::AttributeTypes)?;
        part.resources = texts(Column::Resource)?;
        part.scopes = texts(Column::Scope)?;
        part.events = texts(Column::Events)?;
        part.links = texts(Column::Links)?;
        Ok(part)
    }

    pub(super) fn end_ns(&self, row: usize) -> u64 {
        self.starts_ns[row].wrapping_add(self.durations_ns[row])
    }

    /// A row's attributes: key, type letter, text.
    pub(super) fn attributes(&self, row: usize) -> impl Iterator<Item = (&str, char, &str)> {
        let range = self.attributes_at[row]..self.attributes_at[row + 1];
        let types = self.types[row].data();
        range.enumerate().map(move |(index, at)| {
            let letter = types.get(index).map_or('s', |letter| char::from(*letter));
            (text(&self.keys[at]), letter, text(&self.values[at]))
        })
    }

    /// All rows as the model has them; every column has to be there.
    pub(super) fn spans(&self, shared: &mut Shared) -> Result<Vec<Span>> {
        (0..self.rows).map(|row| self.span(row, shared)).collect()
    }

    fn span(&self, row: usize, shared: &mut Shared) -> Result<Span> {
        let attributes: Option<Vec<KeyValue>> = self
            .attributes(row)
            .map(|(key, letter, text)| Some((key.to_owned(), codec::from_typed_text(letter, text)?)))
            .collect();
        let list = |json: &ByteArray| !json.is_empty();
        Ok(Span {
            trace_id: self.trace_ids[row],
            span_id: self.span_ids[row],
            parent_span_id: self.parent_span_ids[row],
            trace_state: text(&self.trace_states[row]).to_owned(),
            flags: self.flags[row] as u32,
            name: text(&self.names[row]).to_owned(),
            kind: kind(self.kinds[row].data()),
            start_ns: self.starts_ns[row],
            end_ns: self.end_ns(row),
            attributes: attributes.ok_or_else(|| damaged("an attribute"))?,
            dropped_attributes_count: self.dropped[0][row] as u32,
            events: if list(&self.events[row]) {
                columns::events_from_json(text(&self.events[row])).ok_or_else(|| damaged("an event"))?
            } else {
                Vec::new()
            },
            dropped_events_count: self.dropped[1][row] as u32,
            links: if list(&self.links[row]) {
                columns::links_from_json(text(&self.links[row])).ok_or_else(|| damaged("a link"))?
            } else {
                Vec::new()
            },
            dropped_links_count: self.dropped[2][row] as u32,
            status_code: status(self.status_codes[row].data()),
            status_message: text(&self.status_messages[row]).to_owned(),
            resource: shared.resource(&self.resources[row])?,
            scope: shared.scope(&self.scopes[row])?,
        })
    }
}

/// The text of a column that has only texts; empty where damage has made it none.
pub(super) fn text(bytes: &ByteArray) -> &str {
    std::str::from_utf8(bytes.data()).unwrap_or_default()
}

pub(super) fn kind(word: &[u8]) -> SpanKind {
    (0..=5).map(SpanKind::from_number).find(|kind| kind.as_str().as_bytes() == word).unwrap_or_default()
}

pub(super) fn status(word: &[u8]) -> StatusCode {
    (0..=2).map(StatusCode::from_number).find(|status| status.as_str().as_bytes() == word).unwrap_or_default()
}

/// Resources and scopes that were read, each made once.
#[derive(Debug, Default)]
pub(super) struct Shared {
    resources: HashMap<Box<[u8]>, Arc<Resource>>,
    scopes: HashMap<Box<[u8]>, Arc<Scope>>,
}

impl Shared {
    pub(super) fn resource(&mut self, json: &ByteArray) -> Result<Arc<Resource>> {
        if let Some(resource) = self.resources.get(json.data()) {
            return Ok(Arc::clone(resource));
        }
        let resource = columns::resource_from_json(text(json)).ok_or_else(|| damaged("a resource"))?;
        let resource = Arc::new(resource);
        self.resources.insert(json.data().into(), Arc::clone(&resource));
        Ok(resource)
    }

    pub(super) fn scope(&mut self, json: &ByteArray) -> Result<Arc<Scope>> {
        if let Some(scope) = self.scopes.get(json.data()) {
            return Ok(Arc::clone(scope));
        }
        let scope = columns::scope_from_json(text(json)).ok_or_else(|| damaged("a scope"))?;
        let scope = Arc::new(scope);
        self.scopes.insert(json.data().into(), Arc::clone(&scope));
        Ok(scope)
    }
}

struct Source<'a> {
    file: &'a Arc<BlockFile>,
    group: &'a RowGroupMetaData,
    ranges: &'a [Range<usize>],
    /// All rows of the ranges.
    rows: usize,
}

struct Levels<T> {
    values: Vec<T>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
}

impl Source<'_> {
    fn read<T: DataType>(&self, column: Column) -> Result<Levels<T::T>> {
        let index = column as usize;
        if index >= self.group.num_columns() {
            return Err(damaged("the number of columns"));
        }
        let column = self.group.column(index);
        if column.column_type() != T::get_physical_type() {
            return Err(damaged("a column's type"));
        }
        let pages =
            SerializedPageReader::new(Arc::clone(self.file), column, self.group.num_rows() as usize, None)?;
        let pages: Box<dyn PageReader> = Box::new(pages);
        let mut reader = ColumnReaderImpl::<T>::new(column.column_descr_ptr(), pages);
        let mut levels = Levels {
            values: Vec::with_capacity(self.rows),
            definitions: Vec::new(),
            repetitions: Vec::new(),
        };
        let mut at = 0;
        for range in self.ranges {
            let gap = range.start - at;
            if gap > 0 && reader.skip_records(gap)? != gap {
                return Err(damaged("the number of rows"));
            }
            at = range.start;
            while at < range.end {
                let (records, ..) = reader.read_records(
                    range.end - at,
                    Some(&mut levels.definitions),
                    Some(&mut levels.repetitions),
                    &mut levels.values,
                )?;
                if records == 0 {
                    return Err(damaged("the number of rows"));
                }
                at += records;
            }
        }
        Ok(levels)
    }

    /// A value for every row; `missing` where the column has none.
    fn each<T: DataType, U>(
        &self,
        column: Column,
        missing: impl Fn() -> U,
        map: impl Fn(T::T) -> Result<U>,
    ) -> Result<Vec<U>> {
        let levels = self.read::<T>(column)?;
        if levels.definitions.is_empty() {
            return levels.values.into_iter().map(map).collect();
        }
        let mut values = levels.values.into_iter();
        levels
            .definitions
            .iter()
            .map(|level| match level {
                0 => Ok(missing()),
                _ => map(values.next().ok_or_else(|| damaged("the number of values"))?),
            })
            .collect()
    }

    fn fixed<const N: usize>(&self, column: Column) -> Result<Vec<[u8; N]>> {
        self.each::<FixedLenByteArrayType, _>(
            column,
            || [0; N],
            |id| id.data().try_into().map_err(|_| damaged("an identifier's length")),
        )
    }

    fn numbers(&self, column: Column) -> Result<Vec<i64>> {
        self.each::<Int64Type, _>(column, || 0, Ok)
    }

    fn texts(&self, column: Column) -> Result<Vec<ByteArray>> {
        self.each::<ByteArrayType, _>(column, || Bytes::new().into(), Ok)
    }

    /// Values of a repeated column, and where each row's begin.
    fn lists(&self, column: Column) -> Result<(Vec<ByteArray>, Vec<usize>)> {
        let levels = self.read::<ByteArrayType>(column)?;
        let mut at = Vec::with_capacity(self.rows + 1);
        let mut values = 0;
        for (definition, repetition) in levels.definitions.iter().zip(&levels.repetitions) {
            if *repetition == 0 {
                at.push(values);
            }
            values += usize::from(*definition > 0);
        }
        at.push(values);
        if at.len() != self.rows + 1 || values != levels.values.len() {
            return Err(damaged("the number of attributes"));
        }
        Ok((levels.values, at))
    }
}
