//! What a query cost: samples, counted as Prometheus counts them.

use super::steps::Steps;

/// Figures of a query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Samples that were looked at. What several steps look at counts for each of them.
    pub total_samples: u64,
    /// Samples that were read. What several steps look at counts once.
    pub samples_read: u64,
    /// Most samples that were held at once.
    pub peak_samples: usize,
    /// `total_samples` by step, where that was asked for.
    pub total_per_step: Option<Vec<u64>>,
    /// `samples_read` by step, where that was asked for.
    pub read_per_step: Option<Vec<u64>>,
}

impl Stats {
    /// Of an evaluation, by step if asked for.
    pub(super) fn new(steps: Steps, per_step: bool) -> Self {
        let counts = || per_step.then(|| vec![0; steps.count()]);
        Self { total_per_step: counts(), read_per_step: counts(), ..Self::default() }
    }

    /// Samples that a step looks at.
    pub(super) fn add_total(&mut self, step: usize, samples: u64) {
        self.total_samples += samples;
        add(self.total_per_step.as_mut(), step, samples);
    }

    /// Samples that were read for a step.
    pub(super) fn add_read(&mut self, step: usize, samples: u64) {
        self.samples_read += samples;
        add(self.read_per_step.as_mut(), step, samples);
    }

    /// Adds what a part of the same evaluation cost, of which it is known how much was held at its peak.
    pub(super) fn add(&mut self, part: &Self, peak: usize) {
        self.total_samples += part.total_samples;
        self.samples_read += part.samples_read;
        self.peak(peak);
        for (own, others) in
            [(&mut self.total_per_step, &part.total_per_step), (&mut self.read_per_step, &part.read_per_step)]
        {
            if let (Some(own), Some(others)) = (own, others) {
                own.iter_mut().zip(others).for_each(|(own, other)| *own += other);
            }
        }
    }

    pub(super) fn peak(&mut self, samples: usize) {
        self.peak_samples = self.peak_samples.max(samples);
    }

    /// Adds what a subquery read, to the steps that look at it: those that come next, unless the time lies between
    /// two ranges.
    pub(super) fn add_subquery_read(
        &mut self,
        child: &Self,
        child_steps: Steps,
        steps: Steps,
        offset_ms: i64,
        range_ms: i64,
    ) {
        let count = steps.count();
        let Some(reads) = child.read_per_step.as_ref().filter(|_| count > 1) else {
            self.add_read(0, child.samples_read);
            return;
        };
        let interval_ms = steps.interval_ms();
        for (index, samples) in reads.iter().enumerate().filter(|(_, samples)| **samples > 0) {
            let time_ms = child_steps.time(index).saturating_add(offset_ms);
            let behind_ms = time_ms.saturating_sub(steps.start_ms).max(0);
            let step = ((behind_ms.saturating_add(interval_ms - 1) / interval_ms) as usize).min(count - 1);
            if range_ms > 0 && time_ms <= steps.time(step).saturating_sub(range_ms) {
                continue;
            }
            self.add_read(step, *samples);
        }
    }
}

fn add(counts: Option<&mut Vec<u64>>, step: usize, samples: u64) {
    if let Some(count) = counts.and_then(|counts| counts.get_mut(step)) {
        *count += samples;
    }
}
