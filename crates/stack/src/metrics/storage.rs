//! The metrics store under the names by which Prometheus' own storage tells of itself: rules and dashboards that are made
//! for Prometheus ask for them.

use std::fmt;
use std::sync::Arc;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntCounterVec, IntGauge, Opts};
use tsdb::{Stats, Tsdb};

/// How a figure is read.
type Figure = fn(&Stats) -> i64;

/// Reads the store each time that it is collected.
pub(crate) struct StorageCollector {
    store: Arc<Tsdb>,
    gauges: Vec<(IntGauge, Figure)>,
    appended: IntCounterVec,
    descs: Vec<Desc>,
}

const FLOAT: &str = "float";
const HISTOGRAM: &str = "histogram";

impl StorageCollector {
    pub(crate) fn new(store: Arc<Tsdb>) -> prometheus::Result<Self> {
        let figures: [(&str, &str, Figure); 12] = [
            ("prometheus_tsdb_head_series", "Total number of series in the head block.", |stats| {
                as_i64(stats.series)
            }),
            ("prometheus_tsdb_head_chunks", "Total number of chunks in the head block.", |stats| {
                as_i64(stats.chunks)
            }),
            (
                "prometheus_tsdb_head_min_time",
                "Minimum time bound of the head block, in milliseconds.",
                |stats| stats.min_time_ms,
            ),
            (
                "prometheus_tsdb_head_max_time",
                "Maximum timestamp of the head block, in milliseconds.",
                |stats| stats.max_time_ms,
            ),
            (
                "prometheus_tsdb_head_min_time_seconds",
                "Minimum time bound of the head block, in seconds.",
                |stats| stats.min_time_ms / 1000,
            ),
            (
                "prometheus_tsdb_head_max_time_seconds",
                "Maximum timestamp of the head block, in seconds.",
                |stats| stats.max_time_ms / 1000,
            ),
            (
                "prometheus_tsdb_head_chunks_storage_size_bytes",
                "Bytes of the head on the disk: of its newest checkpoint.",
                |stats| as_i64(stats.checkpoint_bytes),
            ),
            ("prometheus_tsdb_blocks_loaded", "Number of currently loaded data blocks.", |stats| {
                as_i64(stats.blocks)
            }),
            (
                "prometheus_tsdb_storage_blocks_bytes",
                "The number of bytes that are currently used for local storage by all blocks.",
                |stats| as_i64(stats.block_bytes),
            ),
            ("prometheus_tsdb_wal_storage_size_bytes", "Size of the write log directory.", |stats| {
                as_i64(stats.wal.bytes)
            }),
            (
                "prometheus_tsdb_exemplar_exemplars_in_storage",
                "Number of exemplars currently in circular storage.",
                |stats| as_i64(stats.exemplars),
            ),
            (
                "prometheus_tsdb_exemplar_max_exemplars",
                "Total number of exemplars the exemplar storage can store.",
                |stats| as_i64(stats.max_exemplars),
            ),
        ];
        let mut gauges = Vec::with_capacity(figures.len());
        for (name, help, figure) in figures {
            gauges.push((IntGauge::new(name, help)?, figure));
        }
        let appended = IntCounterVec::new(
            Opts::new("prometheus_tsdb_head_samples_appended_total", "Total number of appended samples."),
            &["type"],
        )?;
        let gauge_descs = gauges.iter().flat_map(|(gauge, _)| gauge.desc());
        let descs = gauge_descs.chain(appended.desc()).cloned().collect();
        Ok(Self { store, gauges, appended, descs })
    }
}

fn as_i64(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl fmt::Debug for StorageCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageCollector").finish_non_exhaustive()
    }
}

impl Collector for StorageCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let stats = self.store.stats();
        for (gauge, figure) in &self.gauges {
            gauge.set(figure(&stats));
        }
        for (kind, appended) in [(FLOAT, stats.appended_floats), (HISTOGRAM, stats.appended_histograms)] {
            let counter = self.appended.with_label_values(&[kind]);
            counter.inc_by(appended.saturating_sub(counter.get()));
        }
        let gauges = self.gauges.iter().flat_map(|(gauge, _)| gauge.collect());
        gauges.chain(self.appended.collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(model::ManualClock::at_ns(1_000_000_000_000));
        let config = tsdb::Config::new(dir.path().join("wal"), dir.path().join("blocks"));
        let store = Arc::new(Tsdb::open(config, clock).unwrap());
        let labels: model::Labels = [("__name__", "up")].into_iter().collect();
        let collector = StorageCollector::new(Arc::clone(&store)).unwrap();
        let point = model::DataPoint {
            family: 0,
            temporality: model::Temporality::default(),
            start_ms: 0,
            time_ms: 999_000,
            samples: vec![model::SeriesSample {
                labels,
                value: model::SampleValue::Float(1.0),
                exemplars: Vec::new(),
            }],
            derived: false,
        };
        let families = vec![model::Family::default()];
        store.append(&model::Batch { families, points: vec![point], ..model::Batch::default() }).unwrap();
        let text = prometheus::TextEncoder::new().encode_to_string(&collector.collect()).unwrap();
        for line in [
            "prometheus_tsdb_head_series 1",
            "prometheus_tsdb_head_max_time 999000",
            "prometheus_tsdb_head_samples_appended_total{type=\"float\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
    }
}
