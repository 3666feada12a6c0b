//! Samples of either kind, for functions that look at neighbours in a window.

use model::Histogram;

use super::start_times::Started;
use crate::storage::{FloatPoint, HistogramPoint};

/// A sample with its times.
#[derive(Clone, Copy)]
pub(super) struct Sample<'a> {
    pub(super) time: Started,
    pub(super) value: Value<'a>,
}

/// What it says.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    Float(f64),
    Histogram(&'a Histogram),
}

impl<'a> From<&'a FloatPoint> for Sample<'a> {
    fn from(point: &'a FloatPoint) -> Self {
        Self {
            time: Started { start_ms: point.start_ms, time_ms: point.time_ms },
            value: Value::Float(point.value),
        }
    }
}

impl<'a> From<&'a HistogramPoint> for Sample<'a> {
    fn from(point: &'a HistogramPoint) -> Self {
        Self {
            time: Started { start_ms: point.start_ms, time_ms: point.time_ms },
            value: Value::Histogram(&point.histogram),
        }
    }
}
