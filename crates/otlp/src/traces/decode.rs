//! The walk over a request's bytes.

mod check;
mod problem;

use std::borrow::Cow;

use model::{SpanId, SpanKind, StatusCode, TraceId};

use super::Limits;
use super::batch::{Batch, EventRef, LinkRef, ResourceRef, ScopeRef, SpanRef};
use super::raw::AttributeRef;
use super::wire::{BYTES, FIXED32, FIXED64, Reader, VARINT};
use crate::{Rejected, Result};
use check::{check_attributes_message, check_key_value, check_scope};
use problem::Problem;

/// Reads an `ExportTraceServiceRequest` (or `TracesData`, which has the same layout).
///
/// Bytes that are not protobuf fail as a whole, with the byte where reading stopped. A span that is readable but not
/// acceptable (an identifier of the wrong length or all zeros, text that is not UTF-8, something over the limits) is
/// left out and counted in [`Rejected`]. The same bytes with the same limits always give the same batch.
pub fn decode<'a>(request: &'a [u8], limits: &Limits) -> Result<(Batch<'a>, Rejected)> {
    let mut decoder = Decoder {
        limits,
        rejected: Rejected::default(),
        seen: 0,
        batch: Batch { request, limits: limits.clone(), ..Batch::default() },
    };
    // A span of a common size, so that the arrays rarely grow more than once.
    let expected = request.len() / 256;
    decoder.batch.spans.reserve(expected);
    decoder.batch.attributes.reserve(expected * 8);
    let mut reader = Reader::new(request);
    while !reader.is_empty() {
        let (number, wire) = reader.key()?;
        if number == 1 {
            reader.expect(wire, BYTES)?;
            decoder.resource_spans(reader.message()?)?;
        } else {
            reader.skip(number, wire)?;
        }
    }
    Ok((decoder.batch, decoder.rejected))
}

struct Decoder<'a, 'l> {
    limits: &'l Limits,
    rejected: Rejected,
    /// Spans met so far, accepted or not.
    seen: u64,
    batch: Batch<'a>,
}

/// One message in as many pieces as it came in; protobuf merges pieces, and merging is joining the bytes.
fn join<'a>(raw: &mut Cow<'a, [u8]>, piece: &'a [u8]) {
    if raw.is_empty() {
        *raw = Cow::Borrowed(piece);
    } else if !piece.is_empty() {
        raw.to_mut().extend_from_slice(piece);
    }
}

/// The text, or the empty text with the problem noted.
#[inline]
fn text<'a>(bytes: &'a [u8], problem: &mut Option<Problem>) -> &'a str {
    std::str::from_utf8(bytes).unwrap_or_else(|_| {
        problem.get_or_insert(Problem::Utf8);
        ""
    })
}

impl<'a> Decoder<'a, '_> {
    fn resource_spans(&mut self, message: Reader<'a>) -> Result<()> {
        // The resource may stand behind its spans, so it is looked for first; lengths make stepping over cheap.
        let mut raw = Cow::Borrowed(&[][..]);
        let mut schema_url = "";
        let mut problem = None;
        let mut reader = message;
        while !reader.is_empty() {
            let (number, wire) = reader.key()?;
            match number {
                1 => {
                    reader.expect(wire, BYTES)?;
                    let piece = reader.message()?;
                    check_attributes_message(self.limits, piece, 1, &mut problem)?;
                    join(&mut raw, piece.rest());
                }
                2 => {
                    reader.expect(wire, BYTES)?;
                    reader.message()?;
                }
                3 => {
                    reader.expect(wire, BYTES)?;
                    schema_url = text(reader.bytes()?, &mut problem);
                }
                _ => reader.skip(number, wire)?,
            }
        }
        let resource = self.batch.resources.len() as u32;
        self.batch.resources.push(ResourceRef { raw, schema_url });
        let mut reader = message;
        while !reader.is_empty() {
            let (number, wire) = reader.key()?;
            if number == 2 {
                let piece = reader.message()?;
                self.scope_spans(piece, resource, problem)?;
            } else {
                reader.skip(number, wire)?;
            }
        }
        Ok(())
    }

    fn scope_spans(
        &mut self,
        message: Reader<'a>,
        resource: u32,
        mut problem: Option<Problem>,
    ) -> Result<()> {
        let mut raw = Cow::Borrowed(&[][..]);
        let mut schema_url = "";
        let mut reader = message;
        while !reader.is_empty() {
            let (number, wire) = reader.key()?;
            match number {
                1 => {
                    reader.expect(wire, BYTES)?;
                    let piece = reader.message()?;
                    check_scope(self.limits, piece, &mut problem)?;
                    join(&mut raw, piece.rest());
                }
                2 => {
                    reader.expect(wire, BYTES)?;
                    reader.message()?;
                }
                3 => {
                    reader.expect(wire, BYTES)?;
                    schema_url = text(reader.bytes()?, &mut problem);
                }
                _ => reader.skip(number, wire)?,
            }
        }
        let scope = self.batch.scopes.len() as u32;
        self.batch.scopes.push(ScopeRef { raw, schema_url, resource });
        let mut reader = message;
        while !reader.is_empty() {
            let (number, wire) = reader.key()?;
            if number == 2 {
                let piece = reader.message()?;
                self.span(piece, scope, problem)?;
            } else {
                reader.skip(number, wire)?;
            }
        }
        Ok(())
    }

    fn span(&mut self, mut reader: Reader<'a>, scope: u32, outer: Option<Problem>) -> Result<()> {
        let attributes_before = self.batch.attributes.len();
        let events_before = self.batch.events.len();
        let links_before = self.batch.links.len();
        let mut problem = outer;
        let mut span = SpanRef {
            trace_id: TraceId::ZERO,
            span_id: SpanId::ZERO,
            parent_span_id: SpanId::ZERO,
            trace_state: "",
            flags: 0,
            name: "",
            kind: SpanKind::Unspecified,
            start_ns: 0,
            end_ns: 0,
            attributes: 0..0,
            dropped_attributes_count: 0,
            events: 0..0,
            dropped_events_count: 0,
            links: 0..0,
            dropped_links_count: 0,
            status_code: StatusCode::Unset,
            status_message: "",
            scope,
        };
        let mut trace_id: &[u8] = &[];
        let mut span_id: &[u8] = &[];
        let mut parent_span_id: &[u8] = &[];
        // Events and links may stand between attributes, so what they point at is read after the span's own.
        let mut nested = 0_usize;
        let message = reader;
        while !reader.is_empty() {
            let (number, wire) = reader.key()?;
            match number {
                1 => {
                    reader.expect(wire, BYTES)?;
                    trace_id = reader.bytes()?;
                }
                2 => {
                    reader.expect(wire, BYTES)?;
                    span_id = reader.bytes()?;
                }
                3 => {
                    reader.expect(wire, BYTES)?;
                    span.trace_state = text(reader.bytes()?, &mut problem);
                }
                4 => {
                    reader.expect(wire, BYTES)?;
                    parent_span_id = reader.bytes()?;
                }
                5 => {
                    reader.expect(wire, BYTES)?;
                    span.name = text(reader.bytes()?, &mut problem);
                }
                6 => {
                    reader.expect(wire, VARINT)?;
                    span.kind = SpanKind::from_number(reader.varint()? as i32);
                }
                7 => {
                    reader.expect(wire, FIXED64)?;
                    span.start_ns = reader.fixed64()?;
                }
                8 => {
                    reader.expect(wire, FIXED64)?;
                    span.end_ns = reader.fixed64()?;
                }
                9 => {
                    reader.expect(wire, BYTES)?;
                    let attribute = reader.message()?;
                    self.attribute(attribute, &mut problem)?;
                }
                10 => {
                    reader.expect(wire, VARINT)?;
                    span.dropped_attributes_count = reader.varint()? as u32;
                }
                11 | 13 => {
                    reader.expect(wire, BYTES)?;
                    reader.message()?;
                    nested += 1;
                }
                12 => {
                    reader.expect(wire, VARINT)?;
                    span.dropped_events_count = reader.varint()? as u32;
                }
                14 => {
                    reader.expect(wire, VARINT)?;
                    span.dropped_links_count = reader.varint()? as u32;
                }
                15 => {
                    reader.expect(wire, BYTES)?;
                    status(reader.message()?, &mut span, &mut problem)?;
                }
                16 => {
                    reader.expect(wire, FIXED32)?;
                    span.flags = reader.fixed32()?;
                }
                _ => reader.skip(number, wire)?,
            }
        }
        span.attributes = self.attributes_since(attributes_before, &mut problem);
        if nested > 0 {
            let mut reader = message;
            while !reader.is_empty() {
                let (number, wire) = reader.key()?;
                match number {
                    11 => {
                        let event = reader.message()?;
                        self.event(event, &mut problem)?;
                    }
                    13 => {
                        let link = reader.message()?;
                        self.link(link, &mut problem)?;
                    }
                    _ => reader.skip(number, wire)?,
                }
            }
            span.events = events_before as u32..self.batch.events.len() as u32;
            span.links = links_before as u32..self.batch.links.len() as u32;
        }
        match TraceId::from_slice(trace_id) {
            Some(id) => span.trace_id = id,
            None => problem = problem.or(Some(Problem::TraceIdLength(trace_id.len()))),
        }
        match SpanId::from_slice(span_id) {
            Some(id) => span.span_id = id,
            None => problem = problem.or(Some(Problem::SpanIdLength(span_id.len()))),
        }
        match SpanId::from_slice(parent_span_id) {
            Some(id) => span.parent_span_id = id,
            None if parent_span_id.is_empty() => {}
            None => problem = problem.or(Some(Problem::ParentIdLength(parent_span_id.len()))),
        }
        if span.trace_id.is_zero() {
            problem = problem.or(Some(Problem::TraceIdZero));
        }
        if span.span_id.is_zero() {
            problem = problem.or(Some(Problem::SpanIdZero));
        }
        if span.start_ns > i64::MAX as u64 || span.end_ns > i64::MAX as u64 {
            problem = problem.or(Some(Problem::TimeOutOfRange));
        }
        self.seen += 1;
        match problem {
            None => self.batch.spans.push(span),
            Some(problem) => {
                self.batch.attributes.truncate(attributes_before);
                self.batch.events.truncate(events_before);
                self.batch.links.truncate(links_before);
                let (number, limits) = (self.seen, self.limits);
                self.rejected.add(problem.reason(), || format!("span {number}: {}", problem.message(limits)));
            }
        }
        Ok(())
    }

    fn attributes_since(&self, before: usize, problem: &mut Option<Problem>) -> std::ops::Range<u32> {
        let count = self.batch.attributes.len() - before;
        if count > self.limits.max_attributes {
            problem.get_or_insert(Problem::TooManyAttributes(count));
        }
        before as u32..self.batch.attributes.len() as u32
    }

    /// Checks a `KeyValue` and adds it to the batch.
    #[inline]
    fn attribute(&mut self, message: Reader<'a>, problem: &mut Option<Problem>) -> Result<()> {
        check_key_value(self.limits, message, 0, problem)?;
        self.batch.attributes.push(AttributeRef::new(message.rest()));
        Ok(())
    }

    fn event(&mut self, mut reader: Reader<'a>, problem: &mut Option<Problem>) -> Result<()> {
        let before = self.batch.attributes.len();
        let mut event = EventRef { time_ns: 0, name: "", attributes: 0..0, dropped_attributes_count: 0 };
        while !reader.is_empty() {
            let (number, wire) = reader.key()?;
            match number {
                1 => {
                    reader.expect(wire, FIXED64)?;
                    event.time_ns = reader.fixed64()?;
                }
                2 => {
                    reader.expect(wire, BYTES)?;
                    event.name = text(reader.bytes()?, problem);
                }
                3 => {
                    reader.expect(wire, BYTES)?;
                    let attribute = reader.message()?;
                    self.attribute(attribute, problem)?;
                }
                4 => {
                    reader.expect(wire, VARINT)?;
                    event.dropped_attributes_count = reader.varint()? as u32;
                }
                _ => reader.skip(number, wire)?,
            }
        }
        event.attributes = self.attributes_since(before, problem);
        self.batch.events.push(event);
        Ok(())
    }

    fn link(&mut self, mut reader: Reader<'a>, problem: &mut Option<Problem>) -> Result<()> {
        let before = self.batch.attributes.len();
        let mut link = LinkRef {
            trace_id: TraceId::ZERO,
            span_id: SpanId::ZERO,
            trace_state: "",
            attributes: 0..0,
            dropped_attributes_count: 0,
            flags: 0,
        };
        let mut trace_id: &[u8] = &[];
        let mut span_id: &[u8] = &[];
        while !reader.is_empty() {
            let (number, wire) = reader.key()?;
            match number {
                1 => {
                    reader.expect(wire, BYTES)?;
                    trace_id = reader.bytes()?;
                }
                2 => {
                    reader.expect(wire, BYTES)?;
                    span_id = reader.bytes()?;
                }
                3 => {
                    reader.expect(wire, BYTES)?;
                    link.trace_state = text(reader.bytes()?, problem);
                }
                4 => {
                    reader.expect(wire, BYTES)?;
                    let attribute = reader.message()?;
                    self.attribute(attribute, problem)?;
                }
                5 => {
                    reader.expect(wire, VARINT)?;
                    link.dropped_attributes_count = reader.varint()? as u32;
                }
                6 => {
                    reader.expect(wire, FIXED32)?;
                    link.flags = reader.fixed32()?;
                }
                _ => reader.skip(number, wire)?,
            }
        }
        match (TraceId::from_slice(trace_id), SpanId::from_slice(span_id)) {
            (Some(trace_id), Some(span_id)) => (link.trace_id, link.span_id) = (trace_id, span_id),
            (Some(id), None) if span_id.is_empty() => link.trace_id = id,
            (None, Some(id)) if trace_id.is_empty() => link.span_id = id,
            (None, None) if trace_id.is_empty() && span_id.is_empty() => {}
            _ => {
                problem.get_or_insert(Problem::LinkIdLength);
            }
        }
        link.attributes = self.attributes_since(before, problem);
        self.batch.links.push(link);
        Ok(())
    }
}

fn status<'a>(mut reader: Reader<'a>, span: &mut SpanRef<'a>, problem: &mut Option<Problem>) -> Result<()> {
    while !reader.is_empty() {
        let (number, wire) = reader.key()?;
        match number {
            2 => {
                reader.expect(wire, BYTES)?;
                span.status_message = text(reader.bytes()?, problem);
            }
            3 => {
                reader.expect(wire, VARINT)?;
                span.status_code = StatusCode::from_number(reader.varint()? as i32);
            }
            _ => reader.skip(number, wire)?,
        }
    }
    Ok(())
}
