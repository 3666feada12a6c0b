//! Prometheus and the embedded engine as two servers of which one reads from the other: remote read, federation, and
//! remote write from the real one to ours.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;
use tests::http;
use tests::mirante::Stack;
use tests::peers::running::Peer;
use tests::peers::{ask, pinned, trial};
use tests::remote_write::{Connection, Request};

use crate::pipeline::{WITHIN, below_clients, local, program};

const STEP_MS: i64 = 15_000;

pub(crate) fn trials() -> Vec<Trial> {
    const NEEDS: &[&str] = &["prometheus"];
    vec![
        trial("exchange: prometheus reads remotely from us", NEEDS, pinned, read),
        trial("exchange: prometheus federates from us", NEEDS, pinned, federated),
        trial("exchange: prometheus writes to us, metadata too", NEEDS, pinned, written),
    ]
}

#[expect(clippy::disallowed_methods, reason = "the samples are of now")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// A real Prometheus with a configuration.
fn prometheus(dir: &Path, config: &str) -> Result<(Peer, String), Failed> {
    let port = below_clients();
    let etc = dir.join("prometheus.yml");
    std::fs::write(&etc, config)?;
    let arguments = [
        format!("--config.file={}", etc.display()),
        format!("--storage.tsdb.path={}", dir.join("prometheus-data").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut peer = Peer::start(&program("prometheus")?, &arguments, dir)?;
    peer.ready(&format!("{}/-/ready", local(port)), WITHIN)?;
    Ok((peer, local(port)))
}

/// Ours, with 300 counters of an hour and a native histogram.
fn ours(dir: &TempDir, end_ms: i64) -> Result<Stack, Failed> {
    let stack = Stack::up(&dir.path().join("mirante"), &["--no-demo"]);
    let mut connection = Connection::open(&stack.address("prometheus"))?;
    // In order of time: no series lies an hour behind another one.
    for first in (0..240).step_by(60) {
        let mut request = Request::default();
        for number in 0..300_i64 {
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let labels = vec![
                pair("__name__", "exchange_total"),
                pair("number", &number.to_string()),
                pair("odd.name", "é\""),
            ];
            let sample = |step: i64| (end_ms - (240 - step) * STEP_MS, (step * (number + 1)) as f64 + 0.25);
            request.series(&labels, (first..first + 60).map(sample));
        }
        let (status, said) = connection.send(&request.finish())?;
        if status != 204 {
            return Err(format!("{status}: {said}").into());
        }
    }
    let nanos = |time_ms: i64| format!("\"{time_ms}000000\"");
    let points: Vec<String> = (0..20_i64)
        .map(|step| {
            format!(
                r#"{{"startTimeUnixNano":{},"timeUnixNano":{},"count":"{}","sum":{},"scale":2,"zeroCount":"1",
                "positive":{{"offset":-2,"bucketCounts":["{}","0","2"]}}}}"#,
                nanos(end_ms - 240 * STEP_MS),
                nanos(end_ms - (20 - step) * STEP_MS),
                step + 4,
                step * 2,
                step + 1
            )
        })
        .collect();
    let body = format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"exchange"}}}}]}},
        "scopeMetrics":[{{"metrics":[{{"name":"exchange_seconds","exponentialHistogram":
        {{"aggregationTemporality":2,"dataPoints":[{}]}}}}]}}]}}]}}"#,
        points.join(",")
    );
    let url = format!("{}/v1/metrics", stack.url("otlp-http"));
    let answer = http::send("POST", &url, &[("content-type", "application/json")], &body)?;
    if answer.status == 200 { Ok(stack) } else { Err(format!("{answer:?}").into()) }
}

/// The result of a query, in an order that does not depend on the server.
fn result(url: &str, query: &str, time_ms: i64) -> Result<Vec<Value>, Failed> {
    let time = time_ms / 1000;
    let url = format!("{url}/api/v1/query?query={}&time={time}", ask::escaped(query));
    let answer = http::get(&url)?;
    let mut answer: Value = serde_json::from_str(&answer.body).map_err(|_| format!("{url}: {answer:?}"))?;
    let Value::Array(mut series) = answer["data"]["result"].take() else {
        return Err(format!("{query}: {answer}").into());
    };
    series.sort_by_cached_key(|series| series["metric"].to_string());
    Ok(series)
}

/// The same query to both has the same answer, which is not empty.
fn same(theirs: &str, ours: &str, query: &str, time_ms: i64) -> Result<(), Failed> {
    let (theirs, ours) = (result(theirs, query, time_ms)?, result(ours, query, time_ms)?);
    if ours.is_empty() || theirs.len() != ours.len() {
        return Err(format!("{query}: {} series there, {} here", theirs.len(), ours.len()).into());
    }
    match theirs.iter().zip(&ours).find(|(theirs, ours)| theirs != ours) {
        None => Ok(()),
        Some((theirs, ours)) => Err(format!("{query}:\n{theirs}\n{ours}").into()),
    }
}

fn read() -> Result<(), Failed> {
    let dir = TempDir::new()?;
    let end_ms = now_ms() / STEP_MS * STEP_MS;
    let stack = ours(&dir, end_ms)?;
    let ours = stack.url("prometheus");
    let config = format!("remote_read:\n- url: {ours}/api/v1/read\n  read_recent: true\n");
    let (_peer, theirs) = prometheus(dir.path(), &config)?;
    for (query, time_ms) in [
        ("exchange_total", end_ms),
        ("exchange_total", end_ms - 1_000_000),
        ("exchange_total[1h]", end_ms),
        (r#"exchange_total{number=~"1.",odd_name!="x"}[10m]"#, end_ms - 600_000),
        ("exchange_seconds", end_ms - STEP_MS),
        ("exchange_seconds[4m]", end_ms),
    ] {
        same(&theirs, &ours, query, time_ms)?;
    }
    let none = result(&theirs, "exchange_total", end_ms - 7_200_000)?;
    if none.is_empty() { Ok(()) } else { Err(format!("there is nothing at that time: {none:?}").into()) }
}

fn federated() -> Result<(), Failed> {
    let dir = TempDir::new()?;
    let end_ms = now_ms() / STEP_MS * STEP_MS;
    let stack = ours(&dir, end_ms)?;
    let ours = stack.url("prometheus");
    let config = format!(
        "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n- job_name: federate\n  \
         honor_labels: true\n  scrape_native_histograms: true\n  metrics_path: /federate\n  params:\n    \
         'match[]': ['{{__name__=~\"exchange_.*\"}}', 'exchange_total']\n  static_configs:\n  - targets: ['{}']\n",
        stack.address("prometheus")
    );
    let (_peer, theirs) = prometheus(dir.path(), &config)?;
    let scraped = || ask::series(&theirs, r#"scrape_samples_scraped{job="federate"} == 301"#).pop();
    let failed = || {
        let targets = ask::json(&format!("{theirs}/api/v1/targets?state=active"));
        targets["data"]["activeTargets"][0]["lastError"].to_string()
    };
    ask::until("the page is scraped", WITHIN, scraped, failed)?;
    // The samples have the times that they have here, so a range finds the newest one alone.
    let found = result(&theirs, "exchange_total[10m]", end_ms + STEP_MS)?;
    if found.len() != 300 {
        return Err(format!("{} series", found.len()).into());
    }
    for series in found {
        let number: i64 = series["metric"]["number"].as_str().unwrap_or_default().parse()?;
        let expected = serde_json::json!([[
            (end_ms - STEP_MS) / 1000,
            format!("{}", (239 * (number + 1)) as f64 + 0.25)
        ]]);
        // Who asks for protobuf does not say that it takes any name, so names are escaped, by the real one too.
        if series["values"] != expected || series["metric"]["odd_name"] != "é\"" {
            return Err(format!("{series} and not {expected}").into());
        }
        if series["metric"].get("instance").is_some() {
            return Err(format!("an instance was added: {series}").into());
        }
    }
    let histogram = |url: &str| -> Result<Value, Failed> {
        let mut found = result(url, "exchange_seconds", end_ms)?;
        Ok(found.pop().ok_or("no histogram")?["histogram"].take())
    };
    let (there, here) = (histogram(&theirs)?, histogram(&ours)?);
    if there == here { Ok(()) } else { Err(format!("{there}\n{here}").into()) }
}

fn written() -> Result<(), Failed> {
    let dir = TempDir::new()?;
    let stack = Stack::up(&dir.path().join("mirante"), &["--no-demo"]);
    let ours = stack.url("prometheus");
    let config = format!(
        "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nscrape_configs:\n- job_name: itself\n  \
         scrape_native_histograms: true\n  static_configs:\n  - targets: ['{}']\nremote_write:\n- url: \
         {ours}/api/v1/write\n  send_native_histograms: true\n  metadata_config:\n    send_interval: 1s\n",
        stack.address("tempo")
    );
    let (_peer, theirs) = prometheus(dir.path(), &config)?;
    let arrived = || ask::series(&ours, r#"up{job="itself"} == 1"#).pop();
    let failed = || ask::json(&format!("{theirs}/api/v1/targets"))["data"].to_string();
    ask::until("what Prometheus scraped is here", WITHIN, arrived, failed)?;
    let described = || {
        let answer = ask::json(&format!("{ours}/api/v1/metadata?metric=mirante_head_items"));
        answer["data"]["mirante_head_items"][0]["type"].as_str().map(str::to_owned)
    };
    let kind = ask::until("metadata is here", Duration::from_secs(30), described, String::new)?;
    if kind == "gauge" { Ok(()) } else { Err(format!("a {kind}").into()) }
}
