//! Names of the receiver's own metrics and of their label values.

/// Spans, log records and data points that were kept. Labels: signal, transport.
pub const ACCEPTED_ITEMS: &str = "mirante_receiver_accepted_items_total";
/// Items left out of requests that were otherwise taken. Labels: signal, transport, reason.
pub const DROPPED_ITEMS: &str = "mirante_receiver_dropped_items_total";
/// Requests of which nothing was kept. Labels: signal, transport, reason.
pub const REFUSED_REQUESTS: &str = "mirante_receiver_refused_requests_total";
/// Bytes of bodies as they arrived. Labels: signal, transport.
pub const RECEIVED_BYTES: &str = "mirante_receiver_received_bytes_total";
/// Seconds from a request's head until its answer is known. Labels: signal, transport.
pub const REQUEST_SECONDS: &str = "mirante_receiver_request_duration_seconds";
/// Requests that are being served. Labels: signal, transport.
pub const IN_FLIGHT_REQUESTS: &str = "mirante_receiver_in_flight_requests";
/// Bytes that the bodies of those requests hold.
pub const IN_FLIGHT_BYTES: &str = "mirante_receiver_in_flight_bytes";
/// Requests that wait for a worker.
pub const QUEUED_REQUESTS: &str = "mirante_receiver_queued_requests";

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Data points.
    Metrics,
}

impl Signal {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Logs, Self::Metrics];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }

    /// What one item is called, in the plural.
    pub fn items(self) -> &'static str {
        match self {
            Self::Traces => "spans",
            Self::Logs => "log records",
            Self::Metrics => "data points",
        }
    }
}

/// The way on which a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP on the collector's port.
    Http,
    /// OTLP/HTTP on Loki's port.
    LokiOtlp,
    /// Loki's own push.
    LokiPush,
    /// OTLP/HTTP on Prometheus' port.
    PrometheusOtlp,
    /// Prometheus' remote write.
    RemoteWrite,
    /// A call inside the process.
    Local,
}

impl Transport {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Self; 7] = [
        Self::Grpc,
        Self::Http,
        Self::LokiOtlp,
        Self::LokiPush,
        Self::PrometheusOtlp,
        Self::RemoteWrite,
        Self::Local,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
            Self::LokiOtlp => "loki_otlp",
            Self::LokiPush => "loki_push",
            Self::PrometheusOtlp => "prometheus_otlp",
            Self::RemoteWrite => "remote_write",
            Self::Local => "local",
        }
    }

    /// Whether this signal can come on this way.
    pub fn carries(self, signal: Signal) -> bool {
        match self {
            Self::Grpc | Self::Http | Self::Local => true,
            Self::LokiOtlp | Self::LokiPush => signal == Signal::Logs,
            Self::PrometheusOtlp | Self::RemoteWrite => signal == Signal::Metrics,
        }
    }
}
