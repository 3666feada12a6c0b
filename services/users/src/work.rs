//! `GET /work`: something for a profiler to find.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use demo::Problem;
use opentelemetry::Context;
use serde::Serialize;
use telemetry::Telemetry;
use tokio::sync::Semaphore;

/// Longest work that may be asked for.
const MOST_SECONDS: f64 = 10.0;
/// Work at once: a demo must not take all of a machine.
const MOST_AT_ONCE: usize = 2;
/// Numbers between two looks at the clock: some tens of microseconds.
const BATCH: u64 = 2_000;

#[derive(Clone, Debug)]
pub(crate) struct Work {
    at_once: Arc<Semaphore>,
    telemetry: Telemetry,
}

/// What was worked out.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    seconds: f64,
    /// Primes below the number that was reached.
    primes: u64,
}

impl Work {
    pub(crate) fn new(telemetry: &Telemetry) -> Self {
        Self { at_once: Arc::new(Semaphore::new(MOST_AT_ONCE)), telemetry: telemetry.clone() }
    }

    /// On a thread of its own kind, so that other requests do not wait for it.
    pub(crate) async fn run(&self, seconds: f64) -> Result<Outcome, Problem> {
        // Not a number is not in the range either.
        if !(0.0..=MOST_SECONDS).contains(&seconds) {
            return Err(Problem::bad_request(format!("seconds may be from 0 to {MOST_SECONDS}")));
        }
        let Ok(permit) = Arc::clone(&self.at_once).try_acquire_owned() else {
            return Err(Problem::unavailable(format!("{MOST_AT_ONCE} requests work already"), 1));
        };
        let telemetry = self.telemetry.clone();
        let context = Context::current();
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let _context = context.attach();
            // A span by `tracing`'s own macro, as an application would write it: it finds its parent by itself.
            let _span = tracing::info_span!("count primes", seconds).entered();
            let primes = telemetry.profiled("GET /work", || count_primes(Duration::from_secs_f64(seconds)));
            tracing::info!(seconds, primes, "worked");
            primes
        });
        let primes = work.await.map_err(|error| {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the work broke off")
                .recorded("JoinError", error.to_string())
        })?;
        Ok(Outcome { seconds, primes })
    }
}

/// Burns CPU until the time is over.
#[inline(never)]
fn count_primes(time: Duration) -> u64 {
    let begun = Instant::now();
    let mut primes = 0;
    let mut number = 2;
    while begun.elapsed() < time {
        let end = number + BATCH;
        primes += (number..end).filter(|number| is_prime(*number)).count() as u64;
        number = end;
    }
    primes
}

#[inline(never)]
fn is_prime(number: u64) -> bool {
    (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primes_are_primes() {
        let primes: Vec<u64> = (2..30).filter(|number| is_prime(*number)).collect();
        assert_eq!(primes, [2, 3, 5, 7, 11, 13, 17, 19, 23, 29]);
    }

    #[test]
    fn work_takes_as_long_as_was_asked_for() {
        let begun = Instant::now();
        assert!(count_primes(Duration::from_millis(30)) > 100);
        assert!(begun.elapsed() >= Duration::from_millis(30));
        assert_eq!(count_primes(Duration::ZERO), 0);
    }

    #[tokio::test]
    async fn what_is_out_of_bounds_is_refused() {
        let work = Work::new(&Telemetry::disabled());
        for bad in [-0.1, 10.1, f64::NAN, f64::INFINITY] {
            assert_eq!(work.run(bad).await.unwrap_err().status(), StatusCode::BAD_REQUEST, "{bad}");
        }
        let taken = Arc::clone(&work.at_once).acquire_many_owned(MOST_AT_ONCE as u32).await.unwrap();
        assert_eq!(work.run(0.01).await.unwrap_err().status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(taken);
        assert!(work.run(0.01).await.is_ok());
    }
}
