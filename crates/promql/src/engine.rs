//! Expressions at one time or at many, over a [`Storage`].

use std::sync::Arc;

use model::{Histogram, Labels};

use crate::ast::{At, Expr, MatrixSelector, ValueType, VectorSelector};
use crate::storage::{MsRange, Point, PointValue, Series, Storage};

/// What a query may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How far back from an evaluation's time a sample is looked for, in milliseconds.
    pub lookback_ms: i64,
    /// Most samples of a result, as Prometheus' `--query.max-samples`.
    pub max_samples: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { lookback_ms: 300_000, max_samples: 50_000_000 }
    }
}

/// Why a query failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error<E: std::error::Error + 'static> {
    /// The store could not answer.
    #[error(transparent)]
    Storage(E),
    /// More samples than a query may have.
    #[error("query processing would load too many samples into memory in query execution")]
    TooManySamples,
    /// A range query of what has no value at each step.
    #[error("invalid expression type {0:?} for range query, must be Scalar or instant Vector")]
    RangeType(&'static str),
    /// What the engine does not evaluate yet.
    #[error("{0} are not supported yet: selectors only")]
    Unsupported(&'static str),
    /// Whoever asked does not wait any more.
    #[error("query was canceled in query execution")]
    Canceled,
}

/// The value of an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number at a time.
    Scalar(i64, f64),
    /// A text at a time.
    String(i64, String),
    /// One sample of each series at a time.
    Vector(i64, Vec<(Labels, PointValue)>),
    /// Samples of each series.
    Matrix(Vec<SeriesPoints>),
}

/// The samples of a series in a result.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SeriesPoints {
    /// The series.
    pub labels: Labels,
    /// Its floats, by time.
    pub floats: Vec<(i64, f64)>,
    /// Its native histograms, by time.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
}

impl SeriesPoints {
    fn push(&mut self, time_ms: i64, value: PointValue) {
        match value {
            PointValue::Float(value) => self.floats.push((time_ms, value)),
            PointValue::Histogram(histogram) => self.histograms.push((time_ms, histogram)),
        }
    }

    /// Whether it has no sample.
    pub fn is_empty(&self) -> bool {
        self.floats.is_empty() && self.histograms.is_empty()
    }

    /// How many samples it has.
    pub fn len(&self) -> usize {
        self.floats.len() + self.histograms.len()
    }
}

/// Evaluates at one time, in milliseconds since the Unix epoch. `is_canceled` is asked now and then.
pub fn instant<S: Storage>(
    storage: &S,
    expr: &Expr,
    time_ms: i64,
    limits: Limits,
    is_canceled: &dyn Fn() -> bool,
) -> Result<Value, Error<S::Error>> {
    match expr.inner() {
        Expr::Number(number) => Ok(Value::Scalar(time_ms, number.value)),
        Expr::String(text) => Ok(Value::String(time_ms, text.value.clone())),
        Expr::Vector(selector) => {
            let steps = Steps { start_ms: time_ms, end_ms: time_ms, step_ms: 1 };
            let matrix = vector(storage, selector, steps, limits, is_canceled)?;
            let samples = matrix.into_iter().filter_map(|series| {
                let value = match (series.floats.first(), series.histograms.into_iter().next()) {
                    (Some((_, value)), _) => PointValue::Float(*value),
                    (None, histogram) => PointValue::Histogram(histogram?.1),
                };
                Some((series.labels, value))
            });
            Ok(Value::Vector(time_ms, samples.collect()))
        }
        Expr::Matrix(selector) => matrix(storage, selector, time_ms, limits, is_canceled).map(Value::Matrix),
        other => Err(Error::Unsupported(unsupported(other))),
    }
}

/// Evaluates at every step from one time to another, both included, in milliseconds since the Unix epoch.
pub fn range<S: Storage>(
    storage: &S,
    expr: &Expr,
    steps: Steps,
    limits: Limits,
    is_canceled: &dyn Fn() -> bool,
) -> Result<Vec<SeriesPoints>, Error<S::Error>> {
    match expr.inner() {
        Expr::Number(number) => {
            let floats = steps.times().map(|time_ms| (time_ms, number.value)).collect();
            Ok(vec![SeriesPoints { floats, ..SeriesPoints::default() }])
        }
        Expr::Vector(selector) => vector(storage, selector, steps, limits, is_canceled),
        other if !matches!(other.value_type(), ValueType::Scalar | ValueType::Vector) => {
            Err(Error::RangeType(other.type_name()))
        }
        other => Err(Error::Unsupported(unsupported(other))),
    }
}

/// What is in an expression that is not evaluated yet.
fn unsupported(expr: &Expr) -> &'static str {
    match expr {
        Expr::Subquery(_) => "subqueries",
        Expr::Unary(_) => "unary operators",
        Expr::Binary(_) => "binary operators",
        Expr::Aggregate(_) => "aggregations",
        Expr::Call(_) => "functions",
        _ => "such expressions",
    }
}

/// Modifiers of a selector that are not evaluated yet.
fn plain<E: std::error::Error>(selector: &VectorSelector) -> Result<(), Error<E>> {
    if selector.extension.is_some() {
        return Err(Error::Unsupported("anchored and smoothed modifiers"));
    }
    if selector.offset_expr.is_some() {
        return Err(Error::Unsupported("reckoned durations"));
    }
    Ok(())
}

/// The times of a range query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// First time.
    pub start_ms: i64,
    /// No time is later.
    pub end_ms: i64,
    /// From one to the next; at least one.
    pub step_ms: i64,
}

impl Steps {
    /// The times, ascending.
    pub fn times(self) -> impl Iterator<Item = i64> {
        let step_ms = self.step_ms.max(1);
        std::iter::successors(Some(self.start_ms), move |time_ms| time_ms.checked_add(step_ms))
            .take_while(move |time_ms| *time_ms <= self.end_ms)
    }

    fn resolve(self, at: At) -> i64 {
        match at {
            At::Time(time_ms) => time_ms,
            At::Start => self.start_ms,
            At::End => self.end_ms,
        }
    }
}

/// A selector at every step: the newest sample of each series that is not older than the lookback, unless it says that
/// the series ended.
fn vector<S: Storage>(
    storage: &S,
    selector: &VectorSelector,
    steps: Steps,
    limits: Limits,
    is_canceled: &dyn Fn() -> bool,
) -> Result<Vec<SeriesPoints>, Error<S::Error>> {
    plain(selector)?;
    let offset_ms = selector.offset_ms;
    let fixed = selector.at.map(|at| steps.resolve(at));
    let reference = |time_ms: i64| fixed.unwrap_or(time_ms).saturating_sub(offset_ms);
    let range = MsRange {
        start_ms: reference(steps.start_ms).saturating_sub(limits.lookback_ms).saturating_add(1),
        end_ms: reference(steps.end_ms),
    };
    let mut left = limits.max_samples;
    let mut out = Vec::new();
    for series in storage.select(&selector.matchers, range).map_err(Error::Storage)? {
        if is_canceled() {
            return Err(Error::Canceled);
        }
        let mut found = SeriesPoints { labels: series.labels().clone(), ..SeriesPoints::default() };
        let mut points = series.points().peekable();
        let mut current: Option<Point> = None;
        for time_ms in steps.times() {
            let until_ms = reference(time_ms);
            while let Some(point) = points.next_if(|point| point.time_ms <= until_ms) {
                current = Some(point);
            }
            let oldest_ms = until_ms.saturating_sub(limits.lookback_ms);
            if let Some(point) = current.as_ref().filter(|it| it.time_ms > oldest_ms && !it.value.is_stale())
            {
                left = left.checked_sub(1).ok_or(Error::TooManySamples)?;
                found.push(time_ms, point.value.clone());
            }
        }
        if !found.is_empty() {
            out.push(found);
        }
    }
    Ok(out)
}

/// The samples of each series in a range, its older end excluded, without those that say that a series ended.
fn matrix<S: Storage>(
    storage: &S,
    selector: &MatrixSelector,
    time_ms: i64,
    limits: Limits,
    is_canceled: &dyn Fn() -> bool,
) -> Result<Vec<SeriesPoints>, Error<S::Error>> {
    plain(&selector.vector)?;
    if selector.range_expr.is_some() {
        return Err(Error::Unsupported("reckoned durations"));
    }
    let steps = Steps { start_ms: time_ms, end_ms: time_ms, step_ms: 1 };
    let end_ms = selector.vector.at.map_or(time_ms, |at| steps.resolve(at));
    let end_ms = end_ms.saturating_sub(selector.vector.offset_ms);
    let range = MsRange { start_ms: end_ms.saturating_sub(selector.range_ms).saturating_add(1), end_ms };
    let mut left = limits.max_samples;
    let mut out = Vec::new();
    for series in storage.select(&selector.vector.matchers, range).map_err(Error::Storage)? {
        if is_canceled() {
            return Err(Error::Canceled);
        }
        let mut found = SeriesPoints { labels: series.labels().clone(), ..SeriesPoints::default() };
        for point in series.points().filter(|point| !point.value.is_stale()) {
            left = left.checked_sub(1).ok_or(Error::TooManySamples)?;
            found.push(point.time_ms, point.value);
        }
        if !found.is_empty() {
            out.push(found);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use model::Matcher;
    use model::sample::STALE_NAN_BITS;

    use super::*;
    use crate::parse;

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

    fn at(query: &str, time_ms: i64) -> Vec<f64> {
        let expr = parse(query).unwrap();
        match instant(&store(), &expr, time_ms, Limits::default(), &|| false).unwrap() {
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

    #[test]
    fn steps() {
        let expr = parse("up").unwrap();
        let steps = Steps { start_ms: 0, end_ms: 450_000, step_ms: 50_000 };
        let found = range(&store(), &expr, steps, Limits::default(), &|| false).unwrap();
        assert_eq!(
            found[0].floats,
            [(0, 1.0), (50_000, 1.0), (100_000, 2.0), (400_000, 3.0), (450_000, 3.0)]
        );
        let fixed =
            range(&store(), &parse("up @ start()").unwrap(), steps, Limits::default(), &|| false).unwrap();
        let expected: Vec<(i64, f64)> = steps.times().map(|time_ms| (time_ms, 1.0)).collect();
        assert_eq!(fixed[0].floats, expected);
        let number = range(&store(), &parse("1").unwrap(), steps, Limits::default(), &|| false).unwrap();
        assert_eq!(number[0].floats.len(), 10);
        let error =
            range(&store(), &parse("up[5m]").unwrap(), steps, Limits::default(), &|| false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid expression type \"range vector\" for range query, must be Scalar or instant Vector"
        );
    }

    #[test]
    fn too_many_samples_and_impatience_end_a_query() {
        let limits = Limits { max_samples: 3, ..Limits::default() };
        let steps = Steps { start_ms: 0, end_ms: 100, step_ms: 1 };
        let expr = parse("up").unwrap();
        assert!(matches!(range(&store(), &expr, steps, limits, &|| false), Err(Error::TooManySamples)));
        assert!(matches!(range(&store(), &expr, steps, limits, &|| true), Err(Error::Canceled)));
    }
}
