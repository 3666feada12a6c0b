//! How many spans a second are accepted and kept by a server held to one core, what it then takes of memory, and how
//! soon a span is found. Prints; asserts only that nothing accepted is missing.
//!
//! `cargo build --release --bin mirante && cargo bench -p tests --bench ingest`
//!
//! `INGEST_SPANS` (1,100,000), `INGEST_BATCH` (512), `INGEST_CONNECTIONS` (8) and `INGEST_MEMORY` (what `--memory` says) change the run;
//! an argument `grpc`, `http` or `freshness` runs that part alone. The server gets the machine's first core, the load
//! all others.

#![expect(clippy::print_stdout, reason = "it is here to print")]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Client;
use tests::load::{BATCH_SPANS, SpanLoad, TRACE_SPANS};
use tests::mirante::{Stack, most_resident_bytes, resident_bytes};
use tests::sender::{Connection, Outcome, Protocol, Signal, run};
use tests::{load, query};

fn main() {
    let parts: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    leave_first_core();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for (name, protocol, part) in
            [("grpc", Protocol::Grpc, "otlp-grpc"), ("http", Protocol::Http, "otlp-http")]
        {
            if wanted(name) {
                throughput(name, protocol, part).await;
            }
        }
        if wanted("freshness") {
            freshness().await;
        }
    });
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The first core is the server's.
fn leave_first_core() {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut set = rustix::thread::CpuSet::new();
    (1..cores).for_each(|core| set.set(core));
    if cores < 2 || rustix::thread::sched_setaffinity(None, &set).is_err() {
        println!("note: the load shares the server's core");
    }
}

#[expect(clippy::disallowed_methods, reason = "the load is of now")]
fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

fn start(dir: &tempfile::TempDir) -> Stack {
    let memory = std::env::var("INGEST_MEMORY").ok();
    let arguments = memory.as_deref().map_or_else(Vec::new, |memory| vec!["--memory", memory]);
    Stack::up_on(&[0], dir.path(), &arguments)
}

const MIB: f64 = 1024.0 * 1024.0;

fn mib(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / MIB)
}

async fn throughput(name: &str, protocol: Protocol, part: &str) {
    let spans = setting("INGEST_SPANS", 1_100_000);
    let connections = setting("INGEST_CONNECTIONS", 8);
    let batch_spans = setting("INGEST_BATCH", BATCH_SPANS as u64) as usize;
    let batches = spans.div_ceil(batch_spans as u64);
    let dir = tempfile::tempdir().expect("a folder");
    let mirante = start(&dir);
    let idle = resident_bytes(mirante.pid());
    let load = Arc::new(SpanLoad::new(now_ns(), batch_spans));
    let bytes = load.batch(0, now_ns()).bytes.len();
    println!(
        "{name}: {batches} batches of {batch_spans} spans, {} bytes a span, eight attributes",
        bytes / batch_spans
    );

    let make = {
        let load = Arc::clone(&load);
        move |number| load.batch(number, now_ns()).bytes
    };
    let cpu_before = mirante.cpu_seconds();
    let mut run = run(
        protocol,
        &mirante.address(part),
        Signal::Traces,
        connections,
        batches,
        Arc::new(make),
        Arc::default(),
    )
    .await;
    assert!(run.ended.is_empty(), "{:?}", run.ended);
    let sent = batches * batch_spans as u64;
    let seconds = run.elapsed.as_secs_f64();
    println!("{name}: accepted {sent} spans in {seconds:.2} s: {:.0} spans/s", sent as f64 / seconds);
    if let (Some(before), Some(after)) = (cpu_before, mirante.cpu_seconds()) {
        let each = (after - before) / sent as f64 * 1e6;
        println!("{name}: {:.2} s of processor time, {each:.2} us a span", after - before);
    }
    println!(
        "{name}: answered in {:?} (p50), {:?} (p99); asked to wait {} times",
        query::quantile(&mut run.latencies, 0.5),
        query::quantile(&mut run.latencies, 0.99),
        run.busy
    );
    println!(
        "{name}: resident {} idle, {} at the end, {} at most",
        mib(idle),
        mib(resident_bytes(mirante.pid())),
        mib(most_resident_bytes(mirante.pid()))
    );

    let client = Client::new();
    let tempo = mirante.url("tempo");
    let signal = ["signal=\"traces\""];
    let in_head = query::metric(&client, &tempo, "mirante_head_items", &signal).await;
    let in_blocks = query::metric(&client, &tempo, "mirante_block_items", &signal).await;
    let head_bytes = query::metric(&client, &tempo, "mirante_head_bytes", &signal).await;
    println!(
        "{name}: kept {} spans: {in_head} in the head ({}), {in_blocks} in blocks",
        in_head + in_blocks,
        mib(head_bytes as u64)
    );
    assert!((in_head + in_blocks - sent as f64).abs() < 0.5, "accepted and kept differ");
    let mut looked = 0;
    for batch in (0..batches).step_by((batches / 100).max(1) as usize) {
        let trace_id = query::hex(&load.trace_id(batch, batch as usize % (batch_spans / TRACE_SPANS)));
        let found = query::span_ids(&client, &tempo, &trace_id).await;
        assert_eq!(found.len(), TRACE_SPANS, "trace {trace_id} of batch {batch}");
        looked += 1;
    }
    println!("{name}: {looked} traces looked up by id, each whole");
    tokio::time::sleep(Duration::from_secs(3)).await;
    println!("{name}: resident {} three seconds later", mib(resident_bytes(mirante.pid())));
    println!();
}

/// From the answer to a write until a query finds it, while 1,000 spans a second come in beside it.
async fn freshness() {
    let dir = tempfile::tempdir().expect("a folder");
    let mirante = start(&dir);
    let background = {
        let address = mirante.address("otlp-grpc");
        tokio::spawn(async move {
            let load = SpanLoad::new(now_ns(), 40);
            let mut connection = Connection::open(Protocol::Grpc, &address).await.expect("a connection");
            let mut turns = tokio::time::interval(Duration::from_millis(40));
            for number in 0.. {
                turns.tick().await;
                let outcome = connection.export(Signal::Traces, load.batch(number, now_ns()).bytes).await;
                assert_eq!(outcome, Outcome::Accepted);
            }
        })
    };
    let client = Client::new();
    let probe = SpanLoad::new(1, TRACE_SPANS);
    let mut connection =
        Connection::open(Protocol::Grpc, &mirante.address("otlp-grpc")).await.expect("a connection");
    let (tempo, loki) = (mirante.url("tempo"), mirante.url("loki"));
    let mut by_id = Vec::new();
    let mut by_search = Vec::new();
    let mut by_label = Vec::new();
    let within = Duration::from_secs(10);
    for number in 0..setting("INGEST_PROBES", 300) {
        let probed_ns = now_ns();
        let batch = probe.batch(number, probed_ns);
        let trace_id = query::hex(&probe.trace_id(number, 0));
        assert_eq!(connection.export(Signal::Traces, batch.bytes).await, Outcome::Accepted);
        let ((), took) = query::until(within, || async {
            (query::span_ids(&client, &tempo, &trace_id).await.len() == TRACE_SPANS).then_some(())
        })
        .await
        .expect("found by id");
        by_id.push(took);

        let probed_ns = now_ns();
        let service = format!("probe-{number}");
        let batch = probe.batch(1_000_000 + number, probed_ns);
        let trace_id = query::hex(&probe.trace_id(1_000_000 + number, 0));
        assert_eq!(connection.export(Signal::Traces, batch.bytes).await, Outcome::Accepted);
        let seconds = probed_ns / 1_000_000_000;
        let (start, end) = ((seconds - 5).to_string(), (seconds + 5).to_string());
        let ((), took) = query::until(within, || async {
            // The newest come first, and forty of each second are the background's.
            let parameters =
                [("tags", "service.namespace=shop"), ("start", &start), ("end", &end), ("limit", "1000")];
            let (_, found) = query::get(&client, &format!("{tempo}/api/search"), &parameters).await;
            let traces = found["traces"].as_array()?;
            let wanted = trace_id.trim_start_matches('0');
            traces
                .iter()
                .any(|trace| trace["traceID"].as_str().is_some_and(|id| id.trim_start_matches('0') == wanted))
                .then_some(())
        })
        .await
        .expect("found by search");
        by_search.push(took);

        let line = std::iter::once(format!("line {number}"));
        let logs = load::logs(&service, line, now_ns());
        assert_eq!(connection.export(Signal::Logs, logs).await, Outcome::Accepted);
        let selector = format!("{{service_name=\"{service}\"}}");
        let ((), took) = query::until(within, || async {
            let parameters = [("query", selector.as_str())];
            let (_, found) =
                query::get(&client, &format!("{loki}/loki/api/v1/query_range"), &parameters).await;
            (!found["data"]["result"].as_array()?.is_empty()).then_some(())
        })
        .await
        .expect("found by label");
        by_label.push(took);
    }
    background.abort();
    for (what, times) in [("trace id", &mut by_id), ("search", &mut by_search), ("label", &mut by_label)] {
        println!(
            "freshness: found by {what} {:?} (p50), {:?} (p99) after the answer, {} probes",
            query::quantile(times, 0.5),
            query::quantile(times, 0.99),
            times.len()
        );
    }
}
