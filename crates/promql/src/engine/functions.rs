//! The functions of the language: how each is evaluated. Names and types are in [`crate::functions`].

pub(super) mod absent;
pub(super) mod breaks;
mod buckets;
mod dates;
mod elements;
pub(super) mod extended_rate;
mod histograms;
mod info;
mod instant_rate;
mod labels;
mod math;
mod mixed;
mod natural;
mod over_time;
pub(super) mod quantile;
mod rate;
mod regression;
mod resets;
mod scalars;
mod sort;
mod start_times;
#[cfg(test)]
mod testing;

use self::breaks::Break;
use super::Error;
use super::annotations::{Annotations, Notice};
use super::evaluator::Evaluator;
use super::plan::Call;
use super::value::Operand;
use crate::ast::Extension;
use crate::error::Span;
use crate::storage::PointValue;
use crate::storage::{FloatPoint, HistogramPoint};
use model::Labels;
use model::labels::METRIC_NAME;

/// How a function is evaluated.
#[derive(Clone, Copy)]
pub(crate) enum Kernel {
    /// From the samples within a range, series by series and step by step.
    Range(RangeKernel),
    /// From each float of a vector alone; histograms and the metric's name are dropped. Without a vector among the
    /// arguments of the call, the float is the time of the step in seconds.
    Float(fn(f64) -> f64),
    /// From each sample of a vector alone; the metric's name is dropped.
    Element(ElementFunction),
    /// From whatever it asks the evaluator for.
    Whole(WholeFunction),
}

/// A function of the samples of a series within a range.
pub(crate) type RangeFunction = fn(&Window<'_>, &mut CallContext<'_>) -> Option<PointValue>;

/// A function of a sample.
pub(crate) type ElementFunction = fn(&PointValue, &mut CallContext<'_>) -> Option<PointValue>;

/// A function of whatever it wants.
pub(crate) type WholeFunction = fn(&mut Evaluator<'_>, &Call) -> Result<Operand, Error>;

/// A function of the samples within a range.
#[derive(Clone, Copy)]
pub(crate) struct RangeKernel {
    /// The function.
    pub(crate) call: RangeFunction,
    /// Whether the result has the metric's name.
    pub(crate) keeps_name: bool,
    /// Whether it needs the start times of samples. They are 0 for all others.
    pub(crate) uses_starts: bool,
    /// Whether it needs the breaks of the counter. There are none for all others.
    pub(crate) uses_breaks: bool,
}

/// The samples of a series within a range that ends at a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Window<'a> {
    /// The series; for its metric's name in annotations.
    pub(crate) labels: &'a Labels,
    /// Floats in the range, by time. With `extension` also those of a lookback before it (both) and behind it
    /// (`smoothed`).
    pub(crate) floats: &'a [FloatPoint],
    /// Position of the first of the floats among all of the series, by which breaks are numbered.
    pub(crate) first_float: usize,
    /// Where the counter begins anew between two of the floats.
    pub(crate) breaks: &'a [Break],
    /// Histograms, likewise. Never are both lists empty.
    pub(crate) histograms: &'a [HistogramPoint],
    /// The older end of the range, which does not belong to it; offset and `@` are in it.
    pub(crate) start_ms: i64,
    /// The newer end, which does.
    pub(crate) end_ms: i64,
    /// `anchored` or `smoothed`.
    pub(crate) extension: Option<Extension>,
}

impl Window<'_> {
    /// The metric's name, for annotations.
    fn metric(&self) -> &str {
        self.labels.get(METRIC_NAME)
    }

    /// How long the range is, in seconds: whole ones and the rest apart, as Go does it.
    fn range_seconds(&self) -> f64 {
        let range_ms = self.end_ms - self.start_ms;
        (range_ms / 1000) as f64 + (range_ms % 1000 * 1_000_000) as f64 / 1e9
    }
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
    /// Room for numbers, which is used again at each step.
    pub(crate) scratch: &'a mut Vec<f64>,
    /// Set by [`Self::fail`].
    pub(crate) failure: Option<String>,
}

impl CallContext<'_> {
    /// Ends the query with an error, whatever the function gives back.
    pub(crate) fn fail(&mut self, reason: impl Into<String>) {
        self.failure.get_or_insert(reason.into());
    }

    /// Where an argument stands.
    fn span(&self, arg: usize) -> Span {
        self.spans.get(arg).copied().unwrap_or_default()
    }

    /// Tells what was noticed of an argument.
    fn note(&mut self, notice: Notice<'_>, arg: usize) {
        let span = self.span(arg);
        self.annotations.add(notice, span);
    }

    /// The values of floats, to be changed.
    fn numbers(&mut self, floats: &[FloatPoint]) -> &mut [f64] {
        self.scratch.clear();
        self.scratch.extend(floats.iter().map(|point| point.value));
        self.scratch
    }
}

/// How a function is evaluated; `None` for what the evaluator does itself: `timestamp` and `start_timestamp` of a
/// selector, and what is a number once the times of a query are known.
pub(crate) fn kernel(name: &str) -> Option<Kernel> {
    if let Some(function) = math::by_name(name).or_else(|| dates::by_name(name)) {
        return Some(Kernel::Float(function));
    }
    let kernel = range_kernel(name).map(Kernel::Range);
    kernel
        .or_else(|| element_kernel(name).map(Kernel::Element))
        .or_else(|| whole_kernel(name).map(Kernel::Whole))
}

fn range_kernel(name: &str) -> Option<RangeKernel> {
    let call: RangeFunction = match name {
        // What is made of it is where it is not.
        "absent_over_time" | "present_over_time" => over_time::present,
        "avg_over_time" => histograms::avg_over_time,
        "changes" => resets::changes,
        "count_over_time" => over_time::count,
        "delta" => rate::delta,
        "deriv" => regression::deriv,
        "double_exponential_smoothing" => regression::double_exponential_smoothing,
        "first_over_time" => over_time::first,
        "idelta" => instant_rate::idelta,
        "increase" => rate::increase,
        "irate" => instant_rate::irate,
        "last_over_time" => over_time::last,
        "mad_over_time" => over_time::median_deviation,
        "max_over_time" => over_time::max,
        "min_over_time" => over_time::min,
        "predict_linear" => regression::predict_linear,
        "quantile_over_time" => over_time::quantile_over_time,
        "rate" => rate::rate,
        "resets" => resets::resets,
        "stddev_over_time" => over_time::stddev,
        "stdvar_over_time" => over_time::stdvar,
        "sum_over_time" => histograms::sum_over_time,
        "ts_of_first_over_time" => over_time::time_of_first,
        "ts_of_last_over_time" => over_time::time_of_last,
        "ts_of_max_over_time" => over_time::time_of_max,
        "ts_of_min_over_time" => over_time::time_of_min,
        _ => return None,
    };
    Some(RangeKernel {
        call,
        keeps_name: matches!(name, "first_over_time" | "last_over_time"),
        uses_starts: matches!(name, "increase" | "irate" | "rate" | "resets"),
        uses_breaks: matches!(name, "increase" | "rate"),
    })
}

fn element_kernel(name: &str) -> Option<ElementFunction> {
    Some(match name {
        "clamp" => elements::clamp,
        "clamp_max" => elements::clamp_max,
        "clamp_min" => elements::clamp_min,
        "histogram_avg" => elements::histogram_avg,
        "histogram_count" => elements::histogram_count,
        "histogram_stddev" => elements::histogram_stddev,
        "histogram_stdvar" => elements::histogram_stdvar,
        "histogram_sum" => elements::histogram_sum,
        "round" => elements::round,
        // Of anything but a selector.
        "start_timestamp" => elements::start_timestamp,
        "timestamp" => elements::timestamp,
        _ => return None,
    })
}

fn whole_kernel(name: &str) -> Option<WholeFunction> {
    Some(match name {
        "absent" => absent::absent,
        "histogram_fraction" => buckets::histogram_fraction,
        "histogram_quantile" => buckets::histogram_quantile,
        "histogram_quantiles" => buckets::histogram_quantiles,
        "info" => info::info,
        "label_join" => labels::label_join,
        "label_replace" => labels::label_replace,
        "max_of" => scalars::max_of,
        "min_of" => scalars::min_of,
        "pi" => scalars::pi,
        "scalar" => scalars::scalar,
        "sort" => sort::sort,
        "sort_by_label" => sort::sort_by_label,
        "sort_by_label_desc" => sort::sort_by_label_desc,
        "sort_desc" => sort::sort_desc,
        "time" => scalars::time,
        "vector" => scalars::vector,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::ValueType;
    use crate::functions::FUNCTIONS;

    #[test]
    fn every_function_is_evaluated() {
        for function in FUNCTIONS {
            let takes = |value_type| function.args.contains(&value_type);
            match kernel(function.name) {
                // Numbers as soon as the times of a query are known.
                None => {
                    assert!(matches!(function.name, "end" | "range" | "start" | "step"), "{}", function.name);
                }
                Some(Kernel::Range(_)) => assert!(takes(ValueType::Matrix), "{}", function.name),
                Some(Kernel::Float(_) | Kernel::Element(_)) => {
                    assert!(takes(ValueType::Vector), "{}", function.name);
                }
                Some(Kernel::Whole(_)) => assert!(!takes(ValueType::Matrix), "{}", function.name),
            }
        }
        assert!(kernel("no_such_function").is_none());
    }
}
