//! What has to be kept until the end of the process, and flushed then.

use std::ops::Deref;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;

use crate::Telemetry;

/// What a guard that is merely dropped waits for.
const DEADLINE_ON_DROP: Duration = Duration::from_secs(5);

/// Running telemetry, used through its [`Telemetry`]. Ends with [`Guard::shutdown`], or when it is dropped; in both
/// cases outside the runtime's own threads, and while the runtime still runs, since it carries the last exports.
#[derive(Debug)]
#[must_use = "telemetry ends when the guard is dropped"]
pub struct Guard {
    telemetry: Telemetry,
    parts: Option<Parts>,
}

pub(crate) struct Parts {
    pub(crate) tracers: Option<SdkTracerProvider>,
    pub(crate) loggers: Option<SdkLoggerProvider>,
    pub(crate) meters: Option<SdkMeterProvider>,
    pub(crate) loki: Option<LokiTask>,
    pub(crate) runtime: Handle,
}

pub(crate) struct LokiTask {
    pub(crate) controller: tracing_loki::BackgroundTaskController,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl Deref for Guard {
    type Target = Telemetry;

    fn deref(&self) -> &Telemetry {
        &self.telemetry
    }
}

impl Guard {
    pub(crate) fn new(telemetry: Telemetry, parts: Parts) -> Self {
        Self { telemetry, parts: Some(parts) }
    }

    /// What the application's layers are built with.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Sends what is left, all signals at once, and stops. Returns whether all of it was done within the deadline;
    /// what was not is lost.
    pub fn shutdown(mut self, deadline: Duration) -> bool {
        self.flush(deadline)
    }

    fn flush(&mut self, deadline: Duration) -> bool {
        let Some(Parts { tracers, loggers, meters, loki, runtime }) = self.parts.take() else { return true };
        let mut last_acts: Vec<Box<dyn FnOnce() + Send>> = Vec::new();
        if let Some(tracers) = tracers {
            last_acts.push(Box::new(move || drop(tracers.shutdown_with_timeout(deadline))));
        }
        if let Some(loggers) = loggers {
            last_acts.push(Box::new(move || drop(loggers.shutdown_with_timeout(deadline))));
        }
        if let Some(meters) = meters {
            last_acts.push(Box::new(move || drop(meters.shutdown_with_timeout(deadline))));
        }
        if let Some(LokiTask { controller, task }) = loki {
            last_acts.push(Box::new(move || {
                runtime.block_on(async {
                    let _ = tokio::time::timeout(deadline, async {
                        controller.shutdown().await;
                        let _ = task.await;
                    })
                    .await;
                });
            }));
        }
        if self.telemetry.inner.profiler.is_some() {
            let telemetry = self.telemetry.clone();
            last_acts.push(Box::new(move || {
                if let Some(profiler) = &telemetry.inner.profiler {
                    profiler.stop();
                }
            }));
        }
        in_time(last_acts, deadline)
    }
}

/// Each on a thread of its own, since each may block for as long as its destination does.
fn in_time(acts: Vec<Box<dyn FnOnce() + Send>>, deadline: Duration) -> bool {
    let begun = Instant::now();
    let (done, all_done) = mpsc::sync_channel::<()>(0);
    for act in acts {
        let done = done.clone();
        // Ends with the process where it does not end by itself.
        std::thread::spawn(move || {
            act();
            drop(done);
        });
    }
    drop(done);
    // Nothing is ever sent: the channel closes when the last thread is done.
    let rest = deadline.saturating_sub(begun.elapsed());
    matches!(all_done.recv_timeout(rest), Err(mpsc::RecvTimeoutError::Disconnected))
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.flush(DEADLINE_ON_DROP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_waits_for_all_but_not_longer_than_the_deadline() {
        let sleep = |ms| -> Box<dyn FnOnce() + Send> {
            Box::new(move || std::thread::sleep(Duration::from_millis(ms)))
        };
        assert!(in_time(vec![], Duration::from_secs(5)));
        assert!(in_time(vec![sleep(1), sleep(20)], Duration::from_secs(5)));
        let begun = Instant::now();
        assert!(!in_time(vec![sleep(1), sleep(5_000)], Duration::from_millis(50)));
        assert!(begun.elapsed() < Duration::from_secs(4));
    }
}
