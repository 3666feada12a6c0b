//! A [`Backend`] over a store that the query engine reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use model::batch::{DataPoint, SampleValue, SeriesSample, Temporality};
use model::{Batch, Labels, Matcher};
use promql::Expr;
use promql::engine::{self, Options, Stop, Value};
use promql::storage::{MsRange, PointValue, Series, Storage};

use crate::backend::{Backend, Newest, QueryError, Sample};

/// What takes the samples that rules make.
pub trait Append: Send + Sync {
    /// Writes samples, as [`Backend::append`] does.
    fn append(&self, samples: Vec<Sample>) -> Result<Vec<(usize, String)>, String>;
}

/// Rules over a store.
#[derive(Debug)]
pub struct StoreBackend<S> {
    store: Arc<S>,
    options: Options,
    subquery_step_ms: AtomicI64,
}

impl<S> StoreBackend<S> {
    /// Queries are evaluated with these options.
    pub fn new(store: Arc<S>, options: Options) -> Self {
        Self { store, subquery_step_ms: AtomicI64::new(options.subquery_step_ms), options }
    }

    /// Sets the step of subqueries that say none, in milliseconds: the configuration's interval of evaluation.
    pub fn set_subquery_step(&self, step_ms: i64) {
        self.subquery_step_ms.store(step_ms.max(1), Ordering::Relaxed);
    }
}

impl<S: Storage + Append> Backend for StoreBackend<S> {
    fn query(
        &self,
        expr: &Expr,
        time_ms: i64,
        is_canceled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Vec<(Labels, PointValue)>, QueryError> {
        let options =
            Options { subquery_step_ms: self.subquery_step_ms.load(Ordering::Relaxed), ..self.options };
        let stop = || is_canceled().then_some(Stop::Canceled);
        match engine::instant(&*self.store, expr, time_ms, options, &stop).map(|outcome| outcome.value) {
            Ok(Value::Vector(_, samples)) => Ok(samples),
            Ok(Value::Scalar(_, value)) => Ok(vec![(Labels::default(), PointValue::Float(value))]),
            Ok(_) => Err(QueryError::Failed("rule result is not a vector or scalar".to_owned())),
            Err(engine::Error::Canceled(_)) => Err(QueryError::Canceled),
            Err(error) => Err(QueryError::Failed(error.to_string())),
        }
    }

    fn append(&self, samples: Vec<Sample>) -> Result<Vec<(usize, String)>, String> {
        if samples.is_empty() { Ok(Vec::new()) } else { self.store.append(samples) }
    }

    fn newest(&self, matchers: &[Matcher], range: MsRange) -> Result<Vec<(Labels, Newest)>, String> {
        let found = self.store.select(matchers, range).map_err(|error| error.to_string())?;
        let newest = |series: S::Series| {
            let floats = series.points().filter_map(|point| match point.value {
                PointValue::Float(value) => Some((point.time_ms, value)),
                PointValue::Histogram(_) => None,
            });
            let newest = floats.last();
            (series.labels().clone(), newest)
        };
        Ok(found.into_iter().map(newest).collect())
    }
}

impl Append for tsdb::Tsdb {
    fn append(&self, samples: Vec<Sample>) -> Result<Vec<(usize, String)>, String> {
        let points = samples.into_iter().map(|Sample { labels, time_ms, value }| DataPoint {
            family: usize::MAX,
            temporality: Temporality::Cumulative,
            start_ms: 0,
            time_ms,
            samples: vec![SeriesSample {
                labels,
                value: match value {
                    PointValue::Float(value) => SampleValue::Float(value),
                    PointValue::Histogram(histogram) => SampleValue::Histogram(histogram),
                },
                exemplars: Vec::new(),
            }],
            derived: false,
        });
        let batch = Batch { points: points.collect(), ..Batch::default() };
        Self::append(self, &batch).map(|appended| appended.refused).map_err(|error| error.to_string())
    }
}
