//! Samples in memory, loaded as tests load them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use model::histogram::{CUSTOM_SCHEMA, to_spans};
use model::labels::METRIC_NAME;
use model::{Histogram, Labels, Matcher};
use promql::memory::{Memory, Refused, Selected};
use promql::series_text;
use promql::storage::{MsRange, Point, PointValue, Storage};

use crate::script::Load;

/// Series with their samples.
#[derive(Clone, Default)]
pub(crate) struct Store(Memory);

impl Store {
    /// Adds samples, the first at the epoch.
    pub(crate) fn load(&mut self, load: Load) -> Result<(), String> {
        let mut classic: BTreeMap<(Labels, i64), Classic> = BTreeMap::new();
        for (labels, points) in load.series {
            for ((point, start_offset_ms), step) in points.into_iter().zip(0..) {
                let time_ms = load.step_ms * step;
                let value = match point {
                    series_text::Point::None => continue,
                    series_text::Point::Float(value) => PointValue::Float(value),
                    series_text::Point::Histogram { histogram, .. } => PointValue::Histogram(histogram),
                };
                if let (true, PointValue::Float(value)) = (load.with_nhcb, &value) {
                    collect(&mut classic, &labels, time_ms, *value);
                }
                let start_ms = start_offset_ms.map_or(0, |offset_ms| time_ms + offset_ms);
                let point = Point { time_ms, start_ms, value };
                self.0.append(&labels, point).map_err(|error| error.to_string())?;
            }
        }
        for ((labels, time_ms), classic) in classic {
            let value = PointValue::Histogram(Arc::new(classic.into_histogram()?));
            match self.0.append(&labels, Point { time_ms, start_ms: 0, value }) {
                // What was loaded by its own name stays.
                Ok(()) | Err(Refused::Duplicate) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}

/// Classic series of one time, put together.
#[derive(Default)]
struct Classic {
    /// Upper bounds with what is counted up to them.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

fn collect(classic: &mut BTreeMap<(Labels, i64), Classic>, labels: &Labels, time_ms: i64, value: f64) {
    let name = labels.get(METRIC_NAME);
    let base = |base: &str| -> Labels {
        labels.iter().filter(|(name, _)| *name != "le").chain([(METRIC_NAME, base)]).collect()
    };
    if let Some(name) = name.strip_suffix("_bucket") {
        let Ok(bound) = labels.get("le").parse::<f64>() else { return };
        if !bound.is_nan() {
            classic.entry((base(name), time_ms)).or_default().buckets.push((bound, value));
        }
    } else if let Some(name) = name.strip_suffix("_count") {
        classic.entry((base(name), time_ms)).or_default().count = Some(value);
    } else if let Some(name) = name.strip_suffix("_sum") {
        classic.entry((base(name), time_ms)).or_default().sum = value;
    }
}

impl Classic {
    fn into_histogram(mut self) -> Result<Histogram, String> {
        self.buckets.sort_by(|(left, _), (right, _)| left.total_cmp(right));
        // One bound written in two ways is one bucket, as it came first.
        self.buckets.dedup_by(|(later, _), (first, _)| later == first);
        let highest = self.buckets.last().copied();
        let count = self.count.or(highest.map(|(_, count)| count)).unwrap_or_default();
        if highest.is_none_or(|(bound, _)| bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let mut before = 0.0;
        let mut counts = Vec::new();
        for (_, up_to) in &self.buckets {
            if *up_to < before {
                return Err("a count is not cumulative".to_owned());
            }
            counts.push(up_to - before);
            before = *up_to;
        }
        if before != count {
            return Err(format!("the count is {count}, that of the last bucket {before}"));
        }
        let (positive_spans, positive_buckets) = to_spans((0..).zip(counts));
        let bounds = self.buckets.iter().map(|(bound, _)| *bound);
        let mut histogram = Histogram {
            schema: CUSTOM_SCHEMA,
            count,
            sum: self.sum,
            positive_spans,
            positive_buckets,
            custom_values: bounds.filter(|bound| *bound != f64::INFINITY).collect(),
            ..Histogram::default()
        };
        histogram.compact(0);
        histogram.validate_whole().map_err(|error| error.to_string())?;
        Ok(histogram)
    }
}

impl Storage for Store {
    type Series = Selected;
    type Error = Infallible;

    fn select(&self, matchers: &[Matcher], range: MsRange) -> Result<Vec<Selected>, Infallible> {
        self.0.select(matchers, range)
    }
}
