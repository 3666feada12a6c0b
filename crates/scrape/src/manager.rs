//! All jobs of a configuration: a pool and a watch for each.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use promconfig::{ScrapeConfig, relabel};
use prometheus::{IntCounterVec, Opts, Registry};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::discovery::{self, Watch};
use crate::job::{Job, LabelLimits, Relabel};
use crate::pool::{Dropped, Environment, Pool};
use crate::target::Target;
use crate::{headers, targets};

/// Which hosts of the configuration there are.
pub trait Hosts: std::fmt::Debug + Send + Sync {
    /// Whether a `host:port` belongs to something that does not run and is not meant to: it is no target then.
    fn is_absent(&self, host: &str) -> bool;
}

/// Scrapes the jobs of a configuration.
#[derive(Debug)]
pub struct Manager {
    environment: Environment,
    discovery: discovery::Environment,
    hosts: Arc<dyn Hosts>,
    failures: IntCounterVec,
    /// One configuration is applied at a time.
    applying: tokio::sync::Mutex<()>,
    jobs: Mutex<BTreeMap<String, Running>>,
}

#[derive(Debug)]
struct Running {
    config: Arc<ScrapeConfig>,
    job: Arc<Job>,
    pool: Arc<Pool>,
    watch: JoinHandle<()>,
    stop: CancellationToken,
}

/// A job's targets, for the API.
#[derive(Debug, Clone)]
pub struct PoolView {
    /// The job's name.
    pub name: String,
    /// Targets that are scraped.
    pub active: Vec<Arc<Target>>,
    /// Targets that are dropped, as many as the job keeps.
    pub dropped: Vec<Dropped>,
    /// How many targets are dropped.
    pub dropped_count: usize,
}

/// Why jobs cannot be scraped as the configuration says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// A file with credentials or a header cannot be read.
    #[error("scrape config {job:?}: {reason}")]
    Headers {
        /// The job's name.
        job: String,
        /// Why.
        reason: String,
    },
    /// There can be no HTTP client.
    #[error("scrape config {job:?}: {source}")]
    Client {
        /// The job's name.
        job: String,
        /// Why.
        source: reqwest::Error,
    },
}

impl Manager {
    /// A manager without jobs.
    ///
    /// # Errors
    /// The registry has such figures already.
    pub fn new(
        environment: Environment,
        discovery: discovery::Environment,
        hosts: Arc<dyn Hosts>,
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        let failures = IntCounterVec::new(
            Opts::new("prometheus_target_sync_failed_total", "Total number of target sync failures."),
            &["scrape_job"],
        )?;
        registry.register(Box::new(failures.clone()))?;
        let applying = tokio::sync::Mutex::default();
        Ok(Self { environment, discovery, hosts, failures, applying, jobs: Mutex::default() })
    }

    /// Makes these the jobs that are scraped. A job that says the same goes on undisturbed; one that says something else
    /// keeps what is known of its targets' series where that still holds. Has to be called on a Tokio runtime.
    ///
    /// # Errors
    /// See [`ApplyError`]; nothing has changed then.
    pub async fn apply(&self, configs: &[ScrapeConfig]) -> Result<(), ApplyError> {
        let _one = self.applying.lock().await;
        let mut wanted = Vec::with_capacity(configs.len());
        for config in configs {
            let job = job_of(config)
                .map_err(|reason| ApplyError::Headers { job: config.job_name.clone(), reason })?;
            wanted.push((Arc::new(config.clone()), Arc::new(job)));
        }
        let mut old = std::mem::take(&mut *self.jobs.lock());
        let mut new = BTreeMap::new();
        let mut failed = None;
        for (config, job) in wanted {
            let name = config.job_name.clone();
            match old.remove(&name) {
                Some(running) if running.config == config && running.job.headers == job.headers => {
                    new.insert(name, running);
                }
                before => match self.start(config, job, before).await {
                    Ok(running) => _ = new.insert(name, running),
                    Err(source) => failed = Some(ApplyError::Client { job: name, source }),
                },
            }
        }
        *self.jobs.lock() = new;
        for (name, running) in old {
            running.stop.cancel();
            self.discovery.figures.forget(&name);
            _ = self.failures.remove_label_values(&[&name]);
            let pool = running.pool;
            // Its series are marked as stale in time; nobody waits for that.
            tokio::spawn(async move { pool.stop().await });
        }
        failed.map_or(Ok(()), Err)
    }

    async fn start(
        &self,
        config: Arc<ScrapeConfig>,
        job: Arc<Job>,
        before: Option<Running>,
    ) -> reqwest::Result<Running> {
        let pool = match before {
            Some(before) => {
                before.stop.cancel();
                _ = before.watch.await;
                before.pool.reload(Arc::clone(&job)).await?;
                before.pool
            }
            None => Arc::new(Pool::new(Arc::clone(&job), self.environment.clone())?),
        };
        let stop = self.environment.stopped.child_token();
        let watch = Watch::start(&config.job_name, &config.discoveries, &self.discovery);
        let follow = Follow {
            config: Arc::clone(&config),
            job: Arc::clone(&job),
            pool: Arc::clone(&pool),
            hosts: Arc::clone(&self.hosts),
            failures: self.failures.clone(),
        };
        let watch = tokio::spawn(follow.run(watch, stop.clone()));
        Ok(Running { config, job, pool, watch, stop })
    }

    /// Ends all work, and waits for what is being written. No series is marked as stale.
    pub async fn stop(&self) {
        let _one = self.applying.lock().await;
        self.environment.stopped.cancel();
        let jobs = std::mem::take(&mut *self.jobs.lock());
        for running in jobs.into_values() {
            _ = running.watch.await;
            running.pool.ended().await;
        }
    }

    /// The targets of every job, by its name.
    pub fn pools(&self) -> Vec<PoolView> {
        let jobs = self.jobs.lock();
        let view = |(name, running): (&String, &Running)| {
            let (dropped, dropped_count) = running.pool.dropped();
            PoolView { name: name.clone(), active: running.pool.active(), dropped, dropped_count }
        };
        jobs.iter().map(view).collect()
    }

    /// A job's configuration.
    pub fn config(&self, job: &str) -> Option<Arc<ScrapeConfig>> {
        self.jobs.lock().get(job).map(|running| Arc::clone(&running.config))
    }
}

/// Gives a pool its targets whenever they change.
struct Follow {
    config: Arc<ScrapeConfig>,
    job: Arc<Job>,
    pool: Arc<Pool>,
    hosts: Arc<dyn Hosts>,
    failures: IntCounterVec,
}

impl Follow {
    async fn run(self, mut watch: Watch, stop: CancellationToken) {
        loop {
            let groups = tokio::select! {
                groups = watch.changed() => groups,
                () = stop.cancelled() => return,
            };
            let found =
                targets::of_groups(&self.config, &self.job, &groups, |host| self.hosts.is_absent(host));
            for failure in &found.failures {
                tracing::warn!(job = %self.config.job_name, "creating target failed: {failure}");
            }
            let failures = self.failures.with_label_values(&[&self.config.job_name]);
            failures.inc_by(found.failures.len() as u64);
            self.pool.sync(found.targets, found.dropped).await;
        }
    }
}

/// How the targets of a job are read.
fn job_of(config: &ScrapeConfig) -> Result<Job, String> {
    let limit = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
    let limits = &config.limits;
    let rules = &config.metric_relabel_configs;
    let relabel: Option<Arc<dyn Relabel>> =
        if rules.is_empty() { None } else { Some(Arc::new(Rules(rules.clone()))) };
    Ok(Job {
        interval: config.scrape_interval,
        timeout: config.scrape_timeout,
        params: config.params.iter().cloned().collect(),
        protocols: config.scrape_protocols.clone(),
        fallback: config.fallback_scrape_protocol,
        escaping: config.metric_name_escaping_scheme,
        utf8_names: config.metric_name_validation_scheme == promconfig::ValidationScheme::Utf8,
        honor_labels: config.honor_labels,
        honor_timestamps: config.honor_timestamps,
        track_timestamps_staleness: config.track_timestamps_staleness,
        compression: config.enable_compression,
        follow_redirects: config.client.follow_redirects,
        native_histograms: config.scrape_native_histograms,
        always_classic_histograms: config.always_scrape_classic_histograms,
        convert_classic_to_nhcb: config.convert_classic_histograms_to_nhcb,
        extra_metrics: config.extra_scrape_metrics,
        body_size_limit: u64::try_from(limits.body_size).unwrap_or(0),
        sample_limit: limit(limits.samples),
        target_limit: limit(limits.targets),
        label_limits: LabelLimits {
            count: limit(limits.labels),
            name_length: limit(limits.label_name_length),
            value_length: limit(limits.label_value_length),
        },
        bucket_limit: limit(config.native_histogram_bucket_limit),
        min_bucket_factor: config.native_histogram_min_bucket_factor,
        relabel,
        keep_dropped_targets: limit(limits.kept_dropped_targets),
        headers: headers::of_client(&config.client)?,
        ..Job::new(&config.job_name)
    })
}

/// `metric_relabel_configs`.
#[derive(Debug)]
struct Rules(Vec<relabel::Rule>);

impl Relabel for Rules {
    fn relabel(&self, labels: &mut Vec<(String, String)>) -> bool {
        relabel::apply(&self.0, labels)
    }

    fn fingerprint(&self) -> String {
        format!("{:?}", self.0)
    }
}
