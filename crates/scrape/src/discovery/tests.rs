//! Discoveries against servers that answer over the wire.

use std::sync::atomic::{AtomicBool, Ordering};

use model::SystemClock;
use promconfig::Config;
use prometheus::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::dns::message::tests::answering;
use super::*;

/// A job's discoveries at work.
struct Lab {
    watch: Watch,
    figures: Figures,
    registry: Registry,
}

impl Lab {
    /// `yaml` is what the job says besides its name.
    fn start(yaml: &str, name_servers: Option<Vec<SocketAddr>>) -> Self {
        Self::start_with(yaml, name_servers, None)
    }

    fn start_with(yaml: &str, name_servers: Option<Vec<SocketAddr>>, dial: Option<Arc<dyn Dial>>) -> Self {
        let text = format!("scrape_configs:\n- job_name: a\n{yaml}");
        let job = Config::parse(&text, |_| None).unwrap().scrape_configs.remove(0);
        let registry = Registry::new();
        let environment = Environment {
            user_agent: "Prometheus/3.14.0".to_owned(),
            clock: Arc::new(SystemClock),
            name_servers,
            dial,
            figures: Figures::register(&registry).unwrap(),
        };
        let watch = Watch::start(&job.job_name, &job.discoveries, &environment);
        Self { watch, figures: environment.figures, registry }
    }

    /// The labels of every target that is told next, those of its group included.
    async fn next(&mut self) -> Vec<Vec<(String, String)>> {
        let told = tokio::time::timeout(Duration::from_secs(10), self.watch.changed()).await;
        let groups = told.expect("nothing is told");
        let target = |group: &Group, own: &Vec<(String, String)>| {
            let mut labels: Vec<_> = own.iter().chain(&group.labels).cloned().collect();
            labels.sort();
            labels
        };
        let of_group = |group: &Group| group.targets.iter().map(|own| target(group, own)).collect::<Vec<_>>();
        groups.iter().flat_map(of_group).collect()
    }

    async fn addresses(&mut self) -> Vec<String> {
        let address = |labels: Vec<(String, String)>| {
            labels.into_iter().find(|(name, _)| name == "__address__").map(|(_, value)| value)
        };
        self.next().await.into_iter().filter_map(address).collect()
    }

    fn exposed(&self) -> String {
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap()
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Figures) -> bool) {
        for _ in 0..1000 {
            if is_so(&self.figures) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{what}:\n{}", self.exposed());
    }
}

/// A server of HTTP whose whole answer is told; what was asked last is kept.
struct Site {
    address: SocketAddr,
    answer: Arc<Mutex<String>>,
    asked: Arc<Mutex<String>>,
}

impl Site {
    async fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, asked) = (Arc::new(Mutex::new(answer)), Arc::new(Mutex::new(String::new())));
        let (told, heard) = (Arc::clone(&answer), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap_or(0);
                *heard.lock() = String::from_utf8_lossy(&request[..length]).to_lowercase();
                let answer = told.lock().clone();
                _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { address, answer, asked }
    }

    fn tell(&self, answer: String) {
        *self.answer.lock() = answer;
    }
}

fn answer(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn groups(targets: &str) -> String {
    answer(
        "200 OK",
        "application/json",
        &format!("[{{\"targets\": [{targets}], \"labels\": {{\"x\": \"y\"}}}}]"),
    )
}

#[tokio::test]
async fn servers_are_asked_again_and_what_they_told_outlives_their_failures() {
    let site = Site::start(groups("\"a:1\"")).await;
    let url = format!("http://{}/targets", site.address);
    let mut lab = Lab::start(
        &format!("  http_sd_configs: [{{url: '{url}', refresh_interval: 100ms, bearer_token: secret}}]\n"),
        None,
    );
    let found = lab.next().await;
    let labels = [("__address__", "a:1"), ("__meta_url", url.as_str()), ("x", "y")];
    assert_eq!(found, [labels.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()]);
    let asked = site.asked.lock().clone();
    for part in [
        "get /targets http/1.1",
        "accept: application/json",
        "user-agent: prometheus/3.14.0",
        "x-prometheus-refresh-interval-seconds: 0.1",
        "authorization: bearer secret",
    ] {
        assert!(asked.contains(part), "{part} is not in {asked}");
    }

    let mut failures = 0;
    for wrong in [
        answer("500 Internal Server Error", "application/json", "[]"),
        answer("200 OK", "text/plain", "[]"),
        answer("200 OK", "application/json", "[{\"targets\": [1]}]"),
        answer("200 OK", "application/json", "[null]"),
        "nonsense\r\n\r\n".to_owned(),
        String::new(),
    ] {
        site.tell(wrong);
        failures = lab.figures.http_failures.get().max(failures) + 2;
        lab.until("failures are counted", |figures| figures.http_failures.get() >= failures).await;
    }
    let exposed = lab.exposed();
    assert!(
        exposed.contains("prometheus_sd_discovered_targets{config=\"a\",name=\"scrape\"} 1"),
        "{exposed}"
    );
    assert!(
        exposed.contains("prometheus_sd_refresh_failures_total{config=\"a\",mechanism=\"http\"}"),
        "{exposed}"
    );

    site.tell(groups("\"b:2\", \"c:3\""));
    assert_eq!(lab.addresses().await, ["b:2", "c:3"]);
    site.tell(answer("200 OK", "application/json; charset=utf-8", "[]"));
    assert_eq!(lab.addresses().await, Vec::<String>::new());
}

#[tokio::test]
async fn an_answer_without_end_is_broken_off() {
    let site = Site::start(answer("200 OK", "application/json", &" ".repeat(17 << 20))).await;
    let yaml = format!("  http_sd_configs: [{{url: 'http://{}/', refresh_interval: 5s}}]\n", site.address);
    let lab = Lab::start(&yaml, None);
    lab.until("the failure is counted", |figures| figures.http_failures.get() > 0).await;
}

/// A name server: two addresses for `two.example`, a service for `_web._tcp.example`, and a failure for all that is asked
/// while it is out of order.
async fn name_server() -> (SocketAddr, Arc<AtomicBool>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let out_of_order = Arc::new(AtomicBool::new(false));
    let broken = Arc::clone(&out_of_order);
    tokio::spawn(async move {
        let mut bytes = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut bytes).await {
            let question = &bytes[..length];
            let service = b"\0\x01\0\x02\x1f\x41\x01a\x07example\0";
            let answer = if broken.load(Ordering::SeqCst) {
                answering(question, 2, 0, &[])
            } else if question[13..].starts_with(b"two") {
                answering(question, 0, 0, &[(1, &[10, 0, 0, 1]), (1, &[10, 0, 0, 2])])
            } else {
                answering(question, 0, 0, &[(33, service)])
            };
            _ = socket.send_to(&answer, from).await;
        }
    });
    (address, out_of_order)
}

#[tokio::test]
async fn names_are_looked_up_and_keep_their_records_while_servers_fail() {
    let (server, out_of_order) = name_server().await;
    let yaml = "  dns_sd_configs:\n  - {names: [two.example], type: A, port: 9, refresh_interval: 100ms}\n  \
                - {names: [_web._tcp.example], refresh_interval: 100ms}\n";
    let mut lab = Lab::start(yaml, Some(vec![server]));
    assert_eq!(lab.addresses().await, ["10.0.0.1:9", "10.0.0.2:9", "a.example:8001"]);
    assert_eq!(lab.figures.dns_failures.get(), 0);
    out_of_order.store(true, Ordering::SeqCst);
    lab.until("failures are counted", |figures| figures.dns_failures.get() > 3).await;
    let exposed = lab.exposed();
    assert!(
        exposed.contains("prometheus_sd_discovered_targets{config=\"a\",name=\"scrape\"} 3"),
        "{exposed}"
    );
}

#[tokio::test]
async fn the_first_groups_wait_for_all_and_not_for_ever() {
    let site = Site::start(groups("\"a:1\"")).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let yaml = |address: SocketAddr| {
        format!(
            "  static_configs: [{{targets: ['s:1']}}]\n  http_sd_configs: [{{url: 'http://{address}/', refresh_interval: 1m}}]\n"
        )
    };
    let mut lab = Lab::start(&yaml(site.address), None);
    let mut all = lab.addresses().await;
    all.sort();
    assert_eq!(all, ["a:1", "s:1"]);
    let mut lab = Lab::start(&yaml(silent.local_addr().unwrap()), None);
    let began = Instant::now();
    assert_eq!(lab.addresses().await, ["s:1"]);
    assert!(began.elapsed() >= FIRST_WITHIN);
}

/// `users` is where it is told.
#[derive(Debug)]
struct Users(SocketAddr);

impl Dial for Users {
    fn dial(&self, host: &str) -> Option<String> {
        host.starts_with("users:").then(|| self.0.to_string())
    }
}

#[tokio::test]
async fn names_that_are_somewhere_else_are_found_there() {
    let site = Site::start(groups("\"a:1\"")).await;
    let dial: Arc<dyn Dial> = Arc::new(Users(site.address));
    let yaml = "  http_sd_configs: [{url: 'http://users:8001/x'}]\n  \
                dns_sd_configs: [{names: [users], type: A, port: 8001}]\n";
    let mut lab = Lab::start_with(yaml, Some(Vec::new()), Some(dial));
    let mut all = lab.addresses().await;
    all.sort();
    assert_eq!(all, [site.address.to_string(), "a:1".to_owned()]);
    let asked = site.asked.lock().clone();
    assert!(asked.starts_with("get /x ") && asked.contains("host: users:8001"), "{asked}");
}
