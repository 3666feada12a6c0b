//! Aggregations that make one series of each group.

use std::sync::Arc;

use model::histogram::{HistogramMean, HistogramSum, Reconciled};
use model::kahan::compensated_add;
use model::labels::METRIC_NAME;
use model::sample::ResetHint;
use model::{Histogram, Labels};

use super::groups;
use super::params::Params;
use crate::ast::AggregateOp;
use crate::engine::Error;
use crate::engine::annotations::{Annotations, HistogramOperation, Notice};
use crate::engine::evaluator::Evaluator;
use crate::engine::functions::quantile::quantile;
use crate::engine::plan::Aggregate;
use crate::engine::value::Series;
use crate::error::Span;

impl Evaluator<'_> {
    /// One series for each group.
    pub(super) fn fold(
        &mut self,
        aggregate: &Aggregate,
        params: &Params,
        series: &[Series],
    ) -> Result<Vec<Series>, Error> {
        let steps = self.steps;
        let op = aggregate.op;
        if let (AggregateOp::Quantile, Some(param)) = (op, &aggregate.param) {
            params.check_quantile(self, param.span);
        }
        let mut out = Vec::new();
        let mut cells: Vec<Cell> = Vec::new();
        for (labels, members) in groups(series, aggregate) {
            self.check_stop()?;
            cells.clear();
            cells.resize_with(steps.count(), Cell::default);
            let mut teller = Teller { op, span: aggregate.expr.span, annotations: &mut self.annotations };
            for member in members {
                let one = &series[member];
                for (time_ms, value) in &one.floats {
                    cells[steps.index(*time_ms)].add_float(op, *value, one.drops_name);
                }
                for (time_ms, histogram) in &one.histograms {
                    cells[steps.index(*time_ms)].add_histogram(histogram, one, &mut teller);
                }
            }
            let mut result = Series::new(labels, false);
            for (step, cell) in cells.iter_mut().enumerate().filter(|(_, cell)| cell.held != Held::Nothing) {
                let drops_name = cell.drops_name;
                if cell.finish(&mut result, steps.time(step), params.at(step), &mut teller) {
                    result.drops_name = drops_name;
                }
            }
            if !result.is_empty() {
                out.push(result);
            }
        }
        Ok(out)
    }
}

/// Tells what was noticed of a group.
struct Teller<'a> {
    op: AggregateOp,
    span: Span,
    annotations: &'a mut Annotations,
}

impl Teller<'_> {
    fn tell(&mut self, notice: Notice<'_>) {
        self.annotations.add(notice, self.span);
    }

    fn ignored(&mut self) {
        self.tell(Notice::HistogramIgnoredInAggregation { aggregation: self.op.as_str() });
    }

    /// What came out of putting two histograms together; whether it worked.
    fn reconciled(&mut self, reconciled: Option<Reconciled>, labels: &Labels) -> bool {
        let Some(reconciled) = reconciled else {
            self.tell(Notice::MixedExponentialCustom { metric: labels.get(METRIC_NAME) });
            return false;
        };
        if reconciled.bounds {
            self.tell(Notice::MismatchedCustomBuckets(HistogramOperation::Aggregation));
        }
        true
    }
}

/// What a group has at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Held {
    #[default]
    Nothing,
    Floats,
    Histograms,
    Both,
}

impl Held {
    fn and_float(self) -> Self {
        if matches!(self, Self::Histograms | Self::Both) { Self::Both } else { Self::Floats }
    }

    fn and_histogram(self) -> Self {
        if matches!(self, Self::Floats | Self::Both) { Self::Both } else { Self::Histograms }
    }
}

/// A group at a step.
#[derive(Default)]
struct Cell {
    held: Held,
    /// Exponential and custom buckets do not go together: there is no result.
    is_broken: bool,
    /// The mean moves with each value, since the sum would leave the range of doubles.
    is_moving: bool,
    drops_name: bool,
    count: f64,
    value: f64,
    mean: f64,
    lost: f64,
    more: Option<Box<More>>,
}

/// What few aggregations need.
#[derive(Default)]
struct More {
    histogram: Option<Folded>,
    saw_reset: bool,
    saw_no_reset: bool,
    values: Vec<f64>,
}

/// Histograms put together.
enum Folded {
    Sum(HistogramSum),
    Mean(HistogramMean),
}

impl Cell {
    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    #[inline]
    fn add_float(&mut self, op: AggregateOp, value: f64, drops_name: bool) {
        if self.held == Held::Nothing {
            *self =
                Self { held: Held::Floats, drops_name, count: 1.0, value, mean: value, ..Self::default() };
            match op {
                AggregateOp::Stddev | AggregateOp::Stdvar => {
                    self.value = if value.is_finite() { 0.0 } else { f64::NAN };
                }
                AggregateOp::Group => self.value = 1.0,
                AggregateOp::Quantile => self.more().values.push(value),
                _ => {}
            }
            return;
        }
        if self.is_broken {
            return;
        }
        self.drops_name |= drops_name;
        match op {
            AggregateOp::Sum => {
                self.held = self.held.and_float();
                compensated_add(&mut self.value, &mut self.lost, value);
            }
            AggregateOp::Avg => {
                self.count += 1.0;
                self.held = self.held.and_float();
                self.add_to_mean(value);
            }
            AggregateOp::Count => self.count += 1.0,
            AggregateOp::Min if self.value > value || self.value.is_nan() => self.value = value,
            AggregateOp::Max if self.value < value || self.value.is_nan() => self.value = value,
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                self.count += 1.0;
                let difference = value - self.mean;
                self.mean += difference / self.count;
                self.value += difference * (value - self.mean);
            }
            AggregateOp::Quantile => self.more().values.push(value),
            _ => {}
        }
    }

    fn add_to_mean(&mut self, value: f64) {
        if !self.is_moving {
            let (mut sum, mut lost) = (self.value, self.lost);
            compensated_add(&mut sum, &mut lost, value);
            if !sum.is_infinite() {
                (self.value, self.lost) = (sum, lost);
                return;
            }
            self.is_moving = true;
            self.mean = self.value / (self.count - 1.0);
            self.lost /= self.count - 1.0;
        }
        let share = (self.count - 1.0) / self.count;
        self.mean *= share;
        self.lost *= share;
        compensated_add(&mut self.mean, &mut self.lost, value / self.count);
    }

    fn add_histogram(&mut self, histogram: &Arc<Histogram>, series: &Series, teller: &mut Teller<'_>) {
        let op = teller.op;
        match op {
            AggregateOp::Sum | AggregateOp::Avg | AggregateOp::Count | AggregateOp::Group => {}
            _ => return self.ignore_histogram(series, teller),
        }
        if self.held == Held::Nothing {
            *self = Self {
                held: Held::Histograms,
                drops_name: series.drops_name,
                count: 1.0,
                value: if op == AggregateOp::Group { 1.0 } else { 0.0 },
                ..Self::default()
            };
            if matches!(op, AggregateOp::Sum | AggregateOp::Avg) {
                let first = Histogram::clone(histogram);
                let folded = if op == AggregateOp::Sum {
                    Folded::Sum(HistogramSum::new(first))
                } else {
                    Folded::Mean(HistogramMean::new(first))
                };
                let more = self.more();
                more.histogram = Some(folded);
                more.note_reset(histogram.reset_hint);
            }
            return;
        }
        if self.is_broken {
            return;
        }
        self.drops_name |= series.drops_name;
        if matches!(op, AggregateOp::Avg | AggregateOp::Count) {
            self.count += 1.0;
        }
        self.held = self.held.and_histogram();
        // With floats before there is no result anyway.
        let Some(more) = self.more.as_mut() else { return };
        let reconciled = match &mut more.histogram {
            Some(Folded::Sum(sum)) => sum.add(histogram).ok(),
            Some(Folded::Mean(mean)) => mean.add(histogram).ok(),
            None => return,
        };
        more.note_reset(histogram.reset_hint);
        self.is_broken = !teller.reconciled(reconciled, &series.labels);
    }

    /// A histogram among floats of which it is none.
    fn ignore_histogram(&mut self, series: &Series, teller: &mut Teller<'_>) {
        if self.held != Held::Nothing {
            self.drops_name |= series.drops_name;
        }
        teller.ignored();
    }

    /// Adds the group's value to its series; whether there is one.
    fn finish(&mut self, out: &mut Series, time_ms: i64, param: f64, teller: &mut Teller<'_>) -> bool {
        let value = match teller.op {
            AggregateOp::Sum | AggregateOp::Avg if self.held == Held::Both => {
                teller.tell(Notice::MixedFloatsHistogramsAggregation);
                return false;
            }
            AggregateOp::Sum | AggregateOp::Avg if self.is_broken => return false,
            AggregateOp::Sum | AggregateOp::Avg if self.held == Held::Histograms => {
                return self.finish_histogram(out, time_ms, teller);
            }
            AggregateOp::Sum => self.value + self.lost,
            AggregateOp::Avg if self.is_moving => self.mean + self.lost,
            AggregateOp::Avg => self.value / self.count + self.lost / self.count,
            AggregateOp::Count => self.count,
            AggregateOp::Stdvar => self.value / self.count,
            AggregateOp::Stddev => (self.value / self.count).sqrt(),
            AggregateOp::Quantile => quantile(param, &mut self.more().values),
            _ => self.value,
        };
        out.floats.push((time_ms, value));
        true
    }

    fn finish_histogram(&mut self, out: &mut Series, time_ms: i64, teller: &mut Teller<'_>) -> bool {
        let Some(more) = self.more.take() else { return false };
        let mut histogram = match more.histogram {
            Some(Folded::Sum(sum)) => sum.finish(),
            Some(Folded::Mean(mean)) => mean.finish(),
            None => return false,
        };
        histogram.compact(0);
        if more.saw_reset && more.saw_no_reset {
            teller.tell(Notice::CounterResetCollision(HistogramOperation::Aggregation));
        }
        out.histograms.push((time_ms, Arc::new(histogram)));
        true
    }
}

impl More {
    fn note_reset(&mut self, hint: ResetHint) {
        self.saw_reset |= hint == ResetHint::Reset;
        self.saw_no_reset |= hint == ResetHint::NotReset;
    }
}
