//! The generator's own figures.

use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use crate::names;
use crate::tally::Tally;

/// All of them.
#[derive(Debug)]
pub(crate) struct Meters {
    nameless: IntCounter,
    overflowed: IntCounter,
    evicted: IntCounter,
    edges: IntCounter,
    expired: IntCounter,
    unstored: IntCounter,
    uncounted: IntCounter,
    waiting: IntGauge,
    span_series: IntGauge,
    graph_series: IntGauge,
    samples: IntCounter,
    dropped_samples: IntCounterVec,
}

impl Meters {
    pub(crate) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help)?);
        let dropped_spans = register(
            registry,
            IntCounterVec::new(
                Opts::new(names::DROPPED_SPANS, "Spans that are missing in metrics made of spans."),
                &["reason"],
            )?,
        )?;
        let series = register(
            registry,
            IntGaugeVec::new(Opts::new(names::SERIES, "Combinations of labels, by what is made."), &["of"])?,
        )?;
        Ok(Self {
            nameless: dropped_spans.with_label_values(&["no_service_name"]),
            unstored: dropped_spans.with_label_values(&["too_many_waiting"]),
            uncounted: dropped_spans.with_label_values(&["too_many_series"]),
            overflowed: counter(names::OVERFLOWED_SPANS, "Spans counted in the overflow of their service.")?,
            evicted: counter(names::EVICTED_SERVICES, "Services that ended to make room for others.")?,
            edges: counter(names::EDGES, "Calls between services that were begun.")?,
            expired: counter(names::EXPIRED_EDGES, "Calls of which one half did not come in time.")?,
            waiting: register(
                registry,
                IntGauge::new(names::WAITING_EDGES, "Halves of calls that wait for the other.")?,
            )?,
            span_series: series.with_label_values(&["span_metrics"]),
            graph_series: series.with_label_values(&["service_graph"]),
            samples: counter(names::SAMPLES, "Data points written to the metrics store.")?,
            dropped_samples: register(
                registry,
                IntCounterVec::new(
                    Opts::new(names::DROPPED_SAMPLES, "Data points that the metrics store did not take."),
                    &["reason"],
                )?,
            )?,
        })
    }

    /// Adds what happened.
    pub(crate) fn add(&self, tally: &Tally) {
        for (counter, count) in [
            (&self.nameless, tally.nameless),
            (&self.overflowed, tally.overflowed),
            (&self.evicted, tally.evicted),
            (&self.edges, tally.edges),
            (&self.expired, tally.expired),
            (&self.unstored, tally.unstored),
            (&self.uncounted, tally.uncounted),
        ] {
            if count > 0 {
                counter.inc_by(count);
            }
        }
    }

    pub(crate) fn set_series(&self, of_spans: usize, of_graph: usize, waiting: usize) {
        self.span_series.set(of_spans as i64);
        self.graph_series.set(of_graph as i64);
        self.waiting.set(waiting as i64);
    }

    pub(crate) fn written(&self, points: u64) {
        self.samples.inc_by(points);
    }

    pub(crate) fn not_written(&self, reason: &str, points: u64) {
        self.dropped_samples.with_label_values(&[reason]).inc_by(points);
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
