//! Headers that let a page of another origin read an answer, and answers that are compressed for who takes it.

use std::io::Write;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;

use crate::go;

/// What is longer is not compressed by the thread that serves others.
const LONG: usize = 64 << 10;

/// Most of Prometheus' routes: compressed, and for pages of any origin.
pub(super) async fn compressed_for_all(request: Request, next: Next) -> Response {
    let (coding, origin) = (Coding::of(request.headers()), origin(request.headers()));
    let mut response = next.run(request).await;
    vary(&mut response, "Accept-Encoding");
    allow_origin(&mut response, origin);
    compress(response, coding).await
}

/// For pages of any origin.
pub(super) async fn for_all(request: Request, next: Next) -> Response {
    let origin = origin(request.headers());
    let mut response = next.run(request).await;
    allow_origin(&mut response, origin);
    response
}

/// Compressed.
pub(super) async fn compressed(request: Request, next: Next) -> Response {
    let coding = Coding::of(request.headers());
    let mut response = next.run(request).await;
    vary(&mut response, "Accept-Encoding");
    compress(response, coding).await
}

/// The answer to a page that asks whether it may ask.
pub(super) fn options(headers: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    vary(&mut response, "Accept-Encoding");
    allow_origin(&mut response, origin(headers));
    response
}

fn origin(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(header::ORIGIN).filter(|origin| !origin.is_empty()).cloned()
}

fn vary(response: &mut Response, name: &'static str) {
    response.headers_mut().append(header::VARY, HeaderValue::from_static(name));
}

fn allow_origin(response: &mut Response, origin: Option<HeaderValue>) {
    vary(response, "Origin");
    let Some(origin) = origin else { return };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
}

/// How an answer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    /// The first that is known, of those without a weight: Prometheus reads no weights.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let accepted = headers.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
        accepted.split(',').find_map(|coding| match coding.trim() {
            "gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            _ => None,
        })
    }

    fn encode(self, bytes: &[u8]) -> std::io::Result<Vec<u8>> {
        // Fast: most of these go no further than to the same machine.
        let room = Vec::with_capacity(bytes.len() / 8 + 64);
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(room, Compression::fast());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(room, Compression::fast());
                encoder.write_all(bytes)?;
                encoder.finish()
            }
        }
    }
}

/// Compresses an answer, all of which is in memory as it is.
async fn compress(response: Response, coding: Option<Coding>) -> Response {
    let Some(coding) = coding.filter(|_| response.status() != StatusCode::NO_CONTENT) else {
        return response;
    };
    let (mut head, body) = response.into_parts();
    let failed =
        |error: &dyn std::fmt::Display| go::http_error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string());
    let bytes = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return failed(&error),
    };
    let encoded = if bytes.len() > LONG {
        tokio::task::spawn_blocking(move || coding.encode(&bytes))
            .await
            .unwrap_or_else(|error| Err(error.into()))
    } else {
        coding.encode(&bytes)
    };
    match encoded {
        Ok(encoded) => {
            let name = match coding {
                Coding::Gzip => "gzip",
                Coding::Deflate => "deflate",
            };
            head.headers.remove(header::CONTENT_LENGTH);
            head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
            Response::from_parts(head, Body::from(encoded))
        }
        Err(error) => failed(&error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn the_first_coding_that_is_known_counts() {
        let of = |accepted: &'static str| {
            let headers =
                HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted))]);
            Coding::of(&headers)
        };
        assert_eq!(of("gzip"), Some(Coding::Gzip));
        assert_eq!(of("br, zstd ,deflate,gzip"), Some(Coding::Deflate));
        assert_eq!(of("gzip;q=1.0, deflate"), Some(Coding::Deflate));
        assert_eq!(of("identity"), None);
        assert_eq!(Coding::of(&HeaderMap::new()), None);
    }

    #[tokio::test]
    async fn answers_long_and_short_are_compressed() {
        for length in [0, 10, LONG + 1] {
            let text = "a".repeat(length);
            let response = compress(text.clone().into_response(), Some(Coding::Gzip)).await;
            assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            let mut read = String::new();
            flate2::read::GzDecoder::new(&*bytes).read_to_string(&mut read).unwrap();
            assert_eq!(read, text);
        }
        let nothing = compress(StatusCode::NO_CONTENT.into_response(), Some(Coding::Gzip)).await;
        assert!(!nothing.headers().contains_key(header::CONTENT_ENCODING));
    }
}
