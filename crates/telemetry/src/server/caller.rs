//! Who asks: the address and the user that a request comes from.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use http::HeaderMap;
use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};

/// Names the user on whose behalf a request is made. There is no log-in in the demo, so this is believed.
const USER_HEADER: &str = "x-user-id";
/// The same, passed from service to service as W3C baggage; also the attribute of spans and log records.
pub(crate) const USER_ID: &str = "user.id";
/// Longest identifier, in bytes.
const LONGEST_ID: usize = 64;

/// Puts the user that the header names into the baggage, so that every service on the way knows.
pub(super) fn with_user(context: Context, headers: &HeaderMap) -> Context {
    let named = headers.get(USER_HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_id(id));
    let Some(id) = named else { return context };
    let mut baggage = Baggage::new();
    for (key, (value, metadata)) in context.baggage() {
        baggage.insert_with_metadata(key.clone(), value.clone(), metadata.clone());
    }
    baggage.insert(USER_ID, id.to_owned());
    context.with_baggage(baggage)
}

/// The user that the baggage names, where it is an identifier.
pub(crate) fn user(context: &Context) -> Option<&str> {
    context.baggage().get(USER_ID).map(opentelemetry::StringValue::as_str).filter(|id| is_id(id))
}

fn is_id(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(allowed)
}

/// `client.address`: what a proxy says in `Forwarded` or `X-Forwarded-For`, else the other end of the connection. As
/// with the user, whoever says it is believed: good for finding things, not for deciding who may do what.
pub(super) fn address(request: &Request) -> Option<IpAddr> {
    let peer = || request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
    forwarded(request.headers()).or_else(peer)
}

fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(list) = text("forwarded") {
        // RFC 7239: the first element is the one that is nearest to the client.
        let first = list.split(',').next()?;
        let value = first.split(';').find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            key.eq_ignore_ascii_case("for").then_some(value)
        })?;
        return ip(value.trim_matches('"'));
    }
    ip(text("x-forwarded-for")?.split(',').next()?.trim())
}

/// An address with or without its port, IPv6 also in brackets.
fn ip(text: &str) -> Option<IpAddr> {
    let address = text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_first_that_was_forwarded_for() {
        for (name, value, expected) in [
            ("x-forwarded-for", "203.0.113.7, 10.0.0.1", Some("203.0.113.7")),
            ("x-forwarded-for", "203.0.113.7:4711", Some("203.0.113.7")),
            ("x-forwarded-for", "unknown", None),
            ("forwarded", "for=192.0.2.60;proto=http;by=203.0.113.43", Some("192.0.2.60")),
            ("forwarded", "proto=http; For=\"[2001:db8::17]:4711\", for=10.0.0.1", Some("2001:db8::17")),
            ("forwarded", "for=\"[2001:db8::17]\"", Some("2001:db8::17")),
            ("forwarded", "for=_hidden", None),
            ("forwarded", "", None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(forwarded(&headers(&[(name, value)])), expected, "{name}: {value}");
        }
        assert_eq!(forwarded(&headers(&[])), None);
    }

    #[test]
    fn a_user_is_added_to_what_is_carried_already() {
        let carried = Baggage::from_iter([KeyValue::new("team", "a")]);
        let context = Context::new().with_baggage(carried);
        let named = with_user(context.clone(), &headers(&[("x-user-id", "7")]));
        assert_eq!(user(&named), Some("7"));
        assert!(named.baggage().get("team").is_some());
        for bad in ["", "two words", "a,b", &"x".repeat(65)] {
            assert_eq!(user(&with_user(context.clone(), &headers(&[("x-user-id", bad)]))), None, "{bad}");
        }
        let babble = Context::new().with_baggage(Baggage::from_iter([KeyValue::new(USER_ID, "a b")]));
        assert_eq!(user(&babble), None, "baggage is the caller's text as well");
    }
}
