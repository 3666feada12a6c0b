//! Writes the index of a block (`tsdb/docs/format/index.md` in Prometheus' repository).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use hashbrown::HashMap;

use super::crc::{crc32c, extend};
use super::segments::ChunkRef;
use crate::codec::Writer as _;
use crate::{Error, Result};

/// The first bytes of the file: what it is, and the version.
pub(super) const HEADER: [u8; 5] = [0xba, 0xaa, 0xd7, 0x00, 2];

/// Bytes that a series begins at a multiple of; its number is that multiple.
pub(super) const SERIES_ALIGN: u64 = 16;

/// A chunk as the index has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkMeta {
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    pub(super) at: ChunkRef,
}

/// Writes an index, its series by their labels.
#[derive(Debug)]
pub(super) struct IndexWriter {
    out: BufWriter<File>,
    path: PathBuf,
    position: u64,
    symbols: HashMap<String, u32>,
    series_start: u64,
    /// Series by the symbols of a label's name and value. Symbols are numbered in their order, so the pairs are sorted
    /// as their texts are.
    postings: BTreeMap<u32, BTreeMap<u32, Vec<u32>>>,
    all: Vec<u32>,
    entry: Vec<u8>,
}

impl IndexWriter {
    /// Begins an index. Symbols are sorted, each once; there may be some that no series has.
    pub(super) fn create<'a>(path: &Path, symbols: impl Iterator<Item = &'a str>) -> Result<Self> {
        let file = File::create(path).map_err(Error::io("create", path))?;
        let mut writer = Self {
            out: BufWriter::with_capacity(1 << 18, file),
            path: path.to_owned(),
            position: 0,
            symbols: HashMap::new(),
            series_start: 0,
            postings: BTreeMap::new(),
            all: Vec::new(),
            entry: Vec::new(),
        };
        writer.write(&HEADER)?;
        let mut table = vec![0; 4];
        for symbol in symbols {
            let number = writer.symbols.len() as u32;
            writer.symbols.insert(symbol.to_owned(), number);
            table.text(symbol);
        }
        table[..4].copy_from_slice(&(writer.symbols.len() as u32).to_be_bytes());
        writer.section(&table)?;
        writer.pad(SERIES_ALIGN)?;
        writer.series_start = writer.position;
        Ok(writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.position += bytes.len() as u64;
        self.out.write_all(bytes).map_err(Error::io("write to", &self.path))
    }

    fn pad(&mut self, align: u64) -> Result<()> {
        let missing = (align - self.position % align) % align;
        self.write(&[0; SERIES_ALIGN as usize][..missing as usize])
    }

    /// Length, content, checksum.
    fn section(&mut self, content: &[u8]) -> Result<()> {
        let length = u32::try_from(content.len()).map_err(|_| self.too_large())?;
        self.write(&length.to_be_bytes())?;
        self.write(content)?;
        self.write(&crc32c(content).to_be_bytes())
    }

    fn too_large(&self) -> Error {
        let reason = "a section of the index takes more than 4 GiB".to_owned();
        Error::Damaged { path: self.path.clone(), reason }
    }

    /// Adds a series, which comes behind those before it by its labels. Its texts are symbols, and its chunks do not
    /// overlap. Returns its number.
    pub(super) fn add(&mut self, labels: &[(&str, &str)], chunks: &[ChunkMeta]) -> Result<u32> {
        self.pad(SERIES_ALIGN)?;
        let number = u32::try_from(self.position / SERIES_ALIGN).map_err(|_| self.too_large())?;
        let mut entry = std::mem::take(&mut self.entry);
        entry.clear();
        entry.varint(labels.len() as u64);
        for (name, value) in labels {
            let (Some(name), Some(value)) = (self.symbols.get(*name), self.symbols.get(*value)) else {
                let reason = format!("label {name}={value:?} is not among the symbols");
                return Err(Error::Damaged { path: self.path.clone(), reason });
            };
            entry.varint(u64::from(*name));
            entry.varint(u64::from(*value));
            self.postings.entry(*name).or_default().entry(*value).or_default().push(number);
        }
        entry.varint(chunks.len() as u64);
        let mut before: Option<&ChunkMeta> = None;
        for chunk in chunks {
            match before {
                None => {
                    entry.signed(chunk.first_ms);
                    entry.varint(chunk.last_ms.wrapping_sub(chunk.first_ms) as u64);
                    entry.varint(chunk.at);
                }
                Some(before) => {
                    entry.varint(chunk.first_ms.wrapping_sub(before.last_ms) as u64);
                    entry.varint(chunk.last_ms.wrapping_sub(chunk.first_ms) as u64);
                    entry.signed(chunk.at.wrapping_sub(before.at) as i64);
                }
            }
            before = Some(chunk);
        }
        let mut length = Vec::with_capacity(5);
        length.varint(entry.len() as u64);
        self.write(&length)?;
        self.write(&entry)?;
        self.write(&crc32c(&entry).to_be_bytes())?;
        self.entry = entry;
        self.all.push(number);
        Ok(number)
    }

    /// Writes what finds the series, and forces the file to the disk. Returns its bytes.
    pub(super) fn finish(mut self) -> Result<u64> {
        let mut names: Vec<(u32, &str)> =
            self.symbols.iter().map(|(text, number)| (*number, text.as_str())).collect();
        names.sort_unstable();
        let symbols: Vec<String> = names.into_iter().map(|(_, text)| text.to_owned()).collect();
        let postings = std::mem::take(&mut self.postings);
        let all = std::mem::take(&mut self.all);

        let label_indices = self.position;
        let mut label_table = Vec::new();
        for (name, values) in &postings {
            self.pad(4)?;
            entry_of(&mut label_table, &[&symbols[*name as usize]], self.position);
            let mut index = Vec::with_capacity(8 + values.len() * 4);
            index.extend_from_slice(&1_u32.to_be_bytes());
            index.extend_from_slice(&(values.len() as u32).to_be_bytes());
            for value in values.keys() {
                index.extend_from_slice(&value.to_be_bytes());
            }
            self.section(&index)?;
        }

        self.pad(4)?;
        let postings_start = self.position;
        let mut postings_table = Vec::new();
        let mut lists = 1_u32;
        entry_of(&mut postings_table, &["", ""], self.position);
        self.postings_list(&all)?;
        for (name, values) in &postings {
            for (value, series) in values {
                self.pad(4)?;
                let texts = [symbols[*name as usize].as_str(), &symbols[*value as usize]];
                entry_of(&mut postings_table, &texts, self.position);
                self.postings_list(series)?;
                lists += 1;
            }
        }

        self.pad(4)?;
        let label_table_at = self.position;
        self.table(postings.len() as u32, &label_table)?;
        self.pad(4)?;
        let postings_table_at = self.position;
        self.table(lists, &postings_table)?;

        let mut contents = Vec::with_capacity(52);
        let symbols_at = HEADER.len() as u64;
        for at in
            [symbols_at, self.series_start, label_indices, label_table_at, postings_start, postings_table_at]
        {
            contents.extend_from_slice(&at.to_be_bytes());
        }
        let checksum = crc32c(&contents);
        contents.extend_from_slice(&checksum.to_be_bytes());
        self.write(&contents)?;
        let bytes = self.position;
        let mut file =
            self.out.into_inner().map_err(|error| Error::io("write to", &self.path)(error.into_error()))?;
        let written = file.seek(SeekFrom::End(0)).and_then(|_| file.sync_all());
        written.map_err(Error::io("sync", &self.path))?;
        Ok(bytes)
    }

    fn postings_list(&mut self, series: &[u32]) -> Result<()> {
        let mut list = Vec::with_capacity(4 + series.len() * 4);
        list.extend_from_slice(&(series.len() as u32).to_be_bytes());
        for number in series {
            list.extend_from_slice(&number.to_be_bytes());
        }
        self.section(&list)
    }

    /// A table of offsets: how many there are, then they.
    fn table(&mut self, count: u32, entries: &[u8]) -> Result<()> {
        let length = u32::try_from(entries.len() + 4).map_err(|_| self.too_large())?;
        let count = count.to_be_bytes();
        self.write(&length.to_be_bytes())?;
        self.write(&count)?;
        self.write(entries)?;
        self.write(&extend(crc32c(&count), entries).to_be_bytes())
    }
}

/// An entry of a table of offsets: how many texts, they, and where what they name lies.
fn entry_of(table: &mut Vec<u8>, texts: &[&str], at: u64) {
    table.varint(texts.len() as u64);
    for text in texts {
        table.text(text);
    }
    table.varint(at);
}
