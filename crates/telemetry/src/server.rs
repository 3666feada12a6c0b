//! HTTP in: a layer that gives each request a server span and its place in the metrics, by the
//! [conventions for HTTP](https://opentelemetry.io/docs/specs/semconv/http/).
//!
//! - span `GET /users/{id}`: `http.request.method`, `http.route`, `url.path`, `url.query`, `url.scheme`,
//!   `user_agent.original`, `user_agent.name`, `client.address`, `user.id`, `http.response.status_code`, `error.type`
//! - `http.server.request.duration` (seconds) by method, route, scheme, status and error type
//! - `http.server.active_requests` by method and scheme
//!
//! And of our own, for questions that those do not answer:
//!
//! - `demo.client.requests`, `demo.client.request.time` (seconds) by `user_agent.name`, of which there are few
//! - `demo.errors` by `demo.origin`: who is to blame for an answer of 400 or above; on spans of server errors as well

mod caller;
mod clients;

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use http::{Method, header};
use opentelemetry::context::FutureExt;
use opentelemetry::metrics::{AsyncInstrument, Histogram};
use opentelemetry::trace::{SpanKind, Status, TraceContextExt, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HeaderExtractor;
use tower::{Layer, Service};
use tracing::Instrument;

use crate::{HTTP_SECONDS, Telemetry, exception_attributes};
pub(crate) use caller::{USER_ID, user};
use clients::{Client, Clients};

/// Longest user agent that is kept; the field is free text of the caller's.
const LONGEST_USER_AGENT: usize = 128;

/// Who is to blame for an error.
pub(crate) const ORIGIN: &str = "demo.origin";
/// The origin of errors that the caller made, or that came of its going away.
pub(crate) const ORIGIN_CALLER: &str = "caller";

/// What a handler puts into its response's extensions, so that the span of the request says what failed: recorded as
/// an exception.
#[derive(Clone, Debug)]
pub struct RecordedError {
    /// The kind of error, of which there are few: a type's name.
    pub kind: Cow<'static, str>,
    /// What happened, for the operator.
    pub message: String,
    /// Who is to blame, of which there are few: a dependency's name. `None` where it is the service itself.
    pub origin: Option<&'static str>,
}

/// See [`Telemetry::server_layer`].
#[derive(Clone, Debug)]
pub struct ServerLayer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    telemetry: Telemetry,
    duration: Histogram<f64>,
    active: Arc<Active>,
    clients: Arc<Clients>,
}

/// Requests under way, by method. Counted here and read by the SDK when it exports, which costs a request next to
/// nothing, where an instrument of the SDK's would look up its attributes twice.
#[derive(Debug, Default)]
struct Active([AtomicI64; METHODS.len()]);

impl Active {
    fn add(&self, method: &'static str, difference: i64) {
        if let Some(index) = METHODS.iter().position(|known| *known == method) {
            self.0[index].fetch_add(difference, Ordering::Relaxed);
        }
    }

    fn observe(&self, observer: &dyn AsyncInstrument<i64>) {
        for (method, count) in METHODS.iter().zip(&self.0) {
            let count = count.load(Ordering::Relaxed);
            // The usual method is always told, others while there are any, so that there are no series of zeros.
            if count != 0 || *method == "GET" {
                observer.observe(
                    count,
                    &[KeyValue::new("http.request.method", *method), KeyValue::new("url.scheme", "http")],
                );
            }
        }
    }
}

impl ServerLayer {
    pub(crate) fn new(telemetry: &Telemetry) -> Self {
        let meter = telemetry.meter();
        let active = Arc::new(Active::default());
        let observed = Arc::clone(&active);
        // The SDK keeps the callback; the instrument itself is not needed any more.
        let _ = meter
            .i64_observable_up_down_counter("http.server.active_requests")
            .with_unit("{request}")
            .with_description("Number of active HTTP server requests.")
            .with_callback(move |observer| observed.observe(observer))
            .build();
        let shared = Shared {
            telemetry: telemetry.clone(),
            duration: meter
                .f64_histogram("http.server.request.duration")
                .with_unit("s")
                .with_description("Duration of HTTP server requests.")
                .with_boundaries(HTTP_SECONDS.to_vec())
                .build(),
            active,
            clients: Clients::observed_by(meter),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl<S> Layer<S> for ServerLayer {
    type Service = Server<S>;

    fn layer(&self, inner: S) -> Server<S> {
        Server { shared: Arc::clone(&self.shared), inner }
    }
}

/// An instrumented service. Made by [`ServerLayer`].
#[derive(Clone, Debug)]
pub struct Server<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S> Service<Request> for Server<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let inner = &self.shared.telemetry.inner;
        let caller =
            inner.propagator.extract_with_context(&Context::new(), &HeaderExtractor(request.headers()));
        if inner.tracer.is_none() && !inner.measures {
            return Box::pin(self.inner.call(request).with_context(caller));
        }
        let caller = caller::with_user(caller, request.headers());
        let running = Running::begin(&self.shared, &request, &caller);
        let context = running.context.clone();
        let response = self.inner.call(request);
        let finish = async move |response: Result<Response, Infallible>| {
            let Ok(response) = response;
            running.finish(&response);
            Ok(response)
        };
        if inner.context_spans {
            let fields = context_span(&context);
            return Box::pin(
                async move { finish(response.instrument(fields).with_context(context).await).await },
            );
        }
        Box::pin(async move { finish(response.with_context(context).await).await })
    }
}

/// A `tracing` span that does nothing but show the ids to log sinks that read fields. At the highest level, so that
/// no filter of levels takes it away.
fn context_span(context: &Context) -> tracing::Span {
    let span = context.span();
    let ids = span.span_context();
    tracing::error_span!(target: "telemetry::context", "request", trace_id = %ids.trace_id(), span_id = %ids.span_id())
}

/// A request under way. If it is dropped before its end, the client went away.
struct Running {
    shared: Arc<Shared>,
    context: Context,
    method: &'static str,
    route: Option<Arc<str>>,
    client: Arc<Client>,
    begun: Instant,
    done: bool,
}

impl Running {
    fn begin(shared: &Arc<Shared>, request: &Request, caller: &Context) -> Self {
        let method = known_method(request.method());
        let route: Option<Arc<str>> =
            request.extensions().get::<MatchedPath>().map(|path| path.as_str().into());
        let user_agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        let client = shared.clients.of(user_agent);
        let context = match &shared.telemetry.inner.tracer {
            None => caller.clone(),
            Some(tracer) => {
                let mut attributes = span_attributes(request, method, route.as_ref());
                if let Some(agent) = user_agent {
                    // Visible ASCII, so that every index is a boundary of characters.
                    let agent = &agent[..agent.len().min(LONGEST_USER_AGENT)];
                    attributes.push(KeyValue::new("user_agent.original", agent.to_owned()));
                    attributes.push(KeyValue::new("user_agent.name", client.name()));
                }
                if let Some(id) = user(caller) {
                    attributes.push(KeyValue::new(USER_ID, id.to_owned()));
                }
                let builder = tracer
                    .span_builder(span_name(method, route.as_deref()))
                    .with_kind(SpanKind::Server)
                    .with_attributes(attributes);
                caller.with_span(tracer.build_with_context(builder, caller))
            }
        };
        shared.active.add(method, 1);
        Self {
            shared: Arc::clone(shared),
            context,
            method,
            route,
            client,
            begun: Instant::now(),
            done: false,
        }
    }

    fn finish(mut self, response: &Response) {
        self.done = true;
        let status = response.status();
        let span = self.context.span();
        span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
        let recorded = response.extensions().get::<RecordedError>();
        if let Some(error) = recorded {
            span.add_event("exception", exception_attributes(&error.kind, &error.message));
        }
        if status.is_server_error() {
            let origin = recorded.and_then(|error| error.origin);
            let origin = self.shared.telemetry.error_from(origin);
            span.set_attribute(KeyValue::new(ORIGIN, origin));
            span.set_attribute(KeyValue::new("error.type", status.as_u16().to_string()));
            span.set_status(Status::error(recorded.map_or(String::new(), |error| error.message.clone())));
        }
        span.end();
        if status.is_client_error() {
            self.shared.telemetry.error_from(Some(ORIGIN_CALLER));
        }
        let error = status.is_server_error().then(|| status.as_u16().to_string());
        self.measure(Some(status.as_u16()), error);
    }

    fn measure(&self, status: Option<u16>, error: Option<String>) {
        let mut attributes = Vec::with_capacity(5);
        attributes.push(KeyValue::new("http.request.method", self.method));
        attributes.push(KeyValue::new("url.scheme", "http"));
        if let Some(route) = &self.route {
            attributes.push(KeyValue::new("http.route", Arc::clone(route)));
        }
        if let Some(status) = status {
            attributes.push(KeyValue::new("http.response.status_code", i64::from(status)));
        }
        if let Some(error) = error {
            attributes.push(KeyValue::new("error.type", error));
        }
        let took = self.begun.elapsed();
        self.shared.duration.record(took.as_secs_f64(), &attributes);
        self.client.count(took);
        self.shared.active.add(self.method, -1);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.done {
            let span = self.context.span();
            span.set_attribute(KeyValue::new("error.type", "cancelled"));
            span.set_status(Status::error("the client went away, or the handler panicked"));
            span.end();
            self.shared.telemetry.error_from(Some(ORIGIN_CALLER));
            self.measure(None, Some("cancelled".to_owned()));
        }
    }
}

fn span_attributes(request: &Request, method: &'static str, route: Option<&Arc<str>>) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(12);
    attributes.push(KeyValue::new("http.request.method", method));
    if method == OTHER_METHOD {
        attributes.push(KeyValue::new("http.request.method_original", request.method().as_str().to_owned()));
    }
    attributes.push(KeyValue::new("url.path", request.uri().path().to_owned()));
    attributes.push(KeyValue::new("url.scheme", "http"));
    if let Some(route) = route {
        attributes.push(KeyValue::new("http.route", Arc::clone(route)));
    }
    if let Some(query) = request.uri().query() {
        attributes.push(KeyValue::new("url.query", query.to_owned()));
    }
    if let Some(address) = caller::address(request) {
        attributes.push(KeyValue::new("client.address", address.to_string()));
    }
    attributes
}

const OTHER_METHOD: &str = "_OTHER";

/// What [`known_method`] may answer.
const METHODS: [&str; 10] =
    ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE", OTHER_METHOD];

/// Methods are few, whatever a caller invents.
pub(crate) fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => OTHER_METHOD,
    }
}

/// `GET /users/{id}`, or the method alone where no route was met.
pub(crate) fn span_name(method: &'static str, route: Option<&str>) -> Cow<'static, str> {
    let method = if method == OTHER_METHOD { "HTTP" } else { method };
    route.map_or(Cow::Borrowed(method), |route| format!("{method} {route}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_counted() {
        let active = Active::default();
        for name in METHODS {
            let method = known_method(&Method::from_bytes(name.as_bytes()).unwrap());
            assert_eq!(method, name);
            active.add(method, 1);
        }
        assert!(active.0.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn names_are_few() {
        assert_eq!(span_name("GET", Some("/users/{id}")), "GET /users/{id}");
        assert_eq!(span_name("POST", None), "POST");
        assert_eq!(known_method(&Method::from_bytes(b"BREW").unwrap()), OTHER_METHOD);
        assert_eq!(span_name(OTHER_METHOD, None), "HTTP");
    }
}
