//! The orderly end.

use std::time::{Duration, Instant};

use demo::testing::{Cases, OtlpSink};

use crate::{Pair, TRACE, get, quickly};

pub(crate) fn add(cases: &mut Cases) {
    cases.case("what_was_emitted_last_is_flushed_at_exit", || flushed("grpc"));
    cases.case("what_was_emitted_last_is_flushed_at_exit_over_http", || flushed("http/protobuf"));
    cases.case("requests_under_way_are_finished_at_exit", finished);
}

async fn flushed(protocol: &'static str) {
    let sink = if protocol == "grpc" { OtlpSink::grpc().await } else { OtlpSink::http().await };
    let endpoint = sink.endpoint();
    let mut variables = quickly(&endpoint, protocol);
    for (name, value) in &mut variables {
        // Nothing would be sent for an hour.
        if name.ends_with("_DELAY") || name.ends_with("_INTERVAL") {
            *value = "3600000";
        }
    }
    let pair = Pair::on_sqlite(&variables, &[]);
    for _ in 0..20 {
        get(pair.users.url("/users")).await;
    }
    assert!(sink.spans().is_empty());
    let (status, lines) = pair.users.stop();
    assert!(status.success(), "{lines:#?}");
    let spans = sink.spans();
    assert_eq!(spans.iter().filter(|span| span.span.name == "GET /users").count(), 20);
    assert_eq!(sink.logs().iter().filter(|log| log.trace_id() == TRACE).count(), 20);
    let point =
        sink.metrics().into_iter().find(|point| point.name == "http.server.request.duration").unwrap();
    assert_eq!(point.value as u64, 20);
    assert!(!lines.iter().any(|line| line.contains("not all telemetry")), "{lines:#?}");
}

async fn finished() {
    let sink = OtlpSink::grpc().await;
    let faults = [("APP_LATENCY", "800"), ("APP_SLOW", "100")];
    let pair = Pair::on_sqlite(&quickly(&sink.endpoint(), "grpc"), &faults);
    let request = tokio::spawn(get(pair.users.url("/users")));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let begun = Instant::now();
    let stopped = tokio::task::spawn_blocking(|| pair.users.stop());
    assert_eq!(request.await.unwrap().status(), 200);
    let (status, lines) = stopped.await.unwrap();
    assert!(status.success(), "{lines:#?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(sink.spans().iter().any(|span| span.span.name == "GET /users"), "its span was flushed");
}
