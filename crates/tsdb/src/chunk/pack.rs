//! Chunks of floats as blocks have them: longer than those that are written to, and their windows chosen by one who knows
//! what follows. The encoding is the same; a reader sees no difference but that there is less to read.

use super::gorilla::Window;
use super::xor::XorWriter;
use super::{Chunk, ChunkIter, Encoding, range_end};

/// Samples of a chunk at most. A chunk costs some 25 bytes whatever it holds, here and in the index; a longer one is more
/// to read where a query wants one sample of it.
const MAX_SAMPLES: usize = 240;

/// Bits of a new window beside those of a change within it.
const OPENING: u32 = 11;

/// A series' chunks by time, those of floats packed. None reaches over the end of a range.
pub(crate) fn pack(chunks: &[Chunk]) -> Vec<Chunk> {
    let together = |left: &Chunk, right: &Chunk| {
        let floats = left.encoding == Encoding::Xor && right.encoding == Encoding::Xor;
        floats && range_end(left.first_ms) == range_end(right.first_ms)
    };
    chunks
        .chunk_by(together)
        .flat_map(|run| {
            pack_run(run).filter(|packed| size(packed) < size(run)).unwrap_or_else(|| run.to_vec())
        })
        .collect()
}

fn size(chunks: &[Chunk]) -> usize {
    // About what a chunk costs beside its bytes.
    chunks.iter().map(|chunk| chunk.bytes.len() + 16).sum()
}

/// One run of chunks; `None` where they are not of floats, or have not what they say.
fn pack_run(run: &[Chunk]) -> Option<Vec<Chunk>> {
    let expected: usize = run.iter().map(|chunk| usize::from(chunk.samples())).sum();
    let mut samples = Vec::with_capacity(expected);
    for chunk in run {
        let ChunkIter::Xor(reader) = chunk.iter() else { return None };
        samples.extend(reader);
    }
    if samples.is_empty() || samples.len() != expected {
        return None;
    }
    let parts = samples.len().div_ceil(MAX_SAMPLES);
    Some(samples.chunks(samples.len().div_ceil(parts)).map(encode).collect())
}

fn encode(samples: &[(i64, f64)]) -> Chunk {
    let windows = windows(samples);
    let mut next = windows.iter().peekable();
    let mut writer = XorWriter::default();
    for (number, (time_ms, value)) in samples.iter().enumerate() {
        let opened = next.next_if(|(at, _)| *at == number).map(|(_, window)| *window);
        writer.push_in(*time_ms, *value, opened);
    }
    writer.snapshot()
}

/// Where to open which window, so that all samples together take the fewest bits.
fn windows(samples: &[(i64, f64)]) -> Vec<(usize, Window)> {
    let changes: Vec<(usize, Window)> = samples
        .windows(2)
        .enumerate()
        .filter_map(|(before, pair)| {
            Some((before + 1, Window::of(pair[0].1.to_bits() ^ pair[1].1.to_bits())?))
        })
        .collect();
    // For each number of changes, the fewest bits that they take, and with how many of them the last window begins.
    let mut best = vec![(0, 0)];
    for last in 0..changes.len() {
        let mut window = changes[last].1;
        let mut fewest = (u32::MAX, last);
        for first in (0..=last).rev() {
            window = window.with(changes[first].1);
            let count = (last - first + 1) as u32;
            let bits = best[first].0 + OPENING + count * (2 + window.bits());
            if bits < fewest.0 {
                fewest = (bits, first);
            }
        }
        best.push(fewest);
    }
    let mut opened = Vec::new();
    let mut end = changes.len();
    while end > 0 {
        let first = best[end].1;
        let window = changes[first..end].iter().map(|(_, window)| *window).reduce(Window::with);
        opened.extend(window.map(|window| (changes[first].0, window)));
        end = first;
    }
    opened.reverse();
    opened
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chunk::{OpenChunk, RANGE_MS};
    use model::SampleValue;

    /// Chunks as the head writes them.
    fn written(samples: &[(i64, f64)]) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        let mut open: Option<OpenChunk> = None;
        for (time_ms, value) in samples {
            let value = SampleValue::Float(*value);
            match &mut open {
                Some(open) => chunks.extend(open.push(*time_ms, &value)),
                None => open = Some(OpenChunk::begin(*time_ms, &value)),
            }
        }
        chunks.extend(open.map(|open| open.snapshot()));
        chunks
    }

    fn read(chunks: &[Chunk]) -> Vec<(i64, u64)> {
        let value = |value| match value {
            SampleValue::Float(value) => value.to_bits(),
            SampleValue::Histogram(_) => unreachable!("only floats were written"),
        };
        chunks.iter().flat_map(|chunk| chunk.iter().map(|(time, found)| (time, value(found)))).collect()
    }

    fn any_value() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<u64>().prop_map(f64::from_bits),
            (0..50_u32).prop_map(f64::from),
            (0..100_000_u32).prop_map(|number| f64::from(number) / 100.0),
        ]
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_something_won(
            values in prop::collection::vec((any_value(), 1..=2_i64), 1..600),
            start_ms in -RANGE_MS..RANGE_MS,
        ) {
            let mut time_ms = start_ms;
            let samples: Vec<_> = values
                .into_iter()
                .map(|(value, steps)| {
                    time_ms += 15_000 * steps;
                    (time_ms, value)
                })
                .collect();
            let before = written(&samples);
            let packed = pack(&before);
            prop_assert_eq!(read(&packed), read(&before));
            prop_assert!(size(&packed) <= size(&before));
            for chunk in &packed {
                prop_assert!(usize::from(chunk.samples()) <= MAX_SAMPLES);
                prop_assert_eq!(range_end(chunk.first_ms), range_end(chunk.last_ms));
            }
        }
    }

    #[test]
    fn two_hours_are_two_chunks_and_take_less() {
        let samples: Vec<_> = (0..480_i64)
            .map(|step| (step * 15_000, (step * step) as f64 / 100.0 + f64::from(step % 7 == 0)))
            .collect();
        let before = written(&samples);
        let packed = pack(&before);
        assert_eq!((before.len(), packed.len()), (4, 2));
        assert_eq!(read(&packed), read(&before));
        assert!(size(&packed) * 100 < size(&before) * 97, "{} of {}", size(&packed), size(&before));
    }

    #[test]
    fn what_is_broken_stays_as_it_is() {
        let mut chunks = written(&[(0, 1.0), (15_000, 2.5)]);
        let torn = &chunks[0].bytes[..chunks[0].bytes.len() - 3];
        chunks[0].bytes = torn.into();
        let packed = pack(&chunks);
        assert_eq!(packed.len(), 1);
        assert_eq!(&packed[0].bytes[..], &chunks[0].bytes[..]);
    }
}
