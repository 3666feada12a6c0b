//! `GET /metrics`.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{Encoder, Registry, TextEncoder};

pub(crate) fn route<S: Clone + Send + Sync + 'static>(registry: Option<Registry>) -> Router<S> {
    Router::new().route("/metrics", get(async move || answer(registry.as_ref())))
}

fn answer(registry: Option<&Registry>) -> Response {
    let Some(registry) = registry else {
        let reason = "no metrics here: OTEL_METRICS_EXPORTER does not list prometheus\n";
        return (StatusCode::NOT_FOUND, reason).into_response();
    };
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&registry.gather(), &mut text) {
        Ok(()) => ([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
