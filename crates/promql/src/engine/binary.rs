//! Operators between two expressions.

mod element;
mod matching;
mod pairs;
mod sets;

use std::collections::HashMap;

use super::Error;
use super::annotations::Notice;
use super::evaluator::Evaluator;
use super::plan::Binary;
use super::value::{Operand, Series};
use crate::ast::BinaryOp;
use crate::error::Span;
use crate::storage::PointValue;
use element::{Element, Remark};

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, binary: &Binary, span: Span) -> Result<Operand, Error> {
        let before = self.samples;
        let types = (binary.left.value_type(), binary.right.value_type());
        let (left, right) = (self.eval(&binary.left)?, self.eval(&binary.right)?);
        let held = self.samples;
        let value = match (left, right) {
            (Operand::Scalar(left), Operand::Scalar(right)) => {
                let pairs = left.into_iter().zip(right);
                Operand::Scalar(pairs.map(|(left, right)| element::numbers(binary.op, left, right)).collect())
            }
            (Operand::Vector(left), Operand::Vector(right)) => {
                // At a step, its samples of both sides are held besides everything.
                self.samples = held + gathered(&left) + gathered(&right);
                let series = if binary.op.is_set() {
                    self.set_operation(binary, left, right)?
                } else {
                    self.matched(binary, span, &left, &right)?
                };
                Operand::Vector(series)
            }
            (Operand::Vector(vector), Operand::Scalar(numbers)) => {
                self.samples = held + gathered(&vector) + 1;
                Operand::Vector(self.with_scalar(binary, span, vector, &numbers, false)?)
            }
            (Operand::Scalar(numbers), Operand::Vector(vector)) => {
                self.samples = held + gathered(&vector) + 1;
                Operand::Vector(self.with_scalar(binary, span, vector, &numbers, true)?)
            }
            (Operand::Text(_), _) | (_, Operand::Text(_)) => {
                let (left, right) = (types.0.documented(), types.1.documented());
                return Err(Error::Execution(format!("no operator between {left} and {right}")));
            }
        };
        let size = super::evaluator::operand_size(&value);
        self.hold(size)?;
        self.stats.peak(self.samples);
        self.replace_held(before, size)?;
        Ok(value)
    }

    /// An operator between each sample of a vector and a number.
    fn with_scalar(
        &mut self,
        binary: &Binary,
        span: Span,
        mut vector: Vec<Series>,
        numbers: &[f64],
        is_swapped: bool,
    ) -> Result<Vec<Series>, Error> {
        let (op, steps) = (binary.op, self.steps);
        // Of each step, what was noticed last is told.
        let mut remarks: HashMap<usize, Remark> = HashMap::new();
        let drops_name = changes_meaning(op) || binary.returns_bool;
        for one in &mut vector {
            self.check_stop()?;
            one.drops_name |= drops_name;
            let (floats, histograms) = (std::mem::take(&mut one.floats), std::mem::take(&mut one.histograms));
            let floats = floats.into_iter().map(|(time_ms, value)| (time_ms, PointValue::Float(value)));
            let histograms =
                histograms.into_iter().map(|(time_ms, value)| (time_ms, PointValue::Histogram(value)));
            for (time_ms, value) in floats.chain(histograms) {
                let step = steps.index(time_ms);
                let number = numbers.get(step).copied().unwrap_or(f64::NAN);
                let number = PointValue::Float(number);
                let element = if is_swapped {
                    element::evaluate(op, &number, &value)
                } else {
                    element::evaluate(op, &value, &number)
                };
                let Element { value: result, keeps, remark } = element;
                if let Some(remark) = remark {
                    remarks.insert(step, remark);
                    continue;
                }
                let result = match result {
                    _ if binary.returns_bool => PointValue::Float(f64::from(u8::from(keeps))),
                    _ if !keeps => continue,
                    // A comparison keeps the vector's sample, whichever side it stands on.
                    _ if op.is_comparison() => value,
                    result => result,
                };
                one.push(time_ms, result);
            }
        }
        for remark in remarks.into_values() {
            self.remark(remark, binary, span);
        }
        vector.retain(|one| !one.is_empty());
        Ok(vector)
    }

    /// Tells what was noticed of two samples.
    fn remark(&mut self, remark: Remark, binary: &Binary, span: Span) {
        let operator = binary.op.as_str();
        let notice = match remark {
            Remark::Types(left, right) => Notice::IncompatibleTypes { left, operator, right },
            Remark::Layout => Notice::IncompatibleBucketLayout { operator },
            Remark::Collision(operation) => Notice::CounterResetCollision(operation),
            Remark::Bounds(operation) => Notice::MismatchedCustomBuckets(operation),
        };
        self.annotations.add(notice, span);
    }
}

/// Samples of the last step at which there are some: what is held besides the series themselves.
pub(super) fn gathered(series: &[Series]) -> usize {
    let last = |one: &Series| {
        let float = one.floats.last().map(|(time_ms, _)| *time_ms);
        float.max(one.histograms.last().map(|(time_ms, _)| *time_ms))
    };
    let newest = series.iter().filter_map(last).max();
    series.iter().filter(|one| last(one) == newest).count()
}

/// Whether what an operator gives is something else than the metric on its left: then its name goes.
fn changes_meaning(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Mod
            | BinaryOp::Pow
            | BinaryOp::Atan2
    )
}
