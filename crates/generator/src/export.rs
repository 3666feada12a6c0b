//! Snapshots as the Collector sends them: OTLP metric requests, which take the way that those of other senders take.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::histogram::{Bounds, Histogram};
use crate::{config, service_graph, span_metrics};

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// Series of one request, so that none is too large for the translation's limits.
pub(crate) const POINTS_PER_REQUEST: usize = 1000;

/// Points of one service.
pub(crate) fn span_metrics(
    resource: &[KeyValue],
    points: Vec<span_metrics::Point>,
    config: &config::SpanMetrics,
    bounds: &Bounds,
    now_ns: u64,
) -> ExportMetricsServiceRequest {
    let name = |name: &str| match config.namespace.as_str() {
        "" => name.to_owned(),
        namespace => format!("{namespace}.{name}"),
    };
    let mut calls = Vec::with_capacity(points.len());
    let mut durations = Vec::with_capacity(points.len());
    for point in points {
        let exemplars: Vec<Exemplar> = point.exemplars.iter().map(|own| exemplar(own, now_ns)).collect();
        if let Some(histogram) = point.histogram {
            durations.push(HistogramDataPoint {
                exemplars: exemplars.clone(),
                ..data_point(histogram, &point.attributes, bounds, point.start_ns, now_ns)
            });
        }
        calls.push(NumberDataPoint {
            exemplars,
            ..number(point.calls, &point.attributes, point.start_ns, now_ns)
        });
    }
    let mut metrics = vec![sum(name("calls"), calls)];
    if config.histogram {
        metrics.push(histogram(name("duration"), config.unit, durations));
    }
    request("spanmetricsconnector", resource, metrics)
}

/// Points of the graph.
pub(crate) fn service_graph(
    points: Vec<service_graph::Point>,
    bounds: &Bounds,
    start_ns: u64,
    now_ns: u64,
) -> ExportMetricsServiceRequest {
    let mut requests = Vec::with_capacity(points.len());
    let mut failed = Vec::new();
    let (mut servers, mut clients) = (Vec::new(), Vec::new());
    for point in points {
        let count = number(point.server.count, &point.attributes, start_ns, now_ns);
        if point.is_failed {
            failed.push(count.clone());
        }
        requests.push(count);
        servers.push(data_point(point.server, &point.attributes, bounds, start_ns, now_ns));
        clients.push(data_point(point.client, &point.attributes, bounds, start_ns, now_ns));
    }
    let name = |name: &str| format!("traces_service_graph_{name}");
    let mut metrics = vec![sum(name("request_total"), requests)];
    if !failed.is_empty() {
        metrics.push(sum(name("request_failed_total"), failed));
    }
    metrics.push(histogram(name("request_server"), config::Unit::Seconds, servers));
    metrics.push(histogram(name("request_client"), config::Unit::Seconds, clients));
    request("traces_service_graph", &[], metrics)
}

fn request(scope: &str, resource: &[KeyValue], metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope = InstrumentationScope { name: scope.to_owned(), ..InstrumentationScope::default() };
    let resource = Resource { attributes: resource.to_vec(), ..Resource::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() }],
            ..ResourceMetrics::default()
        }],
    }
}

fn sum(name: String, data_points: Vec<NumberDataPoint>) -> Metric {
    let sum = Sum { data_points, aggregation_temporality: CUMULATIVE, is_monotonic: true };
    Metric { name, data: Some(metric::Data::Sum(sum)), ..Metric::default() }
}

fn histogram(name: String, unit: config::Unit, data_points: Vec<HistogramDataPoint>) -> Metric {
    use opentelemetry_proto::tonic::metrics::v1::Histogram;
    let histogram = Histogram { data_points, aggregation_temporality: CUMULATIVE };
    let unit = unit.as_str().to_owned();
    Metric { name, unit, data: Some(metric::Data::Histogram(histogram)), ..Metric::default() }
}

fn number(value: u64, attributes: &Arc<[KeyValue]>, start_ns: u64, now_ns: u64) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes.to_vec(),
        start_time_unix_nano: start_ns,
        time_unix_nano: now_ns,
        value: Some(number_data_point::Value::AsInt(value as i64)),
        ..NumberDataPoint::default()
    }
}

fn data_point(
    histogram: Histogram,
    attributes: &Arc<[KeyValue]>,
    bounds: &Bounds,
    start_ns: u64,
    now_ns: u64,
) -> HistogramDataPoint {
    HistogramDataPoint {
        attributes: attributes.to_vec(),
        start_time_unix_nano: start_ns,
        time_unix_nano: now_ns,
        count: histogram.count,
        sum: Some(histogram.sum),
        bucket_counts: histogram.buckets.into_vec(),
        explicit_bounds: bounds.to_vec(),
        ..HistogramDataPoint::default()
    }
}

fn exemplar(own: &span_metrics::Exemplar, now_ns: u64) -> Exemplar {
    Exemplar {
        time_unix_nano: now_ns,
        span_id: own.span_id.0.to_vec(),
        trace_id: own.trace_id.0.to_vec(),
        value: Some(exemplar::Value::AsDouble(own.duration)),
        ..Exemplar::default()
    }
}
