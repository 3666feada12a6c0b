//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`, of classic buckets and of native histograms.

mod inputs;
mod repairs;

use model::histogram::{NanEffect, classic_fraction, classic_quantile};

use self::inputs::{Input, Inputs};
use self::repairs::Repairs;
use super::labels::with;
use super::quantile::is_valid;
use crate::engine::Error;
use crate::engine::annotations::{Annotations, Notice};
use crate::engine::evaluator::Evaluator;
use crate::engine::numbers::General;
use crate::engine::plan::{Call, Node};
use crate::engine::value::{Operand, Series, merge_results};
use crate::error::Span;

/// `histogram_quantile(q, v)`
pub(super) fn histogram_quantile(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    let [quantile, vector] = &*call.args else { return Ok(Operand::Vector(Vec::new())) };
    let quantiles = quantiles(evaluator, quantile)?;
    let inputs = Inputs::new(evaluator, vector)?;
    let mut told = Told::new(vector.span);
    let value = |at: At<'_>, input: Input<'_>, annotations: &mut Annotations| {
        told.quantile(quantiles[at.step], at, input, annotations)
    };
    let series = inputs.evaluate(evaluator, value)?;
    told.finish(evaluator);
    Ok(Operand::Vector(series))
}

/// `histogram_quantiles(v, label, q, ...)`
pub(super) fn histogram_quantiles(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    let [vector, label, numbers @ ..] = &*call.args else { return Ok(Operand::Vector(Vec::new())) };
    let all: Vec<Vec<f64>> =
        numbers.iter().map(|number| quantiles(evaluator, number)).collect::<Result<_, _>>()?;
    let inputs = Inputs::new(evaluator, vector)?;
    let steps = evaluator.steps();
    let mut out = Vec::new();
    let mut told = Told::new(vector.span);
    for quantiles in &all {
        let value = |at: At<'_>, input: Input<'_>, annotations: &mut Annotations| {
            told.quantile(quantiles[at.step], at, input, annotations)
        };
        for series in inputs.evaluate(evaluator, value)? {
            let of_step = |time_ms: i64| quantiles[steps.index(time_ms)];
            split(series, of_step, label.text(), &mut out);
        }
        // Buckets that had to be repaired count once, however many quantiles are asked for.
        told.tells_repairs &= !quantiles.iter().any(|quantile| is_valid(*quantile));
    }
    told.finish(evaluator);
    if steps.is_single() {
        evaluator.may_repeat = true;
        return Ok(Operand::Vector(out));
    }
    merge_results(out).map(Operand::Vector)
}

/// `histogram_fraction(lower, upper, v)`
pub(super) fn histogram_fraction(evaluator: &mut Evaluator<'_>, call: &Call) -> Result<Operand, Error> {
    let [lower, upper, vector] = &*call.args else { return Ok(Operand::Vector(Vec::new())) };
    let (lowers, uppers) = (evaluator.scalar(lower)?, evaluator.scalar(upper)?);
    let inputs = Inputs::new(evaluator, vector)?;
    let value = |at: At<'_>, input: Input<'_>, annotations: &mut Annotations| {
        let (lower, upper) = (lowers[at.step], uppers[at.step]);
        match input {
            Input::Classic(buckets) => classic_fraction(lower, upper, buckets),
            Input::Native(histogram) => {
                let fraction = histogram.fraction(lower, upper);
                if fraction.has_nan {
                    annotations.add(Notice::FractionNan { metric: at.metric }, vector.span);
                }
                fraction.value
            }
        }
    };
    inputs.evaluate(evaluator, value).map(Operand::Vector)
}

/// The numbers of an argument at each step, with a warning for those that are no quantiles.
fn quantiles(evaluator: &mut Evaluator<'_>, arg: &Node) -> Result<Vec<f64>, Error> {
    let quantiles = evaluator.scalar(arg)?;
    for quantile in quantiles.iter().filter(|quantile| !is_valid(**quantile)) {
        evaluator.annotations.add(Notice::InvalidQuantile(*quantile), arg.span);
    }
    Ok(quantiles)
}

/// One step of one series.
#[derive(Clone, Copy)]
struct At<'a> {
    step: usize,
    time_ms: i64,
    metric: &'a str,
}

/// Quantiles, with what has to be said about them.
struct Told {
    /// Of the vector.
    span: Span,
    /// Whether repaired buckets are told of.
    tells_repairs: bool,
    /// Those that are told of in the end.
    repairs: Repairs,
}

impl Told {
    fn new(span: Span) -> Self {
        Self { span, tells_repairs: true, repairs: Repairs::default() }
    }

    /// Tells of repaired buckets.
    fn finish(&self, evaluator: &mut Evaluator<'_>) {
        let last_step = evaluator.steps().count().saturating_sub(1);
        self.repairs.tell(last_step, self.span, &mut evaluator.annotations);
    }

    fn quantile(
        &mut self,
        quantile: f64,
        at: At<'_>,
        input: Input<'_>,
        annotations: &mut Annotations,
    ) -> f64 {
        match input {
            Input::Classic(buckets) => {
                let found = classic_quantile(quantile, buckets);
                if let Some(repaired) = found.repaired.filter(|_| self.tells_repairs) {
                    self.repairs.add(at, &repaired);
                }
                found.value
            }
            Input::Native(histogram) => {
                let found = histogram.quantile(quantile);
                let metric = at.metric;
                match found.nan {
                    NanEffect::None => {}
                    NanEffect::Result => annotations.add(Notice::QuantileNanResult { metric }, self.span),
                    NanEffect::Skew => annotations.add(Notice::QuantileNanSkew { metric }, self.span),
                }
                found.value
            }
        }
    }
}

/// A series for each quantile that a series is of, with a label that says which.
fn split(series: Series, quantile: impl Fn(i64) -> f64, label: &str, out: &mut Vec<Series>) {
    let mut last: Option<f64> = None;
    for (time_ms, value) in series.floats {
        let quantile = quantile(time_ms);
        let is_same = last.is_some_and(|last| last.to_bits() == quantile.to_bits());
        if !is_same {
            let labels = with(&series.labels, label, &label_value(quantile));
            out.push(Series::new(labels, true));
            last = Some(quantile);
        }
        if let Some(current) = out.last_mut() {
            current.floats.push((time_ms, value));
        }
    }
}

/// A quantile as OpenMetrics writes it: whole numbers with a point too.
fn label_value(quantile: f64) -> String {
    // Zero has no sign there.
    let mut text = General(if quantile == 0.0 { 0.0 } else { quantile }).to_string();
    if quantile.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_as_labels() {
        let texts = [0.0, -0.0, 1.0, 0.99, 1e-5, -2.0, f64::NAN, f64::INFINITY].map(label_value);
        assert_eq!(texts, ["0.0", "0.0", "1.0", "0.99", "1e-05", "-2.0", "NaN", "+Inf"]);
    }
}
