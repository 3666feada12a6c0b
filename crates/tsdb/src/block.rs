//! Blocks: samples of a time range on the disk, in the format of Prometheus' TSDB, so that Prometheus, promtool, Thanos
//! and Mimir read what is written here, and what they wrote is read.
//!
//! A block is a directory that is named by a ULID: `meta.json`, `index`, `chunks/000001` …, `tombstones`, and `start-times`,
//! which is ours. Of these only the tombstones and their number in `meta.json` ever change.

mod compact;
mod crc;
mod directory;
mod index;
mod index_writer;
mod mapping;
mod meta;
mod segments;
mod starts;
mod tombstones;
mod write;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{Labels, Matcher};
use parking_lot::RwLock;
use promql::storage::MsRange;
use ulid::Ulid;

pub(crate) use compact::{compact, plan, ranges};
pub use crc::crc32c;
pub(crate) use directory::{Directory, Ids, sort as directory_sort};
pub(crate) use mapping::Mapping;
pub(crate) use meta::Meta;
pub(crate) use write::BlockWriter;

use self::index::Index;
use self::segments::Segments;
use self::starts::StartTimes;
use self::tombstones::Tombstones;
use crate::chunk::Chunk;
use crate::intervals::Intervals;
use crate::postings::{self, Postings as _};
use crate::{Error, Result};

const META_FILE: &str = "meta.json";
const INDEX_FILE: &str = "index";
const CHUNKS_DIR: &str = "chunks";

/// A block that is open.
#[derive(Debug)]
pub(crate) struct Block {
    path: PathBuf,
    index: Index,
    segments: Segments,
    starts: StartTimes,
    state: RwLock<State>,
}

/// What deleting changes.
#[derive(Debug)]
struct State {
    meta: Arc<Meta>,
    tombstones: Arc<Tombstones>,
}

/// A series of a block with the chunks that were asked for.
#[derive(Debug)]
pub(crate) struct BlockSeries {
    pub(crate) labels: Labels,
    /// By time. In our blocks they do not overlap.
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) deleted: Intervals,
    /// Start times: (first sample that has it, start), where it changes.
    pub(crate) starts: Vec<(i64, i64)>,
}

impl Block {
    /// Opens the block of a directory, whose name is its identifier.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let meta_path = path.join(META_FILE);
        let text = fs::read(&meta_path).map_err(Error::io("read", &meta_path))?;
        let damaged = |reason: String| Error::Damaged { path: meta_path.clone(), reason };
        let meta: Meta = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if meta.version != meta::VERSION {
            return Err(damaged(format!("version {} of blocks is not known", meta.version)));
        }
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if Ulid::from_string(name).is_ok_and(|id| id != meta.ulid) {
            return Err(damaged(format!("it is of block {}", meta.ulid)));
        }
        if meta.min_time > meta.max_time {
            return Err(damaged("it ends before it begins".to_owned()));
        }
        let state = State { meta: Arc::new(meta), tombstones: Arc::new(Tombstones::read(path)?) };
        Ok(Self {
            index: Index::open(&path.join(INDEX_FILE))?,
            segments: Segments::open(&path.join(CHUNKS_DIR))?,
            starts: StartTimes::read(path)?,
            state: RwLock::new(state),
            path: path.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn meta(&self) -> Arc<Meta> {
        Arc::clone(&self.state.read().meta)
    }

    /// Bytes of its large files.
    pub(crate) fn bytes(&self) -> u64 {
        self.index.bytes() + self.segments.bytes()
    }

    /// Whether it may have a sample in a range.
    pub(crate) fn overlaps(&self, range: MsRange) -> bool {
        let meta = self.meta();
        range.overlaps(meta.min_time, meta.max_time.saturating_sub(1))
    }

    /// Series that satisfy every matcher, with the chunks that overlap a range, by labels. Those without one are left
    /// out.
    pub(crate) fn select(&self, matchers: &[Matcher], range: MsRange) -> Result<Vec<BlockSeries>> {
        let tombstones = Arc::clone(&self.state.read().tombstones);
        let found = postings::select(&self.index, matchers);
        let mut selected = Vec::with_capacity(found.len());
        for number in found {
            selected.extend(self.series(number, range, &tombstones)?);
        }
        Ok(selected)
    }

    fn series(&self, number: u32, range: MsRange, tombstones: &Tombstones) -> Result<Option<BlockSeries>> {
        let entry = self.index.series(number)?;
        let deleted = tombstones.of(number);
        let mut chunks = Vec::new();
        for chunk in &entry.chunks {
            let gone = deleted.is_some_and(|deleted| deleted.covers(chunk.first_ms, chunk.last_ms));
            if !gone && range.overlaps(chunk.first_ms, chunk.last_ms) {
                chunks.push(self.segments.chunk(chunk.at, chunk.first_ms, chunk.last_ms)?);
            }
        }
        if chunks.is_empty() {
            return Ok(None);
        }
        Ok(Some(BlockSeries {
            labels: entry.labels,
            chunks,
            deleted: deleted.cloned().unwrap_or_default(),
            starts: self.starts.of(number).to_vec(),
        }))
    }

    /// Every series in order, for who reads the block from begin to end.
    pub(crate) fn all(&self) -> impl Iterator<Item = Result<BlockSeries>> + '_ {
        let tombstones = Arc::clone(&self.state.read().tombstones);
        self.index
            .all()
            .into_iter()
            .filter_map(move |number| self.series(number, MsRange::ALL, &tombstones).transpose())
    }

    /// Texts of all labels, sorted.
    pub(crate) fn symbols(&self) -> impl Iterator<Item = &str> {
        self.index.symbols()
    }

    /// Labels of the series that satisfy every matcher and have a chunk in a range, sorted.
    pub(crate) fn labels(&self, matchers: &[Matcher], range: MsRange) -> Result<Vec<Labels>> {
        let tombstones = Arc::clone(&self.state.read().tombstones);
        let mut found = Vec::new();
        for number in postings::select(&self.index, matchers) {
            let entry = self.index.series(number)?;
            let deleted = tombstones.of(number);
            let stays = entry.chunks.iter().any(|chunk| {
                range.overlaps(chunk.first_ms, chunk.last_ms)
                    && !deleted.is_some_and(|deleted| deleted.covers(chunk.first_ms, chunk.last_ms))
            });
            if stays {
                found.push(entry.labels);
            }
        }
        Ok(found)
    }

    /// Adds the label names of the series that satisfy every matcher; of all series if there is none.
    pub(crate) fn label_names(&self, matchers: &[Matcher], found: &mut BTreeSet<String>) -> Result<()> {
        if matchers.is_empty() {
            found.extend(self.index.label_names().map(str::to_owned));
            return Ok(());
        }
        for number in postings::select(&self.index, matchers) {
            for (name, _) in self.index.series(number)?.labels.iter() {
                if !found.contains(name) {
                    found.insert(name.to_owned());
                }
            }
        }
        Ok(())
    }

    /// Values of a label in the series that satisfy every matcher, in all series if there is none; sorted, each once.
    pub(crate) fn label_values(&self, name: &str, matchers: &[Matcher]) -> Result<Vec<String>> {
        if matchers.is_empty() {
            return Ok(self.index.label_values(name).map(str::to_owned).collect());
        }
        let mut values = BTreeSet::new();
        for number in postings::select(&self.index, matchers) {
            values.insert(self.index.label(number, name)?);
        }
        values.remove("");
        Ok(values.into_iter().map(str::to_owned).collect())
    }

    /// Deletes the times from the first to the last, both included, of the series that satisfy every matcher.
    pub(crate) fn delete(&self, matchers: &[Matcher], first_ms: i64, last_ms: i64) -> Result<()> {
        let mut state = self.state.write();
        let mut tombstones = Tombstones::clone(&state.tombstones);
        for number in postings::select(&self.index, matchers) {
            let entry = self.index.series(number)?;
            let bounds = entry.chunks.first().zip(entry.chunks.last());
            let Some((first, last)) = bounds.map(|(first, last)| (first.first_ms, last.last_ms)) else {
                continue;
            };
            if first_ms <= last && last_ms >= first {
                tombstones.add(number, first_ms.max(first), last_ms.min(last));
            }
        }
        if tombstones == *state.tombstones {
            return Ok(());
        }
        tombstones.write(&self.path)?;
        let mut meta = Meta::clone(&state.meta);
        meta.stats.num_tombstones = tombstones.len();
        write_meta(&self.path, &meta)?;
        *state = State { meta: Arc::new(meta), tombstones: Arc::new(tombstones) };
        Ok(())
    }

    /// Whether something was deleted from it that is still there.
    pub(crate) fn has_tombstones(&self) -> bool {
        !self.state.read().tombstones.is_empty()
    }
}

/// Writes `meta.json` in place of the one before.
fn write_meta(block: &Path, meta: &Meta) -> Result<()> {
    // Indented with tabs, as Prometheus has it, so that people can read it.
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    serde::Serialize::serialize(meta, &mut serializer)
        .map_err(|error| Error::io("write", block.join(META_FILE))(error.into()))?;
    replace_file(block, META_FILE, &text)
}

/// Writes a file of a block in place of the one before: the one or the other is there whole, whatever happens.
fn replace_file(block: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let (path, temporary) = (block.join(name), block.join(format!("{name}.tmp")));
    let write = || {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    };
    write().map_err(Error::io("write", &path))?;
    sync_dir(block)
}

/// Forces a directory's entries to the disk.
fn sync_dir(path: &Path) -> Result<()> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(Error::io("sync", path))
}

#[cfg(test)]
mod tests {
    use model::SampleValue;
    use proptest::prelude::*;

    use super::*;
    use crate::chunk::encode;
    use crate::postings::tests::{label_sets, matchers};

    fn write(sets: &BTreeSet<Labels>) -> (tempfile::TempDir, Block) {
        let dir = tempfile::tempdir().unwrap();
        let (directory, _) = Directory::open(dir.path()).unwrap();
        let symbols: BTreeSet<&str> =
            sets.iter().flat_map(Labels::iter).flat_map(|(name, value)| [name, value]).collect();
        let meta = Meta::of_head(Ids::default().next(5), 0, 100);
        let mut writer = directory.begin(meta, symbols.into_iter()).unwrap();
        for (number, labels) in sets.iter().enumerate() {
            let chunks = encode([(number as i64, SampleValue::Float(number as f64))]);
            writer.add(&labels.iter().collect::<Vec<_>>(), &chunks, &[]).unwrap();
        }
        let block = Block::open(&writer.publish().unwrap()).unwrap();
        (dir, block)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn matchers_find_what_a_look_at_each_series_finds(
            sets in label_sets(),
            matchers in prop::collection::vec(matchers(), 1..8),
        ) {
            let (_dir, block) = write(&sets);
            for matchers in matchers {
                let fits = |labels: &&Labels| matchers.iter().all(|matcher| matcher.matches_labels(labels));
                let naive: Vec<Labels> = sets.iter().filter(fits).cloned().collect();
                prop_assert_eq!(&block.labels(&matchers, MsRange::ALL).unwrap(), &naive);
                let found = block.select(&matchers, MsRange::ALL).unwrap();
                prop_assert!(found.iter().map(|series| &series.labels).eq(&naive));
            }
        }
    }

    #[test]
    fn many_values_of_a_label_are_found() {
        let text = |number: u32| format!("{number:04}");
        let sets: BTreeSet<Labels> = (0..1000)
            .map(|number| [("a", text(number).as_str()), ("b", "x")].into_iter().collect())
            .collect();
        let (_dir, block) = write(&sets);
        let find = |op, value: &str| {
            let matcher = Matcher::new("a", op, value).unwrap();
            block.labels(&[matcher], MsRange::ALL).unwrap().len()
        };
        for number in 0..1000 {
            assert_eq!(find(model::MatchOp::Equal, &text(number)), 1);
        }
        assert_eq!((find(model::MatchOp::Equal, "1000"), find(model::MatchOp::Equal, "0")), (0, 0));
        assert_eq!(find(model::MatchOp::Regex, "05.."), 100);
        assert_eq!(find(model::MatchOp::Regex, "0500|0700|x"), 2);
        assert_eq!(find(model::MatchOp::NotRegex, "0.*"), 0);
        assert_eq!(block.label_values("a", &[]).unwrap().len(), 1000);
    }
}
