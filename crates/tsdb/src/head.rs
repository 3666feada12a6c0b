//! The samples of the store in memory: what records make of them, and what a query sees.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};

use model::{Exemplar, Labels, Metadata, SampleValue};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::exemplars::Ring;
use crate::index::Index;
use crate::record::Record;
use crate::series::{Data, Growth, Sealing, Series};

/// Most different metadata of one family that are kept: targets may disagree, but not without end.
const MAX_METADATA_VARIANTS: usize = 16;

/// Bytes of a family's metadata besides its texts.
const METADATA_BYTES: usize = 128;

/// Bytes that an exemplar takes usually, with its labels.
const EXEMPLAR_BYTES: usize = 512;

/// Everything in memory. Changed by one writer at a time, read by many.
#[derive(Debug)]
pub(crate) struct Head {
    max_series: usize,
    /// Most bytes of metadata: past it, new families have none.
    max_metadata_bytes: usize,
    metadata_bytes: AtomicUsize,
    index: RwLock<Index>,
    metadata: RwLock<BTreeMap<String, Vec<Metadata>>>,
    exemplars: Mutex<Ring>,
    bytes: AtomicUsize,
    samples: AtomicU64,
    /// Samples that came since the start: floats, histograms.
    appended: [AtomicU64; 2],
    chunks: AtomicU64,
    min_time_ms: AtomicI64,
    max_time_ms: AtomicI64,
    /// Series that came since the others got their places.
    pub(crate) unranked: AtomicUsize,
}

/// What insertions come to together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Applied {
    growth: Growth,
    samples: u64,
    /// Of them.
    histograms: u64,
    span: Option<(i64, i64)>,
}

impl Applied {
    pub(crate) fn add(&mut self, time_ms: i64, growth: Growth) {
        self.growth.bytes += growth.bytes;
        self.growth.chunks += growth.chunks;
        self.samples += 1;
        let (first_ms, last_ms) = self.span.unwrap_or((time_ms, time_ms));
        self.span = Some((first_ms.min(time_ms), last_ms.max(time_ms)));
    }

    fn add_histogram(&mut self, time_ms: i64, growth: Growth) {
        self.add(time_ms, growth);
        self.histograms += 1;
    }
}

/// What is dropped, and what stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Truncated {
    pub(crate) series: usize,
    pub(crate) samples: u64,
}

impl Head {
    /// A head without anything. Exemplars and metadata, which do not go when memory runs short, get an eighth of it
    /// each.
    pub(crate) fn new(max_series: usize, max_exemplars: usize, memory_bytes: usize) -> Self {
        let max_exemplars = max_exemplars.min(memory_bytes / 8 / EXEMPLAR_BYTES);
        Self {
            max_series,
            max_metadata_bytes: memory_bytes / 8,
            metadata_bytes: AtomicUsize::new(0),
            index: RwLock::default(),
            metadata: RwLock::default(),
            exemplars: Mutex::new(Ring::new(max_exemplars)),
            bytes: AtomicUsize::new(0),
            samples: AtomicU64::new(0),
            appended: [AtomicU64::new(0), AtomicU64::new(0)],
            chunks: AtomicU64::new(0),
            min_time_ms: AtomicI64::new(i64::MAX),
            max_time_ms: AtomicI64::new(i64::MIN),
            unranked: AtomicUsize::new(0),
        }
    }

    /// Does what a record says. A sample of a series that is not known is left out: its series went with a damaged
    /// stretch of the log. Returns how many were.
    pub(crate) fn apply(&self, record: Record) -> u64 {
        let mut growth = 0_isize;
        for (id, first_ms, last_ms) in &record.deletions {
            self.delete(*id, *first_ms, *last_ms);
        }
        if !record.series.is_empty() {
            let mut index = self.index.write();
            for (id, labels) in &record.series {
                if index.by_id(*id).is_none() && index.get(index.hash(labels), labels).is_none() {
                    let (series, text_bytes) = index.insert(*id, labels);
                    self.unranked.fetch_add(1, Ordering::Relaxed);
                    growth += (series.base_bytes() + text_bytes) as isize;
                }
            }
        }
        let mut unknown = 0;
        let mut applied = Applied::default();
        {
            let index = self.index.read();
            for sample in &record.samples {
                let Some(series) = index.by_id(sample.series) else {
                    unknown += 1;
                    continue;
                };
                let mut data = series.data.lock();
                let change = data.insert(sample.time_ms, sample.start_ms, &sample.value);
                match sample.value {
                    SampleValue::Float(_) => applied.add(sample.time_ms, change),
                    SampleValue::Histogram(_) => applied.add_histogram(sample.time_ms, change),
                }
            }
        }
        for (name, metadata) in record.metadata {
            growth += self.add_metadata(name, metadata);
        }
        if !record.exemplars.is_empty() {
            let mut ring = self.exemplars.lock();
            let before = ring.bytes() as isize;
            for (series, exemplar) in record.exemplars {
                if ring.takes(series, &exemplar) {
                    ring.push(series, exemplar);
                }
            }
            growth += ring.bytes() as isize - before;
        }
        self.grow(growth);
        self.applied(&applied);
        unknown
    }

    /// Counts samples that were inserted.
    pub(crate) fn applied(&self, applied: &Applied) {
        if let Some((first_ms, last_ms)) = applied.span {
            self.min_time_ms.fetch_min(first_ms, Ordering::Relaxed);
            self.max_time_ms.fetch_max(last_ms, Ordering::Relaxed);
        }
        self.grow(applied.growth.bytes);
        self.samples.fetch_add(applied.samples, Ordering::Relaxed);
        let [floats, histograms] = &self.appended;
        floats.fetch_add(applied.samples - applied.histograms, Ordering::Relaxed);
        histograms.fetch_add(applied.histograms, Ordering::Relaxed);
        self.chunks.fetch_add(applied.growth.chunks as u64, Ordering::Relaxed);
    }

    /// Samples that came since the start or the last [`forget_appended`](Self::forget_appended): floats, histograms.
    pub(crate) fn appended(&self) -> [u64; 2] {
        self.appended.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    /// What was replayed has not been appended.
    pub(crate) fn forget_appended(&self) {
        self.appended.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    /// The index, for who only reads it.
    pub(crate) fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read()
    }

    fn grow(&self, bytes: isize) {
        // Two's complement: adding a negative number as unsigned takes it away.
        self.bytes.fetch_add(bytes as usize, Ordering::Relaxed);
    }

    fn add_metadata(&self, name: String, metadata: Metadata) -> isize {
        let mut families = self.metadata.write();
        let bytes = metadata_bytes(&name, &metadata);
        if self.metadata_bytes.load(Ordering::Relaxed) + bytes > self.max_metadata_bytes {
            return 0;
        }
        let name_bytes = name.len();
        let variants = families.entry(name).or_default();
        if variants.contains(&metadata) {
            return 0;
        }
        let mut growth = bytes as isize;
        if variants.len() == MAX_METADATA_VARIANTS {
            let oldest = variants.remove(0);
            growth -= (name_bytes + oldest.help.len() + oldest.unit.len() + METADATA_BYTES) as isize;
        }
        variants.push(metadata);
        self.metadata_bytes.fetch_add(growth as usize, Ordering::Relaxed);
        growth
    }

    /// Puts back a series of a checkpoint.
    pub(crate) fn restore(&self, id: u32, labels: &Labels, restored: Data) {
        let Some((first_ms, last_ms)) = restored.span() else { return };
        let mut index = self.index.write();
        if index.by_id(id).is_some() || index.get(index.hash(labels), labels).is_some() {
            return;
        }
        let (series, text_bytes) = index.insert(id, labels);
        self.unranked.fetch_add(1, Ordering::Relaxed);
        self.grow((series.base_bytes() + text_bytes + restored.bytes()) as isize);
        self.samples.fetch_add(restored.sample_count(), Ordering::Relaxed);
        self.chunks.fetch_add(restored.chunk_count() as u64, Ordering::Relaxed);
        self.min_time_ms.fetch_min(first_ms, Ordering::Relaxed);
        self.max_time_ms.fetch_max(last_ms, Ordering::Relaxed);
        *series.data.lock() = restored;
    }

    pub(crate) fn max_series(&self) -> usize {
        self.max_series
    }

    pub(crate) fn series_count(&self) -> usize {
        self.index.read_recursive().len()
    }

    pub(crate) fn series(&self, labels: &Labels) -> Option<Arc<Series>> {
        // A writer may look at the index already.
        let index = self.index.read_recursive();
        index.get(index.hash(labels), labels).cloned()
    }

    pub(crate) fn with_index<T>(&self, read: impl FnOnce(&Index) -> T) -> T {
        read(&self.index.read())
    }

    /// Does something while nobody reads the index.
    pub(crate) fn while_unread(&self, change: impl FnOnce()) {
        let _index = self.index.write();
        change();
    }

    pub(crate) fn has_metadata(&self, name: &str, metadata: &Metadata) -> bool {
        self.metadata.read().get(name).is_some_and(|variants| variants.contains(metadata))
    }

    pub(crate) fn metadata(&self) -> BTreeMap<String, Vec<Metadata>> {
        self.metadata.read().clone()
    }

    /// The metadata of one family.
    pub(crate) fn metadata_of(&self, name: &str) -> Vec<Metadata> {
        self.metadata.read().get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn takes_exemplar(&self, series: u32, exemplar: &Exemplar) -> bool {
        self.exemplars.lock().takes(series, exemplar)
    }

    pub(crate) fn exemplars_of(&self, series: u32, first_ms: i64, last_ms: i64) -> Vec<Exemplar> {
        self.exemplars.lock().of(series, first_ms, last_ms)
    }

    pub(crate) fn all_exemplars(&self) -> Vec<(u32, Exemplar)> {
        self.exemplars.lock().all()
    }

    pub(crate) fn exemplar_count(&self) -> usize {
        self.exemplars.lock().len()
    }

    /// Bytes of everything, estimated.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn sample_count(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    pub(crate) fn chunk_count(&self) -> u64 {
        self.chunks.load(Ordering::Relaxed)
    }

    /// Time of the oldest sample; the largest number if there is none.
    pub(crate) fn min_time_ms(&self) -> i64 {
        self.min_time_ms.load(Ordering::Relaxed)
    }

    /// Time of the newest sample; the smallest number if there is none.
    pub(crate) fn max_time_ms(&self) -> i64 {
        self.max_time_ms.load(Ordering::Relaxed)
    }

    /// Drops chunks that end before a time, and series without a sample left, with all that belongs to them.
    pub(crate) fn truncate(&self, before_ms: i64) -> Truncated {
        self.drop_from(&self.all(), |_, data| data.truncate(before_ms))
    }

    /// Drops what was sealed before a time, as [`truncate`](Self::truncate) does. A series that was changed since then
    /// keeps everything: it is sealed once more.
    pub(crate) fn drop_sealed(&self, before_ms: i64, sealed: &HashMap<u32, Sealing>) -> Truncated {
        self.drop_from(&self.all(), |series, data| {
            if let Some(sealing) = sealed.get(&series.id) {
                data.drop_sealed(before_ms, sealing);
            }
        })
    }

    /// Every series, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<Series>> {
        self.with_index(|index| index.all().cloned().collect())
    }

    fn delete(&self, id: u32, first_ms: i64, last_ms: i64) {
        let series = self.with_index(|index| index.by_id(id).cloned());
        let Some(series) = series else { return };
        let mut data = series.data.lock();
        let before = (data.bytes() as isize, data.chunk_count() as isize, data.sample_count() as i64);
        data.delete(first_ms, last_ms);
        self.grow(data.bytes() as isize - before.0);
        self.chunks.fetch_add((data.chunk_count() as isize - before.1) as u64, Ordering::Relaxed);
        self.samples.fetch_add((data.sample_count() as i64 - before.2) as u64, Ordering::Relaxed);
    }

    /// Drops something of each series, and series without a sample left.
    fn drop_from(&self, all: &[Arc<Series>], drop: impl Fn(&Series, &mut Data)) -> Truncated {
        let mut gone = HashSet::new();
        let (mut growth, mut chunks, mut samples) = (0_isize, 0_isize, 0_i64);
        let mut min_time_ms = i64::MAX;
        for series in all {
            let mut data = series.data.lock();
            let before = (data.bytes(), data.chunk_count(), data.sample_count());
            drop(series, &mut data);
            growth += data.bytes() as isize - before.0 as isize;
            chunks += data.chunk_count() as isize - before.1 as isize;
            samples += data.sample_count() as i64 - before.2 as i64;
            match data.span() {
                Some((first_ms, _)) => min_time_ms = min_time_ms.min(first_ms),
                None => _ = gone.insert(series.id),
            }
            if data.is_empty() {
                growth -= series.base_bytes() as isize;
            }
        }
        if !gone.is_empty() {
            self.index.write().remove(&gone);
            let mut ring = self.exemplars.lock();
            let before = ring.bytes() as isize;
            ring.retain(|series| !gone.contains(&series));
            growth += ring.bytes() as isize - before;
            growth -= self.forget_metadata() as isize;
        }
        self.grow(growth);
        self.chunks.fetch_add(chunks as u64, Ordering::Relaxed);
        self.samples.fetch_add(samples as u64, Ordering::Relaxed);
        self.min_time_ms.store(min_time_ms, Ordering::Relaxed);
        Truncated { series: gone.len(), samples: samples.unsigned_abs() }
    }

    /// Drops the metadata of families without a series; returns their bytes.
    fn forget_metadata(&self) -> usize {
        let index = self.index.read();
        let is_used = |family: &str| {
            ["", "_total", "_bucket", "_count", "_sum", "_info"]
                .iter()
                .any(|suffix| index.has(model::labels::METRIC_NAME, &format!("{family}{suffix}")))
        };
        let mut bytes = 0;
        self.metadata.write().retain(|name, variants| {
            let used = is_used(name);
            if !used {
                bytes += variants.iter().map(|metadata| metadata_bytes(name, metadata)).sum::<usize>();
            }
            used
        });
        self.metadata_bytes.fetch_sub(bytes, Ordering::Relaxed);
        bytes
    }

    /// The time before which chunks would have to go to free so many bytes.
    pub(crate) fn time_to_free(&self, bytes: usize) -> Option<i64> {
        let mut ends: Vec<(i64, usize)> = Vec::new();
        for series in self.all() {
            ends.extend(series.data.lock().chunk_ends());
        }
        ends.sort_unstable();
        let mut freed = 0;
        let last = ends.iter().find(|(_, size)| {
            freed += size;
            freed >= bytes
        })?;
        Some(last.0 + 1)
    }
}

fn metadata_bytes(name: &str, metadata: &Metadata) -> usize {
    name.len() + metadata.help.len() + metadata.unit.len() + METADATA_BYTES
}
