//! Why a span is left out.

use crate::traces::Limits;

/// Why a span is left out: a word for the metric's label and a sentence for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    TraceIdLength(usize),
    TraceIdZero,
    SpanIdLength(usize),
    SpanIdZero,
    ParentIdLength(usize),
    LinkIdLength,
    Utf8,
    TooManyAttributes(usize),
    AttributeTooLarge(usize),
    AttributeTooDeep,
    TimeOutOfRange,
}

impl Problem {
    /// The word.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::TraceIdLength(_) | Self::TraceIdZero => "invalid_trace_id",
            Self::SpanIdLength(_) | Self::SpanIdZero => "invalid_span_id",
            Self::ParentIdLength(_) => "invalid_parent_span_id",
            Self::LinkIdLength => "invalid_link",
            Self::Utf8 => "invalid_utf8",
            Self::TooManyAttributes(_) => "too_many_attributes",
            Self::AttributeTooLarge(_) => "attribute_too_large",
            Self::AttributeTooDeep => "attribute_too_deep",
            Self::TimeOutOfRange => "time_out_of_range",
        }
    }

    /// The sentence.
    pub(super) fn message(self, limits: &Limits) -> String {
        match self {
            Self::TraceIdLength(bytes) => format!("trace id of {bytes} bytes, 16 are needed"),
            Self::TraceIdZero => "trace id is all zeros".to_owned(),
            Self::SpanIdLength(bytes) => format!("span id of {bytes} bytes, 8 are needed"),
            Self::SpanIdZero => "span id is all zeros".to_owned(),
            Self::ParentIdLength(bytes) => format!("parent span id of {bytes} bytes, 8 or none are needed"),
            Self::LinkIdLength => "a link's trace id or span id has a wrong length".to_owned(),
            Self::Utf8 => "a text is not valid UTF-8".to_owned(),
            Self::TooManyAttributes(count) => {
                format!("{count} attributes in one place, the limit is {}", limits.max_attributes)
            }
            Self::AttributeTooLarge(bytes) => {
                format!("an attribute of {bytes} bytes, the limit is {}", limits.max_value_bytes)
            }
            Self::AttributeTooDeep => {
                format!("an attribute nested deeper than the limit of {}", limits.max_value_depth)
            }
            Self::TimeOutOfRange => "a time beyond the year 2262".to_owned(),
        }
    }
}
