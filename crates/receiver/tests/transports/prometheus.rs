use bytes::Bytes;
use http::StatusCode;
use receiver::names::Signal;
use receiver::prometheus_router;

use crate::support::{Answer, Door, compress, json, post, request, send, small};

const PATH: &str = "/api/v1/otlp/v1/metrics";
const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn assert_text(answer: &Answer, status: StatusCode, message: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert!(answer.text().contains(message) && answer.text().ends_with('\n'), "{answer:?}");
}

#[tokio::test]
async fn otlp_metrics_are_taken_as_prometheus_takes_them() {
    let door = Door::open();
    let router = prometheus_router(door.ingest.clone());
    let answer = send(&router, post(PATH, &[PROTOBUF], request(Signal::Metrics, 0))).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, ""));
    let text = json(Signal::Metrics, &request(Signal::Metrics, 1));
    let answer = send(&router, post(PATH, &[JSON], text)).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, ""));
    let gzip = compress("gzip", &request(Signal::Metrics, 2));
    let answer = send(&router, post(PATH, &[PROTOBUF, ("content-encoding", "gzip")], gzip)).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, ""));
    let answer = send(&router, post(PATH, &[PROTOBUF], Bytes::new())).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, ""));
    assert_eq!(door.stored(Signal::Metrics), 3);
}

#[tokio::test]
async fn what_cannot_be_read_is_400_in_plain_text() {
    let door = Door::open();
    let router = prometheus_router(door.ingest.clone());
    let body = request(Signal::Metrics, 0);
    for length in 1..body.len() {
        let answer = send(&router, post(PATH, &[PROTOBUF], body.slice(..length))).await;
        assert_text(&answer, StatusCode::BAD_REQUEST, "protobuf");
    }
    let answer = send(&router, post(PATH, &[JSON], "{\"resourceMetrics\":1}")).await;
    assert_text(&answer, StatusCode::BAD_REQUEST, "invalid OTLP JSON");
    let answer = send(&router, post(PATH, &[("content-type", "text/csv")], body.clone())).await;
    assert_text(
        &answer,
        StatusCode::BAD_REQUEST,
        "unsupported content type: text/csv, supported: [application/json, application/x-protobuf]",
    );
    let answer = send(&router, post(PATH, &[PROTOBUF, ("content-encoding", "zstd")], body)).await;
    assert_text(
        &answer,
        StatusCode::BAD_REQUEST,
        "unsupported compression: zstd. Only \"gzip\" or no compression supported",
    );
    assert_eq!(door.stored(Signal::Metrics), 0);
}

#[tokio::test]
async fn a_sample_that_is_refused_makes_it_400() {
    let door = Door::open();
    let router = prometheus_router(door.ingest.clone());
    let hour_ms = 3600 * 1000;
    let answer = send(&router, post(PATH, &[PROTOBUF], request(Signal::Metrics, hour_ms))).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "an hour ahead of the clock: {answer:?}");
    assert_eq!(door.stored(Signal::Metrics), 0);
}

#[tokio::test]
async fn too_large_is_413() {
    let door = Door::with(small());
    let router = prometheus_router(door.ingest.clone());
    let answer = send(&router, post(PATH, &[PROTOBUF], vec![0; 5000])).await;
    assert_text(&answer, StatusCode::PAYLOAD_TOO_LARGE, "larger than the limit");
}
