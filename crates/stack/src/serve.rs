//! Serving a router on a listener: so many connections, so long to say something, and an end to each of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::Part;

/// What a port allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Connections at once; more wait in the system's queue.
    pub(crate) connections: usize,
    /// Time for a new connection to say which protocol it speaks.
    pub(crate) first_bytes: Duration,
    /// Time between the end of one HTTP/1 request and the end of the next one's head: how long a connection may idle,
    /// and how slowly a head may come.
    pub(crate) head: Duration,
    /// Requests at once on one HTTP/2 connection.
    pub(crate) streams: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            first_bytes: Duration::from_secs(10),
            head: Duration::from_secs(90),
            streams: 256,
        }
    }
}

/// HTTP/2 flow control: a batch of telemetry fits into a stream's window, so that no round trip is spent on it.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// The larger, the fewer pieces a batch comes in.
const FRAME_BYTES: u32 = 256 << 10;
const LONGEST_HEAD_BYTES: u32 = 32 << 10;
/// How an HTTP/2 peer that is gone is noticed.
const PING_EVERY: Duration = Duration::from_secs(30);
const PONG_WITHIN: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    /// Connections are accepted.
    Open,
    /// No new connection; those that are there go on.
    Closed,
    /// Each connection ends with the request that it is at.
    Ending,
}

/// A port that is served.
#[derive(Debug)]
pub(crate) struct Server {
    part: Part,
    phase: watch::Sender<Phase>,
    slots: Arc<Semaphore>,
    limits: Limits,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves a router. Must be called on the runtime that is to serve.
    ///
    /// # Errors
    /// If the listener cannot be handed to the runtime.
    pub(crate) fn start(
        part: Part,
        listener: std::net::TcpListener,
        router: Router,
        limits: Limits,
    ) -> std::io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let (phase, watched) = watch::channel(Phase::Open);
        let slots = Arc::new(Semaphore::new(limits.connections));
        let acceptor = Acceptor {
            part,
            protocols: Arc::new(Protocols::new(limits)),
            service: TowerToHyperService::new(router),
            slots: Arc::clone(&slots),
            phase: watched,
            graceful: GracefulShutdown::new(),
            connections: JoinSet::new(),
        };
        Ok(Self { part, phase, slots, limits, task: tokio::spawn(acceptor.run(listener)) })
    }

    /// The part that is served.
    pub(crate) fn part(&self) -> Part {
        self.part
    }

    /// A count of the open connections that outlives the server.
    pub(crate) fn connection_count(&self) -> impl Fn() -> usize + Send + Sync + use<> {
        let (slots, all) = (Arc::clone(&self.slots), self.limits.connections);
        move || all - slots.available_permits()
    }

    /// Accepts no new connection.
    pub(crate) fn close(&self) {
        self.phase.send_if_modified(|phase| {
            let changed = *phase < Phase::Closed;
            *phase = if changed { Phase::Closed } else { *phase };
            changed
        });
    }

    /// Ends every connection with the request that it is at; past the deadline they are cut. Gives back how many were.
    pub(crate) async fn end(mut self, deadline: tokio::time::Instant) -> usize {
        self.phase.send_replace(Phase::Ending);
        if tokio::time::timeout_at(deadline, &mut self.task).await.is_ok() {
            return 0;
        }
        let cut = self.connection_count()();
        // The connections' tasks belong to the task's set and go with it.
        self.task.abort();
        cut
    }
}

struct Acceptor {
    part: Part,
    protocols: Arc<Protocols>,
    service: TowerToHyperService<Router>,
    slots: Arc<Semaphore>,
    phase: watch::Receiver<Phase>,
    graceful: GracefulShutdown,
    connections: JoinSet<()>,
}

impl Acceptor {
    async fn run(mut self, listener: TcpListener) {
        self.accept(listener).await;
        reached(&mut self.phase, Phase::Ending).await;
        self.graceful.shutdown().await;
        while self.connections.join_next().await.is_some() {}
    }

    /// Accepts until the phase changes, then drops the listener.
    async fn accept(&mut self, listener: TcpListener) {
        let mut phase = self.phase.clone();
        loop {
            let (stream, peer) = tokio::select! {
                () = reached(&mut phase, Phase::Closed) => return,
                Some(_ended) = self.connections.join_next() => continue,
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        rest_after(self.part, &error).await;
                        continue;
                    }
                },
            };
            // At the limit this connection waits, and those behind it wait in the system's queue.
            let slot = tokio::select! {
                () = reached(&mut phase, Phase::Closed) => return,
                slot = Arc::clone(&self.slots).acquire_owned() => slot,
            };
            let Ok(slot) = slot else { return };
            let connection = Connection {
                part: self.part,
                peer,
                protocols: Arc::clone(&self.protocols),
                service: self.service.clone(),
                watcher: self.graceful.watcher(),
                phase: phase.clone(),
            };
            self.connections.spawn(async move {
                let _slot = slot;
                connection.run(stream).await;
            });
        }
    }
}

/// Done when the phase has come, or nobody is left who could bring it.
async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    let _ = phase.wait_for(|phase| *phase >= wanted).await;
}

/// An accept that failed for the connection's sake is forgotten; one that failed for ours (no file descriptors) is not
/// tried again at full speed.
async fn rest_after(part: Part, error: &std::io::Error) {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        return;
    }
    tracing::warn!(component = part.id(), %error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

struct Connection {
    part: Part,
    peer: SocketAddr,
    protocols: Arc<Protocols>,
    service: TowerToHyperService<Router>,
    watcher: Watcher,
    phase: watch::Receiver<Phase>,
}

impl Connection {
    async fn run(mut self, stream: TcpStream) {
        // A response that is ready goes out; waiting for more to send with it only adds latency.
        let _ = stream.set_nodelay(true);
        let spoken = tokio::select! {
            () = reached(&mut self.phase, Phase::Ending) => return,
            spoken = self.protocols.spoken_on(&stream) => spoken,
        };
        let Some(protocol) = spoken else { return };
        let connection = protocol.serve_connection(TokioIo::new(stream), self.service);
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(component = self.part.id(), peer = %self.peer, %error, "connection ended");
        }
    }
}

struct Protocols {
    first_bytes: Duration,
    http1: auto::Builder<TokioExecutor>,
    http2: auto::Builder<TokioExecutor>,
}

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Protocols {
    fn new(limits: Limits) -> Self {
        let mut http1 = auto::Builder::new(TokioExecutor::new()).http1_only();
        http1.http1().timer(TokioTimer::new()).header_read_timeout(limits.head);
        let mut http2 = auto::Builder::new(TokioExecutor::new()).http2_only();
        http2
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES)
            .max_header_list_size(LONGEST_HEAD_BYTES)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PONG_WITHIN);
        Self { first_bytes: limits.first_bytes, http1, http2 }
    }

    /// Looks at the first bytes without taking them. `None` if the peer goes away or says nothing in time.
    ///
    /// hyper-util can tell the two apart itself, but waits for the first bytes without end.
    async fn spoken_on(&self, stream: &TcpStream) -> Option<&auto::Builder<TokioExecutor>> {
        let look = async {
            let mut head = [0; PREFACE.len()];
            loop {
                let seen = stream.peek(&mut head).await.ok()?;
                let is_prefix = PREFACE.starts_with(&head[..seen]);
                match seen {
                    0 => return None,
                    _ if !is_prefix => return Some(&self.http1),
                    _ if seen == PREFACE.len() => return Some(&self.http2),
                    // The rest of a preface that came in pieces: nothing wakes us for it, as there is something to read.
                    _ => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        };
        tokio::time::timeout(self.first_bytes, look).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    fn start(limits: Limits) -> (Server, SocketAddr) {
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            "slow"
        };
        let router = Router::new().route("/", get(|| async { "hello" })).route("/slow", get(slow));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (Server::start(Part::Tempo, listener, router, limits).unwrap(), address)
    }

    async fn get_text(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn a_request_under_way_is_answered_before_the_end() {
        let (server, address) = start(Limits::default());
        assert!(get_text(address, "/").await.ends_with("hello"));
        let under_way = tokio::spawn(async move { get_text(address, "/slow").await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(server.connection_count()(), 1);
        server.close();
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(TcpStream::connect(address).await.is_err(), "a closed port accepts");
        assert_eq!(server.end(soon()).await, 0);
        assert!(under_way.await.unwrap().ends_with("slow"));
    }

    #[tokio::test]
    async fn an_idle_connection_does_not_hold_up_the_end() {
        let (server, address) = start(Limits::default());
        let mut idle = TcpStream::connect(address).await.unwrap();
        let silent = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        idle.read_exact(&mut first).await.unwrap();
        let before = Instant::now();
        assert_eq!(server.end(soon()).await, 0);
        assert!(before.elapsed() < Duration::from_secs(1));
        drop(silent);
    }

    #[tokio::test]
    async fn past_the_deadline_connections_are_cut() {
        let (server, address) = start(Limits::default());
        let under_way = tokio::spawn(async move { get_text(address, "/slow").await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(server.end(Instant::now()).await, 1);
        assert_eq!(under_way.await.unwrap(), "");
    }

    #[tokio::test]
    async fn a_connection_that_says_nothing_is_closed() {
        let limits = Limits { first_bytes: Duration::from_millis(50), ..Limits::default() };
        let (_server, address) = start(limits);
        for said in [&b""[..], &PREFACE[..7]] {
            let mut silent = TcpStream::connect(address).await.unwrap();
            silent.write_all(said).await.unwrap();
            // Closed with or without bytes unread: an end or a reset.
            let read = tokio::time::timeout(Duration::from_secs(5), silent.read(&mut [0; 1])).await.unwrap();
            assert!(matches!(read, Ok(0) | Err(_)));
        }
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_cut_off() {
        let limits = Limits { head: Duration::from_millis(50), ..Limits::default() };
        let (_server, address) = start(limits);
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost: x").await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(5), slow.read_to_end(&mut answer));
        let _ = read.await.expect("the connection stays open");
    }

    #[tokio::test]
    async fn connections_past_the_limit_wait_for_their_turn() {
        let limits = Limits { connections: 1, ..Limits::default() };
        let (_server, address) = start(limits);
        let first = TcpStream::connect(address).await.unwrap();
        let second = tokio::spawn(async move { get_text(address, "/").await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!second.is_finished());
        drop(first);
        let answer = tokio::time::timeout(Duration::from_secs(5), second).await.unwrap().unwrap();
        assert!(answer.ends_with("hello"));
    }
}
