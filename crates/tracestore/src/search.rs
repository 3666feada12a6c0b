//! What a search asks and what it gives back.

use model::{Span, SpanKind, StatusCode, TimeRange, TraceId};

/// A search over stored traces.
#[derive(Debug, Clone)]
pub struct Search {
    /// A span takes part if its start lies in here.
    pub range: TimeRange,
    /// What one and the same span has to satisfy.
    pub filter: SpanFilter,
    /// Further filters: for each of them the trace needs a span that satisfies it, not necessarily the same one.
    /// Tempo's search by tags asks this way. These spans do not count as matched.
    pub also: Vec<SpanFilter>,
    /// The trace, from its earliest start to its latest end, has to have a nanosecond in common with this range.
    pub overlaps: Option<TimeRange>,
    /// Text that the name of the root span's service has to contain.
    pub root_service_contains: Option<String>,
    /// Text that the root span's name has to contain.
    pub root_name_contains: Option<String>,
    /// Shortest duration of the whole trace, in nanoseconds.
    pub min_trace_duration_ns: Option<u64>,
    /// Longest duration of the whole trace, in nanoseconds.
    pub max_trace_duration_ns: Option<u64>,
    /// Most traces to give back, newest first.
    pub limit: usize,
    /// Most matching spans to give back with each trace.
    pub spans_per_trace: usize,
}

/// Conditions on a span; those that are `None` or empty always hold.
#[derive(Debug, Clone, Default)]
pub struct SpanFilter {
    /// `service.name` of its resource.
    pub service: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// A text that its name contains.
    pub name_contains: Option<String>,
    /// Name of its instrumentation scope.
    pub scope_name: Option<String>,
    /// Version of its instrumentation scope.
    pub scope_version: Option<String>,
    /// Its kind.
    pub kind: Option<SpanKind>,
    /// Its status.
    pub status: Option<StatusCode>,
    /// Shortest duration, in nanoseconds, inclusive.
    pub min_duration_ns: Option<u64>,
    /// Longest duration, in nanoseconds, inclusive.
    pub max_duration_ns: Option<u64>,
    /// Attributes, all of which it has to have.
    pub tags: Vec<Tag>,
}

/// One attribute that a span has to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Where to look.
    pub scopes: TagScopes,
    /// Its key.
    pub key: String,
    /// Its value as text: numbers in decimal as they print, booleans as `true` and `false`.
    pub value: String,
    /// How the attribute's value compares to it.
    pub matching: TagMatch,
}

/// How the value of an attribute compares to the one that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TagMatch {
    /// Both are the same text.
    #[default]
    Equal,
    /// The attribute is a text that contains the one asked for.
    Contains,
}

/// Something that every span, scope, event or trace has, with a text as its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Intrinsic {
    /// The span's name.
    Name,
    /// The span's status message.
    StatusMessage,
    /// The name of the root span's service.
    RootService,
    /// The root span's name.
    RootName,
    /// The name of an event.
    EventName,
    /// The instrumentation scope's name.
    ScopeName,
    /// The instrumentation scope's version.
    ScopeVersion,
}

/// Where an attribute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TagScope {
    /// On the resource.
    Resource,
    /// On the instrumentation scope.
    Instrumentation,
    /// On the span.
    Span,
    /// On one of its events.
    Event,
    /// On one of its links.
    Link,
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set: each scope is in it or not")]
pub struct TagScopes {
    /// The resource.
    pub resource: bool,
    /// The instrumentation scope.
    pub instrumentation: bool,
    /// The span.
    pub span: bool,
    /// Its events.
    pub event: bool,
    /// Its links.
    pub link: bool,
}

impl TagScopes {
    /// All of them.
    pub const ALL: Self = Self { resource: true, instrumentation: true, span: true, event: true, link: true };
}

/// What a search found.
#[derive(Debug, Clone, Default)]
pub struct SearchResult {
    /// Traces, newest first.
    pub traces: Vec<TraceSummary>,
    /// How many spans were looked at.
    pub inspected_spans: u64,
    /// How many bytes were read for it.
    pub inspected_bytes: u64,
}

/// A trace that was found.
#[derive(Debug, Clone)]
pub struct TraceSummary {
    /// Its identifier.
    pub trace_id: TraceId,
    /// Service of its root span; empty while the root has not arrived.
    pub root_service: String,
    /// Name of its root span; empty while the root has not arrived.
    pub root_name: String,
    /// Earliest start of its spans.
    pub start_ns: u64,
    /// Latest end of its spans.
    pub end_ns: u64,
    /// Spans that satisfy the filter, by start time, at most as many as asked for.
    pub spans: Vec<Span>,
    /// How many satisfy it.
    pub matched: u64,
    /// Spans and errors of each service, by service name.
    pub services: Vec<(String, ServiceStats)>,
}

/// A service's part in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceStats {
    /// Its spans.
    pub spans: u64,
    /// Those with status error.
    pub errors: u64,
}
