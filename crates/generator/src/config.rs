//! What is made of spans, and how much of it.

use std::time::Duration;

/// What the generator makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Rate, errors and duration; `None` makes none.
    pub span_metrics: Option<SpanMetrics>,
    /// Who calls whom; `None` makes none.
    pub service_graph: Option<ServiceGraph>,
    /// Most combinations of labels that all services together may have, in span metrics and in the graph each. Past
    /// it spans are counted in their service's overflow, and edges are dropped. The Collector has no such limit.
    pub max_series: usize,
}

impl Default for Config {
    /// The settings of `infra/otel-collector/config.yaml`.
    fn default() -> Self {
        Self {
            span_metrics: Some(SpanMetrics::default()),
            service_graph: Some(ServiceGraph::default()),
            max_series: 20_000,
        }
    }
}

/// The Collector's connector `span_metrics`.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanMetrics {
    /// What stands before `.calls` and `.duration`; may be empty.
    pub namespace: String,
    /// Whether durations are counted at all.
    pub histogram: bool,
    /// Unit of durations.
    pub unit: Unit,
    /// Upper bounds of the buckets, ascending.
    pub buckets: Vec<Duration>,
    /// Attributes of the span, else of its resource, that become labels.
    pub dimensions: Vec<Dimension>,
    /// Labels that are left out of those that there are without being asked for: `service.name`, `span.name`,
    /// `span.kind`, `status.code`, `collector.instance.id`.
    pub exclude_dimensions: Vec<String>,
    /// Exemplars of a data point, at most; `None` makes none.
    pub exemplars: Option<usize>,
    /// How often metrics are written.
    pub flush_interval: Duration,
    /// How long a service may be silent before its metrics end; zero for ever.
    pub expiration: Duration,
    /// How long one combination of labels may be silent before it ends; zero for ever.
    pub series_expiration: Duration,
    /// Attributes that tell resources from each other; empty for all of them.
    pub resource_key_attributes: Vec<String>,
    /// Most resources; past it the one that was silent for longest ends.
    pub max_resources: usize,
    /// Most combinations of labels of one resource; the rest is counted together. Zero for no limit.
    pub cardinality_limit: usize,
}

impl Default for SpanMetrics {
    fn default() -> Self {
        let dimension = |name: &str| Dimension { name: name.to_owned(), default: None };
        Self {
            namespace: "traces.span.metrics".to_owned(),
            histogram: true,
            unit: Unit::Seconds,
            buckets: buckets(),
            dimensions: vec![
                dimension("http.request.method"),
                dimension("http.route"),
                dimension("http.response.status_code"),
            ],
            exclude_dimensions: vec!["collector.instance.id".to_owned()],
            exemplars: Some(5),
            flush_interval: Duration::from_secs(15),
            expiration: Duration::from_mins(15),
            series_expiration: Duration::ZERO,
            resource_key_attributes: vec!["service.name".to_owned(), "service.namespace".to_owned()],
            max_resources: 1000,
            cardinality_limit: 2000,
        }
    }
}

/// An attribute that becomes a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    /// The attribute.
    pub name: String,
    /// What stands for it where there is none; without it there is no label then.
    pub default: Option<String>,
}

/// Unit of durations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `ms`.
    Milliseconds,
    /// `s`.
    Seconds,
}

impl Unit {
    /// As OTLP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }

    /// Nanoseconds in this unit.
    pub(crate) fn of_ns(self, nanoseconds: u64) -> f64 {
        let one = match self {
            Self::Milliseconds => 1e6,
            Self::Seconds => 1e9,
        };
        nanoseconds as f64 / one
    }
}

/// The Collector's connector `service_graph`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceGraph {
    /// Upper bounds of the buckets, ascending.
    pub buckets: Vec<Duration>,
    /// Attributes of either side's resource, else span, that become labels `client_…` and `server_…`.
    pub dimensions: Vec<String>,
    /// How long one half of a call waits for the other.
    pub ttl: Duration,
    /// Most halves that wait. Past it spans are left out of the graph.
    pub max_items: usize,
    /// How often it is looked for halves that have waited for too long.
    pub expire_interval: Duration,
    /// How often it is looked for series that have ended.
    pub clean_interval: Duration,
    /// How often metrics are written.
    pub flush_interval: Duration,
    /// Attributes of a caller's span that name a callee which sent none, the first that is there; empty to draw no such
    /// nodes.
    pub peer_attributes: Vec<String>,
    /// Whether a label `virtual_node` says which side of a call sent no span.
    pub virtual_node_label: bool,
    /// Attributes of a caller's resource, else span, that say that a database was called, and name it.
    pub database_attributes: Vec<String>,
}

impl ServiceGraph {
    /// How long a pair of services may be silent before its metrics end. The Collector has no setting for it.
    pub const SERIES_EXPIRATION: Duration = Duration::from_mins(15);
}

impl Default for ServiceGraph {
    fn default() -> Self {
        Self {
            buckets: buckets(),
            dimensions: Vec::new(),
            ttl: Duration::from_secs(10),
            max_items: 10_000,
            expire_interval: Duration::from_secs(2),
            clean_interval: Duration::from_mins(1),
            flush_interval: Duration::from_secs(15),
            peer_attributes: vec!["peer.service".to_owned(), "server.address".to_owned()],
            virtual_node_label: false,
            database_attributes: vec!["db.system.name".to_owned()],
        }
    }
}

/// The bounds of the semantic conventions, and 1 s.
fn buckets() -> Vec<Duration> {
    let milliseconds = [5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000];
    milliseconds.into_iter().map(Duration::from_millis).collect()
}
