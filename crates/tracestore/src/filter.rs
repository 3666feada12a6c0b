//! What a span filter means, said once over the model. The head and the blocks have faster ways to the same answer; the
//! tests hold them to this one.

use model::{KeyValue, Span, TimeRange, Value};

use crate::search::{SpanFilter, Tag, TagMatch};
use crate::segment::Bounds;

/// Which spans a scan looks at, by their times.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Region {
    /// Their start lies in here,
    pub(crate) starts: TimeRange,
    /// and they have a nanosecond in common with this.
    pub(crate) overlaps: TimeRange,
}

impl Region {
    pub(crate) fn starting_in(starts: TimeRange) -> Self {
        Self { starts, overlaps: TimeRange::ALL }
    }

    pub(crate) fn has(&self, start_ns: u64, end_ns: u64) -> bool {
        self.starts.contains(start_ns) && self.overlaps.overlaps(start_ns, end_ns.max(start_ns))
    }

    /// Whether spans within some bounds can lie in the region.
    pub(crate) fn may_have(&self, bounds: &Bounds) -> bool {
        self.starts.overlaps(bounds.min_start_ns, bounds.max_start_ns)
            && self.overlaps.overlaps(bounds.min_start_ns, bounds.max_end_ns)
    }
}

impl SpanFilter {
    /// Whether a span satisfies every condition.
    pub fn matches(&self, span: &Span) -> bool {
        self.matches_duration(span.duration_ns())
            && self.kind.is_none_or(|kind| kind == span.kind)
            && self.status.is_none_or(|status| status == span.status_code)
            && self.matches_name(&span.name)
            && is(self.service.as_ref(), span.resource.service_name())
            && self.matches_scope(&span.scope.name, &span.scope.version)
            && self.tags.iter().all(|tag| tag.matches(span))
    }

    /// Whether nothing is asked: every span satisfies it.
    pub fn is_empty(&self) -> bool {
        self.specificity() == 0
    }

    /// How much is asked, to begin with the filter that most likely leaves the fewest traces.
    pub(crate) fn specificity(&self) -> usize {
        self.tags.iter().map(|tag| if tag.scopes.span { 8 } else { 3 }).sum::<usize>()
            + usize::from(self.name.is_some()) * 8
            + usize::from(self.name_contains.is_some()) * 4
            + usize::from(self.status.is_some()) * 4
            + usize::from(self.min_duration_ns.is_some()) * 2
            + usize::from(self.service.is_some()) * 3
            + usize::from(self.scope_name.is_some())
            + usize::from(self.scope_version.is_some())
            + usize::from(self.kind.is_some())
            + usize::from(self.max_duration_ns.is_some())
    }

    pub(crate) fn matches_duration(&self, duration_ns: u64) -> bool {
        self.min_duration_ns.is_none_or(|least| duration_ns >= least)
            && self.max_duration_ns.is_none_or(|most| duration_ns <= most)
    }

    pub(crate) fn matches_name(&self, name: &str) -> bool {
        is(self.name.as_ref(), name)
            && self.name_contains.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }

    pub(crate) fn matches_scope(&self, name: &str, version: &str) -> bool {
        is(self.scope_name.as_ref(), name) && is(self.scope_version.as_ref(), version)
    }
}

fn is(wanted: Option<&String>, text: &str) -> bool {
    wanted.is_none_or(|wanted| wanted == text)
}

impl Tag {
    fn matches(&self, span: &Span) -> bool {
        let any = |attributes: &[KeyValue]| self.matches_any(attributes);
        (self.scopes.span && any(&span.attributes))
            || (self.scopes.resource && any(&span.resource.attributes))
            || (self.scopes.instrumentation && any(&span.scope.attributes))
            || (self.scopes.event && span.events.iter().any(|event| any(&event.attributes)))
            || (self.scopes.link && span.links.iter().any(|link| any(&link.attributes)))
    }

    /// Whether one of some attributes is the one asked for.
    pub(crate) fn matches_any(&self, attributes: &[KeyValue]) -> bool {
        attributes.iter().any(|(key, value)| *key == self.key && self.matches_value(value))
    }

    /// Whether a value of the key is the one asked for.
    pub(crate) fn matches_value(&self, value: &Value) -> bool {
        match self.matching {
            TagMatch::Equal => otlp::value::text_is(value, &self.value),
            TagMatch::Contains => value.as_str().is_some_and(|text| text.contains(self.value.as_str())),
        }
    }
}
