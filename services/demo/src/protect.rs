//! What keeps one request from hurting others: a limit of requests at once, a limit of time, and an answer in place of
//! a dropped connection where a handler panics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tokio::sync::Semaphore;

use crate::Problem;

/// Requests that are worked on at once. More are refused at once, rather than all being late.
const MOST_REQUESTS: usize = 512;
/// Longer than the longest work and the longest fault that may be asked for.
const TIME_LIMIT: Duration = Duration::from_secs(15);

#[derive(Clone, Debug)]
pub(crate) struct Limits {
    requests: Arc<Semaphore>,
    time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests: Arc::new(Semaphore::new(MOST_REQUESTS)), time: TIME_LIMIT }
    }
}

pub(crate) async fn protect(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let Ok(_permit) = limits.requests.try_acquire() else {
        return Problem::unavailable("too many requests at once", 1).into_response();
    };
    match tokio::time::timeout(limits.time, AssertUnwindSafe(next.run(request)).catch_unwind()).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            let message = panic
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".to_owned());
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "an error of ours; it was recorded")
                .recorded("panic", message)
                .into_response()
        }
        Err(_) => Problem::unavailable("the answer took too long", 1)
            .recorded("timeout", "the request was given up at its time limit")
            .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn status(limits: Limits, path: &str) -> StatusCode {
        let router = Router::new()
            .route("/panic", get(async || -> &'static str { panic!("on purpose") }))
            .route("/slow", get(async || tokio::time::sleep(Duration::from_secs(5)).await))
            .route("/fine", get(async || "fine"))
            .layer(axum::middleware::from_fn_with_state(limits, protect));
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        router.oneshot(request).await.unwrap().status()
    }

    #[tokio::test]
    async fn a_request_ends_with_an_answer_whatever_it_does() {
        let limits = Limits { requests: Arc::new(Semaphore::new(1)), time: Duration::from_millis(20) };
        assert_eq!(status(limits.clone(), "/panic").await, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(status(limits.clone(), "/slow").await, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(status(limits.clone(), "/fine").await, StatusCode::OK);
        let _taken = limits.requests.clone().try_acquire_owned().unwrap();
        assert_eq!(status(limits, "/fine").await, StatusCode::SERVICE_UNAVAILABLE);
    }
}
