//! The gate before everything that writes: counts what is under way, and at the stop lets no more in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Notify;

/// A gate that is open until it is drained.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    closed: AtomicBool,
    under_way: AtomicUsize,
    emptied: Notify,
}

impl Gate {
    /// Requests that are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.0.under_way.load(Ordering::SeqCst)
    }

    /// Lets nothing in any more and waits until everything that is in has ended.
    pub(crate) async fn drain(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
        loop {
            let emptied = self.0.emptied.notified();
            if self.under_way() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn enter(&self) -> Option<Pass> {
        // Counted first and looked at second: whoever closes the gate in between sees the count and waits.
        self.0.under_way.fetch_add(1, Ordering::SeqCst);
        let pass = Pass(Arc::clone(&self.0));
        (!self.0.closed.load(Ordering::SeqCst)).then_some(pass)
    }
}

struct Pass(Arc<Inner>);

impl Drop for Pass {
    fn drop(&mut self) {
        if self.0.under_way.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.emptied.notify_waiters();
        }
    }
}

/// Middleware: passes requests while the gate is open, refuses them in a way that clients try again afterwards.
pub(crate) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let Some(_pass) = gate.enter() else { return refusal(&request) };
    next.run(request).await
}

fn refusal(request: &Request) -> Response {
    const MESSAGE: &str = "the server is stopping";
    let content_type = request.headers().get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if content_type.starts_with(b"application/grpc") {
        // gRPC tells errors in trailers; with nothing else to say they stand in the head. 14 is UNAVAILABLE.
        let head = [
            ("content-type", "application/grpc"),
            ("grpc-status", "14"),
            ("grpc-message", "the%20server%20is%20stopping"),
        ];
        return head.into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], MESSAGE).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_drain_waits_for_what_is_under_way_and_lets_nothing_in() {
        let gate = Gate::default();
        let pass = gate.enter().unwrap();
        let draining = tokio::spawn({
            let gate = gate.clone();
            async move { gate.drain().await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(gate.enter().is_none());
        assert!(!draining.is_finished());
        assert_eq!(gate.under_way(), 1);
        drop(pass);
        draining.await.unwrap();
        gate.drain().await;
    }

    #[test]
    fn grpc_is_refused_in_its_own_way() {
        let request = |content_type: &str| {
            let builder = axum::http::Request::builder().header("content-type", content_type);
            builder.body(axum::body::Body::empty()).unwrap()
        };
        let grpc = refusal(&request("application/grpc+proto"));
        assert_eq!(grpc.status(), StatusCode::OK);
        assert_eq!(grpc.headers()["grpc-status"], "14");
        let http = refusal(&request("application/json"));
        assert_eq!(http.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(http.headers()["retry-after"], "1");
    }
}
