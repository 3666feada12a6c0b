//! A process that is killed with SIGKILL while it takes in all it can, again and again on the same data: everything
//! for which success was answered is there afterwards, nothing twice, and nobody repaired anything.
//!
//! `MIRANTE_KILL_ROUNDS` says how often (3; 20 for the figure in docs/BENCHMARKS.md).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it did"
)]

mod samples;
mod scraped;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Client;
use samples::{Writing, Written};
use scraped::{Target, Watching};
use tests::load::{BATCH_SPANS, SpanLoad, TRACE_SPANS};
use tests::mirante::Stack;
use tests::sender::{Connection, Protocol, Run, Signal, run};
use tests::{load, query};

const LOG_LINES: u64 = 100;
/// More than are sent in a round: the kill ends it.
const MANY: u64 = 1_000_000;
const SERVICE: &str = "kill-nine";

#[expect(clippy::disallowed_methods, reason = "the load is of now")]
fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// What a round sent.
struct Round {
    number: u64,
    began_ns: u64,
    spans: Arc<SpanLoad>,
    grpc_spans: Run,
    http_spans: Run,
    logs: Run,
    metrics: Run,
    written: Written,
}

/// Batches over HTTP have numbers from here on.
const HTTP_FROM: u64 = 1 << 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_acknowledged_is_lost_and_nothing_is_there_twice() {
    let rounds =
        std::env::var("MIRANTE_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3);
    let dir = tempfile::tempdir().unwrap();
    let mut done: Vec<Round> = Vec::new();
    let mut target = Target::start(dir.path());
    for number in 0..rounds {
        done.push(round(dir.path(), &mut target, number).await);
        let mirante = start(dir.path(), &target);
        check(&mirante, &done).await;
        target.check(&mirante);
        mirante.kill();
    }
}

fn start(dir: &Path, target: &Target) -> Stack {
    let config = target.config.display().to_string();
    Stack::up(&dir.join("data"), &["--no-demo", "--prometheus-config", &config])
}

/// Starts, sends at full speed over all ways, kills.
async fn round(dir: &Path, target: &mut Target, number: u64) -> Round {
    let mirante = start(dir, target);
    let began_ns = now_ns();
    let spans = Arc::new(SpanLoad::new(began_ns, BATCH_SPANS));
    let (grpc, http) = (mirante.address("otlp-grpc"), mirante.address("otlp-http"));

    let accepted: [Arc<AtomicU64>; 4] = Default::default();
    let make = Arc::clone(&spans);
    let over_grpc = tokio::spawn({
        let (address, count) = (grpc.clone(), Arc::clone(&accepted[0]));
        async move {
            let batch = move |number| make.batch(number, now_ns()).bytes;
            run(Protocol::Grpc, &address, Signal::Traces, 3, MANY, Arc::new(batch), count).await
        }
    });
    let make = Arc::clone(&spans);
    let over_http = tokio::spawn({
        let (address, count) = (http.clone(), Arc::clone(&accepted[1]));
        async move {
            let batch = move |number| make.batch(HTTP_FROM + number, now_ns()).bytes;
            run(Protocol::Http, &address, Signal::Traces, 3, MANY, Arc::new(batch), count).await
        }
    });
    let logs = tokio::spawn({
        let (address, count) = (http.clone(), Arc::clone(&accepted[2]));
        async move {
            let batch = move |batch| {
                let lines = (0..LOG_LINES).map(move |line| line_of(number, batch, line));
                load::logs(SERVICE, lines, began_ns + batch * LOG_LINES)
            };
            run(Protocol::Http, &address, Signal::Logs, 2, MANY, Arc::new(batch), count).await
        }
    });
    let count = Arc::clone(&accepted[3]);
    let metrics = tokio::spawn(async move {
        let name = metric_of(number);
        let batch = move |batch| load::gauge(SERVICE, &name, batch as i64, began_ns + batch * 1_000_000);
        run(Protocol::Grpc, &grpc, Signal::Metrics, 1, MANY, Arc::new(batch), count).await
    });

    let writing = Writing::begin(&mirante.address("prometheus"), number, (began_ns / 1_000_000) as i64);
    let watching = Watching::begin(&mirante);
    let all_begun = || async {
        let begun = accepted.iter().all(|count| count.load(Ordering::Relaxed) > 0);
        (begun && writing.accepted() > 0 && watching.has_begun()).then_some(())
    };
    query::until(Duration::from_secs(30), all_begun).await.expect("something is accepted on every way");
    // Not at a moment that any part of the process could have got used to.
    tokio::time::sleep(Duration::from_millis(300 + began_ns % 700)).await;
    mirante.kill();
    let (grpc_spans, http_spans) = (over_grpc.await.unwrap(), over_http.await.unwrap());
    let (logs, metrics) = (logs.await.unwrap(), metrics.await.unwrap());
    let written = writing.end();
    let scraped = target.add(watching.end());
    println!(
        "round {number}: acknowledged {} spans, {} log records, {} data points, {} samples of \
         remote write; {scraped} samples of scrapes were seen",
        (grpc_spans.accepted.len() + http_spans.accepted.len()) * BATCH_SPANS,
        logs.accepted.len() as u64 * LOG_LINES,
        metrics.accepted.len(),
        written.samples()
    );
    Round { number, began_ns, spans, grpc_spans, http_spans, logs, metrics, written }
}

fn line_of(round: u64, batch: u64, line: u64) -> String {
    format!("round {round} batch {batch} line {line}")
}

fn metric_of(round: u64) -> String {
    format!("kill_nine_round_{round}")
}

async fn check(mirante: &Stack, done: &[Round]) {
    let client = Client::new();
    let last = done.last().unwrap();
    check_spans(mirante, last).await;
    check_logs(mirante, &client, last).await;
    for round in done {
        check_metrics(mirante, &client, round).await;
        round.written.check(mirante, &client).await;
    }
    check_counts(mirante, &client, done).await;
}

/// Every trace of every acknowledged batch is whole.
async fn check_spans(mirante: &Stack, round: &Round) {
    let tempo = mirante.address("tempo");
    let batches: Vec<u64> = spans_acknowledged(round);
    let lookers: Vec<_> = (0..8)
        .map(|first| {
            let (tempo, spans) = (tempo.clone(), Arc::clone(&round.spans));
            let batches: Vec<u64> = batches.iter().copied().skip(first).step_by(8).collect();
            tokio::spawn(async move {
                let mut connection = Connection::open(Protocol::Http, &tempo).await.unwrap();
                for batch in batches {
                    for trace in 0..BATCH_SPANS / TRACE_SPANS {
                        let path = format!("/api/traces/{}", query::hex(&spans.trace_id(batch, trace)));
                        let (status, body) = connection.get(&path, "application/protobuf").await.unwrap();
                        let found = load::span_ids_of(&body);
                        for id in spans.span_ids(batch, trace) {
                            let times = found.iter().filter(|found| **found == id).count();
                            assert_eq!(times, 1, "{} of {path} of batch {batch}: {status}", query::hex(&id));
                        }
                    }
                }
            })
        })
        .collect();
    for looker in lookers {
        looker.await.unwrap();
    }
}

fn spans_acknowledged(round: &Round) -> Vec<u64> {
    let over_http = round.http_spans.accepted.iter().map(|number| HTTP_FROM + number);
    round.grpc_spans.accepted.iter().copied().chain(over_http).collect()
}

/// Every line of every acknowledged batch is there once.
async fn check_logs(mirante: &Stack, client: &Client, round: &Round) {
    let mut seen: HashMap<String, u64> = HashMap::new();
    let selector = format!("{{service_name=\"{SERVICE}\"}} |= \"round {} \"", round.number);
    let newest = round.logs.accepted.iter().max().unwrap() + 10;
    // In pieces of time, so that each stays below the limit of entries of an answer.
    for first in (0..newest).step_by(40) {
        let start = (round.began_ns + first * LOG_LINES).to_string();
        let end = (round.began_ns + (first + 40) * LOG_LINES).to_string();
        let parameters = [
            ("query", selector.as_str()),
            ("start", &start),
            ("end", &end),
            ("limit", "5000"),
            ("direction", "forward"),
        ];
        let url = format!("{}/loki/api/v1/query_range", mirante.url("loki"));
        let (status, answer) = query::get(client, &url, &parameters).await;
        assert!(status.is_success(), "{status} {answer}");
        for stream in answer["data"]["result"].as_array().unwrap() {
            for value in stream["values"].as_array().unwrap() {
                *seen.entry(value[1].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
    }
    for batch in &round.logs.accepted {
        for line in 0..LOG_LINES {
            let line = line_of(round.number, *batch, line);
            assert_eq!(seen.get(&line), Some(&1), "{line}");
        }
    }
    assert!(seen.values().all(|times| *times == 1), "a line is there twice");
}

/// Every acknowledged sample is there once.
async fn check_metrics(mirante: &Stack, client: &Client, round: &Round) {
    let url = format!("{}/api/v1/query", mirante.url("prometheus"));
    let time_s = (round.began_ns / 1_000_000_000 + 3000).to_string();
    let query = format!("{}[1h]", metric_of(round.number));
    let (status, answer) = query::get(client, &url, &[("query", &query), ("time", &time_s)]).await;
    assert!(status.is_success(), "{status} {answer}");
    let mut seen: HashMap<String, u64> = HashMap::new();
    for value in answer["data"]["result"][0]["values"].as_array().unwrap_or_else(|| panic!("{answer}")) {
        *seen.entry(value[1].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for batch in &round.metrics.accepted {
        assert_eq!(seen.get(&batch.to_string()), Some(&1), "sample {batch} of round {}", round.number);
    }
    assert!(seen.values().all(|times| *times == 1), "a sample is there twice");
}

/// A store that merges what is there twice when it is asked would hide it, so the stores' own counts have to agree as
/// well: no less than was acknowledged, and no more than that with what was on its way at the kills.
async fn check_counts(mirante: &Stack, client: &Client, done: &[Round]) {
    let page = mirante.url("tempo");
    let kept = async |signal: &str| {
        let label = format!("signal=\"{signal}\"");
        query::metric(client, &page, "mirante_head_items", &[&label]).await
            + query::metric(client, &page, "mirante_block_items", &[&label]).await
    };
    let spans: usize = done.iter().map(|round| spans_acknowledged(round).len() * BATCH_SPANS).sum();
    let on_the_way = done.len() * 6 * BATCH_SPANS;
    let kept_spans = kept("traces").await;
    assert!(
        (spans as f64..=(spans + on_the_way) as f64).contains(&kept_spans),
        "{kept_spans} spans kept, {spans} acknowledged"
    );
    let lines: u64 = done.iter().map(|round| round.logs.accepted.len() as u64 * LOG_LINES).sum();
    let on_the_way = done.len() as u64 * 2 * LOG_LINES;
    let kept_lines = kept("logs").await;
    assert!(
        (lines as f64..=(lines + on_the_way) as f64).contains(&kept_lines),
        "{kept_lines} log records kept, {lines} acknowledged"
    );
}
