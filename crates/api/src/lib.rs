//! The HTTP APIs of the components, over the stores: one folder a product, each with its own routes, shapes and
//! errors. Reading only: what writes is `receiver`.
//!
//! Each product gives a `router(Context) -> axum::Router`; `stack` puts it on its port.

mod build_info;
mod configuration;
pub mod go;
pub mod jaeger;
pub mod loki;
pub mod observe;
pub mod otlp_json;
pub mod pool;
pub mod prometheus;
pub mod tempo;

use std::sync::{Arc, PoisonError, RwLock};

use logstore::LogStore;
use model::{Clock, Labels};
use ruler::Ruler;
use ruler::notifier::Notifier;
use tracestore::TraceStore;
use tsdb::Tsdb;

pub use configuration::{Configuration, Loaded, Reload, ReloadRequest};
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
    /// What scrapes, and by which configuration; without it nothing is scraped.
    pub configuration: Option<Configuration>,
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
    /// What Prometheus' configuration says is added to series that leave for elsewhere.
    pub external_labels: ExternalLabels,
    /// Whether Prometheus' routes that delete and copy what is kept answer.
    pub admin_api: bool,
}

impl Context {
    /// Labels of the server as they are now.
    pub(crate) fn external_labels(&self) -> Labels {
        self.external_labels.get()
    }
}

/// The `external_labels` of the configuration, which a reload changes for all who hold them.
#[derive(Debug, Clone, Default)]
pub struct ExternalLabels(Arc<RwLock<Labels>>);

impl ExternalLabels {
    /// What they are now.
    pub fn get(&self) -> Labels {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes them.
    pub fn set(&self, labels: Labels) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = labels;
    }
}
