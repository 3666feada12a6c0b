//! The start: what is taken first, what goes side by side, and what is undone when something fails.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use generator::Generator;
use model::{Clock, SystemClock};
use prometheus::Registry;

use crate::demo::Service;
use crate::gate::Gate;
use crate::lock::{DataLock, Holder};
use crate::metrics::{self, Sources};
use crate::prometheus::{Loaded, Prometheus, Surroundings};
use crate::serve::{Limits, Server};
use crate::stores::Stores;
use crate::{Config, Error, Part, Result, Running, listen, routes};

/// The embedded engine, before it runs.
#[derive(Debug, Clone, Copy)]
pub struct Stack;

impl Stack {
    /// Starts everything. When this returns, every port of the engine answers; the demo services have been started and
    /// are waited for with [`Running::ready`].
    ///
    /// The data directory is locked and every port bound before anything else happens, so that what is refused is
    /// refused early and leaves nothing half started. Stores open side by side, while the demo services start.
    ///
    /// Has to be called on a multi-threaded Tokio runtime, which must live as long as what runs.
    ///
    /// # Errors
    /// See [`Error`]; after an error nothing runs.
    pub async fn start(config: Config) -> Result<Running> {
        let began = Instant::now();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let started_ns = clock.now_ns();
        let read = {
            let config = config.clone();
            let reading = tokio::task::spawn_blocking(move || Loaded::of(&config));
            let read = reading.await;
            read.map_err(|error| Error::System { action: "read the configuration", source: error.into() })?
                .map_err(Error::PrometheusConfig)?
        };
        let settings = read.settings(&config);
        let lock = DataLock::acquire(&config.data_dir, &holder(&config, clock.now_ms()))?;
        let listeners = bind(&config)?;
        allow_many_files();

        let mut services = Vec::new();
        if let Some(demo) = &config.demo {
            for part in Part::DEMO {
                services.push(Service::start(part, &config, demo)?);
            }
        }
        let stores = {
            let (config, settings, clock) = (config.clone(), settings.clone(), Arc::clone(&clock));
            let opening = tokio::task::spawn_blocking(move || Stores::open(&config, &settings, &clock));
            opening
                .await
                .map_err(|error| Error::System { action: "open the stores", source: error.into() })??
        };

        let registry = Registry::new();
        let gate = Gate::default();
        let pool = api::pool::QueryPool::new(queries_at_once(), QUERIES_WAITING);
        let external_labels = api::ExternalLabels::default();
        let around = Surroundings {
            config: &config,
            store: Arc::clone(&stores.metrics),
            clock: Arc::clone(&clock),
            registry: &registry,
            external_labels: external_labels.clone(),
        };
        let prometheus = Prometheus::start(around, read).await?;
        let context = api::Context {
            traces: Arc::clone(&stores.traces),
            logs: Arc::clone(&stores.logs),
            metrics: Arc::clone(&stores.metrics),
            pool: pool.clone(),
            clock: Arc::clone(&clock),
            registry: registry.clone(),
            started_ns,
            ui_url: None,
            rules: Some(prometheus.rules()),
            configuration: Some(prometheus.configuration()),
            external_labels,
            admin_api: config.admin_api,
        };
        let receiver_config = routes::receiver_config(&config, &settings);
        let generator = Arc::new(start_generator(&receiver_config, &context)?);
        let routes = routes::Routes::new(receiver_config, context, Arc::clone(&generator), &gate)?;
        let mut servers = Vec::with_capacity(listeners.len());
        let mut ready = Vec::with_capacity(listeners.len());
        for (part, listener) in listeners {
            let server = Server::start(part, listener, routes.of(part), Limits::default())
                .map_err(|source| Error::System { action: "serve a port", source })?;
            servers.push(server);
            ready.push((part, began.elapsed()));
        }
        let mut others = stores.other_readers();
        // Not `process_start_time_seconds`: a program that became this one by exec, as `cargo run` does, counts there.
        let started: (_, _, Box<dyn Fn() -> f64 + Send + Sync>) = (
            "mirante_start_time_seconds",
            "When the engine was started, in seconds since the Unix epoch.",
            Box::new(move || started_ns as f64 / 1e9),
        );
        others.push(started);
        let sources = Sources {
            stores: stores.readers(),
            others,
            connections: servers
                .iter()
                .map(|server| (server.part().id(), Box::new(server.connection_count()) as _))
                .collect(),
            writes_under_way: Box::new({
                let gate = gate.clone();
                move || gate.under_way()
            }),
            restarts: services
                .iter()
                .map(|service| (service.part().id(), service.restart_reader()))
                .collect(),
        };
        registry.register(Box::new(api::observe::PoolCollector::new(pool)?))?;
        metrics::register(&registry, sources, &config.identity)?;
        registry.register(Box::new(metrics::StorageCollector::new(Arc::clone(&stores.metrics))?))?;
        tracing::info!(data_dir = %config.data_dir.display(), took = ?began.elapsed(), "the engine is up");
        Ok(Running { began, config, ready, servers, services, gate, generator, prometheus, stores, lock })
    }
}

/// Queries that may wait for a thread.
const QUERIES_WAITING: usize = 256;

/// What makes metrics of spans, as the Collector does with `infra/otel-collector/config.yaml`. Its metrics become series as
/// those that are received do.
fn start_generator(config: &receiver::Config, context: &api::Context) -> Result<Generator> {
    let generator = Generator::new(
        generator::Config::default(),
        config.metrics.clone(),
        Arc::clone(&context.metrics),
        Arc::clone(&context.clock),
        &context.registry,
    )?;
    generator.run().map_err(|source| Error::System { action: "start a thread", source })?;
    Ok(generator)
}

fn queries_at_once() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().max(2))
}

fn holder(config: &Config, started_ms: i64) -> Holder {
    Holder {
        pid: std::process::id(),
        command: config.identity.command.clone(),
        version: config.identity.version.clone(),
        bind: config.bind,
        port_offset: config.port_offset,
        demo: config.demo.is_some(),
        started_ms,
    }
}

/// Binds every port. Those of the demo services are given back at once: the services bind them themselves, and this was
/// to see that they can.
fn bind(config: &Config) -> Result<Vec<(Part, TcpListener)>> {
    let wanted: Vec<_> = config.parts().into_iter().map(|part| (part, config.address(part))).collect();
    let mut listeners = listen::bind_all(&wanted)?;
    listeners.retain(|(part, _)| Part::ENGINE.contains(part));
    Ok(listeners)
}

/// A thousand connections on each port and the blocks' files need more descriptors than a shell usually grants; the
/// system lets a process raise its own limit.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    /// More than is ever used, and still no burden where the limit is "unlimited".
    const WANTED: u64 = 65_536;
    let now = getrlimit(Resource::Nofile);
    let reachable = now.maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    if now.current.is_some_and(|current| current < reachable)
        && let Err(error) =
            setrlimit(Resource::Nofile, Rlimit { current: Some(reachable), maximum: now.maximum })
    {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// How long the start of a demo service may take.
pub(crate) const DEMO_READY_WITHIN: Duration = Duration::from_secs(15);
