//! What a segment contains, for lists: found through its tables, each distinct thing looked at once.

use model::{SpanId, SpanKind, TimeRange};
use otlp::traces::{merge_key_value, value_of};

use super::{BESIDE, Segment};
use crate::index::{Index, Want};
use crate::search::{Intrinsic, TagScope};
use crate::segment::read::Word;

impl Segment {
    /// Adds what the spans that start within a range contain.
    pub(crate) fn collect(&self, range: TimeRange, want: &Want<'_>, into: &mut Index) {
        let Some(bounds) = self.bounds else { return };
        if !range.overlaps(bounds.min_start_ns, bounds.max_start_ns) {
            return;
        }
        let all = range.contains(bounds.min_start_ns) && range.contains(bounds.max_start_ns);
        let rows = || (0..self.rows()).filter(|&row| all || range.contains(self.starts_ns[row]));

        let mut signatures = vec![false; self.signatures.len()];
        let mut roots = vec![false; self.signatures.len()];
        for row in rows() {
            let signature = self.signature_of[row] as usize;
            signatures[signature] = true;
            roots[signature] |= self.parent_span_ids[row] == SpanId::ZERO;
        }
        self.collect_signatures(&signatures, &roots, want, into);
        if want.scope(TagScope::Span) {
            let words = rows().map(|row| self.words_of(row));
            self.collect_words(TagScope::Span, words, want, into);
        }
        let extras =
            || self.extras.iter().filter(|extra| all || range.contains(self.starts_ns[extra.row as usize]));
        let events =
            || extras().flat_map(|extra| &self.events[extra.events.0 as usize..extra.events.1 as usize]);
        if want.scope(TagScope::Event) {
            let words = events().map(|event| self.side_words_of(event.words));
            self.collect_words(TagScope::Event, words, want, into);
        }
        if want.scope(TagScope::Link) {
            let links =
                extras().flat_map(|extra| &self.links[extra.links.0 as usize..extra.links.1 as usize]);
            let words = links.map(|link| self.side_words_of(link.words));
            self.collect_words(TagScope::Link, words, want, into);
        }
        if want.intrinsic(Intrinsic::StatusMessage) {
            self.collect_strings(extras().map(|extra| extra.status_message), Intrinsic::StatusMessage, into);
        }
        if want.intrinsic(Intrinsic::EventName) {
            self.collect_strings(events().map(|event| event.name), Intrinsic::EventName, into);
        }
    }

    fn collect_strings(&self, strings: impl Iterator<Item = u32>, intrinsic: Intrinsic, into: &mut Index) {
        let mut seen = vec![false; self.strings.len()];
        for string in strings {
            if !std::mem::replace(&mut seen[string as usize], true) {
                into.add_intrinsic(intrinsic, self.strings.get(string));
            }
        }
    }

    fn collect_signatures(&self, used: &[bool], roots: &[bool], want: &Want<'_>, into: &mut Index) {
        let mut origins = vec![false; self.origins.len()];
        for (index, signature) in self.signatures.iter().enumerate().filter(|(index, _)| used[*index]) {
            let name = self.strings.get(signature.name);
            let service = self.strings.get(self.resource_of(signature).service);
            if want.operations() {
                into.add_operation(service, name, SpanKind::from_number(i32::from(signature.kind)));
            }
            if want.intrinsic(Intrinsic::Name) {
                into.add_intrinsic(Intrinsic::Name, name);
            }
            if roots[index] && want.intrinsic(Intrinsic::RootName) {
                into.add_intrinsic(Intrinsic::RootName, name);
            }
            if roots[index] && want.intrinsic(Intrinsic::RootService) {
                into.add_intrinsic(Intrinsic::RootService, service);
            }
            origins[signature.origin as usize] = true;
        }
        let mut resources = vec![false; self.resources.len()];
        for (origin, _) in self.origins.iter().zip(&origins).filter(|(_, used)| **used) {
            resources[origin.resource as usize] = true;
            if want.intrinsic(Intrinsic::ScopeName) {
                into.add_intrinsic(Intrinsic::ScopeName, &origin.scope.name);
            }
            if want.intrinsic(Intrinsic::ScopeVersion) {
                into.add_intrinsic(Intrinsic::ScopeVersion, &origin.scope.version);
            }
            if want.scope(TagScope::Instrumentation) {
                into.add_attributes(TagScope::Instrumentation, &origin.scope.attributes, want);
            }
        }
        if want.scope(TagScope::Resource) {
            for (row, _) in self.resources.iter().zip(&resources).filter(|(_, used)| **used) {
                into.add_attributes(TagScope::Resource, &row.resource.attributes, want);
            }
        }
    }

    fn collect_words<'a>(
        &'a self,
        scope: TagScope,
        words: impl Iterator<Item = &'a [u32]>,
        want: &Want<'_>,
        into: &mut Index,
    ) {
        let wanted_key = match want {
            Want::Values(_, key) => match self.strings.find(key) {
                Some(key) => Some(key),
                None => return,
            },
            _ => None,
        };
        let mut pairs = vec![false; self.pairs.len()];
        // Keys that need no further look.
        let mut keys = vec![false; self.strings.len()];
        for words in words {
            if !want.values() && words.iter().all(|word| word & BESIDE == 0) {
                for word in words {
                    pairs[*word as usize] = true;
                }
                continue;
            }
            for word in self.words_in(words) {
                match word {
                    Word::Pair(pair) => pairs[pair as usize] = true,
                    Word::Beside(key, value) => {
                        let is_wanted = want.values() && wanted_key.is_none_or(|wanted| wanted == key);
                        // Once a key has enough values, its further ones are not even read.
                        if is_wanted && !keys[key as usize] {
                            let name = self.strings.get(key);
                            into.add_value(scope, name, &value_of(value));
                            keys[key as usize] = into.has_enough(scope, name);
                        }
                        if !want.values() {
                            keys[key as usize] = true;
                        }
                    }
                }
            }
        }
        for pair in (0..pairs.len()).filter(|pair| pairs[*pair]) {
            let key = self.pair_keys[pair];
            if wanted_key.is_some_and(|wanted| wanted != key) {
                continue;
            }
            if want.values() {
                let (key, value) = merge_key_value(self.pairs.get(pair as u32));
                into.add_value(scope, &key, &value);
            } else {
                keys[key as usize] = true;
            }
        }
        if !want.values() {
            for key in (0..keys.len()).filter(|key| keys[*key]) {
                into.add_key(scope, self.strings.get(key as u32));
            }
        }
    }
}
