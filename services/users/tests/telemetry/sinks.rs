//! The other ways out: Prometheus' scrape, Loki's push, Pyroscope.

use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use demo::testing::{Cases, OtlpSink, eventually};

use crate::{Pair, TRACE, get, quickly};

pub(crate) fn add(cases: &mut Cases) {
    cases.case("metrics_can_be_scraped", scraped);
    cases.case("lines_go_to_loki_with_their_trace", to_loki);
    cases.case("a_loki_that_is_down_is_said_once", loki_down);
    cases.case("profiles_go_to_pyroscope", profiles);
}

async fn scraped() {
    let sink = OtlpSink::grpc().await;
    let pair = Pair::to(&sink);
    get(pair.users.url("/users/7/albums")).await;
    get(pair.users.url("/healthz")).await;
    let answer = get(pair.users.url("/metrics")).await;
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4");
    let text = answer.text().await.unwrap();
    for line in [
        "# TYPE http_server_request_duration_seconds histogram",
        "http_server_request_duration_seconds_count{http_request_method=\"GET\",http_response_status_code=\"200\",\
         http_route=\"/users/{id}/albums\",url_scheme=\"http\"} 1",
        "# TYPE http_client_request_duration_seconds histogram",
        "# TYPE db_client_operation_duration_seconds histogram",
        "target_info{",
        "service_namespace=\"demo\"",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("otel_scope"), "{text}");
    assert!(!text.contains("healthz"), "health checks are not worth a series:\n{text}");
}

/// A server that keeps the bodies that it is sent at one path.
async fn keeper(path: &str) -> (String, Arc<Mutex<Vec<Bytes>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    let router = Router::new().route(
        path,
        post(async move |body: Bytes| {
            keep.lock().unwrap().push(body);
            axum::http::StatusCode::NO_CONTENT
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, kept)
}

async fn to_loki() {
    let (loki, pushed) = keeper("/loki/api/v1/push").await;
    let sink = OtlpSink::grpc().await;
    // RUST_LOG leaves warnings only; the ids have to be there all the same.
    let variables = [
        ("OTEL_LOGS_EXPORTER", "loki,console"),
        ("LOKI_URL", &*loki),
        ("RUST_LOG", "warn,users=info,demo=info"),
    ];
    let pair = Pair::on_sqlite(&quickly(&sink.endpoint(), "grpc"), &variables);
    get(pair.users.url("/users")).await;
    let has_line = |body: &Bytes| {
        let body = snap::raw::Decoder::new().decompress_vec(body).unwrap();
        let text = String::from_utf8_lossy(&body).into_owned();
        (text.contains("listed users") && text.contains(TRACE)).then_some(text)
    };
    let text = eventually("the line", || pushed.lock().unwrap().iter().find_map(has_line)).await;
    for label in ["service_name=\"users\"", "service_namespace=\"demo\"", "level=\"info\""] {
        assert!(text.contains(label), "{label} is not in {text:?}");
    }
    assert!(text.contains("\"span_id\":\""), "{text:?}");

    // The last line of all is not lost either.
    let (status, _) = pair.users.stop();
    assert!(status.success());
}

async fn loki_down() {
    let sink = OtlpSink::grpc().await;
    let variables = [("OTEL_LOGS_EXPORTER", "loki,console"), ("LOKI_URL", "http://127.0.0.1:1")];
    let pair = Pair::on_sqlite(&quickly(&sink.endpoint(), "grpc"), &variables);
    for _ in 0..5 {
        get(pair.users.url("/users")).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    let about_it = pair.users.lines_with("is not delivered");
    assert_eq!(about_it, 1, "{:#?}", pair.users.lines());
    assert_eq!(pair.users.lines_with("couldn't send logs"), 0, "{:#?}", pair.users.lines());
}

async fn profiles() {
    let (pyroscope, pushed) = keeper("/push.v1.PusherService/Push").await;
    let sink = OtlpSink::grpc().await;
    let variables = [("PYROSCOPE_SERVER_ADDRESS", &*pyroscope)];
    let pair = Pair::on_sqlite(&quickly(&sink.endpoint(), "grpc"), &variables);
    assert_eq!(get(pair.users.url("/work?seconds=1")).await.status(), 200);
    let (status, lines) = pair.users.stop();
    assert!(status.success(), "{lines:#?}");
    let mut found = String::new();
    for body in pushed.lock().unwrap().iter() {
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut text).unwrap();
        found.push_str(&String::from_utf8_lossy(&text));
        // The profile within is compressed again.
        for start in (0..text.len().saturating_sub(2)).filter(|at| text[*at..].starts_with(&[0x1f, 0x8b])) {
            let mut profile = Vec::new();
            let _ = flate2::read::GzDecoder::new(&text[start..]).read_to_end(&mut profile);
            found.push_str(&String::from_utf8_lossy(&profile));
        }
    }
    for name in ["service_name", "users", "count_primes", "trace_id", TRACE, "span_name", "GET /work"] {
        assert!(found.contains(name), "{name} is in no profile ({} pushes)", pushed.lock().unwrap().len());
    }
    // The span and the samples name each other.
    let span = sink.spans().into_iter().find(|span| span.span.name == "count primes").unwrap();
    let span_id = u64::from_be_bytes(span.span.span_id.as_slice().try_into().unwrap());
    let span_id = format!("{span_id:016x}");
    assert_eq!(span.attributes.get("pyroscope.profile.id"), Some(&*span_id));
    assert!(found.contains(&span_id), "{span_id} is in no profile");
}
