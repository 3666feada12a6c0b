//! Metrics made of spans: the same spans to the Collector, with a real Prometheus behind it, and to the embedded engine.
//! Nothing but addresses is changed, so this takes a minute.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use tests::mirante::Stack;
use tests::peers::ours::root;
use tests::peers::running::Peer;
use tests::peers::{ask, pinned, trial};
use tests::sender::{Connection, Outcome, Protocol, Signal};

use crate::pipeline::{NEEDS, Ports, collector, local, program};
use crate::prometheus::{Prometheus, exemplars_of};
use crate::stores;

/// What is compared: every series that either connector makes, and what is said of the services.
const SERIES: &str =
    "{__name__=~\"traces_span_metrics_.+|traces_service_graph_.+|target_info\", job!=\"otel-collector\"}";

/// Labels of `target_info` that only say whose it is.
const NAMES: [&str; 6] =
    ["__name__", "job", "instance", "service_name", "service_namespace", "service_instance_id"];

/// Two flushes of the counters, which begin with zero, after what waits for its other half has waited for long enough.
const WITHIN: Duration = Duration::from_secs(120);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "spans: the embedded engine makes the Collector's metrics of them",
            NEEDS,
            pinned,
            same_metrics,
        ),
        trial(
            "spans: the embedded engine makes the Collector's metrics of telemetrygen's",
            &["otelcol", "prometheus", "telemetrygen"],
            pinned,
            same_of_telemetrygen,
        ),
    ]
}

fn same_metrics() -> Result<(), Failed> {
    let pair = Pair::start()?;
    let requests = requests()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for address in pair.receivers() {
        runtime.block_on(send(&address, &requests))?;
    }
    let has_virtual = |series: &str| series.contains("virtual_node");
    let count = pair.same_series(|series| series.keys().any(|series| has_virtual(series)))?;
    if count < 200 {
        return Err(format!("there are only {count} series").into());
    }
    for metric in ["traces_span_metrics_duration_seconds_bucket", "traces_span_metrics_calls_total"] {
        let [left, right] = pair.servers().map(|url| exemplars(&url, metric));
        if left.is_empty() || left != right {
            return Err(format!("exemplars of {metric}\ntheirs {left:#?}\nours {right:#?}").into());
        }
    }
    Ok(())
}

/// Its ids are random, so that the exemplars are those of other spans, and how many are kept of one moment and one value
/// as well: Prometheus goes by a hash.
fn same_of_telemetrygen() -> Result<(), Failed> {
    let pair = Pair::start()?;
    for address in pair.receivers() {
        let arguments = [
            "traces",
            "--otlp-insecure",
            "--otlp-endpoint",
            &address,
            "--traces=50",
            "--rate=0",
            "--child-spans=3",
            "--span-duration=7ms",
            "--status-code=Error",
            "--service=generated",
            "--otlp-attributes=service.namespace=\"tests\"",
            "--telemetry-attributes=http.route=\"/generated\"",
        ];
        let mut generator = Peer::start(&program("telemetrygen")?, &arguments, pair.dir.path())?;
        let (code, said) = generator.ended(Duration::from_secs(60))?;
        if code != 0 {
            return Err(said.into());
        }
    }
    pair.same_series(|series| {
        let calls = series.iter().filter(|(series, _)| series.contains("calls_total"));
        // Each trace has a span and its three children.
        calls.map(|(_, value)| value).sum::<f64>() >= 200.0
    })?;
    let [left, right] = pair.servers().map(|url| with_exemplars(&url));
    if left.is_empty() || left != right {
        return Err(format!("exemplars of\ntheirs {left:#?}\nours {right:#?}").into());
    }
    Ok(())
}

/// The Collector with a real Prometheus behind it, and the embedded engine.
struct Pair {
    collector: Peer,
    prometheus: Prometheus,
    ours: Stack,
    ports: Ports,
    /// What the Collector hands on goes nowhere near the engine that is looked at.
    _sink: Stack,
    dir: tempfile::TempDir,
}

impl Pair {
    fn start() -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        let ports = Ports::free();
        let start = Duration::from_secs(30);
        let sink = Stack::up(&dir.path().join("sink"), &["--no-demo"]);
        let file = root().join("infra/prometheus/prometheus.yml");
        let arguments = ["--no-demo", "--prometheus-config", &file.to_string_lossy()];
        let ours = Stack::up(&dir.path().join("ours"), &arguments);
        let mut prometheus = Prometheus::start(dir.path(), &ports)?;
        prometheus.process.ready(&format!("{}/-/ready", prometheus.url), start)?;
        let [tempo, jaeger, loki] = stores::embedded(&sink)?;
        let mut collector = collector(dir.path(), &ports, [&tempo, &jaeger, &loki], None)?;
        collector.ready(&local(ports.collector_health), start)?;
        Ok(Self { collector, prometheus, ours, ports, _sink: sink, dir })
    }

    /// Where both take OTLP over gRPC.
    fn receivers(&self) -> [String; 2] {
        [format!("127.0.0.1:{}", self.ports.otlp_grpc), self.ours.address("otlp-grpc")]
    }

    /// Where both are asked: theirs, ours.
    fn servers(&self) -> [String; 2] {
        [self.prometheus.url.clone(), self.ours.url("prometheus")]
    }

    /// Waits until both have the same series, and all of them; how many there are.
    fn same_series(&self, is_all: impl Fn(&BTreeMap<String, f64>) -> bool) -> Result<usize, Failed> {
        let both = || self.servers().map(|url| series(&url));
        let waiting = || {
            let [left, right] = both();
            let has_counts =
                left.iter().any(|(series, value)| series.contains("calls_total") && *value > 0.0);
            let is_same = has_counts && is_all(&left) && difference(&left, &right).is_empty();
            is_same.then_some(left.len())
        };
        let otherwise = || {
            let [left, right] = both();
            difference(&left, &right).join("\n") + &self.collector.last_words()
        };
        ask::until("the same series with the same values", WITHIN, waiting, otherwise)
    }
}

async fn send(address: &str, requests: &[Vec<u8>]) -> Result<(), Failed> {
    let mut connection = Connection::open(Protocol::Grpc, address).await?;
    for request in requests {
        let outcome = connection.export(Signal::Traces, request.clone().into()).await;
        if outcome != Outcome::Accepted {
            return Err(format!("{address}: {outcome:?}").into());
        }
    }
    Ok(())
}

/// Series by their labels, with their values.
fn series(url: &str) -> BTreeMap<String, f64> {
    ask::series(url, SERIES)
        .into_iter()
        .filter_map(|mut series| {
            // The Collector adds the host that it runs on; the embedded engine keeps what the sender said.
            let has_host = series.labels.remove("host_name").is_some();
            series.labels.remove("os_type");
            let is_name = |name: &String| NAMES.contains(&name.as_str());
            // Where nothing else is known of a service, there is no `target_info`.
            let is_empty = has_host && series.labels.keys().all(is_name);
            (!is_empty).then(|| (format!("{:?}", series.labels), series.value))
        })
        .collect()
}

fn difference(theirs: &BTreeMap<String, f64>, ours: &BTreeMap<String, f64>) -> Vec<String> {
    let is_same = |left: f64, right: f64| (left - right).abs() <= 1e-9 * left.abs().max(right.abs());
    let mut found = Vec::new();
    for (labels, value) in theirs {
        match ours.get(labels) {
            Some(own) if is_same(*value, *own) => {}
            own => found.push(format!("{labels}: theirs {value}, ours {own:?}")),
        }
    }
    let more = ours.keys().filter(|labels| !theirs.contains_key(*labels));
    found.extend(more.map(|labels| format!("{labels}: ours only")));
    found
}

/// Exemplars as labels and value, sorted; their times are those of the flush.
fn exemplars(url: &str, metric: &str) -> Vec<String> {
    let found = exemplars_of(url, metric);
    let mut found: Vec<String> =
        found.iter().map(|exemplar| format!("{} {}", exemplar["labels"], exemplar["value"])).collect();
    found.sort();
    found
}

/// The series that have exemplars.
fn with_exemplars(url: &str) -> BTreeSet<String> {
    let query = "query=traces_span_metrics_duration_seconds_bucket&start=0&end=4000000000";
    let answer = ask::json(&format!("{url}/api/v1/query_exemplars?{query}"));
    let series = answer["data"].as_array().cloned().unwrap_or_default();
    let label = |series: &serde_json::Value, name: &str| series["seriesLabels"][name].to_string();
    let of = |series| ["span_name", "span_kind", "le"].map(|name| label(series, name)).join(" ");
    series.iter().map(of).collect()
}

/// The corpora's traces, and one with what they lack.
fn requests() -> Result<Vec<Vec<u8>>, Failed> {
    let mut requests = vec![own()];
    if let Some(dir) = testkit::conformance_dir() {
        let mut files: Vec<_> = std::fs::read_dir(dir.join("tempo/otlp-traces/servicegraphs"))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .collect();
        files.sort();
        for file in files {
            let json = std::fs::read(&file)?;
            let dialect = otlp::json::Dialect::ProtoJson;
            requests.push(otlp::json::to_protobuf(otlp::json::Request::Traces, dialect, &json)?);
        }
    }
    Ok(requests)
}

fn text(key: &str, value: &str) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn number(key: &str, value: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(value)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

fn span(kind: SpanKind, name: &str, (own, parent): (u8, u8), micros: u64, attributes: Vec<KeyValue>) -> Span {
    let id = |number: u8| if number == 0 { Vec::new() } else { vec![number; 8] };
    Span {
        trace_id: vec![7; 16],
        span_id: id(own),
        parent_span_id: id(parent),
        name: name.to_owned(),
        kind: kind.into(),
        start_time_unix_nano: 1_790_000_000_000_000_000,
        end_time_unix_nano: 1_790_000_000_000_000_000 + micros * 1000,
        attributes,
        ..Span::default()
    }
}

fn of(attributes: Vec<KeyValue>, spans: Vec<Span>) -> ResourceSpans {
    ResourceSpans {
        resource: Some(Resource { attributes, ..Resource::default() }),
        scope_spans: vec![ScopeSpans { spans, ..ScopeSpans::default() }],
        ..ResourceSpans::default()
    }
}

/// A trace as the demo makes it, and odd ones: a sampled span, a resource without a name, a dimension of the resource, a
/// number and the same as text, bounds that are met exactly, more exemplars than are kept.
fn own() -> Vec<u8> {
    let service = |name: &str, instance: &str| {
        vec![
            text("service.name", name),
            text("service.namespace", "demo"),
            text("service.instance.id", instance),
            text("service.version", "1.2.3"),
            text("deployment.environment.name", "demo"),
        ]
    };
    let http = |status: KeyValue| {
        vec![text("http.request.method", "GET"), text("http.route", "/users/{id}"), status]
    };
    let failed = |mut span: Span| {
        span.status = Some(Status { code: 2, ..Status::default() });
        span
    };
    let mut sampled = span(SpanKind::Internal, "sampled", (30, 1), 1_500_000, vec![]);
    "ot=th:c".clone_into(&mut sampled.trace_state);
    let many = (40..48).map(|id| span(SpanKind::Internal, "many", (id, 1), u64::from(id) * 1000, vec![]));
    let users = [
        span(
            SpanKind::Server,
            "GET /users/{id}",
            (1, 0),
            5000,
            http(number("http.response.status_code", 200)),
        ),
        span(
            SpanKind::Server,
            "GET /users/{id}",
            (2, 0),
            5001,
            http(text("http.response.status_code", "200")),
        ),
        span(SpanKind::Client, "GET", (3, 1), 1_000_000, vec![text("server.address", "albums")]),
        span(SpanKind::Client, "SELECT", (4, 1), 700, vec![text("db.system.name", "sqlite")]),
        span(
            SpanKind::Client,
            "GET",
            (5, 1),
            12_000_000,
            vec![text("server.address", "example.org"), text("peer.service", "example")],
        ),
        failed(span(SpanKind::Producer, "send", (6, 1), 300, vec![])),
        span(SpanKind::Unspecified, "what", (8, 1), 0, vec![]),
        sampled,
    ];
    let albums = vec![
        failed(span(
            SpanKind::Server,
            "GET /albums",
            (10, 3),
            999_000,
            http(number("http.response.status_code", 500)),
        )),
        span(SpanKind::Consumer, "receive", (11, 6), 200, vec![]),
    ];
    let mut with_route = service("albums", "two");
    with_route.push(text("http.route", "of the resource"));
    let resource_spans = vec![
        of(service("users", "one"), users.into_iter().chain(many).collect()),
        of(with_route, albums),
        of(service("users", "other"), vec![span(SpanKind::Internal, "after a restart", (20, 1), 10, vec![])]),
        of(vec![text("host.name", "nameless")], vec![span(SpanKind::Server, "GET", (21, 1), 10, vec![])]),
        of(vec![number("service.name", 5)], vec![span(SpanKind::Client, "GET", (22, 1), 10, vec![])]),
    ];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}
