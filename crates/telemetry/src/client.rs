//! HTTP out: requests carry the current trace along and have a client span and a place in the metrics, by the
//! [conventions for HTTP](https://opentelemetry.io/docs/specs/semconv/http/).
//!
//! - span `GET /albums`: `http.request.method`, `server.address`, `server.port`, `url.full`, `url.template`,
//!   `http.response.status_code`, `error.type`
//! - `http.client.request.duration` (seconds) by method, server, template, status and error type

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, header};
use opentelemetry::metrics::Histogram;
use opentelemetry::trace::{Span, SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HeaderInjector;
use opentelemetry_sdk::trace::SdkTracer;
use reqwest::{Request, Response, Url};

use crate::server::{known_method, span_name};
use crate::{HTTP_SECONDS, Telemetry, exception_attributes};

/// How a client behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Most time for a whole exchange, its body included.
    pub timeout: Duration,
    /// Most time for a connection to be made.
    pub connect_timeout: Duration,
    /// Connections that are kept open for each host.
    pub idle_connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(2),
            connect_timeout: Duration::from_millis(500),
            idle_connections: 8,
        }
    }
}

/// An instrumented HTTP client. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpClient {
    client: reqwest::Client,
    telemetry: Telemetry,
    duration: Histogram<f64>,
}

impl HttpClient {
    pub(crate) fn new(telemetry: &Telemetry, options: Options) -> Result<Self, reqwest::Error> {
        // Who is called sees who calls, as it does of any other client. A name may hold what no header can.
        let service = &telemetry.inner.service;
        let name = HeaderValue::from_str(service).ok().filter(|name| !name.is_empty());
        let headers = name.map(|name| (header::USER_AGENT, name)).into_iter().collect();
        let client = reqwest::Client::builder()
            .default_headers(headers)
            .timeout(options.timeout)
            .connect_timeout(options.connect_timeout)
            .pool_max_idle_per_host(options.idle_connections)
            .redirect(reqwest::redirect::Policy::limited(3))
            .build()?;
        let duration = telemetry
            .meter()
            .f64_histogram("http.client.request.duration")
            .with_unit("s")
            .with_description("Duration of HTTP client requests.")
            .with_boundaries(HTTP_SECONDS.to_vec())
            .build();
        Ok(Self { client, telemetry: telemetry.clone(), duration })
    }

    /// `GET`. `template` is the path with names in place of values (`/users/{id}/albums`), for names that are few.
    ///
    /// # Errors
    /// Where no answer came, for whatever reason; an answer of any status is one.
    pub async fn get(&self, url: Url, template: &'static str) -> Result<Response, reqwest::Error> {
        self.send(Request::new(reqwest::Method::GET, url), template).await
    }

    /// Sends any request. The time until the head of the answer is measured.
    ///
    /// # Errors
    /// As [`HttpClient::get`].
    pub async fn send(
        &self,
        mut request: Request,
        template: &'static str,
    ) -> Result<Response, reqwest::Error> {
        let inner = &self.telemetry.inner;
        let caller = Context::current();
        let target = Target::of(&request, template);
        // A span of which no descendant is made here need not be the current one; only the wire sees it.
        let context = match &inner.tracer {
            None => caller,
            Some(tracer) => caller.with_span(target.span(tracer, request.url(), &caller)),
        };
        inner.propagator.inject_context(&context, &mut HeaderInjector(request.headers_mut()));
        let begun = Instant::now();
        let result = self.client.execute(request).await;
        let elapsed = begun.elapsed();

        let status = result.as_ref().ok().map(|response| response.status().as_u16());
        let error = match &result {
            Ok(response) if response.status().as_u16() < 400 => None,
            Ok(response) => Some(response.status().as_u16().to_string()),
            Err(error) => Some(error_kind(error).to_owned()),
        };
        if inner.tracer.is_some() {
            let span = context.span();
            if let Some(status) = status {
                span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
            }
            if let Some(kind) = &error {
                span.set_attribute(KeyValue::new("error.type", kind.clone()));
                let message = result.as_ref().err().map(with_causes).unwrap_or_default();
                if !message.is_empty() {
                    span.add_event("exception", exception_attributes("reqwest::Error", &message));
                }
                span.set_status(Status::error(message));
            }
            span.end();
        }
        if inner.measures {
            self.duration.record(elapsed.as_secs_f64(), &target.measured(status, error));
        }
        result
    }
}

struct Target {
    method: &'static str,
    template: &'static str,
    host: Arc<str>,
    port: i64,
}

impl Target {
    fn of(request: &Request, template: &'static str) -> Self {
        let url = request.url();
        Self {
            method: known_method(request.method()),
            template,
            host: url.host_str().unwrap_or_default().into(),
            port: i64::from(url.port_or_known_default().unwrap_or_default()),
        }
    }

    fn span(
        &self,
        tracer: &SdkTracer,
        url: &Url,
        caller: &Context,
    ) -> impl Span + Send + Sync + 'static + use<> {
        let mut attributes = Vec::with_capacity(8);
        attributes.extend(self.shared());
        attributes.push(KeyValue::new("url.full", without_credentials(url)));
        let builder = tracer
            .span_builder(span_name(self.method, Some(self.template)))
            .with_kind(SpanKind::Client)
            .with_attributes(attributes);
        tracer.build_with_context(builder, caller)
    }

    fn shared(&self) -> [KeyValue; 4] {
        [
            KeyValue::new("http.request.method", self.method),
            KeyValue::new("server.address", Arc::clone(&self.host)),
            KeyValue::new("server.port", self.port),
            KeyValue::new("url.template", self.template),
        ]
    }

    fn measured(&self, status: Option<u16>, error: Option<String>) -> Vec<KeyValue> {
        let mut attributes = Vec::with_capacity(6);
        attributes.extend(self.shared());
        if let Some(status) = status {
            attributes.push(KeyValue::new("http.response.status_code", i64::from(status)));
        }
        if let Some(error) = error {
            attributes.push(KeyValue::new("error.type", error));
        }
        attributes
    }
}

/// A handful of words in place of the many texts that an error may have.
fn error_kind(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "connect"
    } else if error.is_redirect() {
        "redirect"
    } else if error.is_body() || error.is_decode() {
        "body"
    } else {
        "_OTHER"
    }
}

/// An error with all that it stands on, each after a colon: the first alone says little.
pub fn with_causes(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn without_credentials(url: &Url) -> String {
    if url.username().is_empty() && url.password().is_none() {
        return url.to_string();
    }
    let mut url = url.clone();
    // Fails only for addresses that cannot have a user, and those never come here.
    let _ = url.set_username("REDACTED");
    let _ = url.set_password(Some("REDACTED"));
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_reach_a_span() {
        let url = Url::parse("http://me:secret@albums:8002/albums?x=1").unwrap();
        assert_eq!(without_credentials(&url), "http://REDACTED:REDACTED@albums:8002/albums?x=1");
        let url = Url::parse("http://albums:8002/albums").unwrap();
        assert_eq!(without_credentials(&url), "http://albums:8002/albums");
    }
}
