//! What scraping says of itself, by Prometheus' names.

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Counters of all pools.
#[derive(Debug, Clone)]
pub struct Meters {
    pub(crate) pools: IntCounter,
    pub(crate) reloads: IntCounter,
    pub(crate) syncs: IntCounterVec,
    pub(crate) targets: IntGaugeVec,
    pub(crate) target_limit: IntGaugeVec,
    pub(crate) exceeded_target_limit: IntCounter,
    pub(crate) exceeded_body_size: IntCounter,
    pub(crate) exceeded_samples: IntCounter,
    pub(crate) exceeded_labels: IntCounter,
    pub(crate) exceeded_buckets: IntCounter,
    pub(crate) duplicates: IntCounter,
    pub(crate) out_of_order: IntCounter,
    pub(crate) out_of_bounds: IntCounter,
    pub(crate) forced_flushes: IntCounter,
    pub(crate) seconds: Histogram,
}

impl Meters {
    /// Registers them.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| register(registry, IntCounter::new(name, help)?);
        let by_pool =
            |name: &str, help: &str| Ok::<_, prometheus::Error>((Opts::new(name, help), ["scrape_job"]));
        let counters = |name, help| {
            let (opts, labels) = by_pool(name, help)?;
            register(registry, IntCounterVec::new(opts, &labels)?)
        };
        let gauges = |name, help| {
            let (opts, labels) = by_pool(name, help)?;
            register(registry, IntGaugeVec::new(opts, &labels)?)
        };
        let buckets = vec![0.01, 0.1, 1.0, 10.0];
        let seconds = HistogramOpts::new(
            "prometheus_target_scrape_duration_seconds",
            "Total duration of the scrape from start to commit completion in seconds.",
        );
        Ok(Self {
            pools: counter(
                "prometheus_target_scrape_pools_total",
                "Total number of scrape pool creation attempts.",
            )?,
            reloads: counter(
                "prometheus_target_scrape_pool_reloads_total",
                "Total number of scrape pool reloads.",
            )?,
            syncs: counters(
                "prometheus_target_scrape_pool_sync_total",
                "Total number of syncs that were executed on a scrape pool.",
            )?,
            targets: gauges(
                "prometheus_target_scrape_pool_targets",
                "Current number of targets in this scrape pool.",
            )?,
            target_limit: gauges(
                "prometheus_target_scrape_pool_target_limit",
                "Maximum number of targets allowed in this scrape pool.",
            )?,
            exceeded_target_limit: counter(
                "prometheus_target_scrape_pool_exceeded_target_limit_total",
                "Total number of times scrape pools hit the target limit, during sync or config reload.",
            )?,
            exceeded_body_size: counter(
                "prometheus_target_scrapes_exceeded_body_size_limit_total",
                "Total number of scrapes that hit the body size limit",
            )?,
            exceeded_samples: counter(
                "prometheus_target_scrapes_exceeded_sample_limit_total",
                "Total number of scrapes that hit the sample limit and were rejected.",
            )?,
            exceeded_labels: counter(
                "prometheus_target_scrape_pool_exceeded_label_limits_total",
                "Total number of times scrape pools hit the label limits, during sync or config reload.",
            )?,
            exceeded_buckets: counter(
                "prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total",
                "Total number of scrapes that hit the native histogram bucket limit and were rejected.",
            )?,
            duplicates: counter(
                "prometheus_target_scrapes_sample_duplicate_timestamp_total",
                "Total number of samples rejected due to duplicate timestamps but different values.",
            )?,
            out_of_order: counter(
                "prometheus_target_scrapes_sample_out_of_order_total",
                "Total number of samples rejected due to not being out of the expected order.",
            )?,
            out_of_bounds: counter(
                "prometheus_target_scrapes_sample_out_of_bounds_total",
                "Total number of samples rejected due to timestamp falling outside of the time bounds.",
            )?,
            forced_flushes: counter(
                "prometheus_target_scrapes_cache_flush_forced_total",
                "How many times a scrape cache was flushed due to getting big while scrapes are failing.",
            )?,
            seconds: register(registry, Histogram::with_opts(seconds.buckets(buckets))?)?,
        })
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
