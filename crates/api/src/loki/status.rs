//! Whether Loki is there, which it is, and what it does not do yet.

use axum::extract::OriginalUri;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::{Result, json, plain};
use crate::go;

/// The version of Loki whose API this is. Grafana reads it to know what it may ask.
const LOKI_VERSION: &str = "3.7.6";
/// Who answers really.
const REVISION: &str = concat!("mirante-", env!("CARGO_PKG_VERSION"));

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

pub(super) async fn build_info() -> Result<Response> {
    json(&BuildInfo {
        version: LOKI_VERSION,
        revision: REVISION,
        branch: "",
        build_user: "",
        build_date: "",
        go_version: "",
    })
}

/// The refusal of what Loki answers and this engine does not answer yet.
pub(super) async fn not_yet(OriginalUri(uri): OriginalUri) -> Response {
    plain(StatusCode::NOT_IMPLEMENTED, format!("{} is not supported yet", uri.path()))
}
