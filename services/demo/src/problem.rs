//! Errors that a client sees: `application/problem+json`, RFC 9457. Each carries the id of its trace, so that whoever
//! sees one can find out more.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use serde::Serialize;
use telemetry::server::RecordedError;

/// An error for the client, and, where it is ours, one for the operator.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    detail: Cow<'static, str>,
    retry_after_s: Option<u16>,
    recorded: Option<RecordedError>,
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

impl Problem {
    /// Any status with a sentence for the client.
    pub fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { status, detail: detail.into(), retry_after_s: None, recorded: None }
    }

    /// 404.
    pub fn not_found(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 400: what was sent cannot be read.
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 422: what was sent can be read and makes no sense.
    pub fn unprocessable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// 503 with the seconds after which to try again.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>, retry_after_s: u16) -> Self {
        Self { retry_after_s: Some(retry_after_s), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// What is recorded as an exception on the request's span and logged. The client does not see it.
    #[must_use]
    pub fn recorded(mut self, kind: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        self.recorded = Some(RecordedError { kind: kind.into(), message: message.into(), origin: None });
        self
    }

    /// Who is to blame for what is [recorded](Self::recorded), where it is not the service itself.
    #[must_use]
    pub fn caused_by(mut self, origin: &'static str) -> Self {
        if let Some(recorded) = &mut self.recorded {
            recorded.origin = Some(origin);
        }
        self
    }

    /// The status that will be answered.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        let kind = crate::database::explain(&error).kind;
        let problem = match error {
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Io(_) => {
                Self::unavailable("the database does not answer", 1)
            }
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the database refused"),
        };
        problem.recorded(kind, error.to_string()).caused_by(crate::database::ORIGIN)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let trace_id = Context::map_current(|context| {
            let span = context.span();
            span.span_context().is_valid().then(|| span.span_context().trace_id().to_string())
        });
        let body = Body {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            trace_id,
        };
        if let Some(RecordedError { kind, message, .. }) = &self.recorded {
            // One line for whoever reads logs; the span gets the exception through the extension below.
            tracing::error!(error.type = %kind, status = self.status.as_u16(), "{message}");
        }
        // Strings and a number: this cannot fail.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(recorded) = self.recorded {
            response.extensions_mut().insert(recorded);
        }
        response
    }
}
