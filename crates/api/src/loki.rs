//! Loki's HTTP API, as version 3.7 answers it.
//!
//! [`router`] has the routes of the reading side; pushing is `receiver`'s, on the same port. [`params`] reads and refuses
//! parameters; [`query`] answers queries, [`encode`] writes their results; [`labels`] lists labels and series, [`volume`]
//! says how much there is; [`status`] says that it is there.
//!
//! Where it differs from Loki, on purpose: of LogQL, stream selectors with line filters and label filters are answered
//! and the rest is refused; a range is not limited to 721 hours; tailing, patterns and detected fields are refused.

mod encode;
mod labels;
mod params;
mod query;
mod status;
mod volume;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode, header};

use crate::pool::PoolError;
use crate::{Context, go, observe};

/// Most bytes of a form that is posted.
const MAX_FORM_BYTES: usize = 1 << 20;

/// All routes of Loki that read.
pub fn router(context: Context) -> Router {
    let registry = context.registry.clone();
    let v1 = Router::new()
        .route("/query_range", get(query::range).post(query::range))
        .route("/query", get(query::instant).post(query::instant))
        .route("/label", get(labels::names).post(labels::names))
        .route("/labels", get(labels::names).post(labels::names))
        .route("/label/{name}/values", get(labels::values).post(labels::values))
        .route("/series", get(labels::series).post(labels::series))
        .route("/index/stats", get(volume::stats).post(volume::stats))
        .route("/index/volume", get(volume::volume).post(volume::volume))
        .route("/status/buildinfo", get(status::build_info))
        .route("/index/volume_range", get(status::not_yet).post(status::not_yet))
        .route("/index/shards", get(status::not_yet).post(status::not_yet))
        .route("/tail", get(status::not_yet))
        .route("/patterns", get(status::not_yet).post(status::not_yet))
        .route("/detected_labels", get(status::not_yet).post(status::not_yet))
        .route("/detected_fields", get(status::not_yet).post(status::not_yet))
        .route("/detected_field/{name}/values", get(status::not_yet).post(status::not_yet))
        .route("/format_query", get(status::not_yet).post(status::not_yet))
        .route("/rules", get(status::not_yet))
        .route("/delete", get(status::not_yet).post(status::not_yet));
    let router = Router::new()
        .nest("/loki/api/v1", v1)
        .route("/ready", get(status::ready))
        .route("/metrics", get(observe::metrics_handler))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
        .with_state(context);
    observe::observe(router, "loki", &registry)
}

async fn not_found() -> Response {
    go::http_error(StatusCode::NOT_FOUND, "404 page not found")
}

async fn method_not_allowed() -> StatusCode {
    StatusCode::METHOD_NOT_ALLOWED
}

/// Why a request is not answered: in Loki a status and a line of plain text.
#[derive(Debug, thiserror::Error)]
enum LokiError {
    /// The request is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// The query did not run.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] logstore::Error),
    /// The answer cannot be written.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

type Result<T, E = LokiError> = std::result::Result<T, E>;

/// Makes a refusal of the request of anything that says why.
#[expect(clippy::needless_pass_by_value, reason = "so that it can be handed to `map_err` as it is")]
fn bad_request(error: impl ToString) -> LokiError {
    LokiError::BadRequest(error.to_string())
}

impl IntoResponse for LokiError {
    fn into_response(self) -> Response {
        match self {
            Self::BadRequest(message) => plain(StatusCode::BAD_REQUEST, message),
            // What Loki's query front end says when its queue is full.
            Self::Pool(PoolError::Busy { .. }) => {
                plain(StatusCode::TOO_MANY_REQUESTS, "too many outstanding requests".to_owned())
            }
            Self::Store(error @ logstore::Error::ResultTooLarge { .. }) => {
                plain(StatusCode::BAD_REQUEST, error.to_string())
            }
            error => {
                // The client learns that something broke, the log learns what.
                tracing::error!(%error, "a Loki query failed");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error".to_owned())
            }
        }
    }
}

/// A line of plain text, which a browser must not take for anything else.
fn plain(status: StatusCode, message: String) -> Response {
    let mut response = (status, message).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// An answer in JSON, with the line break that Loki ends it with.
fn json(value: &impl serde::Serialize) -> Result<Response> {
    let mut body = go::to_json(value)?;
    body.push(b'\n');
    let mut response = body.into_response();
    let content_type = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}
