//! Calls of functions.

mod apart;
mod window;

use super::Error;
use super::binary::gathered;
use super::evaluator::{Evaluator, operand_size};
use super::functions::{CallContext, ElementFunction, Kernel, kernel};
use super::plan::{Call, Kind, Node};
use super::select::Taken;
use super::steps::Steps;
use super::value::{Operand, Series, total_size};
use crate::ast::ValueType;
use crate::error::Span;
use crate::storage::PointValue;

impl Evaluator<'_> {
    pub(super) fn call(&mut self, call: &Call) -> Result<Operand, Error> {
        let name = call.function.name;
        if self.steps.count() == 0 {
            let is_scalar = call.function.returns == ValueType::Scalar;
            return Ok(if is_scalar { Operand::Scalar(Vec::new()) } else { Operand::Vector(Vec::new()) });
        }
        // At every step a vector has the step's time: a sample's own is known of selectors alone.
        let taken = match name {
            "timestamp" => Some(Taken::Time),
            "start_timestamp" => Some(Taken::StartTime),
            _ => None,
        };
        if let (Some(taken), Some(Kind::Vector(selector))) = (taken, call.args.first().map(|arg| &arg.kind)) {
            let before = self.samples;
            let series = self.newest(selector, taken, |_| true)?;
            let results = total_size(&series);
            self.replace_held(before, results + gathered(&series))?;
            self.replace_held(before, results)?;
            return Ok(Operand::Vector(series));
        }
        match kernel(name) {
            Some(Kernel::Range(range)) => self.range_call(call, range).map(Operand::Vector),
            Some(Kernel::Float(function)) => self.float_call(call, function).map(Operand::Vector),
            Some(Kernel::Element(element)) => self.element_call(call, element).map(Operand::Vector),
            Some(Kernel::Whole(whole)) => {
                let before = self.samples;
                let value = whole(self, call)?;
                self.replace_held(before, operand_size(&value))?;
                Ok(value)
            }
            None => Err(Error::Execution(format!("function {name:?} is not supported"))),
        }
    }

    /// The arguments that are numbers, each at every step.
    fn scalars(&mut self, args: &[Node]) -> Result<Scalars, Error> {
        let numbers = args.iter().filter(|arg| arg.value_type() == ValueType::Scalar);
        let by_arg = numbers.map(|arg| self.scalar(arg)).collect::<Result<Vec<_>, _>>()?;
        let current = vec![f64::NAN; by_arg.len()];
        Ok(Scalars { by_arg, current })
    }

    /// A function of each float alone.
    fn float_call(&mut self, call: &Call, function: fn(f64) -> f64) -> Result<Vec<Series>, Error> {
        let before = self.samples;
        // At a step, its samples are held besides everything.
        let (mut series, held) = if let Some(arg) = call.args.first() {
            let series = self.vector(arg)?;
            let held = total_size(&series) + gathered(&series);
            (series, held)
        } else {
            (vec![times(self.steps)], 0)
        };
        for one in &mut series {
            one.drops_name = true;
            one.histograms.clear();
            one.floats.iter_mut().for_each(|(_, value)| *value = function(*value));
        }
        series.retain(|one| !one.is_empty());
        let results = total_size(&series);
        self.replace_held(before, held + results)?;
        self.replace_held(before, results)?;
        Ok(series)
    }

    /// A function of each sample alone.
    fn element_call(&mut self, call: &Call, element: ElementFunction) -> Result<Vec<Series>, Error> {
        let before = self.samples;
        let steps = self.steps;
        let vector = call.args.iter().find(|arg| arg.value_type() == ValueType::Vector);
        let mut series = match vector {
            Some(arg) => self.vector(arg)?,
            None => Vec::new(),
        };
        let mut scalars = self.scalars(&call.args)?;
        let numbers = scalars.by_arg.iter().map(|numbers| numbers.len() + 1).sum::<usize>();
        let held = total_size(&series) + gathered(&series) + numbers;
        let spans: Vec<Span> = call.args.iter().map(|arg| arg.span).collect();
        let mut scratch = Vec::new();
        for one in &mut series {
            self.check_stop()?;
            one.drops_name = true;
            let floats = std::mem::take(&mut one.floats);
            let histograms = std::mem::take(&mut one.histograms);
            one.floats.reserve(floats.len());
            let mut floats = floats.into_iter().peekable();
            let mut histograms = histograms.into_iter().peekable();
            loop {
                let float_first = match (floats.peek(), histograms.peek()) {
                    (Some((float_ms, _)), Some((histogram_ms, _))) => float_ms < histogram_ms,
                    (float, _) => float.is_some(),
                };
                let next = if float_first {
                    floats.next().map(|(time_ms, value)| (time_ms, PointValue::Float(value)))
                } else {
                    histograms.next().map(|(time_ms, value)| (time_ms, PointValue::Histogram(value)))
                };
                let Some((time_ms, value)) = next else { break };
                let mut context = CallContext {
                    step_time_ms: time_ms,
                    scalars: scalars.at(steps, time_ms),
                    spans: &spans,
                    annotations: &mut self.annotations,
                    scratch: &mut scratch,
                    failure: None,
                };
                let result = element(&value, &mut context);
                if let Some(reason) = context.failure {
                    return Err(Error::Execution(reason));
                }
                if let Some(result) = result {
                    one.push(time_ms, result);
                }
            }
        }
        series.retain(|one| !one.is_empty());
        let results = total_size(&series);
        self.replace_held(before, held + results)?;
        self.replace_held(before, results)?;
        Ok(series)
    }
}

/// Arguments that are numbers.
#[derive(Clone)]
struct Scalars {
    /// For each argument a number at each step.
    by_arg: Vec<Vec<f64>>,
    /// Those of one step.
    current: Vec<f64>,
}

impl Scalars {
    /// Those of the step at a time.
    fn at(&mut self, steps: Steps, time_ms: i64) -> &[f64] {
        if !self.by_arg.is_empty() {
            self.at_step(steps.index(time_ms));
        }
        &self.current
    }

    fn at_step(&mut self, step: usize) -> &[f64] {
        for (current, numbers) in self.current.iter_mut().zip(&self.by_arg) {
            *current = numbers.get(step).copied().unwrap_or(f64::NAN);
        }
        &self.current
    }
}

/// A series without labels whose values are the times of the steps in seconds.
fn times(steps: Steps) -> Series {
    let floats = steps.times().map(|time_ms| (time_ms, (time_ms / 1000) as f64)).collect();
    Series { floats, ..Series::default() }
}
