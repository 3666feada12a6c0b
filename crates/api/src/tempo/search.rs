//! Searches: by tags, and by the little of TraceQL that is answered.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, Uri};
use model::{Span, StatusCode, TimeRange, TraceId, Value, value};
use tracestore::{Search, SearchResult, SpanFilter, Tag, TagMatch, TagScopes, TraceStore, TraceSummary};

use super::messages::{
    SearchMetrics, SearchResponse, SearchSpan, ServiceStats, SpanSet, TraceSearchMetadata,
};
use super::params::SearchRequest;
use super::{Format, TempoError, respond, traceql};
use crate::Context;
use crate::go::Query;

/// Stands for the name of the root span's service while there is no root span, or it has no service.
const NO_ROOT: &str = "<root span not yet received>";

/// `/api/search`.
pub(super) async fn search(
    State(context): State<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, TempoError> {
    let request = SearchRequest::parse(&Query::of(&uri), context.clock.now_ns())?;
    if let Some(query) = &request.query
        && !traceql::selects_all(query)
    {
        return Err(TempoError::BadRequest(format!(
            "invalid TraceQL query: only {{}} is supported so far, search by tags instead: {query}"
        )));
    }
    let store = Arc::clone(&context.traces);
    let format = Format::accepted(&headers);
    context.pool.run(move || Ok(respond(format, &answer(&store, &request)?))).await?
}

/// `/api/metrics/query` and `/api/metrics/query_range`, which are TraceQL alone.
pub(super) async fn metrics() -> TempoError {
    TempoError::BadRequest("TraceQL metrics are not supported so far".to_owned())
}

fn answer(store: &TraceStore, request: &SearchRequest) -> Result<SearchResponse, TempoError> {
    let is_traceql = request.query.is_some();
    let mut found =
        if is_traceql { store.search(&traceql_search(request))? } else { by_tags(store, request)? };
    let traces = std::mem::take(&mut found.traces).iter().map(|trace| metadata(trace, is_traceql)).collect();
    let metrics = SearchMetrics {
        inspected_bytes: found.inspected_bytes,
        completed_jobs: 1,
        total_jobs: 1,
        inspected_spans: found.inspected_spans,
    };
    Ok(SearchResponse { traces, metrics: Some(metrics) })
}

/// Every trace that was under way in the range, with its spans. Durations are for searches by tags alone.
fn traceql_search(request: &SearchRequest) -> Search {
    Search { spans_per_trace: request.spans as usize, ..base(request) }
}

fn base(request: &SearchRequest) -> Search {
    Search {
        range: TimeRange::ALL,
        filter: SpanFilter::default(),
        also: Vec::new(),
        overlaps: request.range,
        root_service_contains: None,
        root_name_contains: None,
        min_trace_duration_ns: None,
        max_trace_duration_ns: None,
        limit: request.limit as usize,
        spans_per_trace: 0,
    }
}

/// The attributes that Tempo keeps in columns of their own. They match by any part of their text, on the resource…
const RESOURCE_COLUMNS: [&str; 9] = [
    "service.name",
    "cluster",
    "namespace",
    "pod",
    "container",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
];
/// … and on the span.
const SPAN_COLUMNS: [&str; 2] = ["http.method", "http.url"];

const NOWHERE: TagScopes =
    TagScopes { resource: false, instrumentation: false, span: false, event: false, link: false };
const ON_RESOURCE: TagScopes = TagScopes { resource: true, ..NOWHERE };
const ON_SPAN: TagScopes = TagScopes { span: true, ..NOWHERE };
const ON_BOTH: TagScopes = TagScopes { resource: true, span: true, ..NOWHERE };

/// What the tags of a request ask of a trace, and those that have to stand together on one resource and its spans.
fn tag_search(request: &SearchRequest) -> (Search, Vec<(String, String)>) {
    let duration_ns = |ms: u32| (ms != 0).then_some(u64::from(ms) * 1_000_000);
    let mut search = Search {
        min_trace_duration_ns: duration_ns(request.min_duration_ms),
        max_trace_duration_ns: duration_ns(request.max_duration_ms),
        ..base(request)
    };
    let mut together = Vec::new();
    for (key, text) in &request.tags {
        let tag = |scopes, matching| SpanFilter {
            tags: vec![Tag { scopes, key: key.clone(), value: text.clone(), matching }],
            ..SpanFilter::default()
        };
        let filter = match key.as_str() {
            "root.service.name" => {
                search.root_service_contains = Some(text.clone());
                continue;
            }
            "root.name" => {
                search.root_name_contains = Some(text.clone());
                continue;
            }
            "name" => SpanFilter { name_contains: Some(text.clone()), ..SpanFilter::default() },
            // A word that is no status is the one that has the number zero.
            "status.code" => SpanFilter {
                status: Some(match text.as_str() {
                    "ok" => StatusCode::Ok,
                    "error" => StatusCode::Error,
                    _ => StatusCode::Unset,
                }),
                ..SpanFilter::default()
            },
            "http.status_code" if text.parse::<i64>().is_ok() => tag(ON_SPAN, TagMatch::Equal),
            key if RESOURCE_COLUMNS.contains(&key) => tag(ON_RESOURCE, TagMatch::Contains),
            key if SPAN_COLUMNS.contains(&key) => tag(ON_SPAN, TagMatch::Contains),
            _ => {
                together.push((key.clone(), text.clone()));
                tag(ON_BOTH, TagMatch::Equal)
            }
        };
        search.also.push(filter);
    }
    (search, together)
}

fn by_tags(store: &TraceStore, request: &SearchRequest) -> Result<SearchResult, TempoError> {
    let (mut search, together) = tag_search(request);
    if together.len() < 2 {
        return Ok(store.search(&search)?);
    }
    // The store tells of each tag whether the trace has it. That they stand together is only seen in the spans, so more
    // and more candidates are looked at until there are enough.
    let wanted = search.limit;
    loop {
        let mut found = store.search(&search)?;
        let all_seen = found.traces.len() < search.limit;
        let mut kept = Vec::new();
        for trace in found.traces {
            if kept.len() == wanted {
                break;
            }
            if stand_together(&store.trace(trace.trace_id, TimeRange::ALL)?, &together) {
                kept.push(trace);
            }
        }
        if all_seen || kept.len() == wanted {
            found.traces = kept;
            return Ok(found);
        }
        search.limit = search.limit.saturating_mul(4);
    }
}

/// Whether some resource has all of the tags, on itself or on any of its spans.
fn stand_together(spans: &[Span], tags: &[(String, String)]) -> bool {
    crate::otlp_json::group(spans).iter().any(|group| {
        tags.iter().all(|(key, text)| {
            let has = |attributes: &[(String, Value)]| {
                value::find(attributes, key).is_some_and(|value| otlp::value::text_is(value, text))
            };
            has(&group.resource.attributes)
                || group.scopes.iter().flat_map(|scope| &scope.spans).any(|span| has(&span.attributes))
        })
    })
}

fn metadata(trace: &TraceSummary, is_traceql: bool) -> TraceSearchMetadata {
    let mut metadata = TraceSearchMetadata {
        trace_id: short_hex(trace.trace_id),
        root_service_name: if trace.root_service.is_empty() { NO_ROOT } else { &trace.root_service }
            .to_owned(),
        root_trace_name: trace.root_name.clone(),
        start_time_unix_nano: trace.start_ns,
        duration_ms: (trace.end_ns.saturating_sub(trace.start_ns) / 1_000_000) as u32,
        ..TraceSearchMetadata::default()
    };
    if is_traceql {
        let spans = trace
            .spans
            .iter()
            .map(|span| SearchSpan {
                span_id: span.span_id.to_hex(),
                start_time_unix_nano: span.start_ns,
                duration_nanos: span.duration_ns(),
            })
            .collect();
        let set = SpanSet { spans, matched: trace.matched as u32 };
        metadata.span_set = Some(set.clone());
        metadata.span_sets = vec![set];
        metadata.service_stats = trace
            .services
            .iter()
            .map(|(name, stats)| {
                let stats = ServiceStats { span_count: stats.spans as u32, error_count: stats.errors as u32 };
                (name.clone(), stats)
            })
            .collect();
    }
    metadata
}

/// Tempo's searches give identifiers without their leading zeros.
fn short_hex(id: TraceId) -> String {
    id.to_hex().trim_start_matches('0').to_owned()
}
