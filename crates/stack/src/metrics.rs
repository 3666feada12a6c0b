//! What the stack says of itself on `/metrics`: read from the stores and the system when it is asked for.

mod process;
mod storage;

use std::fmt;

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Gauge, GaugeVec, IntCounterVec, IntGaugeVec, Opts, PullingGauge, Registry};

use crate::Identity;

pub use process::ProcessFigures;
pub(crate) use storage::StorageCollector;

/// What a store says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreFigures {
    /// Items in the head.
    pub head_items: u64,
    /// Bytes of the head, estimated.
    pub head_bytes: u64,
    /// Segments of the log.
    pub wal_segments: u64,
    /// Bytes of the log.
    pub wal_bytes: u64,
    /// Blocks on disk.
    pub blocks: u64,
    /// Their bytes.
    pub block_bytes: u64,
    /// Their items.
    pub block_items: u64,
}

type Read<T> = Box<dyn Fn() -> T + Send + Sync>;

/// Where the figures are read.
pub(crate) struct Sources {
    /// Each store, by signal.
    pub(crate) stores: Vec<(&'static str, Read<StoreFigures>)>,
    /// Figures that only one store has: name, help, value.
    pub(crate) others: Vec<(&'static str, &'static str, Read<f64>)>,
    /// Open connections, by component.
    pub(crate) connections: Vec<(&'static str, Read<usize>)>,
    /// Write requests that are under way.
    pub(crate) writes_under_way: Read<usize>,
    /// How often each demo service was started again.
    pub(crate) restarts: Vec<(&'static str, Read<u64>)>,
}

/// Registers everything.
pub(crate) fn register(
    registry: &Registry,
    mut sources: Sources,
    identity: &Identity,
) -> prometheus::Result<()> {
    for (name, help, value) in std::mem::take(&mut sources.others) {
        registry.register(Box::new(PullingGauge::new(name, help, value)?))?;
    }
    let build = IntGaugeVec::new(
        Opts::new("mirante_build_info", "Constant 1; its labels say what is running."),
        &["version", "commit"],
    )?;
    build.with_label_values(&[&identity.version, &identity.commit]).set(1);
    registry.register(Box::new(build))?;
    registry.register(Box::new(process::ProcessCollector::new()?))?;
    registry.register(Box::new(StackCollector::new(sources)?))
}

/// Reads the sources each time that it is collected.
struct StackCollector {
    sources: Sources,
    // One scrape at a time: the gauges below are set and then read.
    gauges: Mutex<Gauges>,
    descs: Vec<Desc>,
}

struct Gauges {
    head_items: IntGaugeVec,
    head_bytes: IntGaugeVec,
    wal_segments: IntGaugeVec,
    wal_bytes: IntGaugeVec,
    blocks: IntGaugeVec,
    block_bytes: IntGaugeVec,
    block_items: IntGaugeVec,
    connections: IntGaugeVec,
    writes_under_way: Gauge,
    restarts: IntCounterVec,
}

impl Gauges {
    fn new() -> prometheus::Result<Self> {
        let by_signal = |name: &str, help: &str| IntGaugeVec::new(Opts::new(name, help), &["signal"]);
        Ok(Self {
            head_items: by_signal("mirante_head_items", "Spans, log entries or samples in memory.")?,
            head_bytes: by_signal("mirante_head_bytes", "Memory that the head takes, estimated.")?,
            wal_segments: by_signal("mirante_wal_segments", "Segments of the write-ahead log.")?,
            wal_bytes: by_signal("mirante_wal_bytes", "Bytes of the write-ahead log.")?,
            blocks: by_signal("mirante_blocks", "Sealed blocks on disk.")?,
            block_bytes: by_signal("mirante_block_bytes", "Bytes of the sealed blocks.")?,
            block_items: by_signal("mirante_block_items", "Spans, log entries or samples in sealed blocks.")?,
            connections: IntGaugeVec::new(
                Opts::new("mirante_connections", "Open connections of a component's port."),
                &["component"],
            )?,
            writes_under_way: Gauge::new(
                "mirante_writes_under_way",
                "Write requests that are being handled.",
            )?,
            restarts: IntCounterVec::new(
                Opts::new(
                    "mirante_demo_restarts_total",
                    "How often a demo service died and was started again.",
                ),
                &["service"],
            )?,
        })
    }

    fn collectors(&self) -> [&dyn Collector; 10] {
        [
            &self.head_items,
            &self.head_bytes,
            &self.wal_segments,
            &self.wal_bytes,
            &self.blocks,
            &self.block_bytes,
            &self.block_items,
            &self.connections,
            &self.writes_under_way,
            &self.restarts,
        ]
    }

    fn read(&self, sources: &Sources) {
        for (signal, figures) in &sources.stores {
            let figures = figures();
            let set = |gauge: &IntGaugeVec, value: u64| {
                gauge.with_label_values(&[signal]).set(i64::try_from(value).unwrap_or(i64::MAX));
            };
            set(&self.head_items, figures.head_items);
            set(&self.head_bytes, figures.head_bytes);
            set(&self.wal_segments, figures.wal_segments);
            set(&self.wal_bytes, figures.wal_bytes);
            set(&self.blocks, figures.blocks);
            set(&self.block_bytes, figures.block_bytes);
            set(&self.block_items, figures.block_items);
        }
        for (component, open) in &sources.connections {
            self.connections.with_label_values(&[component]).set(open() as i64);
        }
        self.writes_under_way.set((sources.writes_under_way)() as f64);
        for (service, restarts) in &sources.restarts {
            let counter = self.restarts.with_label_values(&[service]);
            counter.inc_by(restarts().saturating_sub(counter.get()));
        }
    }
}

impl StackCollector {
    fn new(sources: Sources) -> prometheus::Result<Self> {
        let gauges = Gauges::new()?;
        let descs = gauges.collectors().into_iter().flat_map(Collector::desc).cloned().collect();
        Ok(Self { sources, gauges: Mutex::new(gauges), descs })
    }
}

impl fmt::Debug for StackCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StackCollector").finish_non_exhaustive()
    }
}

impl Collector for StackCollector {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let gauges = self.gauges.lock();
        gauges.read(&self.sources);
        gauges.collectors().into_iter().flat_map(Collector::collect).collect()
    }
}

/// A gauge without labels that is set when it is collected.
fn gauge(name: &str, help: &str) -> prometheus::Result<GaugeVec> {
    GaugeVec::new(Opts::new(name, help), &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_when_they_are_asked_for() {
        let registry = Registry::new();
        let sources = Sources {
            stores: vec![(
                "traces",
                Box::new(|| StoreFigures { head_items: 7, wal_bytes: 99, ..StoreFigures::default() }),
            )],
            others: vec![("mirante_head_series", "Series.", Box::new(|| 4.0))],
            connections: vec![("tempo", Box::new(|| 3))],
            writes_under_way: Box::new(|| 1),
            restarts: vec![("users", Box::new(|| 5))],
        };
        let identity = Identity { commit: "abc".to_owned(), ..Identity::default() };
        register(&registry, sources, &identity).unwrap();
        let text = || prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        text();
        let text = text();
        for line in [
            "mirante_head_items{signal=\"traces\"} 7",
            "mirante_wal_bytes{signal=\"traces\"} 99",
            "mirante_connections{component=\"tempo\"} 3",
            "mirante_writes_under_way 1",
            "mirante_head_series 4",
            "mirante_demo_restarts_total{service=\"users\"} 5",
            "# TYPE mirante_demo_restarts_total counter",
            "# TYPE process_cpu_seconds_total counter",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("mirante_build_info{commit=\"abc\",version="), "{text}");
        if cfg!(target_os = "linux") {
            assert!(text.contains("process_resident_memory_bytes"), "{text}");
        }
    }
}
