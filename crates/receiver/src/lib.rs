//! The way in: OTLP over gRPC and HTTP, Loki's push; decoded once, checked, handed to the stores.

use std::sync::Arc;

use logstore::LogStore;
use tracestore::TraceStore;
use tsdb::Tsdb;

/// The one door to the stores.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// Spans.
    pub traces: Arc<TraceStore>,
    /// Log entries.
    pub logs: Arc<LogStore>,
    /// Samples.
    pub metrics: Arc<Tsdb>,
}
