//! A segment as a block's writer reads it: column by column, texts by number so that equal ones are made once.

use model::{Event, Link, Resource, Scope, SpanId, SpanKind, StatusCode, TraceId, Value};
use otlp::traces::value_of;

use super::insert::read_varint;
use super::read::Word;
use super::{Segment, TEXT_FIELD};

/// A value of an attribute.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell<'a> {
    /// The number of a pair, below [`Segment::pair_count`].
    Pair(u32),
    /// The bytes of an `AnyValue`.
    Bytes(&'a [u8]),
}

impl<'a> Cell<'a> {
    /// The text, where the bytes are those of a text as every encoder writes it.
    pub(crate) fn plain_text(self) -> Option<&'a [u8]> {
        let Self::Bytes([TEXT_FIELD, rest @ ..]) = self else { return None };
        let (length, text) = read_varint(rest);
        (text.len() == length as usize).then_some(text)
    }

    /// The value itself.
    pub(crate) fn value(self, segment: &Segment) -> Value {
        match self {
            Self::Pair(pair) => segment.pair_value(pair),
            Self::Bytes(bytes) => value_of(bytes),
        }
    }
}

/// The counts of what a sender dropped: attributes, events, links.
pub(crate) type Dropped = [u32; 3];

impl Segment {
    pub(crate) fn string_count(&self) -> usize {
        self.strings.len()
    }

    pub(crate) fn pair_count(&self) -> usize {
        self.pairs.len()
    }

    pub(crate) fn resource_count(&self) -> usize {
        self.resources.len()
    }

    pub(crate) fn origin_count(&self) -> usize {
        self.origins.len()
    }

    pub(crate) fn string(&self, index: u32) -> &str {
        self.strings.get(index)
    }

    pub(crate) fn trace_ids(&self) -> &[TraceId] {
        &self.trace_ids
    }

    pub(crate) fn parent_span_id(&self, row: u32) -> SpanId {
        self.parent_span_ids[row as usize]
    }

    pub(crate) fn raw_duration_ns(&self, row: u32) -> u64 {
        self.durations_ns[row as usize]
    }

    fn signature(&self, row: u32) -> &super::Signature {
        &self.signatures[self.signature_of[row as usize] as usize]
    }

    /// The number of the name's string.
    pub(crate) fn name(&self, row: u32) -> u32 {
        self.signature(row).name
    }

    pub(crate) fn kind(&self, row: u32) -> SpanKind {
        SpanKind::from_number(i32::from(self.signature(row).kind))
    }

    pub(crate) fn status(&self, row: u32) -> StatusCode {
        StatusCode::from_number(i32::from(self.signature(row).status))
    }

    pub(crate) fn flags(&self, row: u32) -> u32 {
        self.signature(row).flags
    }

    /// The number of the service's string.
    pub(crate) fn service(&self, row: u32) -> u32 {
        self.resource_of(self.signature(row)).service
    }

    /// The number of the row's resource.
    pub(crate) fn resource_index(&self, row: u32) -> u32 {
        self.origins[self.signature(row).origin as usize].resource
    }

    pub(crate) fn resource(&self, index: u32) -> &Resource {
        &self.resources[index as usize].resource
    }

    /// The number of the row's scope together with its resource.
    pub(crate) fn origin_index(&self, row: u32) -> u32 {
        self.signature(row).origin
    }

    pub(crate) fn scope(&self, origin: u32) -> &Scope {
        &self.origins[origin as usize].scope
    }

    /// Keys, by the numbers of their strings, and values of a row's attributes.
    pub(crate) fn cells(&self, row: u32) -> impl Iterator<Item = (u32, Cell<'_>)> {
        self.words_in(self.words_of(row as usize)).map(|word| match word {
            Word::Pair(pair) => (self.pair_key(pair), Cell::Pair(pair)),
            Word::Beside(key, value) => (key, Cell::Bytes(value)),
        })
    }

    /// The number of the status message's string.
    pub(crate) fn status_message(&self, row: u32) -> Option<u32> {
        self.extra(row as usize).map(|extra| extra.status_message)
    }

    /// The number of the trace state's string.
    pub(crate) fn trace_state(&self, row: u32) -> Option<u32> {
        self.extra(row as usize).map(|extra| extra.trace_state)
    }

    pub(crate) fn dropped(&self, row: u32) -> Dropped {
        self.extra(row as usize).map_or([0; 3], |extra| {
            [extra.dropped_attributes_count, extra.dropped_events_count, extra.dropped_links_count]
        })
    }

    pub(crate) fn events_of(&self, row: u32) -> Vec<Event> {
        self.extra(row as usize).map_or(Vec::new(), |extra| self.events_in(extra))
    }

    pub(crate) fn links_of(&self, row: u32) -> Vec<Link> {
        self.extra(row as usize).map_or(Vec::new(), |extra| self.links_in(extra))
    }
}
