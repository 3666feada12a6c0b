//! Answers and errors in the shapes of Jaeger's two APIs.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::go;
use crate::pool::PoolError;

/// Why a request is not answered. Its text is what the client is told.
#[derive(Debug, thiserror::Error)]
pub(super) enum JaegerError {
    /// The request is wrong.
    #[error("{0}")]
    BadRequest(String),
    /// No span of the trace is stored.
    #[error("trace not found")]
    TraceNotFound,
    /// What is asked for is not configured.
    #[error("{0}")]
    NotImplemented(&'static str),
    /// What Jaeger, too, calls an error of its own.
    #[error("{0}")]
    Internal(&'static str),
    /// The query did not run.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The store failed.
    #[error("the trace store failed")]
    Store(#[from] tracestore::Error),
}

impl JaegerError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::TraceNotFound => StatusCode::NOT_FOUND,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Pool(PoolError::Busy { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) | Self::Pool(_) | Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn log(&self) {
        if let Self::Store(error) = self {
            tracing::error!(%error, "a Jaeger query failed");
        }
    }
}

/// What every endpoint of the older API answers with.
#[derive(Debug, Serialize)]
pub(super) struct Structured<T> {
    pub data: Option<T>,
    pub total: usize,
    pub limit: usize,
    pub offset: usize,
    pub errors: Option<Vec<StructuredError>>,
}

/// An error of the older API.
#[derive(Debug, Serialize)]
pub(super) struct StructuredError {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    pub msg: String,
    #[serde(rename = "traceID", skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

impl<T> Structured<T> {
    /// Data that says how much there is of it.
    pub(super) fn counted(data: Option<T>, total: usize) -> Self {
        Self { data, total, limit: 0, offset: 0, errors: None }
    }

    /// Data alone.
    pub(super) fn new(data: T) -> Self {
        Self::counted(Some(data), 0)
    }
}

/// An error of the older API as a response: JSON, sent as plain text.
impl IntoResponse for JaegerError {
    fn into_response(self) -> Response {
        self.log();
        let error =
            StructuredError { code: Some(self.status().as_u16()), msg: self.to_string(), trace_id: None };
        let body = Structured::<()> { data: None, total: 0, limit: 0, offset: 0, errors: Some(vec![error]) };
        error_response(self.status(), &body)
    }
}

/// An error of API v3: the same errors in another envelope.
#[derive(Debug)]
pub(super) struct V3Error(pub JaegerError);

impl<E: Into<JaegerError>> From<E> for V3Error {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

#[derive(Serialize)]
struct V3Envelope {
    error: V3Details,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct V3Details {
    http_code: u16,
    message: String,
}

impl IntoResponse for V3Error {
    fn into_response(self) -> Response {
        self.0.log();
        let message = match &self.0 {
            JaegerError::TraceNotFound => "No traces found".to_owned(),
            error => error.to_string(),
        };
        let status = self.0.status();
        error_response(status, &V3Envelope { error: V3Details { http_code: status.as_u16(), message } })
    }
}

fn error_response(status: StatusCode, body: &impl Serialize) -> Response {
    let body = go::to_json(body).unwrap_or_default();
    go::http_error(status, &String::from_utf8_lossy(&body))
}

/// A value as JSON, indented where that was asked for.
pub(super) fn json_response(value: &impl Serialize, pretty: bool) -> Response {
    let body = if pretty { go::to_json_pretty(value) } else { go::to_json(value) };
    match body {
        Ok(body) => {
            let mut response = body.into_response();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "an answer cannot be written as JSON");
            JaegerError::Internal("failed writing HTTP response").into_response()
        }
    }
}
