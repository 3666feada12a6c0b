//! Functions of and to numbers: `scalar`, `vector`, `time`, `pi`, `max_of`, `min_of`.

use super::math::{larger, smaller};
use crate::engine::Error;
use crate::engine::evaluator::Evaluator;
use crate::engine::plan::Call;
use crate::engine::value::{Operand, Series};

/// The only float of a vector at each step, or NaN.
pub(super) fn scalar(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    let steps = evaluator.steps();
    let mut numbers = vec![f64::NAN; steps.count()];
    let mut found = vec![0_u8; steps.count()];
    let Some(arg) = call.args.first() else { return Ok(Operand::Scalar(numbers)) };
    for series in evaluator.vector(arg)? {
        for (time_ms, value) in series.floats {
            let step = steps.index(time_ms);
            numbers[step] = if found[step] == 0 { value } else { f64::NAN };
            found[step] = 1;
        }
    }
    Ok(Operand::Scalar(numbers))
}

pub(super) fn vector(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    let Some(arg) = call.args.first() else { return Ok(Operand::Vector(Vec::new())) };
    let numbers = evaluator.scalar(arg)?;
    let floats: Vec<_> = evaluator.steps().times().zip(numbers).collect();
    if floats.is_empty() {
        return Ok(Operand::Vector(Vec::new()));
    }
    Ok(Operand::Vector(vec![Series { floats, ..Series::default() }]))
}

#[expect(clippy::unnecessary_wraps, reason = "one function of many")]
pub(super) fn time(evaluator: &mut Evaluator<'_>, _: &Call) -> Result<Operand, Error> {
    Ok(Operand::Scalar(evaluator.steps().times().map(|time_ms| time_ms as f64 / 1000.0).collect()))
}

#[expect(clippy::unnecessary_wraps, reason = "one function of many")]
pub(super) fn pi(evaluator: &mut Evaluator<'_>, _: &Call) -> Result<Operand, Error> {
    Ok(Operand::Scalar(vec![std::f64::consts::PI; evaluator.steps().count()]))
}

pub(super) fn max_of(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    of_two(evaluator, call, larger)
}

pub(super) fn min_of(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    of_two(evaluator, call, smaller)
}

fn of_two(evaluator: &mut Evaluator<'_>, call: &Call, choose: fn(f64, f64) -> f64) -> Result<Operand, Error> {
    let [left, right] = &*call.args else { return Ok(Operand::Scalar(Vec::new())) };
    let (left, right) = (evaluator.scalar(left)?, evaluator.scalar(right)?);
    Ok(Operand::Scalar(left.into_iter().zip(right).map(|(left, right)| choose(left, right)).collect()))
}
