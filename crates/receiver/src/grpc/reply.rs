//! Answers: a message with trailers, or a status alone.

use std::fmt::Write;

use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Full};

use crate::coding::GRPC_CODINGS;
use crate::status::{Code, Status};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// A message and the trailers that say that all went well.
pub(super) fn message(message: &[u8]) -> Response {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(framed.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    with_headers(Response::new(Body::new(body)))
}

/// A status without a message, in the headers: gRPC's "trailers only".
pub(super) fn status(status: &Status) -> Response {
    let mut response = with_headers(Response::new(Body::empty()));
    let headers = response.headers_mut();
    headers.insert("grpc-status", HeaderValue::from(status.code as i32));
    if let Ok(message) = HeaderValue::from_str(&percent_encode(&status.message)) {
        headers.insert("grpc-message", message);
    }
    if status.retry_after.is_some() {
        let details = STANDARD_NO_PAD.encode(status.to_protobuf());
        if let Ok(details) = HeaderValue::from_str(&details) {
            headers.insert("grpc-status-details-bin", details);
        }
    }
    if status.code == Code::Unimplemented {
        headers.insert("grpc-accept-encoding", HeaderValue::from_static(GRPC_CODINGS));
    }
    response
}

fn with_headers(mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// What is not gRPC at all is told so by HTTP.
pub(super) fn not_grpc() -> Response {
    let mut response = Response::new(Body::from(Bytes::from_static(
        b"this port speaks gRPC: the content type has to be application/grpc\n",
    )));
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// `grpc-message` holds printable ASCII; the rest, and `%`, is escaped.
fn percent_encode(message: &str) -> String {
    let mut encoded = String::with_capacity(message.len());
    for byte in message.bytes() {
        if (b' '..=b'~').contains(&byte) && byte != b'%' {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_any_text_fits_into_a_header() {
        assert_eq!(percent_encode("100 % of \u{e9}\n"), "100 %25 of %C3%A9%0A");
    }
}
