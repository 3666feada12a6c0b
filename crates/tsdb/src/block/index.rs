//! Reads the index of a block (`tsdb/docs/format/index.md` in Prometheus' repository). It stays in its file; in memory
//! are the label names, where each symbol lies (labels are read by these), and where every 32nd value of a label lies.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use model::{Labels, Matcher};

use super::crc::crc32c;
use super::index_writer::{ChunkMeta, SERIES_ALIGN};
use super::mapping::Mapping;
use crate::codec::Reader;
use crate::postings::Postings;
use crate::{Error, Result};

const MAGIC: u32 = 0xbaaa_d700;
const VERSION: u8 = 2;

/// Bytes of the table of contents at the end: six offsets and a checksum.
const CONTENTS_BYTES: usize = 52;

/// Every how many values one is remembered.
const STEP: usize = 32;

/// The index of a block.
#[derive(Debug)]
pub(super) struct Index {
    file: Mapping,
    /// Offsets of the symbols.
    symbols: Vec<u32>,
    labels: BTreeMap<String, Values>,
    /// Offset of the list of all series.
    all_at: u64,
}

/// The values of a label in the table of postings.
#[derive(Debug, Default)]
struct Values {
    /// Offsets of every 32nd entry.
    entries: Vec<u32>,
    count: usize,
}

/// A series as the index has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SeriesEntry {
    pub(super) labels: Labels,
    pub(super) chunks: Vec<ChunkMeta>,
}

impl Index {
    /// Opens an index; what its tables say is checked, each series when it is read.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = Mapping::open(path)?;
        let parts = Parts::read(&file)?;
        let mut index = Self { symbols: Vec::new(), labels: BTreeMap::new(), all_at: 0, file };
        index.read_symbols(parts.symbols)?;
        index.read_postings_table(parts.postings_table)?;
        Ok(index)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.file.len() as u64
    }

    fn damaged(&self, reason: impl Into<String>) -> Error {
        self.file.damaged(reason)
    }

    /// The content of a section and where it begins, its checksum checked.
    fn section(&self, at: u64, what: &str) -> Result<(&[u8], usize)> {
        section(&self.file, at).map_err(|reason| self.damaged(format!("{what}: {reason}")))
    }

    fn read_symbols(&mut self, at: u64) -> Result<()> {
        let (content, begin) = self.section(at, "the symbols")?;
        let mut reader = Reader::new(content);
        let ends = || self.damaged("the symbols end early");
        let count = reader.be32().ok_or_else(ends)? as usize;
        let mut offsets = Vec::new();
        for _ in 0..count {
            offsets.push((begin + content.len() - reader.left()) as u32);
            reader.text().ok_or_else(ends)?;
        }
        offsets.shrink_to_fit();
        self.symbols = offsets;
        Ok(())
    }

    fn read_postings_table(&mut self, at: u64) -> Result<()> {
        let (content, begin) = self.section(at, "the table of postings")?;
        let mut reader = Reader::new(content);
        let ends = || self.damaged("the table of postings ends early");
        let count = reader.be32().ok_or_else(ends)?;
        let mut labels: BTreeMap<String, Values> = BTreeMap::new();
        let mut last: Option<(&str, Values)> = None;
        let mut all_at = 0;
        for _ in 0..count {
            let offset = begin + content.len() - reader.left();
            let (name, value, at) = read_entry(&mut reader).ok_or_else(ends)?;
            if (name, value) == ("", "") {
                all_at = at;
                continue;
            }
            if last.as_ref().is_none_or(|(last, _)| *last != name)
                && let Some((name, values)) = last.replace((name, Values::default()))
            {
                labels.insert(name.to_owned(), values);
            }
            if let Some((_, values)) = &mut last {
                if values.count % STEP == 0 {
                    values.entries.push(offset as u32);
                }
                values.count += 1;
            }
        }
        if let Some((name, values)) = last {
            labels.insert(name.to_owned(), values);
        }
        (self.labels, self.all_at) = (labels, all_at);
        Ok(())
    }

    fn symbol(&self, number: u64) -> Option<&str> {
        let offset = *self.symbols.get(usize::try_from(number).ok()?)?;
        Reader::new(self.file.get(offset as usize..)?).text()
    }

    /// Every symbol, sorted.
    pub(super) fn symbols(&self) -> impl Iterator<Item = &str> {
        let begin = self.symbols.first().map_or(0, |offset| *offset as usize);
        let mut reader = Reader::new(self.file.get(begin..).unwrap_or_default());
        (0..self.symbols.len()).map_while(move |_| reader.text())
    }

    /// Label names, sorted.
    pub(super) fn label_names(&self) -> impl Iterator<Item = &str> {
        self.labels.keys().map(String::as_str)
    }

    /// Values of a label with the offsets of their postings, sorted; from the last remembered one that is not behind
    /// `from` on.
    fn entries<'a>(&'a self, name: &str, from: &str) -> impl Iterator<Item = (&'a str, u64)> {
        let values = self.labels.get(name);
        let mut skipped = 0;
        if let Some(values) = values.filter(|_| !from.is_empty()) {
            let first_of = |offset: &u32| self.entry_at(*offset as usize).map_or("", |(value, _)| value);
            skipped = values.entries.partition_point(|offset| first_of(offset) <= from).saturating_sub(1);
        }
        let begin =
            values.and_then(|values| values.entries.get(skipped)).map_or(0, |offset| *offset as usize);
        let count = values.map_or(0, |values| values.count.saturating_sub(skipped * STEP));
        let mut reader = Reader::new(self.file.get(begin..).unwrap_or_default());
        (0..count).map_while(move |_| read_entry(&mut reader).map(|(_, value, at)| (value, at)))
    }

    fn entry_at(&self, offset: usize) -> Option<(&str, u64)> {
        let (_, value, at) = read_entry(&mut Reader::new(self.file.get(offset..)?))?;
        Some((value, at))
    }

    /// Values of a label, sorted.
    pub(super) fn label_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.entries(name, "").map(|(value, _)| value)
    }

    /// A list of postings as it lies in the file. Its checksum is not looked at: queries read many.
    fn postings_at(&self, at: u64) -> Option<&[[u8; 4]]> {
        let mut reader = Reader::new(self.file.get(usize::try_from(at).ok()?..)?);
        let length = reader.be32()? as usize;
        let mut list = Reader::new(reader.take(length)?);
        let count = list.be32()? as usize;
        let (numbers, _) = list.take(count.checked_mul(4)?)?.as_chunks();
        Some(numbers)
    }

    fn extend(&self, found: &mut Vec<u32>, at: u64) {
        match self.postings_at(at) {
            Some(numbers) => found.extend(numbers.iter().map(|number| u32::from_be_bytes(*number))),
            None => {
                tracing::error!(path = %self.file.path().display(), at, "postings end behind the index");
            }
        }
    }

    /// The content of a series' entry, its checksum checked.
    fn entry(&self, series: u32) -> Result<Reader<'_>> {
        let at = u64::from(series) * SERIES_ALIGN;
        let read = || {
            let mut reader = Reader::new(self.file.get(usize::try_from(at).ok()?..)?);
            Some((reader.bytes()?, reader.be32()?))
        };
        let (content, checksum) =
            read().ok_or_else(|| self.damaged(format!("series {series} ends behind the file")))?;
        if crc32c(content) != checksum {
            return Err(self.damaged(format!("the checksum of series {series} is wrong")));
        }
        Ok(Reader::new(content))
    }

    /// A series by its number.
    pub(super) fn series(&self, series: u32) -> Result<SeriesEntry> {
        let mut reader = self.entry(series)?;
        let entry = self.read_series(&mut reader);
        entry.ok_or_else(|| self.damaged(format!("series {series} makes no sense")))
    }

    fn read_series(&self, reader: &mut Reader<'_>) -> Option<SeriesEntry> {
        let labels = reader.list(|reader| {
            let (name, value) = (reader.varint()?, reader.varint()?);
            Some((self.symbol(name)?, self.symbol(value)?))
        })?;
        let count = reader.length()?;
        let mut chunks: Vec<ChunkMeta> = Vec::with_capacity(count);
        for _ in 0..count {
            let first_ms = match chunks.last() {
                None => reader.signed()?,
                Some(before) => before.last_ms.checked_add_unsigned(reader.varint()?)?,
            };
            let last_ms = first_ms.checked_add_unsigned(reader.varint()?)?;
            let at = match chunks.last() {
                None => reader.varint()?,
                Some(before) => before.at.checked_add_signed(reader.signed()?)?,
            };
            chunks.push(ChunkMeta { first_ms, last_ms, at });
        }
        Some(SeriesEntry { labels: labels.into_iter().collect(), chunks })
    }

    /// The value of a series' label, empty where there is none.
    pub(super) fn label(&self, series: u32, name: &str) -> Result<&str> {
        let mut reader = self.entry(series)?;
        let mut read = || {
            for _ in 0..reader.length()? {
                let (known, value) = (reader.varint()?, reader.varint()?);
                if self.symbol(known)? == name {
                    return self.symbol(value);
                }
            }
            Some("")
        };
        read().ok_or_else(|| self.damaged(format!("series {series} makes no sense")))
    }
}

impl Postings for Index {
    fn all(&self) -> Vec<u32> {
        let mut found = Vec::new();
        if self.all_at > 0 {
            self.extend(&mut found, self.all_at);
        }
        found
    }

    fn equal(&self, name: &str, value: &str) -> Cow<'_, [u32]> {
        let mut found = Vec::new();
        let entry = self.entries(name, value).take(STEP).find(|(known, _)| *known >= value);
        if let Some((_, at)) = entry.filter(|(known, _)| *known == value) {
            self.extend(&mut found, at);
        }
        found.into()
    }

    fn wanted(&self, name: &str, prefix: &str, wanted: &mut dyn FnMut(&str) -> bool, found: &mut Vec<u32>) {
        for (value, at) in self.entries(name, prefix) {
            if value.starts_with(prefix) {
                if wanted(value) {
                    self.extend(found, at);
                }
            } else if value > prefix {
                break;
            }
        }
    }

    fn value_count(&self, name: &str) -> usize {
        self.labels.get(name).map_or(0, |values| values.count)
    }

    fn satisfies(&self, series: u32, matcher: &Matcher) -> bool {
        // What cannot be read is an error where its chunks are asked for.
        self.label(series, matcher.name()).is_ok_and(|value| matcher.matches(value))
    }
}

/// Where the parts of an index lie.
struct Parts {
    symbols: u64,
    postings_table: u64,
}

impl Parts {
    fn read(file: &Mapping) -> Result<Self> {
        let mut header = Reader::new(file);
        if header.be32() != Some(MAGIC) {
            return Err(file.damaged("it does not begin as an index"));
        }
        let version = header.byte().unwrap_or(0);
        if version != VERSION {
            return Err(file.damaged(format!("version {version} of the index is not known")));
        }
        // Offsets within it are kept in 32 bits.
        if u32::try_from(file.len()).is_err() {
            return Err(file.damaged("an index of more than 4 GiB is not read"));
        }
        let contents = file.len().checked_sub(CONTENTS_BYTES).and_then(|begin| file.get(begin..));
        let contents = contents.ok_or_else(|| file.damaged("it is too short"))?;
        let (contents, checksum) = contents.split_at(CONTENTS_BYTES - 4);
        if crc32c(contents).to_be_bytes() != checksum {
            return Err(file.damaged("the checksum of the table of contents is wrong"));
        }
        let (offsets, _) = contents.as_chunks::<8>();
        let offset = |number: usize| offsets.get(number).map_or(0, |bytes| u64::from_be_bytes(*bytes));
        Ok(Self { symbols: offset(0), postings_table: offset(5) })
    }
}

/// An entry of the table of postings: name, value and where the list lies.
#[inline]
fn read_entry<'a>(reader: &mut Reader<'a>) -> Option<(&'a str, &'a str, u64)> {
    if reader.varint()? != 2 {
        return None;
    }
    Some((reader.text()?, reader.text()?, reader.varint()?))
}

fn section(file: &[u8], at: u64) -> Result<(&[u8], usize), &'static str> {
    let read = || {
        let begin = usize::try_from(at).ok()?;
        let mut reader = Reader::new(file.get(begin..)?);
        let length = reader.be32()? as usize;
        Some((reader.take(length)?, reader.be32()?, begin + 4))
    };
    let (content, checksum, begin) = read().ok_or("it ends behind the file")?;
    if crc32c(content) == checksum { Ok((content, begin)) } else { Err("its checksum is wrong") }
}
