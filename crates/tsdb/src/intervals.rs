//! Times that were deleted.

/// Closed intervals in milliseconds, sorted, apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Intervals(Vec<(i64, i64)>);

impl Intervals {
    /// Adds an interval; those that it touches become one with it.
    pub(crate) fn add(&mut self, first_ms: i64, last_ms: i64) {
        if first_ms > last_ms {
            return;
        }
        let begin = self.0.partition_point(|(_, last)| last.saturating_add(1) < first_ms);
        let end = self.0.partition_point(|(first, _)| *first <= last_ms.saturating_add(1));
        let merged = self.0[begin..end.max(begin)]
            .iter()
            .fold((first_ms, last_ms), |(low, high), (first, last)| (low.min(*first), high.max(*last)));
        self.0.splice(begin..end.max(begin), [merged]);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.0.iter().copied()
    }

    /// Whether a time is in one of them.
    pub(crate) fn contains(&self, time_ms: i64) -> bool {
        let next = self.0.partition_point(|(_, last)| *last < time_ms);
        self.0.get(next).is_some_and(|(first, _)| *first <= time_ms)
    }

    /// Whether all of a closed interval is in one of them.
    pub(crate) fn covers(&self, first_ms: i64, last_ms: i64) -> bool {
        let next = self.0.partition_point(|(_, last)| *last < last_ms);
        self.0.get(next).is_some_and(|(first, _)| *first <= first_ms)
    }

    /// Whether a closed interval has a time in one of them.
    pub(crate) fn touches(&self, first_ms: i64, last_ms: i64) -> bool {
        let next = self.0.partition_point(|(_, last)| *last < first_ms);
        self.0.get(next).is_some_and(|(first, _)| *first <= last_ms)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_hold_what_was_added(
            added in prop::collection::vec((0..60_i64, 0..60_i64), 0..12),
            asked in (0..60_i64, 0..8_i64),
        ) {
            let mut intervals = Intervals::default();
            for (first, last) in &added {
                intervals.add(*first, *last);
            }
            let inside = |time: i64| added.iter().any(|(first, last)| (*first..=*last).contains(&time));
            for time in 0..60 {
                prop_assert_eq!(intervals.contains(time), inside(time));
            }
            let (first, last) = (asked.0, asked.0 + asked.1);
            prop_assert_eq!(intervals.covers(first, last), (first..=last).all(inside));
            prop_assert_eq!(intervals.touches(first, last), (first..=last).any(inside));
            let all: Vec<_> = intervals.iter().collect();
            prop_assert!(all.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }

    #[test]
    fn the_ends_of_time() {
        let mut intervals = Intervals::default();
        intervals.add(5, 3);
        assert!(intervals.is_empty());
        intervals.add(i64::MIN, 0);
        intervals.add(10, i64::MAX);
        intervals.add(1, 9);
        assert_eq!(intervals.iter().collect::<Vec<_>>(), [(i64::MIN, i64::MAX)]);
    }
}
