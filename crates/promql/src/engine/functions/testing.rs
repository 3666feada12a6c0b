//! Windows for unit tests of functions: points each 10 s, from 10 s on, of the metric `m`.

use std::sync::Arc;

use model::sample::{BucketSpan, Histogram};
use model::{Labels, labels::METRIC_NAME};

use super::{CallContext, Window, breaks};
use crate::ast::Extension;
use crate::engine::annotations::Annotations;
use crate::error::Span;
use crate::storage::{FloatPoint, HistogramPoint, PointValue};

type Function = fn(&Window<'_>, &mut CallContext<'_>) -> Option<PointValue>;

#[derive(Default)]
pub(super) struct Points {
    pub(super) floats: Vec<FloatPoint>,
    pub(super) histograms: Vec<HistogramPoint>,
}

impl std::ops::Deref for Points {
    type Target = [FloatPoint];

    fn deref(&self) -> &[FloatPoint] {
        &self.floats
    }
}

/// The float that a function gave.
pub(super) fn float(value: Option<PointValue>) -> f64 {
    match value {
        Some(PointValue::Float(value)) => value,
        other => panic!("no float: {other:?}"),
    }
}

pub(super) fn floats(values: &[f64]) -> Points {
    floats_started(values, &[])
}

/// Floats with start times in milliseconds.
pub(super) fn floats_started(values: &[f64], starts_ms: &[i64]) -> Points {
    let starts = starts_ms.iter().copied().chain(std::iter::repeat(0));
    let floats = values.iter().zip(starts).zip(1..).map(|((value, start_ms), index)| FloatPoint {
        time_ms: index * 10_000,
        start_ms,
        value: *value,
    });
    Points { floats: floats.collect(), histograms: Vec::new() }
}

/// Floats at times in seconds.
pub(super) fn floats_at(points: &[(i64, f64)]) -> Vec<FloatPoint> {
    let at =
        |(seconds, value): &(i64, f64)| FloatPoint { time_ms: seconds * 1000, start_ms: 0, value: *value };
    points.iter().map(at).collect()
}

/// Floats, then histograms.
pub(super) fn mixed(values: &[f64], histograms: &[Histogram]) -> Points {
    let floats = floats(values).floats;
    let histograms = histograms.iter().zip(values.len() as i64 + 1..).map(|(histogram, index)| {
        HistogramPoint { time_ms: index * 10_000, start_ms: 0, histogram: Arc::new(histogram.clone()) }
    });
    Points { floats, histograms: histograms.collect() }
}

/// So many observations, all in the bucket up to 1.
pub(super) fn histogram(count: f64) -> Histogram {
    Histogram {
        count,
        sum: count,
        positive_spans: vec![BucketSpan { offset: 0, length: 1 }],
        positive_buckets: vec![count],
        ..Histogram::default()
    }
}

/// Calls a function for the range from 0 s to the last point, with its texts.
pub(super) fn call(
    function: Function,
    points: &Points,
    scalars: &[f64],
) -> (Option<PointValue>, Vec<String>) {
    let end_ms = (points.floats.len() + points.histograms.len()) as i64 * 10_000;
    let (value, texts, _) = call_all(function, points, scalars, (0, end_ms), None);
    (value, texts)
}

/// Calls a function for a range in seconds.
pub(super) fn call_window(
    function: Function,
    points: &Points,
    (start, end): (i64, i64),
    extension: Option<Extension>,
) -> (Option<PointValue>, Vec<String>) {
    let (value, texts, _) = call_all(function, points, &[], (start * 1000, end * 1000), extension);
    (value, texts)
}

/// Why a function ends the query.
pub(super) fn failure(function: Function, points: &Points, scalars: &[f64]) -> Option<String> {
    call_all(function, points, scalars, (0, 60_000), None).2
}

fn call_all(
    function: Function,
    points: &Points,
    scalars: &[f64],
    (start_ms, end_ms): (i64, i64),
    extension: Option<Extension>,
) -> (Option<PointValue>, Vec<String>, Option<String>) {
    let labels: Labels = [(METRIC_NAME, "m")].into_iter().collect();
    let mut breaks = Vec::new();
    breaks::find(&points.floats, &mut breaks);
    let window = Window {
        labels: &labels,
        floats: &points.floats,
        first_float: 0,
        breaks: &breaks,
        histograms: &points.histograms,
        start_ms,
        end_ms,
        extension,
    };
    let mut annotations = Annotations::default();
    let mut context = CallContext {
        step_time_ms: end_ms,
        scalars,
        spans: &[Span { start: 0, end: 1 }],
        annotations: &mut annotations,
        scratch: &mut Vec::new(),
        failure: None,
    };
    let value = function(&window, &mut context);
    let failure = context.failure.take();
    let (warnings, infos) = annotations.texts("", 0);
    (value, warnings.into_iter().chain(infos).collect(), failure)
}
