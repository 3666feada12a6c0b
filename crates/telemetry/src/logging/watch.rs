//! Two libraries tell of failed deliveries only in log lines of their own: `tracing-loki` and `pyroscope`. This layer
//! turns those into the one message of [`Delivery`], and asks the destination from time to time whether it is back.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use crate::delivery::{Delivery, Signal};

const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// No complaint for so long, and a destination that says it is ready: it is back. Longer than Pyroscope's uploads are
/// apart.
const QUIET_TIME: Duration = Duration::from_secs(30);

/// One library's destination.
pub(crate) struct Watched {
    pub(crate) signal: Signal,
    pub(crate) base_url: String,
    pub(crate) delivery: Arc<Delivery>,
}

pub(crate) struct Watch {
    destinations: Vec<Arc<State>>,
    runtime: Handle,
}

struct State {
    watched: Watched,
    last_failure: std::sync::Mutex<Option<Instant>>,
    probing: AtomicBool,
}

impl Watch {
    pub(crate) fn new(destinations: Vec<Watched>, runtime: Handle) -> Self {
        let state = |watched| {
            Arc::new(State {
                watched,
                last_failure: std::sync::Mutex::new(None),
                probing: AtomicBool::new(false),
            })
        };
        Self { destinations: destinations.into_iter().map(state).collect(), runtime }
    }

    pub(crate) fn into_layer<S>(self) -> impl Layer<S> + Send + Sync
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let filter = FilterFn::new(|meta: &Metadata<'_>| {
            meta.is_event() && *meta.level() == Level::ERROR && signal_of(meta.target()).is_some()
        });
        self.with_filter(filter.with_max_level_hint(LevelFilter::ERROR))
    }
}

fn signal_of(target: &str) -> Option<Signal> {
    if target.starts_with("tracing_loki") {
        Some(Signal::Logs)
    } else if target.starts_with("pyroscope") || target.starts_with("Pyroscope") {
        Some(Signal::Profiles)
    } else {
        None
    }
}

impl<S: Subscriber> Layer<S> for Watch {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let target = line.log_target.as_deref().unwrap_or(event.metadata().target());
        let Some(signal) = signal_of(target) else { return };
        let Some(state) = self.destinations.iter().find(|state| state.watched.signal == signal) else {
            return;
        };
        if let Ok(mut last) = state.last_failure.lock() {
            *last = Some(Instant::now());
        }
        let error = line.error.unwrap_or(line.message);
        state.watched.delivery.failed(signal, 0, &error);
        if !state.probing.swap(true, Ordering::AcqRel) {
            self.runtime.spawn(probe(Arc::clone(state)));
        }
    }
}

async fn probe(state: Arc<State>) {
    let url = format!("{}/ready", state.watched.base_url.trim_end_matches('/'));
    let client = reqwest::Client::builder().timeout(PROBE_INTERVAL).build();
    if let Ok(client) = client {
        loop {
            tokio::time::sleep(PROBE_INTERVAL).await;
            let ready = matches!(client.get(&url).send().await, Ok(answer) if answer.status().is_success());
            let quiet = state
                .last_failure
                .lock()
                .map_or(true, |last| last.is_none_or(|last| last.elapsed() >= QUIET_TIME));
            if ready && quiet {
                break;
            }
        }
        state.watched.delivery.succeeded(state.watched.signal);
    }
    state.probing.store(false, Ordering::Release);
}

/// What is of use in a line, be it of `tracing` or, by way of a bridge, of `log`.
#[derive(Default)]
struct Line {
    message: String,
    error: Option<String>,
    log_target: Option<String>,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "error" => self.error = Some(format!("{value:?}")),
            _ => {}
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "error" => self.error = Some(value.to_owned()),
            "log.target" => self.log_target = Some(value.to_owned()),
            _ => {}
        }
    }
}
