//! Spans back to protobuf.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Resource, Scope, Span};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource as PbResource;
use opentelemetry_proto::tonic::trace::v1 as pb;

use crate::value::to_pairs;

/// Spans as `TracesData`, in their order, grouped by resource and within it by scope, groups in order of appearance.
///
/// Spans that share the same `Arc` are grouped without comparing; equal resources behind different ones are grouped
/// too.
pub fn encode(spans: &[Span]) -> pb::TracesData {
    let mut groups: Vec<ResourceGroup<'_>> = Vec::new();
    // Where a pair of resource and scope went, by address.
    let mut known: HashMap<(*const Resource, *const Scope), (usize, usize)> = HashMap::new();
    for span in spans {
        let address = (Arc::as_ptr(&span.resource), Arc::as_ptr(&span.scope));
        let (resource_index, scope_index) = *known.entry(address).or_insert_with(|| {
            let resource_index =
                groups.iter().position(|group| *group.resource == *span.resource).unwrap_or_else(|| {
                    groups.push(ResourceGroup { resource: &span.resource, scopes: Vec::new() });
                    groups.len() - 1
                });
            let scopes = &mut groups[resource_index].scopes;
            let scope_index =
                scopes.iter().position(|(scope, _)| **scope == *span.scope).unwrap_or_else(|| {
                    scopes.push((&span.scope, Vec::new()));
                    scopes.len() - 1
                });
            (resource_index, scope_index)
        });
        groups[resource_index].scopes[scope_index].1.push(encode_span(span));
    }
    pb::TracesData { resource_spans: groups.into_iter().map(ResourceGroup::finish).collect() }
}

/// The bytes of [`encode`], which [`decode`](super::decode) reads.
pub fn encode_to_vec(spans: &[Span]) -> Vec<u8> {
    prost::Message::encode_to_vec(&encode(spans))
}

struct ResourceGroup<'a> {
    resource: &'a Resource,
    scopes: Vec<(&'a Scope, Vec<pb::Span>)>,
}

impl ResourceGroup<'_> {
    fn finish(self) -> pb::ResourceSpans {
        pb::ResourceSpans {
            resource: Some(PbResource {
                attributes: to_pairs(&self.resource.attributes),
                dropped_attributes_count: self.resource.dropped_attributes_count,
                entity_refs: Vec::new(),
            }),
            scope_spans: self
                .scopes
                .into_iter()
                .map(|(scope, spans)| pb::ScopeSpans {
                    scope: Some(InstrumentationScope {
                        name: scope.name.clone(),
                        version: scope.version.clone(),
                        attributes: to_pairs(&scope.attributes),
                        dropped_attributes_count: scope.dropped_attributes_count,
                    }),
                    spans,
                    schema_url: scope.schema_url.clone(),
                })
                .collect(),
            schema_url: self.resource.schema_url.clone(),
        }
    }
}

fn encode_span(span: &Span) -> pb::Span {
    let status = pb::Status { message: span.status_message.clone(), code: i32::from(span.status_code as u8) };
    pb::Span {
        trace_id: span.trace_id.0.to_vec(),
        span_id: span.span_id.0.to_vec(),
        trace_state: span.trace_state.clone(),
        parent_span_id: if span.parent_span_id.is_zero() {
            Vec::new()
        } else {
            span.parent_span_id.0.to_vec()
        },
        flags: span.flags,
        name: span.name.clone(),
        kind: i32::from(span.kind as u8),
        start_time_unix_nano: span.start_ns,
        end_time_unix_nano: span.end_ns,
        attributes: to_pairs(&span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events: span
            .events
            .iter()
            .map(|event| pb::span::Event {
                time_unix_nano: event.time_ns,
                name: event.name.clone(),
                attributes: to_pairs(&event.attributes),
                dropped_attributes_count: event.dropped_attributes_count,
            })
            .collect(),
        dropped_events_count: span.dropped_events_count,
        links: span
            .links
            .iter()
            .map(|link| pb::span::Link {
                trace_id: if link.trace_id.is_zero() { Vec::new() } else { link.trace_id.0.to_vec() },
                span_id: if link.span_id.is_zero() { Vec::new() } else { link.span_id.0.to_vec() },
                trace_state: link.trace_state.clone(),
                attributes: to_pairs(&link.attributes),
                dropped_attributes_count: link.dropped_attributes_count,
                flags: link.flags,
            })
            .collect(),
        dropped_links_count: span.dropped_links_count,
        // Tempo and the collector always write the status, empty if unset.
        status: Some(status),
    }
}
