//! What is known of a target's series: which text in a body means which series, and which series were there last time.

use exposition::protocol::MediaType;
use hashbrown::{HashSet, HashTable};
use model::Labels;

/// Texts that are known may be this many more than twice those of the last good scrape, before they are cleared.
const SPARE: usize = 1000;

/// Position of a series in the cache.
pub(crate) type Slot = u32;

/// No series.
const NONE: Slot = Slot::MAX;

/// One text in a body.
#[derive(Debug)]
pub(crate) struct Entry {
    key: Box<[u8]>,
    /// The series with the target's labels; `None` if rules drop it.
    pub(crate) labels: Option<Labels>,
    /// Scrape that had it last.
    seen: u64,
    /// Last scrape that had it and wants a marker if the next one has not.
    tracked: u64,
    /// What followed it in the scrape that had it last.
    follower: Slot,
}

/// The series of one target. Scrapes are counted, from 1.
#[derive(Debug)]
pub(crate) struct Cache {
    entries: Vec<Entry>,
    by_key: HashTable<Slot>,
    hasher: foldhash::fast::RandomState,
    scrape: u64,
    /// Entries after the last good scrape.
    good: usize,
    /// Format of the last body: a key is one in its own format only.
    format: Option<MediaType>,
    first: Slot,
    last: Slot,
    /// How many times it was cleared although scrapes fail.
    pub(crate) forced_flushes: u64,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            by_key: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
            scrape: 1,
            good: 0,
            format: None,
            first: NONE,
            last: NONE,
            forced_flushes: 0,
        }
    }
}

impl Cache {
    /// Begins a scrape's body.
    pub(crate) fn begin(&mut self, format: MediaType) {
        self.last = NONE;
        if self.format != Some(format) {
            // The same bytes may mean something else.
            self.by_key.clear();
            for entry in &mut self.entries {
                entry.follower = NONE;
                entry.key = Box::default();
            }
            self.first = NONE;
            self.format = Some(format);
        }
    }

    /// The slot that followed the last one before, and its key.
    pub(crate) fn expected(&self) -> (Slot, &[u8]) {
        let slot = if self.last == NONE { self.first } else { self.entries[self.last as usize].follower };
        (slot, self.entries.get(slot as usize).map_or(&[][..], |entry| &entry.key))
    }

    /// The slot of a key. `expected` is tried first.
    pub(crate) fn find(&self, key: &[u8], expected: Slot) -> Option<Slot> {
        if self.entries.get(expected as usize).is_some_and(|entry| *entry.key == *key) {
            return Some(expected);
        }
        let hash = self.hash(key);
        self.by_key.find(hash, |slot| *self.entries[*slot as usize].key == *key).copied()
    }

    /// Adds a key that is not there.
    pub(crate) fn add(&mut self, key: &[u8], labels: Option<Labels>) -> Slot {
        let slot = self.entries.len() as Slot;
        let hash = self.hash(key);
        self.entries.push(Entry { key: key.into(), labels, seen: 0, tracked: 0, follower: NONE });
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.by_key.insert_unique(hash, slot, |slot| hash_of(hasher, &entries[*slot as usize].key));
        slot
    }

    /// Says that the body has a series; whether it had it already.
    pub(crate) fn see(&mut self, slot: Slot) -> bool {
        match self.entries.get_mut(self.last as usize) {
            Some(last) => last.follower = slot,
            None => self.first = slot,
        }
        self.last = slot;
        let seen = &mut self.entries[slot as usize].seen;
        std::mem::replace(seen, self.scrape) == self.scrape
    }

    /// Says that a series wants a marker when it is gone.
    pub(crate) fn track(&mut self, slot: Slot) {
        self.entries[slot as usize].tracked = self.scrape;
    }

    /// Says that nothing of this scrape is kept.
    pub(crate) fn untrack_all(&mut self) {
        for entry in &mut self.entries {
            if entry.tracked == self.scrape {
                entry.tracked = self.scrape - 1;
            }
        }
    }

    pub(crate) fn labels(&self, slot: Slot) -> Option<&Labels> {
        self.entries[slot as usize].labels.as_ref()
    }

    /// The series that the last scrape had and this one has not, under any text.
    pub(crate) fn gone(&self) -> Vec<&Labels> {
        let gone = |entry: &&Entry| entry.tracked != 0 && entry.tracked + 1 == self.scrape;
        let gone: Vec<_> =
            self.entries.iter().filter(gone).filter_map(|entry| entry.labels.as_ref()).collect();
        if gone.is_empty() {
            return gone;
        }
        let here = self.entries.iter().filter(|entry| entry.tracked == self.scrape);
        let here: HashSet<_> = here.filter_map(|entry| entry.labels.as_ref().map(Labels::key)).collect();
        let mut named = HashSet::new();
        gone.into_iter().filter(|labels| !here.contains(labels.key()) && named.insert(labels.key())).collect()
    }

    /// Ends a scrape. What a good one did not have is forgotten; after a failed one only if there is too much of it.
    pub(crate) fn end(&mut self, good: bool) {
        let full = self.entries.len() > self.good * 2 + SPARE;
        if good || full {
            self.forced_flushes += u64::from(!good);
            if self.entries.iter().any(|entry| entry.seen != self.scrape) {
                let scrape = self.scrape;
                self.retain(|entry| entry.seen == scrape);
            }
        }
        if good {
            self.good = self.entries.len();
        }
        self.scrape += 1;
    }

    fn retain(&mut self, keep: impl Fn(&Entry) -> bool) {
        let mut slots = vec![NONE; self.entries.len()];
        let mut next = 0;
        for (slot, entry) in slots.iter_mut().zip(&self.entries) {
            if keep(entry) {
                *slot = next;
                next += 1;
            }
        }
        let moved = |slot: Slot| slots.get(slot as usize).copied().unwrap_or(NONE);
        self.entries.retain(keep);
        for entry in &mut self.entries {
            entry.follower = moved(entry.follower);
        }
        self.first = moved(self.first);
        self.last = NONE;
        self.by_key.clear();
        let (entries, hasher) = (&self.entries, &self.hasher);
        let hash = |slot: &Slot| hash_of(hasher, &entries[*slot as usize].key);
        for slot in 0..entries.len() as Slot {
            self.by_key.insert_unique(hash(&slot), slot, hash);
        }
    }

    fn hash(&self, key: &[u8]) -> u64 {
        hash_of(&self.hasher, key)
    }
}

fn hash_of(hasher: &foldhash::fast::RandomState, key: &[u8]) -> u64 {
    std::hash::BuildHasher::hash_one(hasher, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(name: &str) -> Labels {
        [("__name__", name)].into_iter().collect()
    }

    /// One scrape with these keys, each meaning the series of its first letter.
    fn scrape(cache: &mut Cache, keys: &[&str]) -> Vec<String> {
        cache.begin(MediaType::Text);
        for key in keys {
            let (expected, _) = cache.expected();
            let slot = cache
                .find(key.as_bytes(), expected)
                .unwrap_or_else(|| cache.add(key.as_bytes(), Some(labels(&key[..1]))));
            cache.see(slot);
            cache.track(slot);
        }
        let gone = cache.gone().into_iter().map(|labels| labels.get("__name__").to_owned()).collect();
        cache.end(true);
        gone
    }

    #[test]
    fn what_is_gone_is_named_once() {
        let mut cache = Cache::default();
        assert!(scrape(&mut cache, &["a", "b", "c"]).is_empty());
        assert_eq!(scrape(&mut cache, &["c", "a"]), ["b"]);
        assert!(scrape(&mut cache, &["a", "c"]).is_empty());
        // Another text for the same series.
        assert_eq!(scrape(&mut cache, &["a2"]), ["c"]);
        assert_eq!(cache.entries.len(), 1);
    }

    #[test]
    fn the_next_one_is_guessed() {
        let mut cache = Cache::default();
        scrape(&mut cache, &["a", "b", "c"]);
        scrape(&mut cache, &["b", "c"]);
        cache.begin(MediaType::Text);
        assert_eq!(cache.expected().1, b"b");
        cache.see(cache.expected().0);
        assert_eq!(cache.expected().1, b"c");
        cache.begin(MediaType::OpenMetrics);
        assert_eq!(cache.expected().1, b"");
        assert_eq!(cache.find(b"b", NONE), None);
    }

    #[test]
    fn failing_scrapes_do_not_fill_it() {
        let mut cache = Cache::default();
        for key in 0..=SPARE {
            cache.begin(MediaType::Text);
            let slot = cache.add(format!("key {key}").as_bytes(), Some(labels("a")));
            cache.see(slot);
            cache.end(false);
        }
        assert_eq!((cache.entries.len(), cache.forced_flushes), (1, 1));
    }
}
