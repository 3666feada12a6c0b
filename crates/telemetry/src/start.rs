//! From settings to running telemetry.

use std::sync::Arc;

use opentelemetry::metrics::{Counter, Meter, MeterProvider};
use opentelemetry::propagation::{TextMapCompositePropagator, TextMapPropagator};
use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, KeyValue, global};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{self, BatchLogProcessor, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{
    Aggregation, Instrument, InstrumentKind, PeriodicReader, SdkMeterProvider, Stream,
};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{self, BatchSpanProcessor, SdkTracerProvider};
use tokio::runtime::Handle;

use crate::delivery::{Delivery, Signal};
use crate::exporters::Exporters;
use crate::guard::{Guard, LokiTask, Parts};
use crate::logging::{self, Finishing, Watch};
use crate::profiles::Profiler;
use crate::settings::{Batches, Propagator, Sampler, Settings};
use crate::{Error, Inner, Result, Telemetry, server};

/// Sets up telemetry for this process as its environment says. Call it inside a Tokio runtime, once.
///
/// `service_name` is what the service is called where `OTEL_SERVICE_NAME` does not say otherwise.
///
/// # Errors
/// A value that is not allowed ([`Error::BadValue`]), a call outside a runtime, a second call.
pub fn init(service_name: &str, service_version: &str) -> Result<Guard> {
    init_with(&Settings::from_env(service_name, service_version)?)
}

/// As [`init`], with settings that come from elsewhere.
///
/// # Errors
/// As [`init`].
pub fn init_with(settings: &Settings) -> Result<Guard> {
    let runtime = Handle::try_current().map_err(|_| Error::NoRuntime)?;
    let resource = resource(settings);
    let mut exporters = Exporters::new(settings.console);

    let tracers = if settings.disabled { None } else { Some(tracers(settings, &mut exporters, &resource)?) };
    let loggers = loggers(settings, &mut exporters, &resource)?;
    let registry = settings.prometheus.then(prometheus::Registry::new);
    let meters = meters(settings, &mut exporters, &resource, registry.as_ref())?;

    let mut watched = Vec::new();
    let (loki, loki_task) = match &settings.loki {
        None => (None, None),
        Some(url) => {
            let (layer, task) = loki(settings, url, &runtime)?;
            let delivery = Delivery::new(url, settings.console);
            let base_url = url.clone();
            watched.push(logging::WatchedDestination {
                signal: Signal::Logs,
                base_url,
                delivery: Arc::clone(&delivery),
            });
            (Some(logging::Loki { layer, delivery }), Some(task))
        }
    };
    if let Some(address) = &settings.pyroscope {
        let delivery = Delivery::new(address, settings.console);
        let base_url = address.clone();
        watched.push(logging::WatchedDestination { signal: Signal::Profiles, base_url, delivery });
    }
    let watch = (!watched.is_empty()).then(|| Watch::new(watched, runtime.clone()));

    let tracer = tracers.as_ref().map(|provider| provider.tracer_with_scope(scope()));
    logging::install(settings, tracer.clone(), loggers.as_ref(), loki, watch)?;
    for warning in &settings.warnings {
        tracing::warn!(target: crate::delivery::TARGET, "{warning}");
    }
    let profiler = match &settings.pyroscope {
        Some(address) => Some(Profiler::start(settings, address)?),
        None => None,
    };

    // Also for what is instrumented against OpenTelemetry's own API.
    global::set_text_map_propagator(propagator(&settings.propagators));
    if let Some(provider) = &tracers {
        global::set_tracer_provider(provider.clone());
    }
    if let Some(provider) = &meters {
        global::set_meter_provider(provider.clone());
    }
    let meter = meters.as_ref().map_or_else(idle_meter, |provider| provider.meter_with_scope(scope()));
    let service = settings.resource_attribute("service.name").unwrap_or_default();
    let telemetry = Telemetry {
        inner: Arc::new(Inner {
            tracer,
            errors: errors(&meter, service),
            service: service.into(),
            meter,
            measures: meters.is_some(),
            propagator: Box::new(propagator(&settings.propagators)),
            registry,
            profiler,
            context_spans: settings.loki.is_some(),
        }),
    };
    Ok(Guard::new(telemetry, Parts { tracers, loggers, meters, loki: loki_task, runtime }))
}

pub(crate) fn disabled() -> Telemetry {
    let meter = idle_meter();
    let inner = Inner {
        tracer: None,
        errors: errors(&meter, ""),
        service: Arc::default(),
        meter,
        measures: false,
        propagator: Box::new(propagator(&[Propagator::TraceContext, Propagator::Baggage])),
        registry: None,
        profiler: None,
        context_spans: false,
    };
    Telemetry { inner: Arc::new(inner) }
}

/// A meter whose instruments go nowhere.
fn idle_meter() -> Meter {
    opentelemetry::metrics::noop::NoopMeterProvider::new().meter("telemetry")
}

/// Both that every service has are there from the start.
fn errors(meter: &Meter, service: &str) -> Counter<u64> {
    let errors = meter
        .u64_counter("demo.errors")
        .with_unit("{error}")
        .with_description("Requests that were answered with an error, by who is to blame for it.")
        .build();
    for origin in [server::ORIGIN_CALLER, service] {
        errors.add(0, &[KeyValue::new(server::ORIGIN, origin.to_owned())]);
    }
    errors
}

/// Short: it stands beside every batch.
fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("telemetry").with_version(env!("CARGO_PKG_VERSION")).build()
}

fn resource(settings: &Settings) -> Resource {
    let own = settings.resource.iter().map(|(key, value)| match value.parse::<i64>() {
        // A number by the conventions; all others of ours are text.
        Ok(pid) if key == "process.pid" => KeyValue::new(key.clone(), pid),
        _ => KeyValue::new(key.clone(), value.clone()),
    });
    Resource::builder_empty()
        .with_detector(Box::new(opentelemetry_sdk::resource::TelemetryResourceDetector))
        .with_attributes(own)
        .build()
}

fn propagator(propagators: &[Propagator]) -> TextMapCompositePropagator {
    let boxed = propagators.iter().map(|propagator| -> Box<dyn TextMapPropagator + Send + Sync> {
        match propagator {
            Propagator::TraceContext => Box::new(TraceContextPropagator::new()),
            Propagator::Baggage => Box::new(BaggagePropagator::new()),
        }
    });
    TextMapCompositePropagator::new(boxed.collect())
}

fn tracers(settings: &Settings, exporters: &mut Exporters, resource: &Resource) -> Result<SdkTracerProvider> {
    let Sampler { parent_based, share } = settings.sampler;
    let root = if share >= 1.0 {
        trace::Sampler::AlwaysOn
    } else if share <= 0.0 {
        trace::Sampler::AlwaysOff
    } else {
        trace::Sampler::TraceIdRatioBased(share)
    };
    let builder = SdkTracerProvider::builder().with_resource(resource.clone());
    let builder = if parent_based {
        builder.with_sampler(trace::Sampler::parent_based(root))
    } else {
        builder.with_sampler(root)
    };
    let Some(otlp) = &settings.traces else {
        // Ids are still made and passed on: log lines carry them.
        return Ok(builder.build());
    };
    let Batches { delay, queue, size } = settings.span_batches;
    let batches = trace::BatchConfigBuilder::default()
        .with_scheduled_delay(delay)
        .with_max_queue_size(queue)
        .with_max_export_batch_size(size)
        .build();
    let processor = BatchSpanProcessor::builder(exporters.spans(otlp)?).with_batch_config(batches).build();
    Ok(builder.with_span_processor(processor).build())
}

fn loggers(
    settings: &Settings,
    exporters: &mut Exporters,
    resource: &Resource,
) -> Result<Option<SdkLoggerProvider>> {
    let Some(otlp) = &settings.logs else { return Ok(None) };
    let Batches { delay, queue, size } = settings.log_batches;
    let batches = logs::BatchConfigBuilder::default()
        .with_scheduled_delay(delay)
        .with_max_queue_size(queue)
        .with_max_export_batch_size(size)
        .build();
    let processor = BatchLogProcessor::builder(exporters.logs(otlp)?).with_batch_config(batches).build();
    Ok(Some(
        SdkLoggerProvider::builder()
            .with_resource(resource.clone())
            .with_log_processor(Finishing)
            .with_log_processor(processor)
            .build(),
    ))
}

fn meters(
    settings: &Settings,
    exporters: &mut Exporters,
    resource: &Resource,
    registry: Option<&prometheus::Registry>,
) -> Result<Option<SdkMeterProvider>> {
    if settings.metrics.is_none() && registry.is_none() {
        return Ok(None);
    }
    let mut builder = SdkMeterProvider::builder().with_resource(resource.clone());
    if let Some(otlp) = &settings.metrics {
        let exporter = exporters.metrics(otlp, settings)?;
        let reader = PeriodicReader::builder(exporter).with_interval(settings.metric_interval);
        builder = builder.with_reader(reader.build());
    }
    if let Some(registry) = registry {
        // The scope is the same on every series and would double the length of each line.
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .map_err(|error| Error::exporter("metrics", &error))?;
        builder = builder.with_reader(reader);
    }
    if settings.exponential_histograms {
        builder = builder.with_view(|instrument: &Instrument| {
            if instrument.kind() != InstrumentKind::Histogram {
                return None;
            }
            let aggregation =
                Aggregation::Base2ExponentialHistogram { max_size: 160, max_scale: 20, record_min_max: true };
            Stream::builder().with_aggregation(aggregation).build().ok()
        });
    }
    Ok(Some(builder.build()))
}

fn loki(settings: &Settings, url: &str, runtime: &Handle) -> Result<(tracing_loki::Layer, LokiTask)> {
    // With a slash at its end, as the library joins paths onto it.
    let base = format!("{}/", url.trim_end_matches('/'));
    let base = reqwest::Url::parse(&base).map_err(|error| Error::exporter("logs", &error))?;
    let mut builder = tracing_loki::builder();
    // The labels that Loki's OTLP endpoint would give the stream as well.
    for (label, key) in [("service_name", "service.name"), ("service_namespace", "service.namespace")] {
        let value = settings.resource_attribute(key).unwrap_or_default();
        builder = builder.label(label, value).map_err(|error| Error::exporter("logs", &error))?;
    }
    let (layer, controller, task) =
        builder.build_controller_url(base).map_err(|error| Error::exporter("logs", &error))?;
    Ok((layer, LokiTask { controller, task: runtime.spawn(task) }))
}
