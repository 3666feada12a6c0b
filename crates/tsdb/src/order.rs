//! Series of the head in the order of their labels, which is what a query gives out. To sort thousands of texts that lie
//! all over the memory takes longer than to read their samples, so each series is told its place among all others now
//! and then, and a query sorts by these; only series that are newer than that are compared by their labels.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::Matcher;

use crate::head::Head;
use crate::series::Series;

/// New series that are worth telling places before the background work comes by anyway.
const MANY: usize = 1000;

impl Head {
    /// Series that satisfy every matcher, by labels.
    pub(crate) fn sorted(&self, matchers: &[Matcher]) -> Vec<Arc<Series>> {
        // Places change while nobody reads the index: these are of one time.
        let found: Vec<(u32, Arc<Series>)> = self.with_index(|index| {
            index.select(matchers).into_iter().map(|series| (series.rank(), series)).collect()
        });
        let (mut known, new): (Vec<_>, Vec<_>) = found.into_iter().partition(|(rank, _)| *rank > 0);
        known.sort_unstable_by_key(|(rank, _)| *rank);
        let known = known.into_iter().map(|(_, series)| series).collect();
        merged(known, by_labels(new.into_iter().map(|(_, series)| series).collect()))
    }

    /// Whether so many series are new that they should be told their places soon.
    pub(crate) fn ranking_is_due(&self) -> bool {
        let new = self.unranked.load(Ordering::Relaxed);
        new > MANY && new > self.series_count() / 4
    }

    /// Tells every series its place, if a part of them is new that matters. One thread at a time does.
    pub(crate) fn rank(&self) {
        // Those that come meanwhile stay counted until the next time.
        let count = self.unranked.load(Ordering::Relaxed);
        if count <= self.series_count() / 64 {
            return;
        }
        let (mut known, new): (Vec<_>, Vec<_>) = self.all().into_iter().partition(|series| series.rank() > 0);
        known.sort_unstable_by_key(|series| series.rank());
        let all = merged(known, by_labels(new));
        self.while_unread(|| {
            for (series, rank) in all.iter().zip(1..) {
                series.set_rank(rank);
            }
        });
        self.unranked.fetch_sub(count, Ordering::Relaxed);
    }
}

fn by_labels(mut series: Vec<Arc<Series>>) -> Vec<Arc<Series>> {
    series.sort_unstable_by(|left, right| left.labels.cmp(&right.labels));
    series
}

/// One list of two that are sorted by labels.
fn merged(left: Vec<Arc<Series>>, right: Vec<Arc<Series>>) -> Vec<Arc<Series>> {
    if right.is_empty() {
        return left;
    }
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let mut left = left.into_iter().peekable();
    for series in right {
        while let Some(before) = left.next_if(|it| it.labels < series.labels) {
            merged.push(before);
        }
        merged.push(series);
    }
    merged.extend(left);
    merged
}

#[cfg(test)]
mod tests {
    use model::{Labels, SampleValue};
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Record, RefSample};

    fn record(ids: std::ops::Range<u32>, labels: &[Labels]) -> Record {
        let ids = ids.zip(labels);
        Record {
            series: ids.clone().map(|(id, labels)| (id, labels.clone())).collect(),
            samples: ids
                .map(|(id, _)| RefSample {
                    series: id,
                    time_ms: i64::from(id),
                    start_ms: 0,
                    value: SampleValue::Float(1.0),
                })
                .collect(),
            ..Record::default()
        }
    }

    proptest! {
        #[test]
        fn series_are_sorted_whenever_they_came(
            sets in prop::collection::btree_set("[a-c]{1,3}", 1..60),
            shuffle in any::<u64>(),
            steps in prop::collection::vec((1..20_usize, any::<bool>()), 1..8),
        ) {
            let mut sets: Vec<Labels> =
                sets.iter().map(|value| [("__name__", "x"), ("a", value.as_str())].into_iter().collect()).collect();
            let expected = sets.clone();
            let key = |labels: &Labels| {
                labels.key().bytes().fold(shuffle, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
            };
            sets.sort_by_key(key);
            let head = Head::new(1000, 0, 1 << 20);
            let mut done = 0;
            for (count, rank) in steps.into_iter().chain([(usize::MAX, false)]) {
                let end = done + count.min(sets.len() - done);
                head.apply(record(done as u32 + 1..end as u32 + 1, &sets[done..end]));
                done = end;
                if rank {
                    head.rank();
                }
                let mut known = sets[..done].to_vec();
                known.sort();
                let found: Vec<Labels> = head.sorted(&[]).iter().map(|series| series.labels.clone()).collect();
                prop_assert_eq!(found, known);
            }
            head.rank();
            let found: Vec<Labels> = head.sorted(&[]).iter().map(|series| series.labels.clone()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
