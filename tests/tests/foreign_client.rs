//! A client that shares no line of code with the server: the OpenTelemetry SDK for Python, as `opentelemetry-instrument`
//! puts it around a small Flask program. It sends all three signals over gRPC and over HTTP, and each is looked for
//! through the API of every component that keeps it.
//!
//! `tests/setup.sh` makes the Python that it runs in. Without it, or without a built `mirante`, the cases are listed as
//! ignored; with `CI=true` they fail.

use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use reqwest::Client;
use serde_json::Value;
use tests::mirante::{Stack, free_port};
use tests::query;

/// A signal is exported every half a second and found at once; the rest is for a busy machine.
const WITHIN: Duration = Duration::from_secs(30);
const GREETINGS: usize = 5;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let missing = [(!python("opentelemetry-instrument").is_file())
        .then_some("there is no Python with OpenTelemetry: tests/setup.sh")];
    let missing: Vec<&str> = missing.into_iter().flatten().collect();
    let in_ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let mut trials = Vec::new();
    for protocol in ["grpc", "http/protobuf"] {
        let missing = missing.join("; ");
        let is_skipped = !missing.is_empty() && !in_ci;
        let scene = Arc::new(Scene { protocol, missing, said: Mutex::new(None) });
        let cases: [(&str, Case); 5] = [
            ("trace in Tempo", |said| Box::pin(found_in_tempo(said))),
            ("trace in Jaeger", |said| Box::pin(found_in_jaeger(said))),
            ("log lines in Loki", |said| Box::pin(found_in_loki(said))),
            ("counter in Prometheus", |said| Box::pin(counter_in_prometheus(said))),
            ("histogram in Prometheus", |said| Box::pin(histogram_in_prometheus(said))),
        ];
        for (name, case) in cases {
            let scene = Arc::clone(&scene);
            let name = if is_skipped {
                format!("{protocol}: {name} (skipped: {})", scene.missing)
            } else {
                format!("{protocol}: {name}")
            };
            let trial = Trial::test(name, move || scene.run(case));
            trials.push(trial.with_ignored_flag(is_skipped));
        }
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

type Case = for<'a> fn(&'a Said) -> std::pin::Pin<Box<dyn Future<Output = Result<(), Failed>> + 'a>>;

/// A protocol, and what the program said over it; it is run once for all cases.
struct Scene {
    protocol: &'static str,
    missing: String,
    said: Mutex<Option<Arc<Said>>>,
}

impl Scene {
    fn run(&self, case: Case) -> Result<(), Failed> {
        if !self.missing.is_empty() {
            return Err(self.missing.clone().into());
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let said = {
            let mut said = self.said.lock().map_err(|_| "the program could not be started")?;
            match &*said {
                Some(said) => Arc::clone(said),
                None => Arc::clone(said.insert(Arc::new(runtime.block_on(Said::start(self.protocol))?))),
            }
        };
        runtime.block_on(case(&said))
    }
}

/// A stack and a Python program that sends to it and has greeted.
struct Said {
    mirante: Stack,
    service: String,
    /// Dropped, and so ended, after the cases.
    _program: Program,
    _dir: tempfile::TempDir,
}

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Programs of the Python that `tests/setup.sh` makes: target/debug/deps/some_test → target/test-python/bin.
static PYTHON: LazyLock<PathBuf> = LazyLock::new(|| {
    let test = std::env::current_exe().unwrap_or_default();
    test.ancestors().nth(3).map(|target| target.join("test-python/bin")).unwrap_or_default()
});

fn python(program: &str) -> PathBuf {
    PYTHON.join(program)
}

impl Said {
    async fn start(protocol: &str) -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        let mirante = Stack::up(&dir.path().join("data"), &["--no-demo"]);
        let service = format!("py-{}", protocol.replace('/', "-"));
        let endpoint = mirante.url(if protocol == "grpc" { "otlp-grpc" } else { "otlp-http" });
        let port = free_port();
        let output = std::fs::File::create(dir.path().join("python.log"))?;
        let child = Command::new(python("opentelemetry-instrument"))
            .arg(python("python"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/app.py"))
            .arg(port.to_string())
            .env("OTEL_SERVICE_NAME", &service)
            .env("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=foreign,service.instance.id=one")
            .env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
            .env("OTEL_TRACES_EXPORTER", "otlp")
            .env("OTEL_METRICS_EXPORTER", "otlp")
            .env("OTEL_LOGS_EXPORTER", "otlp")
            .env("OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED", "true")
            .env("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
            .env("OTEL_BSP_SCHEDULE_DELAY", "200")
            .env("OTEL_BLRP_SCHEDULE_DELAY", "200")
            .env("OTEL_METRIC_EXPORT_INTERVAL", "500")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let program = Program(child);
        let client = Client::new();
        let base = format!("http://127.0.0.1:{port}");
        let is_up = || async { client.get(format!("{base}/healthz")).send().await.ok().map(|_| ()) };
        if query::until(WITHIN, is_up).await.is_err() {
            let log = std::fs::read_to_string(dir.path().join("python.log")).unwrap_or_default();
            return Err(format!("the Python program does not answer:\n{log}").into());
        }
        for number in 0..GREETINGS {
            let greeted = client.get(format!("{base}/greet/guest-{number}")).send().await?.text().await?;
            if greeted != format!("Hello guest-{number}\n") {
                return Err(format!("the Python program said {greeted:?}").into());
            }
        }
        Ok(Self { mirante, service, _program: program, _dir: dir })
    }

    fn job(&self) -> String {
        format!("foreign/{}", self.service)
    }

    /// Asks until `find` finds something in the answer.
    async fn ask<T>(
        &self,
        part: &str,
        path: &str,
        parameters: &[(&str, &str)],
        find: impl Fn(&Value) -> Option<T>,
    ) -> Result<T, Failed> {
        let client = Client::new();
        let url = format!("{}{path}", self.mirante.url(part));
        let last = Mutex::new(String::new());
        let asked = query::until(WITHIN, || async {
            let (status, answer) = query::get(&client, &url, parameters).await;
            let found = find(&answer);
            if let Ok(mut last) = last.lock() {
                *last = format!("{status} {answer:.2000}");
            }
            found
        });
        match asked.await {
            Ok((found, _)) => Ok(found),
            Err(after) => {
                let last = last.lock().map(|last| last.clone()).unwrap_or_default();
                Err(format!("not found after {after:?}: {path} {parameters:?}; the last answer: {last}")
                    .into())
            }
        }
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(what().into()) }
}

/// The trace of a greeting: the request that came, the one that went out, and the one that it became.
async fn found_in_tempo(said: &Said) -> Result<(), Failed> {
    let tags = format!("service.name={} url.path=/greet/guest-3", said.service);
    let trace_id = said
        .ask("tempo", "/api/search", &[("tags", &tags)], |found| {
            Some(array(&found["traces"]).first()?["traceID"].as_str()?.to_owned())
        })
        .await?;
    let spans = said
        .ask("tempo", &format!("/api/traces/{trace_id}"), &[], |trace| {
            let scopes = array(&trace["batches"]).iter().flat_map(|batch| array(&batch["scopeSpans"]));
            let spans: Vec<Value> = scopes.flat_map(|scope| array(&scope["spans"])).cloned().collect();
            (spans.len() >= 3).then_some(spans)
        })
        .await?;
    let kinds: Vec<&str> = spans.iter().filter_map(|span| span["kind"].as_str()).collect();
    let of = |kind: &str| kinds.iter().filter(|found| **found == kind).count();
    check(of("SPAN_KIND_SERVER") == 2 && of("SPAN_KIND_CLIENT") == 1, || format!("kinds {kinds:?}"))?;
    let names: Vec<&str> = spans.iter().filter_map(|span| span["name"].as_str()).collect();
    check(names.contains(&"GET /greet/<name>"), || format!("names {names:?}"))
}

async fn found_in_jaeger(said: &Said) -> Result<(), Failed> {
    said.ask("jaeger", "/api/services", &[], |found| {
        array(&found["data"]).iter().any(|name| *name == said.service.as_str()).then_some(())
    })
    .await?;
    let parameters =
        [("service", said.service.as_str()), ("operation", "GET /greet/<name>"), ("limit", "20")];
    let traces = said
        .ask("jaeger", "/api/traces", &parameters, |found| {
            let traces = array(&found["data"]);
            (traces.len() == GREETINGS).then(|| traces.to_vec())
        })
        .await?;
    for trace in &traces {
        let spans = array(&trace["spans"]);
        let with_parent = spans.iter().filter(|span| !array(&span["references"]).is_empty()).count();
        check(spans.len() == 3 && with_parent == 2, || {
            format!("{with_parent} of {} have parents", spans.len())
        })?;
    }
    Ok(())
}

/// Each line, with the identifier of a trace that Tempo knows.
async fn found_in_loki(said: &Said) -> Result<(), Failed> {
    let query = format!("{{service_name=\"{}\"}} |= \"greeting guest-3\"", said.service);
    let stream = said
        .ask("loki", "/loki/api/v1/query_range", &[("query", &query)], |found| {
            array(&found["data"]["result"]).first().cloned()
        })
        .await?;
    // Loki shows structured metadata among the labels of a stream.
    let trace_id = stream["stream"]["trace_id"].as_str().unwrap_or_default();
    check(trace_id.len() == 32, || format!("no trace_id in {stream}"))?;
    check(stream["values"][0][1] == "greeting guest-3", || format!("another line: {stream}"))?;
    let level = stream["stream"]["detected_level"].as_str();
    check(level == Some("info"), || format!("level {level:?}"))?;
    said.ask("tempo", &format!("/api/traces/{trace_id}"), &[], |trace| {
        (!array(&trace["batches"]).is_empty()).then_some(())
    })
    .await
}

async fn counter_in_prometheus(said: &Said) -> Result<(), Failed> {
    for number in 0..GREETINGS {
        let query = format!("greetings_total{{job=\"{}\",name=\"guest-{number}\"}}", said.job());
        let value = said
            .ask("prometheus", "/api/v1/query", &[("query", &query)], |found| {
                Some(array(&found["data"]["result"]).first()?["value"][1].as_str()?.to_owned())
            })
            .await?;
        check(value == "1", || format!("{query} is {value}"))?;
    }
    Ok(())
}

async fn histogram_in_prometheus(said: &Said) -> Result<(), Failed> {
    let route = "http_route=\"/greet/<name>\"";
    let query = format!("http_server_request_duration_seconds_count{{job=\"{}\",{route}}}", said.job());
    let expected = GREETINGS.to_string();
    said.ask("prometheus", "/api/v1/query", &[("query", &query)], |found| {
        let series = array(&found["data"]["result"]).first()?;
        (series["value"][1] == expected.as_str()).then_some(())
    })
    .await?;
    let query = format!("target_info{{job=\"{}\",instance=\"one\"}}", said.job());
    let labels = said
        .ask("prometheus", "/api/v1/query", &[("query", &query)], |found| {
            Some(array(&found["data"]["result"]).first()?["metric"].clone())
        })
        .await?;
    check(labels["telemetry_sdk_language"] == "python", || format!("target_info {labels}"))
}
