//! Where targets come from: what stands in the configuration, files, the answers of servers, the records of names.
//!
//! [`Watch`] runs the discoveries of a job, or of a set of Alertmanagers, and tells all groups anew whenever one of them
//! finds something else. A discovery that fails keeps what it found before, says why in the log, and is counted.

mod dns;
mod figures;
mod files;
mod http;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::Clock;
use parking_lot::Mutex;
use promconfig::{Discovery, TargetGroup};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::client::Dial;
pub use figures::Figures;

/// How long the first groups wait for discoveries that have not answered yet.
const FIRST_WITHIN: Duration = Duration::from_secs(5);

/// Targets that share labels. Nothing is relabelled yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// What tells it from others of its job: a number, a file, a URL, a name.
    pub source: String,
    /// The labels of each target; `__address__` is its address.
    pub targets: Vec<Vec<(String, String)>>,
    /// Labels of all of them.
    pub labels: Vec<(String, String)>,
}

impl Group {
    /// A group that was written down, with further labels.
    fn written(group: &TargetGroup, source: String, more: &[(&str, &str)]) -> Self {
        let address = |target: &String| vec![("__address__".to_owned(), target.clone())];
        let mut labels = group.labels.clone();
        for (name, value) in more {
            labels.retain(|(known, _)| known != name);
            labels.push(((*name).to_owned(), (*value).to_owned()));
        }
        Self { source, targets: group.targets.iter().map(address).collect(), labels }
    }
}

/// What discoveries need.
#[derive(Debug, Clone)]
pub struct Environment {
    /// What `User-Agent` says.
    pub user_agent: String,
    /// The time that counters tell.
    pub clock: Arc<dyn Clock>,
    /// Where hosts really are.
    pub dial: Option<Arc<dyn Dial>>,
    /// Name servers to ask in place of the system's.
    pub name_servers: Option<Vec<SocketAddr>>,
    /// Counters.
    pub figures: Figures,
}

impl Environment {
    /// Where a `host:port` really is, if it is somewhere else than it says.
    fn place_of(&self, host: &str) -> Option<String> {
        self.dial.as_ref().and_then(|dial| dial.dial(host))
    }
}

/// What a discovery found, each in its place; `None` where it has not answered yet.
type Slots = Arc<Mutex<Vec<Option<Vec<Group>>>>>;

/// Discoveries at work. They end when this is dropped.
#[derive(Debug)]
pub struct Watch {
    groups: watch::Receiver<Option<Arc<Vec<Group>>>>,
    _stop: DropGuard,
}

impl Watch {
    /// Begins to look. `name` is the job's, for counters and the log. Has to be called on a Tokio runtime.
    pub fn start(name: &str, discoveries: &[Discovery], environment: &Environment) -> Self {
        let stop = CancellationToken::new();
        let (tell, groups) = watch::channel(None);
        let slots: Slots = Arc::new(Mutex::new(vec![None; discoveries.len()]));
        let tell = Arc::new(tell);
        let sink = |slot: usize| Sink {
            slot,
            slots: Arc::clone(&slots),
            tell: Arc::clone(&tell),
            config: name.to_owned(),
            clock: Arc::clone(&environment.clock),
            figures: environment.figures.clone(),
        };
        let mut waits = false;
        for (slot, discovery) in discoveries.iter().enumerate() {
            let sink = sink(slot);
            waits |= !matches!(discovery, Discovery::Static(_));
            match discovery {
                Discovery::Static(groups) => {
                    let group =
                        |(index, group): (usize, &TargetGroup)| Group::written(group, index.to_string(), &[]);
                    sink.found(groups.iter().enumerate().map(group).collect());
                }
                Discovery::File(file) => spawn(&stop, files::run(file.clone(), sink)),
                Discovery::Http(http) => spawn(&stop, http::run((**http).clone(), sink, environment.clone())),
                Discovery::Dns(dns) => spawn(&stop, dns::run(dns.clone(), sink, environment.clone())),
                // The configuration is not taken where there are such.
                _ => sink.found(Vec::new()),
            }
        }
        if waits {
            let sink = sink(0);
            spawn(&stop, async move {
                tokio::time::sleep(FIRST_WITHIN).await;
                sink.tell(true);
            });
        } else {
            sink(0).tell(true);
        }
        Self { groups, _stop: stop.drop_guard() }
    }

    /// All groups, when they are new. Never comes where nothing changes any more.
    pub async fn changed(&mut self) -> Arc<Vec<Group>> {
        loop {
            if self.groups.changed().await.is_err() {
                return std::future::pending().await;
            }
            if let Some(groups) = self.groups.borrow_and_update().clone() {
                return groups;
            }
        }
    }
}

fn spawn(stop: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = work => {}
            () = stop.cancelled() => {}
        }
    });
}

/// Where a discovery tells what it found.
struct Sink {
    slot: usize,
    slots: Slots,
    tell: Arc<watch::Sender<Option<Arc<Vec<Group>>>>>,
    config: String,
    clock: Arc<dyn Clock>,
    figures: Figures,
}

impl Sink {
    fn found(&self, groups: Vec<Group>) {
        self.figures.received();
        if let Some(slot) = self.slots.lock().get_mut(self.slot) {
            if slot.as_ref() == Some(&groups) {
                return;
            }
            *slot = Some(groups);
        }
        self.tell(false);
    }

    /// Tells everything that was found. Before all have answered nothing is told, unless `unasked`: after a reload the
    /// targets that are known would end and come back.
    fn tell(&self, unasked: bool) {
        let slots = self.slots.lock();
        let complete = slots.iter().all(Option::is_some);
        if !complete && !unasked && self.tell.borrow().is_none() {
            return;
        }
        let groups: Vec<Group> = slots.iter().flatten().flatten().cloned().collect();
        drop(slots);
        let count = groups.iter().map(|group| group.targets.len()).sum::<usize>();
        let is_new = self.tell.send_if_modified(|told| {
            let is_new = told.as_ref().is_none_or(|told| **told != groups);
            if is_new {
                *told = Some(Arc::new(groups));
            }
            is_new
        });
        if is_new {
            self.figures.sent(&self.config, count, self.clock.now_ns());
        }
    }

    /// Says that the mechanism asked; an error keeps what was found before.
    fn refreshed(&self, mechanism: &str, began: Instant, outcome: Result<Vec<Group>, String>) {
        self.figures.refreshed(mechanism, &self.config, began.elapsed(), outcome.is_err());
        match outcome {
            Ok(groups) => self.found(groups),
            Err(reason) => self.failed(mechanism, &reason),
        }
    }

    fn failed(&self, mechanism: &str, reason: &dyn Display) {
        tracing::warn!(job = %self.config, mechanism, "cannot refresh targets: {reason}");
    }
}
