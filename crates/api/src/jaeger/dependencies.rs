//! Which services call which.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use serde::Serialize;

use super::answer::{JaegerError, Structured, V3Error, json_response};
use super::sanitize::MISSING_SERVICE;
use super::{params, search};
use crate::Context;
use crate::go::Query;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Link<N> {
    parent: String,
    child: String,
    call_count: N,
}

/// `/api/dependencies`.
pub(super) async fn dependencies(State(context): State<Context>, uri: Uri) -> Result<Response, JaegerError> {
    let query = Query::of(&uri);
    let (start_ns, end_ns) = params::dependencies(&query, context.clock.now_ns())?;
    if end_ns < start_ns {
        return Err(JaegerError::Internal("end time must be greater than start time"));
    }
    let mut links = links(&context, start_ns, end_ns).await?;
    if let Some(service) = query.given("service") {
        links.retain(|link| link.parent == service || link.child == service);
    }
    Ok(json_response(&Structured::new(links), params::is_pretty(&query)))
}

#[derive(Serialize)]
struct Dependencies {
    dependencies: Vec<Link<String>>,
}

/// `/api/v3/dependencies`, which Jaeger's description of the API has and its HTTP server does not serve yet.
pub(super) async fn dependencies_v3(State(context): State<Context>, uri: Uri) -> Result<Response, V3Error> {
    let (start_ns, end_ns) = params::dependencies_v3(&Query::of(&uri))?;
    let dependencies = links(&context, start_ns, end_ns)
        .await?
        .into_iter()
        .map(|Link { parent, child, call_count }| Link { parent, child, call_count: call_count.to_string() })
        .collect();
    Ok(json_response(&Dependencies { dependencies }, false))
}

async fn links(context: &Context, start_ns: i64, end_ns: i64) -> Result<Vec<Link<u64>>, JaegerError> {
    let range = search::time_range(start_ns, end_ns);
    let store = Arc::clone(&context.traces);
    let calls = context.pool.run(move || store.dependencies(range)).await??;
    let shown = |name: String| if name.is_empty() { MISSING_SERVICE.to_owned() } else { name };
    Ok(calls
        .into_iter()
        .map(|(parent, child, call_count)| Link { parent: shown(parent), child: shown(child), call_count })
        .collect())
}
