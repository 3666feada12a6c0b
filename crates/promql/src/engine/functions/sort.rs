//! `sort` and its like: the order of an instant query's result.

use std::cmp::Ordering;

use super::natural::{is_before, sort_loosely};
use crate::engine::Error;
use crate::engine::annotations::Notice;
use crate::engine::evaluator::Evaluator;
use crate::engine::plan::Call;
use crate::engine::value::{Operand, Series};

pub(super) fn sort(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    by_value(evaluator, call, f64::partial_cmp)
}

pub(super) fn sort_desc(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    by_value(evaluator, call, |left, right| right.partial_cmp(left))
}

pub(super) fn sort_by_label(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    by_label(evaluator, call, |order| order)
}

pub(super) fn sort_by_label_desc(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    by_label(evaluator, call, Ordering::reverse)
}

/// The vector that is sorted, and whether there is an order to speak of. Results of range queries are in the order of
/// their labels whatever one does, and that is said.
fn argument(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<(Vec<Series>, bool), Error> {
    let series = match call.args.first() {
        Some(vector) => evaluator.vector(vector)?,
        None => Vec::new(),
    };
    let is_instant = evaluator.steps().is_single();
    if !is_instant {
        evaluator.annotations.add(Notice::SortInRangeQuery, call.span);
    }
    Ok((series, is_instant))
}

/// Histograms have no order by value and are left out. NaN is last both ways.
fn by_value(
    evaluator: &mut Evaluator<'_>,
    call: &Call,
    compare: fn(&f64, &f64) -> Option<Ordering>,
) -> Result<Operand, Error> {
    let (mut series, is_instant) = argument(evaluator, call)?;
    for one in &mut series {
        one.histograms.clear();
    }
    series.retain(|one| !one.floats.is_empty());
    if is_instant {
        let value = |series: &Series| series.floats.first().map_or(f64::NAN, |(_, value)| *value);
        series.sort_by(|left, right| {
            let (left, right) = (value(left), value(right));
            compare(&left, &right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
        });
    }
    Ok(Operand::Vector(series))
}

fn by_label(
    evaluator: &mut Evaluator<'_>,
    call: &Call,
    directed: fn(Ordering) -> Ordering,
) -> Result<Operand, Error> {
    let (mut series, is_instant) = argument(evaluator, call)?;
    if is_instant {
        let names = &call.args[1..];
        sort_loosely(&mut series, &mut |left, right| {
            for name in names {
                let (of_left, of_right) = (left.labels.get(name.text()), right.labels.get(name.text()));
                if of_left != of_right {
                    let is_before = is_before(of_left, of_right);
                    return directed(if is_before { Ordering::Less } else { Ordering::Greater });
                }
            }
            directed(left.labels.cmp(&right.labels))
        });
    }
    Ok(Operand::Vector(series))
}
