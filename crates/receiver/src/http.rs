//! OTLP/HTTP (port 4318), with the answers of the collector's `otlp` receiver.
//!
//! Specification: <https://opentelemetry.io/docs/specs/otlp/#otlphttp>. Where it leaves room, the collector decides:
//! 405 and 415 are plain text, since there is no encoding to answer in.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use http::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, StatusCode};

use crate::coding::Coding;
use crate::ingest::{Format, Payload, Ticket};
use crate::media::{JSON, PROTOBUF, content_coding, media_type};
use crate::names::{Signal, Transport};
use crate::status::{Code, Status};
use crate::{Accepted, Error, Ingest, Result, body, response, text};

/// `/v1/traces`, `/v1/metrics`, `/v1/logs`.
pub fn otlp_http_router(ingest: Ingest) -> Router {
    Router::new()
        .route("/v1/traces", any(traces))
        .route("/v1/metrics", any(metrics))
        .route("/v1/logs", any(logs))
        .route("/v1development/profiles", any(profiles))
        .fallback(async || text::error(StatusCode::NOT_FOUND, "404 page not found"))
        .with_state(ingest)
}

async fn traces(State(ingest): State<Ingest>, request: Request<Body>) -> Response {
    export(&ingest, Signal::Traces, request).await
}

async fn metrics(State(ingest): State<Ingest>, request: Request<Body>) -> Response {
    export(&ingest, Signal::Metrics, request).await
}

async fn logs(State(ingest): State<Ingest>, request: Request<Body>) -> Response {
    export(&ingest, Signal::Logs, request).await
}

/// In which encoding a request came and its answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn from_media_type(media_type: &str) -> Option<Self> {
        match media_type {
            PROTOBUF => Some(Self::Protobuf),
            JSON => Some(Self::Json),
            _ => None,
        }
    }

    pub(crate) fn format(self) -> Format {
        match self {
            Self::Protobuf => Format::OtlpProtobuf,
            Self::Json => Format::OtlpJson,
        }
    }

    fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Protobuf => PROTOBUF,
            Self::Json => JSON,
        })
    }

    fn answer(self, status: StatusCode, body: impl Into<Body>) -> Response {
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, self.media_type());
        response
    }

    fn accepted(self, signal: Signal, accepted: &Accepted) -> Response {
        match self {
            Self::Protobuf => self.answer(StatusCode::OK, response::protobuf(&accepted.rejected)),
            Self::Json => self.answer(StatusCode::OK, response::json(signal, &accepted.rejected).to_string()),
        }
    }

    fn status(self, http_status: StatusCode, status: &Status) -> Response {
        let mut response = match self {
            Self::Protobuf => self.answer(http_status, status.to_protobuf()),
            Self::Json => self.answer(http_status, status.to_json().to_string()),
        };
        if let Some(delay) = status.retry_after {
            response.headers_mut().insert(RETRY_AFTER, retry_after(delay));
        }
        response
    }
}

/// Whole seconds, at least one.
pub(crate) fn retry_after(delay: std::time::Duration) -> HeaderValue {
    HeaderValue::from(delay.as_millis().div_ceil(1000).max(1) as u64)
}

/// The HTTP status of a refusal.
pub(crate) fn http_status(error: &Error) -> StatusCode {
    match error {
        Error::Malformed(_) | Error::UnsupportedCoding(_) | Error::Aborted(_) => StatusCode::BAD_REQUEST,
        Error::NoStreams => StatusCode::UNPROCESSABLE_ENTITY,
        Error::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Error::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
        Error::Timeout(_) => StatusCode::REQUEST_TIMEOUT,
        Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn export(ingest: &Ingest, signal: Signal, request: Request<Body>) -> Response {
    let encoding = match negotiate(&request) {
        Ok(encoding) => encoding,
        Err(response) => return *response,
    };
    let mut ticket = ingest.begin(signal, Transport::Http);
    let payload = read(request, encoding, &mut ticket).await;
    match ticket.finish(payload).await {
        Ok(accepted) => encoding.accepted(signal, &accepted),
        Err(error) => encoding.status(http_status(&error), &Status::for_http(&error)),
    }
}

fn negotiate(request: &Request<Body>) -> Result<Encoding, Box<Response>> {
    if request.method() != Method::POST {
        let mut response =
            plain(StatusCode::METHOD_NOT_ALLOWED, "405 method not allowed, supported: [POST]".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Err(Box::new(response));
    }
    media_type(request.headers()).ok().as_deref().and_then(Encoding::from_media_type).ok_or_else(|| {
        let message = format!("415 unsupported media type, supported: [{JSON}, {PROTOBUF}]");
        Box::new(plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
    })
}

async fn read(request: Request<Body>, encoding: Encoding, ticket: &mut Ticket) -> Result<Payload> {
    let coding = Coding::from_collector_http(content_coding(request.headers()))?;
    let bounds = ticket.bounds()?;
    let bytes = body::read(request.into_body(), bounds, &mut ticket.permit).await?;
    Ok(Payload { bytes, coding, format: encoding.format() })
}

fn plain(status: StatusCode, message: String) -> Response {
    let mut response = Response::new(Body::from(message));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// The signal that is not served yet: `UNIMPLEMENTED`, which is 404 over HTTP and not to be retried.
async fn profiles(request: Request<Body>) -> Response {
    match negotiate(&request) {
        Ok(encoding) => encoding.status(
            StatusCode::NOT_FOUND,
            &Status::new(Code::Unimplemented, "profiles are not taken by this server yet"),
        ),
        Err(response) => *response,
    }
}
