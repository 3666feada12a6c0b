//! The HTTP/2 server under the gRPC calls.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// How connections are kept.
#[derive(Debug, Clone)]
pub struct ServeConfig {
    /// Most connections at a time; further ones wait in the listener's backlog.
    pub max_connections: usize,
    /// Most calls of one connection at a time; a sender keeps further ones back.
    pub max_concurrent_streams: u32,
    /// Bytes that a call may send before they are read: a batch of some hundred spans, so that it comes in one go.
    pub stream_window_bytes: u32,
    /// The same for all calls of a connection together.
    pub connection_window_bytes: u32,
    /// Largest frame that is taken; the larger, the fewer pieces a batch comes in.
    pub max_frame_bytes: u32,
    /// A silent connection is asked for a sign of life this often …
    pub keepalive_interval: Duration,
    /// … and closed without one for this long.
    pub keepalive_timeout: Duration,
    /// How long calls under way may take to end at a stop.
    pub drain_timeout: Duration,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_concurrent_streams: 256,
            stream_window_bytes: 1 << 20,
            connection_window_bytes: 4 << 20,
            max_frame_bytes: 256 << 10,
            keepalive_interval: Duration::from_mins(1),
            keepalive_timeout: Duration::from_secs(20),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// Serves gRPC calls (HTTP/2 without TLS, by prior knowledge) until `stop` completes. Then no more calls are taken,
/// those under way end, and it returns; at the latest after [`ServeConfig::drain_timeout`].
pub async fn serve(
    listener: TcpListener,
    calls: Router,
    config: ServeConfig,
    stop: impl Future<Output = ()>,
) {
    let mut server = http2::Builder::new(TokioExecutor::new());
    server
        .timer(TokioTimer::new())
        .max_concurrent_streams(config.max_concurrent_streams)
        .initial_stream_window_size(config.stream_window_bytes)
        .initial_connection_window_size(config.connection_window_bytes)
        .max_frame_size(config.max_frame_bytes)
        .keep_alive_interval(config.keepalive_interval)
        .keep_alive_timeout(config.keepalive_timeout);
    let places = Arc::new(Semaphore::new(config.max_connections.max(1)));
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&places).acquire_owned().await.ok();
            (accept(&listener).await, place)
        };
        let (stream, place) = tokio::select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY on a gRPC connection");
        }
        let service = TowerToHyperService::new(calls.clone());
        let connection = connections.watch(server.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a gRPC connection ended with an error");
            }
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(config.drain_timeout, connections.shutdown()).await.is_err() {
        tracing::warn!("gRPC calls were still under way at the end of the time for draining");
    }
}

/// Accepts a connection, however often that fails: out of file descriptors is a state that passes.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "accepting a gRPC connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
