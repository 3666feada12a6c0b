//! Queries over Prometheus' API: what is told besides the answer, limits, and clients that go away. What is expected is
//! what Prometheus 3.14 answers.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/server.rs"]
mod server;

use std::time::Duration;

use http::Method;
use model::{Batch, DataPoint, Family, Metadata, MetricType, SampleValue, SeriesSample, Temporality};
use serde_json::{Value, json};
use server::{Client, Server, encode};
use tokio::io::AsyncWriteExt;

/// The clock, in seconds.
const NOW: i64 = 1_800_000_000;

/// A counter of two jobs, every 15 seconds of ten minutes.
fn server() -> (Server, Client) {
    let server = Server::at(NOW as u64 * 1_000_000_000);
    let family = Family {
        name: "requests".to_owned(),
        metadata: Metadata { kind: MetricType::Counter, help: String::new(), unit: String::new() },
    };
    let point = |job: &str, number: i64| DataPoint {
        family: 0,
        temporality: Temporality::Cumulative,
        start_ms: 0,
        time_ms: (NOW - 600 + number * 15) * 1000,
        samples: vec![SeriesSample {
            labels: [("__name__", "requests"), ("job", job)].into_iter().collect(),
            value: SampleValue::Float(number as f64),
            exemplars: Vec::new(),
        }],
        derived: false,
    };
    let points = ["a", "b"].into_iter().flat_map(|job| (0..=40).map(move |number| point(job, number)));
    let batch = Batch { families: vec![family], points: points.collect(), warnings: Vec::new() };
    assert_eq!(server.context.metrics.append(&batch).unwrap().rejected.count, 0);
    let client = Client(api::prometheus::router(server.context.clone()));
    (server, client)
}

async fn query(client: &Client, query: &str, more: &str) -> Value {
    client.get(&format!("/api/v1/query?query={}{more}", encode(query))).await.json()
}

#[tokio::test]
async fn warnings_and_infos_are_told_with_their_places() {
    let (_server, client) = server();
    let found = query(&client, "quantile(2, rate(requests[1m]))", "").await;
    assert_eq!(
        found["warnings"],
        json!(["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"])
    );
    assert_eq!(
        found["infos"],
        json!([
            "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"requests\" \
             (1:18)"
        ])
    );
    // No more than ten of each, and how many there are besides.
    let many: Vec<String> = (2..15).map(|number| format!("quantile({number}, requests)")).collect();
    let found = query(&client, &many.join(" or "), "").await;
    let warnings = found["warnings"].as_array().unwrap();
    assert_eq!((warnings.len(), &warnings[10]), (11, &json!("3 more warning annotations omitted")));
}

#[tokio::test]
async fn statistics_by_step() {
    let (_server, client) = server();
    let path = format!("start={}&end={NOW}&step=60", NOW - 120);
    let ask = async |stats: &str| {
        let query = encode("sum(rate(requests[1m]))");
        let path = format!("/api/v1/query_range?query={query}&{path}&stats={stats}");
        client.get(&path).await.json()["data"]["stats"]["samples"].clone()
    };
    let samples = json!({"totalQueryableSamples": 24, "samplesRead": 24, "peakSamples": 12});
    let basic = ask("true").await;
    for name in ["totalQueryableSamples", "samplesRead"] {
        assert_eq!(basic[name], samples[name], "{basic}");
    }
    let all = ask("all").await;
    let by_step = json!([[NOW - 120, 8], [NOW - 60, 8], [NOW, 8]]);
    let as_numbers = |value: &Value| -> Vec<(f64, f64)> {
        let pairs = value.as_array().unwrap().iter();
        pairs.map(|pair| (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap())).collect()
    };
    assert_eq!(as_numbers(&all["totalQueryableSamplesPerStep"]), as_numbers(&by_step), "{all}");
    assert_eq!(as_numbers(&all["samplesReadPerStep"]), as_numbers(&by_step), "{all}");
}

#[tokio::test]
async fn what_is_too_much_is_refused_and_counted() {
    let (_server, client) = server();
    let cases = [
        ("bytes", 400, "bad_data", format!("requests{}", " ".repeat(1 << 20)), "the query is longer than"),
        ("depth", 400, "bad_data", "(".repeat(200), "expressions are nested too deeply"),
        (
            "operators",
            400,
            "bad_data",
            format!("1{}", "+1".repeat(2001)),
            "the query has more than 2000 operators",
        ),
        (
            "regex",
            400,
            "bad_data",
            format!(r#"requests{{job=~"{}"}}"#, r"\\pL{500}|".repeat(400)),
            "expression too large",
        ),
        (
            "regex",
            400,
            "bad_data",
            format!("{{{}}}", [r#"job=~"\\pL{100}""#; 100].join(",")),
            "the regular expressions of the query take more than",
        ),
        (
            "samples",
            422,
            "execution",
            "sum_over_time(requests[100y:1ms])".to_owned(),
            "query processing would load too many samples into memory in query execution",
        ),
    ];
    for (limit, status, kind, query, message) in cases {
        let body = format!("query={}", encode(&query));
        let answer = post(&client, "/api/v1/query", &body).await;
        let found: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status.as_u16(), &found["errorType"]), (status, &json!(kind)), "{limit}: {found}");
        assert!(found["error"].as_str().unwrap().contains(message), "{limit}: {found}");
    }
    let steps = client.get("/api/v1/query_range?query=1&start=0&end=11001&step=1").await;
    assert_eq!(steps.status.as_u16(), 400);
    let late = client.get("/api/v1/query?query=1&timeout=0").await;
    assert_eq!(late.status.as_u16(), 503);
    let metrics = client.get("/metrics").await.text();
    for (limit, count) in [
        ("bytes", 1),
        ("depth", 1),
        ("operators", 1),
        ("regex", 2),
        ("samples", 1),
        ("steps", 1),
        ("time", 1),
    ] {
        let line = format!("mirante_promql_refused_total{{limit=\"{limit}\"}} {count}");
        assert!(metrics.contains(&line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn as_much_as_may_be_is_answered() {
    let (_server, client) = server();
    let sum = format!("1{}", "+1".repeat(2000));
    assert_eq!(query(&client, &sum, "&time=0").await["data"]["result"], json!([0, "2001"]));
    let deep = format!("{}1{}", "(".repeat(99), ")".repeat(99));
    assert_eq!(query(&client, &deep, "&time=0").await["data"]["result"], json!([0, "1"]));
    let hosts: Vec<String> = (0..1000).map(|host| format!("host-{host}.example.com:9100")).collect();
    let many = format!(r#"count(requests{{job=~"{}|a"}})"#, hosts.join("|"));
    let answer = post(&client, "/api/v1/query", &format!("query={}", encode(&many))).await;
    assert_eq!(answer.json()["data"]["result"][0]["value"][1], "1");
    let steps = client.get("/api/v1/query_range?query=1&start=0&end=11000&step=1").await.json();
    assert_eq!(steps["data"]["result"][0]["values"].as_array().unwrap().len(), 11_001);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_ends_when_its_client_goes() {
    let (server, client) = server();
    // Hours of work, if nobody stopped it.
    let inner = "count_over_time(requests[10m:1ms])";
    let slow = format!("sum_over_time({inner}[10m:1ms])");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, client.0).await });
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET /api/v1/query?query={} HTTP/1.1\r\nhost: test\r\n\r\n", encode(&slow));
    connection.write_all(request.as_bytes()).await.unwrap();
    while server.context.pool.running() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(connection);
    let freed = async {
        while server.context.pool.running() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), freed).await.expect("the query goes on");
}

#[tokio::test]
async fn a_query_ends_when_its_time_is_over() {
    let (_server, client) = server();
    // Sorts 600,000 samples 600,000 times.
    let slow = "count_over_time(quantile_over_time(0.5, requests[10m:1ms])[10m:1ms])";
    let path = format!("/api/v1/query?query={}&timeout=500ms", encode(slow));
    let answer = client.get(&path).await;
    let found: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (answer.status.as_u16(), found),
        (
            503,
            json!({"status": "error", "errorType": "timeout", "error": "query timed out in expression evaluation"})
        )
    );
}

async fn post(client: &Client, path: &str, body: &str) -> server::Answer {
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    let request = http::Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(axum::body::Body::from(body.to_owned()))
        .unwrap();
    let response = client.0.clone().oneshot(request).await.unwrap();
    server::Answer {
        status: response.status(),
        content_type: response.headers()["content-type"].to_str().unwrap().to_owned(),
        location: None,
        body: response.into_body().collect().await.unwrap().to_bytes().to_vec(),
    }
}
