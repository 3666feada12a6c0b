//! A generator with a store and a clock of its own, and spans for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use generator::{Config, Generator};
use model::{ManualClock, MatchOp, Matcher, Value};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use promql::storage::{MsRange, PointValue, Storage};
use prost::Message;
use receiver::SpanObserver;

/// When the clock starts, in seconds.
const START: u64 = 1_800_000_000;

pub(crate) struct Bench {
    pub(crate) generator: Generator,
    pub(crate) registry: prometheus::Registry,
    store: Arc<tsdb::Tsdb>,
    clock: Arc<ManualClock>,
    now: u64,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new(config: Config) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at_ns(START * 1_000_000_000));
        let store = tsdb::Config::new(dir.path().join("wal"), dir.path().join("blocks"));
        let store = Arc::new(tsdb::Tsdb::open(store, clock.clone()).unwrap());
        let registry = prometheus::Registry::new();
        let translation = otlp::metrics::Config {
            promote_resource_attributes: vec!["service.name".to_owned()],
            keep_identifying_resource_attributes: true,
            ..otlp::metrics::Config::default()
        };
        let generator =
            Generator::new(config, translation, Arc::clone(&store), clock.clone(), &registry).unwrap();
        Self { generator, registry, store, clock, now: START, _dir: dir }
    }

    /// Lets seconds pass.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.now += seconds;
        self.clock.set_ns(self.now * 1_000_000_000);
    }

    pub(crate) fn observe(&self, resource_spans: Vec<ResourceSpans>) {
        self.observe_bytes(&ExportTraceServiceRequest { resource_spans }.encode_to_vec());
    }

    pub(crate) fn observe_bytes(&self, request: &[u8]) {
        let (batch, rejected) = otlp::traces::decode(request, &otlp::traces::Limits::default()).unwrap();
        assert_eq!(rejected.count, 0, "{}", rejected.message);
        self.generator.observe(&batch);
    }

    /// Floats of a metric at this time, by the other labels.
    pub(crate) fn floats(&self, name: &str) -> BTreeMap<String, f64> {
        let matcher = Matcher::new("__name__", MatchOp::Equal, name).unwrap();
        let now_ms = self.now as i64 * 1000;
        let found = self.store.select(&[matcher], MsRange { start_ms: now_ms, end_ms: now_ms }).unwrap();
        let one = |series: &tsdb::SelectedSeries| {
            use promql::storage::Series;
            let labels = series.labels().iter().filter(|(name, _)| *name != "__name__");
            let labels: Vec<String> = labels.map(|(name, value)| format!("{name}={value}")).collect();
            let value = series.points().last().map(|point| match point.value {
                PointValue::Float(value) => value,
                PointValue::Histogram(_) => f64::NAN,
            });
            Some((labels.join(" "), value?))
        };
        found.iter().filter_map(one).collect()
    }

    /// Exemplars of a metric, by its labels: value, trace.
    pub(crate) fn exemplars(&self, name: &str) -> Vec<(String, Vec<(f64, String)>)> {
        let matcher = Matcher::new("__name__", MatchOp::Equal, name).unwrap();
        let found = self.store.exemplars(&[vec![matcher]], MsRange::ALL);
        let one = |(labels, exemplars): (model::Labels, Vec<model::Exemplar>)| {
            let exemplars =
                exemplars.iter().map(|exemplar| (exemplar.value, exemplar.labels.get("trace_id").to_owned()));
            (labels.get("le").to_owned(), exemplars.collect())
        };
        found.into_iter().map(one).collect()
    }

    /// The value of one of the generator's own counters and gauges, summed over its labels.
    pub(crate) fn counted(&self, name: &str) -> f64 {
        let families = self.registry.gather();
        let metrics = families
            .iter()
            .filter(|family| family.name() == name)
            .flat_map(prometheus::proto::MetricFamily::get_metric);
        metrics.map(|metric| metric.get_counter().get_value() + metric.get_gauge().get_value()).sum()
    }
}

pub(crate) fn text(key: &str, value: &str) -> (String, Value) {
    (key.to_owned(), Value::String(value.to_owned()))
}

fn pairs(attributes: &[(String, Value)]) -> Vec<KeyValue> {
    otlp::value::to_pairs(attributes)
}

/// Spans of a resource.
pub(crate) fn resource(attributes: &[(String, Value)], spans: Vec<Span>) -> ResourceSpans {
    ResourceSpans {
        resource: Some(Resource { attributes: pairs(attributes), ..Resource::default() }),
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

pub(crate) fn service(name: &str, spans: Vec<Span>) -> ResourceSpans {
    resource(&[text("service.name", name)], spans)
}

pub(crate) const INTERNAL: i32 = 1;
pub(crate) const SERVER: i32 = 2;
pub(crate) const CLIENT: i32 = 3;
pub(crate) const PRODUCER: i32 = 4;
pub(crate) const CONSUMER: i32 = 5;

/// A span with a number of its own, the parent's, and a duration in milliseconds.
pub(crate) fn span(
    kind: i32,
    name: &str,
    (number, parent): (u8, u8),
    milliseconds: u64,
    attributes: &[(String, Value)],
) -> Span {
    let id = |number: u8| if number == 0 { Vec::new() } else { vec![number; 8] };
    let begin = START * 1_000_000_000;
    Span {
        trace_id: vec![0xab; 16],
        span_id: id(number),
        parent_span_id: id(parent),
        name: name.to_owned(),
        kind,
        start_time_unix_nano: begin,
        end_time_unix_nano: begin + milliseconds * 1_000_000,
        attributes: pairs(attributes),
        ..Span::default()
    }
}

pub(crate) fn failed(mut span: Span) -> Span {
    span.status = Some(Status { code: 2, ..Status::default() });
    span
}
