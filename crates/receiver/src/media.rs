//! `Content-Type` and `Content-Encoding` of a request.

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use crate::{Error, Result};

pub(crate) const PROTOBUF: &str = "application/x-protobuf";
pub(crate) const JSON: &str = "application/json";

/// The media type, in lower case and without parameters. The errors are those of Go's `mime.ParseMediaType`, which
/// every component here reads its requests with.
pub(crate) fn media_type(headers: &HeaderMap) -> Result<String> {
    let text = match headers.get(CONTENT_TYPE) {
        None => "",
        Some(value) => value.to_str().unwrap_or_default(),
    };
    let mut parts = text.split(';');
    let media_type = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
    if media_type.is_empty() {
        return Err(Error::Malformed("mime: no media type".to_owned()));
    }
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(is_token_byte);
    let (kind, subtype) = media_type.split_once('/').unwrap_or((&media_type, "none"));
    if !is_token(kind) || !is_token(subtype) {
        return Err(Error::Malformed("mime: unexpected content after media type".to_owned()));
    }
    let mut parameters = parts.map(str::trim).filter(|parameter| !parameter.is_empty());
    if parameters.any(|parameter| !parameter.split_once('=').is_some_and(|(name, _)| is_token(name))) {
        return Err(Error::Malformed("mime: invalid media parameter".to_owned()));
    }
    Ok(media_type)
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The content coding, empty where there is none.
pub(crate) fn content_coding(headers: &HeaderMap) -> &str {
    headers.get(CONTENT_ENCODING).map_or("", |value| value.to_str().unwrap_or("?")).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, value.parse().unwrap());
        media_type(&headers)
    }

    #[test]
    fn parameters_are_checked_and_left_away() {
        assert_eq!(parse("Application/JSON; charset=utf-8").unwrap(), JSON);
        assert_eq!(parse("application/x-protobuf").unwrap(), PROTOBUF);
        assert_eq!(
            parse("application/json; charsetutf-8").unwrap_err().to_string(),
            "mime: invalid media parameter"
        );
        assert_eq!(parse("a b/c").unwrap_err().to_string(), "mime: unexpected content after media type");
        assert_eq!(media_type(&HeaderMap::new()).unwrap_err().to_string(), "mime: no media type");
    }
}
