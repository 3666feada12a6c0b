//! A stretch of entries in memory, by column, in the order in which they came.

use std::hash::{BuildHasher, Hasher};

use foldhash::HashMap;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::index::StreamId;
use crate::intake::Entry;

/// Number of an entry within its segment.
pub(crate) type RowId = u32;
type SymbolId = u32;

/// A stretch of entries.
#[derive(Debug, Clone, Default)]
pub(crate) struct Segment {
    times_ns: Vec<i64>,
    streams: Vec<StreamId>,
    lines: String,
    line_ends: Vec<u32>,
    metadata: Vec<(SymbolId, SymbolId)>,
    metadata_ends: Vec<u32>,
    symbols: Symbols,
    by_stream: HashMap<StreamId, Vec<RowId>>,
    /// Rows by the hash of their content, to find duplicates.
    by_content: HashTable<(u64, RowId)>,
    first_ns: i64,
    last_ns: i64,
}

/// Texts, each once.
#[derive(Debug, Clone, Default)]
struct Symbols {
    text: String,
    ends: Vec<u32>,
    by_text: HashTable<SymbolId>,
}

/// One hasher for all segments: a hash is computed once and looked up in each.
const HASHER: FixedState = FixedState::with_seed(0x6c6f_6773);

/// Hash of what makes an entry itself.
pub(crate) fn content_hash(stream: StreamId, entry: &Entry<'_>) -> u64 {
    let mut hasher = HASHER.build_hasher();
    hasher.write_u32(stream);
    hasher.write_i64(entry.time_ns);
    hasher.write(entry.line.as_bytes());
    for (name, value) in &entry.metadata {
        hasher.write_usize(name.len());
        hasher.write(name.as_bytes());
        hasher.write_usize(value.len());
        hasher.write(value.as_bytes());
    }
    hasher.finish()
}

impl Segment {
    /// Takes an entry, unless it is there already.
    pub(crate) fn insert(&mut self, hash: u64, stream: StreamId, entry: &Entry<'_>) -> bool {
        if self.contains(hash, stream, entry) {
            return false;
        }
        let row = self.times_ns.len() as RowId;
        if row == 0 {
            (self.first_ns, self.last_ns) = (entry.time_ns, entry.time_ns);
        }
        self.first_ns = self.first_ns.min(entry.time_ns);
        self.last_ns = self.last_ns.max(entry.time_ns);
        self.times_ns.push(entry.time_ns);
        self.streams.push(stream);
        self.lines.push_str(entry.line);
        self.line_ends.push(self.lines.len() as u32);
        for (name, value) in &entry.metadata {
            let pair = (self.symbols.intern(name), self.symbols.intern(value));
            self.metadata.push(pair);
        }
        self.metadata_ends.push(self.metadata.len() as u32);
        self.by_stream.entry(stream).or_default().push(row);
        self.by_content.insert_unique(hash, (hash, row), |(hash, _)| *hash);
        true
    }

    /// Whether the entry is there.
    pub(crate) fn contains(&self, hash: u64, stream: StreamId, entry: &Entry<'_>) -> bool {
        // Entries mostly come in the order of their times, so most older segments end here.
        if self.rows() == 0 || entry.time_ns > self.last_ns || entry.time_ns < self.first_ns {
            return false;
        }
        let same = |&(other, row): &(u64, RowId)| {
            other == hash
                && self.streams[row as usize] == stream
                && self.time_ns(row) == entry.time_ns
                && self.line(row) == entry.line
                && self
                    .metadata(row)
                    .eq(entry.metadata.iter().map(|(name, value)| (name.as_ref(), value.as_ref())))
        };
        self.by_content.find(hash, same).is_some()
    }

    pub(crate) fn rows(&self) -> usize {
        self.times_ns.len()
    }

    /// Rough size in memory.
    pub(crate) fn bytes(&self) -> usize {
        const ROW: usize = 8 + 4 + 4 + 4 + 4 + 17;
        const SYMBOL: usize = 4 + 5;
        self.rows() * ROW
            + self.lines.len()
            + self.metadata.len() * 8
            + self.symbols.text.len()
            + self.symbols.ends.len() * SYMBOL
            + self.by_stream.len() * 64
    }

    /// The earliest and the latest time.
    pub(crate) fn time_span(&self) -> (i64, i64) {
        (self.first_ns, self.last_ns)
    }

    /// Rows of a stream, in the order in which they came.
    pub(crate) fn rows_of(&self, stream: StreamId) -> &[RowId] {
        self.by_stream.get(&stream).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn time_ns(&self, row: RowId) -> i64 {
        self.times_ns[row as usize]
    }

    pub(crate) fn line(&self, row: RowId) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.line_ends[before as usize]);
        &self.lines[start as usize..self.line_ends[row as usize] as usize]
    }

    /// Whether the text is a name or a value of an entry's structured metadata; "no" is certain.
    pub(crate) fn has_text(&self, text: &str) -> bool {
        self.symbols.find(text).is_some()
    }

    /// Names with values, by name.
    pub(crate) fn metadata(&self, row: RowId) -> impl Iterator<Item = (&str, &str)> {
        let start = row.checked_sub(1).map_or(0, |before| self.metadata_ends[before as usize]);
        let pairs = &self.metadata[start as usize..self.metadata_ends[row as usize] as usize];
        pairs.iter().map(|&(name, value)| (self.symbols.get(name), self.symbols.get(value)))
    }
}

impl Symbols {
    fn find(&self, text: &str) -> Option<SymbolId> {
        self.by_text.find(HASHER.hash_one(text), |&id| self.get(id) == text).copied()
    }

    fn intern(&mut self, text: &str) -> SymbolId {
        if let Some(id) = self.find(text) {
            return id;
        }
        let hash = HASHER.hash_one(text);
        let id = self.ends.len() as SymbolId;
        self.text.push_str(text);
        self.ends.push(self.text.len() as u32);
        let (all, ends) = (&self.text, &self.ends);
        self.by_text.insert_unique(hash, id, |&id| HASHER.hash_one(symbol(all, ends, id)));
        id
    }

    fn get(&self, id: SymbolId) -> &str {
        symbol(&self.text, &self.ends, id)
    }
}

fn symbol<'a>(text: &'a str, ends: &[u32], id: SymbolId) -> &'a str {
    let start = id.checked_sub(1).map_or(0, |before| ends[before as usize]);
    &text[start as usize..ends[id as usize] as usize]
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn entry<'a>(time_ns: i64, line: &'a str, metadata: &[(&'a str, &'a str)]) -> Entry<'a> {
        let metadata =
            metadata.iter().map(|&(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value))).collect();
        Entry { time_ns, line, metadata }
    }

    fn insert(segment: &mut Segment, stream: StreamId, entry: &Entry<'_>) -> bool {
        segment.insert(content_hash(stream, entry), stream, entry)
    }

    #[test]
    fn entries_are_kept_once_and_read_back() {
        let mut segment = Segment::default();
        let first = entry(5, "größe", &[("a", "1"), ("b", "1")]);
        assert!(insert(&mut segment, 0, &first));
        assert!(!insert(&mut segment, 0, &first));
        assert!(insert(&mut segment, 1, &first), "another stream");
        assert!(insert(&mut segment, 0, &entry(4, "größe", &[("a", "1"), ("b", "1")])), "another time");
        assert!(insert(&mut segment, 0, &entry(5, "größe", &[("a", "1")])), "other metadata");
        assert!(insert(&mut segment, 0, &entry(5, "", &[("a", "1")])), "another line");
        assert_eq!(segment.rows_of(0), [0, 2, 3, 4]);
        assert_eq!(segment.rows_of(1), [1]);
        assert!(segment.rows_of(2).is_empty());
        assert_eq!(segment.time_span(), (4, 5));
        assert_eq!((segment.time_ns(2), segment.line(2), segment.line(4)), (4, "größe", ""));
        assert_eq!(segment.metadata(2).collect::<Vec<_>>(), [("a", "1"), ("b", "1")]);
    }
}
