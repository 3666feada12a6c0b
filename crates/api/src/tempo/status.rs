//! Whether Tempo is there, and which.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};

use super::json;
use crate::build_info::{BuildInfo, REVISION};
use crate::go;

/// The version of Tempo whose API this is. Grafana reads it to know what it may ask.
const TEMPO_VERSION: &str = "3.0.3";

pub(super) async fn echo() -> Response {
    go::http_error(StatusCode::OK, "echo")
}

pub(super) async fn ready() -> Response {
    go::http_error(StatusCode::OK, "ready")
}

pub(super) async fn build_info() -> Response {
    json(&BuildInfo::of(TEMPO_VERSION))
}

pub(super) async fn version() -> Response {
    let page =
        format!("GET /status/version\ntempo, version {TEMPO_VERSION} (branch: , revision: {REVISION})\n");
    ([(header::CONTENT_TYPE, "text/plain")], page).into_response()
}
