use axum::Router;
use bytes::Bytes;
use http::{Method, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use receiver::names::{self, Signal};
use receiver::otlp_http_router;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{
    Answer, Door, NOW_NS, RpcStatus, SIGNALS, compress, json, post, request, send, small, span, stalled,
    streamed, traces,
};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

fn path(signal: Signal) -> String {
    format!("/v1/{}", signal.as_str())
}

async fn export(router: &Router, signal: Signal, headers: &[(&str, &str)], body: Bytes) -> Answer {
    send(router, post(&path(signal), headers, body)).await
}

fn assert_status(answer: &Answer, http_status: u16, code: i32, message: &str) {
    assert_eq!(answer.status.as_u16(), http_status, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/x-protobuf");
    let status = RpcStatus::decode(answer.body.clone()).unwrap();
    assert_eq!(status.code, code, "{status:?}");
    assert!(status.message.contains(message), "{status:?}");
}

#[tokio::test]
async fn every_signal_in_every_encoding_and_coding_is_kept() {
    let door = Door::open();
    let router = otlp_http_router(door.ingest.clone());
    for signal in SIGNALS {
        let mut kept = 0;
        for coding in ["", "identity", "gzip", "zstd", "deflate", "zlib", "snappy", "snappy-block"] {
            let (name, coding) = match coding {
                "deflate" => ("deflate", "zlib"),
                "snappy-block" => ("snappy", "snappy-block"),
                other => (other, other),
            };
            for kind in [PROTOBUF, JSON, ("content-type", "Application/JSON; charset=utf-8")] {
                let body = request(signal, kept);
                let is_json = kind != PROTOBUF;
                let body = if is_json { json(signal, &body) } else { body };
                let headers = [kind, ("content-encoding", name)];
                let headers = if name.is_empty() { &headers[..1] } else { &headers[..] };
                let answer = export(&router, signal, headers, compress(coding, &body)).await;
                assert_eq!(answer.status, StatusCode::OK, "{signal:?} {coding} {answer:?}");
                if is_json {
                    assert_eq!(answer.header("content-type"), "application/json");
                    assert_eq!(answer.text(), r#"{"partialSuccess":{}}"#);
                } else {
                    assert_eq!(answer.header("content-type"), "application/x-protobuf");
                    assert!(answer.body.is_empty());
                }
                kept += 1;
                assert_eq!(door.stored(signal), kept, "{signal:?} {coding} {kind:?}");
            }
        }
        assert_eq!(door.counted(names::ACCEPTED_ITEMS, &[signal.as_str(), "http"]), kept as i64);
    }
    assert_eq!(door.counted(names::IN_FLIGHT_BYTES, &[]), 0);
    assert_eq!(door.counted(names::IN_FLIGHT_REQUESTS, &[]), 0);
}

#[tokio::test]
async fn nothing_to_keep_is_no_error() {
    let door = Door::open();
    let router = otlp_http_router(door.ingest.clone());
    for signal in SIGNALS {
        let answer = export(&router, signal, &[PROTOBUF], Bytes::new()).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
        let answer = export(&router, signal, &[JSON], Bytes::from_static(b"{}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(door.stored(signal), 0);
    }
}

#[tokio::test]
async fn cut_anywhere_a_request_is_refused_and_what_was_kept_stays() {
    let door = Door::open();
    let router = otlp_http_router(door.ingest.clone());
    for signal in SIGNALS {
        let whole = request(signal, 0);
        export(&router, signal, &[PROTOBUF], whole.clone()).await;
        assert_eq!(door.stored(signal), 1);
        let text = json(signal, &whole);
        let other = request(signal, 1);
        for length in 1..other.len() {
            let answer = export(&router, signal, &[PROTOBUF], other.slice(..length)).await;
            assert_status(&answer, 400, 3, "protobuf");
        }
        for length in 0..text.len() {
            let answer = export(&router, signal, &[JSON], text.slice(..length)).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{signal:?} cut at {length}");
            assert_eq!(answer.header("content-type"), "application/json");
            let status = answer.json();
            assert_eq!(status["code"], 3);
            assert!(status["message"].as_str().unwrap().contains("JSON"), "{status}");
        }
        for coding in ["gzip", "zstd", "deflate"] {
            let packed = compress(if coding == "deflate" { "zlib" } else { coding }, &other);
            for length in 1..packed.len() {
                let headers = [PROTOBUF, ("content-encoding", coding)];
                let answer = export(&router, signal, &headers, packed.slice(..length)).await;
                assert_status(&answer, 400, 3, coding);
            }
        }
        assert_eq!(door.stored(signal), 1, "{signal:?}");
    }
}

#[tokio::test]
async fn noise_is_refused() {
    let door = Door::open();
    let router = otlp_http_router(door.ingest.clone());
    for signal in SIGNALS {
        for noise in [&b"\xff\xff\xff\xff"[..], b"\x0a\xff\xff\xff\xff\x0f", b"{}", b"\x0b\x0c", &[7; 100]] {
            let answer = export(&router, signal, &[PROTOBUF], Bytes::copy_from_slice(noise)).await;
            assert_status(&answer, 400, 3, "protobuf");
        }
        assert_eq!(door.stored(signal), 0);
    }
    assert_eq!(door.counted(names::REFUSED_REQUESTS, &["traces", "http", "malformed"]), 5);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_however_it_comes() {
    let door = Door::with(small());
    let router = otlp_http_router(door.ingest.clone());
    let large = Bytes::from(vec![0; 5000]);
    let declared = export(&router, Signal::Traces, &[PROTOBUF], large.clone()).await;
    assert_status(&declared, 413, 2, "the request body is larger than the limit of 4096 bytes");
    let pieces = streamed(large.chunks(100).map(Bytes::copy_from_slice).collect());
    let undeclared = send(&router, post("/v1/traces", &[PROTOBUF], pieces)).await;
    assert_status(&undeclared, 413, 2, "the request body is larger than the limit of 4096 bytes");
    assert_eq!(door.counted(names::REFUSED_REQUESTS, &["traces", "http", "too_large"]), 2);
}

#[tokio::test]
async fn a_bomb_is_413_and_never_inflated() {
    let door = Door::open();
    let router = otlp_http_router(door.ingest.clone());
    let bomb = vec![0; (64 << 20) + 1];
    for (name, coding) in
        [("gzip", "gzip"), ("zstd", "zstd"), ("deflate", "zlib"), ("snappy", "snappy-block")]
    {
        let packed = compress(coding, &bomb);
        assert!(packed.len() < 4 << 20, "{coding}: {}", packed.len());
        let headers = [PROTOBUF, ("content-encoding", name)];
        let answer = export(&router, Signal::Logs, &headers, packed).await;
        assert_status(
            &answer,
            413,
            2,
            "the decompressed request body is larger than the limit of 67108864 bytes",
        );
    }
    assert_eq!(door.counted(names::IN_FLIGHT_BYTES, &[]), 0);
}

#[tokio::test]
async fn a_request_of_countless_empty_messages_is_413_before_it_is_decoded() {
    let door = Door::with(small());
    let router = otlp_http_router(door.ingest.clone());
    for signal in SIGNALS {
        let bomb = Bytes::from([0x0a, 0].repeat(2000));
        let answer = export(&router, signal, &[PROTOBUF], bomb).await;
        assert_status(&answer, 413, 2, "the request, once decoded, is larger than the limit of 16384 bytes");
        let list = ["{}"; 1000].join(",");
        let field = ["resourceSpans", "resourceLogs", "resourceMetrics"][signal as usize];
        let bomb = format!("{{\"{field}\":[{list}]}}");
        let answer = export(&router, signal, &[JSON], bomb.into()).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}

/// A sender that writes all before it reads gets to see the answer, and not a broken connection.
#[tokio::test]
async fn a_refusal_reaches_a_sender_that_is_still_sending() {
    let door = Door::with(small());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = otlp_http_router(door.ingest.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let length = 8 << 20;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..length / 4096 {
        stream.write_all(&[0; 4096]).await.unwrap();
    }
    let mut answer = [0; 64];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 413 Payload Too Large\r\n"));
}

#[tokio::test]
async fn methods_and_types_that_are_not_served_are_told_in_plain_text() {
    let door = Door::open();
    let router = otlp_http_router(door.ingest.clone());
    for signal in SIGNALS {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let mut request = post(&path(signal), &[PROTOBUF], request(signal, 0));
            *request.method_mut() = method;
            let answer = send(&router, request).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(answer.header("content-type"), "text/plain");
            assert_eq!(answer.header("allow"), "POST");
            assert_eq!(answer.text(), "405 method not allowed, supported: [POST]");
        }
        for kind in [None, Some(("content-type", "text/plain")), Some(("content-type", "application/grpc"))] {
            let answer = export(&router, signal, kind.as_slice(), request(signal, 0)).await;
            assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
            assert_eq!(
                answer.text(),
                "415 unsupported media type, supported: [application/json, application/x-protobuf]"
            );
        }
        let headers = [PROTOBUF, ("content-encoding", "br")];
        let answer = export(&router, signal, &headers, request(signal, 0)).await;
        assert_status(&answer, 400, 3, "unsupported Content-Encoding: br");
        assert_eq!(door.stored(signal), 0);
    }
    let answer = send(&router, post("/v1/spans", &[PROTOBUF], Bytes::new())).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::NOT_FOUND, "404 page not found\n"));
    let answer = send(&router, post("/v1development/profiles", &[PROTOBUF], Bytes::new())).await;
    assert_status(&answer, 404, 12, "profiles are not taken");
}

#[tokio::test]
async fn when_memory_is_taken_the_sender_is_asked_to_wait() {
    let door = Door::with(receiver::Config { body_timeout: std::time::Duration::from_mins(1), ..small() });
    let router = otlp_http_router(door.ingest.clone());
    let held: Vec<_> = (0..2)
        .map(|_| {
            let body = stalled(vec![Bytes::from(vec![0; 4000])]);
            let router = router.clone();
            tokio::spawn(async move { send(&router, post("/v1/traces", &[PROTOBUF], body)).await })
        })
        .collect();
    while door.counted(names::IN_FLIGHT_BYTES, &[]) < 12_096 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }

    let body = Bytes::from(vec![0; 1000]);
    let answer = export(&router, Signal::Traces, &[PROTOBUF], body.clone()).await;
    assert_status(&answer, 429, 8, "of requests, its limit is 12288");
    assert_eq!(answer.header("retry-after"), "1");
    let status = RpcStatus::decode(answer.body.clone()).unwrap();
    assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    let answer = export(&router, Signal::Logs, &[JSON], body).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.json()["details"][0]["retryDelay"], "1s");

    for request in held {
        request.abort();
        let _ = request.await;
    }
    assert_eq!(door.counted(names::IN_FLIGHT_BYTES, &[]), 0);
    assert_eq!(door.counted(names::REFUSED_REQUESTS, &["traces", "http", "aborted"]), 2);
    let answer = export(&router, Signal::Traces, &[PROTOBUF], request(Signal::Traces, 0)).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let door = Door::with(small());
    let router = otlp_http_router(door.ingest.clone());
    let answer = send(&router, post("/v1/logs", &[PROTOBUF], stalled(vec![request(Signal::Logs, 0)]))).await;
    assert_status(&answer, 408, 2, "did not arrive");
    assert_eq!(door.stored(Signal::Logs), 0);
}

#[tokio::test]
async fn what_cannot_be_kept_of_a_request_is_counted_and_the_rest_is_kept() {
    let door = Door::open();
    let router = otlp_http_router(door.ingest.clone());
    let mut nameless = span(NOW_NS);
    nameless.trace_id = vec![0; 16];
    let body = traces(None, vec![span(NOW_NS + 1), nameless, span(NOW_NS + 2)]).encode_to_vec();
    let answer = export(&router, Signal::Traces, &[PROTOBUF], body.clone().into()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let partial = ExportTraceServiceResponse::decode(answer.body).unwrap().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert!(!partial.error_message.is_empty());
    assert_eq!(door.stored(Signal::Traces), 2);
    assert_eq!(door.counted(names::DROPPED_ITEMS, &["traces", "http"]), 1);
    assert_eq!(door.counted(names::ACCEPTED_ITEMS, &["traces", "http"]), 2);

    let answer = export(&router, Signal::Traces, &[JSON], json(Signal::Traces, &body)).await;
    assert_eq!(answer.json()["partialSuccess"]["rejectedSpans"], json!("1"));
}
