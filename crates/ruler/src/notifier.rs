//! Alerts to Alertmanagers, by version 2 of their API, as Prometheus' `notifier` does it.
//!
//! Each Alertmanager has a queue and a task of its own: one that is away keeps nobody waiting. A queue that is full
//! forgets its oldest alerts: they are told again as long as they are true. That nobody listens costs a refused
//! connection for each batch, a counter, and a line in the log now and then.

mod figures;
mod queue;
mod send;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::Labels;
use parking_lot::{Mutex, RwLock};
use reqwest::header::HeaderMap;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::notify::{Notify, Outgoing};
use figures::Figures;
use queue::Queue;
use send::{Destination, SendLoop};

/// Alerts that wait for one Alertmanager (`--alertmanager.notification-queue-capacity`).
const QUEUE_CAPACITY: usize = 10_000;
/// Most alerts of one request (`--alertmanager.notification-batch-size`).
const BATCH: usize = 256;
/// How long a stop waits for what is still in the queues.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// Changes the labels of an alert, or says by `None` that it goes nowhere.
pub type Relabel = Arc<dyn Fn(Labels) -> Option<Labels> + Send + Sync>;

/// What a configuration's `alerting` says.
#[derive(Clone, Default)]
pub struct Alerting {
    /// Labels that alerts get which have none of that name.
    pub external_labels: Labels,
    /// `alert_relabel_configs`; `None` changes nothing.
    pub relabel: Option<Relabel>,
    /// `alertmanagers`, one for each item.
    pub sets: Vec<AlertmanagerSet>,
}

impl fmt::Debug for Alerting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alerting").field("sets", &self.sets).finish_non_exhaustive()
    }
}

/// Alertmanagers that one item of `alertmanagers` names.
#[derive(Clone, Default)]
pub struct AlertmanagerSet {
    /// `alert_relabel_configs` of the item; `None` changes nothing.
    pub relabel: Option<Relabel>,
    /// How long a request may take.
    pub timeout: Duration,
    /// What requests have besides, such as credentials.
    pub headers: HeaderMap,
    /// Where alerts go.
    pub active: Vec<Alertmanager>,
    /// Addresses that were found, and which relabelling took out.
    pub dropped: Vec<String>,
}

impl fmt::Debug for AlertmanagerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlertmanagerSet")
            .field("active", &self.active)
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

/// One Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alertmanager {
    /// The address of its endpoint as the configuration gives it: `http://alertmanager:9093/api/v2/alerts`.
    pub url: String,
    /// The address at which it is really found; the same, where names are what they are.
    pub reached_at: String,
}

/// Addresses of Alertmanagers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Addresses {
    /// Those that get alerts.
    pub active: Vec<String>,
    /// Those that were found and taken out by relabelling.
    pub dropped: Vec<String>,
}

/// Hands alerts to Alertmanagers. Has to be made and used on a Tokio runtime.
pub struct Notifier {
    client: reqwest::Client,
    figures: Figures,
    state: RwLock<State>,
    stop: CancellationToken,
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").field("addresses", &self.alertmanagers()).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    external_labels: Labels,
    relabel: Option<Relabel>,
    sets: Vec<Set>,
}

struct Set {
    relabel: Option<Relabel>,
    /// By address; each address once.
    loops: BTreeMap<String, Running>,
    dropped: Vec<String>,
}

struct Running {
    destination: Destination,
    queue: Arc<Queue>,
    is_gone: Arc<AtomicBool>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Notifier {
    /// A notifier that knows no Alertmanager yet. Its figures go to the registry.
    ///
    /// # Errors
    /// The registry has such figures already.
    pub fn new(client: reqwest::Client, registry: &prometheus::Registry) -> prometheus::Result<Self> {
        let figures = Figures::register(registry, QUEUE_CAPACITY)?;
        Ok(Self { client, figures, state: RwLock::default(), stop: CancellationToken::new() })
    }

    /// Puts what a configuration says in the place of what there was. An Alertmanager that goes on being named, and is
    /// reached in the same way, keeps its queue.
    pub fn apply(&self, alerting: Alerting) {
        if self.stop.is_cancelled() {
            return;
        }
        let mut state = self.state.write();
        let mut old: Vec<Running> =
            std::mem::take(&mut state.sets).into_iter().flat_map(|set| set.loops.into_values()).collect();
        let sets: Vec<Set> = alerting.sets.into_iter().map(|set| self.set(set, &mut old)).collect();
        for running in &old {
            // What waits in its queue is sent before it ends, and then its figures go, unless they are those of another
            // that is reached in another way.
            let url = &running.destination.url;
            running.is_gone.store(!sets.iter().any(|set| set.loops.contains_key(url)), Ordering::Relaxed);
            running.stop.cancel();
        }
        let discovered = sets.iter().map(|set| set.loops.len()).sum::<usize>();
        self.figures.discovered(discovered);
        *state = State { external_labels: alerting.external_labels, relabel: alerting.relabel, sets };
    }

    fn set(&self, set: AlertmanagerSet, old: &mut Vec<Running>) -> Set {
        let mut loops = BTreeMap::new();
        for Alertmanager { url, reached_at } in set.active {
            let destination =
                Destination { url, reached_at, timeout: set.timeout, headers: set.headers.clone() };
            if loops.contains_key(&destination.url) {
                continue;
            }
            let known = old.iter().position(|running| running.destination == destination);
            let running =
                known.map_or_else(|| self.start(destination.clone()), |index| old.swap_remove(index));
            loops.insert(destination.url, running);
        }
        Set { relabel: set.relabel, loops, dropped: set.dropped }
    }

    fn start(&self, destination: Destination) -> Running {
        self.figures.begin(&destination.url);
        let queue = Arc::new(Queue::new(QUEUE_CAPACITY, BATCH));
        let stop = self.stop.child_token();
        let is_gone = Arc::new(AtomicBool::new(false));
        let work = SendLoop {
            destination: destination.clone(),
            client: self.client.clone(),
            queue: Arc::clone(&queue),
            figures: self.figures.clone(),
            is_gone: Arc::clone(&is_gone),
            stop: stop.clone(),
        };
        Running { destination, queue, is_gone, stop, task: Mutex::new(Some(tokio::spawn(work.run()))) }
    }

    /// Where alerts go, and where they do not.
    pub fn alertmanagers(&self) -> Addresses {
        let state = self.state.read();
        Addresses {
            active: state.sets.iter().flat_map(|set| set.loops.keys().cloned()).collect(),
            dropped: state.sets.iter().flat_map(|set| set.dropped.iter().cloned()).collect(),
        }
    }

    /// Takes no alerts any more, and waits a few seconds for those that are in the queues.
    pub async fn stop(&self) {
        self.stop.cancel();
        let tasks: Vec<JoinHandle<()>> = {
            let state = self.state.read();
            let running = state.sets.iter().flat_map(|set| set.loops.values());
            running.filter_map(|running| running.task.lock().take()).collect()
        };
        let all = async {
            for task in tasks {
                let _ = task.await;
            }
        };
        if tokio::time::timeout(DRAIN_WITHIN, all).await.is_err() {
            tracing::warn!("alerts that Alertmanager has not taken in time are dropped");
        }
    }
}

impl Notify for Notifier {
    fn send(&self, alerts: Vec<Outgoing>) {
        if self.stop.is_cancelled() {
            return;
        }
        let state = self.state.read();
        let with_external = |mut alert: Outgoing| {
            // What the alert has itself comes later and wins.
            let external =
                state.external_labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            alert.labels = external.chain(alert.labels.into_pairs()).collect();
            alert
        };
        let alerts = relabelled(alerts.into_iter().map(with_external), state.relabel.as_ref());
        for set in &state.sets {
            let alerts = relabelled(alerts.iter().cloned(), set.relabel.as_ref());
            for (url, running) in &set.loops {
                let dropped = running.queue.add(alerts.iter().cloned().map(Arc::new).collect());
                self.figures.queued(url, running.queue.len());
                if dropped > 0 {
                    tracing::warn!(
                        alertmanager = url,
                        count = dropped,
                        "the queue of alerts is full, the oldest are dropped"
                    );
                    self.figures.dropped(url, dropped);
                }
            }
        }
    }
}

fn relabelled(alerts: impl Iterator<Item = Outgoing>, relabel: Option<&Relabel>) -> Vec<Outgoing> {
    let Some(relabel) = relabel else { return alerts.collect() };
    alerts
        .filter_map(|mut alert| {
            alert.labels = relabel(std::mem::take(&mut alert.labels))?;
            Some(alert)
        })
        .collect()
}
