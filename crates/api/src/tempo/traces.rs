//! One trace by its identifier.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, Uri};
use model::{Span, SpanId, SpanKind, TimeRange, TraceId};
use prost::Message;
use serde::Serialize;
use tracestore::TraceStore;

use super::messages::{TraceByIdMetrics, TraceByIdResponse};
use super::{Format, TempoError, json, params, typed};
use crate::Context;
use crate::go::Query;
use crate::otlp_json::{Dialect, JsonList, ResourceSpans, group};

/// `/api/traces/{id}`: the trace alone; 404 without a body where there is none.
pub(super) async fn by_id_v1(
    State(context): State<Context>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, TempoError> {
    let id = parse(&id, &uri)?;
    let format = Format::accepted(&headers);
    let store = Arc::clone(&context.traces);
    let answer = move || {
        let spans = find(&store, id)?;
        if spans.is_empty() {
            return Err(TempoError::TraceNotFound);
        }
        Ok(match format {
            Format::Protobuf => typed("application/protobuf", otlp::traces::encode(&spans).encode_to_vec()),
            Format::Json => {
                let groups = group(&spans);
                // The field had this name in Tempo's first versions, and this endpoint has kept it.
                json(&Batches { batches: JsonList(&groups, Dialect::Protobuf) })
            }
        })
    };
    context.pool.run(answer).await?
}

/// `/api/v2/traces/{id}`: the trace and what it took to find it; an empty one where there is none.
pub(super) async fn by_id_v2(
    State(context): State<Context>,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, TempoError> {
    let id = parse(&id, &uri)?;
    let format = Format::accepted(&headers);
    let store = Arc::clone(&context.traces);
    let answer = move || {
        let spans = find(&store, id)?;
        let metrics = TraceByIdMetrics::default();
        Ok(match format {
            Format::Protobuf => {
                let trace = Some(otlp::traces::encode(&spans));
                let answer = TraceByIdResponse { trace, metrics: Some(metrics) };
                typed("application/protobuf", answer.encode_to_vec())
            }
            Format::Json => {
                let groups = group(&spans);
                let resource_spans = (!groups.is_empty()).then_some(JsonList(&groups[..], Dialect::Protobuf));
                json(&Answer { trace: Trace { resource_spans }, metrics })
            }
        })
    };
    context.pool.run(answer).await?
}

fn parse(id: &str, uri: &Uri) -> Result<TraceId, TempoError> {
    let id = params::trace_id(id)?;
    params::check_trace_by_id(&Query::of(uri))?;
    Ok(id)
}

fn find(store: &TraceStore, id: TraceId) -> Result<Vec<Span>, TempoError> {
    let mut spans = store.trace(id, TimeRange::ALL)?;
    separate_shared_ids(&mut spans);
    Ok(spans)
}

#[derive(Serialize)]
struct Batches<'a> {
    batches: JsonList<'a, ResourceSpans<'a>>,
}

#[derive(Serialize)]
struct Answer<'a> {
    trace: Trace<'a>,
    metrics: TraceByIdMetrics,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trace<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_spans: Option<JsonList<'a, ResourceSpans<'a>>>,
}

/// Zipkin's clients give the client's and the server's span of a call the same identifier. As Tempo does, such a server
/// span gets a new one and becomes the child of the client's; what was its child follows it.
fn separate_shared_ids(spans: &mut [Span]) {
    let clients: HashSet<SpanId> =
        spans.iter().filter(|span| span.kind == SpanKind::Client).map(|span| span.span_id).collect();
    let is_shared = |span: &Span| span.kind == SpanKind::Server && clients.contains(&span.span_id);
    if !spans.iter().any(is_shared) {
        return;
    }
    let used: HashSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
    let mut fresh = (1_u64..).map(|number| SpanId(number.to_be_bytes())).filter(|id| !used.contains(id));
    let mut renamed = HashMap::new();
    for span in spans.iter_mut().filter(|span| is_shared(span)) {
        let Some(id) = fresh.next() else { return };
        renamed.insert(span.span_id, id);
        span.parent_span_id = span.span_id;
        span.span_id = id;
    }
    for span in spans {
        if let Some(id) = renamed.get(&span.parent_span_id)
            && span.span_id != *id
        {
            span.parent_span_id = *id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_span_does_not_share_its_clients_identifier() {
        let span = |id: u8, parent: u8, kind| Span {
            span_id: SpanId([id; 8]),
            parent_span_id: SpanId([parent; 8]),
            kind,
            ..Span::default()
        };
        let mut spans =
            vec![span(7, 0, SpanKind::Client), span(7, 0, SpanKind::Server), span(8, 7, SpanKind::Internal)];
        separate_shared_ids(&mut spans);
        let fresh = SpanId(1_u64.to_be_bytes());
        assert_eq!(spans[0].span_id, SpanId([7; 8]));
        assert_eq!((spans[1].span_id, spans[1].parent_span_id), (fresh, SpanId([7; 8])));
        assert_eq!(spans[2].parent_span_id, fresh);
    }
}
