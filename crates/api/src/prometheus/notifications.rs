//! What an operator should know, such as a configuration that could not be loaded. The log and the metrics tell the same;
//! there is no list of it, so that nothing is told here.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use http::{HeaderValue, StatusCode, header};
use tokio::sync::Semaphore;

use super::answer::Answer;

/// Most listeners at a time, as Prometheus' `--web.max-notifications-subscribers`.
const MAX_LISTENERS: usize = 16;

/// `/api/v1/notifications`
pub(super) async fn notifications() -> Answer {
    Answer::new("[]".to_owned())
}

/// `/api/v1/notifications/live`: a stream of events (`text/event-stream`) that stays open and silent. Who comes after 16
/// others is told that there is nothing to hear.
pub(super) fn live(listeners: Arc<Semaphore>) -> Response {
    let mut response = match listeners.try_acquire_owned() {
        Ok(place) => {
            let silence = stream::pending::<Result<Bytes, Infallible>>().inspect(move |_| _ = &place);
            Body::from_stream(silence).into_response()
        }
        Err(_) => StatusCode::NO_CONTENT.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// Places for listeners.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_LISTENERS))
}
