//! Whether Loki is there, which it is, and what it does not do yet.

use axum::extract::OriginalUri;
use axum::response::Response;
use http::StatusCode;

use super::{Result, json, plain};
use crate::build_info::BuildInfo;
use crate::go;

/// The version of Loki whose API this is. Grafana reads it to know what it may ask.
const LOKI_VERSION: &str = "3.7.6";

pub(super) async fn ready() -> Response {
    go::http_error(StatusCode::OK, "ready")
}

pub(super) async fn build_info() -> Result<Response> {
    json(&BuildInfo::of(LOKI_VERSION))
}

/// The refusal of what Loki answers and this engine does not answer yet.
pub(super) async fn not_yet(OriginalUri(uri): OriginalUri) -> Response {
    plain(StatusCode::NOT_IMPLEMENTED, format!("{} is not supported yet", uri.path()))
}
