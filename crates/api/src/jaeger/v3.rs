//! API v3: OTLP/JSON, with the names of `query_service.proto`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::Uri;
use serde::Serialize;

use super::answer::{JaegerError, V3Error, json_response};
use super::search::{self, Found};
use super::summary::{TraceSummary, summarize};
use super::{params, v1};
use crate::Context;
use crate::go::Query;
use crate::otlp_json::{Dialect, JsonList, ResourceSpans};

type Result<T, E = V3Error> = std::result::Result<T, E>;

#[derive(Serialize)]
struct Services {
    services: Vec<String>,
}

/// `/api/v3/services`.
pub(super) async fn services(State(context): State<Context>) -> Result<Response> {
    let services = v1::service_names(&context).await?;
    Ok(json_response(&Services { services }, false))
}

#[derive(Serialize)]
struct Operations {
    operations: Vec<Operation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    name: String,
    span_kind: &'static str,
}

/// `/api/v3/operations`.
pub(super) async fn operations(State(context): State<Context>, uri: Uri) -> Result<Response> {
    let query = Query::of(&uri);
    let operations =
        v1::service_operations(&context, query.get("service"), params::span_kind_v3(&query)).await?;
    let operations = operations
        .into_iter()
        .map(|(name, kind)| {
            // An unspecified kind is to be taken for an internal one.
            let span_kind = match v1::show_kind(kind) {
                "" => "internal",
                kind => kind,
            };
            Operation { name, span_kind }
        })
        .collect();
    Ok(json_response(&Operations { operations }, false))
}

#[derive(Serialize)]
struct Wrapper<'a> {
    result: TracesData<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TracesData<'a> {
    resource_spans: JsonList<'a, ResourceSpans<'a>>,
}

fn traces_response(found: &Found) -> Result<Response, JaegerError> {
    if found.traces.is_empty() {
        return Err(JaegerError::TraceNotFound);
    }
    let groups: Vec<ResourceSpans<'_>> =
        found.traces.iter().flat_map(super::trace::Trace::resource_spans).collect();
    let result = TracesData { resource_spans: JsonList(&groups, Dialect::Otlp) };
    Ok(json_response(&Wrapper { result }, false))
}

/// `/api/v3/traces/{id}`.
pub(super) async fn trace(
    State(context): State<Context>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response> {
    let (id, raw) = params::get_trace_v3(&id, &Query::of(&uri))?;
    let store = Arc::clone(&context.traces);
    let answer = move || traces_response(&search::get(&store, [id], raw)?);
    Ok(context.pool.run(answer).await??)
}

/// `/api/v3/traces`.
pub(super) async fn search(State(context): State<Context>, uri: Uri) -> Result<Response> {
    let query = params::search_v3(&Query::of(&uri))?;
    let store = Arc::clone(&context.traces);
    let answer = move || traces_response(&search::find(&store, &query)?);
    Ok(context.pool.run(answer).await??)
}

#[derive(Serialize)]
struct Summaries {
    summaries: Vec<TraceSummary>,
}

/// `/api/v3/trace-summaries`.
pub(super) async fn summaries(State(context): State<Context>, uri: Uri) -> Result<Response> {
    let mut query = params::search_v3(&Query::of(&uri))?;
    query.raw = false;
    let store = Arc::clone(&context.traces);
    let answer = move || {
        let found = search::find(&store, &query)?;
        let summaries = found.traces.iter().map(summarize).collect();
        Ok::<_, JaegerError>(json_response(&Summaries { summaries }, false))
    };
    Ok(context.pool.run(answer).await??)
}
