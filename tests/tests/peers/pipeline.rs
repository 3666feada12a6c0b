//! The way of the signals: the demo's services → the Collector → the embedded engine (or the real stores, see
//! [`crate::stores`]) and a real Prometheus.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::Failed;
use tests::mirante::{self, Stack};
use tests::peers::ours::Ours;
use tests::peers::pinned;
use tests::peers::running::Peer;

use crate::objectives;
use crate::prometheus::Prometheus;
use crate::stores::{self, Store};

/// Everything is sent and flushed each second here; the rest is for a busy machine.
pub(crate) const WITHIN: Duration = Duration::from_secs(60);
const START: Duration = Duration::from_secs(30);

/// What has to be there for it.
pub(crate) const NEEDS: &[&str] = &["otelcol", "prometheus"];

/// Ports on this machine for the addresses of the compose network.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) users: u16,
    pub(crate) albums: u16,
    pub(crate) otlp_grpc: u16,
    pub(crate) otlp_http: u16,
    pub(crate) collector_health: u16,
    pub(crate) collector_own: u16,
    pub(crate) prometheus: u16,
    pub(crate) alertmanager: u16,
    pub(crate) webhook: u16,
}

impl Ports {
    pub(crate) fn free() -> Self {
        let free_port = below_clients;
        Self {
            users: free_port(),
            albums: free_port(),
            otlp_grpc: free_port(),
            otlp_http: free_port(),
            collector_health: free_port(),
            collector_own: free_port(),
            prometheus: free_port(),
            alertmanager: free_port(),
            webhook: free_port(),
        }
    }
}

/// A port that is free now, is given to nobody else of this process, and lies below the range from which the system gives
/// ports to clients: a program that takes seconds to start still finds it free.
pub(crate) fn below_clients() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const RANGE: u16 = 12_000;
    let start = (std::process::id() % u32::from(RANGE)) as u16;
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_mul(7);
        let port = 20_000 + start.wrapping_add(step) % RANGE;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// `http://127.0.0.1:PORT`.
pub(crate) fn local(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// A program that set-up has built.
pub(crate) fn program(name: &str) -> Result<std::path::PathBuf, Failed> {
    pinned(name).ok_or_else(|| format!("no {name}: tests/setup.sh").into())
}

static SHARED: Mutex<Option<Arc<Pipeline>>> = Mutex::new(None);

/// All of it, running. The fields are dropped in their order: senders first.
pub(crate) struct Pipeline {
    _users: Peer,
    _albums: Peer,
    pub(crate) collector: Peer,
    pub(crate) prometheus: Prometheus,
    pub(crate) tempo: Store,
    pub(crate) jaeger: Store,
    pub(crate) loki: Store,
    _mirante: Stack,
    pub(crate) ports: Ports,
    pub(crate) dir: tempfile::TempDir,
}

impl Pipeline {
    /// The one that the cases share.
    pub(crate) fn shared() -> Result<Arc<Self>, Failed> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*shared {
            return Ok(Arc::clone(running));
        }
        // After a failure the next case tries again.
        Ok(Arc::clone(shared.insert(Arc::new(Self::start()?))))
    }

    /// Ends it, after the last case.
    pub(crate) fn stop() {
        SHARED.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn start() -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        let ports = Ports::free();
        let mirante = Stack::up(&dir.path().join("mirante"), &["--no-demo"]);
        // The objectives' rules too, where there is who writes them.
        if pinned("pyrra").is_some() {
            for rules in objectives::generate(&dir.path().join("pyrra"))? {
                // Its groups have intervals of their own.
                Ours::at(&rules)?.value("- interval", "1s").write(&rules)?;
            }
        }
        let mut prometheus = Prometheus::start(dir.path(), &ports)?;
        let mut tempo = stores::tempo(dir.path(), &mirante)?;
        let mut jaeger = stores::jaeger(dir.path(), &ports, &mirante)?;
        let mut loki = stores::loki(dir.path(), &mirante)?;
        prometheus.process.ready(&format!("{}/-/ready", prometheus.url), START)?;
        tempo.ready("/ready")?;
        jaeger.ready("/")?;
        loki.ready("/ready")?;
        let mut collector = collector(dir.path(), &ports, [&tempo, &jaeger, &loki], Some("1s"))?;
        let mut albums = service("albums", dir.path(), &ports)?;
        let mut users = service("users", dir.path(), &ports)?;
        collector.ready(&local(ports.collector_health), START)?;
        albums.ready(&format!("{}/healthz", local(ports.albums)), START)?;
        users.ready(&format!("{}/healthz", local(ports.users)), START)?;
        Ok(Self {
            _users: users,
            _albums: albums,
            collector,
            prometheus,
            tempo,
            jaeger,
            loki,
            _mirante: mirante,
            ports,
            dir,
        })
    }

    /// Address of users.
    pub(crate) fn users(&self) -> String {
        local(self.ports.users)
    }
}

/// The Collector with our file; `flush` is how often it sends what it makes of spans, if that is not to be as in the file.
pub(crate) fn collector(
    dir: &Path,
    ports: &Ports,
    [tempo, jaeger, loki]: [&Store; 3],
    flush: Option<&str>,
) -> Result<Peer, Failed> {
    let file = dir.join("otel-collector.yaml");
    let mut ours = Ours::read("infra/otel-collector/config.yaml")?
        .address("0.0.0.0:4317", ports.otlp_grpc)
        .address("0.0.0.0:4318", ports.otlp_http)
        .address("0.0.0.0:13133", ports.collector_health)
        .replace("host: 0.0.0.0", "host: 127.0.0.1")
        .replace("port: 8888", &format!("port: {}", ports.collector_own))
        .address("tempo:4317", tempo.receiver)
        .address("jaeger:4317", jaeger.receiver)
        .address("loki:3100", loki.receiver)
        .address("prometheus:9090", ports.prometheus);
    if let Some(flush) = flush {
        ours = ours.value("metrics_flush_interval", flush);
    }
    ours.write(&file)?;
    Peer::start(&program("otelcol")?, &["--config", &file.to_string_lossy()], dir)
}

/// A service of the demo, with the environment that the compose file gives it, in a hurry and without faults.
pub(crate) fn service(name: &str, dir: &Path, ports: &Ports) -> Result<Peer, Failed> {
    let port = if name == "users" { ports.users } else { ports.albums };
    let mut command: Command = mirante::command(&["demo", "--lifeline", name]);
    command
        .env("LISTEN_ADDR", format!("127.0.0.1:{port}"))
        .env("DATABASE_URL", format!("sqlite:{}", dir.join(name).with_extension("db").display()))
        .env("ALBUMS_URL", local(ports.albums))
        .env("OTEL_SERVICE_NAME", name)
        .env("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=demo,deployment.environment.name=demo")
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", local(ports.otlp_grpc))
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .env("OTEL_METRICS_EXPORTER", "otlp,prometheus")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "1000")
        .env("OTEL_BSP_SCHEDULE_DELAY", "200")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "200")
        .env("APP_ERRORS", "0")
        .env("APP_SLOW", "0")
        .env("APP_LATENCY", "0")
        .stdin(Stdio::piped());
    Peer::spawn(name, command)
}
