//! Bodies of answers: `{"status":"success","data":…}` and `{"status":"error",…}`.

use std::fmt;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use promql::engine;

use super::json;
use crate::pool::PoolError;

/// The warning about a list that was cut at `limit`.
pub(super) const TRUNCATED: &str = "results truncated due to limit";

/// An answer: JSON that has been written already, and what the asker should know besides.
#[derive(Debug)]
pub(super) struct Answer {
    data: String,
    warnings: Vec<String>,
}

impl Answer {
    /// Data as JSON.
    pub(super) fn new(data: String) -> Self {
        Self { data, warnings: Vec::new() }
    }

    /// Data of a type that serde knows.
    pub(super) fn of(data: &impl serde::Serialize) -> Result<Self, ApiError> {
        let data = serde_json::to_string(data).map_err(|error| ApiError::internal(&error))?;
        Ok(Self::new(data))
    }

    /// The same with a warning, if there is one.
    pub(super) fn warn(mut self, warning: Option<impl Into<String>>) -> Self {
        self.warnings.extend(warning.map(Into::into));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut body = String::with_capacity(self.data.len() + 64);
        body.push_str(r#"{"status":"success","data":"#);
        body.push_str(&self.data);
        json::told(&mut body, &self.warnings, &[]);
        body.push('}');
        with_type(StatusCode::OK, body)
    }
}

fn with_type(status: StatusCode, body: String) -> Response {
    let content_type = HeaderValue::from_static("application/json");
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    kind: Kind,
    message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    BadData,
    Execution,
    Timeout,
    Canceled,
    Unavailable,
    Internal,
    NotFound,
    /// Too many queries: Prometheus lets them wait until they time out.
    Busy,
}

impl ApiError {
    /// The request is wrong.
    pub(super) fn bad_data(message: impl Into<String>) -> Self {
        Self { kind: Kind::BadData, message: message.into() }
    }

    /// A parameter is wrong.
    pub(super) fn parameter(name: &str, reason: impl fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter \"{name}\": {reason}"))
    }

    /// There is no such thing.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self { kind: Kind::NotFound, message: message.into() }
    }

    /// It is there, but off.
    pub(super) fn unavailable(message: impl Into<String>) -> Self {
        Self { kind: Kind::Unavailable, message: message.into() }
    }

    /// The query took too long.
    pub(super) fn timeout() -> Self {
        Self { kind: Kind::Timeout, message: "query timed out in query execution".to_owned() }
    }

    /// The server failed.
    pub(super) fn internal(error: &dyn fmt::Display) -> Self {
        Self { kind: Kind::Internal, message: error.to_string() }
    }

    fn status(&self) -> StatusCode {
        match self.kind {
            Kind::BadData => StatusCode::BAD_REQUEST,
            Kind::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::Timeout | Kind::Busy => StatusCode::SERVICE_UNAVAILABLE,
            // Nobody reads it; the status is what nginx made up for this.
            Kind::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::REQUEST_TIMEOUT),
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Unavailable | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::BadData => "bad_data",
            Kind::Execution => "execution",
            Kind::Timeout => "timeout",
            Kind::Canceled => "canceled",
            Kind::Unavailable | Kind::Busy => "unavailable",
            Kind::Internal => "internal",
            Kind::NotFound => "not_found",
        }
    }
}

impl From<PoolError> for ApiError {
    fn from(error: PoolError) -> Self {
        let kind = if matches!(error, PoolError::Busy { .. }) { Kind::Busy } else { Kind::Internal };
        Self { kind, message: error.to_string() }
    }
}

impl From<engine::Error> for ApiError {
    fn from(error: engine::Error) -> Self {
        let message = error.to_string();
        match error {
            engine::Error::RangeType(_) | engine::Error::Duration(_) => Self::parameter("query", message),
            engine::Error::TimedOut(_) => Self { kind: Kind::Timeout, message },
            engine::Error::Canceled(_) => Self { kind: Kind::Canceled, message },
            _ => Self { kind: Kind::Execution, message },
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = format!(r#"{{"status":"error","errorType":"{}","error":"#, self.type_name());
        json::text(&mut body, &self.message);
        body.push('}');
        with_type(self.status(), body)
    }
}
