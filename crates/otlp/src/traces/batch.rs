//! The arrays that a request is decoded into.

use std::borrow::Cow;
use std::ops::Range;

use model::{Event, Link, Resource, Scope, Span, SpanId, SpanKind, StatusCode, TraceId};

use super::raw::{AttributeRef, attributes_of};
use super::wire::{BYTES, Reader, VARINT};

/// The spans of a request, borrowed from its bytes.
#[derive(Debug, Default)]
pub struct Batch<'a> {
    pub(crate) request: &'a [u8],
    pub(crate) resources: Vec<ResourceRef<'a>>,
    pub(crate) scopes: Vec<ScopeRef<'a>>,
    pub(crate) spans: Vec<SpanRef<'a>>,
    pub(crate) attributes: Vec<AttributeRef<'a>>,
    pub(crate) events: Vec<EventRef<'a>>,
    pub(crate) links: Vec<LinkRef<'a>>,
    pub(crate) limits: super::Limits,
}

/// A resource: the bytes of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceRef<'a> {
    /// The `Resource` message. Owned only in the rare case of a resource in several pieces.
    pub raw: Cow<'a, [u8]>,
    /// `schema_url` of its `ResourceSpans`.
    pub schema_url: &'a str,
}

/// An instrumentation scope: the bytes of its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeRef<'a> {
    /// The `InstrumentationScope` message. Owned only in the rare case of a scope in several pieces.
    pub raw: Cow<'a, [u8]>,
    /// `schema_url` of its `ScopeSpans`.
    pub schema_url: &'a str,
    /// Its resource, an index into [`Batch::resources`].
    pub resource: u32,
}

/// A span. Attributes, events and links are ranges of the batch's arrays.
#[derive(Debug, Clone)]
pub struct SpanRef<'a> {
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its own identifier.
    pub span_id: SpanId,
    /// The span it was started by; zero for a root span.
    pub parent_span_id: SpanId,
    /// W3C trace state.
    pub trace_state: &'a str,
    /// W3C trace flags and OpenTelemetry's "is remote" bits.
    pub flags: u32,
    /// The operation's name.
    pub name: &'a str,
    /// Its role.
    pub kind: SpanKind,
    /// Start, in nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// End, in nanoseconds since the Unix epoch.
    pub end_ns: u64,
    /// Its attributes, a range of [`Batch::attributes`].
    pub attributes: Range<u32>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Its events, a range of [`Batch::events`].
    pub events: Range<u32>,
    /// How many events the sender dropped.
    pub dropped_events_count: u32,
    /// Its links, a range of [`Batch::links`].
    pub links: Range<u32>,
    /// How many links the sender dropped.
    pub dropped_links_count: u32,
    /// Outcome.
    pub status_code: StatusCode,
    /// Outcome in words.
    pub status_message: &'a str,
    /// Its scope, an index into [`Batch::scopes`].
    pub scope: u32,
}

/// An event of a span.
#[derive(Debug, Clone)]
pub struct EventRef<'a> {
    /// When, in nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// Its name.
    pub name: &'a str,
    /// Its attributes, a range of [`Batch::attributes`].
    pub attributes: Range<u32>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

/// A link of a span.
#[derive(Debug, Clone)]
pub struct LinkRef<'a> {
    /// The other span's trace.
    pub trace_id: TraceId,
    /// The other span.
    pub span_id: SpanId,
    /// W3C trace state of the other span.
    pub trace_state: &'a str,
    /// Its attributes, a range of [`Batch::attributes`].
    pub attributes: Range<u32>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// W3C trace flags.
    pub flags: u32,
}

impl<'a> Batch<'a> {
    /// How many spans were taken.
    pub fn span_count(&self) -> usize {
        self.spans.len()
    }

    /// The bytes that it was decoded from.
    pub fn request(&self) -> &'a [u8] {
        self.request
    }

    /// The limits that it was decoded with.
    pub fn limits(&self) -> &super::Limits {
        &self.limits
    }

    /// The resources, in the order of the request.
    pub fn resources(&self) -> &[ResourceRef<'a>] {
        &self.resources
    }

    /// The scopes, in the order of the request.
    pub fn scopes(&self) -> &[ScopeRef<'a>] {
        &self.scopes
    }

    /// The spans, in the order of the request.
    pub fn spans(&self) -> &[SpanRef<'a>] {
        &self.spans
    }

    /// Attributes of spans, events and links.
    #[inline]
    pub fn attributes(&self, range: &Range<u32>) -> &[AttributeRef<'a>] {
        &self.attributes[range.start as usize..range.end as usize]
    }

    /// Events of spans.
    #[inline]
    pub fn events(&self, range: &Range<u32>) -> &[EventRef<'a>] {
        &self.events[range.start as usize..range.end as usize]
    }

    /// Links of spans.
    #[inline]
    pub fn links(&self, range: &Range<u32>) -> &[LinkRef<'a>] {
        &self.links[range.start as usize..range.end as usize]
    }

    /// The spans as the model has them: owned, resources and scopes shared.
    pub fn to_spans(&self) -> Vec<Span> {
        let resources: Vec<_> =
            self.resources.iter().map(|resource| std::sync::Arc::new(resource.to_model())).collect();
        let scopes: Vec<_> = self.scopes.iter().map(|scope| std::sync::Arc::new(scope.to_model())).collect();
        let owned = |range: &Range<u32>| self.attributes(range).iter().map(|raw| raw.key_value()).collect();
        self.spans
            .iter()
            .map(|span| Span {
                trace_id: span.trace_id,
                span_id: span.span_id,
                parent_span_id: span.parent_span_id,
                trace_state: span.trace_state.to_owned(),
                flags: span.flags,
                name: span.name.to_owned(),
                kind: span.kind,
                start_ns: span.start_ns,
                end_ns: span.end_ns,
                attributes: owned(&span.attributes),
                dropped_attributes_count: span.dropped_attributes_count,
                events: self
                    .events(&span.events)
                    .iter()
                    .map(|event| Event {
                        time_ns: event.time_ns,
                        name: event.name.to_owned(),
                        attributes: owned(&event.attributes),
                        dropped_attributes_count: event.dropped_attributes_count,
                    })
                    .collect(),
                dropped_events_count: span.dropped_events_count,
                links: self
                    .links(&span.links)
                    .iter()
                    .map(|link| Link {
                        trace_id: link.trace_id,
                        span_id: link.span_id,
                        trace_state: link.trace_state.to_owned(),
                        attributes: owned(&link.attributes),
                        dropped_attributes_count: link.dropped_attributes_count,
                        flags: link.flags,
                    })
                    .collect(),
                dropped_links_count: span.dropped_links_count,
                status_code: span.status_code,
                status_message: span.status_message.to_owned(),
                resource: resources[self.scopes[span.scope as usize].resource as usize].clone(),
                scope: scopes[span.scope as usize].clone(),
            })
            .collect()
    }
}

impl ResourceRef<'_> {
    /// The resource as the model has it.
    pub fn to_model(&self) -> Resource {
        Resource {
            attributes: attributes_of(&self.raw, 1),
            dropped_attributes_count: last_varint(&self.raw, 2),
            schema_url: self.schema_url.to_owned(),
        }
    }
}

impl ScopeRef<'_> {
    /// The scope as the model has it.
    pub fn to_model(&self) -> Scope {
        Scope {
            name: last_text(&self.raw, 1),
            version: last_text(&self.raw, 2),
            attributes: attributes_of(&self.raw, 3),
            dropped_attributes_count: last_varint(&self.raw, 4),
            schema_url: self.schema_url.to_owned(),
        }
    }
}

/// The last varint under a field number, in 32 bits; zero if there is none.
fn last_varint(raw: &[u8], field: u32) -> u32 {
    let mut value = 0;
    each_field(raw, |reader, number, wire| {
        if (number, wire) == (field, VARINT) {
            value = reader.varint()? as u32;
            return Ok(());
        }
        reader.skip(number, wire)
    });
    value
}

/// The last text under a field number; empty if there is none.
fn last_text(raw: &[u8], field: u32) -> String {
    let mut text = String::new();
    each_field(raw, |reader, number, wire| {
        if (number, wire) == (field, BYTES) {
            text = String::from_utf8_lossy(reader.bytes()?).into_owned();
            return Ok(());
        }
        reader.skip(number, wire)
    });
    text
}

fn each_field(raw: &[u8], mut visit: impl FnMut(&mut Reader<'_>, u32, u8) -> crate::Result<()>) {
    let mut reader = Reader::new(raw);
    while !reader.is_empty() {
        let Ok((number, wire)) = reader.key() else { break };
        if visit(&mut reader, number, wire).is_err() {
            break;
        }
    }
}
