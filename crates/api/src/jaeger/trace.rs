//! A trace as Jaeger holds it: resources, their scopes, their spans, each changeable.

use std::collections::HashMap;
use std::sync::Arc;

use model::{KeyValue, Resource, Scope, Span, Value};

use crate::otlp_json::{ResourceSpans, ScopeSpans};

/// The attribute in which Jaeger keeps what it has to say about a span.
pub(super) const WARNINGS: &str = "@jaeger@warnings";

/// The spans of one or more traces.
#[derive(Debug, Default)]
pub(super) struct Trace(pub Vec<ResourceGroup>);

/// Spans that have their resource in common.
#[derive(Debug)]
pub(super) struct ResourceGroup {
    pub resource: Resource,
    pub scopes: Vec<ScopeGroup>,
}

/// Spans that have their resource and their scope in common.
#[derive(Debug)]
pub(super) struct ScopeGroup {
    pub scope: Scope,
    pub spans: Vec<Span>,
}

impl Trace {
    /// Groups spans by resource and scope, groups and spans in order of appearance.
    pub(super) fn new(spans: Vec<Span>) -> Self {
        let mut trace = Self::default();
        let mut known: HashMap<(*const Resource, *const Scope), (usize, usize)> = HashMap::new();
        for span in spans {
            let address = (Arc::as_ptr(&span.resource), Arc::as_ptr(&span.scope));
            let (group, scope) = *known.entry(address).or_insert_with(|| trace.place(&span));
            trace.0[group].scopes[scope].spans.push(span);
        }
        trace
    }

    fn place(&mut self, span: &Span) -> (usize, usize) {
        let group = self.0.iter().position(|group| group.resource == *span.resource).unwrap_or_else(|| {
            self.0.push(ResourceGroup { resource: (*span.resource).clone(), scopes: Vec::new() });
            self.0.len() - 1
        });
        let scopes = &mut self.0[group].scopes;
        let scope = scopes.iter().position(|known| known.scope == *span.scope).unwrap_or_else(|| {
            scopes.push(ScopeGroup { scope: (*span.scope).clone(), spans: Vec::new() });
            scopes.len() - 1
        });
        (group, scope)
    }

    pub(super) fn spans(&self) -> impl Iterator<Item = &Span> {
        self.0.iter().flat_map(|group| &group.scopes).flat_map(|scope| &scope.spans)
    }

    pub(super) fn spans_mut(&mut self) -> impl Iterator<Item = &mut Span> {
        self.0.iter_mut().flat_map(|group| &mut group.scopes).flat_map(|scope| &mut scope.spans)
    }

    /// The same, borrowed, to be written as OTLP/JSON.
    pub(super) fn resource_spans(&self) -> Vec<ResourceSpans<'_>> {
        fn scope_spans(scope: &ScopeGroup) -> ScopeSpans<'_> {
            ScopeSpans { scope: &scope.scope, spans: scope.spans.iter().collect() }
        }
        self.0
            .iter()
            .map(|group| ResourceSpans {
                resource: &group.resource,
                scopes: group.scopes.iter().map(scope_spans).collect(),
            })
            .collect()
    }
}

/// Sets an attribute, in its place if it is there.
pub(super) fn put(attributes: &mut Vec<KeyValue>, key: &str, value: Value) {
    match attributes.iter_mut().find(|(name, _)| name == key) {
        Some((_, old)) => *old = value,
        None => attributes.push((key.to_owned(), value)),
    }
}

/// Says something about a span.
pub(super) fn warn(span: &mut Span, warning: String) {
    let warning = Value::String(warning);
    match span.attributes.iter_mut().find(|(name, _)| name == WARNINGS) {
        Some((_, Value::Array(warnings))) => warnings.push(warning),
        // A sender that uses the attribute for something of its own.
        Some((_, other)) => {
            let before = Value::String(otlp::value::to_text(other).into_owned());
            *other = Value::Array(vec![before, warning]);
        }
        None => span.attributes.push((WARNINGS.to_owned(), Value::Array(vec![warning]))),
    }
}

/// What was said about a span, if anything was.
pub(super) fn warnings(span: &Span) -> Option<Vec<String>> {
    match model::value::find(&span.attributes, WARNINGS)? {
        Value::Array(warnings) => Some(
            warnings
                .iter()
                .map(|warning| warning.as_str().unwrap_or_default().to_owned())
                .collect::<Vec<_>>(),
        )
        .filter(|warnings| !warnings.is_empty()),
        other => Some(vec![otlp::value::to_text(other).into_owned()]),
    }
}
