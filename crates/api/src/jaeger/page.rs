//! Where Jaeger has its UI: a browser is sent to ours.

use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::{HeaderMap, Uri, header};

use crate::Context;

/// Any path outside the API. With a UI, the same path there; without, a page that says what answers here.
pub(super) async fn page(State(context): State<Context>, uri: Uri, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    match &context.ui_url {
        Some(ui) if accept.contains("text/html") => {
            let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
            // A second slash at the beginning would name another host.
            Redirect::temporary(&format!("{ui}/{}", path.trim_start_matches('/'))).into_response()
        }
        _ => Html(include_str!("page.html")).into_response(),
    }
}
