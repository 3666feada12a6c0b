//! The three stores: opened side by side, closed side by side.

use std::sync::Arc;
use std::thread;

use logstore::LogStore;
use model::Clock;
use tracestore::TraceStore;
use tsdb::Tsdb;

use crate::prometheus::Settings;
use crate::running::Flushed;
use crate::{Config, Error, Result, StoreFigures};

/// Every store of a stack.
#[derive(Debug, Clone)]
pub(crate) struct Stores {
    pub(crate) traces: Arc<TraceStore>,
    pub(crate) logs: Arc<LogStore>,
    pub(crate) metrics: Arc<Tsdb>,
}

/// What is done with each store, one after the other or side by side.
type Read<T> = Box<dyn Fn() -> T + Send + Sync>;

const TRACES: &str = "traces";
const LOGS: &str = "logs";
const METRICS: &str = "metrics";

impl Stores {
    /// Opens all of them, each on a thread of its own: a replay takes as long as the slowest, not as long as all.
    pub(crate) fn open(config: &Config, settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Self> {
        thread::scope(|scope| {
            let traces = scope.spawn(|| TraceStore::open(traces_config(config), Arc::clone(clock)));
            let logs = scope.spawn(|| LogStore::open(logs_config(config), Arc::clone(clock)));
            let metrics = Tsdb::open(metrics_config(config, settings), Arc::clone(clock));
            Ok(Self {
                traces: Arc::new(opened(TRACES, joined(traces))?),
                logs: Arc::new(opened(LOGS, joined(logs))?),
                metrics: Arc::new(opened(METRICS, metrics)?),
            })
        })
    }

    /// Reads each store's figures, by signal.
    pub(crate) fn readers(&self) -> Vec<(&'static str, Read<StoreFigures>)> {
        let Self { traces, logs, metrics } = self.clone();
        vec![
            (TRACES, Box::new(move || traces_figures(&traces))),
            (LOGS, Box::new(move || logs_figures(&logs))),
            (METRICS, Box::new(move || metrics_figures(&metrics))),
        ]
    }

    /// Reads what only one of them has: name, help, value.
    pub(crate) fn other_readers(&self) -> Vec<(&'static str, &'static str, Read<f64>)> {
        let metrics = |value: fn(&tsdb::Stats) -> u64| -> Read<f64> {
            let store = Arc::clone(&self.metrics);
            Box::new(move || value(&store.stats()) as f64)
        };
        vec![
            ("mirante_head_series", "Series in memory.", metrics(|stats| stats.series)),
            ("mirante_head_chunks", "Chunks of samples in memory.", metrics(|stats| stats.chunks)),
            ("mirante_head_exemplars", "Exemplars in memory.", metrics(|stats| stats.exemplars)),
        ]
    }

    /// Syncs and closes each, and says what it holds.
    pub(crate) fn close(&self) -> Vec<Flushed> {
        thread::scope(|scope| {
            let traces = scope.spawn(|| closed(self.traces.shutdown()));
            let logs = scope.spawn(|| closed(self.logs.shutdown()));
            let metrics = closed(self.metrics.shutdown());
            let flushed = |signal, items, figures, error| Flushed { signal, items, figures, error };
            vec![
                flushed(TRACES, "spans", traces_figures(&self.traces), joined(traces)),
                flushed(LOGS, "log entries", logs_figures(&self.logs), joined(logs)),
                flushed(METRICS, "samples", metrics_figures(&self.metrics), metrics),
            ]
        })
    }
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn opened<T, E>(signal: &'static str, store: Result<T, E>) -> Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    store.map_err(|source| Error::Store { signal, source: Box::new(source) })
}

/// What to say of a close: nothing, or why it failed.
fn closed<E: std::error::Error>(result: Result<(), E>) -> Option<String> {
    result.err().map(|error| error.to_string())
}

fn traces_config(config: &Config) -> tracestore::Config {
    let memory_bytes = as_usize(config.memory().traces);
    tracestore::Config {
        wal_sync: config.wal_sync,
        retention_age: config.retention.traces.age,
        retention_bytes: config.retention.traces.bytes,
        ..tracestore::Config::new(config.wal_dir(TRACES), config.blocks_dir(TRACES), memory_bytes)
    }
}

fn logs_config(config: &Config) -> logstore::Config {
    logstore::Config {
        wal_dir: config.wal_dir(LOGS),
        blocks_dir: config.blocks_dir(LOGS),
        wal_sync: config.wal_sync,
        memory_bytes: as_usize(config.memory().logs),
        retention_age: config.retention.logs.age,
        retention_bytes: config.retention.logs.bytes,
        limits: logstore::Limits::default(),
    }
}

fn metrics_config(config: &Config, settings: &Settings) -> tsdb::Config {
    let usual = tsdb::Config::new(config.wal_dir(METRICS), config.blocks_dir(METRICS));
    tsdb::Config {
        wal_sync: config.wal_sync,
        memory_bytes: as_usize(config.memory().metrics),
        retention_age: settings.retention.age,
        retention_bytes: settings.retention.bytes,
        out_of_order_window: settings.out_of_order_window.unwrap_or(usual.out_of_order_window),
        max_exemplars: settings.max_exemplars.unwrap_or(usual.max_exemplars),
        ..usual
    }
}

fn as_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn traces_figures(store: &TraceStore) -> StoreFigures {
    let stats = store.stats();
    StoreFigures {
        head_items: stats.head_items,
        head_bytes: stats.head_bytes,
        wal_segments: stats.wal.segments,
        wal_bytes: stats.wal.bytes,
        blocks: stats.blocks,
        block_bytes: stats.block_bytes,
        block_items: stats.block_items,
    }
}

fn logs_figures(store: &LogStore) -> StoreFigures {
    let stats = store.stats();
    StoreFigures {
        head_items: stats.head_items,
        head_bytes: stats.head_bytes,
        wal_segments: stats.wal.segments,
        wal_bytes: stats.wal.bytes,
        blocks: stats.blocks,
        block_bytes: stats.block_bytes,
        block_items: stats.block_items,
    }
}

/// The checkpoint is part of the log: it stands for what was cut from it.
fn metrics_figures(store: &Tsdb) -> StoreFigures {
    let stats = store.stats();
    StoreFigures {
        head_items: stats.head_items,
        head_bytes: stats.head_bytes,
        wal_segments: stats.wal.segments,
        wal_bytes: stats.wal.bytes + stats.checkpoint_bytes,
        blocks: stats.blocks,
        block_bytes: stats.block_bytes,
        block_items: stats.block_items,
    }
}
