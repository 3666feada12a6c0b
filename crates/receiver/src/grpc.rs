//! OTLP/gRPC (port 4317).
//!
//! The three `Export` calls are unary, so a call is one framed message in, one out, and trailers: little enough that
//! it is served here without a generated server. That hands over the message's bytes as they came, lets
//! the size and the budget be checked before anything is reserved or inflated, and decodes off the async threads.
//!
//! gRPC over HTTP/2: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>. Codes and retries:
//! <https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response>.

mod message;
mod reply;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use http::{HeaderMap, Request};
use prost::Message;

use crate::coding::Coding;
use crate::ingest::{Format, Payload, Ticket};
use crate::names::{Signal, Transport};
use crate::status::{Code, Status};
use crate::{Error, Ingest, Result, response};

/// The calls of the three OTLP services and of gRPC's health service. To be served over HTTP/2 by prior
/// knowledge.
pub fn otlp_grpc_service(ingest: Ingest) -> Router {
    Router::new()
        .route("/opentelemetry.proto.collector.trace.v1.TraceService/Export", post(traces))
        .route("/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", post(metrics))
        .route("/opentelemetry.proto.collector.logs.v1.LogsService/Export", post(logs))
        .route("/grpc.health.v1.Health/Check", post(health))
        .fallback(unimplemented)
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

async fn export(ingest: &Ingest, signal: Signal, request: Request<Body>) -> Response {
    if !is_grpc(request.headers()) {
        return reply::not_grpc();
    }
    let mut ticket = ingest.begin(signal, Transport::Grpc);
    let payload = read(request, &mut ticket).await;
    match ticket.finish(payload).await {
        Ok(accepted) => reply::message(&response::protobuf(&accepted.rejected)),
        Err(error) => reply::status(&Status::for_grpc(&error)),
    }
}

async fn read(request: Request<Body>, ticket: &mut Ticket) -> Result<Payload> {
    let (parts, body) = request.into_parts();
    let coding = match parts.headers.get("grpc-encoding") {
        None => None,
        Some(name) => Some(Coding::from_grpc(name.to_str().unwrap_or("?"))?),
    };
    let bounds = ticket.bounds()?;
    let message = message::read(body, bounds, &mut ticket.permit).await?;
    let coding = match (message.compressed, coding) {
        (false, _) => Coding::Identity,
        (true, Some(coding)) => coding,
        (true, None) => {
            return Err(Error::Malformed(
                "the message is flagged as compressed, but there is no grpc-encoding".to_owned(),
            ));
        }
    };
    Ok(Payload { bytes: message.bytes, coding, format: Format::OtlpProtobuf })
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(http::header::CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.strip_prefix(b"application/grpc").is_some_and(|rest| {
            rest.is_empty() || rest == b"+proto" || rest.starts_with(b";") || rest.starts_with(b"+proto;")
        })
    })
}

/// `grpc.health.v1.Health/Check`: serving, whatever service is asked for that exists here.
async fn health(State(ingest): State<Ingest>, request: Request<Body>) -> Response {
    const NAMES: [&str; 4] = [
        "",
        "opentelemetry.proto.collector.trace.v1.TraceService",
        "opentelemetry.proto.collector.metrics.v1.MetricsService",
        "opentelemetry.proto.collector.logs.v1.LogsService",
    ];
    if !is_grpc(request.headers()) {
        return reply::not_grpc();
    }
    let asked = async {
        let message = message::read_small(request.into_body(), ingest.config().body_timeout).await?;
        HealthCheckRequest::decode(message).map_err(|error| Error::Malformed(error.to_string()))
    };
    match asked.await {
        Ok(asked) if NAMES.contains(&asked.service.as_str()) => {
            reply::message(&HealthCheckResponse { status: SERVING }.encode_to_vec())
        }
        Ok(_) => reply::status(&Status::new(Code::NotFound, "unknown service")),
        Err(error) => reply::status(&Status::for_grpc(&error)),
    }
}

const SERVING: i32 = 1;

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

async fn unimplemented(request: Request<Body>) -> Response {
    if !is_grpc(request.headers()) {
        return reply::not_grpc();
    }
    let path = request.uri().path().trim_start_matches('/');
    let (service, method) = path.split_once('/').unwrap_or((path, ""));
    let message = if service.starts_with("opentelemetry.proto.collector.profiles.") {
        "profiles are not taken by this server yet".to_owned()
    } else {
        format!("unknown service {service} or method {method}")
    };
    reply::status(&Status::new(Code::Unimplemented, message))
}
