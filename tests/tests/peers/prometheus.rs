//! Prometheus with `infra/prometheus`.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use tests::peers::ours::{Ours, root};
use tests::peers::running::{Peer, run};
use tests::peers::{ask, pinned, trial};

use crate::compose;
use crate::pipeline::{NEEDS, Pipeline, Ports, WITHIN, local, program};

/// Nothing listens on it: whatever of the compose network a case does without.
const NOBODY: u16 = 9;

/// Targets that no case starts.
const ABSENT: &[&str] = &[
    "tempo:3200",
    "jaeger:8888",
    "loki:3100",
    "grafana:3000",
    "pyrra-api:9099",
    "pyrra-filesystem:9444",
    "karma:8080",
    "pyroscope:4040",
];

/// A running Prometheus.
pub(crate) struct Prometheus {
    pub(crate) process: Peer,
    pub(crate) url: String,
}

impl Prometheus {
    /// With our file and our rules, in a folder of its own below `dir`. `dir/pyrra` is where it looks for Pyrra's rules.
    pub(crate) fn start(dir: &Path, ports: &Ports) -> Result<Self, Failed> {
        let etc = dir.join("prometheus");
        write_files(&etc, dir, ports)?;
        let data = dir.join("prometheus-data");
        let listen = format!("--web.listen-address=127.0.0.1:{}", ports.prometheus);
        let mut arguments: Vec<String> = compose::command("docker-compose.yaml", "prometheus")?
            .iter()
            .map(|flag| flag.replace("=/etc/prometheus/", &format!("={}/", etc.display())))
            .map(|flag| flag.replace("=/prometheus", &format!("={}", data.display())))
            .collect();
        arguments.push(listen);
        // An alert that fires before the first look for Alertmanagers, five seconds after the start, is told again after
        // a minute otherwise.
        arguments.push("--rules.alert.resend-delay=1s".to_owned());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let process = Peer::start(&program("prometheus")?, &arguments, dir)?;
        Ok(Self { process, url: local(ports.prometheus) })
    }
}

/// `prometheus.yml` and `rules/`. Everything is scraped and evaluated each second, and an alert waits for two seconds where
/// ours wait for minutes.
fn write_files(etc: &Path, dir: &Path, ports: &Ports) -> Result<(), Failed> {
    let mut file = Ours::read("infra/prometheus/prometheus.yml")?
        .value("scrape_interval", "1s")
        .value("scrape_timeout", "1s")
        .value("evaluation_interval", "1s")
        .replace("/rules/pyrra/", &format!("{}/pyrra/", dir.display()))
        .address("localhost:9090", ports.prometheus)
        .address("users:8001", ports.users)
        .address("albums:8002", ports.albums)
        .address("otel-collector:8888", ports.collector_own)
        .address("alertmanager:9093", ports.alertmanager);
    for address in ABSENT {
        file = file.address(address, NOBODY);
    }
    file.write(&etc.join("prometheus.yml"))?;
    for name in rule_files()? {
        let mut rules = Ours::read(&format!("infra/prometheus/rules/{name}"))?;
        for wait in ["for", "keep_firing_for"] {
            if rules.has(wait) {
                rules = rules.value(wait, "2s");
            }
        }
        rules.write(&etc.join("rules").join(name))?;
    }
    Ok(())
}

fn rule_files() -> Result<Vec<String>, Failed> {
    let entries = std::fs::read_dir(root().join("infra/prometheus/rules"))?.flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    Ok(names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "yml")).collect())
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("prometheus: its own tool finds our files right", &["promtool"], pinned, checked),
        trial("prometheus: the services are scraped", NEEDS, pinned, scraped),
        trial("prometheus: every rule is evaluated without an error", NEEDS, pinned, rules_are_healthy),
        trial("prometheus: the services' metrics arrive over OTLP", NEEDS, pinned, over_otlp),
    ]
}

fn checked() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let file = root().join("infra/prometheus/prometheus.yml");
    let (code, said) = run(&program("promtool")?, &["check", "config", &file.to_string_lossy()], dir.path())?;
    if code == 0 { Ok(()) } else { Err(said.into()) }
}

fn scraped() -> Result<(), Failed> {
    let pipeline = Pipeline::shared()?;
    for job in ["users", "albums", "otel-collector", "prometheus"] {
        let url = &pipeline.prometheus.url;
        let is_up = || ask::series(url, &format!("up{{job=\"{job}\"}} == 1")).pop();
        let targets = || ask::json(&format!("{url}/api/v1/targets?state=active"));
        let failed = || {
            let targets = targets();
            let all = targets["data"]["activeTargets"].as_array().cloned().unwrap_or_default();
            let ours = all.into_iter().filter(|target| target["labels"]["job"] == job);
            ours.map(|target| target["lastError"].to_string()).collect()
        };
        ask::until(&format!("{job} is scraped"), WITHIN, is_up, failed)?;
    }
    Ok(())
}

/// Every rule of a running Prometheus, as `(name, health, error)`.
pub(crate) fn rules(url: &str) -> Vec<(String, String, String)> {
    let answer = ask::json(&format!("{url}/api/v1/rules"));
    let groups = answer["data"]["groups"].as_array().cloned().unwrap_or_default();
    let rules = groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default());
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    rules.map(|rule| (text(&rule["name"]), text(&rule["health"]), text(&rule["lastError"]))).collect()
}

/// Waits until every rule was evaluated; fails where one has an error.
pub(crate) fn all_healthy(url: &str, at_least: usize) -> Result<(), Failed> {
    let evaluated = || {
        let rules = rules(url);
        let is_done = rules.len() >= at_least && rules.iter().all(|(_, health, _)| health != "unknown");
        is_done.then_some(rules)
    };
    let within = Duration::from_secs(60);
    let rules = ask::until("every rule is evaluated", within, evaluated, || format!("{:?}", rules(url)))?;
    let broken: Vec<String> = rules
        .iter()
        .filter(|(_, health, _)| health != "ok")
        .map(|(name, health, error)| format!("{name} is {health}: {error}"))
        .collect();
    if broken.is_empty() { Ok(()) } else { Err(broken.join("\n").into()) }
}

fn rules_are_healthy() -> Result<(), Failed> {
    let pipeline = Pipeline::shared()?;
    // With something to evaluate: rules over nothing are healthy too.
    over_otlp()?;
    let mut ours = 0;
    for name in rule_files()? {
        let text = std::fs::read_to_string(root().join("infra/prometheus/rules").join(&name))?;
        let rules = text.lines().map(str::trim_start);
        ours += rules.filter(|line| line.starts_with("- record:") || line.starts_with("- alert:")).count();
    }
    all_healthy(&pipeline.prometheus.url, ours)
}

fn over_otlp() -> Result<(), Failed> {
    let pipeline = Pipeline::shared()?;
    for service in ["users", "albums"] {
        let query = format!("http_server_request_duration_seconds_count{{job=\"demo/{service}\"}}");
        let arrived = || {
            // Health questions are not counted; this is a request that is.
            tests::http::get(&format!("{}/users/1/albums", pipeline.users())).ok();
            ask::series(&pipeline.prometheus.url, &query).pop()
        };
        let series = ask::until(&query, WITHIN, arrived, || pipeline.collector.last_words())?;
        let label = |name: &str| series.labels.get(name).map(String::as_str);
        for (name, value) in [
            ("service_name", service),
            ("service_namespace", "demo"),
            ("deployment_environment_name", "demo"),
            ("http_request_method", "GET"),
            ("http_response_status_code", "200"),
            ("url_scheme", "http"),
        ] {
            if label(name) != Some(value) {
                return Err(format!("{name} is not {value}: {:?}", series.labels).into());
            }
        }
        for name in ["instance", "http_route"] {
            label(name).ok_or_else(|| format!("no {name}: {:?}", series.labels))?;
        }
    }
    Ok(())
}

/// Exemplars of a metric, each with its labels.
pub(crate) fn exemplars_of(url: &str, query: &str) -> Vec<serde_json::Value> {
    // The server's own clock.
    let now = ask::series(url, "vector(time())").pop().map_or(0.0, |series| series.value);
    let (query, from, to) = (ask::escaped(query), now - 600.0, now + 60.0);
    let answer = ask::json(&format!("{url}/api/v1/query_exemplars?query={query}&start={from}&end={to}"));
    let series = answer["data"].as_array().cloned().unwrap_or_default();
    series.iter().flat_map(|series| series["exemplars"].as_array().cloned().unwrap_or_default()).collect()
}
