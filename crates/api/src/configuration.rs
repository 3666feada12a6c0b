//! The configuration by which the Prometheus port works, as far as the API shows it and asks for another.

use std::sync::{Arc, PoisonError, RwLock};

use scrape::Manager;
use tokio::sync::{mpsc, oneshot};

/// A configuration at work.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Path of the file, as it was given; empty where there is none.
    pub file: String,
    /// The targets.
    pub targets: Arc<Manager>,
    /// What was read last.
    pub loaded: Loaded,
    /// Asks for the file to be read again.
    pub reload: Reload,
}

/// What was read last, shared with whoever reads.
#[derive(Debug, Clone, Default)]
pub struct Loaded(Arc<RwLock<State>>);

#[derive(Debug, Default)]
struct State {
    yaml: String,
    time_ns: u64,
    failed: bool,
}

impl Loaded {
    /// A configuration was applied: it with all defaults and without secrets, and when that was (nanoseconds since the
    /// Unix epoch).
    pub fn succeeded(&self, yaml: String, time_ns: u64) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = State { yaml, time_ns, failed: false };
    }

    /// The last one was refused; the one before still holds.
    pub fn failed(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).failed = true;
    }

    /// The configuration that holds.
    pub fn yaml(&self) -> String {
        self.0.read().unwrap_or_else(PoisonError::into_inner).yaml.clone()
    }

    /// Whether the last one that was read holds, and since when the one that holds does (nanoseconds since the Unix epoch).
    pub fn last(&self) -> (bool, u64) {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (!state.failed, state.time_ns)
    }
}

/// Asks for the configuration to be read again. One request is served after the other.
#[derive(Debug, Clone)]
pub struct Reload(mpsc::Sender<ReloadRequest>);

/// A request to read the configuration again: whoever serves it answers here.
pub type ReloadRequest = oneshot::Sender<Result<(), String>>;

impl Reload {
    /// Requests that wait; more wait to be among them.
    const WAITING: usize = 4;

    /// The asking and the serving end.
    pub fn channel() -> (Self, mpsc::Receiver<ReloadRequest>) {
        let (asks, serves) = mpsc::channel(Self::WAITING);
        (Self(asks), serves)
    }

    /// Asks, and waits for what became of it.
    ///
    /// # Errors
    /// Why the configuration was not taken; the one before still holds.
    pub async fn ask(&self) -> Result<(), String> {
        let stopping = || "the server is shutting down".to_owned();
        let (answer, answered) = oneshot::channel();
        self.0.send(answer).await.map_err(|_| stopping())?;
        answered.await.map_err(|_| stopping())?
    }
}
