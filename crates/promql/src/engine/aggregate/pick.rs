//! Aggregations that keep some of the series of each group.

use std::sync::Arc;

use model::{Histogram, Labels};

use super::groups;
use super::heap::{Entry, Heap};
use super::params::Params;
use super::ratio;
use crate::ast::AggregateOp;
use crate::engine::Error;
use crate::engine::annotations::Notice;
use crate::engine::evaluator::Evaluator;
use crate::engine::plan::Aggregate;
use crate::engine::value::Series;
use crate::error::Span;

impl Evaluator<'_> {
    /// Those series of each group, at each step, that are among the first k or in a share.
    pub(super) fn pick(
        &mut self,
        aggregate: &Aggregate,
        params: &Params,
        series: Vec<Series>,
    ) -> Result<Vec<Series>, Error> {
        let op = aggregate.op;
        let span = aggregate.param.as_ref().map_or(Span::default(), |param| param.span);
        let has_work = match op {
            AggregateOp::LimitRatio => params.check_ratio(self, span)?,
            _ => params.check_count()?,
        };
        if !has_work {
            return Ok(Vec::new());
        }
        let steps = self.steps;
        let groups = groups(&series, aggregate);
        if op == AggregateOp::LimitRatio {
            let mut share = self.share(params, series)?;
            if steps.is_single() {
                share = as_heaps(groups, share);
            }
            share.retain(|one| !one.is_empty());
            return Ok(share);
        }
        let mut kept: Vec<Series> =
            series.iter().map(|one| Series::new(one.labels.clone(), one.drops_name)).collect();
        // At a single step, series are handed out in the order of their values.
        let mut order = Vec::new();
        for (_, members) in groups {
            self.check_stop()?;
            let by_step = self.by_step(aggregate, &series, &members);
            for (step, entries) in by_step.into_iter().enumerate() {
                let most = params.at(step).min(series.len() as f64);
                if most < 1.0 {
                    continue;
                }
                let time_ms = steps.time(step);
                for (value, at) in first(op, most as usize, entries) {
                    order.push(at);
                    match histogram_at(&series[at], time_ms) {
                        Some(histogram) => kept[at].histograms.push((time_ms, histogram)),
                        None => kept[at].floats.push((time_ms, value)),
                    }
                }
            }
        }
        if steps.is_single() {
            return Ok(order.into_iter().map(|at| std::mem::take(&mut kept[at])).collect());
        }
        Ok(kept.into_iter().filter(|one| !one.is_empty()).collect())
    }

    /// The samples of some series by step, in the order of the series.
    fn by_step(&mut self, aggregate: &Aggregate, series: &[Series], members: &[usize]) -> Vec<Vec<Entry>> {
        let steps = self.steps;
        let mut by_step: Vec<Vec<Entry>> = vec![Vec::new(); steps.count()];
        let compares = aggregate.op != AggregateOp::LimitK;
        for &member in members {
            for (time_ms, value) in &series[member].floats {
                by_step[steps.index(*time_ms)].push((*value, member));
            }
            for (time_ms, _) in &series[member].histograms {
                if compares {
                    let aggregation = aggregate.op.as_str();
                    let notice = Notice::HistogramIgnoredInAggregation { aggregation };
                    self.annotations.add(notice, aggregate.span);
                } else {
                    by_step[steps.index(*time_ms)].push((0.0, member));
                }
            }
        }
        by_step
    }

    /// A share of the samples of all series: whether one is in it depends on its labels alone.
    fn share(&mut self, params: &Params, mut series: Vec<Series>) -> Result<Vec<Series>, Error> {
        let steps = self.steps;
        for one in &mut series {
            self.check_stop()?;
            let place = ratio::place(&one.labels);
            let is_in = |time_ms: i64| ratio::is_within(params.at(steps.index(time_ms)), place);
            one.floats.retain(|(time_ms, _)| is_in(*time_ms));
            one.histograms.retain(|(time_ms, _)| is_in(*time_ms));
        }
        Ok(series)
    }
}

/// Series of a single step in the order in which the heaps of their groups hold them, as Prometheus hands out a share.
fn as_heaps(groups: Vec<(Labels, Vec<usize>)>, mut series: Vec<Series>) -> Vec<Series> {
    let mut order = Vec::with_capacity(series.len());
    for (_, members) in groups {
        let mut heap = Heap::new(false);
        for member in members.into_iter().filter(|member| !series[*member].is_empty()) {
            // A histogram counts as zero here.
            heap.push((series[member].floats.first().map_or(0.0, |(_, value)| *value), member));
        }
        order.extend(heap.into_entries());
    }
    order.into_iter().map(|(_, at)| std::mem::take(&mut series[at])).collect()
}

/// The first so many samples of a group.
fn first(op: AggregateOp, most: usize, entries: Vec<Entry>) -> Vec<Entry> {
    let mut heap = Heap::new(op == AggregateOp::BottomK);
    for entry in entries {
        if heap.len() < most {
            heap.push(entry);
        } else if op == AggregateOp::LimitK {
            break;
        } else {
            heap.offer(entry);
        }
    }
    if op == AggregateOp::LimitK { heap.into_entries() } else { heap.into_sorted() }
}

fn histogram_at(series: &Series, time_ms: i64) -> Option<Arc<Histogram>> {
    let at = series.histograms.binary_search_by_key(&time_ms, |(time_ms, _)| *time_ms).ok()?;
    Some(Arc::clone(&series.histograms[at].1))
}
