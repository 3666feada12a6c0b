//! `/api/v1/status/self_metrics`: our own metrics as protobuf's JSON has `io.prometheus.client.MetricFamily`.

use ::prometheus::proto::{Metric, MetricFamily, MetricType};
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::answer::{Answer, ApiError};
use crate::Context;

pub(super) async fn self_metrics(State(context): State<Context>) -> Result<Answer, ApiError> {
    let families: Vec<Value> = context.registry.gather().iter().map(family).collect();
    Answer::of(&families)
}

fn family(family: &MetricFamily) -> Value {
    let kind = family.get_field_type();
    let metrics: Vec<Value> = family.get_metric().iter().map(|it| metric(kind, it)).collect();
    let name = match kind {
        MetricType::COUNTER => "COUNTER",
        MetricType::GAUGE => "GAUGE",
        MetricType::SUMMARY => "SUMMARY",
        MetricType::UNTYPED => "UNTYPED",
        MetricType::HISTOGRAM => "HISTOGRAM",
    };
    json!({"name": family.name(), "help": family.help(), "type": name, "metric": metrics})
}

fn metric(kind: MetricType, metric: &Metric) -> Value {
    let mut out = Map::new();
    let labels: Vec<Value> =
        metric.get_label().iter().map(|pair| json!({"name": pair.name(), "value": pair.value()})).collect();
    if !labels.is_empty() {
        out.insert("label".to_owned(), labels.into());
    }
    let (field, value) = match kind {
        MetricType::COUNTER => ("counter", json!({"value": number(metric.get_counter().get_value())})),
        MetricType::GAUGE => ("gauge", json!({"value": number(metric.get_gauge().get_value())})),
        MetricType::UNTYPED => ("untyped", Value::Null),
        MetricType::SUMMARY => {
            let summary = metric.get_summary();
            let quantiles: Vec<Value> = summary
                .get_quantile()
                .iter()
                .map(|it| json!({"quantile": number(it.quantile()), "value": number(it.value())}))
                .collect();
            let count = integer(summary.sample_count());
            let sum = number(summary.sample_sum());
            ("summary", json!({"sampleCount": count, "sampleSum": sum, "quantile": quantiles}))
        }
        MetricType::HISTOGRAM => {
            let histogram = metric.get_histogram();
            let buckets: Vec<Value> = histogram
                .get_bucket()
                .iter()
                .map(|it| {
                    let count = integer(it.cumulative_count());
                    json!({"cumulativeCount": count, "upperBound": number(it.upper_bound())})
                })
                .collect();
            let count = integer(histogram.get_sample_count());
            let sum = number(histogram.get_sample_sum());
            ("histogram", json!({"sampleCount": count, "sampleSum": sum, "bucket": buckets}))
        }
    };
    out.insert(field.to_owned(), value);
    out.into()
}

/// Protobuf's JSON writes integers of 64 bits as texts.
fn integer(number: u64) -> String {
    number.to_string()
}

/// And what JSON has no number for as texts.
fn number(number: f64) -> Value {
    match number {
        number if number.is_nan() => "NaN".into(),
        number if number.is_infinite() => if number > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        // A whole number has no point.
        number if number.fract() == 0.0 && number.abs() < 9e15 => (number as i64).into(),
        number => number.into(),
    }
}
