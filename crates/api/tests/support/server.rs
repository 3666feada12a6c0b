//! The API over real stores in a temporary directory, asked through its routers as a server would.

#![allow(dead_code, reason = "each test target uses a part of it")]
#![allow(clippy::unwrap_used, reason = "tests may, and this is a part of them")]

use std::path::Path;
use std::sync::Arc;

use api::Context;
use api::pool::QueryPool;
use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use model::{Clock, ManualClock, SystemClock};
use otlp::json::{self, Dialect};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

/// A server of one product after the other.
pub(crate) struct Server {
    pub(crate) context: Context,
    _dir: TempDir,
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) location: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(
            (self.status, self.content_type.as_str()),
            (StatusCode::OK, "application/json"),
            "{self:?}"
        );
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Server {
    /// A server with empty stores.
    pub(crate) fn start() -> Self {
        Self::with(Arc::new(SystemClock), QueryPool::new(2, 16))
    }

    /// A server for which it is this time.
    pub(crate) fn at(now_ns: u64) -> Self {
        Self::with(Arc::new(ManualClock::at_ns(now_ns)), QueryPool::new(2, 16))
    }

    pub(crate) fn with(clock: Arc<dyn Clock>, pool: QueryPool) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let traces = tracestore::Config::new(path("wal/traces"), path("blocks/traces"), 64 << 20);
        let logs = logstore::Config {
            wal_dir: path("wal/logs"),
            blocks_dir: path("blocks/logs"),
            wal_sync: wal::SyncPolicy::Interval(std::time::Duration::from_secs(1)),
            memory_bytes: 64 << 20,
            retention_age: std::time::Duration::from_hours(1),
            retention_bytes: 1 << 30,
            limits: logstore::Limits::default(),
        };
        let context = Context {
            traces: Arc::new(tracestore::TraceStore::open(traces, Arc::clone(&clock)).unwrap()),
            logs: Arc::new(logstore::LogStore::open(logs, Arc::clone(&clock)).unwrap()),
            metrics: Arc::new(
                tsdb::Tsdb::open(
                    tsdb::Config::new(path("wal/metrics"), path("blocks/metrics")),
                    Arc::clone(&clock),
                )
                .unwrap(),
            ),
            pool,
            started_ns: clock.now_ns(),
            clock,
            registry: prometheus::Registry::new(),
            ui_url: None,
            rules: None,
            configuration: None,
            external_labels: api::ExternalLabels::default(),
            admin_api: false,
        };
        Self { context, _dir: dir }
    }

    /// Stores a request of OTLP/JSON as the receiver would.
    pub(crate) fn send(&self, request: &Value) {
        let bytes = json::to_protobuf(
            json::Request::Traces,
            Dialect::ProtoJson,
            &serde_json::to_vec(request).unwrap(),
        )
        .unwrap();
        let (batch, rejected) = otlp::traces::decode(&bytes, &otlp::traces::Limits::default()).unwrap();
        assert_eq!(rejected.count, 0, "{rejected:?}");
        self.context.traces.append(&batch).unwrap();
    }

    pub(crate) fn send_file(&self, path: &Path) -> Result<(), String> {
        self.send(&read_json(path)?);
        Ok(())
    }

    pub(crate) fn tempo(&self) -> Client {
        Client(api::tempo::router(self.context.clone()))
    }

    pub(crate) fn jaeger(&self) -> Client {
        Client(api::jaeger::router(self.context.clone()))
    }
}

/// Asks a router.
#[derive(Clone)]
pub(crate) struct Client(pub(crate) Router);

impl Client {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, "*/*", Vec::new()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.ask(Method::POST, path, "*/*", body).await
    }

    pub(crate) async fn accepting(&self, path: &str, accept: &str) -> Answer {
        self.ask(Method::GET, path, accept, Vec::new()).await
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("accept", accept)
            .body(Body::from(body.into()))
            .unwrap();
        let response = self.0.clone().oneshot(request).await.unwrap();
        let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        Answer {
            status: response.status(),
            content_type: header("content-type").unwrap_or_default(),
            location: header("location"),
            body: response.into_body().collect().await.unwrap().to_bytes().to_vec(),
        }
    }
}

pub(crate) fn read_json(path: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Runs a future to its end, for targets that have no test runner of their own.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Percent-encodes a value of a query.
pub(crate) fn encode(text: &str) -> String {
    let hex = hex::encode_upper(text);
    hex.as_bytes().chunks(2).flat_map(|pair| ['%', pair[0] as char, pair[1] as char]).collect()
}
