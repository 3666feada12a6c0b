//! Spans that look like a program's: about 300 bytes each, with eight attributes, eight spans to a trace. Log records
//! and data points that a test can count.
//!
//! Batches of spans are encoded once, as templates with varied attributes; each that is sent is a copy with identifiers and
//! times of its own, so that making load costs little beside taking it.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;

/// Spans of a batch.
pub const BATCH_SPANS: usize = 512;
/// Spans of a trace; all of them are in one batch.
pub const TRACE_SPANS: usize = 8;
const TEMPLATES: usize = 16;

/// Makes batches.
#[derive(Debug)]
pub struct SpanLoad {
    templates: Vec<Template>,
    seed: u64,
}

#[derive(Debug)]
struct Template {
    bytes: Vec<u8>,
    spans: Vec<SpanPlaces>,
}

/// Where a span's fixed-size fields stand in the template.
#[derive(Debug, Clone, Copy)]
struct SpanPlaces {
    trace_id: usize,
    span_id: usize,
    parent_span_id: Option<usize>,
    start: usize,
    end: usize,
}

/// A batch and how to find what is in it.
#[derive(Debug, Clone)]
pub struct Batch {
    /// An `ExportTraceServiceRequest`.
    pub bytes: Bytes,
    /// Its number.
    pub number: u64,
    /// How many spans it has.
    pub spans: usize,
}

impl SpanLoad {
    /// Loads with different seeds never share a trace. `spans` to a batch, a multiple of [`TRACE_SPANS`].
    pub fn new(seed: u64, spans: usize) -> Self {
        let mut random = Random(seed ^ 0x9e37_79b9_7f4a_7c15);
        let templates = (0..TEMPLATES).map(|_| template(&mut random, spans)).collect();
        Self { templates, seed }
    }

    /// The batch of a number, whose spans start from `now_ns` on.
    pub fn batch(&self, number: u64, now_ns: u64) -> Batch {
        let template = &self.templates[(number % TEMPLATES as u64) as usize];
        let mut bytes = template.bytes.clone();
        for (index, places) in template.spans.iter().enumerate() {
            let (trace, place) = (index / TRACE_SPANS, index % TRACE_SPANS);
            bytes[places.trace_id..places.trace_id + 16].copy_from_slice(&self.trace_id(number, trace));
            let span_id = span_id(self.seed, number, index);
            bytes[places.span_id..places.span_id + 8].copy_from_slice(&span_id);
            if let Some(at) = places.parent_span_id {
                bytes[at..at + 8].copy_from_slice(&span_id_of_root(self.seed, number, index));
            }
            let start_ns = now_ns + place as u64 * 1_000;
            bytes[places.start..places.start + 8].copy_from_slice(&start_ns.to_le_bytes());
            let end_ns = start_ns + 1_000_000 + mix(number ^ index as u64) % 50_000_000;
            bytes[places.end..places.end + 8].copy_from_slice(&end_ns.to_le_bytes());
        }
        Batch { bytes: bytes.into(), number, spans: template.spans.len() }
    }

    /// The identifier of a trace of a batch.
    pub fn trace_id(&self, batch: u64, trace: usize) -> [u8; 16] {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&mix(self.seed ^ mix(batch)).to_be_bytes());
        id[8..].copy_from_slice(&mix(batch << 16 | trace as u64).to_be_bytes());
        id
    }

    /// The identifiers of the spans of a trace of a batch.
    pub fn span_ids(&self, batch: u64, trace: usize) -> impl Iterator<Item = [u8; 8]> {
        let first = trace * TRACE_SPANS;
        let seed = self.seed;
        (first..first + TRACE_SPANS).map(move |index| span_id(seed, batch, index))
    }
}

/// Identifiers of the spans in a `TracesData` or a trace of Tempo's, in protobuf, with repetitions.
///
/// Takes everything for one that looks like that field, which now and then a time does as well: with tens of thousands
/// of traces to look through, that is what a test has time for.
pub fn span_ids_of(trace: &[u8]) -> Vec<[u8; 8]> {
    const SPAN_ID: &[u8] = &[2 << 3 | 2, 8];
    let mut found = Vec::new();
    let mut rest = trace;
    while let Some((_, behind)) = rest.split_first() {
        found.extend(rest.strip_prefix(SPAN_ID).and_then(|id| id.first_chunk::<8>()));
        rest = behind;
    }
    found
}

fn span_id(seed: u64, batch: u64, index: usize) -> [u8; 8] {
    // Never zero.
    (mix(seed ^ mix(batch << 16 | index as u64)) | 1).to_be_bytes()
}

fn span_id_of_root(seed: u64, batch: u64, index: usize) -> [u8; 8] {
    span_id(seed, batch, index - index % TRACE_SPANS)
}

fn named(key: &str, value: &str) -> KeyValue {
    let value = AnyValue { value: Some(Value::StringValue(value.to_owned())) };
    KeyValue { key: key.to_owned(), value: Some(value), ..KeyValue::default() }
}

fn resource(service: &str) -> Resource {
    Resource { attributes: vec![named("service.name", service)], ..Resource::default() }
}

/// An `ExportLogsServiceRequest` of a service, one record to a line, a nanosecond apart.
pub fn logs(service: &str, lines: impl Iterator<Item = String>, first_ns: u64) -> Bytes {
    let records = lines.enumerate().map(|(index, line)| LogRecord {
        time_unix_nano: first_ns + index as u64,
        body: Some(AnyValue { value: Some(Value::StringValue(line)) }),
        ..LogRecord::default()
    });
    let scope_logs = vec![ScopeLogs { log_records: records.collect(), ..ScopeLogs::default() }];
    let resource_logs =
        vec![ResourceLogs { resource: Some(resource(service)), scope_logs, ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec().into()
}

/// An `ExportMetricsServiceRequest` with one data point of a gauge.
pub fn gauge(service: &str, name: &str, value: i64, time_ns: u64) -> Bytes {
    let point = NumberDataPoint {
        time_unix_nano: time_ns,
        value: Some(number_data_point::Value::AsInt(value)),
        ..NumberDataPoint::default()
    };
    let data = Some(metric::Data::Gauge(Gauge { data_points: vec![point] }));
    let metrics = vec![Metric { name: name.to_owned(), data, ..Metric::default() }];
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let resource_metrics = vec![ResourceMetrics {
        resource: Some(resource(service)),
        scope_metrics,
        ..ResourceMetrics::default()
    }];
    ExportMetricsServiceRequest { resource_metrics }.encode_to_vec().into()
}

/// A well-mixed number (splitmix64's finaliser): identifiers of real programs are random.
fn mix(value: u64) -> u64 {
    let mut mixed = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(1);
        mix(self.0) % limit
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

fn template(random: &mut Random, spans: usize) -> Template {
    let service = random.of(&["checkout", "cart", "catalogue", "payment", "shipping", "frontend"]);
    let mut resource = Vec::new();
    attribute(&mut resource, 1, "service.name", Attribute::Text(service));
    attribute(&mut resource, 1, "service.namespace", Attribute::Text("shop"));
    let instance = format!("{service}-{}", random.below(4));
    attribute(&mut resource, 1, "service.instance.id", Attribute::Text(&instance));
    attribute(&mut resource, 1, "telemetry.sdk.language", Attribute::Text("rust"));

    let mut scope = Vec::new();
    text(&mut scope, 1, "tower-http");
    text(&mut scope, 2, "0.7.0");
    let mut scope_spans = Vec::new();
    nested(&mut scope_spans, 1, &scope);
    let mut places: Vec<SpanPlaces> = Vec::with_capacity(spans);
    for index in 0..spans {
        let (span, mut place) = span(random, index % TRACE_SPANS == 0);
        key(&mut scope_spans, 2, 2);
        varint(&mut scope_spans, span.len() as u64);
        place.shift(scope_spans.len());
        scope_spans.extend_from_slice(&span);
        places.push(place);
    }
    let mut resource_spans = Vec::new();
    nested(&mut resource_spans, 1, &resource);
    let before = nested(&mut resource_spans, 2, &scope_spans);
    for place in &mut places {
        place.shift(before);
    }
    let mut bytes = Vec::new();
    let before = nested(&mut bytes, 1, &resource_spans);
    for place in &mut places {
        place.shift(before);
    }
    Template { bytes, spans: places }
}

impl SpanPlaces {
    fn shift(&mut self, by: usize) {
        for place in [&mut self.trace_id, &mut self.span_id, &mut self.start, &mut self.end] {
            *place += by;
        }
        if let Some(place) = &mut self.parent_span_id {
            *place += by;
        }
    }
}

fn span(random: &mut Random, is_root: bool) -> (Vec<u8>, SpanPlaces) {
    let mut span = Vec::with_capacity(320);
    let trace_id = nested(&mut span, 1, &[0; 16]);
    let span_id = nested(&mut span, 2, &[0; 8]);
    let parent_span_id = (!is_root).then(|| nested(&mut span, 4, &[0; 8]));
    let route =
        random.of(&["/cart", "/cart/{id}", "/products", "/products/{id}", "/checkout", "/users/{id}"]);
    let method = random.of(&["GET", "GET", "GET", "POST"]);
    text(&mut span, 5, &format!("{method} {route}"));
    key(&mut span, 6, 0);
    varint(&mut span, if is_root { 2 } else { 1 });
    key(&mut span, 7, 1);
    let start = span.len();
    span.extend_from_slice(&[0; 8]);
    key(&mut span, 8, 1);
    let end = span.len();
    span.extend_from_slice(&[0; 8]);
    let status = [200, 200, 200, 200, 201, 404, 500][random.below(7) as usize];
    let path = format!("{}/{}", route.trim_end_matches("/{id}"), random.below(10_000));
    attribute(&mut span, 9, "http.request.method", Attribute::Text(method));
    attribute(&mut span, 9, "http.route", Attribute::Text(route));
    attribute(&mut span, 9, "url.path", Attribute::Text(&path));
    attribute(&mut span, 9, "http.response.status_code", Attribute::Integer(status));
    attribute(&mut span, 9, "server.address", Attribute::Text("shop.example"));
    attribute(&mut span, 9, "user.id", Attribute::Text(&format!("user-{}", random.below(5_000))));
    attribute(&mut span, 9, "thread.id", Attribute::Integer(random.below(64)));
    attribute(&mut span, 9, "code.function.name", Attribute::Text("shop::http::handle"));
    if status == 500 {
        let mut failed = Vec::new();
        key(&mut failed, 3, 0);
        varint(&mut failed, 2);
        nested(&mut span, 15, &failed);
    }
    (span, SpanPlaces { trace_id, span_id, parent_span_id, start, end })
}

#[derive(Clone, Copy)]
enum Attribute<'a> {
    Text(&'a str),
    Integer(u64),
}

fn attribute(out: &mut Vec<u8>, number: u64, name: &str, value: Attribute<'_>) {
    let mut any = Vec::new();
    match value {
        Attribute::Text(value) => text(&mut any, 1, value),
        Attribute::Integer(value) => {
            key(&mut any, 3, 0);
            varint(&mut any, value);
        }
    }
    let mut pair = Vec::new();
    text(&mut pair, 1, name);
    nested(&mut pair, 2, &any);
    nested(out, number, &pair);
}

fn key(out: &mut Vec<u8>, number: u64, wire_type: u64) {
    varint(out, number << 3 | wire_type);
}

fn varint(out: &mut Vec<u8>, value: u64) {
    prost::encoding::encode_varint(value, out);
}

fn text(out: &mut Vec<u8>, number: u64, value: &str) {
    nested(out, number, value.as_bytes());
}

/// Writes bytes with their length; gives back where they begin.
fn nested(out: &mut Vec<u8>, number: u64, bytes: &[u8]) -> usize {
    key(out, number, 2);
    varint(out, bytes.len() as u64);
    let begin = out.len();
    out.extend_from_slice(bytes);
    begin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_of_the_size_that_the_figures_speak_of() {
        let load = SpanLoad::new(7, BATCH_SPANS);
        let batch = load.batch(3, 1_000);
        let bytes = batch.bytes.len() / batch.spans;
        assert!((270..=330).contains(&bytes), "{bytes} bytes a span");
        assert_ne!(load.trace_id(3, 0), load.trace_id(3, 1));
        let at = batch.bytes.windows(16).filter(|window| *window == load.trace_id(3, 5)).count();
        assert_eq!(at, TRACE_SPANS);
        let found = span_ids_of(&batch.bytes);
        let traces = 0..BATCH_SPANS / TRACE_SPANS;
        assert!(traces.flat_map(|trace| load.span_ids(3, trace)).all(|id| found.contains(&id)));
    }
}
