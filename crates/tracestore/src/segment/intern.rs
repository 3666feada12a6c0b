//! Tables that keep equal things once.

use std::hash::BuildHasher as _;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// The hash of some bytes. Its seed is fixed: tables live as long as a segment, and a sender who makes collisions slows
/// down nobody but the segment of its own data.
#[inline]
pub(super) fn hash(bytes: &[u8]) -> u64 {
    FixedState::with_seed(3).hash_one(bytes)
}

/// Byte strings, each once, numbered from zero.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    arena: Vec<u8>,
    ends: Vec<u32>,
    table: HashTable<u32>,
}

impl Blobs {
    #[inline]
    pub(super) fn get(&self, index: u32) -> &[u8] {
        let index = index as usize;
        let begin = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.arena[begin..self.ends[index] as usize]
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, bytes: &[u8]) -> Option<u32> {
        self.table.find(hash, |&index| self.get(index) == bytes).copied()
    }

    /// Adds what [`find`](Self::find) did not find.
    pub(super) fn add(&mut self, hash_of_bytes: u64, bytes: &[u8]) -> u32 {
        let index = self.ends.len() as u32;
        self.arena.extend_from_slice(bytes);
        self.ends.push(self.arena.len() as u32);
        let Self { arena, ends, table } = self;
        table.insert_unique(hash_of_bytes, index, |&index| {
            let index = index as usize;
            let begin = if index == 0 { 0 } else { ends[index - 1] as usize };
            hash(&arena[begin..ends[index] as usize])
        });
        index
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.arena.capacity() + self.ends.capacity() * 4 + self.table.capacity() * 8 / 7 * 5
    }

    /// No more additions: the table goes.
    pub(super) fn freeze(&mut self) {
        self.table = HashTable::new();
        self.shrink();
    }

    fn shrink(&mut self) {
        self.arena.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

/// Texts, each once, numbered from zero.
#[derive(Debug, Default)]
pub(super) struct Strings {
    text: String,
    ends: Vec<u32>,
    table: HashTable<u32>,
}

impl Strings {
    #[inline]
    pub(super) fn get(&self, index: u32) -> &str {
        let index = index as usize;
        let begin = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.text[begin..self.ends[index] as usize]
    }

    pub(super) fn find(&self, text: &str) -> Option<u32> {
        self.table.find(hash(text.as_bytes()), |&index| self.get(index) == text).copied()
    }

    #[inline]
    pub(super) fn add(&mut self, text: &str) -> u32 {
        let hash_of_text = hash(text.as_bytes());
        if let Some(&index) = self.table.find(hash_of_text, |&index| self.get(index) == text) {
            return index;
        }
        let index = self.ends.len() as u32;
        self.text.push_str(text);
        self.ends.push(self.text.len() as u32);
        let Self { text, ends, table } = self;
        table.insert_unique(hash_of_text, index, |&index| {
            let index = index as usize;
            let begin = if index == 0 { 0 } else { ends[index - 1] as usize };
            hash(&text.as_bytes()[begin..ends[index] as usize])
        });
        index
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * 4 + self.table.capacity() * 8 / 7 * 5
    }

    pub(super) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }
}

/// Numbers by the bytes that they stand for, for the few big things of a segment.
#[derive(Debug, Default)]
pub(super) struct Table(hashbrown::HashMap<Box<[u8]>, u32, FixedState>);

impl Table {
    pub(super) fn get(&self, key: &[u8]) -> Option<u32> {
        self.0.get(key).copied()
    }

    pub(super) fn insert(&mut self, key: &[u8], index: u32) {
        self.0.insert(key.into(), index);
    }
}
