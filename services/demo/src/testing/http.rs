//! Asking a router that is not listening anywhere.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt;

/// What a router answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Answer {
    /// # Panics
    /// Where the body is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Checks that this is a problem by RFC 9457.
    ///
    /// # Panics
    /// Where it is not, or has another status or no such detail.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, detail: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        assert_eq!(body["status"], status);
        assert_eq!(body["type"], "about:blank");
        assert_eq!(body["title"], self.status.canonical_reason().unwrap_or_default());
        let said = body["detail"].as_str().unwrap_or_default();
        assert!(said.contains(detail), "{said:?} does not say {detail:?}");
    }
}

/// Sends `GET /path`, or `METHOD /path` with a JSON body.
///
/// # Panics
/// Where the request is not one.
pub async fn ask(router: &Router, request: &str, body: Option<&str>) -> Answer {
    let (method, path) = request.split_once(' ').expect("a method and a path");
    let mut built = Request::builder().method(method).uri(path);
    if body.is_some() {
        built = built.header(header::CONTENT_TYPE, "application/json");
    }
    let built =
        built.body(body.map_or_else(Body::empty, |body| Body::from(body.to_owned()))).expect("a request");
    send(router, built).await
}

/// Sends any request.
///
/// # Panics
/// Where the answer's body breaks off.
pub async fn send(router: &Router, request: Request) -> Answer {
    let Ok(response) = router.clone().oneshot(request).await;
    let (parts, body) = response.into_parts();
    let body = Bytes::from_request(Request::new(body), &()).await.expect("the whole body");
    Answer { status: parts.status, headers: parts.headers, body }
}
