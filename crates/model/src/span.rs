//! Spans as a query gives them back: owned, with the resource and the scope shared between the spans that have them.

use std::sync::Arc;

use crate::id::{SpanId, TraceId};
use crate::value::{self, KeyValue};

/// The entity that produced telemetry.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resource {
    /// Attributes in the order in which they came.
    pub attributes: Vec<KeyValue>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Where the attributes' meaning is defined; empty if not said.
    pub schema_url: String,
}

impl Resource {
    /// The `service.name`, or the empty text where there is none.
    pub fn service_name(&self) -> &str {
        value::find(&self.attributes, "service.name").and_then(|name| name.as_str()).unwrap_or_default()
    }
}

/// The instrumentation library.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scope {
    /// Its name.
    pub name: String,
    /// Its version; empty if not said.
    pub version: String,
    /// Attributes of the scope.
    pub attributes: Vec<KeyValue>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Where the attributes' meaning is defined; empty if not said.
    pub schema_url: String,
}

/// OpenTelemetry's `SpanKind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum SpanKind {
    /// Not said; to be read as internal.
    #[default]
    Unspecified = 0,
    /// An operation within an application.
    Internal = 1,
    /// The handling of a remote request.
    Server = 2,
    /// A request to a remote service.
    Client = 3,
    /// A message handed to a broker.
    Producer = 4,
    /// A message taken from a broker.
    Consumer = 5,
}

impl SpanKind {
    /// The kind of that number on the wire; an unknown number is `Unspecified`.
    pub fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Internal,
            2 => Self::Server,
            3 => Self::Client,
            4 => Self::Producer,
            5 => Self::Consumer,
            _ => Self::Unspecified,
        }
    }

    /// The lower-case word that Jaeger and TraceQL use: `server`, `client` …
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }

    /// The name in the protocol's enumeration: `SPAN_KIND_SERVER` …
    pub fn protocol_name(self) -> &'static str {
        match self {
            Self::Unspecified => "SPAN_KIND_UNSPECIFIED",
            Self::Internal => "SPAN_KIND_INTERNAL",
            Self::Server => "SPAN_KIND_SERVER",
            Self::Client => "SPAN_KIND_CLIENT",
            Self::Producer => "SPAN_KIND_PRODUCER",
            Self::Consumer => "SPAN_KIND_CONSUMER",
        }
    }
}

/// OpenTelemetry's `Status.StatusCode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum StatusCode {
    /// Neither set to ok nor to error.
    #[default]
    Unset = 0,
    /// Validated as a success by the application.
    Ok = 1,
    /// An error.
    Error = 2,
}

impl StatusCode {
    /// The code of that number on the wire; an unknown number is `Unset`.
    pub fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Ok,
            2 => Self::Error,
            _ => Self::Unset,
        }
    }

    /// The lower-case word that TraceQL uses: `unset`, `ok`, `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Ok => "ok",
            Self::Error => "error",
        }
    }

    /// The name in the protocol's enumeration: `STATUS_CODE_ERROR` …
    pub fn protocol_name(self) -> &'static str {
        match self {
            Self::Unset => "STATUS_CODE_UNSET",
            Self::Ok => "STATUS_CODE_OK",
            Self::Error => "STATUS_CODE_ERROR",
        }
    }
}

/// Something that happened during a span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event {
    /// When, in nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// Its name, `exception` for a recorded exception.
    pub name: String,
    /// Attributes in the order in which they came.
    pub attributes: Vec<KeyValue>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

/// A span of this or another trace that this span is related to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Link {
    /// The other span's trace.
    pub trace_id: TraceId,
    /// The other span.
    pub span_id: SpanId,
    /// W3C trace state of the other span.
    pub trace_state: String,
    /// Attributes in the order in which they came.
    pub attributes: Vec<KeyValue>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// W3C trace flags in the lowest eight bits.
    pub flags: u32,
}

/// One operation of a trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Span {
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its own identifier.
    pub span_id: SpanId,
    /// The span it was started by; zero for a root span.
    pub parent_span_id: SpanId,
    /// W3C trace state.
    pub trace_state: String,
    /// W3C trace flags and OpenTelemetry's "is remote" bits.
    pub flags: u32,
    /// The operation's name.
    pub name: String,
    /// Its role in the exchange.
    pub kind: SpanKind,
    /// Start, in nanoseconds since the Unix epoch.
    pub start_ns: u64,
    /// End, in nanoseconds since the Unix epoch; kept as it came, even before the start.
    pub end_ns: u64,
    /// Attributes in the order in which they came.
    pub attributes: Vec<KeyValue>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// Events in the order in which they came.
    pub events: Vec<Event>,
    /// How many events the sender dropped.
    pub dropped_events_count: u32,
    /// Links in the order in which they came.
    pub links: Vec<Link>,
    /// How many links the sender dropped.
    pub dropped_links_count: u32,
    /// Outcome.
    pub status_code: StatusCode,
    /// Outcome in words.
    pub status_message: String,
    /// Who emitted it.
    pub resource: Arc<Resource>,
    /// Through which library.
    pub scope: Arc<Scope>,
}

impl Span {
    /// End minus start in nanoseconds; zero where the end lies before the start.
    pub fn duration_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }
}
