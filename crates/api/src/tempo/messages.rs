//! Tempo's answers: the messages of `tempo.proto`, which serialise to JSON by protobuf's JSON mapping as Tempo's writer
//! follows it (lists that are empty are still written, other defaults are not).

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::trace::v1::TracesData;
use serde::{Serialize, Serializer};

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// 64-bit numbers are texts in protobuf's JSON.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn as_text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// `TraceByIDResponse`, in protobuf only: its JSON is written from the spans themselves.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TraceByIdResponse {
    #[prost(message, optional, tag = "1")]
    pub trace: Option<TracesData>,
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<TraceByIdMetrics>,
}

/// `TraceByIDMetrics`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TraceByIdMetrics {
    #[prost(uint64, tag = "1")]
    #[serde(skip_serializing_if = "is_default", serialize_with = "as_text")]
    pub inspected_bytes: u64,
}

/// `SearchResponse`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(super) struct SearchResponse {
    #[prost(message, repeated, tag = "1")]
    pub traces: Vec<TraceSearchMetadata>,
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<SearchMetrics>,
}

/// `TraceSearchMetadata`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TraceSearchMetadata {
    #[prost(string, tag = "1")]
    #[serde(rename = "traceID", skip_serializing_if = "is_default")]
    pub trace_id: String,
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub root_service_name: String,
    #[prost(string, tag = "3")]
    #[serde(skip_serializing_if = "is_default")]
    pub root_trace_name: String,
    #[prost(uint64, tag = "4")]
    #[serde(skip_serializing_if = "is_default", serialize_with = "as_text")]
    pub start_time_unix_nano: u64,
    #[prost(uint32, tag = "5")]
    #[serde(skip_serializing_if = "is_default")]
    pub duration_ms: u32,
    /// The first of the span sets, for clients that know of one only.
    #[prost(message, optional, tag = "6")]
    #[serde(skip_serializing_if = "is_default")]
    pub span_set: Option<SpanSet>,
    #[prost(message, repeated, tag = "7")]
    #[serde(skip_serializing_if = "is_default")]
    pub span_sets: Vec<SpanSet>,
    #[prost(btree_map = "string, message", tag = "8")]
    #[serde(skip_serializing_if = "is_default")]
    pub service_stats: BTreeMap<String, ServiceStats>,
}

/// `ServiceStats`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceStats {
    #[prost(uint32, tag = "1")]
    #[serde(skip_serializing_if = "is_default")]
    pub span_count: u32,
    #[prost(uint32, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub error_count: u32,
}

/// `SpanSet`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(super) struct SpanSet {
    #[prost(message, repeated, tag = "1")]
    #[serde(skip_serializing_if = "is_default")]
    pub spans: Vec<SearchSpan>,
    #[prost(uint32, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub matched: u32,
}

/// `Span` of a search's answer.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchSpan {
    #[prost(string, tag = "1")]
    #[serde(rename = "spanID", skip_serializing_if = "is_default")]
    pub span_id: String,
    #[prost(uint64, tag = "3")]
    #[serde(skip_serializing_if = "is_default", serialize_with = "as_text")]
    pub start_time_unix_nano: u64,
    #[prost(uint64, tag = "4")]
    #[serde(skip_serializing_if = "is_default", serialize_with = "as_text")]
    pub duration_nanos: u64,
}

/// `SearchMetrics`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchMetrics {
    #[prost(uint64, tag = "2")]
    #[serde(skip_serializing_if = "is_default", serialize_with = "as_text")]
    pub inspected_bytes: u64,
    #[prost(uint32, tag = "4")]
    #[serde(skip_serializing_if = "is_default")]
    pub completed_jobs: u32,
    #[prost(uint32, tag = "5")]
    #[serde(skip_serializing_if = "is_default")]
    pub total_jobs: u32,
    #[prost(uint64, tag = "7")]
    #[serde(skip_serializing_if = "is_default", serialize_with = "as_text")]
    pub inspected_spans: u64,
}

/// `SearchTagsResponse`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchTagsResponse {
    #[prost(string, repeated, tag = "1")]
    pub tag_names: Vec<String>,
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// `SearchTagsV2Response`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(super) struct SearchTagsV2Response {
    #[prost(message, repeated, tag = "1")]
    pub scopes: Vec<SearchTagsV2Scope>,
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// `SearchTagsV2Scope`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(super) struct SearchTagsV2Scope {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, repeated, tag = "2")]
    pub tags: Vec<String>,
}

/// `SearchTagValuesResponse`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchTagValuesResponse {
    #[prost(string, repeated, tag = "1")]
    pub tag_values: Vec<String>,
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// `SearchTagValuesV2Response`.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SearchTagValuesV2Response {
    #[prost(message, repeated, tag = "1")]
    pub tag_values: Vec<TagValue>,
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// `TagValue`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, prost::Message, Serialize)]
pub(super) struct TagValue {
    #[prost(string, tag = "1")]
    #[serde(rename = "type", skip_serializing_if = "is_default")]
    pub kind: String,
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub value: String,
}

/// `MetadataMetrics`. Looking at tags reads indexes only, so there is nothing to tell.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(super) struct MetadataMetrics {}
