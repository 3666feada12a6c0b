//! Jaeger's own test data, through the HTTP API.

#[path = "support/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Value, json};
use server::{Server, encode, read_json, run};
use testkit::Corpus;

/// The traces of the fixtures are of this day.
const DAY_NS: u64 = 1_485_475_200_000_000_000;

fn main() -> ExitCode {
    testkit::run([storage_integration(), otlp2jaeger(), uimodel_converter(), memory_store(), snapshots()])
}

fn expect_equal(what: &str, got: &Value, expected: &Value) -> Result<(), String> {
    if got == expected {
        return Ok(());
    }
    Err(format!("{what}\n     got {got}\nexpected {expected}"))
}

/// Write every trace, run every query: exactly the named traces, whole.
fn storage_integration() -> Corpus {
    let mut corpus = Corpus::new("jaeger/storage-integration");
    let queries = corpus.dir().map(|dir| read_json(&dir.join("queries.json")));
    let queries = match queries {
        Some(Ok(Value::Array(queries))) => queries,
        Some(other) => {
            corpus.case("queries.json", move |_| Err(format!("not a list of queries: {other:?}")));
            Vec::new()
        }
        None => Vec::new(),
    };
    for query in queries {
        let caption = query["Caption"].as_str().unwrap_or("without a caption").to_owned();
        corpus.case(&caption, move |dir| {
            run(async {
                check_search(dir, &query, false).await?;
                check_search(dir, &query, true).await
            })
        });
    }
    corpus
}

async fn check_search(dir: &Path, case: &Value, sealed: bool) -> Result<(), String> {
    let server = Server::at(DAY_NS);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir.join("traces")).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        server.send_file(&path)?;
        names.push(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
    }
    if sealed {
        server.context.traces.seal().map_err(|error| error.to_string())?;
    }
    let query = &case["Query"];
    let text = |key: &str| query[key].as_str().unwrap_or_default().to_owned();
    let micros = |key: &str| -> Result<i128, String> { Ok(api::go::parse_rfc3339(&text(key))? / 1000) };
    let mut path = format!(
        "/api/traces?raw=true&service={}&operation={}&start={}&end={}&limit={}",
        encode(&text("ServiceName")),
        encode(&text("OperationName")),
        micros("StartTimeMin")?,
        micros("StartTimeMax")?,
        query["NumTraces"]
    );
    for (parameter, key) in [("minDuration", "DurationMin"), ("maxDuration", "DurationMax")] {
        if query[key] != json!(0) {
            path.extend(["&", parameter, "=", &query[key].to_string(), "ns"]);
        }
    }
    for (key, value) in query["Tags"].as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        path.extend(["&tag=", &encode(&format!("{key}:{value}"))]);
    }
    let found = server.jaeger().get(&path).await.json();
    let spans_of = |spans: &Value, key: &str| -> BTreeSet<String> {
        spans
            .as_array()
            .into_iter()
            .flatten()
            .map(|span| span[key].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let found: BTreeSet<(String, BTreeSet<String>)> = found["data"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|trace| {
            let id = trace["traceID"].as_str().unwrap_or_default();
            (format!("{id:0>32}"), spans_of(&trace["spans"], "spanID"))
        })
        .collect();
    let mut expected = BTreeSet::new();
    for name in case["ExpectedFixtures"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap_or_default();
        let trace = read_json(&dir.join("traces").join(format!("{name}.json")))?;
        let mut id = String::new();
        let mut ids = BTreeSet::new();
        for group in trace["resourceSpans"].as_array().into_iter().flatten() {
            for scope in group["scopeSpans"].as_array().into_iter().flatten() {
                scope["spans"][0]["traceId"].as_str().unwrap_or_default().clone_into(&mut id);
                ids.extend(spans_of(&scope["spans"], "spanId"));
            }
        }
        expected.insert((id, ids));
    }
    if found == expected {
        return Ok(());
    }
    Err(format!("{path}\nsealed: {sealed}\n     got {found:?}\nexpected {expected:?}"))
}

fn otlp2jaeger() -> Corpus {
    let mut corpus = Corpus::new("jaeger/otlp2jaeger");
    corpus.case("otlp2jaeger-in becomes otlp2jaeger-out", |dir| {
        let body = std::fs::read(dir.join("otlp2jaeger-in.json")).map_err(|error| error.to_string())?;
        let expected = read_json(&dir.join("otlp2jaeger-out.json"))?;
        run(async {
            let got = Server::start().jaeger().post("/api/transform", body).await.json();
            expect_equal("the answer differs", &got, &expected)
        })
    });
    corpus
}

/// The model that these cases begin with is Jaeger's older one, so the test says in OTLP what it says, as the collector
/// would. What OTLP has no word for is left out of the comparison: the warnings of a whole trace.
fn uimodel_converter() -> Corpus {
    let mut corpus = Corpus::new("jaeger/uimodel-converter");
    corpus.case("domain_01 becomes ui_01", |dir| {
        let domain = read_json(&dir.join("domain_01.json"))?;
        let mut expected = read_json(&dir.join("ui_01.json"))?;
        expected["warnings"] = Value::Null;
        let spans: Vec<Value> =
            domain["spans"].as_array().into_iter().flatten().map(domain_to_otlp).collect::<Result<_, _>>()?;
        let request = json!({"resourceSpans": spans});
        run(async {
            let body = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
            let got = Server::start().jaeger().post("/api/transform", body).await.json();
            // Logs without a name are events without one; the fields' order is theirs.
            expect_equal("the trace differs", &got["data"][0], &expected)
        })
    });
    corpus
}

fn domain_to_otlp(span: &Value) -> Result<Value, String> {
    use base64::Engine;
    let hex = |id: &Value| -> Result<String, String> {
        let id = id.as_str().unwrap_or_default();
        Ok(hex::encode(base64::prelude::BASE64_STANDARD.decode(id).map_err(|error| error.to_string())?))
    };
    let attribute = |tag: &Value| {
        let value = match tag["vType"].as_str() {
            Some("BOOL") => json!({"boolValue": tag["vBool"]}),
            Some("INT64") => json!({"intValue": tag["vInt64"].to_string()}),
            Some("FLOAT64") => json!({"doubleValue": tag["vFloat64"]}),
            Some("BINARY") => json!({"bytesValue": tag["vBinary"]}),
            _ => json!({"stringValue": tag["vStr"]}),
        };
        json!({"key": tag["key"], "value": value})
    };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let start_ns = api::go::parse_rfc3339(span["startTime"].as_str().unwrap_or_default())?;
    let duration = api::go::parse_duration(span["duration"].as_str().unwrap_or_default())?;
    let time = |ns: i128| json!(ns.to_string());

    let mut attributes: Vec<Value> = list(&span["tags"]).iter().map(attribute).collect();
    let warnings: Vec<Value> =
        list(&span["warnings"]).into_iter().map(|warning| json!({"stringValue": warning})).collect();
    if !warnings.is_empty() {
        attributes.push(json!({"key": "@jaeger@warnings", "value": {"arrayValue": {"values": warnings}}}));
    }
    let mut events = Vec::new();
    for log in list(&span["logs"]) {
        let at_ns = api::go::parse_rfc3339(log["timestamp"].as_str().unwrap_or_default())?;
        let fields: Vec<Value> = list(&log["fields"]).iter().map(attribute).collect();
        events.push(json!({"timeUnixNano": time(at_ns), "attributes": fields}));
    }
    let mut links = Vec::new();
    let mut parent = String::new();
    for reference in list(&span["references"]) {
        let child_of = reference["refType"] == "CHILD_OF";
        let (trace_id, span_id) = (hex(&reference["traceId"])?, hex(&reference["spanId"])?);
        let only = list(&span["references"]).len() == 1;
        if child_of && only && trace_id == hex(&span["traceId"])? {
            parent = span_id;
            continue;
        }
        let ref_type = if child_of { "child_of" } else { "follows_from" };
        links.push(json!({"traceId": trace_id, "spanId": span_id, "attributes": [
            {"key": "opentracing.ref_type", "value": {"stringValue": ref_type}},
        ]}));
    }
    let service = json!({"key": "service.name", "value": {"stringValue": span["process"]["serviceName"]}});
    let tags = list(&span["process"]["tags"]);
    let resource: Vec<Value> = std::iter::once(service).chain(tags.iter().map(attribute)).collect();
    Ok(json!({
        "resource": {"attributes": resource},
        "scopeSpans": [{"spans": [{
            "traceId": hex(&span["traceId"])?, "spanId": hex(&span["spanId"])?, "parentSpanId": parent,
            "name": span["operationName"],
            "startTimeUnixNano": time(start_ns), "endTimeUnixNano": time(start_ns + i128::from(duration.0)),
            "attributes": attributes, "events": events, "links": links,
        }]}],
    }))
}

fn memory_store() -> Corpus {
    let mut corpus = Corpus::new("jaeger/memory-store");
    corpus.case("otel_traces_01 gives db_traces_01 back", |dir| {
        let expected = read_json(&dir.join("db_traces_01.json"))?;
        run(async {
            let server = Server::at(DAY_NS);
            server.send_file(&dir.join("otel_traces_01.json"))?;
            let id = "00000000000000010000000000000000";
            let got = server.jaeger().get(&format!("/api/v3/traces/{id}?rawTraces=true")).await.json();
            expect_equal("the trace differs", &got["result"], &without_defaults(&expected))
        })
    });
    corpus
}

/// Drops what the JSON mapping of OTLP lets a writer leave out.
fn without_defaults(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), without_defaults(value)))
            .filter(|(_, value)| {
                !matches!(value, Value::Array(list) if list.is_empty()) && *value != json!("")
            })
            .collect(),
        Value::Array(list) => list.iter().map(without_defaults).collect(),
        other => other.clone(),
    }
}

/// The bodies that Jaeger's gateway is held to, and the requests behind them.
fn snapshots() -> Corpus {
    let mut corpus = Corpus::new("jaeger/apiv3-snapshots");
    let range = "query.startTimeMin=1970-01-01T00:00:00Z&query.startTimeMax=1970-01-01T00:00:01Z";
    for (name, path) in [
        ("GetTrace", "/api/v3/traces/1?rawTraces=true".to_owned()),
        ("FindTraces", format!("/api/v3/traces?query.serviceName=foo&query.rawTraces=true&{range}")),
        ("GetServices", "/api/v3/services".to_owned()),
        ("GetOperations", "/api/v3/operations?service=foo&spanKind=server".to_owned()),
    ] {
        corpus.case(name, move |dir| {
            let mut expected = read_json(&dir.join(format!("{name}.json")))?;
            run(async {
                let server = Server::at(DAY_NS);
                let operation = if name == "GetOperations" { "get_users" } else { "foobar" };
                server.send(&json!({"resourceSpans": [{
                    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "foo"}}]},
                    "scopeSpans": [{"spans": [{
                        "traceId": "00000000000000000000000000000001", "spanId": "0000000000000002",
                        "name": operation, "kind": 2, "startTimeUnixNano": "1", "endTimeUnixNano": "2",
                        "status": {"code": 2},
                    }]}],
                }]}));
                // The snapshot's span has neither a service nor times, which no store would keep as they are.
                if let Some(group) = expected.pointer_mut("/result/resourceSpans/0") {
                    group["resource"] =
                        json!({"attributes": [{"key": "service.name", "value": {"stringValue": "foo"}}]});
                    let span = &mut group["scopeSpans"][0]["spans"][0];
                    span["startTimeUnixNano"] = json!("1");
                    span["endTimeUnixNano"] = json!("2");
                }
                let got = server.jaeger().get(&path).await.json();
                expect_equal("the body differs", &got, &expected)
            })
        });
    }
    corpus
}
