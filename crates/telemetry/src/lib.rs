//! What an application uses to emit traces, metrics, logs and profiles: one call in `main`, configured by the
//! standard environment variables only ([`HELP`] lists them).
//!
//! ```no_run
//! # async fn serve(_: axum::Router) {}
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let runtime = tokio::runtime::Runtime::new()?;
//!     let guard = {
//!         let _inside = runtime.enter();
//!         telemetry::init("shop", env!("CARGO_PKG_VERSION"))?
//!     };
//!     let router = axum::Router::new()
//!         .route("/carts/{id}", axum::routing::get(async || "a cart"))
//!         .layer(guard.server_layer())
//!         .merge(guard.metrics_route());
//!     runtime.block_on(serve(router));
//!     guard.shutdown(std::time::Duration::from_secs(5));
//!     Ok(())
//! }
//! ```
//!
//! What it is not: a way for the stack to watch itself (that is `stack`), or a general framework. Names and attributes
//! are those of the [semantic conventions](https://opentelemetry.io/docs/specs/semconv/); what they leave open is
//! decided for small spans. Telemetry never fails or delays a request: queues are bounded and drop, exports run on
//! threads of their own, and a destination that is down is mentioned once when it goes and once when it is back.
//!
//! Begin reading at [`init`]; then [`server`] (HTTP in), [`client`] (HTTP out) and [`database`].

pub mod client;
pub mod database;
mod delivery;
mod error;
mod exporters;
mod guard;
mod logging;
mod profiles;
mod prometheus_text;
pub mod server;
mod settings;
mod start;

use std::future::Future;
use std::sync::Arc;

use opentelemetry::context::FutureExt;
use opentelemetry::metrics::{Counter, Meter};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Link, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

pub use error::{Error, Result};
pub use guard::Guard;
pub use settings::{Batches, HELP, LogFormat, Otlp, Propagator, Protocol, Sampler, Settings, Temporality};
pub use start::{init, init_with};

/// What the layers of an application share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `None` where the SDK is disabled: contexts are passed on, nothing else happens.
    tracer: Option<SdkTracer>,
    meter: Meter,
    measures: bool,
    /// `service.name`.
    service: Arc<str>,
    errors: Counter<u64>,
    propagator: Box<dyn TextMapPropagator + Send + Sync>,
    registry: Option<prometheus::Registry>,
    profiler: Option<profiles::Profiler>,
    /// Whether log lines go to a sink that reads ids from the fields of a `tracing` span.
    context_spans: bool,
}

impl Telemetry {
    /// Emits nothing, for tests of what is instrumented.
    pub fn disabled() -> Self {
        start::disabled()
    }

    /// Wraps a router's routes: server spans and metrics. To be applied after the routes and before those that are
    /// not worth a span (health, metrics).
    pub fn server_layer(&self) -> server::ServerLayer {
        server::ServerLayer::new(self)
    }

    /// A client whose requests carry the current trace along.
    ///
    /// # Errors
    /// Where the HTTP client cannot be built, which is a matter of the system's resources.
    pub fn http_client(&self, options: client::Options) -> Result<client::HttpClient, reqwest::Error> {
        client::HttpClient::new(self, options)
    }

    /// Spans and metrics for the calls to one database.
    pub fn database(&self, peer: database::Peer) -> database::Database {
        database::Database::new(self, peer)
    }

    /// For metrics of the application's own.
    pub fn meter(&self) -> &Meter {
        &self.inner.meter
    }

    /// Says that errors may come from there, so that `demo.errors` counts them from 0 and the first is seen as an
    /// increase. [`RecordedError`](server::RecordedError) names it when one does.
    pub fn expect_errors_from(&self, origin: &'static str) {
        self.inner.errors.add(0, &[KeyValue::new(server::ORIGIN, origin)]);
    }

    /// Counts an error. `None` is the service itself. Gives its name.
    pub(crate) fn error_from(&self, origin: Option<&'static str>) -> Arc<str> {
        let origin = origin.map_or_else(|| Arc::clone(&self.inner.service), Arc::from);
        if self.inner.measures {
            self.inner.errors.add(1, &[KeyValue::new(server::ORIGIN, Arc::clone(&origin))]);
        }
        origin
    }

    /// `GET /metrics`, in Prometheus' text format; 404 where `OTEL_METRICS_EXPORTER` does not list `prometheus`.
    pub fn metrics_route<S: Clone + Send + Sync + 'static>(&self) -> axum::Router<S> {
        prometheus_text::route(self.inner.registry.clone())
    }

    /// Work that outlives the request which caused it: a trace of its own, linked to the current span.
    pub fn linked<F: Future>(&self, name: &'static str, work: F) -> impl Future<Output = F::Output> + use<F> {
        let context = match &self.inner.tracer {
            None => Context::new(),
            Some(tracer) => {
                let cause = Context::map_current(|context| context.span().span_context().clone());
                let mut builder = tracer.span_builder(name).with_kind(SpanKind::Internal);
                if cause.is_valid() {
                    builder = builder.with_links(vec![Link::with_context(cause)]);
                }
                Context::new().with_span(tracer.build_with_context(builder, &Context::new()))
            }
        };
        work.with_context(context)
    }

    /// Runs work that burns CPU on this thread, with the current span named on the samples that a profiler takes of
    /// it. `name` is the span's, or a stable name of the work.
    pub fn profiled<T>(&self, name: &str, work: impl FnOnce() -> T) -> T {
        match &self.inner.profiler {
            Some(profiler) => profiler.labelled(name, work),
            None => work(),
        }
    }
}

/// Adds an event to the current span.
pub fn event(name: &'static str, attributes: Vec<KeyValue>) {
    Context::map_current(|context| context.span().add_event(name, attributes));
}

/// Records an exception on the current span, as the semantic conventions for exceptions say.
pub fn exception(kind: &str, message: &str) {
    event("exception", exception_attributes(kind, message));
}

fn exception_attributes(kind: &str, message: &str) -> Vec<KeyValue> {
    vec![
        KeyValue::new("exception.type", kind.to_owned()),
        KeyValue::new("exception.message", message.to_owned()),
    ]
}

/// Bounds of the histograms of durations in seconds that the conventions for HTTP advise.
const HTTP_SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The same for databases.
const DATABASE_SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
