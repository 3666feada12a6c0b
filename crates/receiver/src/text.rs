//! Answers in plain text, as Go's `http.Error` writes them: Loki and Prometheus answer so.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};

use crate::Error;
use crate::http::retry_after;

/// A line of text with a status.
pub(crate) fn error(status: StatusCode, message: &str) -> Response {
    let mut response = Response::new(Body::from(format!("{message}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// No content at all.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Asks the sender to wait, where waiting helps.
pub(crate) fn with_delay(mut response: Response, error: &Error) -> Response {
    if let Some(delay) = error.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, retry_after(delay));
    }
    response
}
