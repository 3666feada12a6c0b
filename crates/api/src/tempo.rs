//! Tempo's HTTP API, as version 3.0 answers it.
//!
//! [`router`] has the routes; [`params`] reads and refuses parameters; [`messages`] has the answers as protobuf and as
//! JSON; [`traces`], [`search`] and [`tags`] are the handlers.
//!
//! Where it differs from Tempo, on purpose: a search without times looks at everything that is kept, not at the last
//! hour; a search by tags also finds numbers and truth values by their text, where Tempo compares texts only; of
//! TraceQL, `{}` is answered and the rest is refused.

mod logfmt;
mod messages;
mod params;
mod search;
mod status;
mod tags;
mod traceql;
mod traces;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::Context;
use crate::go;
use crate::observe;
use crate::pool::PoolError;

/// All routes of Tempo.
pub fn router(context: Context) -> Router {
    let registry = context.registry.clone();
    let router = Router::new()
        .route("/api/traces/{id}", any(traces::by_id_v1))
        .route("/api/v2/traces/{id}", any(traces::by_id_v2))
        .route("/api/search", any(search::search))
        .route("/api/search/tags", any(tags::names_v1))
        .route("/api/v2/search/tags", any(tags::names_v2))
        .route("/api/search/tag/{*rest}", any(tags::values_v1))
        .route("/api/v2/search/tag/{*rest}", any(tags::values_v2))
        .route("/api/echo", any(status::echo))
        .route("/api/status/buildinfo", get(status::build_info))
        .route("/status", get(status::version))
        .route("/status/version", get(status::version))
        .route("/api/metrics/query", any(search::metrics))
        .route("/api/metrics/query_range", any(search::metrics))
        .route("/ready", any(status::ready))
        .route("/metrics", get(observe::metrics_handler))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(context);
    observe::observe(router, "tempo", &registry)
}

async fn not_found() -> Response {
    go::http_error(StatusCode::NOT_FOUND, "404 page not found")
}

async fn method_not_allowed() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
enum TempoError {
    /// The request is wrong; Tempo says why as plain text.
    #[error("{0}")]
    BadRequest(String),
    /// No span of the trace is stored: an answer without a body.
    #[error("trace not found")]
    TraceNotFound,
    /// The query did not run.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] tracestore::Error),
}

impl IntoResponse for TempoError {
    fn into_response(self) -> Response {
        match self {
            Self::BadRequest(message) => plain(StatusCode::BAD_REQUEST, message),
            Self::TraceNotFound => StatusCode::NOT_FOUND.into_response(),
            // What Tempo's query front end says when its queue is full.
            Self::Pool(PoolError::Busy { .. }) => {
                plain(StatusCode::TOO_MANY_REQUESTS, "job queue full".to_owned())
            }
            Self::Pool(error) => internal(&error),
            Self::Store(error) => internal(&error),
        }
    }
}

fn plain(status: StatusCode, message: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], message).into_response()
}

/// The client learns that something broke, the log learns what.
fn internal(error: &dyn std::error::Error) -> Response {
    tracing::error!(error = %error, "a Tempo query failed");
    plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error".to_owned())
}

/// In which form an answer is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Protobuf,
    Json,
}

impl Format {
    /// Tempo looks for the name of the type anywhere in the header, and answers in JSON otherwise.
    fn accepted(headers: &HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        if accept.contains("application/protobuf") { Self::Protobuf } else { Self::Json }
    }
}

/// An answer in the form that was asked for.
fn respond<M: prost::Message + serde::Serialize>(format: Format, message: &M) -> Response {
    match format {
        Format::Protobuf => typed("application/protobuf", message.encode_to_vec()),
        Format::Json => json(message),
    }
}

fn json(value: &impl serde::Serialize) -> Response {
    match go::to_json(value) {
        Ok(body) => typed("application/json", body),
        Err(error) => internal(&error),
    }
}

fn typed(content_type: &'static str, body: Vec<u8>) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
