//! Exemplars: the newest of all series together, up to a limit.

use std::collections::VecDeque;

use hashbrown::HashMap;
use model::Exemplar;

/// What an exemplar takes in memory besides its labels' text, roughly.
const EXEMPLAR_BYTES: usize = 160;

/// Most characters of an exemplar's labels together, as OpenMetrics has it.
const MAX_CHARACTERS: usize = 128;

/// A ring over all series: past its limit the oldest goes.
#[derive(Debug)]
pub(crate) struct Ring {
    limit: usize,
    /// The series of each exemplar, in the order in which they came.
    order: VecDeque<u32>,
    by_series: HashMap<u32, VecDeque<Exemplar>>,
    bytes: usize,
}

impl Ring {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, order: VecDeque::new(), by_series: HashMap::new(), bytes: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether an exemplar would be kept: it is not too long, and comes after the series' newest in the order of time,
    /// value and labels. Prometheus has the same order (of the labels' hashes, instead of the labels): it tells repeated
    /// ones without a look at more than the newest.
    pub(crate) fn takes(&self, series: u32, exemplar: &Exemplar) -> bool {
        let characters: usize =
            exemplar.labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        let newest = self.by_series.get(&series).and_then(VecDeque::back);
        self.limit > 0
            && characters <= MAX_CHARACTERS
            && newest.is_none_or(|newest| {
                let by_time = newest.time_ms.cmp(&exemplar.time_ms);
                by_time
                    .then_with(|| newest.value.total_cmp(&exemplar.value))
                    .then_with(|| newest.labels.cmp(&exemplar.labels))
                    .is_lt()
            })
    }

    /// Keeps an exemplar.
    pub(crate) fn push(&mut self, series: u32, exemplar: Exemplar) {
        if self.limit == 0 {
            return;
        }
        if self.order.len() >= self.limit {
            self.drop_oldest();
        }
        self.bytes += bytes(&exemplar);
        self.order.push_back(series);
        self.by_series.entry(series).or_default().push_back(exemplar);
    }

    fn drop_oldest(&mut self) {
        let Some(series) = self.order.pop_front() else { return };
        if let Some(exemplars) = self.by_series.get_mut(&series) {
            self.bytes -= exemplars.pop_front().as_ref().map_or(0, bytes);
            if exemplars.is_empty() {
                self.by_series.remove(&series);
            }
        }
    }

    /// Forgets those of series that are gone.
    pub(crate) fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.order.retain(|series| keep(*series));
        self.by_series.retain(|series, _| keep(*series));
        self.bytes = self.by_series.values().flatten().map(bytes).sum();
    }

    /// Exemplars of a series in a closed interval, oldest first.
    pub(crate) fn of(&self, series: u32, first_ms: i64, last_ms: i64) -> Vec<Exemplar> {
        let within = |exemplar: &&Exemplar| (first_ms..=last_ms).contains(&exemplar.time_ms);
        self.by_series.get(&series).into_iter().flatten().filter(within).cloned().collect()
    }

    /// All, oldest first, for the checkpoint.
    pub(crate) fn all(&self) -> Vec<(u32, Exemplar)> {
        let mut next: HashMap<u32, usize> = HashMap::new();
        let mut all = Vec::with_capacity(self.order.len());
        for series in &self.order {
            let position = next.entry(*series).or_default();
            if let Some(exemplar) = self.by_series.get(series).and_then(|of| of.get(*position)) {
                all.push((*series, exemplar.clone()));
            }
            *position += 1;
        }
        all
    }
}

fn bytes(exemplar: &Exemplar) -> usize {
    let labels: usize = exemplar.labels.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
    EXEMPLAR_BYTES + labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exemplar(time_ms: i64, id: &str) -> Exemplar {
        Exemplar { labels: [("trace_id", id)].into_iter().collect(), value: 1.0, time_ms }
    }

    #[test]
    fn the_oldest_of_all_series_goes() {
        let mut ring = Ring::new(3);
        for (series, time) in [(1, 10), (2, 11), (1, 12), (2, 13)] {
            assert!(ring.takes(series, &exemplar(time, "a")));
            ring.push(series, exemplar(time, "a"));
        }
        assert_eq!(ring.len(), 3);
        assert_eq!(ring.of(1, 0, 100).len(), 1);
        assert_eq!(ring.of(2, 0, 12).len(), 1);
        assert_eq!(
            ring.all().iter().map(|(series, it)| (*series, it.time_ms)).collect::<Vec<_>>(),
            [(2, 11), (1, 12), (2, 13)]
        );
        ring.retain(|series| series == 1);
        assert_eq!((ring.len(), ring.bytes()), (1, bytes(&exemplar(12, "a"))));
    }

    #[test]
    fn older_and_repeated_ones_are_not_taken() {
        let mut ring = Ring::new(10);
        ring.push(1, exemplar(10, "a"));
        assert!(!ring.takes(1, &exemplar(10, "a")));
        assert!(!ring.takes(1, &exemplar(9, "b")));
        assert!(ring.takes(1, &exemplar(10, "b")) && ring.takes(2, &exemplar(9, "b")));
        assert!(!ring.takes(1, &exemplar(11, &"x".repeat(200))));
        ring.push(1, exemplar(10, "c"));
        assert!(!ring.takes(1, &exemplar(10, "b")), "those of one moment come in the order of their labels");
        let with_value = |value| Exemplar { value, ..exemplar(10, "b") };
        assert!(
            !ring.takes(1, &with_value(0.5)) && ring.takes(1, &with_value(1.5)),
            "and first of their values"
        );
    }
}
