//! The Collector with `infra/otel-collector/config.yaml`.

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tests::http;
use tests::peers::running::run;
use tests::peers::{ask, pinned, trial};

use crate::pipeline::{NEEDS, Pipeline, WITHIN, local, program};
use crate::prometheus::exemplars_of;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("collector: takes our file as it is", &["otelcol"], pinned, takes_our_file),
        trial("collector: a trace goes to Tempo and to Jaeger", NEEDS, pinned, traces),
        trial("collector: log lines go to Loki", NEEDS, pinned, logs),
        trial("collector: metrics of spans, with exemplars", NEEDS, pinned, span_metrics),
        trial("collector: the service graph", NEEDS, pinned, service_graph),
        trial("collector: warns of nothing in our file", NEEDS, pinned, warns_of_nothing),
    ]
}

fn takes_our_file() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let file = tests::peers::ours::root().join("infra/otel-collector/config.yaml");
    let (code, said) =
        run(&program("otelcol")?, &["validate", "--config", &file.to_string_lossy()], dir.path())?;
    if code == 0 { Ok(()) } else { Err(said.into()) }
}

/// A request with a trace of its own, through users, albums and both databases; the trace's id.
pub(crate) fn request(pipeline: &Pipeline) -> Result<String, Failed> {
    let trace_id = tests::query::hex(&rand_id());
    let traceparent = format!("00-{trace_id}-00f067aa0ba902b7-01");
    let url = format!("{}/users/1/albums", pipeline.users());
    let answer = http::send("GET", &url, &[("traceparent", &traceparent)], "")?;
    if answer.status == 200 {
        Ok(trace_id)
    } else {
        Err(format!("{}: {}", answer.status, answer.body).into())
    }
}

/// Sixteen bytes that no other request has.
fn rand_id() -> [u8; 16] {
    use std::hash::{BuildHasher, RandomState};
    let half = || RandomState::new().hash_one(0).to_be_bytes();
    let mut id = [0; 16];
    id[..8].copy_from_slice(&half());
    id[8..].copy_from_slice(&half());
    id
}

fn traces() -> Result<(), Failed> {
    let pipeline = Pipeline::shared()?;
    let trace_id = request(&pipeline)?;
    let url = format!("{}/api/traces/{trace_id}", pipeline.jaeger.url);
    let services = || {
        let trace = &ask::json(&url)["data"][0];
        let names = trace["processes"].as_object()?.values();
        let names: Vec<String> =
            names.filter_map(|process| Some(process["serviceName"].as_str()?.to_owned())).collect();
        let has = |name: &str| names.iter().any(|found| found == name);
        (has("users") && has("albums")).then_some(())
    };
    ask::until("the trace holds both services", WITHIN, services, || pipeline.collector.last_words())?;
    let tempo = || {
        ask::json(&format!("{}/api/v2/traces/{trace_id}", pipeline.tempo.url))["trace"]
            .as_object()
            .map(|_| ())
    };
    ask::until("Tempo's API has the trace", WITHIN, tempo, || ask::json(&url).to_string())?;
    // One engine stands for both, so that the Collector has to say that it has sent to both.
    for exporter in ["otlp_grpc/tempo", "otlp_grpc/jaeger"] {
        let sent = || {
            let page = http::get(&format!("{}/metrics", local(pipeline.ports.collector_own))).ok()?.body;
            let line = page.lines().find(|line| {
                line.starts_with("otelcol_exporter_sent_spans")
                    && line.contains(&format!("exporter=\"{exporter}\""))
            })?;
            let sent: f64 = line.rsplit_once(' ')?.1.parse().ok()?;
            (sent > 0.0).then_some(())
        };
        ask::until(&format!("{exporter} has sent spans"), WITHIN, sent, || pipeline.collector.last_words())?;
    }
    Ok(())
}

fn logs() -> Result<(), Failed> {
    let pipeline = Pipeline::shared()?;
    let trace_id = request(&pipeline)?;
    let query = format!(
        "{{service_name=\"users\", service_namespace=\"demo\", deployment_environment_name=\"demo\"}} | trace_id=\"{trace_id}\""
    );
    let url = format!("{}/loki/api/v1/query_range?query={}", pipeline.loki.url, ask::escaped(&query));
    let found =
        || ask::json(&url)["data"]["result"].as_array()?.first().map(|stream| stream["stream"].clone());
    let labels: Value =
        ask::until(&query, WITHIN, found, || ask::json(&url).to_string() + &pipeline.collector.last_words())?;
    for name in ["trace_id", "span_id", "severity_text"] {
        labels[name].as_str().ok_or_else(|| format!("no {name}: {labels}"))?;
    }
    Ok(())
}

fn span_metrics() -> Result<(), Failed> {
    let pipeline = Pipeline::shared()?;
    let query = "traces_span_metrics_calls_total{service_name=\"users\", span_kind=\"SPAN_KIND_SERVER\", http_route=\"/users/{id}/albums\"}";
    let url = &pipeline.prometheus.url;
    let found = || {
        request(&pipeline).ok()?;
        ask::series(url, query).pop()
    };
    let series = ask::until(query, WITHIN, found, || pipeline.collector.last_words())?;
    let label = |name: &str| series.labels.get(name).map(String::as_str);
    let wanted = [
        ("job", "demo/users"),
        ("service_namespace", "demo"),
        ("http_request_method", "GET"),
        ("http_response_status_code", "200"),
        ("status_code", "STATUS_CODE_UNSET"),
    ];
    for (name, value) in wanted {
        if label(name) != Some(value) {
            return Err(format!("{name} is not {value}: {:?}", series.labels).into());
        }
    }
    label("span_name").ok_or_else(|| format!("no span_name: {:?}", series.labels))?;
    if label("collector_instance_id").is_some() {
        return Err(format!("each start of the Collector begins new series: {:?}", series.labels).into());
    }
    let buckets = "traces_span_metrics_duration_seconds_bucket{service_name=\"users\"}";
    ask::until(buckets, WITHIN, || ask::series(url, buckets).pop(), || pipeline.collector.last_words())?;
    let exemplar = || {
        let all = exemplars_of(url, buckets);
        all.into_iter()
            .find(|exemplar| exemplar["labels"]["trace_id"].as_str().is_some_and(|id| id.len() == 32))
    };
    ask::until("exemplars of span metrics", WITHIN, exemplar, || pipeline.collector.last_words())?;
    Ok(())
}

fn service_graph() -> Result<(), Failed> {
    let pipeline = Pipeline::shared()?;
    request(&pipeline)?;
    for metric in [
        "traces_service_graph_request_total",
        "traces_service_graph_request_server_seconds_bucket",
        "traces_service_graph_request_client_seconds_bucket",
    ] {
        let query = format!("{metric}{{client=\"users\", server=\"albums\"}}");
        let found = || ask::series(&pipeline.prometheus.url, &query).pop();
        let seen = || format!("{:?}", ask::series(&pipeline.prometheus.url, metric));
        ask::until(&query, WITHIN, found, seen)?;
    }
    Ok(())
}

/// Names that the next release drops are warned of; so is what cannot work.
fn warns_of_nothing() -> Result<(), Failed> {
    // After each signal has gone through.
    span_metrics()?;
    logs()?;
    let pipeline = Pipeline::shared()?;
    let said = pipeline.collector.said();
    let bad: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("\twarn\t") || line.contains("\terror\t"))
        // The services may send before Prometheus is ready; the Collector tries again.
        .filter(|line| !line.contains("Exporting failed. Will retry"))
        .collect();
    if bad.is_empty() { Ok(()) } else { Err(bad.join("\n").into()) }
}
