//! Scraping up to the kill: whatever a query has shown of it has to be there afterwards.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tests::http;
use tests::mirante::Stack;
use tests::peers::ask::escaped;

const SERIES: u64 = 50;
const NAME: &str = "kill_nine_scraped";

/// Samples by series: time in milliseconds, and value.
type Samples = HashMap<String, BTreeMap<i64, u64>>;

/// A target that counts how often it was asked, for the whole test.
pub(crate) struct Target {
    pub(crate) config: PathBuf,
    served: Arc<AtomicU64>,
    /// What was seen before kills.
    seen: Samples,
}

impl Target {
    /// Starts it, and writes a configuration that has it scraped twenty times a second.
    pub(crate) fn start(dir: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let config = dir.join("prometheus.yml");
        let text = format!(
            "scrape_configs:\n- job_name: kill\n  scrape_interval: 50ms\n  scrape_timeout: 50ms\n  \
             static_configs:\n  - targets: ['{}']\n",
            listener.local_addr().unwrap()
        );
        std::fs::write(&config, text).unwrap();
        let served = Arc::<AtomicU64>::default();
        let count = Arc::clone(&served);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                std::thread::spawn(move || serve(stream, &count));
            }
        });
        Self { config, served, seen: Samples::new() }
    }

    /// Remembers what was seen in a round; how many samples these are.
    pub(crate) fn add(&mut self, seen: Samples) -> usize {
        let count = seen.values().map(BTreeMap::len).sum();
        for (series, samples) in seen {
            self.seen.entry(series).or_default().extend(samples);
        }
        count
    }

    /// Everything that was seen is there, as it was.
    pub(crate) fn check(&self, mirante: &Stack) {
        let found = look(&mirante.url("prometheus"), "1h").unwrap();
        for (series, samples) in &self.seen {
            for (time_ms, value) in samples {
                let is = found.get(series).and_then(|samples| samples.get(time_ms));
                assert_eq!(is, Some(value), "{series} at {time_ms}");
            }
        }
        let served = self.served.load(Ordering::Relaxed);
        for (series, samples) in &found {
            let values: Vec<u64> = samples.values().copied().collect();
            let ascend = values.windows(2).all(|pair| pair[0] < pair[1]);
            assert!(ascend && values.last() <= Some(&served), "{series}, asked {served} times: {values:?}");
        }
    }
}

/// Answers requests until the connection ends, each with a higher number.
fn serve(mut stream: TcpStream, count: &AtomicU64) {
    let mut request = Vec::new();
    let mut part = [0; 2048];
    while let Ok(read @ 1..) = stream.read(&mut part) {
        request.extend_from_slice(&part[..read]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        request.clear();
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        let mut page = String::new();
        for series in 0..SERIES {
            _ = writeln!(page, "{NAME}{{series=\"{series}\"}} {number}");
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\n\r\n",
            page.len()
        );
        if stream.write_all((head + &page).as_bytes()).is_err() {
            return;
        }
    }
}

/// Looks again and again until the process is gone.
pub(crate) struct Watching {
    seen_any: Arc<AtomicBool>,
    watcher: JoinHandle<Samples>,
}

impl Watching {
    pub(crate) fn begin(mirante: &Stack) -> Self {
        let url = mirante.url("prometheus");
        let seen_any = Arc::<AtomicBool>::default();
        let seen = Arc::clone(&seen_any);
        let watcher = std::thread::spawn(move || {
            let mut newest = Samples::new();
            while let Some(found) = look(&url, "1m") {
                seen.store(!found.is_empty(), Ordering::Relaxed);
                // A sample that was there stays.
                for (series, samples) in found {
                    newest.entry(series).or_default().extend(samples);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            newest
        });
        Self { seen_any, watcher }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.seen_any.load(Ordering::Relaxed)
    }

    /// What the last answers showed.
    pub(crate) fn end(self) -> Samples {
        self.watcher.join().unwrap()
    }
}

/// The samples that there are; `None` if nobody answers.
fn look(url: &str, range: &str) -> Option<Samples> {
    let query = escaped(&format!("{NAME}[{range}]"));
    let answer = http::get(&format!("{url}/api/v1/query?query={query}")).ok()?;
    // An answer that was cut off is none.
    let answer: Value = serde_json::from_str(&answer.body).ok()?;
    assert_eq!(answer["status"], "success", "{answer}");
    let sample = |point: &Value| {
        let time_ms = (point[0].as_f64().unwrap() * 1000.0).round() as i64;
        (time_ms, point[1].as_str().unwrap().parse().unwrap())
    };
    let samples = |series: &Value| series["values"].as_array().unwrap().iter().map(sample).collect();
    let series = answer["data"]["result"].as_array().unwrap().iter();
    Some(series.map(|series| (series["metric"].to_string(), samples(series))).collect())
}
