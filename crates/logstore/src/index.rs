//! Which streams there are, and which of them satisfy matchers.

use std::collections::BTreeMap;
use std::sync::Arc;

use foldhash::HashMap;
use model::{Labels, MatchOp, Matcher};

/// Number of a stream within one index.
pub(crate) type StreamId = u32;

/// Streams with postings by label: name, then value, then the streams that have it, ascending.
#[derive(Debug, Default)]
pub(crate) struct StreamIndex {
    streams: Vec<Arc<Labels>>,
    ids: HashMap<Arc<Labels>, StreamId>,
    postings: BTreeMap<String, BTreeMap<String, Vec<StreamId>>>,
}

impl StreamIndex {
    pub(crate) fn len(&self) -> usize {
        self.streams.len()
    }

    pub(crate) fn id(&self, labels: &Labels) -> Option<StreamId> {
        self.ids.get(labels).copied()
    }

    pub(crate) fn labels(&self, id: StreamId) -> &Arc<Labels> {
        &self.streams[id as usize]
    }

    /// All streams, by number.
    pub(crate) fn all(&self) -> impl Iterator<Item = (StreamId, &Arc<Labels>)> {
        (0..).zip(&self.streams)
    }

    /// The stream's number, given to it now if it is new.
    pub(crate) fn insert(&mut self, labels: &Labels) -> StreamId {
        if let Some(id) = self.id(labels) {
            return id;
        }
        let id = self.streams.len() as StreamId;
        let shared = Arc::new(labels.clone());
        for (name, value) in labels.iter() {
            if !self.postings.contains_key(name) {
                self.postings.insert(name.to_owned(), BTreeMap::new());
            }
            if let Some(values) = self.postings.get_mut(name) {
                match values.get_mut(value) {
                    Some(ids) => ids.push(id),
                    None => _ = values.insert(value.to_owned(), vec![id]),
                }
            }
        }
        self.ids.insert(Arc::clone(&shared), id);
        self.streams.push(shared);
        id
    }

    /// The streams that satisfy every matcher, ascending.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Vec<StreamId> {
        let satisfies = |id: &StreamId| {
            let labels = self.labels(*id);
            matchers.iter().all(|matcher| matcher.matches_labels(labels))
        };
        // The shortest posting list of an equality narrows best; the other matchers check what is left.
        let shortest = matchers
            .iter()
            .filter(|matcher| matcher.op() == MatchOp::Equal && !matcher.value().is_empty())
            .map(|matcher| self.posting(matcher.name(), matcher.value()))
            .min_by_key(|ids| ids.len());
        match shortest {
            Some(ids) => ids.iter().copied().filter(satisfies).collect(),
            None => (0..self.streams.len() as StreamId).filter(satisfies).collect(),
        }
    }

    fn posting(&self, name: &str, value: &str) -> &[StreamId] {
        self.postings.get(name).and_then(|values| values.get(value)).map_or(&[], Vec::as_slice)
    }

    /// Rough size in memory.
    pub(crate) fn bytes(&self) -> usize {
        // Each pair is held by the stream, and its number by a posting; the strings of postings are shared by many.
        self.streams.iter().map(|labels| 200 + labels.len() * 80).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selections_satisfy_every_matcher() {
        let mut index = StreamIndex::default();
        let stream = |pairs: &[(&str, &str)]| pairs.iter().copied().collect::<Labels>();
        let first = index.insert(&stream(&[("app", "a"), ("env", "prod")]));
        let second = index.insert(&stream(&[("app", "b"), ("env", "prod")]));
        let third = index.insert(&stream(&[("app", "a")]));
        assert_eq!(index.insert(&stream(&[("env", "prod"), ("app", "a")])), first);
        let select = |matchers: &[(&str, MatchOp, &str)]| {
            let matchers: Vec<_> =
                matchers.iter().map(|(name, op, value)| Matcher::new(*name, *op, *value).unwrap()).collect();
            index.select(&matchers)
        };
        assert_eq!(select(&[("app", MatchOp::Equal, "a")]), [first, third]);
        assert_eq!(select(&[("app", MatchOp::Equal, "a"), ("env", MatchOp::NotEqual, "")]), [first]);
        assert_eq!(
            select(&[("app", MatchOp::Regex, "a|b"), ("env", MatchOp::Equal, "prod")]),
            [first, second]
        );
        assert_eq!(select(&[("env", MatchOp::Equal, "")]), [third]);
        assert!(select(&[("app", MatchOp::Equal, "c")]).is_empty());
        assert_eq!(select(&[]), [first, second, third]);
    }
}
