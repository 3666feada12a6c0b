//! All groups, each on a task of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use model::{Clock, Labels};
use parking_lot::Mutex;
use promrules::Options;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::environment::{Config, Environment};
use crate::files::{self, LoadError};
use crate::group::Group;
use crate::metrics::Metrics;
use crate::notify::Notify;
use crate::schedule::Schedule;
use crate::view::GroupView;

/// What a configuration says of rules.
#[derive(Debug, Clone)]
pub struct Load {
    /// The rule files, patterns expanded.
    pub files: Vec<PathBuf>,
    /// How often groups are evaluated that do not say it themselves.
    pub interval: Duration,
    /// How far in the past groups look that do not say it themselves.
    pub query_offset: Duration,
    /// Labels that the configuration adds to everything that leaves; templates may ask for them.
    pub external_labels: Labels,
    /// Where Prometheus is found from outside, without a slash at the end.
    pub external_url: String,
    /// How rule files are read.
    pub options: Options,
}

/// Evaluates groups of rules until it is stopped. Has to be made and used on a Tokio runtime.
pub struct Ruler {
    backend: Arc<dyn Backend>,
    notify: Arc<dyn Notify>,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    config: Config,
    /// Evaluations at the same time.
    permits: Arc<Semaphore>,
    /// What is waited for and what is changed by one load at a time.
    loading: tokio::sync::Mutex<()>,
    groups: Mutex<BTreeMap<String, Running>>,
    stop: CancellationToken,
    has_loaded: Mutex<bool>,
}

impl std::fmt::Debug for Ruler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ruler").field("config", &self.config).finish_non_exhaustive()
    }
}

/// A group with the task that evaluates it.
struct Running {
    group: Arc<Group>,
    environment: Arc<Environment>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Ruler {
    /// A ruler without rules. Its figures go to the registry.
    ///
    /// # Errors
    /// The registry has such figures already.
    pub fn new(
        backend: Arc<dyn Backend>,
        notify: Arc<dyn Notify>,
        clock: Arc<dyn Clock>,
        registry: &prometheus::Registry,
        config: Config,
    ) -> prometheus::Result<Self> {
        Ok(Self {
            backend,
            notify,
            clock,
            metrics: Metrics::register(registry)?,
            permits: Arc::new(Semaphore::new(config.concurrency.max(1))),
            config,
            loading: tokio::sync::Mutex::default(),
            groups: Mutex::default(),
            stop: CancellationToken::new(),
            has_loaded: Mutex::new(false),
        })
    }

    /// Puts rules in the place of those that there are. A group that says the same goes on as if nothing had happened; one
    /// that says something else takes over alerts and series of the rules that are the same; series of rules that are no
    /// more end.
    ///
    /// # Errors
    /// Everything that is wrong with the files; the rules stay as they were.
    pub async fn load(&self, load: Load) -> Result<(), LoadError> {
        let _one = self.loading.lock().await;
        if self.stop.is_cancelled() {
            return Ok(());
        }
        let restored = *self.has_loaded.lock();
        let read = {
            let load = load.clone();
            tokio::task::spawn_blocking(move || read_groups(&load, restored))
        };
        let new = read.await.map_err(|error| LoadError(vec![error.to_string()]))??;
        *self.has_loaded.lock() = true;
        let environment = Arc::new(self.environment(load));
        let mut old = std::mem::take(&mut *self.groups.lock());
        let mut kept = BTreeMap::new();
        let mut fresh = Vec::new();
        for group in new {
            match old.remove(&group.key) {
                Some(running)
                    if running.group.says_the_same(&group) && same(&running.environment, &environment) =>
                {
                    kept.insert(group.key.clone(), running);
                }
                before => fresh.push((group, before)),
            }
        }
        // Those that go and those that are replaced stop side by side.
        for running in old.values().chain(fresh.iter().filter_map(|(_, before)| before.as_ref())) {
            running.stop.cancel();
        }
        for (group, before) in fresh {
            let must_restore = before.is_none() && !restored;
            if let Some(before) = before {
                let _ = before.task.await;
                group.take_over(&before.group);
            }
            self.metrics.begin(&group.key, group.rules.len(), group.interval);
            kept.insert(group.key.clone(), self.start(group, Arc::clone(&environment), must_restore));
        }
        *self.groups.lock() = kept;
        for (key, Running { group, environment, task, .. }) in old {
            let _ = task.await;
            self.metrics.forget(&key);
            self.end_series(group, environment);
        }
        Ok(())
    }

    fn environment(&self, load: Load) -> Environment {
        Environment {
            backend: Arc::clone(&self.backend),
            notify: Arc::clone(&self.notify),
            clock: Arc::clone(&self.clock),
            metrics: self.metrics.clone(),
            config: self.config.clone(),
            query_offset: load.query_offset,
            external_labels: load.external_labels,
            external_url: load.external_url,
        }
    }

    fn start(&self, group: Group, environment: Arc<Environment>, must_restore: bool) -> Running {
        let group = Arc::new(group);
        let stop = self.stop.child_token();
        let work = Work {
            group: Arc::clone(&group),
            environment: Arc::clone(&environment),
            permits: Arc::clone(&self.permits),
            stop: stop.clone(),
        };
        let task = tokio::spawn(async move { work.run(must_restore).await });
        Running { group, environment, stop, task }
    }

    /// Ends the series of a group that is no more, two intervals later: by then a group that makes them under another
    /// name has written to them, and they go on.
    fn end_series(&self, group: Arc<Group>, environment: Arc<Environment>) {
        let now_ns = environment.now_ns();
        group.orphan_all();
        let (stop, permits) = (self.stop.clone(), Arc::clone(&self.permits));
        tokio::spawn(async move {
            let wait = tokio::time::sleep(group.interval.saturating_mul(2));
            if stop.run_until_cancelled(wait).await.is_some() {
                let _permit = permits.acquire_owned().await;
                let _ = tokio::task::spawn_blocking(move || group.end_orphans(&environment, now_ns)).await;
            }
        });
    }

    /// How the groups are, by file and name.
    pub fn groups(&self) -> Vec<GroupView> {
        let groups: Vec<Arc<Group>> =
            self.groups.lock().values().map(|running| Arc::clone(&running.group)).collect();
        let mut views: Vec<GroupView> = groups.iter().map(|group| GroupView::of(group)).collect();
        views.sort_by(|left, right| (&left.file, &left.name).cmp(&(&right.file, &right.name)));
        views
    }

    /// Stops all groups and waits for evaluations under way. No series is ended: after a start they go on.
    pub async fn stop(&self) {
        self.stop.cancel();
        let _one = self.loading.lock().await;
        let groups = std::mem::take(&mut *self.groups.lock());
        for (_, running) in groups {
            let _ = running.task.await;
        }
    }
}

/// Whether what groups work with is the same, apart from what never changes.
fn same(left: &Environment, right: &Environment) -> bool {
    (left.query_offset, &left.external_labels, &left.external_url)
        == (right.query_offset, &right.external_labels, &right.external_url)
}

/// Reads rule files as [`Ruler::load`] does, and changes nothing. Blocks.
///
/// # Errors
/// Everything that is wrong with the first wrong file.
pub fn check(load: &Load) -> Result<(), LoadError> {
    load.files.iter().try_for_each(|path| files::read(path, load.options).map(drop))
}

/// Reads all files; all that is wrong with the first wrong one is told.
pub(crate) fn read_groups(load: &Load, restored: bool) -> Result<Vec<Group>, LoadError> {
    let mut groups = Vec::new();
    for path in &load.files {
        let file = files::read(path, load.options)?;
        let name = path.display().to_string();
        groups.extend(file.groups.into_iter().map(|group| Group::new(&name, group, load.interval, restored)));
    }
    Ok(groups)
}

/// What a group's task needs.
struct Work {
    group: Arc<Group>,
    environment: Arc<Environment>,
    permits: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Work {
    /// Evaluates the group at each of its times until it is stopped.
    async fn run(&self, mut must_restore: bool) {
        let group = &self.group;
        let schedule = Schedule::new(&group.file, &group.name, group.interval);
        let mut time_ns = schedule.first(self.environment.now_ns());
        if !self.sleep_until(time_ns).await {
            return;
        }
        self.iterate(time_ns).await;
        while self.sleep_until(schedule.after(time_ns)).await {
            let due = schedule.due(time_ns, self.environment.now_ns());
            if due.missed > 0 {
                self.environment.metrics.missed(&group.key, due.missed);
            }
            time_ns = due.time_ns;
            self.iterate(time_ns).await;
            // Not after the first evaluation: what alerts depend on may not have been written again by then.
            if std::mem::take(&mut must_restore) {
                let (group, environment) = (Arc::clone(group), Arc::clone(&self.environment));
                self.blocking(move |_| group.restore(&environment, environment.now_ns())).await;
            }
        }
    }

    /// Waits; whether the time came before the stop.
    async fn sleep_until(&self, time_ns: i64) -> bool {
        let left_ns = time_ns.saturating_sub(self.environment.now_ns());
        let left = Duration::from_nanos(u64::try_from(left_ns).unwrap_or(0));
        self.stop.run_until_cancelled(tokio::time::sleep(left)).await.is_some() && !self.stop.is_cancelled()
    }

    async fn iterate(&self, time_ns: i64) {
        let (group, environment) = (Arc::clone(&self.group), Arc::clone(&self.environment));
        self.blocking(move |stop| group.iterate(&environment, time_ns, &|| stop.is_cancelled())).await;
    }

    async fn blocking(&self, work: impl FnOnce(&CancellationToken) + Send + 'static) {
        let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await else { return };
        let stop = self.stop.clone();
        let done = tokio::task::spawn_blocking(move || {
            work(&stop);
            drop(permit);
        });
        if let Err(error) = done.await {
            tracing::error!(group = self.group.key, %error, "evaluating a group of rules failed");
        }
    }
}
