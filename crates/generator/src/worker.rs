//! The generator: one state behind a lock, and a thread that writes.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use model::Clock;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use otlp::traces::Batch;
use parking_lot::{Condvar, Mutex};
use prometheus::Registry;
use tsdb::Tsdb;

use crate::Config;
use crate::export::{self, POINTS_PER_REQUEST};
use crate::histogram::Bounds;
use crate::meters::Meters;
use crate::origin::Origins;
use crate::sampling::AdjustedCounts;
use crate::seen::Seen;
use crate::service_graph::ServiceGraph;
use crate::span_metrics::SpanMetrics;
use crate::tally::Tally;
use crate::wanted::Wanted;

/// Makes metrics of spans.
#[derive(Debug)]
pub struct Generator {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    config: Config,
    store: Arc<Tsdb>,
    clock: Arc<dyn Clock>,
    meters: Meters,
    state: Mutex<State>,
    translation: Mutex<Arc<otlp::metrics::Config>>,
    stopping: Mutex<bool>,
    stop: Condvar,
}

#[derive(Debug)]
struct State {
    wanted: Wanted,
    origins: Origins,
    counts: AdjustedCounts,
    spans: Option<SpanMetrics>,
    graph: Option<ServiceGraph>,
}

impl Generator {
    /// A generator that writes into a store when it is told to ([`Self::flush`]). Fails where the registry already holds
    /// metrics of these names.
    pub fn new(
        config: Config,
        translation: otlp::metrics::Config,
        store: Arc<Tsdb>,
        clock: Arc<dyn Clock>,
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let state = State::new(&config, clock.now_ns());
        let shared = Shared {
            meters: Meters::new(registry)?,
            state: Mutex::new(state),
            translation: Mutex::new(Arc::new(translation)),
            stopping: Mutex::new(false),
            stop: Condvar::new(),
            config,
            store,
            clock,
        };
        Ok(Self { shared: Arc::new(shared), thread: Mutex::new(None) })
    }

    /// Lets it write by itself, in the intervals of its configuration, until it is stopped.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn run(&self) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("generator".to_owned()).spawn(move || shared.run())?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// Changes how metrics become series, from the next flush on.
    pub fn set_translation(&self, translation: otlp::metrics::Config) {
        *self.shared.translation.lock() = Arc::new(translation);
    }

    /// Writes all that was counted.
    pub fn flush(&self) {
        self.shared.flush_spans();
        self.shared.flush_graph();
    }

    /// Ends what has waited or been silent for too long; `flush` does so for span metrics.
    pub fn expire(&self) {
        self.shared.expire();
        self.shared.clean();
    }

    /// Stops writing by itself, and writes once more.
    pub fn stop(&self) {
        *self.shared.stopping.lock() = true;
        self.shared.stop.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            if thread.join().is_err() {
                tracing::error!("the generator had panicked");
            }
            self.flush();
        }
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        *self.shared.stopping.lock() = true;
        self.shared.stop.notify_all();
    }
}

impl receiver::SpanObserver for Generator {
    fn observe(&self, batch: &Batch<'_>) {
        let now_ns = self.shared.clock.now_ns();
        let tally = self.shared.state.lock().observe(batch, now_ns);
        self.shared.meters.add(&tally);
    }
}

impl State {
    fn new(config: &Config, now_ns: u64) -> Self {
        let names = names(config);
        // Every place that is asked for below is among the names.
        let place = |name: &str| names.iter().position(|own| own == name).unwrap_or_default();
        let random = RandomState::new();
        let spans = config
            .span_metrics
            .clone()
            .map(|spans| SpanMetrics::new(spans, config.max_series, instance_id(&random), place));
        let graph = config
            .service_graph
            .clone()
            .map(|graph| ServiceGraph::new(graph, config.max_series, now_ns, place));
        let key_attributes = config.span_metrics.as_ref().map(|spans| spans.resource_key_attributes.clone());
        Self {
            wanted: Wanted::new(&names),
            counts: AdjustedCounts::new(random.hash_one(0)),
            spans,
            graph,
            origins: Origins::new(names, key_attributes.unwrap_or_default()),
        }
    }

    fn observe(&mut self, batch: &Batch<'_>, now_ns: u64) -> Tally {
        let mut tally = Tally::default();
        // The services of one resource after the other, since making room for one may end another.
        let origins: Vec<_> = batch.resources().iter().map(|resource| self.origins.of(resource)).collect();
        let mut row = vec![None; self.wanted.len()];
        let mut current = (u32::MAX, 0);
        for span in batch.spans() {
            let resource = batch.scopes()[span.scope as usize].resource;
            let origin = &*origins[resource as usize];
            let Some(service) = &origin.service else {
                tally.nameless += 1;
                continue;
            };
            self.wanted.find(batch.attributes(&span.attributes), &mut row);
            let seen = Seen { span, row: &row, origin, service, now_ns };
            if let Some(spans) = &mut self.spans {
                if current.0 != resource {
                    current = (resource, spans.service(origin, now_ns, &mut tally));
                }
                let times = self.counts.of(span.trace_state);
                spans.count(current.1, &seen, times, &mut tally);
            }
            if let Some(graph) = &mut self.graph {
                graph.take(&seen, &mut tally);
            }
        }
        tally
    }
}

/// Every attribute that is looked for, once.
fn names(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut add = |name: &String| {
        if !names.contains(name) {
            names.push(name.clone());
        }
    };
    if let Some(spans) = &config.span_metrics {
        spans.dimensions.iter().for_each(|dimension| add(&dimension.name));
    }
    if let Some(graph) = &config.service_graph {
        graph.peer_attributes.iter().chain(&graph.database_attributes).chain(&graph.dimensions).for_each(add);
    }
    names
}

/// A random identifier of this process, as a UUID of version 4.
fn instance_id(random: &RandomState) -> String {
    let (high, low) = (random.hash_one(1), random.hash_one(2));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 48 & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}

impl Shared {
    fn run(&self) {
        let mut turns = Turns::new(&self.config);
        let mut stopping = self.stopping.lock();
        while !*stopping {
            self.stop.wait_until(&mut stopping, turns.next());
            if *stopping {
                break;
            }
            drop(stopping);
            let now = Instant::now();
            if turns.expire.is_due(now) {
                self.expire();
            }
            if turns.clean.is_due(now) {
                self.clean();
            }
            if turns.spans.is_due(now) {
                self.flush_spans();
            }
            if turns.graph.is_due(now) {
                self.flush_graph();
            }
            stopping = self.stopping.lock();
        }
    }

    fn flush_spans(&self) {
        let Some(config) = &self.config.span_metrics else { return };
        let now_ns = self.clock.now_ns();
        let (snapshots, bounds) = {
            let mut state = self.state.lock();
            let Some(spans) = &mut state.spans else { return };
            (spans.flush(now_ns), spans.bounds().clone())
        };
        self.show_series();
        for snapshot in snapshots {
            for points in in_parts(snapshot.points) {
                self.write(export::span_metrics(&snapshot.resource, points, config, &bounds, now_ns));
            }
        }
    }

    fn flush_graph(&self) {
        let now_ns = self.clock.now_ns();
        let (snapshot, bounds): (_, Bounds) = {
            let state = self.state.lock();
            let Some(graph) = &state.graph else { return };
            (graph.snapshot(), graph.bounds().clone())
        };
        self.show_series();
        for points in in_parts(snapshot.points) {
            self.write(export::service_graph(points, &bounds, snapshot.start_ns, now_ns));
        }
    }

    fn expire(&self) {
        let mut tally = Tally::default();
        if let Some(graph) = &mut self.state.lock().graph {
            graph.expire(self.clock.now_ns(), &mut tally);
        }
        self.meters.add(&tally);
    }

    fn clean(&self) {
        if let Some(graph) = &mut self.state.lock().graph {
            graph.clean(self.clock.now_ns());
        }
    }

    fn show_series(&self) {
        let state = self.state.lock();
        self.meters.set_series(
            state.spans.as_ref().map_or(0, SpanMetrics::series_count),
            state.graph.as_ref().map_or(0, ServiceGraph::series_count),
            state.graph.as_ref().map_or(0, ServiceGraph::waiting),
        );
    }

    /// Writes a request; what is not taken is counted, and is in the next one, which counts on from it.
    fn write(&self, request: ExportMetricsServiceRequest) {
        let translation = Arc::clone(&self.translation.lock());
        let (batch, mut rejected) = otlp::metrics::to_series(request, &translation);
        match self.store.append(&batch) {
            Ok(appended) => {
                self.meters.written(appended.points);
                rejected.merge(appended.rejected);
            }
            Err(error) => {
                tracing::warn!(%error, "metrics made of spans were not written");
                self.meters.not_written("store", batch.points.len() as u64);
            }
        }
        if rejected.count > 0 {
            tracing::debug!(
                count = rejected.count,
                why = rejected.message,
                "metrics made of spans were rejected"
            );
        }
        for (reason, count) in rejected.by_reason {
            self.meters.not_written(reason, count);
        }
    }
}

/// So many at a time.
fn in_parts<T>(mut points: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    std::iter::from_fn(move || {
        let rest = points.split_off(points.len().min(POINTS_PER_REQUEST));
        let part = std::mem::replace(&mut points, rest);
        (!part.is_empty()).then_some(part)
    })
}

/// When what is due.
struct Turns {
    spans: Turn,
    graph: Turn,
    expire: Turn,
    clean: Turn,
}

struct Turn {
    every: Duration,
    next: Instant,
}

/// Shortest interval, so that none can be made to spin.
const SHORTEST: Duration = Duration::from_millis(100);
/// Where there is nothing to do.
const NEVER: Duration = Duration::from_hours(24);

impl Turns {
    fn new(config: &Config) -> Self {
        let now = Instant::now();
        let turn = |every: Option<Duration>| {
            let every = every.unwrap_or(NEVER).clamp(SHORTEST, NEVER);
            Turn { every, next: now + every }
        };
        let graph = config.service_graph.as_ref();
        Self {
            spans: turn(config.span_metrics.as_ref().map(|spans| spans.flush_interval)),
            graph: turn(graph.map(|graph| graph.flush_interval)),
            expire: turn(graph.map(|graph| graph.expire_interval)),
            clean: turn(graph.map(|graph| graph.clean_interval)),
        }
    }

    fn next(&self) -> Instant {
        self.spans.next.min(self.graph.next).min(self.expire.next).min(self.clean.next)
    }
}

impl Turn {
    /// Whether it is time; if so, the next time is an interval later, or an interval from now where turns were missed.
    fn is_due(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        self.next = (self.next + self.every).max(now);
        true
    }
}
