//! The task that sends one Alertmanager its alerts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use tokio_util::sync::CancellationToken;

use super::figures::Figures;
use super::queue::Queue;
use super::wire;
use crate::notify::Outgoing;

/// As the scraper calls itself: whoever is asked sees a Prometheus.
const AGENT: &str = "Prometheus/3.14.0";
/// How often the log hears of an Alertmanager that does not take alerts.
const COMPLAIN_EVERY: Duration = Duration::from_mins(5);

/// Where to send, and how.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Destination {
    pub(super) url: String,
    pub(super) reached_at: String,
    pub(super) timeout: Duration,
    pub(super) headers: HeaderMap,
}

/// Sends batches, one after the other.
pub(super) struct SendLoop {
    pub(super) destination: Destination,
    pub(super) client: reqwest::Client,
    pub(super) queue: Arc<Queue>,
    pub(super) figures: Figures,
    /// Whether nobody wants to know of this Alertmanager any more.
    pub(super) is_gone: Arc<AtomicBool>,
    pub(super) stop: CancellationToken,
}

impl SendLoop {
    /// Sends until it is stopped, and then what is left.
    pub(super) async fn run(self) {
        let mut complaints = Complaints::default();
        while self.stop.run_until_cancelled(self.queue.arrival()).await.is_some() {
            self.send_all(&mut complaints).await;
        }
        self.send_all(&mut complaints).await;
        if self.is_gone.load(Ordering::Relaxed) {
            self.figures.forget(&self.destination.url);
        }
    }

    async fn send_all(&self, complaints: &mut Complaints) {
        loop {
            let batch = self.queue.take();
            let url = &self.destination.url;
            self.figures.queued(url, self.queue.len());
            if batch.is_empty() {
                return;
            }
            let began = Instant::now();
            match self.send(&batch).await {
                Ok(()) => {
                    self.figures.sent(url, batch.len(), began.elapsed());
                    complaints.end(url);
                }
                Err(error) => {
                    self.figures.failed(url, batch.len());
                    complaints.add(url, batch.len(), &error);
                }
            }
        }
    }

    async fn send(&self, batch: &[Arc<Outgoing>]) -> Result<(), String> {
        let Destination { reached_at, timeout, headers, .. } = &self.destination;
        let request = self.client.post(reached_at).timeout(*timeout).headers(headers.clone());
        let request = request
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(USER_AGENT, HeaderValue::from_static(AGENT));
        let answer = request.body(wire::body(batch)).send().await.map_err(|error| causes(&error))?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("bad response status {status}")) }
    }
}

/// An error with its causes: the outermost of a request says little.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// What the log hears: the first failure at once, then one line in a while.
#[derive(Default)]
struct Complaints {
    last: Option<Instant>,
    /// Alerts that were lost since the last line.
    lost: usize,
}

impl Complaints {
    fn add(&mut self, alertmanager: &str, count: usize, error: &str) {
        self.lost += count;
        if self.last.is_none_or(|last| last.elapsed() >= COMPLAIN_EVERY) {
            tracing::warn!(alertmanager, count = self.lost, error, "Alertmanager does not take alerts");
            *self = Self { last: Some(Instant::now()), lost: 0 };
        }
    }

    fn end(&mut self, alertmanager: &str) {
        if self.last.take().is_some() {
            tracing::info!(alertmanager, lost = self.lost, "Alertmanager takes alerts again");
            self.lost = 0;
        }
    }
}
