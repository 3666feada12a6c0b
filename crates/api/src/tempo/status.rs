//! Whether Tempo is there, and which.

use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use serde::Serialize;

use super::json;
use crate::go;

/// The version of Tempo whose API this is. Grafana reads it to know what it may ask.
const TEMPO_VERSION: &str = "3.0.3";
/// Who answers really.
const REVISION: &str = concat!("mirante-", env!("CARGO_PKG_VERSION"));

pub(super) async fn echo() -> Response {
    go::http_error(StatusCode::OK, "echo")
}

pub(super) async fn ready() -> Response {
    go::http_error(StatusCode::OK, "ready")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildInfo {
    version: &'static str,
    revision: &'static str,
    branch: &'static str,
    build_user: &'static str,
    build_date: &'static str,
    go_version: &'static str,
}

pub(super) async fn build_info() -> Response {
    json(&BuildInfo {
        version: TEMPO_VERSION,
        revision: REVISION,
        branch: "",
        build_user: "",
        build_date: "",
        go_version: "",
    })
}

pub(super) async fn version() -> Response {
    let page =
        format!("GET /status/version\ntempo, version {TEMPO_VERSION} (branch: , revision: {REVISION})\n");
    ([(header::CONTENT_TYPE, "text/plain")], page).into_response()
}
