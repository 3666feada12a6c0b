//! Prometheus' HTTP API, route by route: the real server and the embedded engine have the same configuration and the same
//! series, are asked the same (`prometheus_api/requests.txt`), and answer the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tempfile::TempDir;
use tests::http::{self, Answer};
use tests::mirante::Stack;
use tests::peers::running::Peer;
use tests::peers::{ask, pinned, trial};
use tests::remote_write::{Connection, Labels, Request};

use crate::pipeline::{WITHIN, below_clients, local, program};

const REQUESTS: &str = include_str!("prometheus_api/requests.txt");

/// Nothing is scraped while the cases run.
const CONFIG: &str = "\
global:
  scrape_interval: 30d
  evaluation_interval: 30d
  external_labels:
    monitor: here
rule_files:
- rules.yml
scrape_configs:
- job_name: nobody
  static_configs:
  - targets: ['127.0.0.1:9', '127.0.0.1:10']
    labels:
      room: a
  relabel_configs:
  - source_labels: [__address__]
    regex: .*:10
    action: drop
- job_name: empty
";

/// Rules that nobody evaluates.
const RULES: &str = "\
groups:
- name: first
  rules:
  - record: up:sum
    expr: sum(up)
    labels: {kind: sum}
  - alert: Down
    expr: up == 0
    for: 5m
    labels: {severity: page}
    annotations: {summary: '{{ $labels.job }} <down>'}
- name: second
  interval: 20d
  limit: 3
  rules:
  - alert: Never
    expr: vector(0) > 1
    keep_firing_for: 1m
";

/// What the embedded engine has always on.
const FEATURES: &str = "--enable-feature=exemplar-storage,promql-experimental-functions,promql-delayed-name-removal,\
                        promql-extended-range-selectors,promql-binop-fill-modifiers,promql-per-step-stats";

const STEP_MS: i64 = 15_000;
const STEPS: i64 = 40;

/// Headers that say something about the answer. The others are of the connection.
const HEADERS: &[&str] = &[
    "content-type",
    "content-encoding",
    "allow",
    "vary",
    "location",
    "cache-control",
    "x-content-type-options",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
];

pub(crate) fn trials() -> Vec<Trial> {
    let mut section = "";
    let mut trials = Vec::new();
    for line in REQUESTS.lines() {
        if let Some(comment) = line.strip_prefix('#') {
            section = comment.trim();
        } else if !line.is_empty() {
            let name = format!("prometheus api: {section} {line}");
            trials.push(trial(&name, &["prometheus"], pinned, move || compare(line)));
        }
    }
    trials
}

/// How far two answers agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Agree {
    Bytes,
    AnyOrder,
    Keys,
    Head,
    Not,
}

/// A line of the file.
struct Case<'a> {
    agree: Agree,
    method: &'a str,
    path: String,
    headers: Vec<(&'a str, &'a str)>,
    body: String,
}

impl<'a> Case<'a> {
    fn read(line: &'a str, end_s: i64) -> Result<Self, Failed> {
        let mut words = line.split(' ').peekable();
        let agree = match words.peek().copied() {
            Some("any-order") => Agree::AnyOrder,
            Some("keys") => Agree::Keys,
            Some("head") => Agree::Head,
            Some("differs") => Agree::Not,
            _ => Agree::Bytes,
        };
        if agree != Agree::Bytes {
            words.next();
        }
        let (Some(method), Some(path)) = (words.next(), words.next()) else { return Err(line.into()) };
        let mut case = Self {
            agree,
            method,
            path: escaped(&with_times(path, end_s)),
            headers: Vec::new(),
            body: String::new(),
        };
        for word in words {
            match word.split_once(':') {
                Some(("header", header)) => case.headers.extend(header.split_once('=')),
                Some(("form", body)) => {
                    case.headers.push(("content-type", "application/x-www-form-urlencoded"));
                    case.body = with_times(body, end_s);
                }
                Some(("type", rest)) => {
                    let (content_type, body) = rest.split_once('|').unwrap_or((rest, ""));
                    case.headers.push(("content-type", content_type));
                    case.body = body.replace("%0d%0a", "\r\n");
                }
                _ => return Err(format!("{word}: {line}").into()),
            }
        }
        Ok(case)
    }

    fn ask(&self, url: &str) -> Result<Answer, Failed> {
        Ok(http::send(self.method, &format!("{url}{}", self.path), &self.headers, &self.body)?)
    }
}

/// `{-60}` as seconds.
fn with_times(text: &str, end_s: i64) -> String {
    let mut out = String::new();
    for part in text.split_inclusive(['{', '}']) {
        let offset = part.strip_suffix('}').and_then(|offset| offset.parse::<i64>().ok());
        match offset.filter(|_| out.ends_with('{')) {
            Some(offset) => {
                out.pop();
                _ = write!(out, "{}", end_s + offset);
            }
            None => out.push_str(part),
        }
    }
    out
}

/// What must not stand in an address, escaped.
fn escaped(path: &str) -> String {
    path.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_graphic() && !b"\"<>{}|^`\\".contains(&byte) {
            escaped.push(byte.into());
        } else {
            _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

fn compare(line: &str) -> Result<(), Failed> {
    let servers = Servers::shared()?;
    let case = Case::read(line, servers.end_s)?;
    let (theirs, ours) = (case.ask(&servers.theirs)?, case.ask(&servers.ours)?);
    let is_same = theirs.status == ours.status
        && told(&theirs) == told(&ours)
        && match case.agree {
            Agree::Bytes | Agree::Not => theirs.body == ours.body,
            Agree::AnyOrder => sorted(&theirs.body)? == sorted(&ours.body)?,
            Agree::Keys => keys(&theirs.body)? == keys(&ours.body)?,
            Agree::Head => true,
        };
    match (is_same, case.agree) {
        (true, Agree::Not) => Err("they agree now: the word in front of it can go".into()),
        (true, _) | (false, Agree::Not) => Ok(()),
        (false, _) => Err(format!(
            "prometheus: {} {:?}\n{}\nhere: {} {:?}\n{}",
            theirs.status,
            told(&theirs),
            theirs.body,
            ours.status,
            told(&ours),
            ours.body
        )
        .into()),
    }
}

fn told(answer: &Answer) -> Vec<(&str, &str)> {
    let headers = answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut told: Vec<_> = headers.filter(|(name, _)| HEADERS.contains(name)).collect();
    // Of one name, the order counts.
    told.sort_by_key(|(name, _)| *name);
    told
}

/// JSON with every list sorted, or lines sorted where it is none.
fn sorted(body: &str) -> Result<Value, Failed> {
    fn sort(value: &mut Value) {
        match value {
            Value::Array(items) => {
                items.iter_mut().for_each(sort);
                items.sort_by_cached_key(Value::to_string);
            }
            Value::Object(fields) => fields.values_mut().for_each(sort),
            _ => {}
        }
    }
    let mut value = serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))?;
    sort(&mut value);
    Ok(value)
}

/// The keys of JSON, those of the first item of a list.
fn keys(body: &str) -> Result<Value, Failed> {
    fn keys(value: &Value) -> Value {
        match value {
            Value::Array(items) => items.first().map(keys).into_iter().collect(),
            Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), keys(value))).collect(),
            _ => Value::Null,
        }
    }
    Ok(keys(&serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))?))
}

static SHARED: Mutex<Option<Arc<Servers>>> = Mutex::new(None);

/// Both servers, with the same series.
pub(crate) struct Servers {
    theirs: String,
    ours: String,
    /// Time of the last sample, seconds since the Unix epoch.
    end_s: i64,
    _peer: Peer,
    _stack: Stack,
    _dir: TempDir,
}

impl Servers {
    fn shared() -> Result<Arc<Self>, Failed> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(servers) = &*shared {
            return Ok(Arc::clone(servers));
        }
        let servers = Arc::new(Self::start()?);
        *shared = Some(Arc::clone(&servers));
        Ok(servers)
    }

    /// Stops them, if a case started them.
    pub(crate) fn stop() {
        SHARED.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn start() -> Result<Self, Failed> {
        let dir = TempDir::new()?;
        let config = dir.path().join("prometheus.yml");
        std::fs::write(&config, CONFIG)?;
        std::fs::write(dir.path().join("rules.yml"), RULES)?;
        let (peer, theirs) = prometheus(dir.path(), &config)?;
        let config = config.display().to_string();
        let stack = Stack::up(
            &dir.path().join("mirante"),
            &["--no-demo", "--enable-admin-api", "--prometheus-config", &config],
        );
        let ours = stack.url("prometheus");
        for url in [&theirs, &ours] {
            let pools = || ask::json(&format!("{url}/api/v1/scrape_pools"));
            let known =
                || pools()["data"]["scrapePools"].as_array().filter(|pools| pools.len() == 2).map(|_| ());
            ask::until("targets are known", WITHIN, known, || pools().to_string())?;
        }
        let end_ms = now_ms() / STEP_MS * STEP_MS;
        for url in [&theirs, &ours] {
            write(url, end_ms)?;
        }
        Ok(Self { theirs, ours, end_s: end_ms / 1000, _peer: peer, _stack: stack, _dir: dir })
    }
}

fn prometheus(dir: &Path, config: &Path) -> Result<(Peer, String), Failed> {
    let port = below_clients();
    let arguments = [
        format!("--config.file={}", config.display()),
        format!("--storage.tsdb.path={}", dir.join("prometheus").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
        format!("--web.external-url={}", local(port)),
        "--web.enable-admin-api".to_owned(),
        "--web.enable-lifecycle".to_owned(),
        "--web.enable-otlp-receiver".to_owned(),
        "--web.enable-remote-write-receiver".to_owned(),
        FEATURES.to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut peer = Peer::start(&program("prometheus")?, &arguments, dir)?;
    peer.ready(&format!("{}/-/ready", local(port)), WITHIN)?;
    Ok((peer, local(port)))
}

#[expect(clippy::disallowed_methods, reason = "the samples are of now")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Gives a server all series: floats by remote write, histograms and exemplars by OTLP.
fn write(url: &str, end_ms: i64) -> Result<(), Failed> {
    let address = url.trim_start_matches("http://");
    let (status, said) = Connection::open(address)?.send(&floats(end_ms).finish())?;
    if status != 204 {
        return Err(format!("remote write to {url}: {status} {said}").into());
    }
    let headers = [("content-type", "application/json")];
    let answer = http::send("POST", &format!("{url}/api/v1/otlp/v1/metrics"), &headers, &histograms(end_ms))?;
    if answer.status == 200 { Ok(()) } else { Err(format!("OTLP to {url}: {answer:?}").into()) }
}

fn labels(name: &str, pairs: &[(&str, &str)]) -> Labels {
    let pairs = pairs.iter().copied().chain([("__name__", name)]);
    let sorted: BTreeMap<_, _> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    sorted.into_iter().collect()
}

fn floats(end_ms: i64) -> Request {
    let mut request = Request::default();
    let mut add = |labels: &Labels, value: &dyn Fn(i64) -> f64| {
        request.series(labels, (0..=STEPS).map(|step| (end_ms - (STEPS - step) * STEP_MS, value(step))));
    };
    for (job, value) in [("a", 1), ("b", 0)] {
        for instance in ["1", "2"] {
            let is_up = |step| if value == 1 { 1.0 } else { (step % 2) as f64 };
            add(&labels("up", &[("job", job), ("instance", instance)]), &is_up);
        }
        for (code, rate) in [("200", 5.0), ("404", 7.04), ("500", 8.0)] {
            let name = labels("api_requests_total", &[("job", job), ("code", code)]);
            add(&name, &|step| step as f64 * rate + 0.1);
        }
    }
    for (number, path) in ["/", "/a/10", "/a/9", "/<b>&\"c\"\\", "/ä/☃", "/\n"].into_iter().enumerate() {
        add(&labels("path_total", &[("path", path)]), &|step| step as f64 * number as f64);
    }
    for method in ["GET", "POST"] {
        let pairs = [("http.method", method), ("with space", "x"), ("job", "dotted")];
        add(&labels("http.requests", &pairs), &|step| step as f64);
    }
    for (which, value) in [
        ("nan", f64::NAN),
        ("inf", f64::INFINITY),
        ("-inf", f64::NEG_INFINITY),
        ("big", 1e300),
        ("small", 1e-300),
        ("neg0", -0.0),
        ("large", 1.234_567_890_123_456_8e19),
        ("third", 1.0 / 3.0),
    ] {
        add(&labels("odd", &[("which", which)]), &|_| value);
    }
    request
}

/// A classic histogram with exemplars and a native one, as OTLP/JSON.
fn histograms(end_ms: i64) -> String {
    let nanos = |time_ms: i64| format!("\"{time_ms}000000\"");
    let start = nanos(end_ms - (STEPS + 1) * STEP_MS);
    let point = |step: i64| {
        let time_ms = end_ms - (STEPS - step) * STEP_MS;
        (nanos(time_ms), nanos(time_ms - 3))
    };
    let classic = |step: i64| {
        let (time, before) = point(step);
        format!(
            r#"{{"startTimeUnixNano":{start},"timeUnixNano":{time},"count":"{}","sum":{step}.5,"explicitBounds":[0.1,1],
            "bucketCounts":["{step}","{}","{step}"],"exemplars":[{{"timeUnixNano":{before},"asDouble":0.05,
            "traceId":"5b8aa5a2d2c872e8321cf37308d69df2","spanId":"051581bf3cb55c13"}}]}}"#,
            4 * step,
            2 * step
        )
    };
    let native = |step: i64| {
        let (time, _) = point(step);
        format!(
            r#"{{"startTimeUnixNano":{start},"timeUnixNano":{time},"count":"{}","sum":{step}.25,"scale":2,"zeroCount":"1",
            "positive":{{"offset":-2,"bucketCounts":["{step}","0","2"]}}}}"#,
            step + 3
        )
    };
    let list = |point: &dyn Fn(i64) -> String| (0..=STEPS).map(point).collect::<Vec<_>>().join(",");
    format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[
        {{"key":"service.name","value":{{"stringValue":"a"}}}},{{"key":"service.instance.id","value":{{"stringValue":"1"}}}}]}},
        "scopeMetrics":[{{"scope":{{"name":"s","version":"1"}},"metrics":[
        {{"name":"latency","unit":"s","description":"how <long>","histogram":{{"aggregationTemporality":2,"dataPoints":[{}]}}}},
        {{"name":"native","exponentialHistogram":{{"aggregationTemporality":2,"dataPoints":[{}]}}}}]}}]}}]}}"#,
        list(&classic),
        list(&native)
    )
}
