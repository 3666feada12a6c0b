//! What is said of reading configurations, by Prometheus' names.

use prometheus::{Gauge, IntGauge, Registry};

/// Whether the last one that was read holds, and since when the one that holds does.
#[derive(Debug)]
pub(super) struct Figures {
    successful: IntGauge,
    success_time: Gauge,
}

impl Figures {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Self> {
        let successful = IntGauge::new(
            "prometheus_config_last_reload_successful",
            "Whether the last configuration reload attempt was successful.",
        )?;
        let success_time = Gauge::new(
            "prometheus_config_last_reload_success_timestamp_seconds",
            "Timestamp of the last successful configuration reload.",
        )?;
        registry.register(Box::new(successful.clone()))?;
        registry.register(Box::new(success_time.clone()))?;
        Ok(Self { successful, success_time })
    }

    pub(super) fn failed(&self) {
        self.successful.set(0);
    }

    pub(super) fn succeeded(&self, now_ns: u64) {
        self.successful.set(1);
        self.success_time.set(now_ns as f64 / 1e9);
    }
}
