//! `prometheus_notifications_*`: what Prometheus tells of its Alertmanagers.

use std::sync::Arc;
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{CounterVec, Gauge, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry};

use crate::summary::Summary;

const TO: &str = "alertmanager";

#[derive(Debug, Clone)]
pub(super) struct Figures(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    latency: Summary,
    latency_histogram: HistogramVec,
    errors: CounterVec,
    sent: CounterVec,
    dropped: CounterVec,
    queue_length: GaugeVec,
    discovered: Gauge,
}

impl Figures {
    pub(super) fn register(registry: &Registry, capacity: usize) -> prometheus::Result<Self> {
        let name = |name: &str| format!("prometheus_notifications_{name}");
        let counter = |short: &str, help: &str| CounterVec::new(Opts::new(name(short), help), &[TO]);
        let inner = Inner {
            latency: Summary::by(
                &name("latency_seconds"),
                "Latency quantiles for sending alert notifications.",
                TO,
                &[0.5, 0.9, 0.99],
            )?,
            latency_histogram: HistogramVec::new(
                HistogramOpts::new(
                    name("latency_histogram_seconds"),
                    "Latency histogram for sending alert notifications.",
                )
                .buckets(vec![0.01, 0.1, 1.0, 10.0]),
                &[TO],
            )?,
            errors: counter("errors_total", "Total number of sent alerts affected by errors.")?,
            sent: counter("sent_total", "Total number of alerts sent.")?,
            dropped: counter(
                "dropped_total",
                "Total number of alerts dropped due to errors when sending to Alertmanager.",
            )?,
            queue_length: GaugeVec::new(
                Opts::new(name("queue_length"), "The number of alert notifications in the queue."),
                &[TO],
            )?,
            discovered: Gauge::new(
                name("alertmanagers_discovered"),
                "The number of alertmanagers discovered and active.",
            )?,
        };
        let queue_capacity =
            Gauge::new(name("queue_capacity"), "The capacity of the alert notifications queue.")?;
        queue_capacity.set(capacity as f64);
        let collectors: [Box<dyn Collector>; 8] = [
            Box::new(inner.latency.clone()),
            Box::new(inner.latency_histogram.clone()),
            Box::new(inner.errors.clone()),
            Box::new(inner.sent.clone()),
            Box::new(inner.dropped.clone()),
            Box::new(inner.queue_length.clone()),
            Box::new(inner.discovered.clone()),
            Box::new(queue_capacity),
        ];
        collectors.into_iter().try_for_each(|collector| registry.register(collector))?;
        Ok(Self(Arc::new(inner)))
    }

    /// An Alertmanager is known: its series are there from now on.
    pub(super) fn begin(&self, to: &str) {
        let inner = &self.0;
        for counter in [&inner.errors, &inner.sent, &inner.dropped] {
            counter.with_label_values(&[to]).inc_by(0.0);
        }
        inner.queue_length.with_label_values(&[to]).set(0.0);
    }

    /// An Alertmanager has gone, and its series with it.
    pub(super) fn forget(&self, to: &str) {
        let inner = &self.0;
        inner.latency.remove(to);
        let _ = inner.latency_histogram.remove_label_values(&[to]);
        for counter in [&inner.errors, &inner.sent, &inner.dropped] {
            let _ = counter.remove_label_values(&[to]);
        }
        let _ = inner.queue_length.remove_label_values(&[to]);
    }

    pub(super) fn discovered(&self, count: usize) {
        self.0.discovered.set(count as f64);
    }

    pub(super) fn queued(&self, to: &str, length: usize) {
        self.0.queue_length.with_label_values(&[to]).set(length as f64);
    }

    /// Alerts were sent and taken.
    pub(super) fn sent(&self, to: &str, count: usize, took: Duration) {
        self.0.sent.with_label_values(&[to]).inc_by(count as f64);
        self.0.latency.observe_of(to, took.as_secs_f64());
        self.0.latency_histogram.with_label_values(&[to]).observe(took.as_secs_f64());
    }

    /// Alerts were sent and not taken; they are lost.
    pub(super) fn failed(&self, to: &str, count: usize) {
        self.0.errors.with_label_values(&[to]).inc_by(count as f64);
        self.dropped(to, count);
    }

    /// There was no room for alerts.
    pub(super) fn dropped(&self, to: &str, count: usize) {
        self.0.dropped.with_label_values(&[to]).inc_by(count as f64);
    }
}
