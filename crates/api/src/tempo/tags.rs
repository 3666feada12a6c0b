//! Names and values of attributes, for completion.
//!
//! As Tempo does with queries that it cannot use for narrowing, `q` is accepted here and narrows nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, Uri};
use model::number::General;
use model::{TimeRange, Value};
use tracestore::{Intrinsic, TagScope, TagScopes, TraceStore};

use super::messages::{
    MetadataMetrics, SearchTagValuesResponse, SearchTagValuesV2Response, SearchTagsResponse,
    SearchTagsV2Response, SearchTagsV2Scope, TagValue,
};
use super::traceql::{self, Identifier};
use super::{Format, TempoError, not_found, params, respond};
use crate::Context;
use crate::go::{self, Query};

/// What TraceQL knows of every span, as Tempo lists it.
const INTRINSICS: [&str; 25] = [
    "duration",
    "event:name",
    "event:timeSinceStart",
    "instrumentation:name",
    "instrumentation:version",
    "kind",
    "link:spanID",
    "link:traceID",
    "name",
    "rootName",
    "rootServiceName",
    "span:duration",
    "span:id",
    "span:kind",
    "span:name",
    "span:parentID",
    "span:status",
    "span:statusMessage",
    "status",
    "statusMessage",
    "trace:duration",
    "trace:id",
    "trace:rootName",
    "trace:rootService",
    "traceDuration",
];

/// Most values to read for one answer.
const MAX_VALUES: usize = 100_000;
/// Most bytes of values in one answer, Tempo's `max_bytes_per_tag_values_query`.
const MAX_VALUE_BYTES: usize = 1_000_000;

/// `/api/search/tags`: names without their scopes.
pub(super) async fn names_v1(
    State(context): State<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, TempoError> {
    let query = Query::of(&uri);
    let (names, is_intrinsic) = names(&context, &query).await?;
    let mut distinct: BTreeSet<String> = names.into_iter().flat_map(|(_, names)| names).collect();
    if is_intrinsic {
        distinct.extend(INTRINSICS.map(str::to_owned));
    }
    let mut tag_names: Vec<String> = distinct.into_iter().collect();
    tag_names.truncate(limit(&query));
    let answer = SearchTagsResponse { tag_names, metrics: Some(MetadataMetrics {}) };
    Ok(respond(Format::accepted(&headers), &answer))
}

/// `/api/v2/search/tags`: names by scope.
pub(super) async fn names_v2(
    State(context): State<Context>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, TempoError> {
    let query = Query::of(&uri);
    let (names, _) = names(&context, &query).await?;
    let mut scopes = Vec::new();
    if matches!(query.get("scope"), "" | "none" | "intrinsic") {
        let tags = INTRINSICS.map(str::to_owned).to_vec();
        scopes.push(SearchTagsV2Scope { name: "intrinsic".to_owned(), tags });
    }
    for (scope, mut tags) in names {
        tags.truncate(limit(&query));
        if !tags.is_empty() {
            scopes.push(SearchTagsV2Scope { name: scope_name(scope).to_owned(), tags });
        }
    }
    let answer = SearchTagsV2Response { scopes, metrics: Some(MetadataMetrics {}) };
    Ok(respond(Format::accepted(&headers), &answer))
}

/// Names by scope as the parameters ask for them, and whether they ask for the intrinsics alone.
async fn names(context: &Context, query: &Query) -> Result<(Vec<(TagScope, Vec<String>)>, bool), TempoError> {
    let scope = match query.get("scope") {
        "" | "none" | "intrinsic" => None,
        "resource" => Some(TagScope::Resource),
        "span" => Some(TagScope::Span),
        "event" => Some(TagScope::Event),
        "link" => Some(TagScope::Link),
        "instrumentation" => Some(TagScope::Instrumentation),
        other => return Err(TempoError::BadRequest(format!("invalid scope: {other}"))),
    };
    let range = range(context, query)?;
    if query.get("scope") == "intrinsic" {
        return Ok((Vec::new(), true));
    }
    let store = Arc::clone(&context.traces);
    let names = context.pool.run(move || store.tag_names(scope, range)).await??;
    Ok((names, false))
}

/// `/api/search/tag/{name}/values`: texts.
pub(super) async fn values_v1(
    State(context): State<Context>,
    Path(rest): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, TempoError> {
    let Some(name) = tag_name(&rest)? else { return Ok(not_found().await) };
    let query = Query::of(&uri);
    let range = range(&context, &query)?;
    let limit = limit(&query);
    let store = Arc::clone(&context.traces);
    let values = context.pool.run(move || texts(&store, &name, range, limit)).await??;
    let mut bytes = 0;
    let within = values.into_iter().take(limit).take_while(|value| {
        bytes += value.len();
        bytes <= MAX_VALUE_BYTES
    });
    let answer = SearchTagValuesResponse { tag_values: within.collect(), metrics: Some(MetadataMetrics {}) };
    Ok(respond(Format::accepted(&headers), &answer))
}

fn texts(
    store: &TraceStore,
    name: &str,
    range: TimeRange,
    limit: usize,
) -> tracestore::Result<BTreeSet<String>> {
    let intrinsic = match name {
        "name" => Some(Intrinsic::Name),
        "root.name" | "rootName" => Some(Intrinsic::RootName),
        "root.service.name" | "rootServiceName" => Some(Intrinsic::RootService),
        _ => None,
    };
    if let Some(intrinsic) = intrinsic {
        return Ok(store.intrinsic_values(intrinsic, range, limit)?.into_iter().collect());
    }
    let scopes = TagScopes { span: true, resource: true, ..TagScopes::default() };
    let values = store.tag_values(scopes, name, range, limit)?;
    let mut texts: BTreeSet<String> =
        values.iter().filter_map(typed_value).map(|value| value.value).collect();
    match name {
        "status.code" => texts.extend(["unset", "ok", "error"].map(str::to_owned)),
        "error" => texts.extend(["true".to_owned()]),
        _ => {}
    }
    Ok(texts)
}

/// `/api/v2/search/tag/{identifier}/values`: values with their types.
pub(super) async fn values_v2(
    State(context): State<Context>,
    Path(rest): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, TempoError> {
    let Some(name) = tag_name(&rest)? else { return Ok(not_found().await) };
    let query = Query::of(&uri);
    let range = range(&context, &query)?;
    let identifier = traceql::identifier(&name)
        .map_err(|error| TempoError::BadRequest(format!("please provide a valid tagName: {error}")))?;
    let limit = limit(&query);
    let store = Arc::clone(&context.traces);
    let values = context.pool.run(move || typed_values(&store, &identifier, range, limit)).await??;
    let mut bytes = 0;
    let within = values.into_iter().take(limit).take_while(|value| {
        bytes += value.kind.len() + value.value.len();
        bytes <= MAX_VALUE_BYTES
    });
    let answer =
        SearchTagValuesV2Response { tag_values: within.collect(), metrics: Some(MetadataMetrics {}) };
    Ok(respond(Format::accepted(&headers), &answer))
}

fn typed_values(
    store: &TraceStore,
    identifier: &Identifier,
    range: TimeRange,
    limit: usize,
) -> tracestore::Result<BTreeSet<TagValue>> {
    let keywords = |words: &[&str]| words.iter().map(|word| tag_value("keyword", *word)).collect();
    Ok(match identifier {
        Identifier::Unlisted => BTreeSet::new(),
        Identifier::Status => keywords(&["ok", "error", "unset"]),
        Identifier::Kind => {
            keywords(&["client", "server", "producer", "consumer", "internal", "unspecified"])
        }
        Identifier::Text(intrinsic) => {
            let texts = store.intrinsic_values(*intrinsic, range, limit)?;
            texts.into_iter().map(|text| tag_value("string", text)).collect()
        }
        Identifier::Attribute(scopes, key) => {
            store.tag_values(*scopes, key, range, limit)?.iter().filter_map(typed_value).collect()
        }
    })
}

/// A value as TraceQL types it; lists and bytes have no type there.
fn typed_value(value: &Value) -> Option<TagValue> {
    match value {
        Value::String(text) => Some(tag_value("string", text.clone())),
        Value::Int(number) => Some(tag_value("int", number.to_string())),
        Value::Double(number) => {
            let mut text = General(*number).to_string();
            // So that it cannot be taken for an integer.
            if !text.contains(['e', '.']) {
                text.push_str(".0");
            }
            Some(tag_value("float", text))
        }
        Value::Bool(truth) => Some(tag_value("bool", truth.to_string())),
        Value::Empty | Value::Bytes(_) | Value::Array(_) | Value::KvList(_) => None,
    }
}

fn tag_value(kind: &str, value: impl Into<String>) -> TagValue {
    TagValue { kind: kind.to_owned(), value: value.into() }
}

/// The name before `/values`; `None` if the path does not end so.
fn tag_name(rest: &str) -> Result<Option<String>, TempoError> {
    let name = rest.strip_suffix("/values").or((rest == "values").then_some(""));
    match name {
        Some("") => Err(TempoError::BadRequest("please provide a non-empty tagName".to_owned())),
        name => Ok(name.map(str::to_owned)),
    }
}

/// A limit that is no number counts as none, and none or zero as what one answer may hold.
fn limit(query: &Query) -> usize {
    match go::parse_uint(query.get("limit"), 10, 32) {
        Ok(limit) if limit != 0 => MAX_VALUES.min(limit as usize),
        _ => MAX_VALUES,
    }
}

fn range(context: &Context, query: &Query) -> Result<TimeRange, TempoError> {
    let range = params::time_range(query, context.clock.now_ns())?.unwrap_or(TimeRange::ALL);
    if range.start_ns > range.end_ns {
        let (start, end) = (query.get("start"), query.get("end"));
        return Err(TempoError::BadRequest(format!(
            "range specified by start and end exceeds 168h0m0s. received start={start} end={end}"
        )));
    }
    Ok(range)
}

fn scope_name(scope: TagScope) -> &'static str {
    match scope {
        TagScope::Resource => "resource",
        TagScope::Instrumentation => "instrumentation",
        TagScope::Span => "span",
        TagScope::Event => "event",
        TagScope::Link => "link",
    }
}
