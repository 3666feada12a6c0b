//! Samples in compressed runs of up to [`MAX_SAMPLES`], append-only while open, shared and immutable once closed.

mod bits;
mod histogram;
mod xor;

use std::sync::Arc;

use model::{Histogram, SampleValue};

pub(crate) use histogram::{read_histogram, write_histogram};
use xor::{XorReader, XorWriter};

/// Samples of a chunk when it is closed: what Prometheus aims at.
pub(crate) const MAX_SAMPLES: u16 = 120;

/// Bytes of a histogram chunk when it is closed.
const MAX_HISTOGRAM_BYTES: usize = 8192;

/// How the bytes of a chunk are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Floats: Gorilla's delta-of-delta times and XORed values, in the layout of Prometheus' XOR chunks.
    Xor,
    /// Native histograms one behind the other.
    Histogram,
}

/// A closed chunk, or what an open one held when it was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    pub(crate) samples: u16,
    pub(crate) encoding: Encoding,
    pub(crate) bytes: Arc<[u8]>,
}

impl Chunk {
    /// The samples in order of time. Bytes that make no sense end it early.
    pub(crate) fn iter(&self) -> ChunkIter<'_> {
        match self.encoding {
            Encoding::Xor => ChunkIter::Xor(XorReader::new(&self.bytes, self.samples)),
            Encoding::Histogram => ChunkIter::Histogram(histogram::Reader::new(&self.bytes, self.samples)),
        }
    }
}

/// Samples of a chunk.
#[derive(Debug)]
pub(crate) enum ChunkIter<'a> {
    Xor(XorReader<'a>),
    Histogram(histogram::Reader<'a>),
}

impl Iterator for ChunkIter<'_> {
    type Item = (i64, SampleValue);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Xor(reader) => reader.next().map(|(time, value)| (time, SampleValue::Float(value))),
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
    Histogram(histogram::Writer),
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
                let mut writer = histogram::Writer::default();
                writer.push(time_ms, value);
                Self::Histogram(writer)
            }
        }
    }

    /// Appends a sample that is newer than all others; `false` if it belongs into a new chunk.
    pub(crate) fn push(&mut self, time_ms: i64, value: &SampleValue) -> bool {
        match (self, value) {
            (Self::Xor(writer), SampleValue::Float(value)) if writer.samples() < MAX_SAMPLES => {
                writer.push(time_ms, *value);
                true
            }
            (Self::Histogram(writer), SampleValue::Histogram(value))
                if writer.samples() < MAX_SAMPLES && writer.bytes() < MAX_HISTOGRAM_BYTES =>
            {
                writer.push(time_ms, value);
                true
            }
            _ => false,
        }
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
}

/// Chunks of samples that are sorted by time.
pub(crate) fn encode(samples: &[(i64, SampleValue)]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    let mut open: Option<OpenChunk> = None;
    for (time_ms, value) in samples {
        if let Some(chunk) = &mut open {
            if chunk.push(*time_ms, value) {
                continue;
            }
            chunks.push(chunk.snapshot());
        }
        open = Some(OpenChunk::begin(*time_ms, value));
    }
    chunks.extend(open.map(|chunk| chunk.snapshot()));
    chunks
}

/// A histogram that a chunk gives out.
pub(crate) type SharedHistogram = Arc<Histogram>;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = SampleValue> {
        prop_oneof![
            8 => any::<u64>().prop_map(|bits| SampleValue::Float(f64::from_bits(bits))),
            8 => (0..100_i32).prop_map(|number| SampleValue::Float(f64::from(number))),
            1 => (0..5_i32, any::<f64>()).prop_map(|(count, sum)| {
                let (positive_spans, positive_buckets) = model::histogram::to_spans(
                    (0..i64::from(count)).map(|index| (index * 3 - 4, 1.5 * index as f64 + 1.0)),
                );
                SampleValue::Histogram(Arc::new(Histogram {
                    schema: count - 3,
                    count: f64::from(count),
                    sum,
                    positive_spans,
                    positive_buckets,
                    ..Histogram::default()
                }))
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(
            start in any::<i32>(),
            samples in prop::collection::vec((1..1_i64 << 40, value()), 0..400),
        ) {
            let mut time = i64::from(start);
            let samples: Vec<(i64, SampleValue)> = samples
                .into_iter()
                .map(|(step, value)| {
                    // Mostly regular steps, as there are; sometimes any.
                    time += if step % 3 == 0 { step } else { 15_000 + step % 7 };
                    (time, value)
                })
                .collect();
            let chunks = encode(&samples);
            let back: Vec<_> = chunks.iter().flat_map(Chunk::iter).collect();
            prop_assert_eq!(back.len(), samples.len());
            for (left, right) in back.iter().zip(&samples) {
                prop_assert_eq!(left.0, right.0);
                prop_assert!(left.1.same_bits(&right.1));
            }
            for chunk in &chunks {
                prop_assert_eq!(chunk.iter().next().map(|it| it.0), Some(chunk.first_ms));
                prop_assert_eq!(chunk.iter().last().map(|it| it.0), Some(chunk.last_ms));
            }
        }

        #[test]
        fn any_bytes_end_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), samples in any::<u16>()) {
            for encoding in [Encoding::Xor, Encoding::Histogram] {
                let chunk = Chunk { first_ms: 0, last_ms: 0, samples, encoding, bytes: bytes.clone().into() };
                prop_assert!(chunk.iter().count() <= usize::from(samples));
            }
        }
    }

    #[test]
    fn regular_samples_take_few_bytes() {
        let samples: Vec<_> = (0..120)
            .map(|step| (1_700_000_000_000 + step * 15_000, SampleValue::Float(step as f64)))
            .collect();
        let chunks = encode(&samples);
        assert_eq!(chunks.len(), 1);
        assert!(chunks[0].bytes.len() < 120 * 4, "{} bytes", chunks[0].bytes.len());
    }
}
