//! The targets of one job, each with a loop that scrapes it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::{Clock, Labels};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tsdb::Tsdb;

use crate::cache::Cache;
use crate::client::{self, Client, Dial};
use crate::job::Job;
use crate::meters::Meters;
use crate::scrape::Scraper;
use crate::target::Target;
use crate::times::Times;

/// What all pools share.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Where samples go.
    pub store: Arc<Tsdb>,
    /// The times of samples.
    pub clock: Arc<dyn Clock>,
    /// Where hosts really listen.
    pub dial: Option<Arc<dyn Dial>>,
    /// What `User-Agent` says.
    pub user_agent: String,
    /// Spreads the scrapes of several servers over the interval.
    pub offset_seed: u64,
    /// Counters.
    pub meters: Meters,
    /// Ends all loops at once, without any staleness marker: the process stops, and goes on where it was.
    pub stopped: CancellationToken,
}

/// A target that rules drop, for the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped {
    /// Its labels before relabelling.
    pub discovered: Labels,
}

/// The targets of one job.
#[derive(Debug)]
pub struct Pool {
    environment: Environment,
    state: tokio::sync::Mutex<State>,
    shown: Mutex<Shown>,
    /// Why no target is scraped.
    forced: Arc<Mutex<Option<String>>>,
}

#[derive(Debug)]
struct State {
    job: Arc<Job>,
    http: reqwest::Client,
    loops: HashMap<u64, Running>,
}

#[derive(Debug, Clone, Default)]
struct Shown {
    active: Vec<Arc<Target>>,
    dropped: Vec<Dropped>,
    dropped_count: usize,
}

#[derive(Debug)]
struct Running {
    target: Arc<Target>,
    stop: CancellationToken,
    /// Whether the cache is handed over, and nothing marked as stale.
    hands_over: Arc<AtomicBool>,
    /// Comes when the last scrape is through.
    ended: oneshot::Receiver<Option<Cache>>,
}

impl Pool {
    /// A pool without targets. Fails if there can be no HTTP client.
    pub fn new(job: Arc<Job>, environment: Environment) -> reqwest::Result<Self> {
        environment.meters.pools.inc();
        let state = State { http: client::connections(job.follow_redirects)?, job, loops: HashMap::new() };
        let (state, forced) = (tokio::sync::Mutex::new(state), Arc::default());
        Ok(Self { environment, state, shown: Mutex::default(), forced })
    }

    /// The targets that are scraped, in the order in which they were given.
    pub fn active(&self) -> Vec<Arc<Target>> {
        self.shown.lock().active.clone()
    }

    /// The targets that rules drop, as many of them as the job keeps, and how many there are.
    pub fn dropped(&self) -> (Vec<Dropped>, usize) {
        let shown = self.shown.lock();
        (shown.dropped.clone(), shown.dropped_count)
    }

    /// Takes a job's new settings. Where they change anything, all loops begin anew; what is known of the series is kept
    /// if it still holds. Must run in a tokio runtime, as [`Pool::sync`] must.
    pub async fn reload(&self, job: Arc<Job>) -> reqwest::Result<()> {
        let mut state = self.state.lock().await;
        self.environment.meters.reloads.inc();
        let keeps_caches = state.job.has_same_series(&job);
        state.http = client::connections(job.follow_redirects)?;
        state.job = job;
        let running = std::mem::take(&mut state.loops);
        for running in running.values() {
            running.hands_over.store(keeps_caches, Ordering::SeqCst);
            running.stop.cancel();
        }
        for (hash, old) in running {
            let cache = old.ended.await.ok().flatten().unwrap_or_default();
            let new = self.start(&state, old.target, cache);
            state.loops.insert(hash, new);
        }
        self.limit_targets(&state);
        Ok(())
    }

    /// Makes these the targets that are scraped. Those that are there already go on undisturbed, those that are gone have
    /// their series marked as stale after two intervals.
    pub async fn sync(&self, targets: Vec<Target>, dropped: Vec<Dropped>) {
        let mut state = self.state.lock().await;
        let mut active: Vec<(u64, Arc<Target>)> = Vec::new();
        for target in targets {
            let hash = target.hash();
            if active.iter().any(|(known, _)| *known == hash) {
                continue;
            }
            let target = match state.loops.get(&hash) {
                Some(running) => {
                    running.target.set_discovered(target.discovered_labels());
                    Arc::clone(&running.target)
                }
                None => Arc::new(target),
            };
            active.push((hash, target));
        }
        let gone: Vec<u64> = state
            .loops
            .keys()
            .filter(|hash| !active.iter().any(|(known, _)| known == *hash))
            .copied()
            .collect();
        let gone: Vec<_> = gone.into_iter().filter_map(|hash| state.loops.remove(&hash)).collect();
        for running in &gone {
            running.stop.cancel();
        }
        for (hash, target) in &active {
            if !state.loops.contains_key(hash) {
                let running = self.start(&state, Arc::clone(target), Cache::default());
                state.loops.insert(*hash, running);
            }
        }
        let meters = &self.environment.meters;
        meters.syncs.with_label_values(&[&state.job.name]).inc();
        meters.targets.with_label_values(&[&state.job.name]).set(active.len() as i64);
        self.limit_targets(&state);
        let keep = match state.job.keep_dropped_targets {
            0 => usize::MAX,
            most => most,
        };
        *self.shown.lock() = Shown {
            active: active.into_iter().map(|(_, target)| target).collect(),
            dropped_count: dropped.len(),
            dropped: dropped.into_iter().take(keep).collect(),
        };
        // A target that comes back at once must not meet its own last scrape.
        for running in gone {
            _ = running.ended.await;
        }
    }

    /// Waits until all loops have ended after [`Environment::stopped`]: what they have read is written.
    pub async fn ended(&self) {
        let loops = std::mem::take(&mut self.state.lock().await.loops);
        for running in loops.into_values() {
            _ = running.ended.await;
        }
    }

    /// Ends the pool: its job is configured no more. Series are marked as stale later.
    pub async fn stop(&self) {
        self.sync(Vec::new(), Vec::new()).await;
        let state = self.state.lock().await;
        let meters = &self.environment.meters;
        _ = meters.syncs.remove_label_values(&[&state.job.name]);
        _ = meters.targets.remove_label_values(&[&state.job.name]);
        _ = meters.target_limit.remove_label_values(&[&state.job.name]);
    }

    fn limit_targets(&self, state: &State) {
        let (count, limit) = (state.loops.len(), state.job.target_limit);
        let meters = &self.environment.meters;
        meters.target_limit.with_label_values(&[&state.job.name]).set(limit as i64);
        let exceeded = limit > 0 && count > limit;
        if exceeded {
            meters.exceeded_target_limit.inc();
        }
        *self.forced.lock() =
            exceeded.then(|| format!("target_limit exceeded (number of targets: {count}, limit: {limit})"));
    }

    fn start(&self, state: &State, target: Arc<Target>, cache: Cache) -> Running {
        let environment = &self.environment;
        let client = Client::new(
            state.http.clone(),
            &state.job,
            &target,
            environment.dial.as_ref(),
            &environment.user_agent,
        );
        let scraper = Box::new(Scraper::new(
            Arc::clone(&environment.store),
            Arc::clone(&environment.clock),
            environment.meters.clone(),
            Arc::clone(&state.job),
            Arc::clone(&target),
            client,
            cache,
        ));
        let stop = environment.stopped.child_token();
        let hands_over = Arc::new(AtomicBool::new(false));
        let (ends, ended) = oneshot::channel();
        let one = Loop {
            offset: offset(&target, environment),
            own_error: target.interval_error().map(str::to_owned),
            forced: Arc::clone(&self.forced),
            stop: stop.clone(),
            stopped: environment.stopped.clone(),
            hands_over: Arc::clone(&hands_over),
        };
        tokio::spawn(one.run(scraper, ends));
        Running { target, stop, hands_over, ended }
    }
}

/// How long until the first scrape: each target has a place of its own in the interval.
fn offset(target: &Target, environment: &Environment) -> Duration {
    let interval = target.interval().as_nanos().max(1) as u64;
    let place = (target.hash() ^ environment.offset_seed) % interval;
    let now = environment.clock.now_ns() % interval;
    Duration::from_nanos((place + interval - now) % interval)
}

struct Loop {
    offset: Duration,
    own_error: Option<String>,
    forced: Arc<Mutex<Option<String>>>,
    stop: CancellationToken,
    stopped: CancellationToken,
    hands_over: Arc<AtomicBool>,
}

impl Loop {
    async fn run(self, scraper: Box<Scraper>, ends: oneshot::Sender<Option<Cache>>) {
        let interval = scraper.interval().max(Duration::from_millis(1));
        let begin = Instant::now() + self.offset;
        let mut ticks = tokio::time::interval_at(begin, interval);
        // As Go's tickers: what is late is made up for once, what was missed is missed.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut scraper, scraped) = self.scrape(scraper, &mut ticks, interval).await;
        if self.stopped.is_cancelled() {
            return;
        }
        if self.hands_over.load(Ordering::SeqCst) {
            _ = ends.send(Some(std::mem::take(&mut scraper.cache)));
            return;
        }
        _ = ends.send(None);
        if !scraped {
            return;
        }
        // The target may come back under another loop. When the next two scrapes would be through, what that one did not
        // write is gone; what it wrote is newer than the markers, which are left out then.
        let ended = async {
            ticks.tick().await;
            let time_ns = scraper.clock().now_ns();
            ticks.tick().await;
            tokio::time::sleep(interval / 10).await;
            time_ns
        };
        let ended = tokio::select! {
            time_ns = ended => Some(time_ns),
            () = self.stopped.cancelled() => None,
        };
        if let Some(time_ns) = ended {
            _ = tokio::task::spawn_blocking(move || scraper.end(time_ns)).await;
        }
    }

    /// Scrapes until it is told to stop; whether it did at all.
    async fn scrape(
        &self,
        mut scraper: Box<Scraper>,
        ticks: &mut tokio::time::Interval,
        interval: Duration,
    ) -> (Box<Scraper>, bool) {
        let mut times = Times::new(interval);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.stop.cancelled() => return (scraper, times.has_begun()),
            }
            let time_ns = times.next(scraper.clock().now_ns());
            let forced = self.own_error.clone().or_else(|| self.forced.lock().clone());
            scraper = scraper.scrape(time_ns, forced).await;
        }
    }
}
