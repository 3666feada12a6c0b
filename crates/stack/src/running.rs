//! What runs, and the order in which it stops.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use generator::Generator;

use crate::demo::{self, Service};
use crate::gate::Gate;
use crate::lock::DataLock;
use crate::prometheus::Prometheus;
use crate::serve::Server;
use crate::start::DEMO_READY_WITHIN;
use crate::stores::Stores;
use crate::{Config, NotReady, Part, StoreFigures};

/// A stack that runs. It is stopped with [`Running::stop`]; dropping it ends everything at once, which loses nothing
/// that was accepted, but cuts requests and leaves telemetry of the demo services unsent.
#[derive(Debug)]
pub struct Running {
    pub(crate) began: Instant,
    pub(crate) config: Config,
    pub(crate) ready: Vec<(Part, Duration)>,
    pub(crate) servers: Vec<Server>,
    pub(crate) services: Vec<Service>,
    pub(crate) gate: Gate,
    pub(crate) generator: Arc<Generator>,
    pub(crate) prometheus: Prometheus,
    pub(crate) stores: Stores,
    pub(crate) lock: DataLock,
}

/// A part and how long it took to answer.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The part.
    pub part: Part,
    /// Where it listens.
    pub address: SocketAddr,
    /// Time from the start until it answered.
    pub after: Result<Duration, NotReady>,
}

/// What a signal's store holds at the stop.
#[derive(Debug)]
pub struct Flushed {
    /// `traces`, `logs`, `metrics`.
    pub signal: &'static str,
    /// What its items are called: `spans`, `log entries`, `samples`.
    pub items: &'static str,
    /// Its figures, taken after the last write.
    pub figures: StoreFigures,
    /// Why its log could not be synced, if it could not.
    pub error: Option<String>,
}

/// How a stop went.
#[derive(Debug)]
pub struct Stopped {
    /// The demo services that were stopped, and whether they went by themselves.
    pub services: Vec<(Part, bool)>,
    /// Write requests that were finished after the stop was asked for.
    pub drained: usize,
    /// Write requests that were not finished in time.
    pub abandoned: usize,
    /// Connections that were cut at the deadline.
    pub cut: usize,
    /// What is on disk, by signal.
    pub flushed: Vec<Flushed>,
    /// How long it all took.
    pub took: Duration,
}

impl Stopped {
    /// Whether everything ended by itself and is on disk.
    pub fn is_clean(&self) -> bool {
        self.abandoned == 0 && self.cut == 0 && self.flushed.iter().all(|flushed| flushed.error.is_none())
    }
}

impl Running {
    /// What it was started with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Reads Prometheus' configuration again. One that is wrong changes nothing; why is in the log.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn reload(&self) -> Result<(), String> {
        self.prometheus.reload().await
    }

    /// Waits until the demo services answer, and gives every part with the time that it took.
    pub async fn ready(&self) -> Vec<Ready> {
        let waiting: Vec<_> = self
            .services
            .iter()
            .map(|service| {
                let ready = service.ready(&self.config.data_dir, DEMO_READY_WITHIN);
                let began = self.began;
                let timed = async move { ready.await.map(|()| began.elapsed()) };
                (service.part(), tokio::spawn(timed))
            })
            .collect();
        let engine = self.ready.iter().map(|&(part, after)| (part, Ok(after)));
        let mut all: Vec<_> = engine.collect();
        for (part, ready) in waiting {
            // The task is ours and does not panic; if the runtime is going down nobody reads this.
            let after = ready.await.unwrap_or(Err(NotReady::Stopping { part }));
            all.push((part, after));
        }
        all.sort_by_key(|&(part, _)| part);
        all.into_iter()
            .map(|(part, after)| Ready { part, address: self.config.address(part), after })
            .collect()
    }

    /// Stops in order: the demo services, which send the last of their telemetry; scraping and rules; nothing new is accepted; the receivers
    /// finish what they have begun; the logs are synced and the stores closed; the query side ends. What is not done
    /// within the time is cut off, which loses nothing that was accepted.
    pub async fn stop(self, within: Duration) -> Stopped {
        let began = Instant::now();
        let deadline = tokio::time::Instant::now() + within;
        let services = stop_services(self.services, deadline).await;
        tracing::debug!(took = ?began.elapsed(), "demo services stopped");

        self.prometheus.stop().await;
        tracing::debug!(took = ?began.elapsed(), "scraping stopped");

        for server in &self.servers {
            server.close();
        }
        let under_way = self.gate.under_way();
        let drained = tokio::time::timeout_at(deadline, self.gate.drain()).await;
        let abandoned = if drained.is_ok() { 0 } else { self.gate.under_way() };
        let (receivers, queries): (Vec<_>, Vec<_>) = self
            .servers
            .into_iter()
            .partition(|server| matches!(server.part(), Part::OtlpGrpc | Part::OtlpHttp));
        let mut cut = end_all(receivers, deadline).await;
        tracing::debug!(took = ?began.elapsed(), "receivers drained");

        let (generator, stores) = (self.generator, self.stores);
        let closing = tokio::task::spawn_blocking(move || {
            // What was made of the last spans belongs to what is kept.
            generator.stop();
            stores.close()
        });
        // The logs are written and on their way to the disk in any case; that a store panics while it closes is told by
        // there being nothing to tell of it.
        let flushed = closing.await.unwrap_or_default();
        tracing::debug!(took = ?began.elapsed(), "stores closed");
        cut += end_all(queries, deadline).await;
        drop(self.lock);
        let stopped = Stopped {
            services,
            drained: under_way.saturating_sub(abandoned),
            abandoned,
            cut,
            flushed,
            took: began.elapsed(),
        };
        tracing::info!(took = ?stopped.took, clean = stopped.is_clean(), "the engine is down");
        stopped
    }
}

async fn stop_services(services: Vec<Service>, deadline: tokio::time::Instant) -> Vec<(Part, bool)> {
    let stopping: Vec<_> =
        services.into_iter().map(|service| (service.part(), tokio::spawn(service.stop(deadline)))).collect();
    let mut stopped = Vec::with_capacity(stopping.len());
    for (part, stopping) in stopping {
        let how = stopping.await.unwrap_or(demo::Stopped::Killed);
        stopped.push((part, how == demo::Stopped::InOrder));
    }
    stopped
}

async fn end_all(servers: Vec<Server>, deadline: tokio::time::Instant) -> usize {
    let ending: Vec<_> = servers.into_iter().map(|server| tokio::spawn(server.end(deadline))).collect();
    let mut cut = 0;
    for ending in ending {
        cut += ending.await.unwrap_or_default();
    }
    cut
}
