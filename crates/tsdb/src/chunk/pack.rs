//! Chunks of floats as blocks have them: longer than those that are written to, and their windows chosen by one who knows
//! what follows. The encoding is the same; a reader sees no difference but that there is less to read.

use super::gorilla::Window;
use super::xor::XorWriter;
use super::{Chunk, ChunkIter, Encoding, range_end};

/// Samples of a chunk at most: two hours at 15 s. A chunk costs some 30 bytes whatever it holds, here and in the index; a
/// longer one is more to read where a query wants one sample of it.
const MAX_SAMPLES: usize = 480;

/// How many changes are looked at together.
const AHEAD: usize = 12;

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

/// Changes that follow each other, within one window.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The sample that opens it.
    at: usize,
    count: u32,
    window: Window,
}

impl Run {
    fn with(self, next: Self) -> Self {
        Self { at: self.at, count: self.count + next.count, window: self.window.with(next.window) }
    }

    /// What it takes.
    fn bits(self) -> u32 {
        OPENING + self.count * (2 + self.window.bits())
    }
}

/// Where to open which window, so that all samples together take few bits.
fn windows(samples: &[(i64, f64)]) -> Vec<(usize, Window)> {
    let changes: Vec<Run> = samples
        .windows(2)
        .enumerate()
        .filter_map(|(before, pair)| {
            let window = Window::of(pair[0].1.to_bits() ^ pair[1].1.to_bits())?;
            Some(Run { at: before + 1, count: 1, window })
        })
        .collect();
    // For each number of changes, the fewest bits that they take in runs of a certain length, and the last of the runs.
    let mut best: Vec<(u32, usize, Option<Run>)> = vec![(0, 0, None)];
    for last in 0..changes.len() {
        let mut run = changes[last];
        let mut fewest = (best[last].0 + run.bits(), last, Some(run));
        for first in (last.saturating_sub(AHEAD)..last).rev() {
            run = changes[first].with(run);
            let bits = best[first].0 + run.bits();
            if bits < fewest.0 {
                fewest = (bits, first, Some(run));
            }
        }
        best.push(fewest);
    }
    let mut runs = Vec::new();
    let mut end = changes.len();
    while let Some(run) = best[end].2 {
        runs.push(run);
        end = best[end].1;
    }
    // Those that were cut for their length alone belong together.
    let mut opened: Vec<Run> = Vec::with_capacity(runs.len());
    for mut run in runs.into_iter().rev() {
        while let Some(before) = opened.pop_if(|before| before.with(run).bits() <= before.bits() + run.bits())
        {
            run = before.with(run);
        }
        opened.push(run);
    }
    opened.into_iter().map(|run| (run.at, run.window)).collect()
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
    fn two_hours_are_one_chunk_and_take_less() {
        let samples: Vec<_> = (0..480_i64)
            .map(|step| (step * 15_000, (step * step) as f64 / 100.0 + f64::from(step % 7 == 0)))
            .collect();
        let before = written(&samples);
        let packed = pack(&before);
        assert_eq!((before.len(), packed.len()), (4, 1));
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
