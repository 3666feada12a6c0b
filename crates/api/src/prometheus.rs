//! Prometheus's HTTP API.

use axum::Router;

use crate::Context;

/// All routes of Prometheus.
pub fn router(_context: Context) -> Router {
    Router::new()
}
