//! The HTTP APIs of the components, over the stores: one folder a product, each with its own routes, shapes and
//! errors. Reading only: what writes is `receiver`.
//!
//! Each product gives a `router(Context) -> axum::Router`; `stack` puts it on its port.

pub mod jaeger;
pub mod loki;
pub mod pool;
pub mod prometheus;
pub mod tempo;

use std::sync::Arc;

use logstore::LogStore;
use model::Clock;
use tracestore::TraceStore;
use tsdb::Tsdb;

/// What every product's handlers work with.
#[derive(Debug, Clone)]
pub struct Context {
    /// Spans.
    pub traces: Arc<TraceStore>,
    /// Log entries.
    pub logs: Arc<LogStore>,
    /// Samples.
    pub metrics: Arc<Tsdb>,
    /// Where queries run.
    pub pool: pool::QueryPool,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Our own metrics, served as `/metrics` on every port.
    pub registry: ::prometheus::Registry,
    /// Time of start, nanoseconds since the Unix epoch.
    pub started_ns: u64,
}
