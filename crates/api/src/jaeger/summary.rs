//! What API v3 says of a trace in a list.

use std::collections::{BTreeMap, HashSet};

use model::{SpanId, StatusCode};
use serde::Serialize;

use super::trace::Trace;

/// `TraceSummary`. As in all of protobuf's JSON, 64-bit numbers are texts and what is zero or empty is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TraceSummary {
    trace_id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    root_service_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    root_operation_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_start_time_unix_nano: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_end_time_unix_nano: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    span_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    error_span_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    orphan_span_count: u32,
    services: Vec<ServiceSummary>,
}

/// `ServiceSummary`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceSummary {
    name: String,
    #[serde(skip_serializing_if = "is_zero")]
    span_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    error_span_count: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Sums up one whole trace.
pub(super) fn summarize(trace: &Trace) -> TraceSummary {
    let ids: HashSet<SpanId> = trace.spans().map(|span| span.span_id).collect();
    let mut services: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let (mut span_count, mut error_span_count, mut orphan_span_count) = (0, 0, 0);
    let mut root: Option<(u64, &str, &str)> = None;
    for group in &trace.0 {
        let service = group.resource.service_name();
        for span in group.scopes.iter().flat_map(|scope| &scope.spans) {
            let counts = services.entry(service).or_default();
            let error = u32::from(span.status_code == StatusCode::Error);
            *counts = (counts.0 + 1, counts.1 + error);
            span_count += 1;
            error_span_count += error;
            if span.parent_span_id.is_zero() {
                if root.is_none_or(|(start_ns, ..)| span.start_ns < start_ns) {
                    root = Some((span.start_ns, service, &span.name));
                }
            } else if !ids.contains(&span.parent_span_id) {
                orphan_span_count += 1;
            }
        }
    }
    let (_, root_service, root_name) = root.unwrap_or_default();
    let time = |ns: Option<u64>| ns.filter(|ns| *ns != 0).map(|ns| ns.to_string());
    TraceSummary {
        trace_id: trace.spans().next().map_or_else(String::new, |span| span.trace_id.to_hex()),
        root_service_name: root_service.to_owned(),
        root_operation_name: root_name.to_owned(),
        min_start_time_unix_nano: time(trace.spans().map(|span| span.start_ns).min()),
        max_end_time_unix_nano: time(trace.spans().map(|span| span.end_ns).max()),
        span_count,
        error_span_count,
        orphan_span_count,
        services: services
            .into_iter()
            .map(|(name, (span_count, error_span_count))| ServiceSummary {
                name: name.to_owned(),
                span_count,
                error_span_count,
            })
            .collect(),
    }
}
