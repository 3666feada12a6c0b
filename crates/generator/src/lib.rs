//! Metrics made of spans on their way in: rate, errors and duration of every span name, and who calls whom.
//!
//! Begin with [`Generator`]. It sees each batch of spans after the trace store has kept it ([`receiver::SpanObserver`]),
//! counts it, and writes what it has counted to the metrics store every few seconds, as OTLP metrics through the same
//! translation that those of other senders take. Names, labels, units, buckets and exemplars are those of the
//! OpenTelemetry Collector's connectors `span_metrics` (0.159) and `service_graph` (0.158); [`Config`] has their
//! settings.
//!
//! What was counted is kept in memory only: after a restart counting begins anew, as it does with the Collector.
//!
//! Two things differ on purpose. All series together have a limit ([`Config::max_series`]), and a span that ends before
//! it begins lasts no time in the service graph, too.
//!
//! `wanted` finds the few attributes that count, `origin` what is needed of a resource; `span_metrics` and
//! `service_graph` (with `edges`) count, `export` makes requests of that.

mod config;
mod edges;
mod export;
mod histogram;
mod meters;
pub mod names;
mod origin;
mod sampling;
mod seen;
mod service_graph;
mod span_metrics;
mod tally;
mod wanted;
mod worker;

pub use config::{Config, Dimension, ServiceGraph, SpanMetrics, Unit};
pub use worker::Generator;
