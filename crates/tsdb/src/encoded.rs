//! Chunks of selected series as they are handed to others: remote read sends them as they lie in the store.

use crate::chunk::{self, Chunk, ChunkBytes, Encoding};
use crate::{SelectedSeries, merge};

/// Samples of a series in one of Prometheus' encodings (`tsdb/docs/format/chunks.md` in its repository).
#[derive(Debug, Clone)]
pub struct EncodedChunk {
    /// Time of the first sample, milliseconds since the Unix epoch.
    pub first_ms: i64,
    /// Time of the last sample.
    pub last_ms: i64,
    /// Prometheus' number of the encoding: 1 for floats, 2 and 3 for histograms with whole and with other counts.
    pub encoding: u8,
    bytes: ChunkBytes,
}

impl EncodedChunk {
    /// The chunk as it is in a block's file, from the number of its samples on, without its encoding and checksum.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Chunk> for EncodedChunk {
    fn from(chunk: Chunk) -> Self {
        Self {
            first_ms: chunk.first_ms,
            last_ms: chunk.last_ms,
            encoding: chunk.encoding as u8,
            bytes: chunk.bytes,
        }
    }
}

impl SelectedSeries {
    /// The samples in the range that was selected, by time, as chunks that do not overlap. Chunks that lie in the range
    /// as a whole are the store's own; start times are in none.
    pub fn chunks(&self) -> Vec<EncodedChunk> {
        let (chunks, deleted, range) = self.parts();
        let mut outside = deleted.clone();
        if let Some(before_ms) = range.start_ms.checked_sub(1) {
            outside.add(i64::MIN, before_ms);
        }
        if let Some(after_ms) = range.end_ms.checked_add(1) {
            outside.add(after_ms, i64::MAX);
        }
        let plain = |chunk: Chunk| match chunk.encoding {
            Encoding::Xor | Encoding::Histogram | Encoding::FloatHistogram => vec![chunk],
            // Encodings that older readers do not know.
            Encoding::Xor2 | Encoding::HistogramSt | Encoding::FloatHistogramSt => {
                chunk::encode(chunk.iter())
            }
        };
        let tidied = merge::tidy(chunks.to_vec(), &outside);
        tidied.into_iter().flat_map(plain).map(EncodedChunk::from).collect()
    }
}
