//! Log lines: one set of `tracing` events, to the console, over OTLP and to Loki, each with its trace and span id;
//! and spans made with `tracing`'s own macros, which become OpenTelemetry spans under the current one.

mod console;
mod records;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::trace::SdkTracer;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{DynFilterFn, FilterFn, LevelFilter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::delivery::Delivery;
use crate::settings::Settings;
use crate::{Error, Result};

pub(crate) use records::Finishing;
pub(crate) use watch::{Watch, Watched as WatchedDestination};

/// The target of the span that carries trace and span id as fields, for Loki, which knows no others.
pub(crate) const CONTEXT_TARGET: &str = "telemetry::context";

/// Lines of the libraries that export are never exported: each export would beget the next.
const EXPORT_MACHINERY: &[&str] =
    &["hyper", "h2", "tonic", "tower", "reqwest", "opentelemetry", "tracing_loki", "pyroscope", "Pyroscope"];

/// What the libraries say about failed exports is said once by [`Delivery`]. `RUST_LOG` may turn it on again.
const QUIET: &str = "opentelemetry=off,opentelemetry_sdk=off,opentelemetry_otlp=off,opentelemetry-otlp=off,\
                     opentelemetry-prometheus=off,opentelemetry_http=off,tracing_loki=off,pyroscope=off,Pyroscope=off";

/// Most lines that wait in memory for a Loki that is down.
const MOST_WAITING: usize = 4096;

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

/// Loki's share of [`install`].
pub(crate) struct Loki {
    pub(crate) layer: tracing_loki::Layer,
    pub(crate) delivery: Arc<Delivery>,
}

/// Installs the subscriber of the process.
pub(crate) fn install(
    settings: &Settings,
    tracer: Option<SdkTracer>,
    logs: Option<&SdkLoggerProvider>,
    loki: Option<Loki>,
    watch: Option<Watch>,
) -> Result<()> {
    let filter = format!("{QUIET},{}", settings.log_filter);
    let filter = EnvFilter::builder().parse(&filter).map_err(|error| {
        let allowed =
            format!("target=level,… with the levels off, error, warn, info, debug, trace ({error})");
        Error::bad_value("RUST_LOG", &settings.log_filter, allowed)
    })?;

    let mut lines: Vec<Boxed> = Vec::new();
    if settings.console {
        let layer = console::layer(settings.log_format);
        lines.push(layer.with_filter(FilterFn::new(|meta: &Metadata<'_>| meta.is_event())).boxed());
    }
    if let Some(provider) = logs {
        let layer = OpenTelemetryTracingBridge::new(provider);
        lines.push(layer.with_filter(FilterFn::new(|meta| meta.is_event() && !is_machinery(meta))).boxed());
    }
    if let Some(Loki { layer, delivery }) = loki {
        let waiting = AtomicUsize::new(0);
        let bounded = DynFilterFn::new(move |meta: &Metadata<'_>, _: &_| {
            if is_machinery(meta) {
                return false;
            }
            if meta.is_span() {
                return true;
            }
            if delivery.is_down() {
                waiting.fetch_add(1, Ordering::Relaxed) < MOST_WAITING
            } else {
                waiting.store(0, Ordering::Relaxed);
                true
            }
        });
        lines.push(layer.with_filter(bounded).boxed());
    }

    let spans = tracer.map(|tracer| {
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            // A span holds what was measured, not where in which file and on which thread.
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false)
            .with_filter(FilterFn::new(is_application_span).with_max_level_hint(LevelFilter::INFO))
    });

    Registry::default()
        .with(lines.with_filter(filter))
        .with(spans)
        .with(watch.map(Watch::into_layer))
        .try_init()
        .map_err(|_| Error::AlreadyInitialised)
}

fn is_machinery(meta: &Metadata<'_>) -> bool {
    EXPORT_MACHINERY.iter().any(|name| meta.target().starts_with(name))
}

fn is_application_span(meta: &Metadata<'_>) -> bool {
    meta.is_span() && *meta.level() <= Level::INFO && meta.target() != CONTEXT_TARGET && !is_machinery(meta)
}
