//! Prometheus' remote write, 1.0 and 2.0, on Prometheus' port.
//!
//! - [`decode`]: the two messages, read without copying what is in them; `wire` is protobuf itself, `histogram` the
//!   native histograms in it.
//! - [`store`]: into the store.
//!
//! Specifications: <https://prometheus.io/docs/specs/prw/remote_write_spec/> and
//! <https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/>. Texts and status codes are Prometheus' own, and what
//! becomes of a request: the first refused sample of a 1.0 request undoes the whole request, of a 2.0 request the others
//! are kept; the answer is 400 in both cases. What a sender says of metric families is kept, which Prometheus does for
//! scraped ones only.

mod decode;
mod histogram;
mod store;
mod wire;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, StatusCode};

pub(crate) use decode::Version;
pub(crate) use store::keep;

use crate::coding::Coding;
use crate::http::http_status;
use crate::ingest::{Format, Payload, Ticket, Written};
use crate::media::{PROTOBUF, content_coding};
use crate::names::{Signal, Transport};
use crate::{Error, Ingest, Result, body, text};

const V1: &str = "prometheus.WriteRequest";
const V2: &str = "io.prometheus.write.v2.Request";

/// `POST /api/v1/write`.
pub(crate) async fn write(State(ingest): State<Ingest>, request: Request<Body>) -> Response {
    let version = match version(request.headers()) {
        Ok(version) => version,
        Err(message) => return text::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, &message),
    };
    let coding = content_coding(request.headers());
    if !matches!(coding, "" | "snappy") {
        let message = format!(
            "{coding} encoding (compression) is not accepted by this server; only snappy is acceptable"
        );
        return text::error(StatusCode::UNSUPPORTED_MEDIA_TYPE, &message);
    }
    let mut ticket = ingest.begin(Signal::Metrics, Transport::RemoteWrite);
    let payload = read(request, version, &mut ticket).await;
    match ticket.finish(payload).await {
        Ok(accepted) => {
            // Series without a valid name are left out of a 1.0 request without a word to the sender.
            let only_invalid =
                accepted.rejected.by_reason.iter().all(|(reason, _)| *reason == "invalid_labels");
            let mut response =
                if accepted.rejected.message.is_empty() || (version == Version::V1 && only_invalid) {
                    text::empty(StatusCode::NO_CONTENT)
                } else {
                    let message = &accepted.rejected.message;
                    let first = message.lines().next().unwrap_or_default();
                    text::error(StatusCode::BAD_REQUEST, if version == Version::V1 { first } else { message })
                };
            stats(&mut response, version, accepted.written.unwrap_or_default());
            response
        }
        Err(error) => {
            let mut response = text::with_delay(text::error(status(&error), &said(&error)), &error);
            stats(&mut response, version, Written::default());
            response
        }
    }
}

/// Reads bytes as a request of either version, for the fuzz target.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_any(bytes: &[u8]) {
    for version in [Version::V1, Version::V2] {
        if let Ok(decoded) = decode::Decoded::read(version, bytes) {
            decoded.series.iter().flat_map(|series| &series.histograms).for_each(|timed| {
                _ = timed.check();
            });
        }
    }
}

/// Of a broken block, Prometheus says what its own reader does.
fn said(error: &Error) -> String {
    let said = error.to_string();
    if said.starts_with("snappy: ") { "s2: corrupt input".to_owned() } else { said }
}

/// A sender gives up on what it may not repeat, and by default it may not repeat after 429.
fn status(error: &Error) -> StatusCode {
    match error {
        Error::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        other => http_status(other),
    }
}

async fn read(request: Request<Body>, version: Version, ticket: &mut Ticket) -> Result<Payload> {
    let bounds = ticket.bounds()?;
    let bytes = body::read(request.into_body(), bounds, &mut ticket.permit).await?;
    Ok(Payload { bytes, coding: Coding::SnappyBlock, format: Format::RemoteWrite(version) })
}

/// How much of a 2.0 request was written.
fn stats(response: &mut Response, version: Version, written: Written) {
    if version == Version::V2 {
        for (name, count) in [
            ("samples", written.samples),
            ("histograms", written.histograms),
            ("exemplars", written.exemplars),
        ] {
            let name = format!("x-prometheus-remote-write-{name}-written");
            if let Ok(name) = HeaderName::try_from(name) {
                response.headers_mut().insert(name, HeaderValue::from(count));
            }
        }
    }
}

/// The message that a request says it is.
fn version(headers: &HeaderMap) -> Result<Version, String> {
    let given = headers.get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?")).trim();
    let given = if given.is_empty() { PROTOBUF } else { given };
    let mut parts = given.split(';');
    if parts.next() != Some(PROTOBUF) {
        return Err(format!("expected {PROTOBUF} as the first (media) part, got {given} content-type"));
    }
    for parameter in parts {
        let pair: Vec<&str> = parameter.split('=').collect();
        let [name, value] = pair[..] else {
            return Err(format!(
                "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got \
                 {parameter} in {given} content-type"
            ));
        };
        if name == "proto" {
            return match value {
                V1 => Ok(Version::V1),
                V2 => Ok(Version::V2),
                other => Err(format!(
                    "got {given} content type; unknown type for remote write protobuf message {other}, supported: \
                     {V1}, {V2}"
                )),
            };
        }
    }
    Ok(Version::V1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<Version, String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, value.parse().unwrap());
        version(&headers)
    }

    #[test]
    fn the_media_type_names_the_message() {
        assert_eq!(version(&HeaderMap::new()), Ok(Version::V1));
        assert_eq!(parse("application/x-protobuf"), Ok(Version::V1));
        assert_eq!(parse("application/x-protobuf;proto=prometheus.WriteRequest"), Ok(Version::V1));
        assert_eq!(parse("application/x-protobuf;proto=io.prometheus.write.v2.Request"), Ok(Version::V2));
        assert!(parse("text/plain").unwrap_err().starts_with("expected application/x-protobuf as the first"));
        assert!(parse("application/x-protobuf;proto").unwrap_err().contains("got proto in"));
        assert!(parse("application/x-protobuf;proto=x").unwrap_err().contains("message x, supported:"));
    }
}
