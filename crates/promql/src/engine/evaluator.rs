//! The evaluator: what each part of a query is at every step.

use std::sync::Arc;

use model::{Histogram, Labels, Matcher};

use super::annotations::Annotations;
use super::plan::{Kind, Node, Subquery};
use super::source::{Selection, Source};
use super::stats::Stats;
use super::steps::Steps;
use super::value::{Operand, Series, merge_same, total_size};
use super::{Error, Options, Stop};
use crate::ast::ValueType;
use crate::deep::deeper;
use crate::storage::{MsRange, Needed};

/// Where an error says that a query ended while it was evaluated.
const EVALUATION: &str = "expression evaluation";

/// Steps that a subquery may have in any case.
const MOST_EMPTY_STEPS: usize = 1_000_000;

/// A query at work.
pub(crate) struct Evaluator<'a> {
    source: &'a dyn Source,
    pub(super) options: Options,
    stop: &'a (dyn Fn() -> Option<Stop> + Sync),
    pub(super) steps: Steps,
    /// Samples that are held now.
    pub(super) samples: usize,
    pub(super) stats: Stats,
    /// Whether there may be series with the same labels at one step. Prometheus minds that in the end, and where it makes
    /// labels.
    pub(super) may_repeat: bool,
    /// What was noticed up to now.
    pub(crate) annotations: Annotations,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(
        source: &'a dyn Source,
        options: Options,
        steps: Steps,
        stop: &'a (dyn Fn() -> Option<Stop> + Sync),
    ) -> Self {
        let stats = Stats::new(steps, options.stats_per_step);
        Self {
            source,
            options,
            stop,
            steps,
            samples: 0,
            stats,
            may_repeat: false,
            annotations: Annotations::default(),
        }
    }

    /// Another for a part of the same work: it holds what this one holds, and has told and counted nothing yet.
    pub(super) fn fork(&self) -> Self {
        let per_step = self.stats.total_per_step.is_some();
        Self {
            samples: self.samples,
            stats: Stats::new(self.steps, per_step),
            ..Self::new(self.source, self.options, self.steps, self.stop)
        }
    }

    /// The times at which is evaluated now; within a subquery, the subquery's.
    pub(crate) fn steps(&self) -> Steps {
        self.steps
    }

    /// Ends the query if nobody waits for it any more. To be asked now and then.
    pub(crate) fn check_stop(&self) -> Result<(), Error> {
        match (self.stop)() {
            None => Ok(()),
            Some(Stop::TimedOut) => Err(Error::TimedOut(EVALUATION)),
            Some(Stop::Canceled) => Err(Error::Canceled(EVALUATION)),
        }
    }

    /// The same within a loop over steps, where it is asked at some of them.
    #[inline]
    pub(crate) fn check_stop_at(&self, step: usize) -> Result<(), Error> {
        if step.is_multiple_of(1024) { self.check_stop() } else { Ok(()) }
    }

    /// Counts samples that are held from now on.
    pub(super) fn hold(&mut self, samples: usize) -> Result<(), Error> {
        self.samples += samples;
        if self.samples > self.options.max_samples { Err(Error::TooManySamples) } else { Ok(()) }
    }

    /// Counts the samples of a result in place of those that were held before, as of its arguments.
    pub(super) fn replace_held(&mut self, before: usize, result: usize) -> Result<(), Error> {
        self.samples = before;
        self.hold(result)?;
        self.stats.peak(self.samples);
        Ok(())
    }

    /// Series that satisfy every matcher and have a sample in the range.
    pub(crate) fn select(
        &self,
        matchers: &[Matcher],
        range: MsRange,
        needed: Needed,
    ) -> Result<Box<dyn Selection + 'a>, Error> {
        self.source.select(matchers, range, needed).map_err(Error::Storage)
    }

    /// What a part of a query is at every step.
    pub(crate) fn eval(&mut self, node: &Node) -> Result<Operand, Error> {
        self.check_stop()?;
        deeper(|| self.level(node))
    }

    fn level(&mut self, node: &Node) -> Result<Operand, Error> {
        match &node.kind {
            Kind::Number(number) => {
                let count = self.steps.count();
                self.hold(count)?;
                self.stats.peak(self.samples);
                Ok(Operand::Scalar(vec![*number; count]))
            }
            Kind::Text(text) => Ok(Operand::Text(text.value.clone())),
            Kind::Vector(selector) => self.vector_selector(selector, node.span).map(Operand::Vector),
            Kind::Matrix(..) => Err(Error::Execution("cannot do range evaluation of matrix selector".into())),
            Kind::Subquery(subquery) => self.bare_subquery(subquery).map(Operand::Vector),
            Kind::Negative(inner) => self.negative(inner),
            Kind::Binary(binary) => self.binary(binary, node.span),
            Kind::Aggregate(aggregate) => self.aggregate(aggregate).map(Operand::Vector),
            Kind::Call(call) => self.call(call),
            Kind::Invariant(inner) => self.invariant(inner),
        }
    }

    /// The series of a part of a query that is an instant vector.
    pub(crate) fn vector(&mut self, node: &Node) -> Result<Vec<Series>, Error> {
        match self.eval(node)? {
            Operand::Vector(series) => Ok(series),
            Operand::Scalar(_) | Operand::Text(_) => Err(unexpected(node, ValueType::Vector)),
        }
    }

    /// The numbers of a part of a query that is a scalar, one for each step.
    pub(crate) fn scalar(&mut self, node: &Node) -> Result<Vec<f64>, Error> {
        match self.eval(node)? {
            Operand::Scalar(numbers) => Ok(numbers),
            Operand::Vector(_) | Operand::Text(_) => Err(unexpected(node, ValueType::Scalar)),
        }
    }

    /// Evaluates with steps of its own.
    fn within<T>(
        &mut self,
        steps: Steps,
        per_step: bool,
        evaluate: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<(T, Stats), Error> {
        let outer_steps = std::mem::replace(&mut self.steps, steps);
        let outer_stats = std::mem::replace(&mut self.stats, Stats::new(steps, per_step));
        let result = evaluate(self);
        self.steps = outer_steps;
        let stats = std::mem::replace(&mut self.stats, outer_stats);
        self.stats.peak(stats.peak_samples);
        result.map(|value| (value, stats))
    }

    /// What is the same at every step: evaluated once.
    fn invariant(&mut self, inner: &Node) -> Result<Operand, Error> {
        let steps = self.steps;
        let count = steps.count();
        if count == 0 {
            return Ok(empty(inner.value_type()));
        }
        let once = Steps { end_ms: steps.start_ms, ..steps };
        let (mut value, stats) = self.within(once, false, |evaluator| evaluator.eval(inner))?;
        for step in 0..count {
            self.stats.add_total(step, stats.total_samples);
        }
        self.stats.add_read(0, stats.samples_read);
        match &mut value {
            Operand::Text(_) => {}
            Operand::Scalar(numbers) => {
                self.hold(count - 1)?;
                let number = numbers.first().copied().unwrap_or(f64::NAN);
                *numbers = vec![number; count];
            }
            Operand::Vector(series) => {
                for one in &mut *series {
                    self.hold(one.size() * (count - 1))?;
                    repeat(&mut one.floats, steps);
                    repeat(&mut one.histograms, steps);
                }
            }
        }
        self.stats.peak(self.samples);
        Ok(value)
    }

    /// The steps of a subquery: multiples of its own step, within the ranges of all steps.
    fn subquery_steps(&self, subquery: &Subquery) -> Result<Steps, Error> {
        let step_ms = match subquery.step_ms {
            0 => self.options.subquery_step_ms.max(1),
            step_ms => step_ms,
        };
        let oldest_ms = subquery.moved.time(self.steps.start_ms).saturating_sub(subquery.range_ms);
        // The first multiple behind the older end, which is not included.
        let mut start_ms = step_ms * (oldest_ms / step_ms);
        if start_ms <= oldest_ms {
            start_ms += step_ms;
        }
        let steps = Steps { start_ms, end_ms: subquery.moved.time(self.steps.last_ms()), step_ms };
        // Each may be a sample, and room is made for all of them at once. Prometheus minds samples alone, of which there
        // may be few.
        if steps.count() > self.options.max_samples.max(MOST_EMPTY_STEPS) {
            return Err(Error::TooManySamples);
        }
        Ok(steps)
    }

    /// Evaluates a subquery. What it reads is counted by step where there is more than one that it may belong to.
    fn at_own_steps(&mut self, subquery: &Subquery) -> Result<(Vec<Series>, Stats, Steps), Error> {
        let steps = self.subquery_steps(subquery)?;
        let per_step = self.steps.count() > 1;
        let (series, stats) = self.within(steps, per_step, |evaluator| evaluator.vector(&subquery.expr))?;
        Ok((series, stats, steps))
    }

    /// A subquery whose points are handed out as they are.
    fn bare_subquery(&mut self, subquery: &Subquery) -> Result<Vec<Series>, Error> {
        let (series, stats, steps) = self.at_own_steps(subquery)?;
        let (outer, last) = (self.steps, self.steps.count().saturating_sub(1));
        self.stats.add_total(last, stats.total_samples);
        self.stats.add_subquery_read(&stats, steps, outer, 0, 0);
        Ok(series)
    }

    /// A subquery whose points a function looks at.
    pub(super) fn subquery(&mut self, subquery: &Subquery) -> Result<Vec<Series>, Error> {
        let (series, stats, steps) = self.at_own_steps(subquery)?;
        let outer = self.steps;
        let offset_ms = subquery.moved.offset_ms;
        self.stats.add_subquery_read(&stats, steps, outer, offset_ms, subquery.range_ms);
        Ok(series)
    }

    /// Takes away the names that were kept up to now, and puts series together that are the same without them.
    pub(super) fn finish(&self, mut series: Vec<Series>) -> Result<Vec<Series>, Error> {
        let mut may_repeat = self.may_repeat;
        for one in series.iter_mut().filter(|one| one.drops_name) {
            one.labels = without_name(&one.labels);
            may_repeat = true;
        }
        if may_repeat { merge_same(series) } else { Ok(series) }
    }

    fn negative(&mut self, inner: &Node) -> Result<Operand, Error> {
        Ok(match self.eval(inner)? {
            Operand::Scalar(mut numbers) => {
                for number in &mut numbers {
                    *number = -*number;
                }
                Operand::Scalar(numbers)
            }
            Operand::Vector(mut series) => {
                for one in &mut series {
                    one.drops_name = true;
                    for (_, value) in &mut one.floats {
                        *value = -*value;
                    }
                    for (_, histogram) in &mut one.histograms {
                        *histogram = negative(histogram);
                    }
                }
                Operand::Vector(series)
            }
            text @ Operand::Text(_) => text,
        })
    }
}

fn negative(histogram: &Histogram) -> Arc<Histogram> {
    let mut negative = histogram.clone();
    negative.scale(-1.0);
    Arc::new(negative)
}

/// A part's value where there is no step.
fn empty(value_type: ValueType) -> Operand {
    match value_type {
        ValueType::Scalar => Operand::Scalar(Vec::new()),
        ValueType::String => Operand::Text(String::new()),
        ValueType::Vector | ValueType::Matrix => Operand::Vector(Vec::new()),
    }
}

fn unexpected(node: &Node, expected: ValueType) -> Error {
    let found = node.value_type().documented();
    Error::Execution(format!("expected type {}, got {found}", expected.documented()))
}

/// The one point of a series at every step.
fn repeat<T: Clone>(points: &mut Vec<(i64, T)>, steps: Steps) {
    let Some((_, value)) = points.first().cloned() else { return };
    points.truncate(1);
    points.extend(steps.times().skip(1).map(|time_ms| (time_ms, value.clone())));
}

/// Labels of the metric itself: its name, and those of its type and unit.
fn is_metadata(name: &str) -> bool {
    matches!(name, model::labels::METRIC_NAME | "__type__" | "__unit__")
}

/// Labels without the metric's name, type and unit.
pub(crate) fn without_name(labels: &Labels) -> Labels {
    labels.iter().filter(|(name, _)| !is_metadata(name)).collect()
}

/// What the series of a result count for the limit.
pub(super) fn operand_size(operand: &Operand) -> usize {
    match operand {
        Operand::Scalar(numbers) => numbers.len(),
        Operand::Vector(series) => total_size(series),
        Operand::Text(_) => 0,
    }
}
