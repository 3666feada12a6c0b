//! What runs by `prometheus.yml`: scraping and rules, and the reading of another file while they run.
//!
//! `load` reads the file and all that it names, and refuses what is wrong before anything changes; `hosts` knows where the
//! names of the compose network are here; `settings` is what stores and receivers are built with; `rules` evaluates rules, and
//! `alertmanagers` finds who hears of alerts. [`Prometheus`] owns what the configuration is applied to, `apply` applies it.

mod alertmanagers;
mod figures;
mod hosts;
mod load;
mod rules;
mod settings;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::prometheus::Registry;
use api::{Configuration, ExternalLabels, Reload, ReloadRequest};
use model::Clock;
use scrape::Manager;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tsdb::Tsdb;

use crate::{Config, Error, Keep, Part, Result};
use figures::Figures;
use hosts::Hosts;
pub(crate) use load::Loaded;
pub use load::Refusal;
use rules::Rules;
pub(crate) use settings::Settings;

/// Who scrapes, in `User-Agent`.
const USER_AGENT: &str = "Prometheus/3.14.0";

/// What a configuration needs of the stack.
#[derive(Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) config: &'a Config,
    pub(crate) store: Arc<Tsdb>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: &'a Registry,
    pub(crate) external_labels: ExternalLabels,
}

/// What runs by the configuration. It works until it is stopped.
#[derive(Debug)]
pub(crate) struct Prometheus {
    room: Arc<Room>,
    configuration: Configuration,
    task: JoinHandle<()>,
}

/// What a configuration is applied to.
#[derive(Debug)]
struct Room {
    /// The file, where there is one.
    file: Option<PathBuf>,
    targets: Arc<Manager>,
    rules: Rules,
    hosts: Arc<Hosts>,
    external_labels: ExternalLabels,
    clock: Arc<dyn Clock>,
    loaded: api::Loaded,
    /// What was taken from the file at the start.
    settings: Settings,
    /// What the command line says of how long samples are kept.
    retention: Keep,
    figures: Figures,
    stopped: CancellationToken,
}

impl Prometheus {
    /// Begins to work by what was read.
    ///
    /// # Errors
    /// What could not be seen by reading: our own metrics twice, files of credentials that are not there.
    pub(crate) async fn start(around: Surroundings<'_>, read: Loaded) -> Result<Self> {
        let hosts = Arc::new(Hosts::of(around.config));
        let stopped = CancellationToken::new();
        let environment = scrape::Environment {
            store: Arc::clone(&around.store),
            clock: Arc::clone(&around.clock),
            dial: Some(Arc::clone(&hosts) as Arc<dyn scrape::Dial>),
            user_agent: USER_AGENT.to_owned(),
            offset_seed: offset_seed(around.config),
            meters: scrape::Meters::new(around.registry)?,
            stopped: stopped.clone(),
        };
        let discovery = scrape::discovery::Environment {
            user_agent: USER_AGENT.to_owned(),
            clock: Arc::clone(&around.clock),
            dial: Some(Arc::clone(&hosts) as Arc<dyn scrape::Dial>),
            name_servers: None,
            figures: scrape::discovery::Figures::register(around.registry)?,
        };
        let rules = Rules::new(rules::Surroundings {
            store: around.store,
            clock: Arc::clone(&around.clock),
            registry: around.registry,
            hosts: Arc::clone(&hosts),
            discovery: scrape::discovery::Environment {
                figures: discovery.figures.of_alertmanagers(),
                ..discovery.clone()
            },
            external_url: around.config.local_url(Part::Prometheus),
        })?;
        let found: Arc<dyn scrape::Hosts> = Arc::clone(&hosts) as _;
        let targets = Arc::new(Manager::new(environment, discovery, found, around.registry)?);
        let file = around.config.prometheus_config.clone();
        let room = Arc::new(Room {
            targets: Arc::clone(&targets),
            rules,
            hosts,
            external_labels: around.external_labels,
            clock: around.clock,
            loaded: api::Loaded::default(),
            settings: Settings::of(&read.config, around.config.retention.metrics),
            retention: around.config.retention.metrics,
            figures: Figures::register(around.registry)?,
            stopped,
            file,
        });
        let path = room.path();
        room.apply(read).await.map_err(|reason| {
            Error::PrometheusConfig(Refusal { file: path.to_owned(), line: None, reason })
        })?;
        let (reload, requests) = Reload::channel();
        let configuration =
            Configuration { file: path.display().to_string(), targets, loaded: room.loaded.clone(), reload };
        let task = tokio::spawn(serve(Arc::clone(&room), requests));
        Ok(Self { room, configuration, task })
    }

    /// What the API shows.
    pub(crate) fn configuration(&self) -> Configuration {
        self.configuration.clone()
    }

    /// Rules and Alertmanagers, for the API.
    pub(crate) fn rules(&self) -> api::Rules {
        self.room.rules.shown()
    }

    /// Reads the file again, when those who asked before have their answer.
    pub(crate) async fn reload(&self) -> Result<(), String> {
        self.configuration.reload.ask().await
    }

    /// Ends all work. What is being scraped is written; no series is marked as stale, since a start goes on with it.
    pub(crate) async fn stop(self) {
        self.task.abort();
        self.room.rules.stop().await;
        self.room.stopped.cancel();
        self.room.targets.stop().await;
    }
}

/// Reads the file again for whoever asks.
async fn serve(room: Arc<Room>, mut requests: mpsc::Receiver<ReloadRequest>) {
    while let Some(request) = requests.recv().await {
        let answer = room.reload().await;
        // Whoever asked may be gone; the configuration holds all the same.
        _ = request.send(answer);
    }
}

impl Room {
    /// The file for messages.
    fn path(&self) -> &Path {
        self.file.as_deref().unwrap_or(Path::new(""))
    }

    /// Reads the file again. One that is wrong changes nothing.
    async fn reload(&self) -> Result<(), String> {
        let Some(file) = &self.file else { return Ok(()) };
        let path = file.clone();
        let read = tokio::task::spawn_blocking(move || Loaded::read(&path)).await;
        let flag = format!("(--config.file=\"{}\")", file.display());
        let outcome = match read {
            Ok(Ok(loaded)) => self.apply(loaded).await.map_err(|reason| {
                format!("one or more errors occurred while applying the new configuration {flag}: {reason}")
            }),
            Ok(Err(refusal)) => Err(format!("couldn't load configuration {flag}: {}", refusal.in_words())),
            Err(panicked) => Err(format!("couldn't load configuration {flag}: {panicked}")),
        };
        match &outcome {
            Ok(()) => tracing::info!(file = %file.display(), "configuration loaded again"),
            Err(reason) => {
                tracing::error!(file = %file.display(), "configuration refused, the one before holds: {reason}");
                self.loaded.failed();
                self.figures.failed();
            }
        }
        outcome
    }

    /// Puts a configuration in the place of the one before. What can be refused comes first, so that it changes nothing.
    async fn apply(&self, mut read: Loaded) -> Result<(), String> {
        read.name_what_is_ignored();
        let waiting = Settings::of(&read.config, self.retention).changed(&self.settings);
        if !waiting.is_empty() {
            tracing::warn!(keys = waiting.join(", "), "these changes take effect with the next start");
        }
        let rules = self.rules.prepare(&read).await?;
        self.hosts.name_absent(&read.jobs);
        self.targets.apply(&read.jobs).await.map_err(|error| error.to_string())?;
        self.rules.apply(rules).await?;
        self.external_labels.set(read.config.global.external_labels.clone());
        let now_ns = self.clock.now_ns();
        self.settings.complete(&mut read.config);
        self.loaded.succeeded(read.config.print(), now_ns);
        self.figures.succeeded(now_ns);
        Ok(())
    }
}

/// The same for every start in one directory, another elsewhere.
fn offset_seed(config: &Config) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    crate::config::absolute(&config.data_dir).hash(&mut hasher);
    hasher.finish()
}
