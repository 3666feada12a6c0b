//! What the environment says, checked. The variables are those of the OpenTelemetry specification
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>); four are ours or another
//! tool's, because the specification has no name for them: `RUST_LOG`, `LOG_FORMAT`, `LOKI_URL`,
//! `PYROSCOPE_SERVER_ADDRESS`.

mod detect;
mod env;

use std::time::Duration;

pub(crate) use env::Env;

use crate::{Error, Result};

/// The variables, for the `--help` of a program that uses this crate.
pub const HELP: &str = "\
Telemetry (OpenTelemetry's variables; lists are separated by commas):
  OTEL_SDK_DISABLED=true          no traces, no metrics; logs to the console only
  OTEL_SERVICE_NAME               name of the service [default: the program's]
  OTEL_RESOURCE_ATTRIBUTES        key=value,… [default: service.namespace=demo, and what is found out: host.name,
                                  process.pid, process.executable.name, container.id]
  OTEL_TRACES_EXPORTER            otlp, none [default: otlp]
  OTEL_METRICS_EXPORTER           otlp, prometheus (at /metrics), none [default: otlp,prometheus]
  OTEL_LOGS_EXPORTER              otlp, loki, console, none [default: otlp,console]
  OTEL_EXPORTER_OTLP_ENDPOINT     [default: http://localhost:4318, with grpc http://localhost:4317]
  OTEL_EXPORTER_OTLP_PROTOCOL     http/protobuf, grpc [default: http/protobuf]
  OTEL_EXPORTER_OTLP_COMPRESSION  gzip, none [default: none]
  OTEL_EXPORTER_OTLP_HEADERS      key=value,…
  OTEL_EXPORTER_OTLP_TIMEOUT      milliseconds [default: 10000]
                                  (each also as OTEL_EXPORTER_OTLP_{TRACES,METRICS,LOGS}_…)
  OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE            cumulative, delta, lowmemory
  OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION     explicit_bucket_histogram,
                                                               base2_exponential_bucket_histogram
  OTEL_TRACES_SAMPLER, _ARG       always_on, always_off, traceidratio, parentbased_always_on [default],
                                  parentbased_always_off, parentbased_traceidratio; the argument is a share, 0 to 1
  OTEL_BSP_*, OTEL_BLRP_*         SCHEDULE_DELAY, EXPORT_TIMEOUT (milliseconds), MAX_QUEUE_SIZE, MAX_EXPORT_BATCH_SIZE
  OTEL_METRIC_EXPORT_INTERVAL     milliseconds [default: 60000]
  OTEL_PROPAGATORS                tracecontext, baggage, none [default: tracecontext,baggage]
  RUST_LOG                        which log lines, e.g. info,users=debug [default: info]
  LOG_FORMAT                      of the console: text, json [default: text]
  LOKI_URL                        for OTEL_LOGS_EXPORTER=loki [default: http://localhost:3100]
  PYROSCOPE_SERVER_ADDRESS        where CPU profiles are sent [default: none are taken]";

/// Everything that [`crate::init`] needs to know.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a variable of the specification's that is on or off"
)]
pub struct Settings {
    /// `OTEL_SDK_DISABLED`.
    pub disabled: bool,
    /// Attributes of the resource, `service.*` first, without `telemetry.sdk.*`.
    pub resource: Vec<(String, String)>,
    /// Where spans go, or `None` for nowhere.
    pub traces: Option<Otlp>,
    /// Where metrics are pushed, or `None` for nowhere.
    pub metrics: Option<Otlp>,
    /// Whether `/metrics` answers.
    pub prometheus: bool,
    /// Where log records are pushed over OTLP, or `None` for nowhere.
    pub logs: Option<Otlp>,
    /// Loki's base address, where log lines are pushed to it directly.
    pub loki: Option<String>,
    /// Whether log lines are printed on standard output.
    pub console: bool,
    /// Shape of the lines that are printed.
    pub log_format: LogFormat,
    /// `RUST_LOG`, unparsed.
    pub log_filter: String,
    /// Which traces are kept.
    pub sampler: Sampler,
    /// Batches of spans.
    pub span_batches: Batches,
    /// Batches of log records.
    pub log_batches: Batches,
    /// Time between two pushes of metrics.
    pub metric_interval: Duration,
    /// Temporality of pushed metrics.
    pub temporality: Temporality,
    /// Histograms as base-2 exponential ones.
    pub exponential_histograms: bool,
    /// How context crosses processes, in this order.
    pub propagators: Vec<Propagator>,
    /// Pyroscope's base address, where CPU profiles are wanted.
    pub pyroscope: Option<String>,
    /// Values that were not understood but can be done without; each is a whole sentence.
    pub warnings: Vec<String>,
}

/// An OTLP receiver, for one signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Otlp {
    /// With gRPC the base address, with HTTP the whole address of the signal.
    pub endpoint: String,
    /// The transport.
    pub protocol: Protocol,
    /// Most time for a batch, retries included.
    pub timeout: Duration,
    /// Whether bodies are compressed with gzip.
    pub gzip: bool,
}

/// OTLP's transports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf bodies.
    HttpProtobuf,
}

/// Shape of the log lines on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// `time level target: message key=value… trace_id=…`
    Text,
    /// An object a line.
    Json,
}

/// `OTEL_TRACES_SAMPLER` with its argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampler {
    /// Whether the caller's decision counts.
    pub parent_based: bool,
    /// Share of the traces that begin here, 0 to 1.
    pub share: f64,
}

/// `OTEL_BSP_*` or `OTEL_BLRP_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batches {
    /// Longest time that an item waits.
    pub delay: Duration,
    /// Most items that wait; more are dropped.
    pub queue: usize,
    /// Most items in a batch.
    pub size: usize,
}

/// `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Temporality {
    /// Since the start of the process.
    Cumulative,
    /// Since the last push.
    Delta,
    /// Delta for synchronous counters and histograms.
    LowMemory,
}

/// A propagator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagator {
    /// W3C trace context.
    TraceContext,
    /// W3C baggage.
    Baggage,
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`Error::BadValue`] names the variable, its value and what is allowed.
    pub fn from_env(service_name: &str, service_version: &str) -> Result<Self> {
        Self::from_lookup(service_name, service_version, &|name| std::env::var(name).ok())
    }

    /// Reads variables from anywhere.
    ///
    /// # Errors
    /// As [`Settings::from_env`].
    pub fn from_lookup(
        service_name: &str,
        service_version: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let env = Env::new(lookup);
        let mut warnings = Vec::new();
        let disabled = env.flag("OTEL_SDK_DISABLED", &mut warnings);

        let trace_exporters = env.list("OTEL_TRACES_EXPORTER", &["otlp"], &["otlp", "none"])?;
        let metric_exporters =
            env.list("OTEL_METRICS_EXPORTER", &["otlp", "prometheus"], &["otlp", "prometheus", "none"])?;
        let log_exporters =
            env.list("OTEL_LOGS_EXPORTER", &["otlp", "console"], &["otlp", "loki", "console", "none"])?;
        let has = |list: &[String], name: &str| list.iter().any(|entry| entry == name);
        let otlp = |wanted: bool, signal: &str, path: &str| -> Result<Option<Otlp>> {
            if wanted && !disabled { Otlp::from_env(&env, signal, path).map(Some) } else { Ok(None) }
        };

        let exponential_histograms = env.choice(
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "explicit_bucket_histogram",
            &["explicit_bucket_histogram", "base2_exponential_bucket_histogram"],
        )? == "base2_exponential_bucket_histogram";
        let prometheus = has(&metric_exporters, "prometheus") && !disabled;
        if exponential_histograms && prometheus {
            warnings.push(
                "exponential histograms are not shown at /metrics, which has no form for them".to_owned(),
            );
        }
        let loki = has(&log_exporters, "loki") && !disabled;
        let loki = if loki {
            Some(env.http_address("LOKI_URL")?.unwrap_or_else(|| "http://localhost:3100".to_owned()))
        } else {
            None
        };
        let pyroscope = env.http_address("PYROSCOPE_SERVER_ADDRESS")?.filter(|_| !disabled);
        Ok(Self {
            disabled,
            resource: resource(&env, service_name, service_version)?,
            traces: otlp(has(&trace_exporters, "otlp"), "TRACES", "v1/traces")?,
            metrics: otlp(has(&metric_exporters, "otlp"), "METRICS", "v1/metrics")?,
            prometheus,
            logs: otlp(has(&log_exporters, "otlp"), "LOGS", "v1/logs")?,
            loki,
            console: has(&log_exporters, "console"),
            log_format: match env.choice("LOG_FORMAT", "text", &["text", "json"])?.as_str() {
                "json" => LogFormat::Json,
                _ => LogFormat::Text,
            },
            log_filter: env.text("RUST_LOG").unwrap_or_else(|| "info".to_owned()),
            sampler: sampler(&env)?,
            span_batches: batches(&env, "OTEL_BSP", 5000)?,
            log_batches: batches(&env, "OTEL_BLRP", 1000)?,
            metric_interval: env.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000)?,
            temporality: match env
                .choice(
                    "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",
                    "cumulative",
                    &["cumulative", "delta", "lowmemory"],
                )?
                .as_str()
            {
                "delta" => Temporality::Delta,
                "lowmemory" => Temporality::LowMemory,
                _ => Temporality::Cumulative,
            },
            exponential_histograms,
            propagators: propagators(&env, &mut warnings),
            pyroscope,
            warnings,
        })
    }

    /// An attribute of the resource.
    pub fn resource_attribute(&self, key: &str) -> Option<&str> {
        self.resource.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

impl Otlp {
    fn from_env(env: &Env<'_>, signal: &str, path: &str) -> Result<Self> {
        let own = |suffix: &str| format!("OTEL_EXPORTER_OTLP_{signal}_{suffix}");
        let shared = |suffix: &str| format!("OTEL_EXPORTER_OTLP_{suffix}");
        // What is set for the signal counts, then what is set for all of them.
        let variable = |suffix: &str| {
            if env.text(&own(suffix)).is_some() { own(suffix) } else { shared(suffix) }
        };
        let protocol =
            match env.choice(&variable("PROTOCOL"), "http/protobuf", &["grpc", "http/protobuf"])?.as_str() {
                "grpc" => Protocol::Grpc,
                _ => Protocol::HttpProtobuf,
            };
        let endpoint = match (env.http_address(&own("ENDPOINT"))?, protocol) {
            // The address of one signal is taken as it stands, that of all gets the signal's path.
            (Some(whole), _) => whole,
            (None, Protocol::Grpc) => {
                env.http_address(&shared("ENDPOINT"))?.unwrap_or_else(|| "http://localhost:4317".to_owned())
            }
            (None, Protocol::HttpProtobuf) => {
                let base = env
                    .http_address(&shared("ENDPOINT"))?
                    .unwrap_or_else(|| "http://localhost:4318".to_owned());
                format!("{}/{path}", base.trim_end_matches('/'))
            }
        };
        Ok(Self {
            endpoint,
            protocol,
            timeout: env.milliseconds(&variable("TIMEOUT"), 10_000)?,
            gzip: env.choice(&variable("COMPRESSION"), "none", &["gzip", "none"])? == "gzip",
        })
    }
}

fn resource(env: &Env<'_>, service_name: &str, service_version: &str) -> Result<Vec<(String, String)>> {
    let mut attributes = vec![
        ("service.name".to_owned(), service_name.to_owned()),
        ("service.namespace".to_owned(), "demo".to_owned()),
        ("service.version".to_owned(), service_version.to_owned()),
        ("service.instance.id".to_owned(), env::instance_id()),
    ];
    attributes.extend(detect::here().into_iter().map(|(key, value)| (key.to_owned(), value)));
    let mut set = |key: String, value: String| match attributes.iter_mut().find(|(name, _)| *name == key) {
        Some((_, old)) => *old = value,
        None => attributes.push((key, value)),
    };
    for (key, value) in env.pairs("OTEL_RESOURCE_ATTRIBUTES")? {
        set(key, value);
    }
    if let Some(name) = env.text("OTEL_SERVICE_NAME") {
        set("service.name".to_owned(), name);
    }
    Ok(attributes)
}

fn sampler(env: &Env<'_>) -> Result<Sampler> {
    const NAMES: &[&str] = &[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ];
    let name = env.choice("OTEL_TRACES_SAMPLER", "parentbased_always_on", NAMES)?;
    let (parent_based, root) =
        name.strip_prefix("parentbased_").map_or((false, name.as_str()), |root| (true, root));
    let share = match root {
        "always_on" => 1.0,
        "always_off" => 0.0,
        _ => match env.text("OTEL_TRACES_SAMPLER_ARG") {
            None => 1.0,
            Some(text) => text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| {
                Error::bad_value("OTEL_TRACES_SAMPLER_ARG", &text, "a number from 0 to 1".to_owned())
            })?,
        },
    };
    Ok(Sampler { parent_based, share })
}

fn batches(env: &Env<'_>, prefix: &str, delay_ms: u64) -> Result<Batches> {
    let queue = env.count(&format!("{prefix}_MAX_QUEUE_SIZE"), 2048)?;
    let variable = format!("{prefix}_MAX_EXPORT_BATCH_SIZE");
    let size = env.count(&variable, queue.min(512))?;
    if size > queue {
        let allowed = format!("at most {prefix}_MAX_QUEUE_SIZE, which is {queue}");
        return Err(Error::bad_value(&variable, &size.to_string(), allowed));
    }
    // Checked, though the processors of this SDK leave the time limit of a batch to the exporter.
    env.milliseconds(&format!("{prefix}_EXPORT_TIMEOUT"), 30_000)?;
    Ok(Batches { delay: env.milliseconds(&format!("{prefix}_SCHEDULE_DELAY"), delay_ms)?, queue, size })
}

/// A propagator that is not known is left out with a warning, as the specification asks.
fn propagators(env: &Env<'_>, warnings: &mut Vec<String>) -> Vec<Propagator> {
    let text = env.text("OTEL_PROPAGATORS").unwrap_or_else(|| "tracecontext,baggage".to_owned());
    let mut found = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let propagator = match name {
            "tracecontext" => Propagator::TraceContext,
            "baggage" => Propagator::Baggage,
            "none" => continue,
            _ => {
                warnings.push(format!(
                    "OTEL_PROPAGATORS: {name:?} is left out; known are tracecontext, baggage, none"
                ));
                continue;
            }
        };
        if !found.contains(&propagator) {
            found.push(propagator);
        }
    }
    found
}

#[cfg(test)]
mod tests;
