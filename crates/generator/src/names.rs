//! Names of the generator's own metrics.

/// Spans that are missing in what is made of spans. Labels: reason (`no_service_name`, `too_many_waiting`,
/// `too_many_series`; the last two are missing in the service graph only).
pub const DROPPED_SPANS: &str = "mirante_generator_dropped_spans_total";
/// Spans counted in the overflow of their service.
pub const OVERFLOWED_SPANS: &str = "mirante_generator_overflowed_spans_total";
/// Services whose span metrics ended to make room for others.
pub const EVICTED_SERVICES: &str = "mirante_generator_evicted_services_total";
/// Calls between services that were begun.
pub const EDGES: &str = "mirante_generator_edges_total";
/// Calls of which one half did not come in time.
pub const EXPIRED_EDGES: &str = "mirante_generator_expired_edges_total";
/// Halves of calls that wait for the other, at the last flush.
pub const WAITING_EDGES: &str = "mirante_generator_waiting_edges";
/// Combinations of labels at the last flush. Labels: of (`span_metrics`, `service_graph`).
pub const SERIES: &str = "mirante_generator_series";
/// Data points written to the metrics store.
pub const SAMPLES: &str = "mirante_generator_written_points_total";
/// Data points that the metrics store did not take. Labels: reason.
pub const DROPPED_SAMPLES: &str = "mirante_generator_dropped_points_total";
