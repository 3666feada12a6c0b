//! The HTTP APIs of the components, over the stores: one folder a product, each with its own routes, shapes and
//! errors. Reading only: what writes is `receiver`.
//!
//! Each product gives a `router(Context) -> axum::Router`; `stack` puts it on its port.

pub mod go;
pub mod jaeger;
pub mod loki;
pub mod observe;
pub mod otlp_json;
pub mod pool;
pub mod prometheus;
pub mod tempo;

use std::sync::Arc;

use logstore::LogStore;
use model::Clock;
use ruler::Ruler;
use ruler::notifier::Notifier;
use tracestore::TraceStore;
use tsdb::Tsdb;

pub use observe::{metrics_handler, observe};

/// Rules at work, and where their alerts go.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Evaluates them.
    pub ruler: Arc<Ruler>,
    /// Sends alerts.
    pub notifier: Arc<Notifier>,
}

/// What every product's handlers work with.
#[derive(Debug, Clone)]
pub struct Context {
    /// Spans.
    pub traces: Arc<TraceStore>,
    /// Log entries.
    pub logs: Arc<LogStore>,
    /// Samples.
    pub metrics: Arc<Tsdb>,
    /// Rules and where their alerts go; without them there are none.
    pub rules: Option<Rules>,
    /// Where queries run.
    pub pool: pool::QueryPool,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Our own metrics, served as `/metrics` on every port.
    pub registry: ::prometheus::Registry,
    /// Time of start, nanoseconds since the Unix epoch.
    pub started_ns: u64,
    /// Where the web UI answers, such as `http://127.0.0.1:3000`, without a slash at the end; `None` where there is none.
    pub ui_url: Option<String>,
    /// Whether Prometheus' routes that delete and copy what is kept answer.
    pub admin_api: bool,
}
