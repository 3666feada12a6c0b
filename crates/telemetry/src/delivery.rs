//! Whether telemetry arrives: said once when it stops to, and once when it does again. What the SDK itself would log
//! for every failed batch is kept quiet (see `logging`).

use std::fmt::Display;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use std::time::Duration;

/// The target of the two messages.
pub(crate) const TARGET: &str = "telemetry";

/// What is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
    Logs,
    Profiles,
}

impl Signal {
    const ALL: [Self; 4] = [Self::Traces, Self::Metrics, Self::Logs, Self::Profiles];

    fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Profiles => "profiles",
        }
    }
}

/// States of a signal at a destination.
const FINE: u8 = 0;
const UNREACHABLE: u8 = 1;
const REFUSED: u8 = 2;

/// The state of one destination, shared by all the signals that go there.
#[derive(Debug)]
pub(crate) struct Delivery {
    destination: String,
    /// Whether a line through `tracing` is seen on the console.
    console: bool,
    failing: [AtomicU8; 4],
    /// Whether the destination was said to be down.
    down: AtomicBool,
    /// Spans and log records that were given up since.
    lost: AtomicU64,
}

impl Delivery {
    pub(crate) fn new(destination: &str, console: bool) -> Arc<Self> {
        Arc::new(Self {
            destination: destination.to_owned(),
            console,
            failing: Signal::ALL.map(|_| AtomicU8::new(FINE)),
            down: AtomicBool::new(false),
            lost: AtomicU64::new(0),
        })
    }

    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self, signal: Signal, lost: usize, error: &dyn Display) {
        self.lost.fetch_add(lost as u64, Ordering::Relaxed);
        let error = error.to_string();
        let state = if is_refusal(&error) { REFUSED } else { UNREACHABLE };
        self.failing[signal as usize].store(state, Ordering::Relaxed);
        if !self.down.swap(true, Ordering::AcqRel) {
            self.say_down(signal, &error);
        }
    }

    pub(crate) fn succeeded(&self, signal: Signal) {
        if !self.down.load(Ordering::Relaxed) {
            return;
        }
        self.failing[signal as usize].store(FINE, Ordering::Relaxed);
        for failing in &self.failing {
            // Who takes one signal can be reached for the others too, though nothing may be sent of them for long.
            let _ = failing.compare_exchange(UNREACHABLE, FINE, Ordering::Relaxed, Ordering::Relaxed);
        }
        // Where one signal is refused for good and another is not, this stays one message, not a chain of them.
        let all_well = self.failing.iter().all(|failing| failing.load(Ordering::Relaxed) == FINE);
        if all_well && self.down.swap(false, Ordering::AcqRel) {
            self.say_back(self.lost.swap(0, Ordering::Relaxed));
        }
    }

    fn say_down(&self, signal: Signal, error: &str) {
        let (destination, signal) = (self.destination.as_str(), signal.name());
        if self.console {
            tracing::warn!(target: TARGET, destination, signal, error,
                "telemetry is not delivered; the service goes on, and this is said once");
        } else {
            print(&format!("warning: telemetry ({signal}) is not delivered to {destination}: {error}"));
        }
    }

    fn say_back(&self, lost: u64) {
        let destination = self.destination.as_str();
        if self.console {
            tracing::info!(target: TARGET, destination, lost, "telemetry is delivered again");
        } else {
            print(&format!(
                "telemetry is delivered to {destination} again; {lost} spans and log records were lost"
            ));
        }
    }
}

/// Whether the destination answered, and said no. The libraries tell only by the text of an error, which carries
/// HTTP's status or gRPC's code; a code that stands for a broken connection is not an answer.
fn is_refusal(error: &str) -> bool {
    let no_answer = ["Unavailable", "Cancelled", "DeadlineExceeded", "Unknown"];
    if error.contains("gRPC code:") {
        return !no_answer.iter().any(|code| error.contains(&format!("gRPC code: {code}")));
    }
    error.contains("status code:") && !error.contains("status code: 0")
}

/// Without log lines on the console the two messages go to standard error.
fn print(message: &str) {
    // Nowhere is left to complain where this fails.
    let _ = writeln!(std::io::stderr(), "{message}");
}

/// An exporter whose failures are told to a [`Delivery`] in place of the SDK.
#[derive(Debug)]
pub(crate) struct Watched<E> {
    inner: E,
    delivery: Arc<Delivery>,
}

impl<E> Watched<E> {
    pub(crate) fn new(inner: E, delivery: Arc<Delivery>) -> Self {
        Self { inner, delivery }
    }

    fn settle(&self, signal: Signal, items: usize, result: OTelSdkResult) -> OTelSdkResult {
        match result {
            Ok(()) => self.delivery.succeeded(signal),
            Err(OTelSdkError::AlreadyShutdown) => return Err(OTelSdkError::AlreadyShutdown),
            Err(error) => self.delivery.failed(signal, items, &error),
        }
        Ok(())
    }
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let items = batch.len();
        let result = self.inner.export(batch).await;
        self.settle(Signal::Traces, items, result)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: LogExporter> LogExporter for Watched<E> {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let items = batch.iter().count();
        let result = self.inner.export(batch).await;
        self.settle(Signal::Logs, items, result)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Watched<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        // What is cumulative is made good by the next push: nothing is counted as lost.
        let result = self.inner.export(metrics).await;
        self.settle(Signal::Metrics, 0, result)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn down_is_one_state_for_all_signals() {
        let delivery = Delivery::new("http://nowhere", false);
        delivery.succeeded(Signal::Traces);
        assert!(!delivery.is_down());
        delivery.failed(Signal::Traces, 3, &"gRPC code: Unavailable: transport error");
        delivery.failed(Signal::Logs, 4, &"connection refused");
        assert!(delivery.is_down());
        assert_eq!(delivery.lost.load(Ordering::Relaxed), 7);
        delivery.succeeded(Signal::Metrics);
        assert!(!delivery.is_down(), "the destination is there again");
        assert_eq!(delivery.lost.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_signal_that_is_refused_for_good_makes_one_message() {
        let delivery = Delivery::new("http://nowhere", false);
        delivery.failed(Signal::Metrics, 0, &"HTTP export failed with status code: 404");
        for _ in 0..3 {
            delivery.succeeded(Signal::Traces);
            assert!(delivery.is_down());
        }
        delivery.failed(
            Signal::Metrics,
            0,
            &"TonicMetricsClient export failed with gRPC code: Unimplemented",
        );
        delivery.succeeded(Signal::Metrics);
        assert!(!delivery.is_down());
    }
}
