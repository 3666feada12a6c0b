//! From a decoded request into the columns.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use foldhash::fast::FixedState;
use model::TraceId;
use otlp::traces::{AttributeRef, Batch, SpanRef};

use super::intern::hash;
use super::{BESIDE, Bounds, EventRow, Extra, LinkRow, NONE, OriginRow, ResourceRow, Segment, Signature};

/// Attributes of a key that are kept once, whatever they are.
const ALWAYS_KEPT_ONCE: u32 = 256;
/// Past that a key's values are written beside if more than one span in so many brings a new one.
const NEW_VALUES_SHARE: usize = 4;

#[inline]
fn hash_trace_id(trace_id: TraceId) -> u64 {
    // Random bytes in most cases, but nothing forces a sender to that.
    FixedState::with_seed(1).hash_one(trace_id.0)
}

fn hash_signature(signature: &Signature) -> u64 {
    let words = (
        u64::from(signature.name) << 32 | u64::from(signature.origin),
        u64::from(signature.flags) << 16 | u64::from(signature.kind) << 8 | u64::from(signature.status),
    );
    FixedState::with_seed(2).hash_one(words)
}

impl Segment {
    /// Takes every span of a request.
    pub(crate) fn insert(&mut self, batch: &Batch<'_>) {
        let resources: Vec<u32> = batch
            .resources()
            .iter()
            .map(|resource| {
                let mut key = resource.raw.to_vec();
                key.push(0xff);
                key.extend_from_slice(resource.schema_url.as_bytes());
                self.resource_table.get(&key).unwrap_or_else(|| {
                    let resource = resource.to_model();
                    let service = self.strings.add(resource.service_name());
                    let index = self.resources.len() as u32;
                    self.resources.push(ResourceRow { resource: Arc::new(resource), service });
                    self.resource_table.insert(&key, index);
                    // The key in the table, the texts of the model, and the model's own frame.
                    self.other_bytes += key.len() * 4 + 512;
                    index
                })
            })
            .collect();
        let origins: Vec<u32> = batch
            .scopes()
            .iter()
            .map(|scope| {
                let resource = resources[scope.resource as usize];
                let mut key = resource.to_le_bytes().to_vec();
                key.extend_from_slice(&scope.raw);
                key.push(0xff);
                key.extend_from_slice(scope.schema_url.as_bytes());
                self.origin_table.get(&key).unwrap_or_else(|| {
                    let index = self.origins.len() as u32;
                    self.origins.push(OriginRow { scope: Arc::new(scope.to_model()), resource });
                    self.origin_table.insert(&key, index);
                    self.other_bytes += key.len() * 4 + 512;
                    index
                })
            })
            .collect();
        let rows = batch.spans().len();
        self.trace_ids.reserve(rows);
        for span in batch.spans() {
            self.insert_span(batch, span, origins[span.scope as usize]);
        }
    }

    fn insert_span(&mut self, batch: &Batch<'_>, span: &SpanRef<'_>, origin: u32) {
        let row = self.trace_ids.len() as u32;
        let signature = Signature {
            name: self.strings.add(span.name),
            origin,
            flags: span.flags,
            kind: span.kind as u8,
            status: span.status_code as u8,
        };
        let signature = self.intern_signature(signature);
        for &attribute in batch.attributes(&span.attributes) {
            self.insert_attribute(attribute, row as usize, false);
        }
        let has_extra = !span.trace_state.is_empty()
            || !span.status_message.is_empty()
            || !span.events.is_empty()
            || !span.links.is_empty()
            || (span.dropped_attributes_count | span.dropped_events_count | span.dropped_links_count) != 0;
        if has_extra {
            self.insert_extra(batch, span, row);
        }
        self.span_ids.push(span.span_id);
        self.parent_span_ids.push(span.parent_span_id);
        self.starts_ns.push(span.start_ns);
        self.durations_ns.push(span.end_ns.wrapping_sub(span.start_ns));
        self.signature_of.push(signature);
        self.words_end.push(self.words.len() as u32);
        let previous = self.link_trace(span.trace_id, row);
        self.previous_in_trace.push(previous);
        self.trace_ids.push(span.trace_id);
        let bounds = Bounds::of(span.start_ns, span.end_ns);
        self.bounds = Some(self.bounds.map_or(bounds, |all| all.join(bounds)));
    }

    #[inline]
    fn intern_signature(&mut self, signature: Signature) -> u32 {
        let hash_of_it = hash_signature(&signature);
        let Self { signatures, signature_table, .. } = self;
        if let Some(&index) =
            signature_table.find(hash_of_it, |&index| signatures[index as usize] == signature)
        {
            return index;
        }
        let index = signatures.len() as u32;
        signatures.push(signature);
        signature_table
            .insert_unique(hash_of_it, index, |&index| hash_signature(&signatures[index as usize]));
        index
    }

    /// Makes the row the last one of its trace and gives back the one that was it.
    #[inline]
    fn link_trace(&mut self, trace_id: TraceId, row: u32) -> u32 {
        let Self { traces, trace_ids, .. } = self;
        // The hash of the row that is being added is asked for when the table grows, before its id is in the column.
        let id_of = |index: u32| trace_ids.get(index as usize).copied().unwrap_or(trace_id);
        let entry = traces.entry(
            hash_trace_id(trace_id),
            |&index| id_of(index) == trace_id,
            |&index| hash_trace_id(id_of(index)),
        );
        match entry {
            hashbrown::hash_table::Entry::Occupied(mut entry) => std::mem::replace(entry.get_mut(), row),
            hashbrown::hash_table::Entry::Vacant(entry) => {
                entry.insert(row);
                NONE
            }
        }
    }

    /// The last row of a trace.
    pub(super) fn last_row_of(&self, trace_id: TraceId) -> Option<u32> {
        self.traces.find(hash_trace_id(trace_id), |&row| self.trace_ids[row as usize] == trace_id).copied()
    }

    #[inline]
    fn insert_attribute(&mut self, attribute: AttributeRef<'_>, rows: usize, side: bool) {
        let raw = attribute.raw();
        let hash_of_raw = hash(raw);
        let (first, second) = match self.pairs.find(hash_of_raw, raw) {
            Some(pair) => (pair, None),
            None => self.add_attribute(attribute, hash_of_raw, rows),
        };
        let words = if side { &mut self.side_words } else { &mut self.words };
        words.push(first);
        words.extend(second);
    }

    /// An attribute that was not there yet: kept once, or written beside where the key's values hardly repeat.
    fn add_attribute(
        &mut self,
        attribute: AttributeRef<'_>,
        hash_of_raw: u64,
        rows: usize,
    ) -> (u32, Option<u32>) {
        let split = attribute.split();
        let key = match split {
            Some((key, _)) => self.strings.add(key),
            None => self.strings.add(&attribute.key_value().0),
        };
        if self.pairs_of_key.len() < self.strings.len() {
            self.pairs_of_key.resize(self.strings.len(), 0);
        }
        let pairs_of_key = &mut self.pairs_of_key[key as usize];
        if let Some((_, value)) = split
            && *pairs_of_key >= ALWAYS_KEPT_ONCE
            && *pairs_of_key as usize > rows / NEW_VALUES_SHARE
        {
            let at = self.beside.len() as u32;
            write_varint(&mut self.beside, value.len() as u32);
            self.beside.extend_from_slice(value);
            return (key | BESIDE, Some(at));
        }
        *pairs_of_key += 1;
        self.pair_keys.push(key);
        (self.pairs.add(hash_of_raw, attribute.raw()), None)
    }

    fn insert_extra(&mut self, batch: &Batch<'_>, span: &SpanRef<'_>, row: u32) {
        let events_begin = self.events.len() as u32;
        for event in batch.events(&span.events) {
            let words_begin = self.side_words.len() as u32;
            for &attribute in batch.attributes(&event.attributes) {
                self.insert_attribute(attribute, row as usize, true);
            }
            let name = self.strings.add(event.name);
            self.events.push(EventRow {
                time_ns: event.time_ns,
                name,
                words: (words_begin, self.side_words.len() as u32),
                dropped_attributes_count: event.dropped_attributes_count,
            });
        }
        let links_begin = self.links.len() as u32;
        for link in batch.links(&span.links) {
            let words_begin = self.side_words.len() as u32;
            for &attribute in batch.attributes(&link.attributes) {
                self.insert_attribute(attribute, row as usize, true);
            }
            let trace_state = self.strings.add(link.trace_state);
            self.links.push(LinkRow {
                trace_id: link.trace_id,
                span_id: link.span_id,
                trace_state,
                words: (words_begin, self.side_words.len() as u32),
                dropped_attributes_count: link.dropped_attributes_count,
                flags: link.flags,
            });
        }
        let trace_state = self.strings.add(span.trace_state);
        let status_message = self.strings.add(span.status_message);
        self.extras.push(Extra {
            row,
            trace_state,
            status_message,
            dropped_attributes_count: span.dropped_attributes_count,
            dropped_events_count: span.dropped_events_count,
            dropped_links_count: span.dropped_links_count,
            events: (events_begin, self.events.len() as u32),
            links: (links_begin, self.links.len() as u32),
        });
    }
}

/// Appends a number as protobuf writes it.
pub(super) fn write_varint(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A number and the bytes behind it.
pub(super) fn read_varint(bytes: &[u8]) -> (u32, &[u8]) {
    let mut number = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        number |= u32::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return (number, &bytes[index + 1..]);
        }
    }
    (0, &[])
}
