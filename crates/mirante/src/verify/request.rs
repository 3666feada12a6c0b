//! The request that is followed.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use model::{SpanId, TraceId};
use reqwest::Client;
use tokio::time::Instant;

use crate::client::reason;
use crate::failure::Hinted;

/// The route that crosses everything: users asks its database, then albums, which asks its own.
pub(super) const ROUTE: &str = "/users/{id}/albums";
const PATH: &str = "/users/1/albums";

/// How often a request that fails is sent again: the demo fails now and then on purpose.
const ATTEMPTS: u32 = 10;

/// A request that was answered.
#[derive(Debug)]
pub(super) struct Sent {
    /// Its address.
    pub(super) url: String,
    /// The trace that it belongs to, made up here.
    pub(super) trace_id: TraceId,
    /// The span that it pretends to come from, made up here and stored nowhere.
    pub(super) parent_id: SpanId,
    /// How often it had to be sent.
    pub(super) attempts: u32,
    /// How long the answer took.
    pub(super) took: Duration,
    /// When the answer had come.
    pub(super) answered: Instant,
}

/// Pause before a service that may be starting is asked again.
const STARTING_PAUSE: Duration = Duration::from_millis(500);

/// Sends it until it succeeds, each time as a new trace. Until `starting` a service that cannot be reached may be on its
/// way.
pub(super) async fn send(
    client: &Client,
    users: &str,
    deadline: Instant,
    starting: Instant,
) -> anyhow::Result<Sent> {
    let url = format!("{users}{PATH}");
    let mut attempts = 0;
    loop {
        attempts += 1;
        let (trace_id, parent_id) = made_up();
        // W3C Trace Context, flag 01: sampled.
        let parent = format!("00-{trace_id}-{parent_id}-01");
        let began = Instant::now();
        let answer = client.get(&url).header("traceparent", parent).send().await;
        let answered = Instant::now();
        let failed = match answer {
            Ok(response) if response.status().is_success() => {
                let took = answered - began;
                return Ok(Sent { url, trace_id, parent_id, attempts, took, answered });
            }
            Ok(response) => format!("answered {}", response.status()),
            Err(error) if error.is_connect() && answered < starting => {
                attempts -= 1;
                tokio::time::sleep(STARTING_PAUSE).await;
                continue;
            }
            Err(error) if error.is_connect() => return Err(unreachable(users, &reason(&error))),
            Err(error) => reason(&error).to_string(),
        };
        if attempts >= ATTEMPTS || answered >= deadline {
            let message = format!("GET {url} failed {attempts} times, at last: {failed}");
            return Err(Hinted::new(message, format!("see what faults are set: curl {users}/chaos")).into());
        }
    }
}

fn unreachable(users: &str, reason: &anyhow::Error) -> anyhow::Error {
    let hint = "start the stack with `mirante up` or `docker compose up -d`, or say where it is: --host, --port-offset, \
                --users URL";
    Hinted::new(format!("users does not answer at {users}: {reason}"), hint).into()
}

/// Identifiers that nobody has used: the standard library's hash keys are random.
fn made_up() -> (TraceId, SpanId) {
    let random = || RandomState::new().hash_one(std::process::id()).to_be_bytes();
    let mut trace_id = [0; 16];
    trace_id[..8].copy_from_slice(&random());
    trace_id[8..].copy_from_slice(&random());
    (TraceId(trace_id), SpanId(random()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_new_each_time() {
        let (first, second) = (made_up(), made_up());
        assert_ne!(first.0, second.0);
        assert_ne!(first.1, second.1);
        assert_ne!(first.0.0[..8], first.0.0[8..]);
    }
}
