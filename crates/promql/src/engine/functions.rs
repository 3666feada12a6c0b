//! The functions of the language: how each is evaluated. Names and types are in [`crate::functions`].

#![allow(dead_code, reason = "the kernels that use it come next")]

use super::Error;
use super::annotations::Annotations;
use super::evaluator::Evaluator;
use super::plan::Call;
use super::value::Operand;
use crate::ast::Extension;
use crate::error::Span;
use crate::storage::PointValue;
use crate::storage::{FloatPoint, HistogramPoint};
use model::Labels;

/// How a function is evaluated.
#[derive(Clone, Copy)]
pub(crate) enum Kernel {
    /// From the samples within a range, series by series and step by step.
    Range(RangeKernel),
    /// From each sample of a vector alone; the metric's name is dropped. Without a vector among the arguments of the
    /// call, the sample is the time of the step in seconds.
    Element(fn(&PointValue, &mut CallContext<'_>) -> Option<PointValue>),
    /// From whatever it asks the evaluator for.
    Whole(fn(&mut Evaluator<'_>, &Call) -> Result<Operand, Error>),
}

/// A function of the samples within a range.
#[derive(Clone, Copy)]
pub(crate) struct RangeKernel {
    /// The function.
    pub(crate) call: fn(&Window<'_>, &mut CallContext<'_>) -> Option<PointValue>,
    /// Whether the result has the metric's name.
    pub(crate) keeps_name: bool,
    /// Whether it needs the start times of samples. They are 0 for all others.
    pub(crate) uses_starts: bool,
}

/// The samples of a series within a range that ends at a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    /// The series; for its metric's name in annotations.
    pub(crate) labels: &'a Labels,
    /// Floats in the range, by time. With `extension` also those of a lookback before it (both) and behind it
    /// (`smoothed`).
    pub(crate) floats: &'a [FloatPoint],
    /// Histograms, likewise. Never are both lists empty.
    pub(crate) histograms: &'a [HistogramPoint],
    /// The older end of the range, which does not belong to it; offset and `@` are in it.
    pub(crate) start_ms: i64,
    /// The newer end, which does.
    pub(crate) end_ms: i64,
    /// `anchored` or `smoothed`.
    pub(crate) extension: Option<Extension>,
}

/// What else a function is given at a step.
#[derive(Debug)]
pub(crate) struct CallContext<'a> {
    /// The time of the step.
    pub(crate) step_time_ms: i64,
    /// The arguments that are numbers, by their order, at this step.
    pub(crate) scalars: &'a [f64],
    /// Where each argument stands, all types counted.
    pub(crate) spans: &'a [Span],
    /// Where it tells what it noticed.
    pub(crate) annotations: &'a mut Annotations,
    /// Set by [`Self::fail`].
    pub(crate) failure: Option<String>,
}

impl CallContext<'_> {
    /// Ends the query with an error, whatever the function gives back.
    pub(crate) fn fail(&mut self, reason: impl Into<String>) {
        self.failure.get_or_insert(reason.into());
    }

    /// Where the argument that is a vector or a range stands.
    pub(crate) fn span(&self, arg: usize) -> Span {
        self.spans.get(arg).copied().unwrap_or_default()
    }
}

/// How a function is evaluated; `None` for what the evaluator does itself: `timestamp` and `start_timestamp` of a
/// selector, and what is a number once the times of a query are known.
pub(crate) fn kernel(name: &str) -> Option<Kernel> {
    Some(match name {
        "count_over_time" => Kernel::Range(RangeKernel {
            call: |window, _| Some(PointValue::Float((window.floats.len() + window.histograms.len()) as f64)),
            keeps_name: false,
            uses_starts: false,
        }),
        "abs" => Kernel::Element(|value, _| match value {
            PointValue::Float(value) => Some(PointValue::Float(value.abs())),
            PointValue::Histogram(_) => None,
        }),
        "time" => Kernel::Whole(|evaluator, _| {
            let times = evaluator.steps().times();
            Ok(Operand::Scalar(times.map(|time_ms| time_ms as f64 / 1000.0).collect()))
        }),
        _ => return None,
    })
}
