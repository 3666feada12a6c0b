//! Scanning a segment: a filter is first put into the segment's own numbers, so that a row costs a few comparisons.

use model::{SpanKind, StatusCode};
use otlp::traces::value_of;

use super::insert::write_varint;
use super::read::Word;
use super::{Segment, TEXT_FIELD};
use crate::filter::Region;
use crate::search::{SpanFilter, Tag, TagMatch};

/// A filter in the numbers of one segment.
#[derive(Debug)]
pub(crate) struct Scan<'a> {
    segment: &'a Segment,
    filter: &'a SpanFilter,
    region: Region,
    /// By signature: whether all that the signature decides holds.
    signatures: Vec<bool>,
    tags: Vec<TagScan<'a>>,
}

#[derive(Debug)]
struct TagScan<'a> {
    tag: &'a Tag,
    /// By signature: whether resource or scope has the attribute.
    signatures: Vec<bool>,
    /// By pair: whether it is the attribute.
    pairs: Vec<bool>,
    /// The key, where the segment has it at all.
    key: Option<u32>,
    /// The bytes of the `AnyValue` of the text that is asked for.
    encoded: Vec<u8>,
}

impl TagScan<'_> {
    /// Whether the bytes of an `AnyValue` are what is asked for.
    fn matches(&self, value: &[u8]) -> bool {
        // Most values are short texts, and where nothing but the text is in the bytes, the bytes say it.
        let is_plain =
            matches!(value, [TEXT_FIELD, length @ 0..0x80, text @ ..] if text.len() == usize::from(*length));
        if is_plain && self.tag.matching == TagMatch::Equal {
            value == self.encoded
        } else {
            self.tag.matches_value(&value_of(value))
        }
    }
}

impl Segment {
    /// Prepares a scan; `None` if no row can satisfy the filter.
    pub(crate) fn scan<'a>(&'a self, filter: &'a SpanFilter, region: Region) -> Option<Scan<'a>> {
        if !region.may_have(&self.bounds?) {
            return None;
        }
        let signatures: Vec<bool> =
            (0..self.signatures.len()).map(|index| self.signature_matches(index, filter)).collect();
        if !signatures.contains(&true) {
            return None;
        }
        let mut tags = Vec::with_capacity(filter.tags.len());
        for tag in &filter.tags {
            tags.push(self.prepare_tag(tag)?);
        }
        Some(Scan { segment: self, filter, region, signatures, tags })
    }

    fn signature_matches(&self, index: usize, filter: &SpanFilter) -> bool {
        let signature = &self.signatures[index];
        let scope = &self.origins[signature.origin as usize].scope;
        filter.kind.is_none_or(|kind| kind == SpanKind::from_number(i32::from(signature.kind)))
            && filter
                .status
                .is_none_or(|status| status == StatusCode::from_number(i32::from(signature.status)))
            && filter
                .service
                .as_ref()
                .is_none_or(|service| self.strings.get(self.resource_of(signature).service) == service)
            && filter.matches_name(self.strings.get(signature.name))
            && filter.matches_scope(&scope.name, &scope.version)
    }

    fn prepare_tag<'a>(&'a self, tag: &'a Tag) -> Option<TagScan<'a>> {
        let in_resource: Vec<bool> = self
            .resources
            .iter()
            .map(|row| tag.scopes.resource && tag.matches_any(&row.resource.attributes))
            .collect();
        let in_origin: Vec<bool> = self
            .origins
            .iter()
            .map(|row| {
                in_resource[row.resource as usize]
                    || (tag.scopes.instrumentation && tag.matches_any(&row.scope.attributes))
            })
            .collect();
        let signatures: Vec<bool> =
            self.signatures.iter().map(|signature| in_origin[signature.origin as usize]).collect();
        let in_rows = tag.scopes.span || tag.scopes.event || tag.scopes.link;
        let key = self.strings.find(&tag.key).filter(|_| in_rows);
        if key.is_none() && !signatures.contains(&true) {
            return None;
        }
        let mut pairs = vec![false; self.pairs.len()];
        if let Some(key) = key {
            for (index, own_key) in self.pair_keys.iter().enumerate() {
                if *own_key == key {
                    pairs[index] = tag.matches_value(&self.pair_value(index as u32));
                }
            }
        }
        let mut encoded = vec![TEXT_FIELD];
        write_varint(&mut encoded, tag.value.len() as u32);
        encoded.extend_from_slice(tag.value.as_bytes());
        Some(TagScan { tag, signatures, pairs, key, encoded })
    }
}

impl Scan<'_> {
    /// The rows that satisfy the filter.
    pub(crate) fn rows(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.segment.rows()).filter(|&row| self.matches(row)).map(|row| row as u32)
    }

    fn matches(&self, row: usize) -> bool {
        let segment = self.segment;
        let signature = segment.signature_of[row] as usize;
        if !self.signatures[signature] {
            return false;
        }
        let start_ns = segment.starts_ns[row];
        let end_ns = start_ns.wrapping_add(segment.durations_ns[row]);
        if !self.region.has(start_ns, end_ns)
            || !self.filter.matches_duration(end_ns.saturating_sub(start_ns))
        {
            return false;
        }
        self.tags.iter().all(|tag| tag.signatures[signature] || self.row_has(row, tag))
    }

    fn row_has(&self, row: usize, scan: &TagScan<'_>) -> bool {
        let Some(key) = scan.key else { return false };
        let segment = self.segment;
        let any = |words: &[u32]| {
            segment.words_in(words).any(|word| match word {
                Word::Pair(pair) => scan.pairs[pair as usize],
                Word::Beside(own_key, value) => own_key == key && scan.matches(value),
            })
        };
        let scopes = scan.tag.scopes;
        if scopes.span && any(segment.words_of(row)) {
            return true;
        }
        if !scopes.event && !scopes.link {
            return false;
        }
        segment.extra(row).is_some_and(|extra| {
            let events = &segment.events[extra.events.0 as usize..extra.events.1 as usize];
            let links = &segment.links[extra.links.0 as usize..extra.links.1 as usize];
            (scopes.event && events.iter().any(|event| any(segment.side_words_of(event.words))))
                || (scopes.link && links.iter().any(|link| any(segment.side_words_of(link.words))))
        })
    }
}
