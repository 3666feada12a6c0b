//! The older API, which Jaeger's UI and Grafana's data source ask.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::Uri;
use model::{SpanKind, TimeRange, TraceId};
use otlp::json;
use tracestore::TraceStore;

use super::answer::{JaegerError, Structured, StructuredError, json_response};
use super::convert::{show_trace_id, to_ui};
use super::model::UiOperation;
use super::params::{self, TracesRequest};
use super::sanitize::{EMPTY_SPAN, MISSING_SERVICE};
use super::search::{self, Found};
use super::trace::Trace;
use crate::Context;
use crate::go::{self, Query};

type Result<T, E = JaegerError> = std::result::Result<T, E>;

/// The names of all services, sorted.
pub(super) async fn service_names(context: &Context) -> Result<Vec<String>> {
    let store = Arc::clone(&context.traces);
    let names = context.pool.run(move || store.services(TimeRange::ALL)).await??;
    let shown: BTreeSet<String> = names
        .into_iter()
        .map(|name| if name.is_empty() { MISSING_SERVICE.to_owned() } else { name })
        .collect();
    Ok(shown.into_iter().collect())
}

/// The operations of a service with their kinds, of one kind if it is given.
pub(super) async fn service_operations(
    context: &Context,
    service: &str,
    kind: &str,
) -> Result<Vec<(String, SpanKind)>> {
    if service.is_empty() {
        return Ok(Vec::new());
    }
    let store = Arc::clone(&context.traces);
    let service = search::stored_service(service).to_owned();
    let operations = context.pool.run(move || store.operations(&service, TimeRange::ALL)).await??;
    Ok(operations
        .into_iter()
        .filter(|(_, of)| kind.is_empty() || kind == show_kind(*of))
        .map(|(name, kind)| (if name.is_empty() { EMPTY_SPAN.to_owned() } else { name }, kind))
        .collect())
}

/// Kinds by their words; none for an unspecified one.
pub(super) fn show_kind(kind: SpanKind) -> &'static str {
    if kind == SpanKind::Unspecified { "" } else { kind.as_str() }
}

/// `/api/services`.
pub(super) async fn services(State(context): State<Context>, uri: Uri) -> Result<Response> {
    let names = service_names(&context).await?;
    let count = names.len();
    Ok(json_response(&Structured::counted(Some(names), count), params::is_pretty(&Query::of(&uri))))
}

/// `/api/services/{service}/operations`.
pub(super) async fn operation_names(
    State(context): State<Context>,
    Path(service): Path<String>,
    uri: Uri,
) -> Result<Response> {
    // Decoded twice, for clients that encode twice.
    let service = go::unescape_path(&service).unwrap_or(service);
    let operations = service_operations(&context, &service, "").await?;
    let names: BTreeSet<String> = operations.into_iter().map(|(name, _)| name).collect();
    let count = names.len();
    // No names are null here, unlike everywhere else.
    let names = (count != 0).then_some(names);
    Ok(json_response(&Structured::counted(names, count), params::is_pretty(&Query::of(&uri))))
}

/// `/api/operations`.
pub(super) async fn operations(State(context): State<Context>, uri: Uri) -> Result<Response> {
    let query = Query::of(&uri);
    let Some(service) = query.given("service") else {
        return Err(JaegerError::BadRequest("parameter 'service' is required".to_owned()));
    };
    let operations: Vec<UiOperation> = service_operations(&context, service, query.get("spanKind"))
        .await?
        .into_iter()
        .map(|(name, kind)| UiOperation { name, span_kind: show_kind(kind) })
        .collect();
    let count = operations.len();
    Ok(json_response(&Structured::counted(Some(operations), count), params::is_pretty(&query)))
}

/// `/api/traces`.
pub(super) async fn search(State(context): State<Context>, uri: Uri) -> Result<Response> {
    let query = Query::of(&uri);
    let pretty = params::is_pretty(&query);
    let request = TracesRequest::parse(&query, context.clock.now_ns())?;
    let store = Arc::clone(&context.traces);
    context.pool.run(move || answer(&store, &request, pretty)).await?
}

fn answer(store: &TraceStore, request: &TracesRequest, pretty: bool) -> Result<Response> {
    match request {
        TracesRequest::Search(query) => {
            let found = search::find(store, query)?;
            Ok(traces_response(&found, Vec::new(), pretty))
        }
        TracesRequest::Ids(ids, raw) => {
            let mut distinct: Vec<TraceId> = Vec::new();
            for id in ids {
                if !distinct.contains(id) {
                    distinct.push(*id);
                }
            }
            let found = search::get(store, distinct.iter().copied(), *raw)?;
            let missing = distinct
                .into_iter()
                .filter(|id| !found.traces.iter().any(|trace| trace.spans().any(|span| span.trace_id == *id)))
                .map(|id| StructuredError {
                    code: None,
                    msg: "trace not found".to_owned(),
                    trace_id: Some(show_trace_id(id)),
                })
                .collect();
            Ok(traces_response(&found, missing, pretty))
        }
    }
}

fn traces_response(found: &Found, mut errors: Vec<StructuredError>, pretty: bool) -> Response {
    errors.extend(found.cut_message().map(|msg| StructuredError { code: None, msg, trace_id: None }));
    let mut body = Structured::new(found.traces.iter().map(to_ui).collect::<Vec<_>>());
    body.errors = (!errors.is_empty()).then_some(errors);
    json_response(&body, pretty)
}

/// `/api/traces/{id}`.
pub(super) async fn trace(
    State(context): State<Context>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response> {
    let query = Query::of(&uri);
    let pretty = params::is_pretty(&query);
    let (id, raw) = params::get_trace(&id, &query)?;
    let store = Arc::clone(&context.traces);
    let answer = move || {
        let found = search::get(&store, [id], raw)?;
        if found.traces.is_empty() {
            return Err(JaegerError::TraceNotFound);
        }
        Ok(traces_response(&found, Vec::new(), pretty))
    };
    context.pool.run(answer).await?
}

/// `/api/archive/{id}`: there is no archive, as there is none in a Jaeger that is not given one.
pub(super) async fn archive(Path(id): Path<String>, uri: Uri) -> JaegerError {
    match params::get_trace(&id, &Query::of(&uri)) {
        Ok(_) => JaegerError::Internal("archive span storage was not configured"),
        Err(error) => error,
    }
}

/// `/api/transform`: OTLP/JSON in, the UI's model out. Nothing is stored or adjusted.
pub(super) async fn transform(
    State(context): State<Context>,
    uri: Uri,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response> {
    let body = body.map_err(|error| JaegerError::BadRequest(error.body_text()))?;
    let pretty = params::is_pretty(&Query::of(&uri));
    context.pool.run(move || transformed(&body, pretty)).await?
}

fn transformed(body: &[u8], pretty: bool) -> Result<Response> {
    let refuse = |error: otlp::Error| JaegerError::BadRequest(format!("cannot unmarshal OTLP : {error}"));
    let request = json::to_protobuf(json::Request::Traces, json::Dialect::ProtoJson, body).map_err(refuse)?;
    let (batch, _) = otlp::traces::decode(&request, &otlp::traces::Limits::default()).map_err(refuse)?;
    // Traces in the order of their first spans.
    let mut traces: Vec<(TraceId, Vec<model::Span>)> = Vec::new();
    for span in batch.to_spans() {
        match traces.iter_mut().find(|(id, _)| *id == span.trace_id) {
            Some((_, spans)) => spans.push(span),
            None => traces.push((span.trace_id, vec![span])),
        }
    }
    let found =
        Found { traces: traces.into_iter().map(|(_, spans)| Trace::new(spans)).collect(), is_cut: false };
    Ok(traces_response(&found, Vec::new(), pretty))
}
