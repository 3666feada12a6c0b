//! `prometheus.yml` in a running stack: what it says is scraped and found, another file changes it, a wrong one does not.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::http;
use tests::mirante::{Stack, command};

/// A server that answers every request with what it is told to.
struct Server {
    address: SocketAddr,
    answer: Arc<Mutex<(&'static str, String)>>,
}

impl Server {
    fn start(kind: &'static str, body: impl Into<String>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new((kind, body.into())));
        let told = Arc::clone(&answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = Arc::clone(&told);
                std::thread::spawn(move || serve(stream, &told));
            }
        });
        Self { address, answer }
    }

    /// A target with one series.
    fn target(value: u32) -> Self {
        Self::start("text/plain; version=0.0.4", format!("# TYPE answer gauge\nanswer {value}\n"))
    }

    fn tell(&self, body: impl Into<String>) {
        self.answer.lock().unwrap().1 = body.into();
    }
}

fn serve(mut stream: TcpStream, told: &Mutex<(&'static str, String)>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut line = String::new();
        while reader.read_line(&mut line).ok()? > 2 {
            line.clear();
        }
        if line.is_empty() {
            return None;
        }
        let (kind, body) = told.lock().unwrap().clone();
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all((head + &body).as_bytes()).ok()?;
    }
}

const EVERY_SECOND: &str = "global: {scrape_interval: 1s, scrape_timeout: 1s}\n";

fn ask(address: &str) -> Value {
    let answer = http::get(address).unwrap();
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

struct Scraping {
    stack: Stack,
    file: PathBuf,
    _dir: tempfile::TempDir,
}

impl Scraping {
    fn start(config: impl FnOnce(&Path) -> String) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("prometheus.yml");
        std::fs::write(&file, EVERY_SECOND.to_owned() + &config(dir.path())).unwrap();
        let stack = Stack::up(
            &dir.path().join("data"),
            &["--no-demo", "--prometheus-config", file.to_str().unwrap()],
        );
        Self { stack, file, _dir: dir }
    }

    fn get(&self, path: &str) -> Value {
        ask(&format!("{}{path}", self.stack.url("prometheus")))
    }

    /// The values of an instant query, each with one of its labels.
    fn query(&self, query: &str, label: &str) -> Vec<(String, String)> {
        let address = self.stack.url("prometheus") + "/api/v1/query";
        let address = reqwest::Url::parse_with_params(&address, [("query", query)]).unwrap();
        let found = ask(address.as_str())["data"]["result"].clone();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let one = |series: &Value| (text(&series["metric"][label]), text(&series["value"][1]));
        found.as_array().unwrap().iter().map(one).collect()
    }

    fn eventually(&self, query: &str, label: &str, expected: &[(&str, &str)]) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let expected: Vec<_> =
            expected.iter().map(|(label, value)| ((*label).to_owned(), (*value).to_owned())).collect();
        loop {
            let mut found = self.query(query, label);
            found.sort();
            if found == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{query}: {found:?}\n{}", self.stack.logged());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn write(&self, config: &str) {
        std::fs::write(&self.file, EVERY_SECOND.to_owned() + config).unwrap();
    }

    fn reload(&self) -> http::Answer {
        http::send("POST", &format!("{}/-/reload", self.stack.url("prometheus")), &[], "").unwrap()
    }

    fn metric(&self, name: &str) -> String {
        let page = http::get(&format!("{}/metrics", self.stack.url("prometheus"))).unwrap().body;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in\n{page}")).to_owned()
    }
}

fn job(name: &str, target: impl std::fmt::Display) -> String {
    format!("- job_name: {name}\n  static_configs: [{{targets: ['{target}']}}]\n")
}

#[test]
fn targets_are_scraped_shown_and_changed_by_a_reload() {
    let (first, second) = (Server::target(42), Server::target(43));
    let dead = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap()
    };
    let jobs = format!("scrape_configs:\n{}{}", job("first", first.address), job("dead", dead));
    let own = job("prometheus", "localhost:9090");
    let running = Scraping::start(|_| format!("{jobs}{own}{}", job("elsewhere", "grafana:3000")));
    running.eventually("up", "job", &[("dead", "0"), ("first", "1"), ("prometheus", "1")]);
    running.eventually("answer", "instance", &[(&first.address.to_string(), "42")]);
    running.eventually("scrape_samples_scraped{job=\"first\"}", "job", &[("first", "1")]);
    let name = first.address.to_string();
    assert_eq!(
        running.get("/api/v1/scrape_pools")["data"]["scrapePools"],
        json!(["dead", "elsewhere", "first", "prometheus"])
    );
    let targets = running.get("/api/v1/targets?scrapePool=first")["data"].clone();
    let target = &targets["activeTargets"][0];
    assert_eq!(target["labels"], json!({"instance": name, "job": "first"}));
    assert_eq!(target["scrapeUrl"], format!("http://{name}/metrics"));
    assert_eq!((&target["health"], &target["scrapeInterval"]), (&json!("up"), &json!("1s")));
    assert_eq!(targets["droppedTargetCounts"]["elsewhere"], 1);
    let down = running.get("/api/v1/targets?scrapePool=dead")["data"]["activeTargets"][0].clone();
    assert_eq!(
        down["lastError"],
        format!("Get \"http://{dead}/metrics\": dial tcp {dead}: connect: connection refused")
    );
    let said = running.get("/api/v1/targets/metadata?metric=answer")["data"].clone();
    assert_eq!(
        said,
        json!([{"target": {"instance": name, "job": "first"}, "type": "gauge", "help": "", "unit": ""}])
    );

    // One job goes, one comes, one stays as it is.
    running.write(&format!(
        "# It stands on another line than before.\nscrape_configs:\n{}{}",
        job("first", first.address),
        job("second", second.address)
    ));
    assert_eq!(running.reload().status, 200);
    running.eventually("answer", "job", &[("first", "42"), ("second", "43")]);
    running.eventually("up", "job", &[("first", "1"), ("second", "1")]);
    assert_eq!(running.metric("prometheus_config_last_reload_successful"), "1");
    // The loop of the first job did not begin anew.
    assert_eq!(running.metric("prometheus_target_scrape_pool_reloads_total"), "0");

    // By a signal as well.
    running.write(&format!("scrape_configs:\n{}", job("first", first.address)));
    running.stack.signal("HUP");
    running.eventually("up", "job", &[("first", "1")]);
    running.stack.stop();
}

#[test]
fn a_wrong_file_changes_nothing_and_does_not_start() {
    let target = Server::target(1);
    let right = format!("scrape_configs:\n{}", job("right", target.address));
    let running = Scraping::start(|_| right.clone());
    running.eventually("up", "job", &[("right", "1")]);
    let since = running.metric("prometheus_config_last_reload_success_timestamp_seconds");
    running.write(&format!("{right}  scrape_timeout: 1y\n  colour: red\n"));
    let answer = running.reload();
    assert_eq!(answer.status, 500);
    let file = running.file.display();
    assert_eq!(
        answer.body,
        format!(
            "failed to reload config: couldn't load configuration (--config.file=\"{file}\"): parsing YAML file {file}: \
             yaml: unmarshal errors:\n  line 6: field colour not found in type config.ScrapeConfig\n"
        )
    );
    assert_eq!(running.metric("prometheus_config_last_reload_successful"), "0");
    assert_eq!(running.metric("prometheus_config_last_reload_success_timestamp_seconds"), since);
    assert_eq!(running.get("/api/v1/status/runtimeinfo")["data"]["reloadConfigSuccess"], false);
    assert!(!running.get("/api/v1/status/config")["data"]["yaml"].as_str().unwrap().contains("colour"));
    running.eventually("up", "job", &[("right", "1")]);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("data");
    let start = command(&["up", "--no-demo", "--prometheus-config"])
        .arg(&running.file)
        .arg("--data-dir")
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&start.stderr).into_owned();
    assert_eq!(start.status.code(), Some(2), "{said}");
    assert!(said.contains(&format!("{file}:6: ")) && said.contains("field colour not found"), "{said}");
    assert!(!path.exists(), "something was begun");

    running.write(&format!("{right}remote_write: [{{url: 'http://example.org/'}}]\n"));
    let answer = running.reload();
    assert!(answer.body.contains("remote_write is not supported by the embedded engine"), "{}", answer.body);
    running.write(&right);
    assert_eq!(running.reload().status, 200);
    assert_eq!(running.metric("prometheus_config_last_reload_successful"), "1");
    running.stack.stop();
}

#[test]
fn targets_are_found_in_files_and_by_http() {
    let (in_file, in_answer) = (Server::target(1), Server::target(2));
    let group =
        |address: SocketAddr| format!(r#"[{{"targets": ["{address}"], "labels": {{"from": "there"}}}}]"#);
    let found = Server::start("application/json", group(in_answer.address));
    let running = Scraping::start(|dir| {
        std::fs::write(dir.join("targets.json"), group(in_file.address)).unwrap();
        format!(
            "scrape_configs:\n- job_name: files\n  file_sd_configs: [{{files: ['*.json'], refresh_interval: 1s}}]\n\
             - job_name: answers\n  http_sd_configs: [{{url: 'http://{}/', refresh_interval: 1s}}]\n",
            found.address
        )
    });
    running.eventually("answer{from=\"there\"}", "job", &[("answers", "2"), ("files", "1")]);
    let discovered = running.get("/api/v1/targets?scrapePool=answers")["data"]["activeTargets"][0].clone();
    assert_eq!(discovered["discoveredLabels"]["__meta_url"], format!("http://{}/", found.address));

    // What is broken keeps what was found; what is empty is empty.
    found.tell("[{");
    std::fs::write(running.file.with_file_name("targets.json"), "[]").unwrap();
    running.eventually("up", "job", &[("answers", "1")]);
    let failures = "prometheus_sd_http_failures_total";
    let deadline = Instant::now() + Duration::from_secs(20);
    while running.metric(failures) == "0" {
        assert!(Instant::now() < deadline, "no failure is counted");
        std::thread::sleep(Duration::from_millis(100));
    }
    found.tell("[]");
    running.eventually("up", "job", &[]);
    running.stack.stop();
}

#[test]
fn the_demo_is_scraped_by_the_file_of_the_stack() {
    let dir = tempfile::tempdir().unwrap();
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("infra/prometheus/prometheus.yml");
    let stack = Stack::up(dir.path(), &["--prometheus-config", file.to_str().unwrap()]);
    let running = Scraping { stack, file, _dir: dir };
    let all = ["albums", "jaeger", "loki", "otel-collector", "prometheus", "tempo", "users"];
    running.eventually("up", "job", &all.map(|job| (job, "1")));
    running.eventually("up{job=\"users\"}", "instance", &[("users:8001", "1")]);
    let logged = running.stack.logged();
    assert!(logged.contains("not scraped") && logged.contains("grafana:3000"), "{logged}");
    running.stack.stop();
}
