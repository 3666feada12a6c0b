//! Every PromQL expression of the dashboards, the rules and the objectives, asked of the embedded engine while the demo
//! runs under load: none may fail, and each metric that they name has to be there.
//!
//! The demo, its spans and k6 feed the engine as they do for whoever types `make up`. What only components that run in
//! compose tell of themselves is named in [`ELSEWHERE`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};
use model::MatchOp;
use serde_json::Value;
use tests::files::expressions::{Expression, filled_in};
use tests::files::queries::{metric_queries, recorded};
use tests::http;
use tests::mirante::Stack;
use tests::peers::ours::{Ours, root};
use tests::peers::running::Peer;
use tests::peers::{ask, pinned, trial};

/// Metrics by how their names begin, of components that the embedded engine is, or does without.
const ELSEWHERE: &[(&str, &str)] = &[
    ("alertmanager_", "Alertmanager"),
    ("grafana_", "Grafana"),
    ("karma_", "Karma"),
    ("loki_", "Loki"),
    ("otelcol_", "the Collector"),
    ("prometheus_notifications_", "Prometheus, of the Alertmanagers that it is told of"),
    ("prometheus_rule_", "Prometheus, of its rules"),
    ("prometheus_tsdb_compactions_failed_total", "Prometheus, of its blocks"),
    ("prometheus_tsdb_out_of_", "Prometheus, of samples that it refuses"),
    ("prometheus_tsdb_too_old_samples_total", "Prometheus, of samples that it refuses"),
    ("prometheus_tsdb_wal_record_", "Prometheus, of its log"),
    ("prometheus_tsdb_wal_writes_failed_total", "Prometheus, of its log"),
    ("pyroscope_", "Pyroscope"),
    ("pyrra_", "Pyrra"),
    ("tempo", "Tempo"),
    ("go_goroutines", "whatever is written in Go"),
];

/// What the ruler makes of alerts, and what k6 tells only when it could not begin a session.
const SOMETIMES: [&str; 2] = ["ALERTS", "k6_dropped_iterations_total"];

/// How the names of k6's metrics begin.
const K6: &str = "k6_";

/// How long until everything has been told once: spans are counted every 15 seconds.
const WITHIN: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let trials = match trials() {
        Ok(trials) => trials,
        Err(error) => vec![Trial::test("expressions are found", move || Err(error.into()))],
    };
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    SHARED.lock().unwrap_or_else(PoisonError::into_inner).take();
    conclusion.exit_code()
}

fn trials() -> Result<Vec<Trial>, String> {
    let mut trials = Vec::new();
    let mut places: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (number, expression) in metric_queries()?.into_iter().enumerate() {
        for name in names(&expression) {
            places.entry(name).or_default().insert(expression.place.clone());
        }
        let name = format!("{number}: {} is answered", expression.place);
        trials.push(Trial::test(name, move || answered(&expression)));
    }
    let fed = fed(places.keys().cloned())?;
    for (name, places) in places.into_iter().filter(|(name, _)| fed.contains(name)) {
        let title = format!("{name} is there");
        trials.push(if name.starts_with(K6) {
            trial(&title, &["k6"], pinned, move || is_there(&name, &places))
        } else {
            Trial::test(title, move || is_there(&name, &places))
        });
    }
    Ok(trials)
}

/// The metrics that an expression names. One that is not read says so where it is asked.
fn names(expression: &Expression) -> Vec<String> {
    let Ok(parsed) = promql::parse(&filled_in(&expression.text)) else { return Vec::new() };
    let selectors = parsed.selectors();
    let matchers = selectors.into_iter().flatten();
    let names = matchers.filter(|matcher| matcher.name() == "__name__" && matcher.op() == MatchOp::Equal);
    names.map(|matcher| matcher.value().to_owned()).collect()
}

fn answered(expression: &Expression) -> Result<(), Failed> {
    let demo = Demo::shared()?;
    let query = filled_in(&expression.text);
    let escaped = ask::escaped(&query);
    let now = demo.until;
    for request in [
        format!("query?query={escaped}&time={now}"),
        format!("query_range?query={escaped}&start={}&end={now}&step=5", now - 300),
    ] {
        let answer = http::get(&format!("{}/api/v1/{request}", demo.prometheus))?;
        let body: Value = serde_json::from_str(&answer.body)?;
        if answer.status != 200 || body["status"] != "success" {
            return Err(format!("{query}: {}: {}", answer.status, answer.body).into());
        }
        // Panels that sort ask for one time.
        let is_sorted_range = request.starts_with("query_range") && query.starts_with("sort");
        if body["warnings"].is_array() && !is_sorted_range {
            return Err(format!("{query}: {}", body["warnings"]).into());
        }
    }
    Ok(())
}

fn is_there(name: &str, places: &BTreeSet<String>) -> Result<(), Failed> {
    let demo = Demo::shared()?;
    if demo.names.contains(name) {
        Ok(())
    } else {
        Err(format!("it is not, and is asked for by {places:#?}").into())
    }
}

/// The demo after some load.
struct Demo {
    prometheus: String,
    /// The time of questions, in seconds.
    until: i64,
    /// Every metric that there is.
    names: BTreeSet<String>,
    _mirante: Stack,
    _dir: tempfile::TempDir,
}

static SHARED: Mutex<Option<Arc<Demo>>> = Mutex::new(None);

impl Demo {
    fn shared() -> Result<Arc<Self>, Failed> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*shared {
            return Ok(Arc::clone(running));
        }
        Ok(Arc::clone(shared.insert(Arc::new(Self::start()?))))
    }

    fn start() -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        let config = write_config(&dir.path().join("prometheus"))?;
        let mirante =
            Stack::up(&dir.path().join("data"), &["--prometheus-config", &config.to_string_lossy()]);
        let prometheus = mirante.url("prometheus");
        let load = load_test(&mirante, dir.path())?;
        let mut wanted = fed(metric_queries()?.iter().flat_map(names))?;
        if load.is_none() {
            wanted.retain(|name| !name.starts_with(K6));
        }
        let deadline = Instant::now() + WITHIN;
        let mut names = BTreeSet::new();
        while !wanted.is_subset(&names) && Instant::now() < deadline {
            browse(&mirante);
            let told = ask::json(&format!("{prometheus}/api/v1/label/__name__/values"));
            names = told["data"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
        }
        drop(load);
        let now = ask::json(&format!("{prometheus}/api/v1/query?query=time()"));
        let until = now["data"]["result"][0].as_f64().ok_or("no time")? as i64;
        Ok(Self { prometheus, until, names, _mirante: mirante, _dir: dir })
    }
}

/// Those of some metrics that the demo feeds.
fn fed(names: impl Iterator<Item = String>) -> Result<BTreeSet<String>, String> {
    let recorded = recorded()?;
    let is_elsewhere = |name: &String| ELSEWHERE.iter().any(|(prefix, _)| name.starts_with(prefix));
    let is_fed = |name: &String| {
        !is_elsewhere(name) && !recorded.contains(name) && !SOMETIMES.contains(&name.as_str())
    };
    Ok(names.filter(is_fed).collect())
}

/// Our file and our rules, in a hurry.
fn write_config(dir: &Path) -> Result<std::path::PathBuf, Failed> {
    let file = dir.join("prometheus.yml");
    Ours::read("infra/prometheus/prometheus.yml")?
        .value("scrape_interval", "1s")
        .value("scrape_timeout", "1s")
        .value("evaluation_interval", "1s")
        .write(&file)?;
    for path in tests::files::below("infra/prometheus/rules", &["yml"]) {
        let name = Path::new(&path).file_name().ok_or("no file")?;
        Ours::read(&path)?.write(&dir.join("rules").join(name))?;
    }
    Ok(file)
}

/// k6 with our script, where there is one.
fn load_test(mirante: &Stack, dir: &Path) -> Result<Option<Peer>, Failed> {
    let Some(program) = pinned("k6") else { return Ok(None) };
    let variables = [
        ("BASE_URL", mirante.url("users")),
        ("ALBUMS_URL", mirante.url("albums")),
        ("RATE", "2".to_owned()),
        ("DURATION", "60s".to_owned()),
        ("K6_OTEL_METRIC_PREFIX", "k6_".to_owned()),
        ("K6_OTEL_SERVICE_NAME", "k6".to_owned()),
        ("K6_OTEL_GRPC_EXPORTER_ENDPOINT", mirante.address("otlp-grpc")),
        ("K6_OTEL_GRPC_EXPORTER_INSECURE", "true".to_owned()),
        ("K6_OTEL_EXPORT_INTERVAL", "1s".to_owned()),
        ("K6_NO_USAGE_REPORT", "true".to_owned()),
    ];
    let script = root().join("k6-script.js");
    let arguments = ["run", "--quiet", "-o", "opentelemetry", &script.to_string_lossy()];
    Ok(Some(Peer::start_with(&program, &arguments, &variables, dir)?))
}

/// What somebody clicks, wrong addresses too.
fn browse(mirante: &Stack) {
    let (users, albums) = (mirante.url("users"), mirante.url("albums"));
    for path in
        ["/", "/users", "/users/1", "/users/999", "/albums", "/users/2/albums", "/user/ada", "/nowhere"]
    {
        // The demo fails now and then, as it should.
        _ = http::get(&format!("{users}{path}"));
    }
    for path in ["/albums", "/albums/1"] {
        _ = http::get(&format!("{albums}{path}"));
    }
    std::thread::sleep(Duration::from_millis(200));
}
