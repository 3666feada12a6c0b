//! Samples in compressed runs, append-only while open, shared and immutable once closed, in the encodings of
//! Prometheus' blocks (`tsdb/docs/format/chunks.md` in its repository).

mod bits;
mod bytes;
mod counts;
mod gorilla;
mod histogram;
mod layout;
mod pack;
mod start;
mod varbit;
mod xor;
mod xor2;

use std::sync::Arc;

use model::{Histogram, SampleValue};

pub(crate) use bytes::ChunkBytes;
use histogram::{HistogramReader, HistogramWriter};
pub(crate) use pack::pack;
use xor::{XorReader, XorWriter};
use xor2::Xor2Reader;

/// Samples of a chunk of floats when it is closed: what Prometheus aims at.
pub(crate) const MAX_SAMPLES: u16 = 120;

/// Chunks end where the shortest blocks do, so that a block is made of whole chunks.
pub(crate) const RANGE_MS: i64 = 2 * 3_600_000;

/// The first time behind the range that a time lies in.
pub(crate) fn range_end(time_ms: i64) -> i64 {
    time_ms.div_euclid(RANGE_MS).saturating_add(1).saturating_mul(RANGE_MS)
}

/// How the bytes of a chunk are to be read: Prometheus' encodings, which its blocks have by these numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Floats.
    Xor = 1,
    /// Native histograms with whole counts.
    Histogram = 2,
    /// Native histograms with counts that are not whole.
    FloatHistogram = 3,
    /// Floats with start times; read, never written.
    Xor2 = 4,
    /// Histograms with start times; read, never written.
    HistogramSt = 5,
    /// Of floats; read, never written.
    FloatHistogramSt = 6,
}

impl Encoding {
    /// The encoding with a number.
    pub(crate) fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Xor,
            2 => Self::Histogram,
            3 => Self::FloatHistogram,
            4 => Self::Xor2,
            5 => Self::HistogramSt,
            6 => Self::FloatHistogramSt,
            _ => return None,
        })
    }

    /// Whether its samples are floats.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::Xor | Self::Xor2)
    }
}

/// The number of samples that stands before them, and what follows.
fn sample_count(bytes: &[u8]) -> (u16, &[u8]) {
    bytes.split_first_chunk::<2>().map_or((0, &[]), |(count, rest)| (u16::from_be_bytes(*count), rest))
}

/// A closed chunk, or what an open one held when it was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    pub(crate) encoding: Encoding,
    pub(crate) bytes: ChunkBytes,
}

impl Chunk {
    /// The samples in order of time. Bytes that make no sense end it early.
    pub(crate) fn iter(&self) -> ChunkIter<'_> {
        match self.encoding {
            Encoding::Xor => ChunkIter::Xor(XorReader::new(&self.bytes)),
            Encoding::Xor2 => ChunkIter::Xor2(Xor2Reader::new(&self.bytes), 0),
            _ => ChunkIter::Histogram(Box::new(HistogramReader::new(&self.bytes, self.encoding))),
        }
    }

    /// How many samples it says it has.
    pub(crate) fn samples(&self) -> u16 {
        let (samples, _) = sample_count(&self.bytes);
        match self.encoding {
            Encoding::HistogramSt | Encoding::FloatHistogramSt => samples & 0x3fff,
            _ => samples,
        }
    }
}

/// Samples of a chunk.
#[derive(Debug)]
pub(crate) enum ChunkIter<'a> {
    Xor(XorReader<'a>),
    /// With the start time of the sample that was read last.
    Xor2(Xor2Reader<'a>, i64),
    Histogram(Box<HistogramReader<'a>>),
}

impl ChunkIter<'_> {
    /// Start time of the sample that was read last, where the chunk itself has it; 0 if not.
    pub(crate) fn start_ms(&self) -> i64 {
        match self {
            Self::Xor(_) => 0,
            Self::Xor2(_, start_ms) => *start_ms,
            Self::Histogram(reader) => reader.start_ms(),
        }
    }
}

impl Iterator for ChunkIter<'_> {
    type Item = (i64, SampleValue);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Xor(reader) => reader.next().map(|(time, value)| (time, SampleValue::Float(value))),
            Self::Xor2(reader, last_start) => reader.next().map(|(time, start_ms, value)| {
                *last_start = start_ms;
                (time, SampleValue::Float(value))
            }),
            Self::Histogram(reader) => {
                reader.next().map(|(time, histogram)| (time, SampleValue::Histogram(histogram)))
            }
        }
    }
}

/// The chunk that a series' next sample goes to.
#[derive(Debug)]
pub(crate) enum OpenChunk {
    Xor(XorWriter),
    Histogram(Box<HistogramWriter>),
}

impl OpenChunk {
    /// A chunk with its first sample.
    pub(crate) fn begin(time_ms: i64, value: &SampleValue) -> Self {
        match value {
            SampleValue::Float(value) => {
                let mut writer = XorWriter::default();
                writer.push(time_ms, *value);
                Self::Xor(writer)
            }
            SampleValue::Histogram(value) => {
                Self::Histogram(Box::new(HistogramWriter::begin(time_ms, value)))
            }
        }
    }

    /// Appends a sample that is newer than all others; the chunk before it is given back where it begins a new one.
    pub(crate) fn push(&mut self, time_ms: i64, value: &SampleValue) -> Option<Chunk> {
        let in_range = time_ms < range_end(self.first_ms());
        let next = match (&mut *self, value) {
            (Self::Xor(writer), SampleValue::Float(value)) if in_range && writer.samples() < MAX_SAMPLES => {
                writer.push(time_ms, *value);
                return None;
            }
            (Self::Histogram(writer), SampleValue::Histogram(value)) if in_range => {
                Self::Histogram(Box::new(writer.push(time_ms, value)?))
            }
            _ => Self::begin(time_ms, value),
        };
        Some(std::mem::replace(self, next).snapshot())
    }

    /// What it holds now.
    pub(crate) fn snapshot(&self) -> Chunk {
        match self {
            Self::Xor(writer) => writer.snapshot(),
            Self::Histogram(writer) => writer.snapshot(),
        }
    }

    pub(crate) fn samples(&self) -> u16 {
        match self {
            Self::Xor(writer) => writer.samples(),
            Self::Histogram(writer) => writer.samples(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Xor(writer) => writer.bytes(),
            Self::Histogram(writer) => writer.bytes(),
        }
    }

    pub(crate) fn first_ms(&self) -> i64 {
        match self {
            Self::Xor(writer) => writer.first_ms(),
            Self::Histogram(writer) => writer.first_ms(),
        }
    }

    pub(crate) fn last_ms(&self) -> i64 {
        match self {
            Self::Xor(writer) => writer.last_ms(),
            Self::Histogram(writer) => writer.last_ms(),
        }
    }

    /// The sample that was appended last.
    pub(crate) fn last_value(&self) -> SampleValue {
        match self {
            Self::Xor(writer) => SampleValue::Float(writer.last_value()),
            Self::Histogram(writer) => SampleValue::Histogram(Arc::clone(writer.last_value())),
        }
    }
}

/// Chunks of samples that are sorted by time.
pub(crate) fn encode(samples: impl IntoIterator<Item = (i64, SampleValue)>) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut open: Option<OpenChunk> = None;
    for (time_ms, value) in samples {
        match &mut open {
            Some(open) => chunks.extend(open.push(time_ms, &value)),
            None => open = Some(OpenChunk::begin(time_ms, &value)),
        }
    }
    chunks.extend(open.map(|chunk| chunk.snapshot()));
    chunks
}

/// A histogram that a chunk gives out.
pub(crate) type SharedHistogram = Arc<Histogram>;

#[cfg(test)]
mod tests {
    use model::sample::{ResetHint, STALE_NAN_BITS};
    use proptest::prelude::*;

    use super::*;
    use crate::histogram::same;

    fn float() -> impl Strategy<Value = SampleValue> {
        prop_oneof![
            2 => any::<u64>().prop_map(f64::from_bits),
            4 => (0..100_i32).prop_map(f64::from),
            1 => prop::sample::select(vec![
                f64::from_bits(STALE_NAN_BITS),
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                -0.0,
                f64::MIN_POSITIVE / 2.0,
                f64::MAX,
            ]),
        ]
        .prop_map(SampleValue::Float)
    }

    fn histogram() -> impl Strategy<Value = SampleValue> {
        let buckets = || prop::collection::btree_map(-6..9_i64, 0..5_u32, 0..6);
        let hint = prop::sample::select(vec![
            ResetHint::Unknown,
            ResetHint::Unknown,
            ResetHint::Unknown,
            ResetHint::Reset,
            ResetHint::Gauge,
        ]);
        let parts = (0..12_u32, 0..3_i32, buckets(), buckets(), hint, any::<f64>());
        parts.prop_map(|(kind, schema, positive, negative, reset_hint, sum)| {
            if kind == 0 {
                let sum = f64::from_bits(STALE_NAN_BITS);
                return SampleValue::Histogram(Arc::new(Histogram { sum, ..Histogram::default() }));
            }
            // Not whole now and then.
            let scale = if kind == 1 { 0.7 } else { 1.0 };
            let custom = kind == 2;
            let spans = |buckets: std::collections::BTreeMap<i64, u32>| {
                model::histogram::to_spans(
                    buckets.into_iter().map(|(index, count)| (index, f64::from(count) * scale)),
                )
            };
            let (positive_spans, positive_buckets) = spans(positive);
            let (negative_spans, negative_buckets) =
                if custom { Default::default() } else { spans(negative) };
            SampleValue::Histogram(Arc::new(Histogram {
                schema: if custom { -53 } else { schema },
                count: positive_buckets.iter().chain(&negative_buckets).sum(),
                sum,
                zero_threshold: if custom { 0.0 } else { 2.0_f64.powi(-128) },
                positive_spans,
                positive_buckets,
                negative_spans,
                negative_buckets,
                custom_values: if custom { vec![0.5, 1.0 / 3.0, 7.0, 33_554_431.0] } else { Vec::new() },
                reset_hint,
                ..Histogram::default()
            }))
        })
    }

    fn in_time(start: i64, samples: Vec<(i64, SampleValue)>) -> Vec<(i64, SampleValue)> {
        let mut time = start;
        let step = |(step, value): (i64, SampleValue)| {
            // Mostly regular steps, as there are; sometimes any.
            time += if step % 3 == 0 { step } else { 15_000 + step % 7 };
            (time, value)
        };
        samples.into_iter().map(step).collect()
    }

    fn check(samples: &[(i64, SampleValue)]) -> Result<(), TestCaseError> {
        let chunks = encode(samples.iter().cloned());
        let back: Vec<_> = chunks.iter().flat_map(Chunk::iter).collect();
        prop_assert_eq!(back.len(), samples.len());
        for (left, right) in back.iter().zip(samples) {
            prop_assert_eq!(left.0, right.0);
            prop_assert!(same(&left.1, &right.1), "{:?} became {:?}", right, left);
        }
        for chunk in &chunks {
            prop_assert_eq!(chunk.iter().next().map(|it| it.0), Some(chunk.first_ms));
            prop_assert_eq!(chunk.iter().last().map(|it| it.0), Some(chunk.last_ms));
            prop_assert_eq!(usize::from(chunk.samples()), chunk.iter().count());
            prop_assert!(chunk.last_ms < range_end(chunk.first_ms));
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn floats_and_histograms_come_out(
            start in any::<i32>(),
            samples in prop::collection::vec((1..1_i64 << 40, prop_oneof![8 => float(), 1 => histogram()]), 0..400),
        ) {
            check(&in_time(i64::from(start), samples))?;
        }

        #[test]
        fn histograms_come_out(
            samples in prop::collection::vec((1..100_000_i64, histogram()), 0..100),
        ) {
            check(&in_time(1_700_000_000_000, samples))?;
        }

        #[test]
        fn counters_of_histograms_share_chunks(
            added in prop::collection::vec((-6..9_i64, 1..5_u32), 1..200),
        ) {
            let mut buckets = std::collections::BTreeMap::<i64, f64>::new();
            let mut samples = Vec::new();
            for (number, (index, count)) in added.iter().enumerate() {
                *buckets.entry(*index).or_default() += f64::from(*count);
                let (positive_spans, positive_buckets) =
                    model::histogram::to_spans(buckets.iter().map(|(index, count)| (*index, *count)));
                let histogram = Histogram {
                    count: positive_buckets.iter().sum(),
                    sum: number as f64,
                    positive_spans,
                    positive_buckets,
                    ..Histogram::default()
                };
                samples.push((number as i64 * 1000, SampleValue::Histogram(Arc::new(histogram))));
            }
            check(&samples)?;
            let chunks = encode(samples.iter().cloned());
            prop_assert!(chunks.iter().all(|chunk| chunk.encoding == Encoding::Histogram));
            let (_, full) = chunks.split_last().unwrap();
            prop_assert!(full.iter().all(|chunk| chunk.samples() >= 10));
        }

        #[test]
        fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            for encoding in (1..=6).filter_map(Encoding::of) {
                let bytes = bytes.as_slice().into();
                let chunk = Chunk { first_ms: 0, last_ms: 0, encoding, bytes };
                prop_assert!(chunk.iter().count() <= usize::from(chunk.samples()));
            }
        }
    }

    #[test]
    fn regular_samples_take_few_bytes() {
        let samples =
            (0..120).map(|step| (1_700_000_000_000 + step * 15_000, SampleValue::Float(step as f64)));
        let chunks = encode(samples);
        assert_eq!(chunks.len(), 1);
        assert!(chunks[0].bytes.len() < 120 * 4, "{} bytes", chunks[0].bytes.len());
    }

    #[test]
    fn chunks_end_with_their_range() {
        let times = [RANGE_MS - 2, RANGE_MS - 1, RANGE_MS, RANGE_MS + 1];
        let chunks = encode(times.map(|time| (time, SampleValue::Float(1.0))));
        assert_eq!(
            chunks.iter().map(|it| (it.first_ms, it.samples())).collect::<Vec<_>>(),
            [(RANGE_MS - 2, 2), (RANGE_MS, 2)]
        );
        assert_eq!((range_end(-1), range_end(0), range_end(RANGE_MS - 1)), (0, RANGE_MS, RANGE_MS));
    }
}
