//! Prometheus' HTTP API, as version 3.14 answers it (`web/api/v1` of prometheus/prometheus, and its OpenAPI file).
//!
//! [`router_with`] has the routes. `routes` is what Go's routers do before a handler: methods, `OPTIONS`, paths that are
//! almost right; `wrap` compresses and lets pages of other origins read. `params` reads and refuses parameters;
//! `limits` are those of queries; `answer`, `result` and `json` write bodies; the other modules are the handlers.
//!
//! A real Prometheus is asked the same by `tests/tests/peers/prometheus_api.rs`, and answers the same but for this:
//!
//! # Where it differs
//!
//! On purpose:
//!
//! - Series are those with samples in the range, not in the blocks that the range touches.
//! - A time that no clock shows (`NaN`, `Inf`, `1e30`) is refused. Prometheus takes it for some other time, and evaluates
//!   what lies before 1677 or after 2262 at some other time, too.
//! - A query that has no time at all (`timeout=0`) has timed out: 503. Prometheus' answer depends on where it notices.
//! - Forms are read as `application/x-www-form-urlencoded`, not as `multipart/form-data`.
//! - All that Prometheus calls experimental in PromQL is on, exemplars too (`flags` says by which of its switches).
//! - Metadata is that of OTLP and remote write as well as of scraped targets.
//! - Flags, features and build information are our own. The search API is off.
//! - `scrape_pools/config` is there, which came to Prometheus after 3.14.
//! - Of two series that must not be there together, the smaller is named first, as in Prometheus after 3.14.
//! - A write of a type that is not known is told so (415) before its block is read; Prometheus reads it first.
//! - Prometheus' own pages lead to our UI; there are no console templates, no `/debug/pprof`, and no `openapi.yaml`, since
//!   the description is Prometheus' own text.

mod admin;
mod answer;
mod escape;
mod federate;
mod flags;
mod format;
mod json;
mod labels;
mod limits;
mod notifications;
mod params;
mod query;
mod read;
mod requests;
mod result;
mod routes;
mod rules;
mod self_metrics;
mod status;
mod targets;
mod wrap;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get as get_or_head, post};
use axum::{Extension, Router};
use http::{Method, StatusCode, Uri};

use crate::{Context, go, observe};
use answer::ApiError;
use limits::QueryFigures;
use routes::{Routes, Takes, get};

/// All routes of Prometheus but those that write.
pub fn router(context: Context) -> Router {
    router_with(context, Router::new())
}

/// All routes of Prometheus; `/api/v1/write` and `/api/v1/otlp/v1/metrics` are those of `receivers`.
pub fn router_with(context: Context, receivers: Router) -> Router {
    let registry = context.registry.clone();
    let routes = api()
        .map(|router| router.layer(middleware::from_fn(wrap::compressed_for_all)))
        .merge(plain_api())
        .merge(pages())
        .knows("/api/v1/write", Takes::Post)
        .knows("/api/v1/otlp/v1/metrics", Takes::Post);
    let (router, table) = routes.into_parts();
    let table = Arc::new(table);
    let figures = Extension(Arc::new(QueryFigures::new(&registry)));
    let router = router.with_state(context).layer(figures).merge(receivers).fallback(not_found);
    let judge = middleware::from_fn(move |request, next| routes::judge(Arc::clone(&table), request, next));
    let router = requests::told(observe::observe(router, "prometheus", &registry), &registry);
    // Around the whole: a route that does not know a method would add what it knows.
    Router::new().fallback_service(router).layer(judge)
}

/// Those of `/api/v1` that compress, and let a page of another origin read them.
fn api() -> Routes {
    let routes = Routes::default()
        .add("/api/v1/query", Takes::GetPost, get(query::instant).post(query::instant))
        .add("/api/v1/query_range", Takes::GetPost, get(query::range).post(query::range))
        .add("/api/v1/query_exemplars", Takes::GetPost, get(query::exemplars).post(query::exemplars))
        .add("/api/v1/format_query", Takes::GetPost, get(format::format).post(format::format))
        .add("/api/v1/parse_query", Takes::GetPost, get(format::tree).post(format::tree))
        .add("/api/v1/labels", Takes::GetPost, get(labels::names).post(labels::names))
        .add("/api/v1/label/{name}/values", Takes::Get, get(labels::values))
        .add("/api/v1/series", Takes::GetPost, get(labels::series).post(labels::series))
        .add("/api/v1/metadata", Takes::Get, get(labels::metadata))
        .add("/api/v1/scrape_pools", Takes::Get, get(targets::scrape_pools))
        .add("/api/v1/scrape_pools/config", Takes::Get, get(targets::scrape_pool_config))
        .add("/api/v1/targets", Takes::Get, get(targets::targets))
        .add("/api/v1/targets/metadata", Takes::Get, get(targets::metadata))
        .add("/api/v1/targets/relabel_steps", Takes::Get, get(targets::relabel_steps))
        .add("/api/v1/rules", Takes::Get, get(rules::rules))
        .add("/api/v1/alerts", Takes::Get, get(rules::alerts))
        .add("/api/v1/alertmanagers", Takes::Get, get(rules::alertmanagers))
        .add("/api/v1/status/buildinfo", Takes::Get, get(status::build_info))
        .add("/api/v1/status/runtimeinfo", Takes::Get, get(status::runtime_info))
        .add("/api/v1/status/flags", Takes::Get, get(flags::flags))
        .add("/api/v1/status/config", Takes::Get, get(status::config))
        .add("/api/v1/status/tsdb", Takes::Get, get(status::tsdb))
        .add("/api/v1/status/tsdb/blocks", Takes::Get, get(status::blocks))
        .add("/api/v1/status/self_metrics", Takes::Get, get(self_metrics::self_metrics))
        .add("/api/v1/features", Takes::Get, get(flags::features));
    let delete = post(admin::delete_series).put(admin::delete_series);
    let clean = post(admin::clean_tombstones).put(admin::clean_tombstones);
    routes
        .add("/api/v1/admin/tsdb/delete_series", Takes::PostPut, delete)
        .add("/api/v1/admin/tsdb/clean_tombstones", Takes::PostPut, clean)
        .add("/api/v1/admin/tsdb/snapshot", Takes::PostPut, post(admin::snapshot).put(admin::snapshot))
}

/// Those of `/api/v1` that do not.
fn plain_api() -> Routes {
    let places = notifications::places();
    let live = async move || notifications::live(places.clone());
    let mut for_all = Routes::default()
        .add("/api/v1/status/walreplay", Takes::Get, get(status::wal_replay))
        .add("/api/v1/notifications", Takes::Get, get(notifications::notifications))
        .add("/api/v1/notifications/live", Takes::Get, get(live));
    for path in ["/api/v1/search/metric_names", "/api/v1/search/label_names", "/api/v1/search/label_values"] {
        for_all = for_all.add(path, Takes::GetPost, get(flags::search).post(flags::search));
    }
    let for_all = for_all.map(|router| router.layer(middleware::from_fn(wrap::for_all)));
    let read = Routes::default().add("/api/v1/read", Takes::Post, post(read::read)).add(
        "/api/v1/openapi.yaml",
        Takes::Get,
        get(not_yet),
    );
    for_all.merge(read)
}

fn pages() -> Routes {
    let reload = get(only_post_or_put).post(status::reload).put(status::reload);
    let quit = get(only_post_or_put).post(status::lifecycle_disabled).put(status::lifecycle_disabled);
    let mut routes = Routes::default()
        .add("/federate", Takes::Get, get(federate::federate))
        .map(|router| router.layer(middleware::from_fn(wrap::compressed)))
        .add("/-/healthy", Takes::GetHead, get_or_head(status::healthy).head(ok))
        .add("/-/ready", Takes::GetHead, get_or_head(status::ready).head(ok))
        .add("/-/reload", Takes::GetPostPut, reload)
        .add("/-/quit", Takes::GetPostPut, quit)
        .add("/version", Takes::Get, get(status::version))
        .add("/metrics", Takes::Get, get(observe::metrics_handler));
    for path in UI_PAGES {
        routes = routes.add(path, Takes::Get, get(to_ui));
    }
    routes
}

/// Pages of Prometheus' own UI.
const UI_PAGES: &[&str] = &[
    "/",
    "/graph",
    "/query",
    "/alerts",
    "/rules",
    "/targets",
    "/service-discovery",
    "/alertmanager-discovery",
    "/config",
    "/flags",
    "/status",
    "/tsdb-status",
];

async fn ok() -> StatusCode {
    StatusCode::OK
}

async fn not_found() -> Response {
    go::http_error(StatusCode::NOT_FOUND, "404 page not found")
}

/// What Prometheus has and this does not.
async fn not_yet(method: Method, uri: Uri) -> ApiError {
    ApiError::not_found(format!("{method} {} is not supported", uri.path()))
}

async fn only_post_or_put() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, "Only POST or PUT requests allowed").into_response()
}

/// Prometheus' own pages are the UI's.
async fn to_ui(State(context): State<Context>, request: Request) -> Response {
    match context.ui_url {
        Some(url) => go::redirect(request.method(), StatusCode::FOUND, &url),
        None => not_found().await,
    }
}
