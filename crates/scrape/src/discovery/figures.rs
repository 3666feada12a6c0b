//! What discovery says of itself, by Prometheus' names.

use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry,
};

/// Counters of all discoveries.
#[derive(Debug, Clone)]
pub struct Figures {
    /// What is discovered.
    name: &'static str,
    discovered: IntGaugeVec,
    last_update: GaugeVec,
    received: IntCounterVec,
    sent: IntCounterVec,
    refresh_failures: IntCounterVec,
    refresh_seconds: HistogramVec,
    pub(super) file_read_errors: IntCounter,
    pub(super) http_failures: IntCounter,
    pub(super) dns_lookups: IntCounter,
    pub(super) dns_failures: IntCounter,
}

/// The mechanisms that ask again and again; files are looked at in another way.
const REFRESHED: [&str; 2] = ["http", "dns"];

impl Figures {
    /// Registers them.
    ///
    /// # Errors
    /// The registry has such figures already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| add(registry, IntCounter::new(name, help)?);
        let total =
            |name: &str, help: &str| add(registry, IntCounterVec::new(Opts::new(name, help), &["name"])?);
        let discovered =
            Opts::new("prometheus_sd_discovered_targets", "Current number of discovered targets.");
        let last_update = Opts::new(
            "prometheus_sd_last_update_timestamp_seconds",
            "Timestamp of the last update sent to the SD consumers.",
        );
        let refresh_seconds = HistogramOpts::new(
            "prometheus_sd_refresh_duration_histogram_seconds",
            "The duration of a refresh for the given SD mechanism.",
        );
        let refresh_failures = Opts::new(
            "prometheus_sd_refresh_failures_total",
            "Number of refresh failures for the given SD mechanism.",
        );
        Ok(Self {
            name: "scrape",
            discovered: add(registry, IntGaugeVec::new(discovered, &["name", "config"])?)?,
            last_update: add(registry, GaugeVec::new(last_update, &["name", "config"])?)?,
            received: total(
                "prometheus_sd_received_updates_total",
                "Total number of update events received from the SD providers.",
            )?,
            sent: total(
                "prometheus_sd_updates_total",
                "Total number of update events sent to the SD consumers.",
            )?,
            refresh_failures: add(registry, IntCounterVec::new(refresh_failures, &["mechanism", "config"])?)?,
            refresh_seconds: add(
                registry,
                HistogramVec::new(refresh_seconds.buckets(vec![0.01, 0.1, 1.0, 10.0]), &["mechanism"])?,
            )?,
            file_read_errors: counter(
                "prometheus_sd_file_read_errors_total",
                "The number of File-SD read errors.",
            )?,
            http_failures: counter(
                "prometheus_sd_http_failures_total",
                "Number of HTTP service discovery refresh failures.",
            )?,
            dns_lookups: counter("prometheus_sd_dns_lookups_total", "The number of DNS-SD lookups.")?,
            dns_failures: counter(
                "prometheus_sd_dns_lookup_failures_total",
                "The number of DNS-SD lookup failures.",
            )?,
        })
    }

    /// The same of the discovery of Alertmanagers.
    #[must_use]
    pub fn of_alertmanagers(&self) -> Self {
        Self { name: "notify", ..self.clone() }
    }

    /// A discovery told what it found.
    pub(super) fn received(&self) {
        self.received.with_label_values(&[self.name]).inc();
    }

    /// All targets of a job were told anew.
    pub(super) fn sent(&self, config: &str, targets: usize, now_ns: u64) {
        self.sent.with_label_values(&[self.name]).inc();
        self.discovered.with_label_values(&[self.name, config]).set(targets as i64);
        self.last_update.with_label_values(&[self.name, config]).set(now_ns as f64 / 1e9);
    }

    /// A mechanism asked and had an answer, or none.
    pub(super) fn refreshed(&self, mechanism: &str, config: &str, took: Duration, failed: bool) {
        self.refresh_seconds.with_label_values(&[mechanism]).observe(took.as_secs_f64());
        self.refresh_failures.with_label_values(&[mechanism, config]).inc_by(failed.into());
    }

    /// Forgets a job that is configured no more.
    pub fn forget(&self, config: &str) {
        _ = self.discovered.remove_label_values(&[self.name, config]);
        _ = self.last_update.remove_label_values(&[self.name, config]);
        for mechanism in REFRESHED {
            _ = self.refresh_failures.remove_label_values(&[mechanism, config]);
        }
    }
}

fn add<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
