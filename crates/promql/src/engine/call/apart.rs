//! Many series on several threads: each works on a run of them, with figures and notices of its own, which are put
//! together in the order of the series, as if one had done it all.

use super::super::evaluator::Evaluator;
use super::super::plan::Selector;
use super::super::source::Selection;
use super::super::stats::Stats;
use super::super::{Annotations, Error};
use super::Scalars;
use super::window::{Range, Work};

/// How much a thread has to do at least, so that it is worth its start.
const LEAST: usize = 20_000;

/// What one step of a series costs at most besides the reading of its samples.
const READING: usize = 20;

/// What a thread has found out about its series.
struct Part {
    work: Work,
    annotations: Annotations,
    stats: Stats,
}

impl Evaluator<'_> {
    /// On how many threads a function of ranges of so many series is evaluated.
    pub(super) fn threads_for(&self, series: usize) -> usize {
        let cost = series.saturating_mul(self.steps.count() + READING);
        (cost / LEAST).min(self.options.threads).min(series).max(1)
    }

    /// Evaluates a function of ranges for all series, on several threads.
    pub(super) fn slide_apart(
        &mut self,
        work: &mut Work,
        range: Range,
        scalars: &Scalars,
        selection: &dyn Selection,
        selector: &Selector,
    ) -> Result<(), Error> {
        let count = selection.len();
        let each = count.div_ceil(self.threads_for(count));
        let evaluator = &*self;
        let parts: Vec<Result<Part, Error>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..count)
                .step_by(each.max(1))
                .map(|begin| {
                    let mut part = work.fork();
                    let mut scalars = scalars.clone();
                    scope.spawn(move || {
                        let mut evaluator = evaluator.fork();
                        for one in begin..count.min(begin + each) {
                            part.columns.fill(selection, one, selector);
                            let labels = selection.labels(one);
                            evaluator.slide(&mut part, range, &mut scalars, labels, false)?;
                        }
                        Ok(Part { work: part, annotations: evaluator.annotations, stats: evaluator.stats })
                    })
                })
                .collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(join).collect()
        });
        let before = self.samples;
        for part in parts {
            let part = part?;
            // Each counted from what was held before all of them.
            let peak = part.stats.peak_samples + (self.samples - before);
            if peak > self.options.max_samples {
                return Err(Error::TooManySamples);
            }
            self.stats.add(&part.stats, peak);
            self.annotations.merge(part.annotations);
            self.hold(super::total_size(&part.work.out))?;
            work.out.extend(part.work.out);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use model::Labels;

    use crate::engine::{Error, Options, Outcome, Steps, range};
    use crate::memory::Memory;
    use crate::parse;
    use crate::storage::{Point, PointValue};

    /// Counters of 150 series, some of them reset now and then.
    fn store() -> Memory {
        let mut store = Memory::default();
        for series in 0..150_i64 {
            let number = series.to_string();
            let labels: Labels = [("__name__", "requests"), ("n", &number)].into_iter().collect();
            for at in 0..60_i64 {
                let value = PointValue::Float(((at * series) % (200 + series)) as f64);
                store.append(&labels, Point { time_ms: at * 5000, start_ms: 0, value }).unwrap();
            }
        }
        store
    }

    fn evaluate(store: &Memory, query: &str, threads: usize, max_samples: usize) -> Result<Outcome, Error> {
        let steps = Steps { start_ms: 0, end_ms: 300_000, step_ms: 1000 };
        let options = Options { threads, max_samples, stats_per_step: true, ..Options::default() };
        range(store, &parse(query).unwrap(), steps, options, &|| None)
    }

    #[test]
    fn threads_find_what_one_finds() {
        let store = store();
        for query in ["rate(requests[10s])", "sum by (n) (quantile_over_time(2, requests[5s]))"] {
            let alone = evaluate(&store, query, 1, 1_000_000).unwrap();
            let apart = evaluate(&store, query, 4, 1_000_000).unwrap();
            assert_eq!(alone.annotations, apart.annotations);
            assert!(!alone.annotations.is_empty());
            assert_eq!(alone.stats, apart.stats);
            assert_eq!(alone.value, apart.value);
        }
    }

    #[test]
    fn their_samples_are_counted_together() {
        let store = store();
        let held = evaluate(&store, "rate(requests[10s])", 4, 1_000_000).unwrap().stats.peak_samples;
        assert!(evaluate(&store, "rate(requests[10s])", 4, held - 100).is_err());
        assert!(evaluate(&store, "rate(requests[10s])", 4, held).is_ok());
    }
}
