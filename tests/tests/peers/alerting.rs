//! An alert's way: rule → Prometheus → Alertmanager → the path of its service and severity, and back to well again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tests::peers::ours::{Ours, root};
use tests::peers::running::{Peer, run};
use tests::peers::{ask, pinned, trial};

use crate::compose;
use crate::pipeline::{Ports, WITHIN, local, program, service};
use crate::prometheus::Prometheus;

/// The session of all our notifications.
const SESSION: &str = "00000000-0000-0000-0000-000000000000";
const START: Duration = Duration::from_secs(30);

pub(crate) fn trials() -> Vec<Trial> {
    let to = if pinned("webhook-tester").is_some() { "the webhook tester" } else { "a listener of the test" };
    let whole = format!("alertmanager: a service goes down and comes back, and {to} is told");
    vec![
        trial("alertmanager: its own tool finds our file right", &["amtool"], pinned, checked),
        trial(&whole, &["alertmanager", "prometheus"], pinned, down_and_back),
    ]
}

fn checked() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let file = root().join("infra/alertmanager/alertmanager.yml");
    let (code, said) = run(&program("amtool")?, &["check-config", &file.to_string_lossy()], dir.path())?;
    if code == 0 { Ok(()) } else { Err(said.into()) }
}

fn down_and_back() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let ports = Ports::free();
    let webhook = Webhook::start(dir.path(), ports.webhook)?;
    let mut alertmanager = alertmanager(dir.path(), &ports)?;
    alertmanager.ready(&format!("{}/-/ready", local(ports.alertmanager)), START)?;
    let mut prometheus = Prometheus::start(dir.path(), &ports)?;
    prometheus.process.ready(&format!("{}/-/ready", prometheus.url), START)?;
    let seen = || format!("{:?}\n{}", webhook.received(), alertmanager.last_words());

    // Nobody has started albums.
    let firing = || webhook.told("albums/critical", "ServiceDown", "firing");
    let alert = ask::until("albums is reported down", WITHIN, firing, seen)?;
    for (place, name) in [("labels", "service"), ("annotations", "summary"), ("annotations", "runbook_url")] {
        let text = alert[place][name].as_str().unwrap_or_default();
        if text.is_empty() {
            return Err(format!("no {name}: {alert}").into());
        }
    }
    if alert["labels"]["service"] != "albums" || alert["labels"]["severity"] != "critical" {
        return Err(format!("not the alert that was meant: {alert}").into());
    }
    let watchdog = || webhook.told("watchdog", "Watchdog", "firing");
    ask::until("the watchdog is heard", WITHIN, watchdog, seen)?;

    let mut albums = service("albums", dir.path(), &ports)?;
    albums.ready(&format!("{}/healthz", local(ports.albums)), START)?;
    let resolved = || webhook.told("albums/critical", "ServiceDown", "resolved");
    ask::until("albums is reported well", WITHIN, resolved, seen)?;
    Ok(())
}

/// Alertmanager with our file; it speaks at once where ours waits for half a minute.
fn alertmanager(dir: &Path, ports: &Ports) -> Result<Peer, Failed> {
    let file = dir.join("alertmanager/alertmanager.yml");
    Ours::read("infra/alertmanager/alertmanager.yml")?
        .address("webhook-tester:8080", ports.webhook)
        .value("group_wait", "1s")
        .value("group_interval", "1s")
        .write(&file)?;
    let data = dir.join("alertmanager-data");
    let mut arguments: Vec<String> = compose::command("docker-compose.yaml", "alertmanager")?
        .iter()
        .map(|flag| flag.replace("=/etc/alertmanager/", &format!("={}/alertmanager/", dir.display())))
        .map(|flag| flag.replace("=/alertmanager", &format!("={}", data.display())))
        .collect();
    arguments.push(format!("--web.listen-address=127.0.0.1:{}", ports.alertmanager));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Peer::start(&program("alertmanager")?, &arguments, dir)
}

/// Who takes the notifications.
enum Webhook {
    /// The webhook tester, where somebody has one.
    Real { _process: Peer, url: String },
    /// A listener that answers 200 and remembers.
    StandIn(Arc<Mutex<Vec<(String, Value)>>>),
}

impl Webhook {
    fn start(dir: &Path, port: u16) -> Result<Self, Failed> {
        if let Some(program) = pinned("webhook-tester") {
            let text = port.to_string();
            let arguments = [
                "start",
                "--addr",
                "127.0.0.1",
                "--port",
                &text,
                "--auto-create-sessions",
                "--max-requests",
                "500",
            ];
            let mut process = Peer::start(&program, &arguments, dir)?;
            process.ready(&format!("{}/ready", local(port)), START)?;
            return Ok(Self::Real { _process: process, url: local(port) });
        }
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let received = Arc::<Mutex<Vec<_>>>::default();
        let shared = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A sender that goes away is no matter of this test's.
                if let Ok(Some(request)) = take(&stream) {
                    shared.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                }
            }
        });
        Ok(Self::StandIn(received))
    }

    /// Everything so far: path below the session, and body.
    fn received(&self) -> Vec<(String, Value)> {
        match self {
            Self::StandIn(received) => received.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Self::Real { url, .. } => {
                let requests = ask::json(&format!("{url}/api/session/{SESSION}/requests"));
                let one = |request: &Value| {
                    let path = below_session(request["url"].as_str()?)?;
                    let body = request["request_payload_base64"].as_str()?;
                    let body = base64::engine::general_purpose::STANDARD.decode(body).ok()?;
                    Some((path, serde_json::from_slice(&body).ok()?))
                };
                requests.as_array().into_iter().flatten().filter_map(one).collect()
            }
        }
    }

    /// The first alert of a name that came on a path with a status.
    fn told(&self, path: &str, name: &str, status: &str) -> Option<Value> {
        let received = self.received();
        let here = received.iter().filter(|(at, _)| at == path);
        let mut alerts = here.flat_map(|(_, body)| body["alerts"].as_array().cloned().unwrap_or_default());
        alerts.find(|alert| alert["labels"]["alertname"] == name && alert["status"] == status)
    }
}

/// `albums/critical` of `http://host/SESSION/albums/critical`.
fn below_session(url: &str) -> Option<String> {
    let (_, path) = url.split_once(SESSION)?;
    Some(path.trim_matches('/').to_owned())
}

/// Reads a request, answers it, and says what it was.
fn take(stream: &TcpStream) -> std::io::Result<Option<(String, Value)>> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body)?;
    let mut writer = stream;
    writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
    let path = first.split(' ').nth(1).and_then(below_session);
    Ok(path.zip(serde_json::from_slice(&body).ok()))
}
