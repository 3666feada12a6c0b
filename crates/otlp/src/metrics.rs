//! Metric requests to series.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;

use crate::Rejected;

/// The `otlp:` block of `prometheus.yml`.
#[derive(Debug, Clone, Default)]
pub struct Config {}

/// The samples of a request, ready for the store.
#[derive(Debug, Default)]
pub struct Batch {}

/// Maps a request to series as Prometheus' OTLP receiver does.
pub fn to_series(_request: ExportMetricsServiceRequest, _config: &Config) -> (Batch, Rejected) {
    unimplemented!()
}
