//! The messages of OTLP 1.11 as tables: JSON name, number and kind of every field.
//!
//! Fact source: the `.proto` files of opentelemetry-proto. Profiles' string table indices (`stringValueStrindex`,
//! `keyStrindex`) have no meaning in these signals and are left out.

use super::wire;

/// A message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) name: &'static str,
    pub(super) fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) kind: Kind,
    pub(super) repeated: bool,
}

/// What a field holds: how it stands in JSON and in protobuf.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    String,
    /// `bytes` that stand in hexadecimal: trace and span identifiers.
    Hex,
    /// `bytes` that stand in base 64: all others.
    Base64,
    Bool,
    /// By number; the names are those of protobuf's plain mapping.
    Enum(&'static [(&'static str, i32)]),
    Uint32,
    Sint32,
    Fixed32,
    Int64,
    Uint64,
    Fixed64,
    Sfixed64,
    Double,
    /// By a function, since messages hold themselves.
    Message(fn() -> &'static Message),
}

impl Kind {
    pub(super) fn wire_type(self) -> u32 {
        match self {
            Self::String | Self::Hex | Self::Base64 | Self::Message(_) => wire::LENGTH,
            Self::Bool | Self::Enum(_) | Self::Uint32 | Self::Sint32 | Self::Int64 | Self::Uint64 => {
                wire::VARINT
            }
            Self::Fixed64 | Self::Sfixed64 | Self::Double => wire::FIXED64,
            Self::Fixed32 => wire::FIXED32,
        }
    }

    /// Whether a list of these is written as one piece.
    pub(super) fn is_packed(self) -> bool {
        self.wire_type() != wire::LENGTH
    }

    pub(super) fn is_double(self) -> bool {
        matches!(self, Self::Double)
    }

    /// For an error message.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Hex => "a string of hexadecimal digits",
            Self::Base64 => "a string in base 64",
            Self::Bool => "true or false",
            Self::Enum(_) => "an integer, as OTLP/JSON writes enumerations",
            Self::Uint32 | Self::Sint32 | Self::Fixed32 => "a 32-bit integer",
            Self::Int64 | Self::Uint64 | Self::Fixed64 | Self::Sfixed64 => "a 64-bit integer",
            Self::Double => "a number",
            Self::Message(_) => "an object",
        }
    }
}

const fn one(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind, repeated: false }
}

const fn many(name: &'static str, number: u32, kind: Kind) -> Field {
    Field { name, number, kind, repeated: true }
}

pub(super) static TRACE_REQUEST: Message = Message {
    name: "ExportTraceServiceRequest",
    fields: &[many("resourceSpans", 1, Kind::Message(|| &RESOURCE_SPANS))],
};

pub(super) static LOGS_REQUEST: Message = Message {
    name: "ExportLogsServiceRequest",
    fields: &[many("resourceLogs", 1, Kind::Message(|| &RESOURCE_LOGS))],
};

pub(super) static METRICS_REQUEST: Message = Message {
    name: "ExportMetricsServiceRequest",
    fields: &[many("resourceMetrics", 1, Kind::Message(|| &RESOURCE_METRICS))],
};

static RESOURCE: Message = Message {
    name: "Resource",
    fields: &[
        many("attributes", 1, Kind::Message(|| &KEY_VALUE)),
        one("droppedAttributesCount", 2, Kind::Uint32),
        many("entityRefs", 3, Kind::Message(|| &ENTITY_REF)),
    ],
};

static ENTITY_REF: Message = Message {
    name: "EntityRef",
    fields: &[
        one("schemaUrl", 1, Kind::String),
        one("type", 2, Kind::String),
        many("idKeys", 3, Kind::String),
        many("descriptionKeys", 4, Kind::String),
    ],
};

static SCOPE: Message = Message {
    name: "InstrumentationScope",
    fields: &[
        one("name", 1, Kind::String),
        one("version", 2, Kind::String),
        many("attributes", 3, Kind::Message(|| &KEY_VALUE)),
        one("droppedAttributesCount", 4, Kind::Uint32),
    ],
};

static KEY_VALUE: Message = Message {
    name: "KeyValue",
    fields: &[one("key", 1, Kind::String), one("value", 2, Kind::Message(|| &ANY_VALUE))],
};

static ANY_VALUE: Message = Message {
    name: "AnyValue",
    fields: &[
        one("stringValue", 1, Kind::String),
        one("boolValue", 2, Kind::Bool),
        one("intValue", 3, Kind::Int64),
        one("doubleValue", 4, Kind::Double),
        one("arrayValue", 5, Kind::Message(|| &ARRAY_VALUE)),
        one("kvlistValue", 6, Kind::Message(|| &KEY_VALUE_LIST)),
        one("bytesValue", 7, Kind::Base64),
    ],
};

static ARRAY_VALUE: Message =
    Message { name: "ArrayValue", fields: &[many("values", 1, Kind::Message(|| &ANY_VALUE))] };

static KEY_VALUE_LIST: Message =
    Message { name: "KeyValueList", fields: &[many("values", 1, Kind::Message(|| &KEY_VALUE))] };

static RESOURCE_SPANS: Message = Message {
    name: "ResourceSpans",
    fields: &[
        one("resource", 1, Kind::Message(|| &RESOURCE)),
        many("scopeSpans", 2, Kind::Message(|| &SCOPE_SPANS)),
        one("schemaUrl", 3, Kind::String),
    ],
};

static SCOPE_SPANS: Message = Message {
    name: "ScopeSpans",
    fields: &[
        one("scope", 1, Kind::Message(|| &SCOPE)),
        many("spans", 2, Kind::Message(|| &SPAN)),
        one("schemaUrl", 3, Kind::String),
    ],
};

static SPAN: Message = Message {
    name: "Span",
    fields: &[
        one("traceId", 1, Kind::Hex),
        one("spanId", 2, Kind::Hex),
        one("traceState", 3, Kind::String),
        one("parentSpanId", 4, Kind::Hex),
        one("flags", 16, Kind::Fixed32),
        one("name", 5, Kind::String),
        one("kind", 6, Kind::Enum(SPAN_KIND)),
        one("startTimeUnixNano", 7, Kind::Fixed64),
        one("endTimeUnixNano", 8, Kind::Fixed64),
        many("attributes", 9, Kind::Message(|| &KEY_VALUE)),
        one("droppedAttributesCount", 10, Kind::Uint32),
        many("events", 11, Kind::Message(|| &EVENT)),
        one("droppedEventsCount", 12, Kind::Uint32),
        many("links", 13, Kind::Message(|| &LINK)),
        one("droppedLinksCount", 14, Kind::Uint32),
        one("status", 15, Kind::Message(|| &STATUS)),
    ],
};

static EVENT: Message = Message {
    name: "Span.Event",
    fields: &[
        one("timeUnixNano", 1, Kind::Fixed64),
        one("name", 2, Kind::String),
        many("attributes", 3, Kind::Message(|| &KEY_VALUE)),
        one("droppedAttributesCount", 4, Kind::Uint32),
    ],
};

static LINK: Message = Message {
    name: "Span.Link",
    fields: &[
        one("traceId", 1, Kind::Hex),
        one("spanId", 2, Kind::Hex),
        one("traceState", 3, Kind::String),
        many("attributes", 4, Kind::Message(|| &KEY_VALUE)),
        one("droppedAttributesCount", 5, Kind::Uint32),
        one("flags", 6, Kind::Fixed32),
    ],
};

static STATUS: Message = Message {
    name: "Status",
    fields: &[one("message", 2, Kind::String), one("code", 3, Kind::Enum(STATUS_CODE))],
};

static RESOURCE_LOGS: Message = Message {
    name: "ResourceLogs",
    fields: &[
        one("resource", 1, Kind::Message(|| &RESOURCE)),
        many("scopeLogs", 2, Kind::Message(|| &SCOPE_LOGS)),
        one("schemaUrl", 3, Kind::String),
    ],
};

static SCOPE_LOGS: Message = Message {
    name: "ScopeLogs",
    fields: &[
        one("scope", 1, Kind::Message(|| &SCOPE)),
        many("logRecords", 2, Kind::Message(|| &LOG_RECORD)),
        one("schemaUrl", 3, Kind::String),
    ],
};

static LOG_RECORD: Message = Message {
    name: "LogRecord",
    fields: &[
        one("timeUnixNano", 1, Kind::Fixed64),
        one("observedTimeUnixNano", 11, Kind::Fixed64),
        one("severityNumber", 2, Kind::Enum(SEVERITY)),
        one("severityText", 3, Kind::String),
        one("body", 5, Kind::Message(|| &ANY_VALUE)),
        many("attributes", 6, Kind::Message(|| &KEY_VALUE)),
        one("droppedAttributesCount", 7, Kind::Uint32),
        one("flags", 8, Kind::Fixed32),
        one("traceId", 9, Kind::Hex),
        one("spanId", 10, Kind::Hex),
        one("eventName", 12, Kind::String),
    ],
};

static RESOURCE_METRICS: Message = Message {
    name: "ResourceMetrics",
    fields: &[
        one("resource", 1, Kind::Message(|| &RESOURCE)),
        many("scopeMetrics", 2, Kind::Message(|| &SCOPE_METRICS)),
        one("schemaUrl", 3, Kind::String),
    ],
};

static SCOPE_METRICS: Message = Message {
    name: "ScopeMetrics",
    fields: &[
        one("scope", 1, Kind::Message(|| &SCOPE)),
        many("metrics", 2, Kind::Message(|| &METRIC)),
        one("schemaUrl", 3, Kind::String),
    ],
};

static METRIC: Message = Message {
    name: "Metric",
    fields: &[
        one("name", 1, Kind::String),
        one("description", 2, Kind::String),
        one("unit", 3, Kind::String),
        one("gauge", 5, Kind::Message(|| &GAUGE)),
        one("sum", 7, Kind::Message(|| &SUM)),
        one("histogram", 9, Kind::Message(|| &HISTOGRAM)),
        one("exponentialHistogram", 10, Kind::Message(|| &EXPONENTIAL_HISTOGRAM)),
        one("summary", 11, Kind::Message(|| &SUMMARY)),
        many("metadata", 12, Kind::Message(|| &KEY_VALUE)),
    ],
};

static GAUGE: Message =
    Message { name: "Gauge", fields: &[many("dataPoints", 1, Kind::Message(|| &NUMBER_DATA_POINT))] };

static SUM: Message = Message {
    name: "Sum",
    fields: &[
        many("dataPoints", 1, Kind::Message(|| &NUMBER_DATA_POINT)),
        one("aggregationTemporality", 2, Kind::Enum(TEMPORALITY)),
        one("isMonotonic", 3, Kind::Bool),
    ],
};

static HISTOGRAM: Message = Message {
    name: "Histogram",
    fields: &[
        many("dataPoints", 1, Kind::Message(|| &HISTOGRAM_DATA_POINT)),
        one("aggregationTemporality", 2, Kind::Enum(TEMPORALITY)),
    ],
};

static EXPONENTIAL_HISTOGRAM: Message = Message {
    name: "ExponentialHistogram",
    fields: &[
        many("dataPoints", 1, Kind::Message(|| &EXPONENTIAL_HISTOGRAM_DATA_POINT)),
        one("aggregationTemporality", 2, Kind::Enum(TEMPORALITY)),
    ],
};

static SUMMARY: Message =
    Message { name: "Summary", fields: &[many("dataPoints", 1, Kind::Message(|| &SUMMARY_DATA_POINT))] };

static NUMBER_DATA_POINT: Message = Message {
    name: "NumberDataPoint",
    fields: &[
        many("attributes", 7, Kind::Message(|| &KEY_VALUE)),
        one("startTimeUnixNano", 2, Kind::Fixed64),
        one("timeUnixNano", 3, Kind::Fixed64),
        one("asDouble", 4, Kind::Double),
        one("asInt", 6, Kind::Sfixed64),
        many("exemplars", 5, Kind::Message(|| &EXEMPLAR)),
        one("flags", 8, Kind::Uint32),
    ],
};

static HISTOGRAM_DATA_POINT: Message = Message {
    name: "HistogramDataPoint",
    fields: &[
        many("attributes", 9, Kind::Message(|| &KEY_VALUE)),
        one("startTimeUnixNano", 2, Kind::Fixed64),
        one("timeUnixNano", 3, Kind::Fixed64),
        one("count", 4, Kind::Fixed64),
        one("sum", 5, Kind::Double),
        many("bucketCounts", 6, Kind::Fixed64),
        many("explicitBounds", 7, Kind::Double),
        many("exemplars", 8, Kind::Message(|| &EXEMPLAR)),
        one("flags", 10, Kind::Uint32),
        one("min", 11, Kind::Double),
        one("max", 12, Kind::Double),
    ],
};

static EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = Message {
    name: "ExponentialHistogramDataPoint",
    fields: &[
        many("attributes", 1, Kind::Message(|| &KEY_VALUE)),
        one("startTimeUnixNano", 2, Kind::Fixed64),
        one("timeUnixNano", 3, Kind::Fixed64),
        one("count", 4, Kind::Fixed64),
        one("sum", 5, Kind::Double),
        one("scale", 6, Kind::Sint32),
        one("zeroCount", 7, Kind::Fixed64),
        one("positive", 8, Kind::Message(|| &BUCKETS)),
        one("negative", 9, Kind::Message(|| &BUCKETS)),
        one("flags", 10, Kind::Uint32),
        many("exemplars", 11, Kind::Message(|| &EXEMPLAR)),
        one("min", 12, Kind::Double),
        one("max", 13, Kind::Double),
        one("zeroThreshold", 14, Kind::Double),
    ],
};

static BUCKETS: Message = Message {
    name: "ExponentialHistogramDataPoint.Buckets",
    fields: &[one("offset", 1, Kind::Sint32), many("bucketCounts", 2, Kind::Uint64)],
};

static SUMMARY_DATA_POINT: Message = Message {
    name: "SummaryDataPoint",
    fields: &[
        many("attributes", 7, Kind::Message(|| &KEY_VALUE)),
        one("startTimeUnixNano", 2, Kind::Fixed64),
        one("timeUnixNano", 3, Kind::Fixed64),
        one("count", 4, Kind::Fixed64),
        one("sum", 5, Kind::Double),
        many("quantileValues", 6, Kind::Message(|| &VALUE_AT_QUANTILE)),
        one("flags", 8, Kind::Uint32),
    ],
};

static VALUE_AT_QUANTILE: Message = Message {
    name: "SummaryDataPoint.ValueAtQuantile",
    fields: &[one("quantile", 1, Kind::Double), one("value", 2, Kind::Double)],
};

static EXEMPLAR: Message = Message {
    name: "Exemplar",
    fields: &[
        many("filteredAttributes", 7, Kind::Message(|| &KEY_VALUE)),
        one("timeUnixNano", 2, Kind::Fixed64),
        one("asDouble", 3, Kind::Double),
        one("asInt", 6, Kind::Sfixed64),
        one("spanId", 4, Kind::Hex),
        one("traceId", 5, Kind::Hex),
    ],
};

const SPAN_KIND: &[(&str, i32)] = &[
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];

const STATUS_CODE: &[(&str, i32)] =
    &[("STATUS_CODE_UNSET", 0), ("STATUS_CODE_OK", 1), ("STATUS_CODE_ERROR", 2)];

const TEMPORALITY: &[(&str, i32)] = &[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];

const SEVERITY: &[(&str, i32)] = &[
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];
