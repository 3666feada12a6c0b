//! One series: its labels and its samples, in closed chunks and an open one.

use std::sync::atomic::{AtomicU32, Ordering};

use model::{Labels, SampleValue};
use parking_lot::Mutex;

use crate::chunk::{self, Chunk, MAX_SAMPLES, OpenChunk};
use crate::intervals::Intervals;
use crate::merge;

/// Bytes that a series takes besides its labels and chunks: itself, its entries in the index, an open chunk.
const SERIES_BYTES: usize = 480;

/// Bytes that a label takes besides its text: an entry in the postings.
const LABEL_BYTES: usize = 8;

/// Bytes of a closed chunk besides its samples.
const CHUNK_BYTES: usize = 56;

/// A series of the head.
#[derive(Debug)]
pub(crate) struct Series {
    /// Its number in the log, never used again for another one.
    pub(crate) id: u32,
    pub(crate) labels: Labels,
    pub(crate) hash: u64,
    /// Its place among all series by labels; 0 while it has none. Set while nobody reads the index.
    rank: AtomicU32,
    pub(crate) data: Mutex<Data>,
}

impl Series {
    pub(crate) fn new(id: u32, hash: u64, labels: Labels) -> Self {
        Self { id, labels, hash, rank: AtomicU32::new(0), data: Mutex::new(Data::default()) }
    }

    /// Its place among all series by labels, if it has one yet.
    pub(crate) fn rank(&self) -> u32 {
        self.rank.load(Ordering::Relaxed)
    }

    pub(crate) fn set_rank(&self, rank: u32) {
        self.rank.store(rank, Ordering::Relaxed);
    }

    /// Bytes that it takes without its samples.
    pub(crate) fn base_bytes(&self) -> usize {
        SERIES_BYTES + self.labels.key().len() + self.labels.len() * LABEL_BYTES
    }
}

/// The newest sample in order, with since when its value counts.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    pub(crate) time_ms: i64,
    pub(crate) value: SampleValue,
    pub(crate) start_ms: i64,
}

/// The samples of a series.
#[derive(Debug, Default)]
pub(crate) struct Data {
    /// By time; they do not overlap.
    closed: Vec<Chunk>,
    /// Bytes of the closed chunks.
    closed_bytes: usize,
    open: Option<OpenChunk>,
    tail: Option<Tail>,
    /// Start times: (first sample that has it, start), where it changes.
    starts: Vec<(i64, i64)>,
    /// Newest sample that was judged and is about to be inserted; 0 if there is none.
    judged_ms: i64,
    /// Counts what was changed behind the newest sample, so that who writes a block sees whether it has everything.
    changes: u32,
}

/// What an insertion changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Growth {
    pub(crate) bytes: isize,
    pub(crate) chunks: isize,
}

/// The samples of a series before a time, to be written to a block.
#[derive(Debug)]
pub(crate) struct Sealing {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) starts: Vec<(i64, i64)>,
    changes: u32,
}

impl Data {
    pub(crate) fn tail(&self) -> Option<&Tail> {
        self.tail.as_ref()
    }

    /// Whether samples of floats from a first to a last time only have to be appended; if so, they are expected.
    pub(crate) fn judge(&mut self, first_ms: i64, last_ms: i64) -> bool {
        let Some(tail) = &self.tail else { return false };
        let newest_ms = if self.judged_ms == 0 { tail.time_ms } else { tail.time_ms.max(self.judged_ms) };
        if first_ms <= newest_ms {
            return false;
        }
        self.judged_ms = last_ms;
        true
    }

    /// Whether samples are expected.
    pub(crate) fn is_judged(&self) -> bool {
        self.judged_ms != 0
    }

    /// Nothing is expected any more.
    pub(crate) fn forget_judged(&mut self) {
        self.judged_ms = 0;
    }

    /// Inserts a sample at a time where there is none yet.
    pub(crate) fn insert(&mut self, time_ms: i64, start_ms: i64, value: &SampleValue) -> Growth {
        let before = (self.bytes(), self.chunk_count());
        if self.tail.as_ref().is_none_or(|tail| tail.time_ms < time_ms) {
            self.push(time_ms, start_ms, value);
        } else {
            self.insert_between(time_ms, value);
        }
        Growth {
            bytes: self.bytes() as isize - before.0 as isize,
            chunks: self.chunk_count() as isize - before.1 as isize,
        }
    }

    fn push(&mut self, time_ms: i64, start_ms: i64, value: &SampleValue) {
        match &mut self.open {
            Some(open) => {
                if let Some(full) = open.push(time_ms, value) {
                    self.close(full);
                }
            }
            None => self.open = Some(OpenChunk::begin(time_ms, value)),
        }
        if self.starts.last().map_or(0, |(_, start)| *start) != start_ms {
            self.starts.push((time_ms, start_ms));
        }
        if time_ms >= self.judged_ms {
            self.judged_ms = 0;
        }
        self.tail = Some(Tail { time_ms, value: value.clone(), start_ms });
    }

    fn close(&mut self, chunk: Chunk) {
        self.closed_bytes += chunk.bytes.len() + CHUNK_BYTES;
        // Many series have few chunks: room for one more at a time.
        self.closed.reserve_exact(1);
        self.closed.push(chunk);
    }

    fn set_closed(&mut self, chunks: Vec<Chunk>) {
        self.closed_bytes = chunks.iter().map(|chunk| chunk.bytes.len() + CHUNK_BYTES).sum();
        self.closed = chunks;
    }

    /// Rewrites the chunk that the sample belongs to. That is seldom, and keeps reading simple.
    fn insert_between(&mut self, time_ms: i64, value: &SampleValue) {
        self.changes = self.changes.wrapping_add(1);
        if let Some(open) = self.open.take_if(|open| open.first_ms() <= time_ms || self.closed.is_empty()) {
            let mut chunks = with(&open.snapshot(), time_ms, value);
            let newest = chunks.pop();
            for chunk in chunks {
                self.close(chunk);
            }
            self.reopen(newest);
            return;
        }
        let index = self.closed.partition_point(|chunk| chunk.first_ms <= time_ms).saturating_sub(1);
        let mut closed = std::mem::take(&mut self.closed);
        if let Some(chunk) = closed.get(index) {
            let chunks = with(chunk, time_ms, value);
            closed.splice(index..=index, chunks);
        }
        self.set_closed(closed);
    }

    /// Goes on with a chunk as the open one.
    fn reopen(&mut self, chunk: Option<Chunk>) {
        let Some(chunk) = chunk else { return };
        let mut open: Option<OpenChunk> = None;
        for (time_ms, value) in chunk.iter() {
            match &mut open {
                // What was one chunk is one again, unless it was written by other rules.
                Some(open) => {
                    if let Some(full) = open.push(time_ms, &value) {
                        self.close(full);
                    }
                }
                None => open = Some(OpenChunk::begin(time_ms, &value)),
            }
        }
        self.open = open;
    }

    /// The value at a time, if there is one.
    pub(crate) fn at(&self, time_ms: i64) -> Option<SampleValue> {
        let within = |chunk: &Chunk| chunk.iter().find(|(time, _)| *time == time_ms).map(|(_, value)| value);
        match &self.open {
            Some(open) if open.first_ms() <= time_ms => {
                // A sender that repeats itself repeats what it sent last.
                if open.last_ms() == time_ms { Some(open.last_value()) } else { within(&open.snapshot()) }
            }
            _ => {
                let index = self.closed.partition_point(|chunk| chunk.first_ms <= time_ms).checked_sub(1)?;
                within(&self.closed[index])
            }
        }
    }

    /// The chunks that have a sample in a closed interval, perhaps.
    pub(crate) fn chunks(&self, first_ms: i64, last_ms: i64) -> Vec<Chunk> {
        let begin = self.closed.partition_point(|chunk| chunk.last_ms < first_ms);
        let end = self.closed.partition_point(|chunk| chunk.first_ms <= last_ms).max(begin);
        let open = self.open.as_ref().filter(|it| it.first_ms() <= last_ms && it.last_ms() >= first_ms);
        let mut chunks = Vec::with_capacity(end - begin + usize::from(open.is_some()));
        chunks.extend_from_slice(&self.closed[begin..end]);
        chunks.extend(open.map(OpenChunk::snapshot));
        chunks
    }

    /// Chunks by when they end, with their bytes.
    pub(crate) fn chunk_ends(&self) -> impl Iterator<Item = (i64, usize)> + '_ {
        let open = self.open.as_ref().map(|open| (open.last_ms(), open.bytes()));
        self.closed.iter().map(|chunk| (chunk.last_ms, chunk.bytes.len() + CHUNK_BYTES)).chain(open)
    }

    /// Start times that a reader of these chunks needs.
    pub(crate) fn starts(&self) -> Vec<(i64, i64)> {
        self.starts.clone()
    }

    /// First and last sample; `None` if there is none.
    pub(crate) fn span(&self) -> Option<(i64, i64)> {
        let first = match (self.closed.first(), &self.open) {
            (Some(chunk), _) => chunk.first_ms,
            (None, Some(open)) => open.first_ms(),
            (None, None) => return None,
        };
        let last = match (&self.open, self.closed.last()) {
            (Some(open), _) => open.last_ms(),
            (None, Some(chunk)) => chunk.last_ms,
            (None, None) => return None,
        };
        Some((first, last))
    }

    /// Drops chunks that end before a time. Without any left, the series may go.
    pub(crate) fn truncate(&mut self, before_ms: i64) {
        let gone = self.closed.partition_point(|chunk| chunk.last_ms < before_ms);
        let mut closed = std::mem::take(&mut self.closed);
        closed.drain(..gone);
        self.keep(closed, before_ms);
    }

    /// What lies before a time, to be written to a block.
    pub(crate) fn seal(&self, before_ms: i64) -> Sealing {
        let (chunks, _) = merge::split(self.chunks(i64::MIN, before_ms.saturating_sub(1)), before_ms);
        let last = chunks.last().map_or(i64::MIN, |chunk| chunk.last_ms);
        let starts = self.starts.iter().take_while(|(since_ms, _)| *since_ms <= last).copied().collect();
        Sealing { chunks, starts, changes: self.changes }
    }

    /// Drops what lies before a time and was sealed; nothing if something was changed since.
    pub(crate) fn drop_sealed(&mut self, before_ms: i64, sealing: &Sealing) {
        if self.changes != sealing.changes {
            return;
        }
        let (_, closed) = merge::split(std::mem::take(&mut self.closed), before_ms);
        self.set_closed(closed);
        if let Some(open) =
            self.open.take_if(|open| open.first_ms() < before_ms && open.last_ms() >= before_ms)
        {
            let (_, mut rest) = merge::split(vec![open.snapshot()], before_ms);
            let newest = rest.pop();
            for chunk in rest {
                self.close(chunk);
            }
            self.reopen(newest);
        }
        let closed = std::mem::take(&mut self.closed);
        self.keep(closed, before_ms);
    }

    /// Goes on with these closed chunks, and without the open one if it ends before a time.
    fn keep(&mut self, mut closed: Vec<Chunk>, before_ms: i64) {
        if self.open.as_ref().is_some_and(|open| open.last_ms() < before_ms) {
            *self = Self { changes: self.changes, ..Self::default() };
            return;
        }
        closed.shrink_to(closed.len() + 1);
        self.set_closed(closed);
        self.forget_starts();
    }

    fn forget_starts(&mut self) {
        if let Some((first_ms, _)) = self.span() {
            // The start that holds at the first sample stays.
            let unused = self.starts.partition_point(|(since, _)| *since <= first_ms).saturating_sub(1);
            self.starts.drain(..unused);
        }
    }

    /// Deletes the samples of a closed interval.
    pub(crate) fn delete(&mut self, first_ms: i64, last_ms: i64) {
        let mut deleted = Intervals::default();
        deleted.add(first_ms, last_ms);
        let chunks = merge::tidy(self.chunks(i64::MIN, i64::MAX), &deleted);
        let changes = self.changes.wrapping_add(1);
        *self = if chunks.is_empty() { Self::default() } else { Self::restore(chunks, self.starts()) };
        self.changes = changes;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.closed.is_empty() && self.open.is_none()
    }

    pub(crate) fn chunk_count(&self) -> usize {
        self.closed.len() + usize::from(self.open.is_some())
    }

    pub(crate) fn sample_count(&self) -> u64 {
        let closed: u64 = self.closed.iter().map(|chunk| u64::from(chunk.samples())).sum();
        closed + self.open.as_ref().map_or(0, |open| u64::from(open.samples()))
    }

    /// Bytes of the samples.
    pub(crate) fn bytes(&self) -> usize {
        self.closed_bytes + self.open.as_ref().map_or(0, OpenChunk::bytes) + self.starts.len() * 16
    }

    /// What [`Data::chunks`] and [`Data::starts`] gave, put back.
    pub(crate) fn restore(mut chunks: Vec<Chunk>, starts: Vec<(i64, i64)>) -> Self {
        let mut data = Self { starts, ..Self::default() };
        let newest = chunks.pop();
        data.set_closed(chunks);
        data.reopen(newest);
        let start_ms = data.starts.last().map_or(0, |(_, start)| *start);
        data.tail = data.open.as_ref().map(|open| Tail {
            time_ms: open.last_ms(),
            value: open.last_value(),
            start_ms,
        });
        data
    }
}

/// The samples of a chunk and one more, in one chunk, or in two halves where they are too many for one.
fn with(chunk: &Chunk, time_ms: i64, value: &SampleValue) -> Vec<Chunk> {
    let mut samples: Vec<(i64, SampleValue)> = chunk.iter().collect();
    let position = samples.partition_point(|(time, _)| *time < time_ms);
    samples.insert(position, (time_ms, value.clone()));
    if samples.len() <= usize::from(MAX_SAMPLES) {
        return chunk::encode(samples);
    }
    let newer = samples.split_off(samples.len() / 2);
    [samples, newer].into_iter().flat_map(chunk::encode).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn all(data: &Data) -> Vec<(i64, u64)> {
        data.chunks(i64::MIN, i64::MAX)
            .iter()
            .flat_map(|chunk| chunk.iter().collect::<Vec<_>>())
            .map(|(time, value)| match value {
                SampleValue::Float(value) => (time, value.to_bits()),
                SampleValue::Histogram(_) => (time, 0),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn samples_in_any_order_come_back_in_order(
            samples in prop::collection::vec((0..600_i64, any::<u32>()), 0..800),
            cut in 0..600_i64,
        ) {
            let mut naive = BTreeMap::new();
            let mut data = Data::default();
            for (time, number) in samples {
                let value = f64::from(number);
                if let std::collections::btree_map::Entry::Vacant(slot) = naive.entry(time) {
                    slot.insert(value.to_bits());
                    let before = (data.bytes(), data.chunk_count());
                    let growth = data.insert(time, 0, &SampleValue::Float(value));
                    prop_assert_eq!(data.bytes() as isize, before.0 as isize + growth.bytes);
                    prop_assert_eq!(data.chunk_count() as isize, before.1 as isize + growth.chunks);
                } else {
                    prop_assert!(data.at(time).is_some());
                }
            }
            let expected: Vec<_> = naive.iter().map(|(time, bits)| (*time, *bits)).collect();
            prop_assert_eq!(all(&data), expected.clone());
            prop_assert_eq!(data.sample_count(), expected.len() as u64);
            prop_assert_eq!(data.span(), expected.first().map(|first| (first.0, expected[expected.len() - 1].0)));
            let restored = Data::restore(data.chunks(i64::MIN, i64::MAX), data.starts());
            prop_assert_eq!(all(&restored), expected.clone());
            prop_assert_eq!(restored.tail().map(|it| it.time_ms), data.tail().map(|it| it.time_ms));
            data.truncate(cut);
            // Whole chunks go: everything from the cut on is there, and nothing that was not.
            let left = all(&data);
            prop_assert!(left.iter().all(|sample| expected.contains(sample)));
            let due: Vec<_> = expected.into_iter().filter(|(time, _)| *time >= cut).collect();
            prop_assert!(left.ends_with(&due));
        }
    }

    #[test]
    fn starts_are_kept_where_they_change() {
        let mut data = Data::default();
        for (time, start) in [(10, 5), (20, 5), (30, 25), (40, 25)] {
            data.insert(time, start, &SampleValue::Float(1.0));
        }
        assert_eq!(data.starts(), [(10, 5), (30, 25)]);
    }
}
