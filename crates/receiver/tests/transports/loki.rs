use axum::Router;
use bytes::Bytes;
use http::StatusCode;
use prost::Message;
use receiver::loki_router;
use receiver::names::{self, Signal};

use crate::support::{Answer, Door, NOW_NS, RpcStatus, compress, json, post, request, send, small};

const PUSH: &str = "/loki/api/v1/push";
const OTLP: &str = "/otlp/v1/logs";
const JSON: (&str, &str) = ("content-type", "application/json");
const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn push_body(offset_ns: u64) -> Bytes {
    let time_ns = NOW_NS + offset_ns;
    format!(
        r#"{{"streams":[{{"stream":{{"app":"shop"}},"values":[["{time_ns}","a line",{{"trace_id":"abc"}}]]}}]}}"#
    )
    .into()
}

/// `PushRequest{streams:[{labels:"{app=\"shop\"}",entries:[{timestamp:…,line:"a line"}]}]}` by hand.
fn push_protobuf(offset_ns: u64) -> Bytes {
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut field = vec![number << 3 | 2, bytes.len() as u8];
        field.extend_from_slice(bytes);
        field
    }
    let time_ns = NOW_NS + offset_ns;
    let mut time = vec![1 << 3];
    prost::encoding::encode_varint(time_ns / 1_000_000_000, &mut time);
    time.push(2 << 3);
    prost::encoding::encode_varint(time_ns % 1_000_000_000, &mut time);
    let entry = [field(1, &time), field(2, b"a line")].concat();
    let stream = [field(1, br#"{app="shop"}"#), field(2, &entry)].concat();
    field(1, &stream).into()
}

async fn push(router: &Router, headers: &[(&str, &str)], body: impl Into<axum::body::Body>) -> Answer {
    send(router, post(PUSH, headers, body)).await
}

fn assert_text(answer: &Answer, status: StatusCode, message: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.text().contains(message) && answer.text().ends_with('\n'), "{answer:?}");
}

fn assert_kept(answer: &Answer) {
    assert_eq!((answer.status, answer.text()), (StatusCode::NO_CONTENT, ""), "{answer:?}");
}

#[tokio::test]
async fn a_push_is_kept_in_every_encoding_and_coding() {
    let door = Door::open();
    let router = loki_router(door.ingest.clone());
    assert_kept(&push(&router, &[JSON, ("x-scope-orgid", "someone")], push_body(0)).await);
    let gzip = compress("gzip", &push_body(1));
    assert_kept(&push(&router, &[JSON, ("content-encoding", "gzip")], gzip).await);
    let deflate = compress("raw-deflate", &push_body(2));
    let json_with_charset = ("content-type", "application/json; charset=utf-8");
    assert_kept(&push(&router, &[json_with_charset, ("content-encoding", "deflate")], deflate).await);
    let snappy = |offset| compress("snappy-block", &push_protobuf(offset));
    assert_kept(&push(&router, &[PROTOBUF], snappy(3)).await);
    assert_kept(&push(&router, &[PROTOBUF, ("content-encoding", "snappy")], snappy(4)).await);
    let both = compress("gzip", &snappy(5));
    assert_kept(&push(&router, &[PROTOBUF, ("content-encoding", "gzip")], both).await);
    let legacy = r#"{"streams":[{"labels":"{app=\"shop\"}","entries":[
        {"ts":"2026-01-01T00:00:00.000000006Z","line":"a line"}]}]}"#;
    assert_kept(&send(&router, post("/api/prom/push", &[JSON], legacy)).await);
    assert_kept(&send(&router, post("/api/prom/push", &[PROTOBUF], snappy(7))).await);
    assert_eq!(door.stored(Signal::Logs), 8);
    assert_eq!(door.counted(names::ACCEPTED_ITEMS, &["logs", "loki_push"]), 8);
}

#[tokio::test]
async fn streams_without_entries_are_fine_and_no_streams_are_not() {
    let door = Door::open();
    let router = loki_router(door.ingest.clone());
    assert_kept(&push(&router, &[JSON], r#"{"streams":[{"stream":{"a":"b"},"values":[]}]}"#).await);
    let message = "error at least one valid stream is required for ingestion\n";
    for nothing in ["{}", r#"{"streams":[]}"#] {
        let answer = push(&router, &[JSON], nothing).await;
        assert_text(&answer, StatusCode::UNPROCESSABLE_ENTITY, message);
    }
    let answer = push(&router, &[PROTOBUF], compress("snappy-block", b"")).await;
    assert_text(&answer, StatusCode::UNPROCESSABLE_ENTITY, message);
}

#[tokio::test]
async fn what_is_malformed_is_refused_whole() {
    let door = Door::open();
    let router = loki_router(door.ingest.clone());
    let refused = [
        (vec![], "mime: no media type", push_body(0)),
        (vec![("content-type", "application/json; charsetutf-8")], "mime: invalid media parameter", push_body(0)),
        (vec![JSON, ("content-encoding", "br")], r#"Content-Encoding "br" not supported"#, push_body(0)),
        (vec![JSON], "invalid push JSON: EOF", Bytes::new()),
        (vec![JSON, ("content-encoding", "gzip")], "gzip: ", push_body(0)),
        (vec![("content-type", "application/jsonn")], "snappy: ", push_body(0)),
        (vec![PROTOBUF], "snappy: ", push_protobuf(0)),
        (vec![PROTOBUF], "proto: ", compress("snappy-block", b"\xff\xff")),
        (
            vec![JSON],
            "couldn't parse labels: 1:3: parse error: unexpected character inside braces: '-'",
            r#"{"streams":[{"stream":{"a":"b"},"values":[["1767225600000000000","kept?"]]},{"stream":{"a-b":"c"},"values":[]}]}"#.into(),
        ),
    ];
    for (headers, message, body) in refused {
        let answer = push(&router, &headers, body).await;
        assert_text(&answer, StatusCode::BAD_REQUEST, message);
    }
    assert_eq!(door.stored(Signal::Logs), 0);
}

#[tokio::test]
async fn cut_anywhere_a_push_is_refused_and_what_was_kept_stays() {
    let door = Door::open();
    let router = loki_router(door.ingest.clone());
    assert_kept(&push(&router, &[JSON], push_body(0)).await);
    let text = push_body(1);
    for length in 0..text.len() {
        assert_text(&push(&router, &[JSON], text.slice(..length)).await, StatusCode::BAD_REQUEST, "JSON");
    }
    let protobuf = push_protobuf(1);
    for length in 1..protobuf.len() {
        let answer = push(&router, &[PROTOBUF], compress("snappy-block", &protobuf[..length])).await;
        assert_text(&answer, StatusCode::BAD_REQUEST, "proto: ");
    }
    let packed = compress("snappy-block", &protobuf);
    for length in 0..packed.len() {
        let answer = push(&router, &[PROTOBUF], packed.slice(..length)).await;
        assert_text(&answer, StatusCode::BAD_REQUEST, "");
    }
    assert_eq!(door.stored(Signal::Logs), 1);
}

#[tokio::test]
async fn entries_that_are_refused_one_by_one_make_it_400_and_the_others_are_kept() {
    let door = Door::open();
    let router = loki_router(door.ingest.clone());
    let body = format!(
        r#"{{"streams":[{{"stream":{{"app":"shop"}},"values":[["1","too old"],["{NOW_NS}","fine"]]}}]}}"#
    );
    let answer = push(&router, &[JSON], body).await;
    let message = r#"entry for stream '{app="shop", service_name="shop"}' has timestamp too old: 1970-01-01T00:00:00Z, oldest acceptable timestamp is: 2025-12-25T00:00:00Z"#;
    assert_text(&answer, StatusCode::BAD_REQUEST, message);
    assert_eq!(door.stored(Signal::Logs), 1);
    assert_eq!(door.counted(names::DROPPED_ITEMS, &["logs", "loki_push", "greater_than_max_sample_age"]), 1);
}

#[tokio::test]
async fn a_push_over_the_limit_is_413() {
    let door = Door::with(small());
    let router = loki_router(door.ingest.clone());
    let answer = push(&router, &[JSON], vec![b' '; 5000]).await;
    assert_text(&answer, StatusCode::PAYLOAD_TOO_LARGE, "request body too large: ");
    let bomb = compress("snappy-block", &[0; 5000]);
    let answer = push(&router, &[PROTOBUF], bomb).await;
    assert_text(&answer, StatusCode::PAYLOAD_TOO_LARGE, "request body too large: ");
    let bomb = compress("gzip", &[0; 5000]);
    let answer = push(&router, &[JSON, ("content-encoding", "gzip")], bomb).await;
    assert_text(&answer, StatusCode::PAYLOAD_TOO_LARGE, "request body too large: ");
}

#[tokio::test]
async fn other_methods_are_405() {
    let door = Door::open();
    let router = loki_router(door.ingest.clone());
    for path in [PUSH, "/api/prom/push", OTLP] {
        let mut get = post(path, &[], "");
        *get.method_mut() = http::Method::GET;
        assert_eq!(send(&router, get).await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn otlp_logs_are_taken_as_loki_takes_them() {
    let door = Door::open();
    let router = loki_router(door.ingest.clone());
    let body = request(Signal::Logs, 0);
    assert_kept(&send(&router, post(OTLP, &[PROTOBUF], body.clone())).await);
    let text = json(Signal::Logs, &request(Signal::Logs, 1));
    assert_kept(&send(&router, post(OTLP, &[JSON], text)).await);
    for (offset, coding) in [(2, "gzip"), (3, "zstd")] {
        let packed = compress(coding, &request(Signal::Logs, offset));
        assert_kept(&send(&router, post(OTLP, &[PROTOBUF, ("content-encoding", coding)], packed)).await);
    }
    assert_eq!(door.stored(Signal::Logs), 4);

    // Errors are a status without a code, in protobuf whatever the request's encoding was.
    let assert_status = |answer: &Answer, status: StatusCode, message: &str| {
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        let read = RpcStatus::decode(answer.body.clone()).unwrap();
        assert_eq!(read.code, 0);
        assert!(read.message.contains(message), "{read:?}");
    };
    let answer = send(&router, post(OTLP, &[JSON], "{")).await;
    assert_status(&answer, StatusCode::BAD_REQUEST, "invalid OTLP JSON");
    let answer = send(&router, post(OTLP, &[PROTOBUF], "")).await;
    assert_status(&answer, StatusCode::UNPROCESSABLE_ENTITY, "at least one valid stream");
    let answer = send(&router, post(OTLP, &[("content-type", "text/plain")], body.clone())).await;
    assert_status(&answer, StatusCode::BAD_REQUEST, "content type: text/plain is not supported");
    let answer = send(&router, post(OTLP, &[PROTOBUF, ("content-encoding", "br")], body)).await;
    assert_status(&answer, StatusCode::BAD_REQUEST, "unsupported content encoding br");
    let day_ns = 24 * 3600 * 1_000_000_000;
    let answer = send(&router, post(OTLP, &[PROTOBUF], request(Signal::Logs, day_ns))).await;
    assert_status(&answer, StatusCode::BAD_REQUEST, "has timestamp too new");
    assert_eq!(door.stored(Signal::Logs), 4);
}
