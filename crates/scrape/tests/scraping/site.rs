//! A target that says what a test tells it to, and a store to look into.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Labels, MatchOp, Matcher, SystemClock};
use parking_lot::Mutex;
use prometheus::Registry;
use promql::storage::{MsRange, PointValue, Series as _, Storage as _};
use scrape::{Environment, Job, Meters, Pool, Target};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tsdb::{Config, Tsdb};

/// Often enough for a test not to wait.
pub(crate) const INTERVAL: &str = "60ms";

/// How a target answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Status, headers but for the length, body.
    Page(u16, String, Vec<u8>),
    /// The same line again and again, without an end.
    Endless(&'static str),
    /// A head, and then a byte now and then.
    Trickle,
    /// Nothing, for long.
    Silence,
    /// A head that promises more than comes.
    Torn,
}

/// A text page.
pub(crate) fn page(body: &str) -> Answer {
    typed("text/plain; version=0.0.4", body.as_bytes())
}

/// A page of any type.
pub(crate) fn typed(content_type: &str, body: &[u8]) -> Answer {
    Answer::Page(200, format!("Content-Type: {content_type}\r\n"), body.to_vec())
}

/// A page that is compressed.
pub(crate) fn gzip(body: &[u8]) -> Answer {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    let headers = "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n".to_owned();
    Answer::Page(200, headers, encoder.finish().unwrap())
}

/// A target.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) host: String,
    answer: Arc<Mutex<Answer>>,
    requests: Arc<Mutex<Vec<String>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Site {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let answer = Arc::new(Mutex::new(answer));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen) = (Arc::clone(&answer), Arc::clone(&requests));
        let server = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    while !request.ends_with(b"\r\n\r\n") {
                        match stream.read_u8().await {
                            Ok(byte) => request.push(byte),
                            Err(_) => return,
                        }
                    }
                    seen.lock().push(String::from_utf8(request).unwrap());
                    let answer = answers.lock().clone();
                    // The client may have had enough.
                    _ = reply(&mut stream, answer).await;
                });
            }
        });
        Self { host, answer, requests, server }
    }

    pub(crate) fn say(&self, answer: Answer) {
        *self.answer.lock() = answer;
    }

    /// The request that came last.
    pub(crate) fn request(&self) -> String {
        self.requests.lock().last().cloned().unwrap_or_default()
    }

    pub(crate) fn request_count(&self) -> usize {
        self.requests.lock().len()
    }

    /// Nobody listens any more.
    pub(crate) fn go(&self) {
        self.server.abort();
    }
}

async fn reply(stream: &mut tokio::net::TcpStream, answer: Answer) -> std::io::Result<()> {
    match answer {
        Answer::Page(status, headers, body) => {
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await
        }
        Answer::Endless(line) => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            let lines = line.repeat(1000);
            loop {
                stream.write_all(lines.as_bytes()).await?;
            }
        }
        Answer::Trickle => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(b"a").await?;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        Answer::Silence => {
            tokio::time::sleep(Duration::from_mins(1)).await;
            Ok(())
        }
        Answer::Torn => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\na 1\n";
            stream.write_all(head.as_bytes()).await
        }
    }
}

/// A store and what scraping needs beside it.
pub(crate) struct Lab {
    pub(crate) store: Arc<Tsdb>,
    pub(crate) environment: Environment,
    pub(crate) registry: Registry,
    _dir: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with_series(usize::MAX)
    }

    /// With a store that takes so many series.
    pub(crate) fn with_series(max_series: usize) -> Self {
        let dir = TempDir::new().unwrap();
        let config = Config { max_series, ..Config::new(dir.path().join("wal"), dir.path().join("blocks")) };
        let store = Arc::new(Tsdb::open(config, Arc::new(SystemClock)).unwrap());
        let registry = Registry::new();
        let environment = Environment {
            store: Arc::clone(&store),
            clock: Arc::new(SystemClock),
            dial: None,
            user_agent: "Prometheus/3.14.0".to_owned(),
            offset_seed: 0,
            meters: Meters::new(&registry).unwrap(),
            stopped: CancellationToken::new(),
        };
        Self { store, environment, registry, _dir: dir }
    }

    /// A pool that scrapes a host.
    pub(crate) async fn scrape(&self, job: Job, host: &str) -> Pool {
        let target = target(&job, host, &[]);
        let pool = Pool::new(Arc::new(job), self.environment.clone()).unwrap();
        pool.sync(vec![target], Vec::new()).await;
        pool
    }

    /// Times and values of the series with a name, by their other labels but `job` and `instance`; staleness as `stale`.
    pub(crate) fn series(&self, name: &str) -> BTreeMap<String, Vec<(i64, String)>> {
        let matcher = Matcher::new("__name__", MatchOp::Equal, name).unwrap();
        let found = self.store.select(&[matcher], MsRange::ALL).unwrap();
        let shown = |labels: &Labels| {
            let kept = labels.iter().filter(|(name, _)| !["__name__", "job", "instance"].contains(name));
            kept.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
        };
        let points = |series: &<Tsdb as promql::storage::Storage>::Series| {
            let points = series.points().map(|point| {
                let text = match point.value {
                    PointValue::Float(value) if value.to_bits() == model::sample::STALE_NAN_BITS => {
                        "stale".to_owned()
                    }
                    PointValue::Float(value) => value.to_string(),
                    PointValue::Histogram(histogram) => format!("{histogram:?}"),
                };
                (point.time_ms, text)
            });
            points.collect()
        };
        found.iter().map(|series| (shown(series.labels()), points(series))).collect()
    }

    /// The newest value of the only series with a name; empty if there is none.
    pub(crate) fn newest(&self, name: &str) -> String {
        let series = self.series(name);
        series
            .values()
            .next()
            .and_then(|points| points.last())
            .map(|(_, text)| text.clone())
            .unwrap_or_default()
    }

    pub(crate) fn counter(&self, name: &str) -> f64 {
        let families = self.registry.gather();
        let family = families.iter().find(|family| family.name() == name).unwrap();
        family.get_metric().iter().map(|metric| metric.get_counter().get_value()).sum()
    }
}

/// A target of a job with some labels of its own.
pub(crate) fn target(job: &Job, host: &str, own: &[(&str, &str)]) -> Target {
    let base = [
        ("__address__", host),
        ("__scheme__", "http"),
        ("__metrics_path__", "/metrics"),
        ("__scrape_interval__", INTERVAL),
        ("__scrape_timeout__", INTERVAL),
        ("instance", host),
        ("job", job.name.as_str()),
    ];
    let labels: Labels = base.into_iter().chain(own.iter().copied()).collect();
    Target::new(job, labels.clone(), labels)
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until a target's last scrape failed with an error.
pub(crate) async fn until_error(pool: &Pool, expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let found = pool.active()[0].status().last_error;
        if found == expected {
            return;
        }
        assert!(Instant::now() < deadline, "expected {expected:?}, the last error is {found:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
