//! Selectors: the samples of series at every step.

use std::sync::Arc;

use super::Error;
use super::evaluator::Evaluator;
use super::plan::Selector;
use super::size::histogram_size;
use super::source::Selection;
use super::value::Series;
use crate::ast::Extension;
use crate::error::Span;
use crate::storage::{FloatPoint, HistogramPoint, MsRange, Needed};
use model::sample::{ResetHint, STALE_NAN_BITS};
use model::{Histogram, Labels};

/// Samples of a series, read from a store into columns that are used again for the next series.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) floats: Vec<FloatPoint>,
    pub(super) histograms: Vec<HistogramPoint>,
}

impl Columns {
    pub(super) fn clear(&mut self) {
        self.floats.clear();
        self.histograms.clear();
    }

    /// The samples of a series in place of those before, as far as they are needed.
    pub(super) fn fill(&mut self, selection: &dyn Selection, series: usize, selector: &Selector) {
        self.clear();
        selection.read(series, &mut self.floats, &mut self.histograms);
        if selector.only_totals {
            self.leave_out_buckets();
        }
    }

    /// Leaves out what says that the series ended.
    pub(super) fn drop_stale(&mut self) {
        self.floats.retain(|point| !is_stale(point.value));
        self.histograms.retain(|point| !is_stale(point.histogram.sum));
    }

    /// Keeps counts and sums of histograms alone. What is known of a reset is found out before, as nobody can
    /// afterwards.
    fn leave_out_buckets(&mut self) {
        let mut previous: Option<Arc<Histogram>> = None;
        for point in &mut self.histograms {
            let histogram = &point.histogram;
            let is_stale = is_stale(histogram.sum);
            let reset_hint = match (histogram.reset_hint, &previous) {
                (ResetHint::Unknown, Some(previous)) if !is_stale => {
                    if histogram.detect_reset(previous) {
                        ResetHint::Reset
                    } else {
                        ResetHint::NotReset
                    }
                }
                (known, _) => known,
            };
            let totals = Histogram {
                schema: histogram.schema,
                count: histogram.count,
                sum: histogram.sum,
                reset_hint,
                ..Histogram::default()
            };
            let whole = std::mem::replace(&mut point.histogram, Arc::new(totals));
            if !is_stale {
                previous = Some(whole);
            }
        }
    }
}

/// What is taken of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Its value.
    Value,
    /// When it was measured, in seconds.
    Time,
    /// The same, of what has to be a float: of an info series.
    InfoTime,
    /// Since when it counts, in seconds; 0 where that is not known.
    StartTime,
}

/// A sample that was found for a step.
#[derive(Clone, Copy)]
enum Found<'a> {
    Float(&'a FloatPoint),
    Histogram(&'a HistogramPoint),
}

pub(super) fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

impl Evaluator<'_> {
    /// The newest sample of each series at every step, unless it is older than the lookback or says that the series
    /// ended.
    pub(super) fn vector_selector(&mut self, selector: &Selector, span: Span) -> Result<Vec<Series>, Error> {
        if selector.extension == Some(Extension::Smoothed) {
            return self.smoothed_selector(selector, span);
        }
        self.newest(selector, Taken::Value, |_| true)
    }

    /// The newest sample of each series at every step, or a time of it. Series that are not wanted are left out.
    pub(crate) fn newest(
        &mut self,
        selector: &Selector,
        taken: Taken,
        is_wanted: impl Fn(&Labels) -> bool,
    ) -> Result<Vec<Series>, Error> {
        let (steps, lookback_ms) = (self.steps, self.options.lookback_ms);
        if steps.count() == 0 {
            return Ok(Vec::new());
        }
        let moved = selector.moved;
        let range = MsRange {
            start_ms: moved.time(steps.start_ms).saturating_sub(lookback_ms).saturating_add(1),
            end_ms: moved.time(steps.last_ms()),
        };
        let needed = if steps.count() == 1 { Needed::Newest } else { Needed::All };
        let selection = self.select(&selector.matchers, range, needed)?;
        let mut out = Vec::with_capacity(selection.len());
        let mut columns = Columns::default();
        for one in (0..selection.len()).filter(|one| is_wanted(selection.labels(*one))) {
            columns.fill(&*selection, one, selector);
            let mut series = Series::new(selection.labels(one).clone(), taken != Taken::Value);
            let mut cursor = Cursor::new(&columns);
            for (step, time_ms) in steps.times().enumerate() {
                self.check_stop_at(step)?;
                let until_ms = moved.time(time_ms);
                let found = cursor.newest(until_ms);
                let Some(found) = found.filter(|found| found.is_within(until_ms, lookback_ms)) else {
                    continue;
                };
                self.take(&mut series, step, time_ms, found, taken)?;
            }
            if !series.is_empty() {
                out.push(series);
            }
        }
        self.stats.peak(self.samples);
        Ok(out)
    }

    fn take(
        &mut self,
        series: &mut Series,
        step: usize,
        time_ms: i64,
        found: Found<'_>,
        taken: Taken,
    ) -> Result<(), Error> {
        let size = match (taken, found) {
            (Taken::Value, Found::Histogram(point)) => histogram_size(&point.histogram),
            _ => 1,
        };
        self.hold(size)?;
        self.stats.add_total(step, size as u64);
        self.stats.add_read(step, size as u64);
        match (taken, found) {
            (Taken::Value, Found::Float(point)) => series.floats.push((time_ms, point.value)),
            (Taken::Value, Found::Histogram(point)) => {
                series.histograms.push((time_ms, Arc::clone(&point.histogram)));
            }
            (Taken::Time, found) => series.floats.push((time_ms, found.time_ms() as f64 / 1000.0)),
            (Taken::InfoTime, Found::Float(point)) => {
                series.floats.push((time_ms, point.time_ms as f64 / 1000.0));
            }
            (Taken::InfoTime, Found::Histogram(_)) => {
                let labels = &series.labels;
                return Err(Error::Execution(format!(
                    "this should be an info metric, with float samples: {labels}"
                )));
            }
            (Taken::StartTime, found) => {
                series.floats.push((time_ms, found.start_ms() as f64 / 1000.0));
            }
        }
        Ok(())
    }
}

/// Walks over the samples of a series while time goes on.
struct Cursor<'a> {
    floats: &'a [FloatPoint],
    histograms: &'a [HistogramPoint],
    float: usize,
    histogram: usize,
}

impl<'a> Cursor<'a> {
    fn new(columns: &'a Columns) -> Self {
        Self { floats: &columns.floats, histograms: &columns.histograms, float: 0, histogram: 0 }
    }

    /// The newest sample until a time, which is not before the one that was asked for last.
    fn newest(&mut self, until_ms: i64) -> Option<Found<'a>> {
        while self.floats.get(self.float).is_some_and(|point| point.time_ms <= until_ms) {
            self.float += 1;
        }
        while self.histograms.get(self.histogram).is_some_and(|point| point.time_ms <= until_ms) {
            self.histogram += 1;
        }
        let float = self.float.checked_sub(1).map(|at| Found::Float(&self.floats[at]));
        let histogram = self.histogram.checked_sub(1).map(|at| Found::Histogram(&self.histograms[at]));
        match (float, histogram) {
            (Some(float), Some(histogram)) if histogram.time_ms() > float.time_ms() => Some(histogram),
            (float, histogram) => float.or(histogram),
        }
    }
}

impl Found<'_> {
    fn time_ms(&self) -> i64 {
        match self {
            Self::Float(point) => point.time_ms,
            Self::Histogram(point) => point.time_ms,
        }
    }

    fn start_ms(&self) -> i64 {
        match self {
            Self::Float(point) => point.start_ms,
            Self::Histogram(point) => point.start_ms,
        }
    }

    /// Whether it still counts at a time.
    fn is_within(&self, time_ms: i64, lookback_ms: i64) -> bool {
        let number = match self {
            Self::Float(point) => point.value,
            Self::Histogram(point) => point.histogram.sum,
        };
        self.time_ms() > time_ms.saturating_sub(lookback_ms) && !is_stale(number)
    }
}
