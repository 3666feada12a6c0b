//! Families as delimited protobuf (`io/prometheus/client/metrics.proto` in prometheus/client_model).

use exposition::EscapingScheme;
use model::Histogram;
use model::histogram::CUSTOM_SCHEMA;
use prost::Message;

use super::names::escape;
use super::{Family, Kind, Metric, Value, cumulative};

#[derive(Clone, PartialEq, prost::Message)]
struct MetricFamily {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
    #[prost(message, repeated, tag = "4")]
    metrics: Vec<WireMetric>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireMetric {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<LabelPair>,
    #[prost(message, optional, tag = "5")]
    untyped: Option<Untyped>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<WireHistogram>,
    #[prost(int64, optional, tag = "6")]
    time_ms: Option<i64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct LabelPair {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    value: Option<String>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Untyped {
    #[prost(double, optional, tag = "1")]
    value: Option<f64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireHistogram {
    #[prost(double, optional, tag = "2")]
    sum: Option<f64>,
    #[prost(message, repeated, tag = "3")]
    buckets: Vec<Bucket>,
    #[prost(double, optional, tag = "4")]
    count: Option<f64>,
    #[prost(sint32, optional, tag = "5")]
    schema: Option<i32>,
    #[prost(double, optional, tag = "6")]
    zero_threshold: Option<f64>,
    #[prost(double, optional, tag = "8")]
    zero_count: Option<f64>,
    #[prost(message, repeated, tag = "9")]
    negative_spans: Vec<Span>,
    #[prost(double, repeated, packed = "false", tag = "11")]
    negative_counts: Vec<f64>,
    #[prost(message, repeated, tag = "12")]
    positive_spans: Vec<Span>,
    #[prost(double, repeated, packed = "false", tag = "14")]
    positive_counts: Vec<f64>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Bucket {
    #[prost(double, optional, tag = "2")]
    upper_bound: Option<f64>,
    #[prost(double, optional, tag = "4")]
    cumulative_count: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Span {
    #[prost(sint32, optional, tag = "1")]
    offset: Option<i32>,
    #[prost(uint32, optional, tag = "2")]
    length: Option<u32>,
}

/// Writes a family behind its length.
pub(super) fn write(out: &mut Vec<u8>, family: &Family<'_>, escaping: EscapingScheme) {
    let kind = match family.kind {
        Kind::Untyped => 3,
        Kind::Histogram => 4,
        Kind::GaugeHistogram => 5,
    };
    let message = MetricFamily {
        name: escape(family.name, escaping).into_owned(),
        kind: Some(kind),
        metrics: family.metrics.iter().map(|metric| self::metric(metric, escaping)).collect(),
    };
    // The buffer grows as it has to.
    _ = message.encode_length_delimited(out);
}

fn metric(metric: &Metric<'_>, escaping: EscapingScheme) -> WireMetric {
    let label = |(name, value): &(&str, &str)| LabelPair {
        name: Some(escape(name, escaping).into_owned()),
        value: Some((*value).to_owned()),
    };
    let (untyped, histogram) = match &metric.value {
        Value::Float(value) => (Some(Untyped { value: Some(*value) }), None),
        Value::Histogram(histogram) => (None, Some(self::histogram(histogram))),
    };
    WireMetric {
        labels: metric.labels.iter().map(label).collect(),
        untyped,
        histogram,
        time_ms: Some(metric.time_ms),
    }
}

fn histogram(histogram: &Histogram) -> WireHistogram {
    let common =
        WireHistogram { sum: Some(histogram.sum), count: Some(histogram.count), ..WireHistogram::default() };
    if histogram.schema == CUSTOM_SCHEMA {
        let bucket = |(bound, count)| Bucket { upper_bound: Some(bound), cumulative_count: Some(count) };
        return WireHistogram { buckets: cumulative(histogram).map(bucket).collect(), ..common };
    }
    let spans = |spans: &[model::sample::BucketSpan]| {
        spans.iter().map(|span| Span { offset: Some(span.offset), length: Some(span.length) }).collect()
    };
    WireHistogram {
        schema: Some(histogram.schema),
        zero_threshold: Some(histogram.zero_threshold),
        zero_count: Some(histogram.zero_count),
        negative_spans: spans(&histogram.negative_spans),
        negative_counts: histogram.negative_buckets.clone(),
        positive_spans: spans(&histogram.positive_spans),
        positive_counts: histogram.positive_buckets.clone(),
        ..common
    }
}
