//! A part of the head: spans in columns, with everything needed to read them.
//!
//! A row is a span. What spans have in common is kept once: name, kind, status, flags, resource and scope together are
//! a *signature*; an attribute is a number that stands for key and value. Attributes whose values hardly ever repeat
//! (identifiers, addresses) are written beside instead, because a table of them would cost more than it saves.
//!
//! - `intern`: the tables. - `insert`: from a decoded request. - `read`: back to the model. - `filter`: the scan. - `lists`: what it contains. - `cells`: as a
//!   block's writer reads it.

mod cells;
mod filter;
mod insert;
mod intern;
mod lists;
mod read;

use std::mem::size_of;
use std::sync::Arc;

use hashbrown::HashTable;
use model::{Resource, Scope, SpanId, TraceId};

pub(crate) use cells::Cell;
use intern::{Blobs, Strings, Table};

/// Most rows of a segment.
pub(crate) const MAX_ROWS: usize = 1 << 16;
/// Bytes past which a segment takes no more, whatever its rows.
const MAX_BYTES: usize = 32 << 20;
/// Marks a word that is followed by a place in the bytes beside; otherwise it is the number of an attribute.
const BESIDE: u32 = 1 << 31;
/// Key of the field `string_value` in the bytes of an `AnyValue`.
const TEXT_FIELD: u8 = 0x0a;
/// No further row of a trace.
const NONE: u32 = u32::MAX;

/// Spans in memory, appended until full, read at any time.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    /// Names, keys, messages.
    strings: Strings,
    /// Attributes that repeat: the bytes of a `KeyValue`.
    pairs: Blobs,
    /// The key of each pair, a string.
    pair_keys: Vec<u32>,
    /// How many pairs each string is the key of.
    pairs_of_key: Vec<u32>,
    resources: Vec<ResourceRow>,
    resource_table: Table,
    origins: Vec<OriginRow>,
    origin_table: Table,
    signatures: Vec<Signature>,
    signature_table: HashTable<u32>,

    // One entry a span.
    trace_ids: Vec<TraceId>,
    span_ids: Vec<SpanId>,
    parent_span_ids: Vec<SpanId>,
    starts_ns: Vec<u64>,
    /// End minus start, wrapping, so that an end before the start comes back as it came.
    durations_ns: Vec<u64>,
    signature_of: Vec<u32>,
    /// One behind the span's last word in `words`.
    words_end: Vec<u32>,
    /// The row before this one in its trace.
    previous_in_trace: Vec<u32>,

    /// Attributes of the spans.
    words: Vec<u32>,
    /// Attributes of events and links.
    side_words: Vec<u32>,
    /// Values that do not repeat.
    beside: Vec<u8>,
    /// Rows that have more than others, by row.
    extras: Vec<Extra>,
    events: Vec<EventRow>,
    links: Vec<LinkRow>,

    /// The last row of each trace.
    traces: HashTable<u32>,
    /// Bytes behind `Arc`s and in tables, estimated as they are added.
    other_bytes: usize,
    bounds: Option<Bounds>,
}

/// Earliest start, latest start and latest end of some spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "a time says its unit")]
pub(crate) struct Bounds {
    pub(crate) min_start_ns: u64,
    pub(crate) max_start_ns: u64,
    pub(crate) max_end_ns: u64,
}

impl Bounds {
    pub(crate) fn of(start_ns: u64, end_ns: u64) -> Self {
        Self { min_start_ns: start_ns, max_start_ns: start_ns, max_end_ns: end_ns.max(start_ns) }
    }

    pub(crate) fn join(self, other: Self) -> Self {
        Self {
            min_start_ns: self.min_start_ns.min(other.min_start_ns),
            max_start_ns: self.max_start_ns.max(other.max_start_ns),
            max_end_ns: self.max_end_ns.max(other.max_end_ns),
        }
    }
}

#[derive(Debug)]
struct ResourceRow {
    resource: Arc<Resource>,
    /// Its `service.name`, a string.
    service: u32,
}

#[derive(Debug)]
struct OriginRow {
    scope: Arc<Scope>,
    /// Index into the resources.
    resource: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signature {
    name: u32,
    origin: u32,
    flags: u32,
    kind: u8,
    status: u8,
}

/// What few spans have.
#[derive(Debug)]
struct Extra {
    row: u32,
    trace_state: u32,
    status_message: u32,
    dropped_attributes_count: u32,
    dropped_events_count: u32,
    dropped_links_count: u32,
    events: (u32, u32),
    links: (u32, u32),
}

#[derive(Debug)]
struct EventRow {
    time_ns: u64,
    name: u32,
    words: (u32, u32),
    dropped_attributes_count: u32,
}

#[derive(Debug)]
struct LinkRow {
    trace_id: TraceId,
    span_id: SpanId,
    trace_state: u32,
    words: (u32, u32),
    dropped_attributes_count: u32,
    flags: u32,
}

impl Segment {
    pub(crate) fn rows(&self) -> usize {
        self.trace_ids.len()
    }

    /// Whether the next request belongs into another segment.
    pub(crate) fn is_full(&self) -> bool {
        self.rows() >= MAX_ROWS || self.bytes() >= MAX_BYTES
    }

    pub(crate) fn bounds(&self) -> Option<Bounds> {
        self.bounds
    }

    pub(crate) fn trace_id(&self, row: u32) -> TraceId {
        self.trace_ids[row as usize]
    }

    pub(crate) fn start_ns(&self, row: u32) -> u64 {
        self.starts_ns[row as usize]
    }

    pub(crate) fn span_id(&self, row: u32) -> SpanId {
        self.span_ids[row as usize]
    }

    /// Memory that the segment takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        fn of<T>(vec: &Vec<T>) -> usize {
            vec.capacity() * size_of::<T>()
        }
        let table = |table: &HashTable<u32>| table.capacity() * 8 / 7 * (size_of::<u32>() + 1);
        self.strings.bytes()
            + self.pairs.bytes()
            + of(&self.pair_keys)
            + of(&self.pairs_of_key)
            + of(&self.resources)
            + of(&self.origins)
            + of(&self.signatures)
            + table(&self.signature_table)
            + of(&self.trace_ids)
            + of(&self.span_ids)
            + of(&self.parent_span_ids)
            + of(&self.starts_ns)
            + of(&self.durations_ns)
            + of(&self.signature_of)
            + of(&self.words_end)
            + of(&self.previous_in_trace)
            + of(&self.words)
            + of(&self.side_words)
            + of(&self.beside)
            + of(&self.extras)
            + of(&self.events)
            + of(&self.links)
            + table(&self.traces)
            + self.other_bytes
    }

    /// Gives back what only appending needs.
    pub(crate) fn freeze(&mut self) {
        self.strings.shrink();
        self.pairs.freeze();
        self.signature_table = HashTable::new();
        self.resource_table = Table::default();
        self.origin_table = Table::default();
        self.pairs_of_key = Vec::new();
        self.pair_keys.shrink_to_fit();
        self.signatures.shrink_to_fit();
        self.trace_ids.shrink_to_fit();
        self.span_ids.shrink_to_fit();
        self.parent_span_ids.shrink_to_fit();
        self.starts_ns.shrink_to_fit();
        self.durations_ns.shrink_to_fit();
        self.signature_of.shrink_to_fit();
        self.words_end.shrink_to_fit();
        self.previous_in_trace.shrink_to_fit();
        self.words.shrink_to_fit();
        self.side_words.shrink_to_fit();
        self.beside.shrink_to_fit();
        self.extras.shrink_to_fit();
        self.events.shrink_to_fit();
        self.links.shrink_to_fit();
    }

    /// The words of a row's attributes.
    fn words_of(&self, row: usize) -> &[u32] {
        let begin = if row == 0 { 0 } else { self.words_end[row - 1] as usize };
        &self.words[begin..self.words_end[row] as usize]
    }

    fn extra(&self, row: usize) -> Option<&Extra> {
        let index = self.extras.binary_search_by_key(&(row as u32), |extra| extra.row).ok()?;
        Some(&self.extras[index])
    }

    fn resource_of(&self, signature: &Signature) -> &ResourceRow {
        &self.resources[self.origins[signature.origin as usize].resource as usize]
    }
}
