//! OTLP metrics on Prometheus' port, with the answers of Prometheus' own OTLP receiver: an empty 200, plain text
//! otherwise.
//!
//! Fact source: `storage/remote/write_otlp_handler.go` and `codec.go` of prometheus/prometheus. Prometheus refuses a
//! whole request over one sample that is out of order, with 400; here the other samples are kept, and the answer is
//! the same 400 with the reason, so that the sender does not repeat it.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::{HeaderMap, Request, StatusCode, header};

use crate::coding::Coding;
use crate::http::{Encoding, http_status};
use crate::ingest::{Payload, Ticket};
use crate::media::{JSON, PROTOBUF, content_coding, media_type};
use crate::names::{Signal, Transport};
use crate::{Error, Ingest, Result, body, remote_write, text};

/// `/api/v1/otlp/v1/metrics` and `/api/v1/write`.
pub fn prometheus_router(ingest: Ingest) -> Router {
    Router::new()
        .route("/api/v1/otlp/v1/metrics", post(write))
        .route("/api/v1/write", post(remote_write::write))
        .with_state(ingest)
}

async fn write(State(ingest): State<Ingest>, request: Request<Body>) -> Response {
    let mut ticket = ingest.begin(Signal::Metrics, Transport::PrometheusOtlp);
    let payload = read(request, &mut ticket).await;
    match ticket.finish(payload).await {
        Ok(accepted) if accepted.rejected.count > 0 => {
            text::error(StatusCode::BAD_REQUEST, &accepted.rejected.message)
        }
        Ok(_) => text::empty(StatusCode::OK),
        Err(error) => text::with_delay(text::error(http_status(&error), &error.to_string()), &error),
    }
}

async fn read(request: Request<Body>, ticket: &mut Ticket) -> Result<Payload> {
    let encoding = encoding(request.headers())?;
    let coding = match content_coding(request.headers()) {
        "" => Coding::Identity,
        "gzip" => Coding::Gzip,
        other => {
            return Err(Error::UnsupportedCoding(format!(
                "unsupported compression: {other}. Only \"gzip\" or no compression supported"
            )));
        }
    };
    let bounds = ticket.bounds()?;
    let bytes = body::read(request.into_body(), bounds, &mut ticket.permit).await?;
    Ok(Payload { bytes, coding, format: encoding.format() })
}

fn encoding(headers: &HeaderMap) -> Result<Encoding> {
    match media_type(headers).as_deref() {
        Ok(PROTOBUF) => Ok(Encoding::Protobuf),
        Ok(JSON) => Ok(Encoding::Json),
        _ => {
            let given = headers.get(header::CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
            Err(Error::Malformed(format!(
                "unsupported content type: {given}, supported: [{JSON}, {PROTOBUF}]"
            )))
        }
    }
}
