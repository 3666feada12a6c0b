//! What Loki takes in on port 3100: its own push and OTLP logs.
//!
//! - [`labels`]: a stream's labels as text, `{name="value"}`.
//! - [`push_json`], [`push_protobuf`]: the two encodings of a push.
//!
//! Fact source: `pkg/loghttp/push`, `pkg/distributor/http.go` and `pkg/push` of grafana/loki. Success is 204; entries
//! that are refused one by one (too old, too long) make the answer 400 while the others are kept; a request that is
//! refused as a whole keeps nothing. `X-Scope-OrgID` is ignored: there is one tenant.

mod labels;
mod push_json;
mod push_protobuf;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, StatusCode, header};
use model::{Labels, LogStream};

use crate::coding::Coding;
use crate::http::{Encoding, http_status};
use crate::ingest::{Format, Payload, Ticket};
use crate::media::{JSON, PROTOBUF, content_coding, media_type};
use crate::names::{Signal, Transport};
use crate::status::Status;
use crate::{Accepted, Error, Ingest, Result, body, text};

/// `/loki/api/v1/push`, the older `/api/prom/push`, and OTLP's `/otlp/v1/logs`.
pub fn loki_router(ingest: Ingest) -> Router {
    Router::new()
        .route("/loki/api/v1/push", post(push))
        .route("/api/prom/push", post(legacy_push))
        .route("/otlp/v1/logs", post(otlp_logs))
        .with_state(ingest)
}

async fn push(State(ingest): State<Ingest>, request: Request<Body>) -> Response {
    take_push(&ingest, request, Format::LokiJson).await
}

async fn legacy_push(State(ingest): State<Ingest>, request: Request<Body>) -> Response {
    take_push(&ingest, request, Format::LokiLegacyJson).await
}

async fn take_push(ingest: &Ingest, request: Request<Body>, json: Format) -> Response {
    let mut ticket = ingest.begin(Signal::Logs, Transport::LokiPush);
    let payload = read_push(request, json, &mut ticket).await;
    answer(ticket.finish(payload).await, text::error)
}

async fn read_push(request: Request<Body>, json: Format, ticket: &mut Ticket) -> Result<Payload> {
    let coding = match content_coding(request.headers()) {
        // Protobuf is always in a snappy block, whether the header says so or not.
        "" | "snappy" => Coding::Identity,
        "gzip" => Coding::Gzip,
        "deflate" => Coding::RawDeflate,
        other => {
            return Err(Error::UnsupportedCoding(format!("Content-Encoding {other:?} not supported")));
        }
    };
    let format = if media_type(request.headers())? == JSON { json } else { Format::LokiProtobuf };
    let bounds = ticket.bounds()?;
    let bytes = body::read(request.into_body(), bounds, &mut ticket.permit).await?;
    Ok(Payload { bytes, coding, format })
}

async fn otlp_logs(State(ingest): State<Ingest>, request: Request<Body>) -> Response {
    let mut ticket = ingest.begin(Signal::Logs, Transport::LokiOtlp);
    let payload = read_otlp(request, &mut ticket).await;
    let result = ticket.finish(payload).await;
    let is_empty = |accepted: &Accepted| accepted.items == 0 && accepted.rejected.count == 0;
    answer(if result.as_ref().is_ok_and(is_empty) { Err(Error::NoStreams) } else { result }, otlp_error)
}

async fn read_otlp(request: Request<Body>, ticket: &mut Ticket) -> Result<Payload> {
    let headers = request.headers();
    let coding = match content_coding(headers) {
        "" => Coding::Identity,
        "gzip" => Coding::Gzip,
        "zstd" => Coding::Zstd,
        other => {
            return Err(Error::UnsupportedCoding(format!(
                "unsupported content encoding {other}: only gzip and zstd are supported"
            )));
        }
    };
    let encoding = match media_type(headers).as_deref() {
        Ok(PROTOBUF) => Encoding::Protobuf,
        Ok(JSON) => Encoding::Json,
        _ => {
            let given = headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
            return Err(Error::Malformed(format!("content type: {given} is not supported")));
        }
    };
    let bounds = ticket.bounds()?;
    let bytes = body::read(request.into_body(), bounds, &mut ticket.permit).await?;
    Ok(Payload { bytes, coding, format: encoding.format() })
}

fn answer(result: Result<Accepted>, error: fn(StatusCode, &str) -> Response) -> Response {
    match result {
        Ok(accepted) if accepted.rejected.count > 0 => {
            error(StatusCode::BAD_REQUEST, &accepted.rejected.message)
        }
        Ok(_) => text::empty(StatusCode::NO_CONTENT),
        Err(refused) => {
            let message = match &refused {
                Error::TooLarge { .. } => format!("request body too large: {refused}"),
                _ => refused.to_string(),
            };
            text::with_delay(error(http_status(&refused), &message), &refused)
        }
    }
}

/// An OTLP error of Loki's: always protobuf, without a code, and 503 in place of 500, which nobody would repeat.
fn otlp_error(status: StatusCode, message: &str) -> Response {
    let body = Status::without_code(message).to_protobuf();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = match status {
        StatusCode::INTERNAL_SERVER_ERROR => StatusCode::SERVICE_UNAVAILABLE,
        other => other,
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    response
}

/// Reads a decompressed push request. Labels are as they came; `service_name` is not added yet.
pub(crate) fn parse_push(format: Format, body: &[u8]) -> Result<Vec<LogStream>> {
    match format {
        Format::LokiJson => push_json::parse(body),
        Format::LokiLegacyJson => push_json::parse_legacy(body),
        _ => push_protobuf::parse(body),
    }
}

/// Reads a stream's labels.
fn parse_labels(text: &str) -> Result<Labels> {
    labels::parse(text).map_err(|error| Error::Malformed(format!("couldn't parse labels: {error}")))
}
