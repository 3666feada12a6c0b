//! The k largest or smallest of many, with Prometheus' choice among equals: its heap is the one of Go.

/// A sample of a series: its value, and which series.
pub(super) type Entry = (f64, usize);

/// A heap whose first entry is the next to go.
pub(super) struct Heap {
    entries: Vec<Entry>,
    /// Whether the largest goes first.
    is_reversed: bool,
}

impl Heap {
    /// An empty heap from which the smallest goes first, or the largest.
    pub(super) fn new(is_reversed: bool) -> Self {
        Self { entries: Vec::new(), is_reversed }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether one entry goes before another; what is not a number goes before all.
    fn less(&self, left: usize, right: usize) -> bool {
        let (left, right) = (self.entries[left].0, self.entries[right].0);
        left.is_nan() || if self.is_reversed { left > right } else { left < right }
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
        let mut at = self.entries.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if !self.less(at, parent) {
                break;
            }
            self.entries.swap(at, parent);
            at = parent;
        }
    }

    /// Puts an entry in place of the first one, if it is to stay longer.
    pub(super) fn offer(&mut self, entry: Entry) {
        let Some((first, _)) = self.entries.first().copied() else { return };
        let is_better = if self.is_reversed { first > entry.0 } else { first < entry.0 };
        if is_better || (first.is_nan() && !entry.0.is_nan()) {
            self.entries[0] = entry;
            self.sink();
        }
    }

    fn sink(&mut self) {
        let mut at = 0;
        loop {
            let left = 2 * at + 1;
            if left >= self.entries.len() {
                return;
            }
            let right = left + 1;
            let child = if right < self.entries.len() && self.less(right, left) { right } else { left };
            if !self.less(child, at) {
                return;
            }
            self.entries.swap(at, child);
            at = child;
        }
    }

    /// The entries as they lie.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The entries, the one that would go last first.
    pub(super) fn into_sorted(self) -> Vec<Entry> {
        let Self { mut entries, is_reversed } = self;
        entries.sort_by(|left, right| {
            let order = match (left.0.is_nan(), right.0.is_nan()) {
                (false, false) => right.0.total_cmp(&left.0),
                (is_nan, other_is_nan) => return is_nan.cmp(&other_is_nan),
            };
            // Zeros of either sign are equal.
            let order = if left.0 == right.0 { std::cmp::Ordering::Equal } else { order };
            if is_reversed { order.reverse() } else { order }
        });
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_and_the_smallest() {
        let numbers = [3.0, f64::NAN, 1.0, 7.0, 5.0, 7.0, 2.0];
        let kept = |is_reversed| {
            let mut heap = Heap::new(is_reversed);
            for (series, value) in numbers.into_iter().enumerate() {
                if heap.len() < 3 { heap.push((value, series)) } else { heap.offer((value, series)) }
            }
            heap.into_sorted()
        };
        let values = |entries: Vec<Entry>| entries.into_iter().map(|(value, _)| value).collect::<Vec<_>>();
        assert_eq!(values(kept(false)), [7.0, 7.0, 5.0]);
        assert_eq!(kept(true), [(1.0, 2), (2.0, 6), (3.0, 0)]);
    }
}
