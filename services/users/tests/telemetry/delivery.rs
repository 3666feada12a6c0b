//! Where telemetry cannot be delivered, or is not wanted.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use demo::testing::{Cases, OtlpSink, ServiceProcess, TestDatabase, eventually};

use crate::{CALLER, Pair, TRACE, get, quickly};

pub(crate) fn add(cases: &mut Cases) {
    cases.case("a_receiver_that_is_down_is_said_once_and_costs_nothing", || down("grpc"));
    cases.case("a_receiver_that_is_down_is_said_once_and_costs_nothing_over_http", || down("http/protobuf"));
    cases.case("a_receiver_that_accepts_and_never_answers_costs_nothing", silent);
    cases.case("a_receiver_that_is_back_is_said_once", back);
    cases.case("without_the_console_the_message_is_still_seen", without_console);
    cases.case("disabled_passes_the_context_on_and_emits_nothing", disabled);
    cases.case("what_is_not_sampled_is_not_sent", not_sampled);
    cases.case("none_is_none", none);
}

const DOWN: &str = "is not delivered";
const BACK: &str = "is delivered again";

async fn median_of_200(service: &ServiceProcess) -> Duration {
    let client = reqwest::Client::new();
    let mut times = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        let answer = client.get(service.url("/users/1")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        times.push(begun.elapsed());
    }
    times.sort();
    times[100]
}

fn unused_address() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

fn users(variables: &[(&str, &str)]) -> (ServiceProcess, TestDatabase) {
    let database = TestDatabase::sqlite();
    let mut variables = variables.to_vec();
    variables.push(("DATABASE_URL", &database.url));
    (ServiceProcess::start("users", &variables), database)
}

async fn down(protocol: &str) {
    let endpoint = unused_address();
    // A small queue, so that it is full in no time.
    let mut variables = quickly(&endpoint, protocol);
    variables.extend([("OTEL_BSP_MAX_QUEUE_SIZE", "64"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "64")]);
    let (hurt, _first) = users(&variables);
    let (whole, _second) = users(&[("OTEL_SDK_DISABLED", "true"), ("APP_ERRORS", "0"), ("APP_LATENCY", "0")]);
    let mut ratios = Vec::new();
    for _ in 0..5 {
        let (hurt, whole) = (median_of_200(&hurt).await, median_of_200(&whole).await);
        ratios.push(hurt.as_secs_f64() / whole.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    // What telemetry costs is the benchmark's matter; here nobody may wait for the network.
    assert!(ratios[2] < 2.0, "{ratios:?}");
    eventually("the message", || (hurt.lines_with(DOWN) > 0).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(hurt.lines_with(DOWN), 1, "{:#?}", hurt.lines());
    let about_it =
        hurt.lines().into_iter().filter(|line| line.contains("refused") || line.contains("xport")).count();
    assert_eq!(about_it, 1, "the libraries are quiet about it");
    let begun = Instant::now();
    let (status, lines) = hurt.stop();
    assert!(status.success());
    assert!(begun.elapsed() < Duration::from_secs(6), "stopped after {:?}: {lines:#?}", begun.elapsed());
}

async fn silent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    // Taken and never answered: the kernel accepts for us.
    let mut variables = quickly(&endpoint, "grpc");
    variables.push(("OTEL_EXPORTER_OTLP_TIMEOUT", "300"));
    let (service, _database) = users(&variables);
    let median = median_of_200(&service).await;
    assert!(median < Duration::from_millis(50), "{median:?}");
    eventually("the message", || (service.lines_with(DOWN) > 0).then_some(())).await;
    let begun = Instant::now();
    assert!(service.stop().0.success());
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
    drop(listener);
}

async fn back() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{address}");
    let (service, _database) = users(&quickly(&endpoint, "grpc"));
    get(service.url("/users")).await;
    eventually("down", || (service.lines_with(DOWN) == 1).then_some(())).await;
    assert_eq!(service.lines_with(BACK), 0);
    let sink = OtlpSink::grpc_at(address, true).await;
    get(service.url("/users/2")).await;
    eventually("back", || (service.lines_with(BACK) == 1).then_some(())).await;
    eventually("the span", || {
        sink.spans().iter().any(|span| span.span.name == "GET /users/{id}").then_some(())
    })
    .await;
    sink.stop();
    get(service.url("/users")).await;
    eventually("down again", || (service.lines_with(DOWN) == 2).then_some(())).await;
}

async fn without_console() {
    let endpoint = unused_address();
    let mut variables = quickly(&endpoint, "grpc");
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let database = TestDatabase::sqlite();
    variables.extend([
        ("OTEL_LOGS_EXPORTER", "otlp"),
        ("LISTEN_ADDR", &address),
        ("DATABASE_URL", &database.url),
    ]);
    let mut child = ServiceProcess::command("users", &variables)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    std::process::Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().unwrap();
    assert!(child.wait().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.matches(DOWN).count(), 1, "{said}");
}

async fn disabled() {
    let sink = OtlpSink::grpc().await;
    let pair = Pair::on_sqlite(&quickly(&sink.endpoint(), "grpc"), &[("OTEL_SDK_DISABLED", "true")]);
    get(pair.users.url("/albums")).await;
    let inner = eventually("the inner span", || {
        sink.spans().into_iter().find(|span| span.span.name == "GET /albums")
    })
    .await;
    // As if users were not there: the caller's own span is the parent.
    assert_eq!(inner.trace_id(), TRACE);
    assert_eq!(inner.span.parent_span_id, u64::from_str_radix(CALLER, 16).unwrap().to_be_bytes());
    eventually("metrics of albums", || (!sink.metrics().is_empty()).then_some(())).await;
    assert!(sink.spans().iter().all(|span| span.service() == "albums"));
    assert!(sink.logs().iter().all(|log| log.resource.get("service.name") == Some("albums")));
    assert!(sink.metrics().iter().all(|point| point.resource.get("service.name") == Some("albums")));
    let line = pair.users.lines().into_iter().find(|line| line.contains("fetched albums")).unwrap();
    assert!(line.contains(TRACE), "the console still knows the caller's trace: {line}");
}

async fn not_sampled() {
    let sink = OtlpSink::grpc().await;
    let pair = Pair::on_sqlite(&quickly(&sink.endpoint(), "grpc"), &[("OTEL_TRACES_SAMPLER", "always_off")]);
    get(pair.users.url("/albums")).await;
    // Nor does the next service keep what the first one does not: the flag crosses.
    let log = eventually("the line of albums", || {
        sink.logs().into_iter().find(|log| log.body() == "listed albums")
    })
    .await;
    assert_eq!(log.trace_id(), TRACE, "ids are there all the same");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(sink.spans().is_empty(), "{:?}", sink.spans());
    assert!(!sink.metrics().is_empty());
}

async fn none() {
    let sink = OtlpSink::grpc().await;
    let variables = [
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "none"),
        ("OTEL_LOGS_EXPORTER", "console"),
    ];
    let pair = Pair::on_sqlite(&quickly(&sink.endpoint(), "grpc"), &variables);
    get(pair.users.url("/users")).await;
    assert_eq!(get(pair.users.url("/metrics")).await.status(), 404);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(sink.spans().iter().all(|span| span.service() != "users"));
    assert!(sink.logs().iter().all(|log| log.resource.get("service.name") != Some("users")));
    assert!(sink.metrics().iter().all(|point| point.resource.get("service.name") != Some("users")));
}
