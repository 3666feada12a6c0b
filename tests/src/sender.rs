//! Sends batches over connections that stay open, several on the way at a time, with as little work as possible.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST, TE};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// Over what a batch is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// OTLP/gRPC.
    Grpc,
    /// OTLP/HTTP with protobuf.
    Http,
}

/// A signal, by the names in OTLP's paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Data points.
    Metrics,
}

impl Signal {
    fn grpc_path(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }
    }

    fn http_path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Logs => "/v1/logs",
            Self::Metrics => "/v1/metrics",
        }
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Success was answered.
    Accepted,
    /// Refused, to be sent again after a delay.
    Busy,
    /// Another refusal.
    Refused(String),
    /// No answer: the connection broke.
    Lost(String),
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    kind: Kind,
    host: String,
}

#[derive(Debug)]
enum Kind {
    Grpc(http2::SendRequest<Full<Bytes>>),
    Http(http1::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Connects to an address such as `127.0.0.1:4317`.
    pub async fn open(protocol: Protocol, address: &str) -> Result<Self, String> {
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let io = TokioIo::new(stream);
        let kind = match protocol {
            Protocol::Grpc => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.max_send_buf_size(1 << 20);
                let (sender, connection) = builder.handshake(io).await.map_err(|error| error.to_string())?;
                tokio::spawn(connection);
                Kind::Grpc(sender)
            }
            Protocol::Http => {
                let (sender, connection) = http1::handshake(io).await.map_err(|error| error.to_string())?;
                tokio::spawn(connection);
                Kind::Http(sender)
            }
        };
        Ok(Self { kind, host: address.to_owned() })
    }

    /// Sends one OTLP request in protobuf and waits for its answer.
    pub async fn export(&mut self, signal: Signal, message: Bytes) -> Outcome {
        match &mut self.kind {
            Kind::Grpc(sender) => {
                let mut framed = BytesMut::with_capacity(message.len() + 5);
                framed.put_u8(0);
                framed.put_u32(message.len() as u32);
                framed.put_slice(&message);
                let request = Request::post(format!("http://{}{}", self.host, signal.grpc_path()))
                    .header(CONTENT_TYPE, "application/grpc")
                    .header(TE, "trailers")
                    .body(Full::new(framed.freeze()))
                    .expect("a valid request");
                grpc_outcome(sender.send_request(request).await).await
            }
            Kind::Http(sender) => {
                let request = Request::post(signal.http_path())
                    .header(HOST, &self.host)
                    .header(CONTENT_TYPE, "application/x-protobuf")
                    .body(Full::new(message))
                    .expect("a valid request");
                http_outcome(sender.send_request(request).await).await
            }
        }
    }

    /// Asks by an HTTP/1.1 GET; only on a connection of [`Protocol::Http`].
    pub async fn get(&mut self, path: &str, accept: &str) -> Result<(StatusCode, Bytes), String> {
        let Kind::Http(sender) = &mut self.kind else { return Err("not HTTP/1.1".to_owned()) };
        let request = Request::get(path).header(HOST, &self.host).header(http::header::ACCEPT, accept);
        let request = request.body(Full::default()).expect("a valid request");
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
        Ok((status, body.to_bytes()))
    }

    /// Sends any HTTP/1.1 POST and waits for its answer; only on a connection of [`Protocol::Http`].
    pub async fn post(&mut self, path: &str, content_type: &str, body: Bytes) -> Outcome {
        let Kind::Http(sender) = &mut self.kind else { return Outcome::Refused("not HTTP/1.1".to_owned()) };
        let request = Request::post(path)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, content_type)
            .body(Full::new(body))
            .expect("a valid request");
        http_outcome(sender.send_request(request).await).await
    }
}

type Answered = hyper::Result<http::Response<hyper::body::Incoming>>;

async fn grpc_outcome(answered: Answered) -> Outcome {
    let response = match answered {
        Ok(response) => response,
        Err(error) => return Outcome::Lost(error.to_string()),
    };
    let (parts, body) = response.into_parts();
    let collected = match body.collect().await {
        Ok(collected) => collected,
        Err(error) => return Outcome::Lost(error.to_string()),
    };
    let trailers = collected.trailers();
    let status = parts.headers.get("grpc-status").or_else(|| trailers?.get("grpc-status")).cloned();
    // After the prefix of five bytes an empty message, or an empty partial success in it, as the Collector sends one.
    let is_whole = matches!(collected.to_bytes().get(5..), None | Some([] | [0x0a, 0x00]));
    match status.as_ref().and_then(|status| status.to_str().ok()) {
        Some("0") if is_whole => Outcome::Accepted,
        Some("0") => Outcome::Refused("a part was rejected".to_owned()),
        Some("8") => Outcome::Busy,
        other => Outcome::Refused(format!("grpc-status {other:?} {:?}", parts.headers.get("grpc-message"))),
    }
}

async fn http_outcome(answered: Answered) -> Outcome {
    let response = match answered {
        Ok(response) => response,
        Err(error) => return Outcome::Lost(error.to_string()),
    };
    let status = response.status();
    let body = match response.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Outcome::Lost(error.to_string()),
    };
    match status {
        StatusCode::OK | StatusCode::NO_CONTENT if body.is_empty() => Outcome::Accepted,
        StatusCode::TOO_MANY_REQUESTS => Outcome::Busy,
        other => Outcome::Refused(format!("{other}: {}", String::from_utf8_lossy(&body))),
    }
}

/// How a run went.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Batches for which success was answered, by number.
    pub accepted: Vec<u64>,
    /// How often a sender was asked to wait.
    pub busy: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Time from request to answer of each accepted batch.
    pub latencies: Vec<Duration>,
    /// What ended a sender early.
    pub ended: Vec<String>,
}

/// Sends the batches `0..count` over several connections with one request on the way on each, until all are accepted
/// or a connection breaks. `batch` makes the request of a number; `accepted` is counted up as they are.
pub async fn run<F>(
    protocol: Protocol,
    address: &str,
    signal: Signal,
    connections: u64,
    count: u64,
    batch: Arc<F>,
    accepted: Arc<AtomicU64>,
) -> Run
where
    F: Fn(u64) -> Bytes + Send + Sync + 'static,
{
    let began = Instant::now();
    let senders: Vec<_> = (0..connections)
        .map(|first| {
            let (address, batch) = (address.to_owned(), Arc::clone(&batch));
            let accepted = Arc::clone(&accepted);
            tokio::spawn(async move {
                let mut run = Run::default();
                let mut connection = match Connection::open(protocol, &address).await {
                    Ok(connection) => connection,
                    Err(error) => {
                        run.ended.push(error);
                        return run;
                    }
                };
                let mut number = first;
                while number < count {
                    let bytes = batch(number);
                    let sent = Instant::now();
                    match connection.export(signal, bytes).await {
                        Outcome::Accepted => {
                            run.latencies.push(sent.elapsed());
                            run.accepted.push(number);
                            accepted.fetch_add(1, Ordering::Relaxed);
                            number += connections;
                        }
                        Outcome::Busy => {
                            run.busy += 1;
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                        Outcome::Refused(why) | Outcome::Lost(why) => {
                            run.ended.push(why);
                            return run;
                        }
                    }
                }
                run
            })
        })
        .collect();
    let mut whole = Run::default();
    for sender in senders {
        let part = sender.await.expect("a sender does not panic");
        whole.accepted.extend(part.accepted);
        whole.busy += part.busy;
        whole.latencies.extend(part.latencies);
        whole.ended.extend(part.ended);
    }
    whole.elapsed = began.elapsed();
    whole
}
