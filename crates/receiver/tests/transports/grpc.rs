use std::time::Duration;

use axum::Router;
use axum::body::Body;
use base64::Engine;
use bytes::{BufMut, Bytes, BytesMut};
use http::{Request, StatusCode};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use receiver::names::{self, Signal};
use receiver::otlp_grpc_service;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;

use crate::support::{
    Answer, Door, NOW_NS, RpcStatus, SIGNALS, compress, post, request, send, small, span, stalled, traces,
};

const GRPC: (&str, &str) = ("content-type", "application/grpc");

/// A connection to a server on a port of its own.
async fn serve(door: &Door) -> Channel {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let calls = otlp_grpc_service(door.ingest.clone());
    tokio::spawn(async move { axum::serve(listener, calls).await });
    Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

#[tokio::test]
async fn a_generated_client_exports_every_signal_in_every_compression() {
    let door = Door::open();
    let channel = serve(&door).await;
    let codings = [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)];
    for (offset, coding) in codings.into_iter().enumerate() {
        let mut traces = TraceServiceClient::new(channel.clone());
        let mut logs = LogsServiceClient::new(channel.clone());
        let mut metrics = MetricsServiceClient::new(channel.clone());
        if let Some(coding) = coding {
            traces = traces.send_compressed(coding);
            logs = logs.send_compressed(coding);
            metrics = metrics.send_compressed(coding);
        }
        let bytes = |signal| request(signal, offset as u64);
        let request = ExportTraceServiceRequest::decode(bytes(Signal::Traces)).unwrap();
        assert_eq!(traces.export(request).await.unwrap().into_inner().partial_success, None);
        let request = ExportLogsServiceRequest::decode(bytes(Signal::Logs)).unwrap();
        assert_eq!(logs.export(request).await.unwrap().into_inner().partial_success, None);
        let request = ExportMetricsServiceRequest::decode(bytes(Signal::Metrics)).unwrap();
        assert_eq!(metrics.export(request).await.unwrap().into_inner().partial_success, None);
    }
    for signal in SIGNALS {
        assert_eq!(door.stored(signal), 3, "{signal:?}");
        assert_eq!(door.counted(names::ACCEPTED_ITEMS, &[signal.as_str(), "grpc"]), 3);
    }
}

#[tokio::test]
async fn large_batches_of_many_senders_arrive_whole() {
    let door = Door::open();
    let channel = serve(&door).await;
    let senders: Vec<_> = (0..8_u64)
        .map(|sender| {
            let channel = channel.clone();
            tokio::spawn(async move {
                let mut client = TraceServiceClient::new(channel);
                for batch in 0..5_u64 {
                    let first = NOW_NS + (sender * 5 + batch) * 512;
                    let spans =
                        (first..first + 512).map(|start| opentelemetry_proto::tonic::trace::v1::Span {
                            trace_state: "x".repeat(300),
                            ..span(start)
                        });
                    client.export(traces(None, spans.collect())).await.unwrap();
                }
            })
        })
        .collect();
    for sender in senders {
        sender.await.unwrap();
    }
    assert_eq!(door.stored(Signal::Traces), 8 * 5 * 512);
}

#[tokio::test]
async fn partial_success_is_told() {
    let door = Door::open();
    let channel = serve(&door).await;
    let mut client = TraceServiceClient::new(channel.clone());
    let mut nameless = span(NOW_NS);
    nameless.span_id = vec![1, 2, 3];
    let answer = client.export(traces(None, vec![nameless, span(NOW_NS)])).await.unwrap().into_inner();
    let partial = answer.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert!(!partial.error_message.is_empty());
    assert_eq!(door.stored(Signal::Traces), 1);
}

// From here on by hand, since no generated client sends such things.

fn path(signal: Signal) -> String {
    let (package, service) = match signal {
        Signal::Traces => ("trace", "TraceService"),
        Signal::Logs => ("logs", "LogsService"),
        Signal::Metrics => ("metrics", "MetricsService"),
    };
    format!("/opentelemetry.proto.collector.{package}.v1.{service}/Export")
}

fn framed(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(flag);
    framed.put_u32(message.len() as u32);
    framed.put_slice(message);
    framed.freeze()
}

async fn call(router: &Router, signal: Signal, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    send(router, post(&path(signal), headers, body)).await
}

fn assert_code(answer: &Answer, code: Code, message: &str) {
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("content-type"), "application/grpc");
    assert_eq!(answer.header("grpc-status"), (code as i32).to_string(), "{answer:?}");
    assert!(answer.header("grpc-message").contains(message), "{answer:?}");
}

#[tokio::test]
async fn success_is_a_message_and_a_trailer() {
    let door = Door::open();
    let router = otlp_grpc_service(door.ingest.clone());
    for kind in ["application/grpc", "application/grpc+proto"] {
        let body = framed(0, &request(Signal::Logs, 0));
        let answer = call(&router, Signal::Logs, &[("content-type", kind)], body).await;
        assert_eq!(answer.body, framed(0, b""));
        assert_eq!(answer.trailers.get("grpc-status").unwrap(), "0");
        assert_eq!(answer.headers.get("grpc-status"), None);
    }
}

#[tokio::test]
async fn cut_anywhere_a_call_is_refused_and_what_was_kept_stays() {
    let door = Door::open();
    let router = otlp_grpc_service(door.ingest.clone());
    for signal in SIGNALS {
        call(&router, signal, &[GRPC], framed(0, &request(signal, 0))).await;
        assert_eq!(door.stored(signal), 1);
        let message = request(signal, 1);
        let whole = framed(0, &message);
        for length in 0..whole.len() {
            let answer = call(&router, signal, &[GRPC], whole.slice(..length)).await;
            assert_code(&answer, Code::InvalidArgument, "the call ended");
        }
        for length in 1..message.len() {
            let answer = call(&router, signal, &[GRPC], framed(0, &message[..length])).await;
            assert_code(&answer, Code::InvalidArgument, "protobuf");
        }
        for coding in ["gzip", "zstd"] {
            let packed = compress(coding, &message);
            for length in 1..packed.len() {
                let headers = [GRPC, ("grpc-encoding", coding)];
                let answer = call(&router, signal, &headers, framed(1, &packed[..length])).await;
                assert_code(&answer, Code::InvalidArgument, coding);
            }
        }
        assert_eq!(door.stored(signal), 1, "{signal:?}");
    }
}

#[tokio::test]
async fn too_large_is_resource_exhausted_and_not_to_be_retried() {
    let door = Door::with(small());
    let router = otlp_grpc_service(door.ingest.clone());
    // The length is enough to know: the message itself never comes.
    let only_prefix = Bytes::from_static(b"\0\xff\xff\xff\xff");
    let answer = call(&router, Signal::Traces, &[GRPC], stalled(vec![only_prefix])).await;
    assert_code(&answer, Code::ResourceExhausted, "the message is larger than the limit of 4096 bytes");
    assert_eq!(answer.header("grpc-status-details-bin"), "");

    let bomb = compress("gzip", &vec![0; 5000]);
    let headers = [GRPC, ("grpc-encoding", "gzip")];
    let answer = call(&router, Signal::Traces, &headers, framed(1, &bomb)).await;
    assert_code(&answer, Code::ResourceExhausted, "the decompressed request body is larger than");
}

#[tokio::test]
async fn when_memory_is_taken_the_sender_is_given_a_delay() {
    let door = Door::with(receiver::Config { body_timeout: Duration::from_mins(1), ..small() });
    let router = otlp_grpc_service(door.ingest.clone());
    let held: Vec<_> = (0..2)
        .map(|_| {
            let router = router.clone();
            let body = stalled(vec![Bytes::from_static(b"\0\0\0\x0f\xa0")]);
            tokio::spawn(async move { call(&router, Signal::Traces, &[GRPC], body).await })
        })
        .collect();
    while door.counted(names::IN_FLIGHT_BYTES, &[]) < 12_096 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let answer = call(&router, Signal::Logs, &[GRPC], framed(0, &[0; 1000])).await;
    assert_code(&answer, Code::ResourceExhausted, "its limit is 12288");
    let details = answer.header("grpc-status-details-bin");
    let details = base64::engine::general_purpose::STANDARD_NO_PAD.decode(details).unwrap();
    let status = RpcStatus::decode(details.as_slice()).unwrap();
    assert_eq!(status.code, Code::ResourceExhausted as i32);
    assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    for request in held {
        request.abort();
    }
}

#[tokio::test]
async fn calls_that_are_not_served_are_told_so() {
    let door = Door::open();
    let router = otlp_grpc_service(door.ingest.clone());
    let answer = send(&router, post("/some.Service/Method", &[GRPC], framed(0, b""))).await;
    assert_code(&answer, Code::Unimplemented, "unknown service some.Service or method Method");
    let profiles = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export";
    let answer = send(&router, post(profiles, &[GRPC], framed(0, b""))).await;
    assert_code(&answer, Code::Unimplemented, "profiles are not taken");

    let headers = [GRPC, ("grpc-encoding", "lz4")];
    let answer = call(&router, Signal::Traces, &headers, framed(1, b"x")).await;
    assert_code(&answer, Code::Unimplemented, "lz4");
    assert_eq!(answer.header("grpc-accept-encoding"), "gzip,zstd,snappy");
    let answer = call(&router, Signal::Traces, &[GRPC], framed(1, b"x")).await;
    assert_code(&answer, Code::InvalidArgument, "no grpc-encoding");

    let answer = call(&router, Signal::Traces, &[("content-type", "application/json")], "{}").await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let answer = send(&router, Request::get(path(Signal::Traces)).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn health_is_told() {
    let door = Door::open();
    let router = otlp_grpc_service(door.ingest.clone());
    let check = |service: &str| {
        let mut asked = BytesMut::new();
        asked.put_u8(0x0a);
        asked.put_u8(service.len() as u8);
        asked.put_slice(service.as_bytes());
        post("/grpc.health.v1.Health/Check", &[GRPC], framed(0, &asked))
    };
    let serving = framed(0, b"\x08\x01");
    assert_eq!(send(&router, check("")).await.body, serving);
    let trace_service = "opentelemetry.proto.collector.trace.v1.TraceService";
    assert_eq!(send(&router, check(trace_service)).await.body, serving);
    assert_code(&send(&router, check("other")).await, Code::NotFound, "unknown service");
}
