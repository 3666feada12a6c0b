//! The entries that a query keeps: the first so many in its order, each once.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{Direction, FoundEntry, QueryStats, Selection, too_large};
use crate::Result;

/// Where an entry stands: its time, and for entries of one time the order in which they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) time_ns: i64,
    pub(super) source: u32,
    pub(super) row: u32,
}

#[derive(Debug)]
pub(super) struct Collector {
    direction: Direction,
    limit: usize,
    max_bytes: usize,
    bytes: usize,
    entries: BTreeMap<Key, FoundEntry>,
    by_content: HashTable<(u64, Key)>,
    hasher: RandomState,
    pub(super) stats: QueryStats,
}

impl Collector {
    pub(super) fn new(direction: Direction, limit: usize, max_bytes: usize) -> Self {
        Self {
            direction,
            limit,
            max_bytes,
            bytes: 0,
            entries: BTreeMap::new(),
            by_content: HashTable::new(),
            hasher: RandomState::default(),
            stats: QueryStats::default(),
        }
    }

    /// The kept entry that comes last, if no more may be kept.
    fn worst(&self) -> Option<Key> {
        if self.entries.len() < self.limit {
            return None;
        }
        let worst = match self.direction {
            Direction::Forward => self.entries.last_key_value(),
            Direction::Backward => self.entries.first_key_value(),
        };
        worst.map(|(key, _)| *key)
    }

    /// Whether an entry of this time may still be wanted.
    pub(super) fn wants_time(&self, time_ns: i64) -> bool {
        self.limit > 0
            && self.worst().is_none_or(|worst| match self.direction {
                Direction::Forward => time_ns <= worst.time_ns,
                Direction::Backward => time_ns >= worst.time_ns,
            })
    }

    /// Takes an entry, if it is wanted and not there yet.
    pub(super) fn offer(&mut self, key: Key, entry: FoundEntry) -> Result<()> {
        self.stats.matched += 1;
        let worst = self.worst();
        let wanted = self.limit > 0
            && worst.is_none_or(|worst| match self.direction {
                Direction::Forward => key < worst,
                Direction::Backward => key > worst,
            });
        if !wanted {
            return Ok(());
        }
        let hash = hash(&self.hasher, key.time_ns, &entry);
        let entries = &self.entries;
        if self.by_content.find(hash, |(_, other)| entries.get(other) == Some(&entry)).is_some() {
            self.stats.duplicates += 1;
            return Ok(());
        }
        if let Some(worst) = worst {
            self.remove(worst);
        }
        self.bytes += size(&entry);
        if self.bytes > self.max_bytes {
            return Err(too_large(self.max_bytes));
        }
        self.by_content.insert_unique(hash, (hash, key), |(hash, _)| *hash);
        self.entries.insert(key, entry);
        Ok(())
    }

    fn remove(&mut self, key: Key) {
        let Some(entry) = self.entries.remove(&key) else { return };
        self.bytes -= size(&entry);
        let hash = hash(&self.hasher, key.time_ns, &entry);
        if let Ok(found) = self.by_content.find_entry(hash, |(_, other)| *other == key) {
            found.remove();
        }
    }

    pub(super) fn finish(self) -> Selection {
        let entries = match self.direction {
            Direction::Forward => self.entries.into_values().collect(),
            Direction::Backward => self.entries.into_values().rev().collect(),
        };
        Selection { entries, stats: self.stats }
    }
}

fn hash(hasher: &RandomState, time_ns: i64, entry: &FoundEntry) -> u64 {
    let mut state = hasher.build_hasher();
    (time_ns, &entry.line, &entry.metadata, &entry.labels).hash(&mut state);
    std::hash::Hasher::finish(&state)
}

fn size(entry: &FoundEntry) -> usize {
    let metadata: usize = entry.metadata.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
    entry.line.len() + metadata + 200
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(collector: &mut Collector, time_ns: i64, source: u32, line: &str) {
        let entry = FoundEntry {
            labels: std::sync::Arc::default(),
            time_ns,
            line: line.to_owned(),
            metadata: Vec::new(),
            error: None,
        };
        collector.offer(Key { time_ns, source, row: 0 }, entry).unwrap();
    }

    fn kept(direction: Direction) -> String {
        let mut collector = Collector::new(direction, 3, 1 << 20);
        for (time_ns, source, line) in [
            (5, 1, "e"),
            (1, 1, "a"),
            (3, 2, "d"),
            (3, 1, "c"),
            (9, 0, "f"),
            (2, 0, "b"),
            (5, 3, "e"),
            (9, 1, "f"),
        ] {
            offer(&mut collector, time_ns, source, line);
        }
        collector.finish().entries.into_iter().map(|entry| entry.line).collect()
    }

    #[test]
    fn the_first_of_the_order_are_kept_each_once() {
        assert_eq!(kept(Direction::Forward), "abc");
        assert_eq!(kept(Direction::Backward), "fed");
    }

    #[test]
    fn what_cannot_come_before_the_worst_is_not_wanted() {
        let mut collector = Collector::new(Direction::Backward, 1, 1 << 20);
        assert!(collector.wants_time(i64::MIN));
        offer(&mut collector, 5, 0, "x");
        assert!(!collector.wants_time(4) && collector.wants_time(5) && collector.wants_time(6));
        assert!(!Collector::new(Direction::Forward, 0, 1).wants_time(0));
    }

    #[test]
    fn a_result_that_is_too_large_is_refused() {
        let mut collector = Collector::new(Direction::Forward, 10, 500);
        offer(&mut collector, 1, 0, "x");
        let entry = FoundEntry {
            time_ns: 2,
            line: "y".repeat(400),
            ..collector.entries.first_key_value().unwrap().1.clone()
        };
        assert!(collector.offer(Key { time_ns: 2, source: 0, row: 0 }, entry).is_err());
    }
}
