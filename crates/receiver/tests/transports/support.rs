//! A door with stores behind it, requests to send through it, and what the counters say.

use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use model::ManualClock;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prometheus::Registry;
use prost::Message;
use receiver::names::Signal;
use receiver::{Config, Ingest, Stores};
use tower::ServiceExt;

/// The time that every test believes in: 2026-01-01.
pub(crate) const NOW_NS: u64 = 1_767_225_600_000_000_000;

/// A door with stores behind it.
pub(crate) struct Door {
    pub(crate) ingest: Ingest,
    pub(crate) stores: Stores,
    pub(crate) registry: Registry,
    _dir: tempfile::TempDir,
}

impl Door {
    pub(crate) fn open() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at_ns(NOW_NS));
        let path = |name: &str| dir.path().join(name);
        let sync = wal::SyncPolicy::Interval(Duration::from_secs(1));
        let traces = tracestore::Config {
            background: false,
            ..tracestore::Config::new(path("traces-wal"), path("traces"), 64 << 20)
        };
        let logs = logstore::Config {
            wal_dir: path("logs-wal"),
            blocks_dir: path("logs"),
            wal_sync: sync,
            memory_bytes: 64 << 20,
            retention_age: Duration::from_hours(24),
            retention_bytes: 1 << 30,
            limits: logstore::Limits::default(),
        };
        let stores = Stores {
            traces: Arc::new(tracestore::TraceStore::open(traces, clock.clone()).unwrap()),
            logs: Arc::new(logstore::LogStore::open(logs, clock.clone()).unwrap()),
            metrics: Arc::new(
                tsdb::Tsdb::open(
                    tsdb::Config::new(path("metrics-wal"), path("metrics-blocks")),
                    clock.clone(),
                )
                .unwrap(),
            ),
            observer: None,
        };
        let registry = Registry::new();
        let ingest = Ingest::new(stores.clone(), config, clock, &registry).unwrap();
        Self { ingest, stores, registry, _dir: dir }
    }

    /// Spans, log records or samples in the store's head.
    pub(crate) fn stored(&self, signal: Signal) -> u64 {
        match signal {
            Signal::Traces => self.stores.traces.stats().head_items,
            Signal::Logs => self.stores.logs.stats().head_items,
            Signal::Metrics => self.stores.metrics.stats().head_items,
        }
    }

    /// The sum of a counter over the series that have all these label values.
    pub(crate) fn counted(&self, name: &str, values: &[&str]) -> i64 {
        let families = self.registry.gather();
        let metrics = families
            .iter()
            .filter(|family| family.name() == name)
            .flat_map(prometheus::proto::MetricFamily::get_metric);
        metrics
            .filter(|metric| {
                values.iter().all(|value| metric.get_label().iter().any(|label| label.value() == *value))
            })
            .map(|metric| (metric.get_counter().get_value() + metric.get_gauge().get_value()) as i64)
            .sum()
    }
}

pub(crate) const SIGNALS: [Signal; 3] = Signal::ALL;

/// A request of one item, whose time is now plus this many nanoseconds.
pub(crate) fn request(signal: Signal, offset_ns: u64) -> Bytes {
    let now_ns = NOW_NS + offset_ns;
    let resource = Some(Resource {
        attributes: vec![KeyValue {
            key: "service.name".to_owned(),
            value: Some(AnyValue { value: Some(any_value::Value::StringValue("shop".to_owned())) }),
            ..KeyValue::default()
        }],
        ..Resource::default()
    });
    match signal {
        Signal::Traces => traces(resource, vec![span(now_ns)]).encode_to_vec(),
        Signal::Logs => ExportLogsServiceRequest {
            resource_logs: vec![ResourceLogs {
                resource,
                scope_logs: vec![ScopeLogs {
                    log_records: vec![LogRecord {
                        time_unix_nano: now_ns,
                        body: Some(AnyValue {
                            value: Some(any_value::Value::StringValue("a line".to_owned())),
                        }),
                        ..LogRecord::default()
                    }],
                    ..ScopeLogs::default()
                }],
                ..ResourceLogs::default()
            }],
        }
        .encode_to_vec(),
        Signal::Metrics => ExportMetricsServiceRequest {
            resource_metrics: vec![ResourceMetrics {
                resource: None,
                scope_metrics: vec![ScopeMetrics {
                    metrics: vec![Metric {
                        name: "temperature".to_owned(),
                        data: Some(metric::Data::Gauge(Gauge {
                            data_points: vec![NumberDataPoint {
                                // Milliseconds, so that each is a sample of its own.
                                time_unix_nano: NOW_NS + offset_ns * 1_000_000,
                                value: Some(number_data_point::Value::AsDouble(1.5)),
                                ..NumberDataPoint::default()
                            }],
                        })),
                        ..Metric::default()
                    }],
                    ..ScopeMetrics::default()
                }],
                ..ResourceMetrics::default()
            }],
        }
        .encode_to_vec(),
    }
    .into()
}

pub(crate) fn span(start_ns: u64) -> Span {
    let mut trace_id = vec![1; 8];
    trace_id.extend_from_slice(&start_ns.to_be_bytes());
    Span {
        trace_id,
        span_id: start_ns.to_be_bytes().to_vec(),
        name: "GET /".to_owned(),
        kind: 2,
        start_time_unix_nano: start_ns,
        end_time_unix_nano: start_ns + 5,
        ..Span::default()
    }
}

pub(crate) fn traces(resource: Option<Resource>, spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource,
            scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
            ..ResourceSpans::default()
        }],
    }
}

/// The same in JSON, by the reference types.
pub(crate) fn json(signal: Signal, protobuf: &[u8]) -> Bytes {
    match signal {
        Signal::Traces => serde_json::to_vec(&ExportTraceServiceRequest::decode(protobuf).unwrap()),
        Signal::Logs => serde_json::to_vec(&ExportLogsServiceRequest::decode(protobuf).unwrap()),
        Signal::Metrics => serde_json::to_vec(&ExportMetricsServiceRequest::decode(protobuf).unwrap()),
    }
    .unwrap()
    .into()
}

pub(crate) fn compress(coding: &str, body: &[u8]) -> Bytes {
    match coding {
        "" | "identity" => body.to_vec(),
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "zlib" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "raw-deflate" => {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(body).unwrap();
            encoder.finish().unwrap()
        }
        "zstd" => zstd::stream::encode_all(body, 1).unwrap(),
        "snappy" => {
            let mut encoder = snap::write::FrameEncoder::new(Vec::new());
            encoder.write_all(body).unwrap();
            encoder.into_inner().unwrap()
        }
        "snappy-block" => snap::raw::Encoder::new().compress_vec(body).unwrap(),
        other => panic!("no compression {other}"),
    }
    .into()
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Answer { status: parts.status, headers: parts.headers, trailers, body: collected.to_bytes() }
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    read(router.clone().oneshot(request).await.unwrap()).await
}

pub(crate) fn post(path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

/// A body that sends pieces and does not end.
pub(crate) fn stalled(pieces: Vec<Bytes>) -> Body {
    let pieces = futures_util::stream::iter(pieces.into_iter().map(|piece| Ok(Frame::data(piece))));
    let never = futures_util::stream::pending::<Result<Frame<Bytes>, Infallible>>();
    Body::new(StreamBody::new(pieces.chain(never)))
}

/// A body of pieces whose length nobody declared.
pub(crate) fn streamed(pieces: Vec<Bytes>) -> Body {
    let pieces = pieces.into_iter().map(|piece| Ok::<_, Infallible>(Frame::data(piece)));
    Body::new(StreamBody::new(futures_util::stream::iter(pieces)))
}

/// `google.rpc.Status`, read by hand-written types of the test's own.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<RpcAny>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RpcAny {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// Limits so small that a test reaches them.
pub(crate) fn small() -> Config {
    Config {
        max_body_bytes: 4096,
        max_in_flight_bytes: 12_288,
        body_timeout: Duration::from_millis(300),
        ..Config::default()
    }
}
