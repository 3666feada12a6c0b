//! Counts of classic buckets that had to be repaired, to be told once for each metric.

use std::collections::BTreeMap;

use model::histogram::Repaired;

use super::At;
use crate::engine::annotations::{Annotations, Notice};
use crate::error::Span;

/// What was repaired, by the metric's name.
#[derive(Debug, Default)]
pub(super) struct Repairs {
    by_metric: BTreeMap<String, OfMetric>,
}

#[derive(Debug)]
struct OfMetric {
    from_ms: i64,
    to_ms: i64,
    all: Repaired,
    /// How many histograms by step.
    by_step: BTreeMap<usize, i64>,
}

impl Repairs {
    /// Counts a histogram at a step.
    pub(super) fn add(&mut self, at: At<'_>, repaired: &Repaired) {
        if !self.by_metric.contains_key(at.metric) {
            let new =
                OfMetric { from_ms: at.time_ms, to_ms: at.time_ms, all: *repaired, by_step: BTreeMap::new() };
            self.by_metric.insert(at.metric.to_owned(), new);
        }
        let Some(known) = self.by_metric.get_mut(at.metric) else { return };
        known.from_ms = known.from_ms.min(at.time_ms);
        known.to_ms = known.to_ms.max(at.time_ms);
        known.all.min_bucket = known.all.min_bucket.min(repaired.min_bucket);
        known.all.max_bucket = known.all.max_bucket.max(repaired.max_bucket);
        known.all.max_difference = known.all.max_difference.max(repaired.max_difference);
        *known.by_step.entry(at.step).or_default() += 1;
    }

    /// Tells of each metric.
    pub(super) fn tell(&self, last_step: usize, span: Span, annotations: &mut Annotations) {
        for (metric, of_metric) in &self.by_metric {
            let OfMetric { from_ms, to_ms, all, by_step } = of_metric;
            let notice = Notice::ForcedMonotonicity {
                metric,
                from_ms: *from_ms,
                to_ms: *to_ms,
                min_bucket: all.min_bucket,
                max_bucket: all.max_bucket,
                max_difference: all.max_difference,
                count: total(by_step, last_step),
            };
            annotations.add(notice, span);
        }
    }
}

/// How many samples Prometheus tells: from the second step on it adds up what it has with itself at every step, and
/// the sum runs over.
fn total(by_step: &BTreeMap<usize, i64>, last_step: usize) -> i64 {
    let mut total: i64 = 0;
    let mut previous: Option<usize> = None;
    for (&step, &count) in by_step {
        if let Some(previous) = previous {
            total = doubled(total, step - previous - 1).wrapping_add(count).wrapping_mul(2);
        } else {
            total = count;
        }
        previous = Some(step);
    }
    doubled(total, previous.map_or(0, |previous| last_step.saturating_sub(previous)))
}

fn doubled(number: i64, times: usize) -> i64 {
    u32::try_from(times).ok().and_then(|times| number.checked_shl(times)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total_of(by_step: &[(usize, i64)], last_step: usize) -> i64 {
        total(&by_step.iter().copied().collect(), last_step)
    }

    #[test]
    fn each_step_doubles_what_was_counted() {
        assert_eq!(total_of(&[(0, 3)], 0), 3);
        assert_eq!(total_of(&[(0, 1), (1, 1)], 1), 4);
        assert_eq!(total_of(&[(2, 1)], 4), 4);
        assert_eq!(total_of(&[(0, 1), (2, 5)], 3), 28);
        assert_eq!(total_of(&[(0, 1)], 64), 0);
        assert_eq!(total_of(&[(0, 1)], 63), i64::MIN);
    }
}
