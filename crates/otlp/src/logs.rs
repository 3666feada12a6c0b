//! Log requests to streams.

use model::LogStream;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;

use crate::Rejected;

/// Which resource attributes name a stream, and what a log record may have at most.
#[derive(Debug, Clone, Default)]
pub struct Config {}

/// Maps a request to streams as Loki's OTLP endpoint does. `now_ns` stands in for records without a time.
pub fn to_streams(
    _request: ExportLogsServiceRequest,
    _now_ns: u64,
    _config: &Config,
) -> (Vec<LogStream>, Rejected) {
    unimplemented!()
}
