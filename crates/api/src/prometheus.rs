//! Prometheus' HTTP API, as version 3.14 answers it (`web/api/v1` of prometheus/prometheus, and its OpenAPI file).
//!
//! [`router`] has the routes; `params` reads and refuses parameters; `limits` are those of queries; `answer`, `result`
//! and `json` write bodies; `query`, `format`, `labels` and `status` are the handlers.
//!
//! Where it differs from Prometheus, on purpose: label names and values, and series, are those with samples in the
//! range, not in the blocks that the range touches; metadata is what was sent by OTLP; all that Prometheus calls
//! experimental in PromQL is on (`flags` says by which of its switches). What is not there yet says so.

mod admin;
mod answer;
mod escape;
mod federate;
mod flags;
mod format;
mod json;
mod labels;
mod limits;
mod params;
mod query;
mod read;
mod result;
mod rules;
mod self_metrics;
mod status;
mod targets;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};
use http::{HeaderValue, Method, StatusCode, header};

use crate::Context;
use crate::go;
use crate::observe;
use answer::ApiError;
use limits::QueryFigures;

/// All routes of Prometheus.
pub fn router(context: Context) -> Router {
    let registry = context.registry.clone();
    let router = api().merge(pages()).fallback(not_found).method_not_allowed_fallback(method_not_allowed);
    let figures = Extension(Arc::new(QueryFigures::new(&registry)));
    observe::observe(router.with_state(context).layer(figures), "prometheus", &registry)
}

/// `/api/v1`, with the headers that let a page of another origin read it.
fn api() -> Router<Context> {
    let read = |handler: MethodRouter<Context>| handler.options(options);
    let mut router = Router::new()
        .route("/api/v1/query", read(get(query::instant).post(query::instant)))
        .route("/api/v1/query_range", read(get(query::range).post(query::range)))
        .route("/api/v1/query_exemplars", read(get(query::exemplars).post(query::exemplars)))
        .route("/api/v1/format_query", read(get(format::format).post(format::format)))
        .route("/api/v1/parse_query", read(get(format::tree).post(format::tree)))
        .route("/api/v1/labels", read(get(labels::names).post(labels::names)))
        .route("/api/v1/label/{name}/values", read(get(labels::values)))
        .route("/api/v1/series", read(get(labels::series).post(labels::series)))
        .route("/api/v1/metadata", read(get(labels::metadata)))
        .route("/api/v1/scrape_pools", read(get(targets::scrape_pools)))
        .route("/api/v1/scrape_pools/config", read(get(targets::scrape_pool_config)))
        .route("/api/v1/targets", read(get(targets::targets)))
        .route("/api/v1/targets/metadata", read(get(targets::metadata)))
        .route("/api/v1/targets/relabel_steps", read(get(targets::relabel_steps)))
        .route("/api/v1/rules", read(get(rules::rules)))
        .route("/api/v1/alerts", read(get(rules::alerts)))
        .route("/api/v1/alertmanagers", read(get(rules::alertmanagers)))
        .route("/api/v1/status/buildinfo", read(get(status::build_info)))
        .route("/api/v1/status/runtimeinfo", read(get(status::runtime_info)))
        .route("/api/v1/status/flags", read(get(flags::flags)))
        .route("/api/v1/status/config", read(get(status::config)))
        .route("/api/v1/status/tsdb", read(get(status::tsdb)))
        .route("/api/v1/status/tsdb/blocks", read(get(status::blocks)))
        .route("/api/v1/status/walreplay", read(get(status::wal_replay)))
        .route("/api/v1/status/self_metrics", read(get(self_metrics::self_metrics)))
        .route("/api/v1/features", read(get(flags::features)))
        .route("/api/v1/notifications", read(get(flags::notifications)));
    for list in ["metric_names", "label_names", "label_values"] {
        let search = read(get(flags::search).post(flags::search));
        router = router.route(&format!("/api/v1/search/{list}"), search);
    }
    for path in ["notifications/live", "openapi.yaml"] {
        router = router.route(&format!("/api/v1/{path}"), read(get(not_yet).post(not_yet)));
    }
    let admin = |name: &str| format!("/api/v1/admin/tsdb/{name}");
    router = router
        .route(&admin("delete_series"), read(post(admin::delete_series).put(admin::delete_series)))
        .route(&admin("clean_tombstones"), read(post(admin::clean_tombstones).put(admin::clean_tombstones)))
        .route(&admin("snapshot"), read(post(admin::snapshot).put(admin::snapshot)));
    router.route("/api/v1/read", post(read::read)).layer(middleware::from_fn(cross_origin))
}

fn pages() -> Router<Context> {
    Router::new()
        .route("/-/healthy", get(status::healthy))
        .route("/-/ready", get(status::ready))
        .route("/-/reload", get(only_post_or_put).post(status::reload).put(status::reload))
        .route(
            "/-/quit",
            get(only_post_or_put).post(status::lifecycle_disabled).put(status::lifecycle_disabled),
        )
        .route("/version", get(status::version))
        .route("/federate", get(federate::federate))
        .route("/metrics", get(observe::metrics_handler))
        .route("/", get(to_ui))
        .route("/graph", get(to_ui))
        .route("/query", get(to_ui))
}

async fn cross_origin(request: Request, next: Next) -> Response {
    let from_elsewhere = request.headers().contains_key(header::ORIGIN);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if from_elsewhere {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin"),
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
            (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    response
}

async fn options() -> StatusCode {
    StatusCode::NO_CONTENT
}

async fn not_found() -> Response {
    go::http_error(StatusCode::NOT_FOUND, "404 page not found")
}

async fn method_not_allowed() -> Response {
    go::http_error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
}

/// What Prometheus has and this does not, yet.
async fn not_yet(method: Method, request: Request) -> ApiError {
    ApiError::not_found(format!("{method} {} is not supported yet", request.uri().path()))
}

async fn only_post_or_put() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, "Only POST or PUT requests allowed").into_response()
}

/// Prometheus' own pages are the UI's.
async fn to_ui(State(context): State<Context>) -> Response {
    match context.ui_url {
        Some(url) => (StatusCode::FOUND, [(header::LOCATION, url)]).into_response(),
        None => not_found().await,
    }
}
