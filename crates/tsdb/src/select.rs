//! What queries ask: series with samples, label names and values, metadata, exemplars, figures of the index.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use model::{Exemplar, Labels, Matcher, Metadata, SampleValue};
use promql::storage::{FloatPoint, HistogramPoint, MsRange, Needed, Point, PointValue, Series as _, Storage};

use crate::block::{Block, BlockSeries};
use crate::chunk::{Chunk, ChunkIter};
use crate::index::Index;
use crate::intervals::Intervals;
use crate::postings::Postings as _;
use crate::series::{Data, Series, Tail};
use crate::{Error, Result, Tsdb, merge};

/// A series as it was when it was selected.
#[derive(Debug, Clone)]
pub struct SelectedSeries {
    labels: Labels,
    /// By their begin; some may overlap.
    chunks: Vec<Chunk>,
    overlap: bool,
    deleted: Intervals,
    starts: Vec<(i64, i64)>,
    range: MsRange,
    /// The only sample, where no more was asked for; there are no chunks then.
    newest: Option<Tail>,
}

impl SelectedSeries {
    /// A sample that is all that was asked for.
    pub(crate) fn of_newest(labels: Labels, newest: Tail) -> Self {
        let range = MsRange { start_ms: newest.time_ms, end_ms: newest.time_ms };
        Self {
            labels,
            chunks: Vec::new(),
            overlap: false,
            deleted: Intervals::default(),
            starts: Vec::new(),
            range,
            newest: Some(newest),
        }
    }

    /// What a series of the head has in a range.
    pub(crate) fn of_head(labels: Labels, data: &Data, range: MsRange) -> Option<Self> {
        let chunks = data.chunks(range.start_ms, range.end_ms);
        if chunks.is_empty() {
            return None;
        }
        let (overlap, deleted, starts) = (false, Intervals::default(), data.starts());
        Some(Self { labels, chunks, overlap, deleted, starts, range, newest: None })
    }

    /// Whether the chunks have a sample for a reader.
    pub(crate) fn has_points(&self) -> bool {
        if self.newest.is_some() {
            return true;
        }
        // A chunk that begins or ends within the range has one in it.
        let at_an_end =
            |chunk: &Chunk| self.range.contains(chunk.first_ms) || self.range.contains(chunk.last_ms);
        (self.deleted.is_empty() && self.chunks.iter().any(at_an_end)) || self.points().next().is_some()
    }

    /// Its chunks, what was deleted from them, and the range that was selected.
    pub(crate) fn parts(&self) -> (&[Chunk], &Intervals, MsRange) {
        (&self.chunks, &self.deleted, self.range)
    }

    fn kept(&self, time_ms: i64) -> bool {
        self.deleted.is_empty() || !self.deleted.contains(time_ms)
    }

    /// Sets the start time of samples, given by time, where their chunks do not say it.
    fn set_starts<'a>(&self, samples: impl Iterator<Item = (i64, &'a mut i64)>) {
        let (mut start_ms, mut next) = (0, 0);
        for (time_ms, own_start_ms) in samples {
            while let Some((_, start)) = self.starts.get(next).filter(|(since_ms, _)| *since_ms <= time_ms) {
                start_ms = *start;
                next += 1;
            }
            if *own_start_ms == 0 {
                *own_start_ms = start_ms;
            }
        }
    }
}

impl promql::storage::Series for SelectedSeries {
    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn points(&self) -> impl Iterator<Item = Point> + '_ {
        let (mut floats, mut histograms) = (Vec::new(), Vec::new());
        self.read(&mut floats, &mut histograms);
        let (mut floats, mut histograms) = (floats.into_iter().peekable(), histograms.into_iter().peekable());
        std::iter::from_fn(move || {
            let before = histograms.peek().map_or(i64::MAX, |histogram| histogram.time_ms);
            if let Some(FloatPoint { time_ms, start_ms, value }) = floats.next_if(|it| it.time_ms <= before) {
                return Some(Point { time_ms, start_ms, value: PointValue::Float(value) });
            }
            let HistogramPoint { time_ms, start_ms, histogram } = histograms.next()?;
            Some(Point { time_ms, start_ms, value: PointValue::Histogram(histogram) })
        })
    }

    fn read(&self, floats: &mut Vec<FloatPoint>, histograms: &mut Vec<HistogramPoint>) {
        if let Some(newest) = &self.newest {
            push((newest.time_ms, newest.start_ms, newest.value.clone()), floats, histograms);
            return;
        }
        let (first_float, first_histogram) = (floats.len(), histograms.len());
        if self.overlap {
            for (time_ms, value) in merge::samples(&self.chunks) {
                if self.range.contains(time_ms) {
                    push((time_ms, 0, value), floats, histograms);
                }
            }
        } else {
            for chunk in &self.chunks {
                read_chunk(chunk, self.range, floats, histograms);
            }
        }
        // What was deleted is seldom there, nor are start times; most samples are read once.
        if !self.deleted.is_empty() {
            let mut number = 0;
            floats.retain(|point| {
                number += 1;
                number <= first_float || self.kept(point.time_ms)
            });
            number = 0;
            histograms.retain(|point| {
                number += 1;
                number <= first_histogram || self.kept(point.time_ms)
            });
        }
        if !self.starts.is_empty() {
            let own = floats[first_float..].iter_mut().map(|point| (point.time_ms, &mut point.start_ms));
            self.set_starts(own);
            let own =
                histograms[first_histogram..].iter_mut().map(|point| (point.time_ms, &mut point.start_ms));
            self.set_starts(own);
        }
    }
}

/// Appends the samples of a chunk that lie in a range.
fn read_chunk(
    chunk: &Chunk,
    range: MsRange,
    floats: &mut Vec<FloatPoint>,
    histograms: &mut Vec<HistogramPoint>,
) {
    let mut samples = chunk.iter();
    if let ChunkIter::Xor(reader) = samples {
        floats.reserve(usize::from(chunk.samples()));
        for (time_ms, value) in reader {
            if time_ms > range.end_ms {
                break;
            }
            if time_ms >= range.start_ms {
                floats.push(FloatPoint { time_ms, start_ms: 0, value });
            }
        }
        return;
    }
    while let Some((time_ms, value)) = samples.next() {
        if time_ms > range.end_ms {
            break;
        }
        if time_ms >= range.start_ms {
            push((time_ms, samples.start_ms(), value), floats, histograms);
        }
    }
}

fn push(
    (time_ms, start_ms, value): (i64, i64, SampleValue),
    floats: &mut Vec<FloatPoint>,
    histograms: &mut Vec<HistogramPoint>,
) {
    match value {
        SampleValue::Float(value) => floats.push(FloatPoint { time_ms, start_ms, value }),
        SampleValue::Histogram(histogram) => {
            histograms.push(HistogramPoint { time_ms, start_ms, histogram });
        }
    }
}

/// How many series or values have a name, for the status page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexStats {
    /// Pairs of a label with a value.
    pub label_pairs: u64,
    /// Metric names by how many series they have.
    pub series_by_name: Vec<(String, u64)>,
    /// Label names by how many values they have.
    pub values_by_label: Vec<(String, u64)>,
    /// Label names by bytes of their values, each counted as often as a series has it.
    pub bytes_by_label: Vec<(String, u64)>,
    /// `name=value` by how many series have it.
    pub series_by_pair: Vec<(String, u64)>,
}

impl Storage for Tsdb {
    type Series = SelectedSeries;
    type Error = Error;

    fn select(&self, matchers: &[Matcher], range: MsRange) -> Result<Vec<SelectedSeries>, Error> {
        // The head comes first: what is sealed meanwhile is found twice rather than not at all.
        let mut selected = self.select_head(matchers, range);
        let blocks = self.inner().blocks();
        for block in blocks.iter().filter(|block| block.overlaps(range)) {
            selected = with_block(selected, block.select(matchers, range)?, range);
        }
        for series in &mut selected {
            series.overlap = merge::sort(&mut series.chunks);
        }
        // A chunk may reach over the range without a sample in it.
        selected.retain(SelectedSeries::has_points);
        Ok(selected)
    }

    fn select_needed(
        &self,
        matchers: &[Matcher],
        range: MsRange,
        needed: Needed,
    ) -> Result<Vec<SelectedSeries>, Error> {
        let head = self.of_head_alone(matchers, range, needed);
        // The head was looked at first: what is sealed meanwhile is found in both rather than in none. With a block,
        // series have to be sorted, so that those of both come together.
        if self.inner().blocks().iter().any(|block| block.overlaps(range)) {
            return self.select(matchers, range);
        }
        Ok(head)
    }
}

/// Puts a block's series beside those that were found before, both sorted by labels.
fn with_block(before: Vec<SelectedSeries>, block: Vec<BlockSeries>, range: MsRange) -> Vec<SelectedSeries> {
    let mut merged = Vec::with_capacity(before.len().max(block.len()));
    let (mut before, mut block) = (before.into_iter().peekable(), block.into_iter().peekable());
    loop {
        let order = match (before.peek(), block.peek()) {
            (None, None) => return merged,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(before), Some(block)) => before.labels.cmp(&block.labels),
        };
        let known = if order.is_le() { before.next() } else { None };
        let found = if order.is_ge() { block.next() } else { None };
        merged.extend(match (known, found) {
            (Some(mut known), Some(found)) => {
                known.starts = merge::starts((&known.chunks, known.starts), (&found.chunks, found.starts));
                known.add(found.chunks, &found.deleted);
                Some(known)
            }
            (None, Some(found)) => Some(SelectedSeries {
                labels: found.labels,
                chunks: found.chunks,
                overlap: false,
                deleted: found.deleted,
                starts: found.starts,
                range,
                newest: None,
            }),
            (known, None) => known,
        });
    }
}

impl SelectedSeries {
    /// Adds the chunks of a block. What was deleted there may have been written again elsewhere.
    fn add(&mut self, chunks: Vec<Chunk>, deleted: &Intervals) {
        if self.deleted == *deleted {
            self.chunks.extend(chunks);
        } else {
            self.chunks = merge::tidy(std::mem::take(&mut self.chunks), &self.deleted);
            self.chunks.extend(merge::tidy(chunks, deleted));
            self.deleted = Intervals::default();
        }
    }
}

impl Tsdb {
    /// Series of the head by labels, their chunks as they lie there.
    fn select_head(&self, matchers: &[Matcher], range: MsRange) -> Vec<SelectedSeries> {
        let found = self.head().sorted(matchers);
        of_each(&found, |labels, data| SelectedSeries::of_head(labels, data, range))
    }

    /// Series of the head in the order in which they came, ready to be read. Where the newest samples are enough, the
    /// head knows most of them without decoding anything.
    fn of_head_alone(&self, matchers: &[Matcher], range: MsRange, needed: Needed) -> Vec<SelectedSeries> {
        let found = self.head().with_index(|index| index.select(matchers));
        let mut selected = of_each(&found, |labels, data| match data.tail() {
            Some(tail) if needed == Needed::Newest && range.contains(tail.time_ms) => {
                Some(SelectedSeries::of_newest(labels, tail.clone()))
            }
            _ => SelectedSeries::of_head(labels, data, range),
        });
        for series in &mut selected {
            series.overlap = merge::sort(&mut series.chunks);
        }
        selected.retain(SelectedSeries::has_points);
        selected
    }

    /// Labels of the series that satisfy every matcher of one of the sets and have samples around the range, sorted,
    /// each once; in the order in which they came where there is one set and the head has all of them.
    pub fn series(&self, sets: &[Vec<Matcher>], range: MsRange) -> Result<Vec<Labels>> {
        if let [matchers] = sets {
            let selected = self.head().with_index(|index| index.select(matchers));
            // The head was looked at first: what is sealed meanwhile is found in both rather than in none.
            if !self.inner().blocks().iter().any(|block| block.overlaps(range)) {
                let found = selected.iter().filter(|it| in_range(it, range));
                return Ok(found.map(|it| it.labels.clone()).collect());
            }
        }
        let mut found = Vec::new();
        for matchers in sets {
            let selected = self.head().sorted(matchers);
            found.extend(selected.iter().filter(|it| in_range(it, range)).map(|it| it.labels.clone()));
            for block in self.inner().blocks().iter().filter(|block| block.overlaps(range)) {
                found.extend(block.labels(matchers, range)?);
            }
        }
        Ok(each_once(found))
    }

    /// Label names of the series that satisfy one of the sets (all series if there is no set), sorted. The head and each
    /// block count as a whole where they overlap the range.
    pub fn label_names(&self, sets: &[Vec<Matcher>], range: MsRange) -> Result<Vec<String>> {
        let mut found = BTreeSet::new();
        self.each_head(sets, range, |index, matchers| {
            if matchers.is_empty() {
                found.extend(index.names().map(|(name, _)| name.to_owned()));
                return;
            }
            index.each(matchers, |series| {
                for (name, _) in series.labels.iter() {
                    if !found.contains(name) {
                        found.insert(name.to_owned());
                    }
                }
            });
        });
        self.each_block(sets, range, |block, matchers| block.label_names(matchers, &mut found))?;
        Ok(found.into_iter().collect())
    }

    /// Values of a label in the series that satisfy one of the sets (all series if there is no set), sorted. The head and
    /// each block count as a whole where they overlap the range.
    pub fn label_values(&self, name: &str, sets: &[Vec<Matcher>], range: MsRange) -> Result<Vec<String>> {
        let mut found = Vec::new();
        // Mostly there is one place to look at, whose values are sorted.
        let mut add = |values: Vec<String>| {
            if found.is_empty() {
                found = values;
            } else {
                found.extend(values);
                found = each_once(std::mem::take(&mut found));
            }
        };
        self.each_head(sets, range, |index, matchers| {
            if matchers.is_empty() {
                let mut values = Vec::with_capacity(index.value_count(name));
                values.extend(index.values(name).map(|(value, _)| value.to_owned()));
                return add(values);
            }
            let mut values = HashSet::new();
            index.each(matchers, |series| _ = values.insert(series.labels.get(name)));
            values.remove("");
            add(each_once(values.into_iter().map(str::to_owned).collect()));
        });
        self.each_block(sets, range, |block, matchers| {
            add(block.label_values(name, matchers)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// Visits the index with each of the sets if the head overlaps a range.
    fn each_head(&self, sets: &[Vec<Matcher>], range: MsRange, mut visit: impl FnMut(&Index, &[Matcher])) {
        let head = self.head();
        if range.overlaps(head.min_time_ms(), head.max_time_ms()) {
            head.with_index(|index| or_all(sets).iter().for_each(|matchers| visit(index, matchers)));
        }
    }

    fn each_block(
        &self,
        sets: &[Vec<Matcher>],
        range: MsRange,
        mut visit: impl FnMut(&Block, &[Matcher]) -> Result<()>,
    ) -> Result<()> {
        for block in self.inner().blocks().iter().filter(|block| block.overlaps(range)) {
            for matchers in or_all(sets) {
                visit(block, matchers)?;
            }
        }
        Ok(())
    }

    /// What each block says of itself, its `meta.json`, by their begin.
    pub fn block_metas(&self) -> Vec<String> {
        let blocks = self.inner().blocks();
        blocks.iter().map(|block| serde_json::to_string(&*block.meta()).unwrap_or_default()).collect()
    }

    /// Metadata by family name; of one family if a name is given.
    pub fn metadata(&self, name: Option<&str>) -> BTreeMap<String, Vec<Metadata>> {
        match name {
            None => self.head().metadata(),
            Some(name) => {
                let variants = self.head().metadata_of(name);
                if variants.is_empty() {
                    BTreeMap::new()
                } else {
                    BTreeMap::from([(name.to_owned(), variants)])
                }
            }
        }
    }

    /// Exemplars in a range of the series that satisfy one of the sets, by series; series without one are left out.
    pub fn exemplars(&self, sets: &[Vec<Matcher>], range: MsRange) -> Vec<(Labels, Vec<Exemplar>)> {
        let mut found = BTreeMap::new();
        for matchers in sets {
            for series in self.head().with_index(|index| index.select(matchers)) {
                let exemplars = self.head().exemplars_of(series.id, range.start_ms, range.end_ms);
                if !exemplars.is_empty() {
                    found.insert(series.labels.clone(), exemplars);
                }
            }
        }
        found.into_iter().collect()
    }

    /// The largest names and pairs of the index, at most `limit` of each, the largest first.
    pub fn index_stats(&self, limit: usize) -> IndexStats {
        self.head().with_index(|index| {
            let mut stats = IndexStats::default();
            for (name, values) in index.names() {
                stats.label_pairs += values.len() as u64;
                stats.values_by_label.push((name.to_owned(), values.len() as u64));
                let bytes: usize =
                    values.iter().map(|(value, ids)| label_bytes(name, value) * ids.len()).sum();
                stats.bytes_by_label.push((name.to_owned(), bytes as u64));
                for (value, ids) in values {
                    if name == model::labels::METRIC_NAME {
                        stats.series_by_name.push((value.to_string(), ids.len() as u64));
                    }
                    stats.series_by_pair.push((format!("{name}={value}"), ids.len() as u64));
                }
                largest(&mut stats.series_by_pair, limit);
            }
            for list in [&mut stats.series_by_name, &mut stats.values_by_label, &mut stats.bytes_by_label] {
                largest(list, limit);
            }
            stats
        })
    }
}

/// What is selected of each series of the head.
fn of_each(
    found: &[Arc<Series>],
    select: impl Fn(Labels, &Data) -> Option<SelectedSeries>,
) -> Vec<SelectedSeries> {
    found.iter().filter_map(|series| select(series.labels.clone(), &series.data.lock())).collect()
}

/// The sets; without any, one that every series satisfies.
fn or_all(sets: &[Vec<Matcher>]) -> &[Vec<Matcher>] {
    const ALL: &[Vec<Matcher>] = &[Vec::new()];
    if sets.is_empty() { ALL } else { sets }
}

/// Sorted, each once.
fn each_once<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    // Mostly one list, or few one behind the other: this sort finds such runs.
    items.sort();
    items.dedup();
    items
}

/// Bytes of a label as Prometheus reckons them: its texts, each behind its length.
fn label_bytes(name: &str, value: &str) -> usize {
    let with_length = |length: usize| length + if length < 255 { 1 } else { 4 };
    with_length(name.len()) + with_length(value.len())
}

fn largest(list: &mut Vec<(String, u64)>, limit: usize) {
    list.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    list.truncate(limit);
}

fn in_range(series: &Series, range: MsRange) -> bool {
    series.data.lock().span().is_some_and(|(first_ms, last_ms)| range.overlaps(first_ms, last_ms))
}
