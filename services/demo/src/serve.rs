//! From options to a service that answers, and to its orderly end: accept nothing new, finish what is under way, close
//! the database, flush telemetry.

use std::future::{Future, IntoFuture};
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::serve::ListenerExt;
use telemetry::Telemetry;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::protect::{Limits, protect};
use crate::{Database, Error, Problem, Result};

/// Two, so that a request which is slow to be scheduled does not hold up another; more would only cost memory.
const WORKER_THREADS: usize = 2;
/// For `/work` and name resolution.
const BLOCKING_THREADS: usize = 8;
/// Requests under way get this long to finish.
const DRAIN: Duration = Duration::from_secs(10);
/// Telemetry gets this long to be delivered.
const FLUSH: Duration = Duration::from_secs(3);

/// What [`run`] needs to know of a service.
#[derive(Clone, Debug)]
pub struct Service {
    /// Its name where `OTEL_SERVICE_NAME` does not say otherwise.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether it only asks the running one for its health.
    pub healthcheck: bool,
}

/// Runs a service until it is told to stop (SIGINT, SIGTERM), or asks a running one for its health. `build` opens
/// what the service needs and returns its router and the database that has to be closed at the end.
///
/// The exit code is 0 after an orderly end, 2 where options or variables are bad, 1 for any other failure.
pub fn run<B, F>(service: &Service, build: B) -> ExitCode
where
    B: FnOnce(Telemetry) -> F,
    F: Future<Output = Result<(Router, Database)>>,
{
    let result = if service.healthcheck {
        crate::health::ask(service.listen)
            .map_err(|reason| format!("unhealthy: {reason}\n"))
            .map_err(Failure::Said)
    } else {
        start(service, build).map_err(Failure::Failed)
    };
    let (message, code) = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Said(message)) => (message, 1),
        Err(Failure::Failed(error)) => {
            let bad_input = matches!(
                error,
                Error::BadOption { .. } | Error::Telemetry(telemetry::Error::BadValue { .. })
            );
            (format!("error: {}: {error}\n", service.name), if bad_input { 2 } else { 1 })
        }
    };
    // Nowhere is left to complain where this fails.
    let _ = std::io::stderr().write_all(message.as_bytes());
    ExitCode::from(code)
}

enum Failure {
    Said(String),
    Failed(Error),
}

fn start<B, F>(service: &Service, build: B) -> Result<()>
where
    B: FnOnce(Telemetry) -> F,
    F: Future<Output = Result<(Router, Database)>>,
{
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKER_THREADS)
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_name(service.name)
        .enable_all()
        .build()?;
    let guard = {
        let _inside = runtime.enter();
        telemetry::init(service.name, service.version)?
    };
    let result = runtime.block_on(async {
        // Bound first: a busy port is told before a database is touched.
        let listener = TcpListener::bind(service.listen)
            .await
            .map_err(|source| Error::Listen { address: service.listen.to_string(), source })?;
        let (router, database) = build(guard.telemetry().clone()).await?;
        let address = listener.local_addr()?;
        let ready_ms = begun.elapsed().as_millis() as u64;
        tracing::info!(%address, ready_ms, "listening");
        let served = serve(listener, router).await;
        database.close().await;
        served
    });
    if let Err(error) = &result {
        tracing::error!(%error, "stopped");
    }
    // The runtime carries the last exports, so it has to outlive them.
    let flushed = guard.shutdown(FLUSH);
    if !flushed {
        let _ =
            writeln!(std::io::stderr(), "warning: {}: not all telemetry was delivered at exit", service.name);
    }
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}

async fn serve(listener: TcpListener, router: Router) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (told, mut stopping) = tokio::sync::watch::channel(false);
    let told_to_stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        let _ = told.send(true);
    };
    // Small answers: waiting to fill a packet only makes them late.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    // With the other end's address, for `client.address`.
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, router).with_graceful_shutdown(told_to_stop).into_future();
    let too_late = async move {
        // An error means that the sender is gone: then the server has ended as well.
        let _ = stopping.wait_for(|stopping| *stopping).await;
        tracing::info!("stopping: no new connections, finishing what is under way");
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        result = server => result?,
        () = too_late => tracing::warn!("requests under way were cut off at the deadline"),
    }
    Ok(())
}

/// Puts around a service's routes what all services have: problems in place of bare statuses, limits, telemetry; and
/// beside them, outside of telemetry, `/healthz` and `/metrics`.
pub fn router(routes: Router, database: Database, telemetry: &Telemetry) -> Router {
    let health = move || {
        let database = database.clone();
        async move {
            match database.ping().await {
                Ok(()) => axum::Json(serde_json::json!({ "status": "ok" })).into_response(),
                Err(error) => Problem::from(error).into_response(),
            }
        }
    };
    let beside = Router::new()
        .route("/healthz", get(health))
        .merge(telemetry.metrics_route())
        .method_not_allowed_fallback(wrong_method);
    routes
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(crate::extract::LARGEST_BODY))
        .layer(axum::middleware::from_fn_with_state(Limits::default(), protect))
        .layer(telemetry.server_layer())
        .merge(beside)
}

async fn unknown_route(request: Request) -> Problem {
    Problem::not_found(format!("there is nothing at {}", request.uri().path()))
}

async fn wrong_method(request: Request) -> Problem {
    let detail = format!("{} is not possible at {}", request.method(), request.uri().path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}
