//! What a span costs: decoding, log and head, sealing, and how fast it is found.
//!
//! `cargo bench -p tracestore --bench ingest [-- SPANS] [no-queries]`. The store lies in a temporary directory of the
//! system (`TMPDIR`); with one in memory the disk is left out. What a span costs is processor time of one thread, how
//! fast a query is answered is by the clock.
//!
//! Two kinds of data: `load`, batches of 512 spans of about 300 bytes with eight attributes of which two hardly ever
//! repeat; and `demo`, what two HTTP services with a database emit.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark: it prints, and a panic is its report"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{
    Event, Resource, Scope, Span, SpanId, SpanKind, StatusCode, SystemClock, TimeRange, TraceId, Value,
};
use otlp::traces::{Limits, decode, encode_to_vec};
use tracestore::{Config, Search, SpanFilter, Tag, TagMatch, TagScopes, TraceStore};

const BATCH: usize = 512;
const START_NS: u64 = 1_795_000_000_000_000_000;

/// A small generator of numbers without a pattern (xorshift64*), so that two runs have the same data.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn trace_id(&mut self) -> TraceId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.next().to_be_bytes());
        id[8..].copy_from_slice(&self.next().to_be_bytes());
        TraceId(id)
    }

    fn span_id(&mut self) -> SpanId {
        SpanId(self.next().to_be_bytes())
    }
}

fn text(key: &str, value: impl Into<String>) -> (String, Value) {
    (key.to_owned(), Value::String(value.into()))
}

fn resource(service: &str) -> Arc<Resource> {
    Arc::new(Resource {
        attributes: vec![
            text("service.name", service),
            text("service.namespace", "demo"),
            text("service.version", "0.1.0"),
            text("telemetry.sdk.language", "rust"),
            text("telemetry.sdk.name", "opentelemetry"),
            text("telemetry.sdk.version", "0.33.1"),
            text("service.instance.id", format!("{service}-4f1c2d3e-1111-4222-8333-944455556666")),
        ],
        ..Resource::default()
    })
}

/// Spans of about 300 bytes with eight attributes; eight spans a trace.
fn load(random: &mut Random, count: usize) -> Vec<Span> {
    let resource = resource("load");
    let scope = Arc::new(Scope { name: "load".into(), version: "1.0".into(), ..Scope::default() });
    let mut spans: Vec<Span> = Vec::with_capacity(count);
    for index in 0..count {
        let (trace_id, parent) = match spans.last() {
            Some(last) if index % 8 != 0 => (last.trace_id, last.span_id),
            _ => (random.trace_id(), SpanId::ZERO),
        };
        let start_ns = START_NS + index as u64 * 5_000 + random.below(1000);
        spans.push(Span {
            trace_id,
            span_id: random.span_id(),
            parent_span_id: parent,
            flags: 0x101,
            name: format!("GET /api/items/{}", random.below(50)),
            kind: SpanKind::Server,
            start_ns,
            end_ns: start_ns + random.below(20_000_000),
            attributes: vec![
                text("http.request.method", "GET"),
                text("http.route", format!("/api/items/{}", random.below(50))),
                ("http.response.status_code".into(), Value::Int(200 + random.below(5) as i64)),
                text("server.address", format!("node-{}", random.below(20))),
                text("client.address", format!("10.0.{}.{}", random.below(256), random.below(256))),
                ("net.peer.port".into(), Value::Int(random.below(60_000) as i64)),
                text("request.id", format!("{:016x}", random.next())),
                text("user.id", format!("user-{}", random.below(100_000))),
            ],
            status_code: StatusCode::Unset,
            resource: Arc::clone(&resource),
            scope: Arc::clone(&scope),
            ..Span::default()
        });
    }
    spans
}

/// Requests to two services with a database behind each.
fn demo(random: &mut Random, count: usize) -> Vec<Span> {
    let (users, albums) = (resource("users"), resource("albums"));
    let http =
        Arc::new(Scope { name: "tracing-otel-http".into(), version: "0.1".into(), ..Scope::default() });
    let sql = Arc::new(Scope { name: "sqlx".into(), version: "0.9".into(), ..Scope::default() });
    let mut spans = Vec::with_capacity(count + 8);
    let mut at = START_NS;
    while spans.len() < count {
        at += 10_000_000 + random.below(20_000_000);
        let trace_id = random.trace_id();
        let (route, path) = match random.below(4) {
            0 => ("/users", "/users".to_owned()),
            1 => ("/users/{id}", format!("/users/{}", random.below(100))),
            2 => ("/albums", "/albums".to_owned()),
            _ => ("/users/{id}/albums", format!("/users/{}/albums", random.below(100))),
        };
        let fails = random.below(10) == 0;
        let mut push = |span_id: SpanId,
                        parent: SpanId,
                        name: String,
                        kind: SpanKind,
                        start_ns: u64,
                        duration: u64,
                        resource: &Arc<Resource>,
                        scope: &Arc<Scope>,
                        attributes: Vec<(String, Value)>| {
            spans.push(Span {
                trace_id,
                span_id,
                parent_span_id: parent,
                flags: 0x101,
                name,
                kind,
                start_ns,
                end_ns: start_ns + duration,
                attributes,
                status_code: if fails { StatusCode::Error } else { StatusCode::Unset },
                events: if fails {
                    vec![Event {
                        time_ns: start_ns + duration / 2,
                        name: "exception".into(),
                        attributes: vec![
                            text("exception.type", "injected"),
                            text("exception.message", "a fault was asked for"),
                        ],
                        dropped_attributes_count: 0,
                    }]
                } else {
                    Vec::new()
                },
                resource: Arc::clone(resource),
                scope: Arc::clone(scope),
                ..Span::default()
            });
        };
        let server = |path: &str, port: i64| {
            vec![
                text("http.request.method", "GET"),
                text("http.route", route),
                text("url.path", path),
                text("url.scheme", "http"),
                text("network.protocol.version", "1.1"),
                text("server.address", "localhost"),
                ("server.port".into(), Value::Int(port)),
                text("user_agent.original", "k6/1.3.0 (https://k6.io/)"),
                ("http.response.status_code".into(), Value::Int(if fails { 500 } else { 200 })),
            ]
        };
        let statement = |text_of: &str| {
            vec![
                text("db.system.name", "sqlite"),
                text("db.query.text", text_of),
                text("db.operation.name", "SELECT"),
                text("db.collection.name", "users"),
                ("db.response.returned_rows".into(), Value::Int(3)),
            ]
        };
        let root = random.span_id();
        let duration = 1_000_000 + random.below(9_000_000);
        push(
            root,
            SpanId::ZERO,
            format!("GET {route}"),
            SpanKind::Server,
            at,
            duration,
            &users,
            &http,
            server(&path, 8001),
        );
        let query = random.span_id();
        let select = statement("SELECT id, name, email FROM users WHERE id = ?");
        push(
            query,
            root,
            "SELECT users".into(),
            SpanKind::Client,
            at + 100_000,
            random.below(400_000),
            &users,
            &sql,
            select,
        );
        if route.contains("albums") {
            let (call, inner, query) = (random.span_id(), random.span_id(), random.span_id());
            let client = vec![
                text("http.request.method", "GET"),
                text("url.full", "http://127.0.0.1:8002/albums?user=1"),
                text("server.address", "127.0.0.1"),
                ("server.port".into(), Value::Int(8002)),
                ("http.response.status_code".into(), Value::Int(200)),
            ];
            push(
                call,
                root,
                "GET".into(),
                SpanKind::Client,
                at + 500_000,
                duration / 2,
                &users,
                &http,
                client,
            );
            push(
                inner,
                call,
                "GET /albums".into(),
                SpanKind::Server,
                at + 700_000,
                duration / 3,
                &albums,
                &http,
                server("/albums", 8002),
            );
            let select = statement("SELECT id, title, user_id FROM albums ORDER BY id LIMIT ?");
            push(
                query,
                inner,
                "SELECT albums".into(),
                SpanKind::Client,
                at + 800_000,
                duration / 4,
                &albums,
                &sql,
                select,
            );
        }
    }
    spans
}

/// Processor time of this thread, which other programs on the machine do not lengthen.
struct Processor(Duration);

impl Processor {
    fn begin() -> Self {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Self(Duration::new(now.tv_sec as u64, now.tv_nsec as u32))
    }

    fn elapsed(&self) -> Duration {
        Self::begin().0.saturating_sub(self.0)
    }
}

fn rate(count: usize, took: Duration) -> String {
    format!(
        "{:>9.0}/s  {:>6.3} us each",
        count as f64 / took.as_secs_f64(),
        took.as_secs_f64() * 1e6 / count as f64
    )
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    format!("p50 {:.3} ms  p99 {:.3} ms  most {:.3} ms", at(0.5), at(0.99), at(1.0))
}

fn ask(store: &TraceStore, ids: &[TraceId], name: &str, tag: (&str, &str)) {
    if std::env::args().any(|argument| argument == "no-queries") {
        return;
    }
    let times: Vec<Duration> = ids
        .iter()
        .map(|id| {
            let begin = Instant::now();
            assert!(!store.trace(*id, TimeRange::ALL).unwrap().is_empty());
            begin.elapsed()
        })
        .collect();
    println!("  trace by id              {}", percentiles(times));
    let search = |filter: SpanFilter| Search {
        range: TimeRange::ALL,
        filter,
        also: Vec::new(),
        overlaps: None,
        root_service_contains: None,
        root_name_contains: None,
        min_trace_duration_ns: None,
        max_trace_duration_ns: None,
        limit: 20,
        spans_per_trace: 3,
    };
    let tagged = |value: &str| SpanFilter {
        tags: vec![Tag {
            scopes: TagScopes::ALL,
            key: tag.0.to_owned(),
            value: value.to_owned(),
            matching: TagMatch::Equal,
        }],
        ..SpanFilter::default()
    };
    for (what, filter) in [
        ("newest 20             ", SpanFilter::default()),
        ("by name               ", SpanFilter { name: Some(name.to_owned()), ..SpanFilter::default() }),
        ("by attribute          ", tagged(tag.1)),
        ("by attribute, nothing ", tagged("no such value")),
        (
            "by duration, nothing  ",
            SpanFilter { min_duration_ns: Some(u64::MAX / 4), ..SpanFilter::default() },
        ),
    ] {
        let search = search(filter);
        let times: Vec<Duration> = (0..20)
            .map(|_| {
                let begin = Instant::now();
                store.search(&search).unwrap();
                begin.elapsed()
            })
            .collect();
        println!("  {what}   {}", percentiles(times));
    }
    let begin = Instant::now();
    let services = store.services(TimeRange::ALL).unwrap();
    println!("  services                 {:.3} ms ({})", begin.elapsed().as_secs_f64() * 1e3, services.len());
    let begin = Instant::now();
    let calls = store.dependencies(TimeRange::ALL).unwrap();
    println!("  dependencies             {:.3} ms ({})", begin.elapsed().as_secs_f64() * 1e3, calls.len());
}

fn run(what: &str, spans: &[Span], name: &str, tag: (&str, &str)) {
    let count = spans.len();
    let requests: Vec<Vec<u8>> = spans.chunks(BATCH).map(encode_to_vec).collect();
    let bytes: usize = requests.iter().map(Vec::len).sum();
    println!(
        "{what}: {count} spans in {} requests, {:.0} bytes a span on the wire",
        requests.len(),
        bytes as f64 / count as f64
    );
    let ids: Vec<TraceId> = spans.iter().step_by((count / 200).max(1)).map(|span| span.trace_id).collect();

    let limits = Limits::default();
    let begin = Processor::begin();
    for request in &requests {
        assert!(decode(request, &limits).unwrap().0.span_count() > 0);
    }
    println!("  decode                   {}", rate(count, begin.elapsed()));

    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path().join("wal"), dir.path().join("blocks"), 2 << 30);
    config.background = false;
    let store = TraceStore::open(config.clone(), Arc::new(SystemClock)).unwrap();
    let before = resident_mb();
    let begin = Processor::begin();
    for request in &requests {
        let (batch, _) = decode(request, &limits).unwrap();
        store.append(&batch).unwrap();
    }
    println!("  decode, log and head     {}", rate(count, begin.elapsed()));
    let stats = store.stats();
    println!(
        "  head                     {:.0} bytes a span by its own count, {:.0} MB more resident",
        stats.head_bytes as f64 / count as f64,
        resident_mb() - before
    );
    ask(&store, &ids, name, tag);
    drop(store);
    let begin = Processor::begin();
    let store = TraceStore::open(config, Arc::new(SystemClock)).unwrap();
    println!("  replay                   {}", rate(count, begin.elapsed()));
    let begin = Processor::begin();
    store.seal().unwrap();
    println!("  seal                     {}", rate(count, begin.elapsed()));
    let stats = store.stats();
    let on_disk: u64 = walk(&dir.path().join("blocks"));
    println!(
        "  block                    {:.1} bytes a span, {:.1} with what lies beside it",
        stats.block_bytes as f64 / count as f64,
        on_disk as f64 / count as f64
    );
    ask(&store, &ids, name, tag);
    if std::env::var_os("KEEP").is_some() {
        println!("  kept in {}", dir.keep().display());
    }
}

fn walk(dir: &std::path::Path) -> u64 {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        bytes += if path.is_dir() { walk(&path) } else { path.metadata().unwrap().len() };
    }
    bytes
}

fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(262_144);
    let mut random = Random(42);
    run("load", &load(&mut random, count), "GET /api/items/7", ("user.id", "user-77"));
    run("demo", &demo(&mut random, count.min(100_000)), "GET /albums", ("url.path", "/users/7"));
}
