//! Chunks of one series from several places, as one series: by time, each time once, without what was deleted.

use model::SampleValue;

use crate::chunk::{self, Chunk};
use crate::intervals::Intervals;

/// Sorts chunks by time. Returns whether some of them overlap.
pub(crate) fn sort(chunks: &mut [Chunk]) -> bool {
    let overlap = |chunks: &[Chunk]| chunks.windows(2).any(|pair| pair[1].first_ms <= pair[0].last_ms);
    if !overlap(chunks) {
        return false;
    }
    chunks.sort_by_key(|chunk| (chunk.first_ms, chunk.last_ms));
    overlap(chunks)
}

/// Chunks by time of which none overlaps another, and without a deleted sample. Those that neither overlap nor lost a
/// sample stay as they are.
pub(crate) fn tidy(mut chunks: Vec<Chunk>, deleted: &Intervals) -> Vec<Chunk> {
    chunks.retain(|chunk| !deleted.covers(chunk.first_ms, chunk.last_ms));
    let overlap = sort(&mut chunks);
    let touched = |chunk: &Chunk| deleted.touches(chunk.first_ms, chunk.last_ms);
    if !overlap && !chunks.iter().any(touched) {
        return chunks;
    }
    let mut tidied = Vec::with_capacity(chunks.len());
    let mut group: Vec<Chunk> = Vec::new();
    let mut group_end = i64::MIN;
    for chunk in chunks {
        if !group.is_empty() && chunk.first_ms > group_end {
            flush(&mut group, deleted, &mut tidied);
        }
        group_end = if group.is_empty() { chunk.last_ms } else { group_end.max(chunk.last_ms) };
        group.push(chunk);
    }
    flush(&mut group, deleted, &mut tidied);
    tidied
}

/// Writes chunks that overlap as ones that do not.
fn flush(group: &mut Vec<Chunk>, deleted: &Intervals, tidied: &mut Vec<Chunk>) {
    match group.as_slice() {
        [] => {}
        [alone] if !deleted.touches(alone.first_ms, alone.last_ms) => tidied.append(group),
        _ => {
            let mut samples = samples(group);
            samples.retain(|(time_ms, _)| !deleted.contains(*time_ms));
            tidied.extend(chunk::encode(samples));
            group.clear();
        }
    }
}

/// The samples of chunks by time; of two of the same time the one of the chunk that comes first stays.
pub(crate) fn samples(chunks: &[Chunk]) -> Vec<(i64, SampleValue)> {
    let mut samples: Vec<(i64, SampleValue)> = chunks.iter().flat_map(Chunk::iter).collect();
    samples.sort_by_key(|(time_ms, _)| *time_ms);
    samples.dedup_by_key(|(time_ms, _)| *time_ms);
    samples
}

/// The part of chunks, which do not overlap, that lies before a time and the part from then on.
pub(crate) fn split(chunks: Vec<Chunk>, at_ms: i64) -> (Vec<Chunk>, Vec<Chunk>) {
    let (mut before, mut after) = (Vec::with_capacity(chunks.len()), Vec::new());
    for chunk in chunks {
        if chunk.last_ms < at_ms {
            before.push(chunk);
        } else if chunk.first_ms >= at_ms {
            after.push(chunk);
        } else {
            let (low, high): (Vec<_>, Vec<_>) = chunk.iter().partition(|(time_ms, _)| *time_ms < at_ms);
            before.extend(chunk::encode(low));
            after.extend(chunk::encode(high));
        }
    }
    (before, after)
}

/// Start times of one series from two places, each with the chunks that they belong to.
pub(crate) fn starts(
    left: (&[Chunk], Vec<(i64, i64)>),
    right: (&[Chunk], Vec<(i64, i64)>),
) -> Vec<(i64, i64)> {
    if left.1.is_empty() && right.1.is_empty() {
        return Vec::new();
    }
    let mut merged = Vec::with_capacity(left.1.len() + right.1.len() + 1);
    for (chunks, starts) in [left, right] {
        // Before the first change nothing is known; that is a change where something was known elsewhere.
        let first_ms = chunks.iter().map(|chunk| chunk.first_ms).min();
        let known_ms = starts.first().map_or(i64::MAX, |(since_ms, _)| *since_ms);
        merged.extend(first_ms.filter(|first_ms| *first_ms < known_ms).map(|first_ms| (first_ms, 0)));
        merged.extend(starts);
    }
    merged.sort_by_key(|(since_ms, _)| *since_ms);
    merged.dedup_by_key(|(_, start_ms)| *start_ms);
    if merged.first().is_some_and(|(_, start_ms)| *start_ms == 0) {
        merged.remove(0);
    }
    merged
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn chunk_of(times: &[i64], value: f64) -> Vec<Chunk> {
        chunk::encode(times.iter().map(|time| (*time, SampleValue::Float(value))))
    }

    fn times(chunks: &[Chunk]) -> Vec<i64> {
        chunks.iter().flat_map(|chunk| chunk.iter().map(|(time, _)| time).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn start_times_are_known_where_they_were() {
        let (early, late) = (chunk_of(&[10, 20], 1.0), chunk_of(&[30, 40], 1.0));
        let merged = |left: &[(i64, i64)], right: &[(i64, i64)]| {
            starts((&early, left.to_vec()), (&late, right.to_vec()))
        };
        assert_eq!(merged(&[], &[]), []);
        assert_eq!(merged(&[(10, 5)], &[(30, 5)]), [(10, 5)]);
        assert_eq!(merged(&[(10, 5), (20, 15)], &[(30, 25)]), [(10, 5), (20, 15), (30, 25)]);
        assert_eq!(merged(&[(10, 5)], &[]), [(10, 5), (30, 0)]);
        assert_eq!(merged(&[], &[(40, 35)]), [(40, 35)]);
        assert_eq!(starts((&late, vec![(30, 25)]), (&early, vec![(10, 5)])), [(10, 5), (30, 25)]);
    }

    proptest! {
        #[test]
        fn what_is_tidied_has_each_time_once(
            parts in prop::collection::vec(prop::collection::btree_set(0..200_i64, 1..30), 1..6),
            deleted in prop::collection::vec((0..200_i64, 0..20_i64), 0..4),
            cut in 0..200_i64,
        ) {
            let mut intervals = Intervals::default();
            for (first, length) in &deleted {
                intervals.add(*first, first + length);
            }
            let mut naive = BTreeSet::new();
            let mut chunks = Vec::new();
            for (number, part) in parts.iter().enumerate() {
                let part: Vec<i64> = part.iter().copied().collect();
                chunks.extend(chunk_of(&part, number as f64));
                naive.extend(part.iter().filter(|time| !intervals.contains(**time)).copied());
            }
            let tidied = tidy(chunks, &intervals);
            prop_assert!(tidied.windows(2).all(|pair| pair[0].last_ms < pair[1].first_ms));
            let expected: Vec<i64> = naive.into_iter().collect();
            prop_assert_eq!(times(&tidied), expected.clone());
            let (before, after) = split(tidied, cut);
            let (low, high): (Vec<i64>, Vec<i64>) = expected.into_iter().partition(|time| *time < cut);
            prop_assert_eq!(times(&before), low);
            prop_assert_eq!(times(&after), high);
        }
    }
}
