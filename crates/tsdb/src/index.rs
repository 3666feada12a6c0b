//! Which series there are, and which of them have a label.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasher;
use std::ops::Bound;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::{HashMap, HashTable};
use model::labels::write_key;
use model::{Labels, Matcher};

use crate::postings::{self, Postings};
use crate::series::Series;

/// Series by labels, and by each label.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_labels: HashTable<Arc<Series>>,
    by_id: HashMap<u32, Arc<Series>, RandomState>,
    /// Name, value, series with that label by ascending number.
    postings: BTreeMap<Box<str>, BTreeMap<Box<str>, Vec<u32>>>,
    hasher: RandomState,
}

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn hash(&self, labels: &Labels) -> u64 {
        self.hasher.hash_one(labels.key())
    }

    /// The series with labels as they lie in a request: sorted, each name once, no empty value. The text is for its
    /// memory.
    pub(crate) fn find(&self, pairs: &[(&str, &str)], key: &mut String) -> Option<&Series> {
        key.clear();
        write_key(key, pairs.iter().copied());
        let hash = self.hasher.hash_one(key.as_str());
        self.by_labels
            .find(hash, |series| series.hash == hash && series.labels.key() == key)
            .map(|series| &**series)
    }

    pub(crate) fn get(&self, hash: u64, labels: &Labels) -> Option<&Arc<Series>> {
        self.by_labels.find(hash, |series| series.hash == hash && series.labels == *labels)
    }

    pub(crate) fn by_id(&self, id: u32) -> Option<&Arc<Series>> {
        self.by_id.get(&id)
    }

    /// Every series, in no order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Series>> {
        self.by_id.values()
    }

    /// Adds a series. Numbers ascend, so that postings stay sorted; the bytes of texts that were new are returned.
    pub(crate) fn insert(&mut self, id: u32, labels: &Labels) -> (Arc<Series>, usize) {
        let hash = self.hash(labels);
        let mut new_bytes = 0;
        for (name, value) in labels.iter() {
            if !self.postings.contains_key(name) {
                new_bytes += name.len() + 64;
                self.postings.insert(name.into(), BTreeMap::new());
            }
            let Some(values) = self.postings.get_mut(name) else { continue };
            let Some(ids) = values.get_mut(value) else {
                new_bytes += value.len() + 96;
                values.insert(value.into(), vec![id]);
                continue;
            };
            // Replay may give a number that is lower than one before, after a damaged stretch.
            if let Err(position) = ids.binary_search(&id) {
                ids.insert(position, id);
            }
        }
        let series = Arc::new(Series::new(id, hash, labels.clone()));
        self.by_labels.insert_unique(hash, Arc::clone(&series), |series| series.hash);
        self.by_id.insert(id, Arc::clone(&series));
        (series, new_bytes)
    }

    /// Removes series.
    pub(crate) fn remove(&mut self, gone: &HashSet<u32>) {
        if gone.is_empty() {
            return;
        }
        self.by_labels.retain(|series| !gone.contains(&series.id));
        self.by_id.retain(|id, _| !gone.contains(id));
        self.postings.retain(|_, values| {
            values.retain(|_, ids| {
                ids.retain(|id| !gone.contains(id));
                !ids.is_empty()
            });
            !values.is_empty()
        });
        self.by_labels.shrink_to_fit(|series| series.hash);
        self.by_id.shrink_to_fit();
    }

    /// Series that satisfy every matcher, by number.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Vec<Arc<Series>> {
        postings::select(self, matchers).into_iter().filter_map(|id| self.by_id.get(&id)).cloned().collect()
    }

    /// Visits the series that satisfy every matcher.
    pub(crate) fn each<'a>(&'a self, matchers: &[Matcher], mut visit: impl FnMut(&'a Series)) {
        for id in postings::select(self, matchers) {
            if let Some(series) = self.by_id.get(&id) {
                visit(series);
            }
        }
    }

    /// Label names with how many values each has, and the text bytes of those.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, &BTreeMap<Box<str>, Vec<u32>>)> {
        self.postings.iter().map(|(name, values)| (&**name, values))
    }

    /// Values of a label with the series that have each.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = (&str, &[u32])> {
        self.postings.get(name).into_iter().flatten().map(|(value, ids)| (&**value, ids.as_slice()))
    }

    /// Whether a series has this label.
    pub(crate) fn has(&self, name: &str, value: &str) -> bool {
        self.postings.get(name).is_some_and(|values| values.contains_key(value))
    }
}

impl Postings for Index {
    fn all(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = self.by_id.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    fn equal(&self, name: &str, value: &str) -> Cow<'_, [u32]> {
        let ids = self.postings.get(name).and_then(|values| values.get(value));
        ids.map_or(&[][..], Vec::as_slice).into()
    }

    fn wanted(&self, name: &str, prefix: &str, wanted: &mut dyn FnMut(&str) -> bool, found: &mut Vec<u32>) {
        let Some(values) = self.postings.get(name) else { return };
        let from: Bound<&str> = if prefix.is_empty() { Bound::Unbounded } else { Bound::Included(prefix) };
        for (value, ids) in values.range::<str, _>((from, Bound::Unbounded)) {
            if !value.starts_with(prefix) {
                break;
            }
            if wanted(value) {
                found.extend_from_slice(ids);
            }
        }
    }

    fn value_count(&self, name: &str) -> usize {
        self.postings.get(name).map_or(0, BTreeMap::len)
    }

    fn satisfies(&self, series: u32, matcher: &Matcher) -> bool {
        self.by_id.get(&series).is_some_and(|series| matcher.matches(series.labels.get(matcher.name())))
    }
}

#[cfg(test)]
mod tests {
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    use model::MatchOp;
    use proptest::prelude::*;

    use super::*;
    use crate::postings::tests::{label_sets, matchers};

    /// Label, operator and value of each matcher, and the series that they find.
    type Case = (&'static [(&'static str, MatchOp, &'static str)], &'static [u32]);

    fn index() -> Index {
        let mut index = Index::default();
        for (id, pairs) in [
            (1, [("__name__", "up"), ("job", "a"), ("zone", "")]),
            (2, [("__name__", "up"), ("job", "b"), ("zone", "x")]),
            (3, [("__name__", "down"), ("job", "ab"), ("zone", "y")]),
        ] {
            index.insert(id, &pairs.into_iter().collect());
        }
        index
    }

    fn found(index: &Index, matchers: &[(&str, MatchOp, &str)]) -> Vec<u32> {
        let matchers: Vec<_> =
            matchers.iter().map(|(name, op, value)| Matcher::new(*name, *op, *value).unwrap()).collect();
        let mut ids: Vec<u32> = index.select(&matchers).iter().map(|series| series.id).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn every_kind_of_matcher() {
        let index = index();
        let cases: [Case; 10] = [
            (&[("__name__", Equal, "up")], &[1, 2]),
            (&[("__name__", Equal, "up"), ("job", NotEqual, "a")], &[2]),
            (&[("job", Regex, "a.*")], &[1, 3]),
            (&[("job", NotRegex, "a.*")], &[2]),
            (&[("zone", Equal, "")], &[1]),
            (&[("zone", NotEqual, "")], &[2, 3]),
            (&[("zone", Regex, "x|")], &[1, 2]),
            (&[("zone", NotRegex, "x")], &[1, 3]),
            (&[("none", Equal, "x")], &[]),
            (&[("none", NotEqual, "x"), ("job", Equal, "ab")], &[3]),
        ];
        for (matchers, expected) in cases {
            assert_eq!(found(&index, matchers), expected, "{matchers:?}");
        }
    }

    proptest! {
        #[test]
        fn matchers_find_what_a_look_at_each_series_finds(sets in label_sets(), matchers in matchers()) {
            let mut index = Index::default();
            for (number, labels) in sets.iter().enumerate() {
                index.insert(number as u32, labels);
            }
            let naive = sets.iter().enumerate().filter(|(_, labels)| {
                matchers.iter().all(|matcher| matcher.matches_labels(labels))
            });
            let naive: Vec<u32> = naive.map(|(number, _)| number as u32).collect();
            prop_assert_eq!(postings::select(&index, &matchers), naive);
        }
    }

    #[test]
    fn what_is_removed_leaves_nothing() {
        let mut index = index();
        index.remove(&HashSet::from([2, 3]));
        assert_eq!(index.len(), 1);
        assert_eq!(index.names().map(|(name, _)| name).collect::<Vec<_>>(), ["__name__", "job"]);
        assert_eq!(index.values("job").collect::<Vec<_>>(), [("a", [1].as_slice())]);
    }
}
