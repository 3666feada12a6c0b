//! The same rules over the same samples, here and in a real Prometheus. Groups with the same file and name are evaluated at
//! the same moments, so that what they make can be compared to the last bit.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;
use tests::mirante::{Stack, free_port};
use tests::peers::pinned;
use tests::peers::running::Peer;
use tests::remote_write::{NativeHistogram, Request};

use crate::ask;
use crate::data::{labels, now_ms, send, wait_until};

const WITHIN: Duration = Duration::from_secs(60);
const RULES: &str = include_str!("beside.yml");
/// How long samples are written.
const SECONDS: i64 = 50;
/// What says that a series has ended.
const STALE: u64 = 0x7ff0_0000_0000_0002;

pub(crate) fn prometheus() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("rules.yml"), RULES)?;
    let file = dir.path().join("prometheus.yml");
    std::fs::write(
        &file,
        "global: {evaluation_interval: 2s, rule_query_offset: 1s, external_labels: {site: north}}\nrule_files: [rules.yml]\n",
    )?;
    let (theirs, at) = start(dir.path(), &file)?;
    let ours =
        Stack::up(&dir.path().join("data"), &["--no-demo", "--prometheus-config", &file.to_string_lossy()]);
    let compared = compare(&ours, &at);
    drop(theirs);
    compared.map_err(|error| format!("{}\n{}", error.message().unwrap_or_default(), ours.logged()).into())
}

fn start(dir: &Path, file: &Path) -> Result<(Peer, String), Failed> {
    let at = format!("127.0.0.1:{}", free_port());
    let mut theirs = Peer::start(
        &pinned("prometheus").ok_or("no prometheus")?,
        &[
            &format!("--config.file={}", file.display()),
            &format!("--storage.tsdb.path={}", dir.join("theirs").display()),
            &format!("--web.listen-address={at}"),
            &format!("--web.external-url=http://{at}"),
            "--web.enable-remote-write-receiver",
            "--enable-feature=promql-experimental-functions",
        ],
        dir,
    )?;
    theirs.ready(&format!("http://{at}/-/ready"), WITHIN)?;
    Ok((theirs, at))
}

fn compare(ours: &Stack, theirs: &str) -> Result<(), Failed> {
    let (address, url) = (ours.address("prometheus"), ours.url("prometheus"));
    let their_url = format!("http://{theirs}");
    // The first evaluations are over: from now on both are the same.
    std::thread::sleep(Duration::from_secs(5));
    let start_ms = (now_ms() / 1000 + 2) * 1000;
    for step in 0..=SECONDS {
        let time_ms = start_ms + step * 1000;
        wait_until(time_ms - 500);
        send(&[&address, theirs], samples(step, time_ms))?;
        if step % 5 == 4 {
            for path in ["rules", "alerts"] {
                same(path, (&url, &address), (&their_url, theirs))?;
            }
        }
    }
    let end_ms = start_ms + SECONDS * 1000;
    wait_until(end_ms + 4000);
    let time = (end_ms / 1000).to_string();
    for name in ["load:.*", "hist:.*", "limited:.*", "late:.*", "ALERTS.*"] {
        let query = format!("{{__name__=~\"{name}\"}}[{}s]", SECONDS + 1);
        let series = |url: &str| ask(url, "query", &[("query", &query), ("time", &time)]);
        let (left, right) = (sorted(&series(&url)?), sorted(&series(&their_url)?));
        if right.is_empty() {
            return Err(format!("{name}: Prometheus has none").into());
        }
        for index in 0..left.len().max(right.len()) {
            let (left, right) = (left.get(index), right.get(index));
            if left != right {
                return Err(format!("{name}: ours {}\ntheirs {}", shown(left), shown(right)).into());
            }
        }
    }
    Ok(())
}

/// Series of an answer, by their labels.
fn sorted(answer: &Value) -> Vec<Value> {
    let mut series = answer["result"].as_array().cloned().unwrap_or_default();
    series.sort_by_key(|series| series["metric"].to_string());
    series
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "none".to_owned(), ToString::to_string)
}

/// Asks both for their rules or alerts until they answer the same: one may have evaluated a group between the questions.
/// Of either it is known where it is asked and what it calls itself.
fn same(path: &str, ours: (&str, &str), theirs: (&str, &str)) -> Result<(), Failed> {
    let mut last = String::new();
    for _ in 0..8 {
        let mut answers = Vec::new();
        for (url, address) in [ours, theirs] {
            let mut answer = ask(url, path, &[])?;
            without_times(&mut answer);
            answers.push(answer.to_string().replace(address, "HERE"));
        }
        if answers[0] == answers[1] {
            return Ok(());
        }
        last = format!("{path}: ours\n{}\ntheirs\n{}", answers[0], answers[1]);
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(last.into())
}

/// Takes out how long evaluations took and when they really began; alerts of a rule are in no order.
fn without_times(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("evaluationTime");
            fields.remove("lastEvaluation");
            fields.values_mut().for_each(without_times);
            if let Some(alerts) = fields.get_mut("alerts").and_then(Value::as_array_mut) {
                alerts.sort_by_key(|alert| alert["labels"].to_string());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// The samples of a second.
fn samples(step: i64, time_ms: i64) -> Request {
    let mut request = Request::default();
    let mut add = |name: &str, others: &[(&str, &str)], value: f64| {
        request.series(&labels(name, others), [(time_ms, value)]);
    };
    for (index, host) in ["a.example:9100", "b.example:9100", "c.example:9100"].into_iter().enumerate() {
        add("load", &[("host", host)], (step * 7 % 11) as f64 / 4.0 + index as f64);
    }
    let is_high = (8..18).contains(&step) || (30..34).contains(&step) || step >= 42;
    add("error_ratio", &[("instance", "web-1:8080"), ("job", "web")], if is_high { 0.75 } else { 0.125 });
    if step < 20 {
        add("vanish", &[], 1.0);
    } else if step == 20 {
        add("vanish", &[], f64::from_bits(STALE));
    }
    add("size_bytes", &[("instance", "web-1:8080")], 123_456_789.0 + step as f64 * 1e6);
    let count = step as u64;
    let histogram = NativeHistogram {
        count: 3 * count,
        sum: 5.0 * count as f64,
        zero_threshold: 1e-128,
        positive_spans: vec![(0, 2)],
        // Differences from one bucket to the next, in the encoding of the protocol.
        positive: vec![count, 2 * count],
        ..NativeHistogram::default()
    };
    request.histograms(&labels("hist", &[]), [(time_ms, histogram)]);
    request
}
