//! Jaeger's HTTP API, as version 2.20 answers it from its memory store.
//!
//! [`router`] has the routes. A stored trace is [`trace`]d back to its resources, cleaned and adjusted as Jaeger does
//! on the way in and out ([`sanitize`], [`adjust`]), and then answered in one of two shapes: the UI's own model
//! ([`model`], [`convert`]; `/api/traces`…) or OTLP/JSON ([`v3`]; `/api/v3/traces`…). [`params`] reads and refuses
//! parameters, [`search`] asks the store.
//!
//! A browser that comes to the pages of Jaeger's UI is sent to ours ([`page`]).

mod adjust;
mod answer;
mod convert;
mod dependencies;
mod metrics;
mod model;
mod page;
mod params;
mod sanitize;
mod search;
mod summary;
mod trace;
mod v1;
mod v3;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use http::StatusCode;

use crate::Context;
use crate::go;
use crate::observe;

/// Largest body of a trace to transform.
const MAX_TRANSFORM_BYTES: usize = 16 << 20;

/// All routes of Jaeger.
pub fn router(context: Context) -> Router {
    let registry = context.registry.clone();
    let router = Router::new()
        .route("/api/services", api(get(v1::services)))
        .route("/api/services/{service}/operations", api(get(v1::operation_names)))
        .route("/api/operations", api(get(v1::operations)))
        .route("/api/traces", api(get(v1::search)))
        .route("/api/traces/{id}", api(get(v1::trace)))
        .route("/api/archive/{id}", api(post(v1::archive)))
        .route("/api/transform", api(post(v1::transform)).layer(DefaultBodyLimit::max(MAX_TRANSFORM_BYTES)))
        .route("/api/dependencies", api(get(dependencies::dependencies)))
        .route("/api/metrics/latencies", api(get(metrics::latencies)))
        .route("/api/metrics/calls", api(get(metrics::rates)))
        .route("/api/metrics/errors", api(get(metrics::rates)))
        .route("/api/v3/services", api(get(v3::services)))
        .route("/api/v3/operations", api(get(v3::operations)))
        .route("/api/v3/traces", api(get(v3::search)))
        .route("/api/v3/traces/{id}", api(get(v3::trace)))
        .route("/api/v3/trace-summaries", api(get(v3::summaries)))
        .route("/api/v3/dependencies", api(get(dependencies::dependencies_v3)))
        .route("/api/{*rest}", axum::routing::any(not_found))
        .route("/metrics", get(observe::metrics_handler))
        .fallback(page::page)
        .with_state(context);
    observe::observe(router, "jaeger", &registry)
}

/// A route of the API. With another method than its own it is, for Jaeger, a path that does not exist.
fn api(route: MethodRouter<Context>) -> MethodRouter<Context> {
    route.fallback(not_found)
}

async fn not_found() -> Response {
    go::http_error(StatusCode::NOT_FOUND, "404 page not found")
}
