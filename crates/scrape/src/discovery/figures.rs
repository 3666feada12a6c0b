//! What discovery says of itself, by Prometheus' names.

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Counters of all discoveries of one kind of targets.
#[derive(Debug, Clone)]
pub struct Figures {
    discovered: IntGaugeVec,
    failures: IntCounterVec,
    pub(super) file_read_errors: IntCounter,
    pub(super) http_failures: IntCounter,
    pub(super) dns_lookups: IntCounter,
    pub(super) dns_failures: IntCounter,
}

impl Figures {
    /// Registers them.
    ///
    /// # Errors
    /// The registry has such figures already.
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let discovered = IntGaugeVec::new(
            Opts::new("prometheus_sd_discovered_targets", "Current number of discovered targets.")
                .const_label("name", "scrape"),
            &["config"],
        )?;
        registry.register(Box::new(discovered.clone()))?;
        let failures = IntCounterVec::new(
            Opts::new(
                "prometheus_sd_refresh_failures_total",
                "Number of refresh failures for the given SD mechanism.",
            ),
            &["mechanism", "config"],
        )?;
        registry.register(Box::new(failures.clone()))?;
        Ok(Self {
            discovered,
            failures,
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

    pub(super) fn discovered(&self, config: &str, targets: usize) {
        self.discovered.with_label_values(&[config]).set(targets as i64);
    }

    pub(super) fn failed(&self, mechanism: &str, config: &str) {
        self.failures.with_label_values(&[mechanism, config]).inc();
    }

    /// Forgets a job that is configured no more.
    pub fn forget(&self, config: &str) {
        _ = self.discovered.remove_label_values(&[config]);
        for mechanism in ["file", "http", "dns"] {
            _ = self.failures.remove_label_values(&[mechanism, config]);
        }
    }
}
