//! From the columns back to the model.

use model::{Event, KeyValue, Link, Span, SpanKind, StatusCode, TraceId, Value};
use otlp::traces::{merge_key_value, value_of};

use super::insert::read_varint;
use super::{BESIDE, Extra, NONE, Segment};
use crate::query::{Call, Services};

/// An attribute in a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Word<'a> {
    /// The number of a pair.
    Pair(u32),
    /// A key and the bytes of an `AnyValue`.
    Beside(u32, &'a [u8]),
}

impl Segment {
    /// The attributes that some words stand for.
    pub(super) fn words_in<'a>(&'a self, words: &'a [u32]) -> impl Iterator<Item = Word<'a>> + 'a {
        let mut words = words.iter();
        std::iter::from_fn(move || {
            let word = *words.next()?;
            if word & BESIDE == 0 {
                return Some(Word::Pair(word));
            }
            let at = *words.next()? as usize;
            let (length, bytes) = read_varint(&self.beside[at..]);
            Some(Word::Beside(word & !BESIDE, &bytes[..length as usize]))
        })
    }

    pub(super) fn side_words_of(&self, words: (u32, u32)) -> &[u32] {
        &self.side_words[words.0 as usize..words.1 as usize]
    }

    fn attributes(&self, words: &[u32]) -> Vec<KeyValue> {
        self.words_in(words)
            .map(|word| match word {
                Word::Pair(pair) => merge_key_value(self.pairs.get(pair)),
                Word::Beside(key, value) => (self.strings.get(key).to_owned(), value_of(value)),
            })
            .collect()
    }

    /// The key of a pair.
    pub(super) fn pair_key(&self, pair: u32) -> u32 {
        self.pair_keys[pair as usize]
    }

    /// The value of a pair.
    pub(super) fn pair_value(&self, pair: u32) -> Value {
        merge_key_value(self.pairs.get(pair)).1
    }

    /// The rows of a trace, newest insertion first.
    pub(crate) fn rows_of(&self, trace_id: TraceId) -> impl Iterator<Item = u32> + '_ {
        let first = self.last_row_of(trace_id);
        std::iter::successors(first, |&row| {
            Some(self.previous_in_trace[row as usize]).filter(|&previous| previous != NONE)
        })
    }

    /// A row as the model has it.
    pub(crate) fn span(&self, row: u32) -> Span {
        let row = row as usize;
        let signature = &self.signatures[self.signature_of[row] as usize];
        let mut span = Span {
            trace_id: self.trace_ids[row],
            span_id: self.span_ids[row],
            parent_span_id: self.parent_span_ids[row],
            flags: signature.flags,
            name: self.strings.get(signature.name).to_owned(),
            kind: SpanKind::from_number(i32::from(signature.kind)),
            start_ns: self.starts_ns[row],
            end_ns: self.starts_ns[row].wrapping_add(self.durations_ns[row]),
            attributes: self.attributes(self.words_of(row)),
            status_code: StatusCode::from_number(i32::from(signature.status)),
            resource: self.resource_of(signature).resource.clone(),
            scope: self.origins[signature.origin as usize].scope.clone(),
            ..Span::default()
        };
        if let Some(extra) = self.extra(row) {
            self.strings.get(extra.trace_state).clone_into(&mut span.trace_state);
            self.strings.get(extra.status_message).clone_into(&mut span.status_message);
            span.dropped_attributes_count = extra.dropped_attributes_count;
            span.dropped_events_count = extra.dropped_events_count;
            span.dropped_links_count = extra.dropped_links_count;
            span.events = self.events_in(extra);
            span.links = self.links_in(extra);
        }
        span
    }

    pub(super) fn events_in(&self, extra: &Extra) -> Vec<Event> {
        self.events[extra.events.0 as usize..extra.events.1 as usize]
            .iter()
            .map(|event| Event {
                time_ns: event.time_ns,
                name: self.strings.get(event.name).to_owned(),
                attributes: self.attributes(self.side_words_of(event.words)),
                dropped_attributes_count: event.dropped_attributes_count,
            })
            .collect()
    }

    pub(super) fn links_in(&self, extra: &Extra) -> Vec<Link> {
        self.links[extra.links.0 as usize..extra.links.1 as usize]
            .iter()
            .map(|link| Link {
                trace_id: link.trace_id,
                span_id: link.span_id,
                trace_state: self.strings.get(link.trace_state).to_owned(),
                attributes: self.attributes(self.side_words_of(link.words)),
                dropped_attributes_count: link.dropped_attributes_count,
                flags: link.flags,
            })
            .collect()
    }
}

impl Segment {
    /// What the graph of calls needs of every span.
    pub(crate) fn calls(&self, services: &mut Services) -> impl Iterator<Item = (TraceId, Call)> {
        let numbers: Vec<u32> =
            self.resources.iter().map(|row| services.number(self.strings.get(row.service))).collect();
        (0..self.rows()).map(move |row| {
            let signature = &self.signatures[self.signature_of[row] as usize];
            let start_ns = self.starts_ns[row];
            let call = Call {
                span_id: self.span_ids[row],
                parent_span_id: self.parent_span_ids[row],
                kind: signature.kind,
                start_ns,
                end_ns: start_ns.wrapping_add(self.durations_ns[row]),
                service: numbers[self.origins[signature.origin as usize].resource as usize],
            };
            (self.trace_ids[row], call)
        })
    }
}
