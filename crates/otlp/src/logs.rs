//! Log requests to streams, as Loki's OTLP endpoint maps them.
//!
//! A few resource attributes become the labels that name a stream; every other attribute and field of a record becomes
//! structured metadata; the body becomes the line. What does not belong to the mapping but to the store (limits,
//! ages, `detected_level`) is not done here.
//!
//! - [`names`]: attribute keys to label names.
//! - [`text`]: attribute values and bodies to text.
//!
//! Fact source: `pkg/loghttp/push` of grafana/loki.

pub mod names;
pub mod text;

use std::collections::HashMap;

use model::{Labels, LogEntry, LogStream};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs};

use crate::Rejected;
use names::NameError;

/// The label that every stream has.
pub const SERVICE_NAME: &str = "service_name";
/// Its value where nothing names the service.
pub const UNKNOWN_SERVICE: &str = "unknown_service";

type Metadata = Vec<(String, String)>;

/// Which attributes name a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Keys of the resource attributes that become stream labels.
    pub index_attributes: Vec<String>,
    /// Labels that stand in for the service's name, the first that is there, where the resource has no `service.name`.
    /// If the list is empty, nothing stands in.
    pub discover_service_name: Vec<String>,
    /// Whether a record's severity text becomes a stream label as well.
    pub severity_text_as_label: bool,
}

impl Default for Config {
    /// Loki's defaults.
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            index_attributes: owned(&INDEX_ATTRIBUTES),
            discover_service_name: owned(&DISCOVER_SERVICE_NAME),
            severity_text_as_label: false,
        }
    }
}

const INDEX_ATTRIBUTES: [&str; 18] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

const DISCOVER_SERVICE_NAME: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

impl Config {
    /// The service's name for a stream whose labels hold none: the value of the first label of the list that is there,
    /// else `unknown_service`; `None` if the list is empty.
    pub fn stand_in_service_name<'a>(&self, get: impl Fn(&str) -> &'a str) -> Option<&'a str> {
        if self.discover_service_name.is_empty() {
            return None;
        }
        let found = self.discover_service_name.iter().map(|name| get(name)).find(|value| !value.is_empty());
        Some(found.unwrap_or(UNKNOWN_SERVICE))
    }

    /// What Loki's push endpoint does to the labels of a stream that was pushed: adds `service_name` where it is
    /// missing.
    pub fn with_service_name(&self, labels: Labels) -> Labels {
        if !labels.get(SERVICE_NAME).is_empty() {
            return labels;
        }
        let Some(service) = self.stand_in_service_name(|name| labels.get(name)).map(str::to_owned) else {
            return labels;
        };
        let mut pairs = labels.into_pairs();
        pairs.push((SERVICE_NAME.to_owned(), service));
        Labels::new(pairs)
    }
}

/// Maps a request to streams as Loki's OTLP endpoint does. `now_ns` stands in for records without a time.
///
/// Streams come in the order in which the request first names them, each with at least one entry. An attribute without
/// a usable key, or an identifier of a wrong length, refuses the whole request, as it does with Loki: then there are
/// no streams, and every record is counted as rejected.
pub fn to_streams(
    request: ExportLogsServiceRequest,
    now_ns: u64,
    config: &Config,
) -> (Vec<LogStream>, Rejected) {
    let records: u64 = request
        .resource_logs
        .iter()
        .flat_map(|resource| &resource.scope_logs)
        .map(|scope| scope.log_records.len() as u64)
        .sum();
    let mut streams = Streams::default();
    for resource in request.resource_logs {
        if let Err(error) = add_resource(&mut streams, resource, now_ns, config) {
            let mut rejected = Rejected::default();
            rejected.add_many(error.reason(), records, || error.to_string());
            return (Vec::new(), rejected);
        }
    }
    (streams.list, Rejected::default())
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum MapError {
    #[error(transparent)]
    Name(#[from] NameError),
    #[error("invalid length for {0}")]
    IdLength(&'static str),
}

impl MapError {
    fn reason(&self) -> &'static str {
        match self {
            Self::Name(_) => "invalid_attribute_name",
            Self::IdLength(_) => "invalid_id",
        }
    }
}

/// Streams so far, found by their labels.
#[derive(Default)]
struct Streams {
    list: Vec<LogStream>,
    by_labels: HashMap<Labels, usize>,
}

impl Streams {
    fn push(&mut self, labels: &Labels, entry: LogEntry) {
        let index = if let Some(index) = self.by_labels.get(labels) {
            *index
        } else {
            let index = self.list.len();
            self.list.push(LogStream { labels: labels.clone(), entries: Vec::new() });
            self.by_labels.insert(labels.clone(), index);
            index
        };
        self.list[index].entries.push(entry);
    }
}

fn add_resource(
    streams: &mut Streams,
    resource_logs: ResourceLogs,
    now_ns: u64,
    config: &Config,
) -> Result<(), MapError> {
    let attributes = resource_logs.resource.map(|resource| resource.attributes).unwrap_or_default();
    let (labels, resource_metadata) = resource_labels(&attributes, config)?;
    for scope_logs in resource_logs.scope_logs {
        let scope_metadata = scope_metadata(scope_logs.scope.unwrap_or_default())?;
        for record in scope_logs.log_records {
            let severity = record.severity_text.clone();
            let entry = entry(record, now_ns, &[&resource_metadata, &scope_metadata])?;
            if config.severity_text_as_label && !severity.is_empty() {
                let mut pairs = labels.clone().into_pairs();
                pairs.push(("severity_text".to_owned(), severity));
                streams.push(&Labels::new(pairs), entry);
            } else {
                streams.push(&labels, entry);
            }
        }
    }
    Ok(())
}

fn resource_labels(attributes: &[KeyValue], config: &Config) -> Result<(Labels, Metadata), MapError> {
    let mut named = Metadata::new();
    let mut metadata = Metadata::new();
    let mut has_service_name = false;
    for attribute in attributes {
        let value = attribute.value.as_ref();
        has_service_name |= attribute.key == "service.name" && !text::of(value).is_empty();
        let indexed = config.index_attributes.contains(&attribute.key);
        flatten(&attribute.key, value, "", if indexed { &mut named } else { &mut metadata })?;
    }
    let labels = Labels::new(named);
    if has_service_name {
        return Ok((labels, metadata));
    }
    Ok((config.with_service_name(labels), metadata))
}

fn scope_metadata(scope: InstrumentationScope) -> Result<Metadata, MapError> {
    let mut metadata = Metadata::new();
    for attribute in &scope.attributes {
        flatten(&attribute.key, attribute.value.as_ref(), "", &mut metadata)?;
    }
    push_text(&mut metadata, "scope_name", scope.name);
    push_text(&mut metadata, "scope_version", scope.version);
    push_number(&mut metadata, "scope_dropped_attributes_count", u64::from(scope.dropped_attributes_count));
    Ok(metadata)
}

fn entry(record: LogRecord, now_ns: u64, shared: &[&Metadata]) -> Result<LogEntry, MapError> {
    let inherited: usize = shared.iter().map(|metadata| metadata.len()).sum();
    let mut metadata = Metadata::with_capacity(record.attributes.len() + inherited + 8);
    for attribute in &record.attributes {
        // The field of that name wins over an attribute of the same name.
        if attribute.key == "event_name" && !record.event_name.is_empty() {
            continue;
        }
        flatten(&attribute.key, attribute.value.as_ref(), "", &mut metadata)?;
    }
    if record.time_unix_nano != 0 {
        push_number(&mut metadata, "observed_timestamp", record.observed_time_unix_nano);
    }
    if record.severity_number != 0 {
        metadata.push(("severity_number".to_owned(), record.severity_number.to_string()));
    }
    push_text(&mut metadata, "severity_text", record.severity_text);
    push_number(&mut metadata, "dropped_attributes_count", u64::from(record.dropped_attributes_count));
    push_number(&mut metadata, "flags", u64::from(record.flags));
    push_text(&mut metadata, "trace_id", hex_id::<16>(&record.trace_id, "TraceID")?);
    push_text(&mut metadata, "span_id", hex_id::<8>(&record.span_id, "SpanID")?);
    push_text(&mut metadata, "event_name", record.event_name);
    for inherited in shared {
        metadata.extend_from_slice(inherited);
    }

    let times = [record.time_unix_nano, record.observed_time_unix_nano];
    let time_ns = times.into_iter().find(|&time_ns| time_ns != 0).unwrap_or(now_ns) as i64;
    let line = match record.body.and_then(|body| body.value) {
        // The common case moves its text instead of copying it.
        Some(any_value::Value::StringValue(line)) => line,
        value => text::of(Some(&AnyValue { value })),
    };
    Ok(LogEntry { time_ns, line, metadata })
}

/// An attribute as one pair, or, of a map, as one pair for each of its leaves, their names joined by underscores.
fn flatten(key: &str, value: Option<&AnyValue>, prefix: &str, into: &mut Metadata) -> Result<(), NameError> {
    let key_with_prefix;
    let name = if prefix.is_empty() {
        names::label_name(key)?
    } else {
        key_with_prefix = format!("{prefix}_{key}");
        names::label_name(&key_with_prefix)?
    };
    if let Some(any_value::Value::KvlistValue(map)) = value.and_then(|value| value.value.as_ref()) {
        for inner in &map.values {
            flatten(&inner.key, inner.value.as_ref(), &name, into)?;
        }
    } else {
        into.push((name.into_owned(), text::of(value)));
    }
    Ok(())
}

fn push_text(metadata: &mut Metadata, name: &str, value: String) {
    if !value.is_empty() {
        metadata.push((name.to_owned(), value));
    }
}

fn push_number(metadata: &mut Metadata, name: &str, value: u64) {
    if value != 0 {
        metadata.push((name.to_owned(), value.to_string()));
    }
}

/// Lower-case hex; empty if there is no identifier or it is all zeros.
fn hex_id<const BYTES: usize>(id: &[u8], what: &'static str) -> Result<String, MapError> {
    if id.iter().all(|byte| *byte == 0) && (id.is_empty() || id.len() == BYTES) {
        return Ok(String::new());
    }
    if id.len() != BYTES {
        return Err(MapError::IdLength(what));
    }
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    Ok(id.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

#[cfg(test)]
mod tests;
