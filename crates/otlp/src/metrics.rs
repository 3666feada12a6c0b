//! Metric requests to series, exactly as Prometheus' OTLP receiver maps them (version 3.14), with two differences:
//! a data point that cannot be taken is left out and counted instead of failing the request, and delta temporality
//! is handed on, for the store to accumulate (Prometheus' feature `otlp-deltatocumulative`).
//!
//! Begin with [`to_series`]. Names are made in `naming`, label sets in `labels`, data points in `points` and
//! `native`, `target_info` in `target`.

mod exemplars;
mod labels;
mod naming;
mod native;
mod points;
mod target;

use model::{Batch as Series, Family, Metadata, MetricType, Temporality};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, ResourceMetrics, metric::Data,
};

use crate::Rejected;
use labels::{ResourceLabels, ScopeLabels};
use naming::Kind;
use points::Points;

/// The samples of a request, ready for the store.
pub type Batch = Series;

/// How names are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// What a classic name may not have becomes `_`; units and `_total` or `_ratio` are appended.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// Names are escaped, nothing is appended.
    UnderscoreEscapingWithoutSuffixes,
    /// UTF-8 names are kept; units and `_total` or `_ratio` are appended.
    NoUTF8EscapingWithSuffixes,
    /// Names are kept as they are.
    NoTranslation,
}

impl Strategy {
    fn escapes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::UnderscoreEscapingWithoutSuffixes)
    }

    fn adds_suffixes(self) -> bool {
        matches!(self, Self::UnderscoreEscapingWithSuffixes | Self::NoUTF8EscapingWithSuffixes)
    }
}

impl std::str::FromStr for Strategy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "" | "UnderscoreEscapingWithSuffixes" => Ok(Self::UnderscoreEscapingWithSuffixes),
            "UnderscoreEscapingWithoutSuffixes" => Ok(Self::UnderscoreEscapingWithoutSuffixes),
            "NoUTF8EscapingWithSuffixes" => Ok(Self::NoUTF8EscapingWithSuffixes),
            "NoTranslation" => Ok(Self::NoTranslation),
            other => Err(format!("unsupported OTLP translation strategy {other:?}")),
        }
    }
}

/// The `otlp:` block of `prometheus.yml`, with the limits of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys of the configuration file")]
pub struct Config {
    /// Every resource attribute becomes a label, but those of `ignore_resource_attributes`.
    pub promote_all_resource_attributes: bool,
    /// Resource attributes that become labels.
    pub promote_resource_attributes: Vec<String>,
    /// Resource attributes that do not, where all others do.
    pub ignore_resource_attributes: Vec<String>,
    /// How names are made.
    pub translation_strategy: Strategy,
    /// `target_info` keeps `service.name`, `service.namespace` and `service.instance.id`, besides `job` and `instance`.
    pub keep_identifying_resource_attributes: bool,
    /// Explicit-bucket histograms become native ones with custom bounds instead of `_bucket` series.
    pub convert_histograms_to_nhcb: bool,
    /// Name, version, schema URL and attributes of the scope become labels `otel_scope_…`.
    pub promote_scope_metadata: bool,
    /// A label that begins with one underscore gets `key` in front.
    pub label_name_underscore_sanitization: bool,
    /// Underscores in a row stay in label names.
    pub label_name_preserve_multiple_underscores: bool,
    /// How far back a query looks for a sample, in milliseconds: `target_info` has a sample every half of it.
    pub lookback_delta_ms: i64,
    /// What a request may have at most.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            promote_all_resource_attributes: false,
            promote_resource_attributes: Vec::new(),
            ignore_resource_attributes: Vec::new(),
            translation_strategy: Strategy::default(),
            keep_identifying_resource_attributes: false,
            convert_histograms_to_nhcb: false,
            promote_scope_metadata: false,
            label_name_underscore_sanitization: true,
            label_name_preserve_multiple_underscores: true,
            lookback_delta_ms: 300_000,
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// Checks what the types cannot say, with the words of Prometheus, and trims the attribute names.
    pub fn validated(mut self) -> Result<Self, String> {
        if self.promote_all_resource_attributes {
            if !self.promote_resource_attributes.is_empty() {
                return Err("'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be \
                            configured simultaneously"
                    .to_owned());
            }
            trim_attributes(&mut self.ignore_resource_attributes, "ignored")
                .map_err(|reason| format!("invalid 'ignore_resource_attributes': {reason}"))?;
        } else {
            if !self.ignore_resource_attributes.is_empty() {
                return Err("'ignore_resource_attributes' cannot be configured unless \
                            'promote_all_resource_attributes' is true"
                    .to_owned());
            }
            trim_attributes(&mut self.promote_resource_attributes, "promoted")
                .map_err(|reason| format!("invalid 'promote_resource_attributes': {reason}"))?;
        }
        Ok(self)
    }

    /// Whether a resource attribute becomes a label of every series.
    fn promotes(&self, attribute: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|name| name == attribute);
        if self.promote_all_resource_attributes {
            !named(&self.ignore_resource_attributes)
        } else {
            named(&self.promote_resource_attributes)
        }
    }
}

fn trim_attributes(attributes: &mut [String], adjective: &str) -> Result<(), String> {
    let mut wrong = Vec::new();
    for index in 0..attributes.len() {
        let trimmed = attributes[index].trim().to_owned();
        if trimmed.is_empty() {
            wrong.push(format!("empty {adjective} OTel resource attribute"));
        } else if attributes[..index].contains(&trimmed) {
            wrong.push(format!("duplicated {adjective} OTel resource attribute {trimmed:?}"));
        }
        attributes[index] = trimmed;
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// What a request may have at most. A data point past a limit is rejected; the rest is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Samples of all data points together: a small request can have many, since each bucket of a histogram is one.
    pub max_samples: usize,
    /// Labels of a series.
    pub max_labels: usize,
    /// Bytes of one label, name and value together.
    pub max_label_bytes: usize,
    /// Buckets of one histogram data point.
    pub max_buckets: usize,
    /// Bytes of a metric's name.
    pub max_name_bytes: usize,
    /// Bytes of a metric's description; what is longer is cut.
    pub max_help_bytes: usize,
    /// Bytes of all labels of the batch together, with what each costs in memory.
    pub max_batch_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_samples: 500_000,
            max_labels: 128,
            max_label_bytes: 1 << 15,
            max_buckets: 4096,
            max_name_bytes: 1 << 10,
            max_help_bytes: 1 << 12,
            max_batch_bytes: 256 << 20,
        }
    }
}

/// Maps a request to series as Prometheus' OTLP receiver does. What is rejected is counted in data points.
pub fn to_series(request: ExportMetricsServiceRequest, config: &Config) -> (Batch, Rejected) {
    let mut out = Points::new(config);
    for resource_metrics in request.resource_metrics {
        resource(resource_metrics, &mut out);
    }
    out.finish()
}

fn resource(metrics: ResourceMetrics, out: &mut Points<'_>) {
    let attributes = metrics.resource.map_or_else(Vec::new, |resource| resource.attributes);
    let labels = match ResourceLabels::new(&attributes, out.config) {
        Ok(labels) => labels,
        Err(reason) => {
            let count = metrics.scope_metrics.iter().flat_map(|scope| &scope.metrics).map(point_count).sum();
            out.rejected.add_many("invalid_label", count, || reason);
            return;
        }
    };
    out.begin_resource(labels);
    for scope in metrics.scope_metrics {
        let labels = match ScopeLabels::new(scope.scope.as_ref(), &scope.schema_url, out.config) {
            Ok(labels) => labels,
            Err(reason) => {
                let count = scope.metrics.iter().map(point_count).sum();
                out.rejected.add_many("invalid_label", count, || reason);
                continue;
            }
        };
        out.begin_scope(labels);
        for metric in scope.metrics {
            family(metric, out);
        }
    }
    target::add(&attributes, out);
}

fn family(metric: Metric, out: &mut Points<'_>) {
    let count = point_count(&metric);
    // The time range of target_info covers every data point, those that are rejected included.
    out.see_times(&metric);
    let Some(data) = metric.data else {
        out.rejected.add_many("unsupported_type", count, String::new);
        out.warn(|| format!("metric {:?} has no data of a known type", metric.name));
        return;
    };
    if count == 0 {
        out.warn(|| format!("empty data points. {} is dropped", metric.name));
        return;
    }
    if metric.name.len() > out.config.limits.max_name_bytes {
        let limit = out.config.limits.max_name_bytes;
        out.rejected.add_many("name_too_long", count, || {
            format!("a metric name is longer than the limit of {limit} bytes")
        });
        return;
    }
    let (name_kind, metric_type) = match &data {
        Data::Gauge(_) => (Kind::Gauge, MetricType::Gauge),
        Data::Sum(sum) if sum.is_monotonic => (Kind::Counter, MetricType::Counter),
        Data::Sum(_) => (Kind::Other, MetricType::Gauge),
        Data::Histogram(_) | Data::ExponentialHistogram(_) => (Kind::Other, MetricType::Histogram),
        Data::Summary(_) => (Kind::Other, MetricType::Summary),
    };
    let Some(temporality) = temporality(&data) else {
        out.rejected.add_many("invalid_temporality", count, || {
            format!("invalid temporality and type combination for metric {:?}", metric.name)
        });
        return;
    };
    let name = match naming::metric_name(&metric.name, &metric.unit, name_kind, out.config) {
        Ok(name) => name,
        Err(reason) => {
            out.rejected.add_many("invalid_name", count, || reason);
            return;
        }
    };
    let mut help = metric.description;
    help.truncate(help.floor_char_boundary(out.config.limits.max_help_bytes));
    let metadata = Metadata { kind: metric_type, help, unit: naming::unit_name(&metric.unit) };
    out.begin_family(Family { name, metadata }, temporality);
    match data {
        Data::Gauge(gauge) => out.numbers(gauge.data_points, false),
        Data::Sum(sum) => out.numbers(sum.data_points, true),
        Data::Histogram(histogram) if out.config.convert_histograms_to_nhcb => {
            out.custom_buckets(histogram.data_points);
        }
        Data::Histogram(histogram) => out.histograms(histogram.data_points),
        Data::ExponentialHistogram(histogram) => out.exponential(histogram.data_points),
        Data::Summary(summary) => out.summaries(summary.data_points),
    }
}

/// What the values count from; `None` if the sender did not say, though it has to.
fn temporality(data: &Data) -> Option<Temporality> {
    let sent = match data {
        Data::Gauge(_) | Data::Summary(_) => return Some(Temporality::Cumulative),
        Data::Sum(sum) => sum.aggregation_temporality,
        Data::Histogram(histogram) => histogram.aggregation_temporality,
        Data::ExponentialHistogram(histogram) => histogram.aggregation_temporality,
    };
    match AggregationTemporality::try_from(sent) {
        Ok(AggregationTemporality::Cumulative) => Some(Temporality::Cumulative),
        Ok(AggregationTemporality::Delta) => Some(Temporality::Delta),
        Ok(AggregationTemporality::Unspecified) | Err(_) => None,
    }
}

/// How many data points a metric has.
fn point_count(metric: &Metric) -> u64 {
    let count = match &metric.data {
        None => 0,
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
    };
    count as u64
}
