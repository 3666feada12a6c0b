//! Tempo's HTTP API.

use axum::Router;

use crate::Context;

/// All routes of Tempo.
pub fn router(_context: Context) -> Router {
    Router::new()
}
