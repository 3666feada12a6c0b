//! The model of Jaeger's UI, which the older API answers with.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// A trace.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UiTrace<'a> {
    #[serde(rename = "traceID")]
    pub trace_id: String,
    pub spans: Vec<UiSpan<'a>>,
    /// By the identifiers that the spans have, `p1`, `p2`…
    pub processes: BTreeMap<String, UiProcess<'a>>,
    /// Always null.
    pub warnings: Option<Vec<String>>,
}

/// A span.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UiSpan<'a> {
    #[serde(rename = "traceID")]
    pub trace_id: String,
    #[serde(rename = "spanID")]
    pub span_id: String,
    pub operation_name: &'a str,
    pub references: Vec<UiReference>,
    /// In microseconds since the Unix epoch.
    pub start_time: u64,
    /// In microseconds.
    pub duration: u64,
    pub tags: Vec<UiTag<'a>>,
    pub logs: Vec<UiLog<'a>>,
    #[serde(rename = "processID")]
    pub process_id: String,
    pub warnings: Option<Vec<String>>,
}

/// How a span relates to another.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UiReference {
    pub ref_type: &'static str,
    #[serde(rename = "traceID")]
    pub trace_id: String,
    #[serde(rename = "spanID")]
    pub span_id: String,
}

/// Something that happened during a span.
#[derive(Debug, Serialize)]
pub(super) struct UiLog<'a> {
    /// In microseconds since the Unix epoch.
    pub timestamp: u64,
    pub fields: Vec<UiTag<'a>>,
}

/// Who emitted spans.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UiProcess<'a> {
    pub service_name: &'a str,
    pub tags: Vec<UiTag<'a>>,
}

/// A key with a typed value.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct UiTag<'a> {
    pub key: &'a str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub value: UiValue<'a>,
}

/// A value as JSON has it.
#[derive(Debug, PartialEq)]
pub(super) enum UiValue<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i64),
    Float(f64),
}

impl Serialize for UiValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// The largest integer up to which a browser's numbers are exact.
        const MAX_SAFE: i64 = (1 << 53) - 1;
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bool(truth) => serializer.serialize_bool(*truth),
            Self::Int(number) if (-MAX_SAFE..=MAX_SAFE).contains(number) => serializer.serialize_i64(*number),
            Self::Int(number) => serializer.collect_str(number),
            Self::Float(number) if number.is_finite() => serializer.serialize_f64(*number),
            // JSON has no such numbers. Jaeger fails the whole answer for it.
            Self::Float(number) => serializer.serialize_str(&otlp::value::double_to_text(*number)),
        }
    }
}

/// An operation of a service.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UiOperation {
    pub name: String,
    pub span_kind: &'static str,
}
