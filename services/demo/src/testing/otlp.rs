//! An OTLP receiver that keeps what it is sent, over gRPC and over HTTP.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_server::{LogsService, LogsServiceServer};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// Attributes as text, for comparing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttributeList(pub Vec<(String, String)>);

/// A span and whose it is.
#[derive(Clone, Debug)]
pub struct ReceivedSpan {
    /// Of the resource.
    pub resource: AttributeList,
    /// Of the span.
    pub attributes: AttributeList,
    /// The span.
    pub span: Span,
}

/// A log record and whose it is.
#[derive(Clone, Debug)]
pub struct ReceivedLog {
    /// Of the resource.
    pub resource: AttributeList,
    /// Of the record.
    pub attributes: AttributeList,
    /// The record.
    pub record: LogRecord,
}

/// A point of a metric and whose it is.
#[derive(Clone, Debug)]
pub struct ReceivedMetric {
    /// Of the resource.
    pub resource: AttributeList,
    /// The metric's name.
    pub name: String,
    /// The metric's unit.
    pub unit: String,
    /// Of the point.
    pub attributes: AttributeList,
    /// A histogram's count, or a sum's or gauge's value.
    pub value: f64,
    /// A histogram's bounds.
    pub bounds: Vec<f64>,
}

#[derive(Debug, Default)]
struct Received {
    spans: Vec<ReceivedSpan>,
    logs: Vec<ReceivedLog>,
    metrics: Vec<ReceivedMetric>,
    keep: bool,
}

/// The receiver. Listens until its runtime ends or [`OtlpSink::stop`].
#[derive(Clone, Debug)]
pub struct OtlpSink {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
    end: Arc<Notify>,
}

impl AttributeList {
    /// A value, or nothing.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn of(attributes: &[KeyValue]) -> Self {
        Self(attributes.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref()))).collect())
    }

    fn of_resource(resource: Option<&Resource>) -> Self {
        resource.map(|resource| Self::of(&resource.attributes)).unwrap_or_default()
    }
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(value)) => value.clone(),
        Some(Value::IntValue(value)) => value.to_string(),
        Some(Value::DoubleValue(value)) => value.to_string(),
        Some(Value::BoolValue(value)) => value.to_string(),
        other => format!("{other:?}"),
    }
}

impl ReceivedSpan {
    /// In hexadecimal digits.
    pub fn trace_id(&self) -> String {
        hex(&self.span.trace_id)
    }

    /// `service.name`.
    pub fn service(&self) -> &str {
        self.resource.get("service.name").unwrap_or_default()
    }
}

impl ReceivedLog {
    /// The line.
    pub fn body(&self) -> String {
        text(self.record.body.as_ref())
    }

    /// In hexadecimal digits.
    pub fn trace_id(&self) -> String {
        hex(&self.record.trace_id)
    }
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl OtlpSink {
    /// Over gRPC, on a port of the system's choice.
    pub async fn grpc() -> Self {
        Self::grpc_at(SocketAddr::from(([127, 0, 0, 1], 0)), true).await
    }

    /// Over gRPC, forgetting what it is sent: for benchmarks.
    pub async fn forgetful() -> Self {
        Self::grpc_at(SocketAddr::from(([127, 0, 0, 1], 0)), false).await
    }

    /// Over gRPC, at an address.
    ///
    /// # Panics
    /// Where the address is taken.
    pub async fn grpc_at(address: SocketAddr, keep: bool) -> Self {
        let listener = TcpListener::bind(address).await.expect("an address to listen on");
        let address = listener.local_addr().expect("the address");
        let received = Arc::new(Mutex::new(Received { keep, ..Received::default() }));
        let service = Service { received: Arc::clone(&received) };
        let end = Arc::new(Notify::new());
        let gzip = tonic::codec::CompressionEncoding::Gzip;
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(service.clone()).accept_compressed(gzip))
            .add_service(MetricsServiceServer::new(service.clone()).accept_compressed(gzip))
            .add_service(LogsServiceServer::new(service).accept_compressed(gzip))
            .serve_with_incoming_shutdown(TcpListenerStream::new(listener), wait(&end));
        tokio::spawn(async move { drop(server.await) });
        Self { address, received, end }
    }

    /// Over HTTP with protobuf bodies.
    ///
    /// # Panics
    /// Where no port is free.
    pub async fn http() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("the address");
        let received = Arc::new(Mutex::new(Received { keep: true, ..Received::default() }));
        let service = Service { received: Arc::clone(&received) };
        let router = axum::Router::new()
            .route(
                "/v1/traces",
                post(async |State(service): State<Service>, body: Bytes| {
                    service.traces(ExportTraceServiceRequest::decode(body).expect("OTLP"));
                    protobuf()
                }),
            )
            .route(
                "/v1/metrics",
                post(async |State(service): State<Service>, body: Bytes| {
                    service.metrics(&ExportMetricsServiceRequest::decode(body).expect("OTLP"));
                    protobuf()
                }),
            )
            .route(
                "/v1/logs",
                post(async |State(service): State<Service>, body: Bytes| {
                    service.logs(ExportLogsServiceRequest::decode(body).expect("OTLP"));
                    protobuf()
                }),
            )
            .with_state(service);
        let end = Arc::new(Notify::new());
        let server = axum::serve(listener, router).with_graceful_shutdown(wait(&end));
        tokio::spawn(async move { drop(server.await) });
        Self { address, received, end }
    }

    /// For `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it; connections are closed.
    pub fn stop(&self) {
        self.end.notify_one();
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        lock(&self.received).spans.clone()
    }

    /// All log records so far.
    pub fn logs(&self) -> Vec<ReceivedLog> {
        lock(&self.received).logs.clone()
    }

    /// All points so far.
    pub fn metrics(&self) -> Vec<ReceivedMetric> {
        lock(&self.received).metrics.clone()
    }
}

fn wait(end: &Arc<Notify>) -> impl Future<Output = ()> + Send + 'static + use<> {
    let end = Arc::clone(end);
    async move { end.notified().await }
}

fn lock(received: &Mutex<Received>) -> MutexGuard<'_, Received> {
    received.lock().unwrap_or_else(PoisonError::into_inner)
}

fn protobuf() -> impl IntoResponse {
    // An empty message: everything was taken.
    ([(header::CONTENT_TYPE, "application/x-protobuf")], Bytes::new())
}

#[derive(Clone, Debug)]
struct Service {
    received: Arc<Mutex<Received>>,
}

impl Service {
    fn traces(&self, request: ExportTraceServiceRequest) {
        let mut received = lock(&self.received);
        if !received.keep {
            return;
        }
        for group in request.resource_spans {
            let resource = AttributeList::of_resource(group.resource.as_ref());
            for span in group.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let attributes = AttributeList::of(&span.attributes);
                received.spans.push(ReceivedSpan { resource: resource.clone(), attributes, span });
            }
        }
    }

    fn logs(&self, request: ExportLogsServiceRequest) {
        let mut received = lock(&self.received);
        if !received.keep {
            return;
        }
        for group in request.resource_logs {
            let resource = AttributeList::of_resource(group.resource.as_ref());
            for record in group.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
                let attributes = AttributeList::of(&record.attributes);
                received.logs.push(ReceivedLog { resource: resource.clone(), attributes, record });
            }
        }
    }

    fn metrics(&self, request: &ExportMetricsServiceRequest) {
        let mut received = lock(&self.received);
        if !received.keep {
            return;
        }
        for group in &request.resource_metrics {
            let resource = AttributeList::of_resource(group.resource.as_ref());
            for metric in group.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
                for (attributes, value, bounds) in points(metric.data.as_ref()) {
                    received.metrics.push(ReceivedMetric {
                        resource: resource.clone(),
                        name: metric.name.clone(),
                        unit: metric.unit.clone(),
                        attributes: AttributeList::of(attributes),
                        value,
                        bounds,
                    });
                }
            }
        }
    }
}

fn points(data: Option<&Data>) -> Vec<(&[KeyValue], f64, Vec<f64>)> {
    use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
    let number = |value: &Option<Number>| match value {
        Some(Number::AsDouble(value)) => *value,
        Some(Number::AsInt(value)) => *value as f64,
        None => f64::NAN,
    };
    match data {
        Some(Data::Sum(sum)) => sum
            .data_points
            .iter()
            .map(|point| (point.attributes.as_slice(), number(&point.value), Vec::new()))
            .collect(),
        Some(Data::Gauge(gauge)) => gauge
            .data_points
            .iter()
            .map(|point| (point.attributes.as_slice(), number(&point.value), Vec::new()))
            .collect(),
        Some(Data::Histogram(histogram)) => histogram
            .data_points
            .iter()
            .map(|point| (point.attributes.as_slice(), point.count as f64, point.explicit_bounds.clone()))
            .collect(),
        _ => Vec::new(),
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.traces(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Service {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.logs(request.into_inner());
        Ok(Response::new(ExportLogsServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.metrics(&request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}
