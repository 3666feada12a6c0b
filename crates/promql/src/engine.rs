//! Expressions at one time or at many, over a [`Storage`], as Prometheus 3.14 evaluates them.
//!
//! [`instant`] and [`range`] are the way in. An expression becomes a plan (`plan`), whose parts the evaluator
//! (`evaluator`) evaluates series by series over all steps: a vector is a list of series with at most one sample for each
//! step, a scalar is a number for each step. Functions are in `functions`, what is told besides the answer in
//! [`Annotations`].

mod aggregate;
mod annotations;
mod binary;
mod call;
mod evaluator;
mod extended;
mod functions;
mod numbers;
mod plan;
mod select;
mod size;
mod source;
mod stats;
mod steps;
mod value;

pub use crate::storage::{FloatPoint, HistogramPoint};
pub use annotations::{Annotations, HistogramOperation, Notice};
pub use stats::Stats;
pub use steps::Steps;
pub use value::{SeriesPoints, Value};

use evaluator::Evaluator;
use model::Labels;
use value::Operand;

use crate::ast::{Expr, ValueType};
use crate::storage::{PointValue, Storage};

/// What a query may do, and how it is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How far back from an evaluation's time a sample is looked for, in milliseconds.
    pub lookback_ms: i64,
    /// Most samples that a query holds at once, as Prometheus' `--query.max-samples`.
    pub max_samples: usize,
    /// The step of subqueries that say none, in milliseconds: Prometheus' interval of evaluation.
    pub subquery_step_ms: i64,
    /// Whether samples are counted by step.
    pub stats_per_step: bool,
    /// On how many threads parts of a query with many series are evaluated at most.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            max_samples: 50_000_000,
            subquery_step_ms: 60_000,
            stats_per_step: false,
            threads: 1,
        }
    }
}

/// Why a query should end before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It took too long.
    TimedOut,
    /// Whoever asked does not wait any more.
    Canceled,
}

/// Why a query failed. Texts are Prometheus'.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store could not answer.
    #[error("expanding series: {0}")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// More samples than a query may hold.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// A range query of what has no value at each step.
    #[error("invalid expression type {0:?} for range query, must be Scalar or instant Vector")]
    RangeType(&'static str),
    /// A duration that depends on the query is none, which is known before anything is evaluated.
    #[error("{0}")]
    Duration(String),
    /// It took too long; where.
    #[error("query timed out in {0}")]
    TimedOut(&'static str),
    /// Whoever asked does not wait any more; where.
    #[error("query was canceled in {0}")]
    Canceled(&'static str),
    /// The values that the query met do not allow an answer.
    #[error("{0}")]
    Execution(String),
}

impl Error {
    /// Two series of a result have the same labels.
    pub(crate) fn same_labels() -> Self {
        Self::Execution("vector cannot contain metrics with the same labelset".to_owned())
    }
}

/// The answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Its value.
    pub value: Value,
    /// What should be told besides.
    pub annotations: Annotations,
    /// What it cost.
    pub stats: Stats,
}

/// Evaluates at one time, in milliseconds since the Unix epoch. `stop` is asked now and then.
pub fn instant<S: Storage>(
    storage: &S,
    expr: &Expr,
    time_ms: i64,
    options: Options,
    stop: &(dyn Fn() -> Option<Stop> + Sync),
) -> Result<Outcome, Error> {
    let steps = Steps::at(time_ms);
    let node = plan::lower(expr, steps)?;
    let mut evaluator = Evaluator::new(storage, options, steps, stop);
    let value = if expr.value_type() == ValueType::Matrix {
        let mut series = evaluator.range_points(&node)?;
        series.sort_by(|left, right| left.labels.cmp(&right.labels));
        Value::Matrix(series)
    } else {
        match evaluator.eval(&node)? {
            Operand::Text(text) => Value::String(time_ms, text),
            Operand::Scalar(numbers) => Value::Scalar(time_ms, numbers.first().copied().unwrap_or(f64::NAN)),
            Operand::Vector(series) => {
                let series = evaluator.finish(series)?;
                Value::Vector(time_ms, series.into_iter().filter_map(sample).collect())
            }
        }
    };
    Ok(Outcome { value, annotations: evaluator.annotations, stats: evaluator.stats })
}

/// Evaluates at every step from one time to another, both included. The answer is a matrix.
pub fn range<S: Storage>(
    storage: &S,
    expr: &Expr,
    steps: Steps,
    options: Options,
    stop: &(dyn Fn() -> Option<Stop> + Sync),
) -> Result<Outcome, Error> {
    if !matches!(expr.value_type(), ValueType::Scalar | ValueType::Vector) {
        return Err(Error::RangeType(expr.type_name()));
    }
    let node = plan::lower(expr, steps)?;
    let mut evaluator = Evaluator::new(storage, options, steps, stop);
    let series = match evaluator.eval(&node)? {
        Operand::Scalar(numbers) => {
            let floats = steps.times().zip(numbers).collect();
            vec![SeriesPoints { floats, ..SeriesPoints::default() }]
        }
        Operand::Vector(series) => {
            let series = evaluator.finish(series)?;
            let mut series: Vec<SeriesPoints> = series.into_iter().map(points).collect();
            series.sort_by(|left, right| left.labels.cmp(&right.labels));
            series
        }
        Operand::Text(_) => return Err(Error::RangeType(expr.type_name())),
    };
    Ok(Outcome { value: Value::Matrix(series), annotations: evaluator.annotations, stats: evaluator.stats })
}

fn points(series: value::Series) -> SeriesPoints {
    SeriesPoints { labels: series.labels, floats: series.floats, histograms: series.histograms }
}

fn sample(series: value::Series) -> Option<(Labels, PointValue)> {
    let value = match (series.histograms.into_iter().next(), series.floats.first()) {
        (Some((_, histogram)), _) => PointValue::Histogram(histogram),
        (None, float) => PointValue::Float(float?.1),
    };
    Some((series.labels, value))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::convert::Infallible;

    use model::Matcher;
    use model::sample::STALE_NAN_BITS;

    use super::*;
    use crate::parse;
    use crate::storage::{MsRange, Point, Series};

    /// Series of floats.
    struct Memory(Vec<(Labels, Vec<(i64, f64)>)>);

    struct Selected(Labels, Vec<Point>);

    impl Series for Selected {
        fn labels(&self) -> &Labels {
            &self.0
        }

        fn points(&self) -> impl Iterator<Item = Point> + '_ {
            self.1.iter().cloned()
        }
    }

    impl Storage for Memory {
        type Series = Selected;
        type Error = Infallible;

        fn select(&self, matchers: &[Matcher], range: MsRange) -> Result<Vec<Selected>, Infallible> {
            let selected =
                self.0.iter().filter(|(labels, _)| matchers.iter().all(|it| it.matches_labels(labels)));
            Ok(selected
                .map(|(labels, samples)| {
                    let within = samples.iter().filter(|(time_ms, _)| range.contains(*time_ms));
                    let point = |(time_ms, value): &(i64, f64)| Point {
                        time_ms: *time_ms,
                        start_ms: 0,
                        value: PointValue::Float(*value),
                    };
                    Selected(labels.clone(), within.map(point).collect())
                })
                .collect())
        }
    }

    fn store() -> Memory {
        let labels = [("__name__", "up")].into_iter().collect();
        let stale = f64::from_bits(STALE_NAN_BITS);
        Memory(vec![(labels, vec![(0, 1.0), (60_000, 2.0), (120_000, stale), (400_000, 3.0)])])
    }

    fn never() -> Option<Stop> {
        None
    }

    /// Evaluates over some store, for tests of other modules.
    pub(crate) fn evaluate(expr: &Expr) {
        instant(&store(), expr, 60_000, Options::default(), &never).unwrap();
    }

    fn at(query: &str, time_ms: i64) -> Vec<f64> {
        let expr = parse(query).unwrap();
        match instant(&store(), &expr, time_ms, Options::default(), &never).unwrap().value {
            Value::Vector(_, samples) => samples
                .into_iter()
                .map(|(_, value)| match value {
                    PointValue::Float(value) => value,
                    PointValue::Histogram(_) => f64::NAN,
                })
                .collect(),
            Value::Matrix(series) => {
                series.into_iter().flat_map(|series| series.floats).map(|(_, value)| value).collect()
            }
            Value::Scalar(_, value) => vec![value],
            Value::String(..) => Vec::new(),
        }
    }

    #[test]
    fn the_newest_sample_within_the_lookback() {
        assert_eq!(at("up", 0), [1.0]);
        assert_eq!(at("up", 59_999), [1.0]);
        assert_eq!(at("up", 60_000), [2.0]);
        assert_eq!(at("up", 120_000), [0.0; 0], "the series ended");
        assert_eq!(at("up", 699_999), [3.0]);
        assert_eq!(at("up", 700_000), [0.0; 0], "the older end of the lookback is open");
        assert_eq!(at("up offset 1m", 120_000), [2.0]);
        assert_eq!(at("up @ 60", 0), [2.0]);
        assert_eq!(at("up @ 60 offset 1m", 0), [1.0]);
        assert_eq!(at("up offset -1m", 0), [2.0]);
    }

    #[test]
    fn ranges_are_open_at_their_older_end() {
        assert_eq!(at("up[1m]", 60_000), [2.0]);
        assert_eq!(at("up[61s]", 60_000), [1.0, 2.0]);
        assert_eq!(at("up[10m]", 400_000), [1.0, 2.0, 3.0], "stale markers are left out");
    }

    fn over(query: &str, steps: Steps) -> Result<Vec<SeriesPoints>, Error> {
        match range(&store(), &parse(query).unwrap(), steps, Options::default(), &never)?.value {
            Value::Matrix(series) => Ok(series),
            _ => Ok(Vec::new()),
        }
    }

    #[test]
    fn steps() {
        let steps = Steps { start_ms: 0, end_ms: 450_000, step_ms: 50_000 };
        let found = over("up", steps).unwrap();
        assert_eq!(
            found[0].floats,
            [(0, 1.0), (50_000, 1.0), (100_000, 2.0), (400_000, 3.0), (450_000, 3.0)]
        );
        let fixed = over("up @ start()", steps).unwrap();
        let expected: Vec<(i64, f64)> = steps.times().map(|time_ms| (time_ms, 1.0)).collect();
        assert_eq!(fixed[0].floats, expected);
        assert_eq!(over("1", steps).unwrap()[0].floats.len(), 10);
        assert_eq!(
            over("up[5m]", steps).unwrap_err().to_string(),
            "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"
        );
    }

    #[test]
    fn too_many_samples_and_impatience_end_a_query() {
        let options = Options { max_samples: 1, ..Options::default() };
        let expr = parse("up[10m]").unwrap();
        let error = instant(&store(), &expr, 400_000, options, &never).unwrap_err();
        assert!(error.to_string().starts_with("query processing would load too many samples"), "{error}");
        let lots = parse("sum_over_time(up[100y:1ms])").unwrap();
        let error = instant(&store(), &lots, 400_000, Options::default(), &never).unwrap_err();
        assert!(matches!(error, Error::TooManySamples), "{error}");
        for (stop, expected) in [
            (Stop::Canceled, "query was canceled in expression evaluation"),
            (Stop::TimedOut, "query timed out in expression evaluation"),
        ] {
            let stop = move || Some(stop);
            let error = instant(&store(), &parse("up").unwrap(), 0, Options::default(), &stop).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }
}
