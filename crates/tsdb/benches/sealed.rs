//! What a sample takes in a block: real expositions of node_exporter, scraped as often as one every 15 s gives in two
//! hours. `cargo bench -p tsdb --bench sealed`; it starts `node_exporter` (or Debian's `prometheus-node-exporter`), and
//! reads it every `PAUSE_MS` (default 100) while the samples' times are 15 s apart.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Batch, DataPoint, Labels, ManualClock, SampleValue, SeriesSample, Temporality};
use tsdb::{Config, Tsdb};

const STEP_MS: i64 = 15_000;
const RANGE_MS: i64 = 2 * 3_600_000;
const START_MS: i64 = 1_800_000_000_000 / RANGE_MS * RANGE_MS;

fn main() {
    let Some(exporter) = Exporter::start() else {
        println!("no node_exporter: nothing is measured");
        return;
    };
    let pause = std::env::var("PAUSE_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at_ns(START_MS as u64 * 1_000_000));
    let config =
        Config { memory_bytes: 1 << 30, ..Config::new(dir.path().join("wal"), dir.path().join("blocks")) };
    let store = Tsdb::open(config, Arc::clone(&clock) as _).unwrap();
    let scrapes = RANGE_MS / STEP_MS;
    for scrape in 0..scrapes {
        let time_ms = START_MS + scrape * STEP_MS;
        clock.set_ns(time_ms as u64 * 1_000_000);
        let points = parse(&exporter.scrape(), time_ms);
        assert_eq!(store.append(&Batch { points, ..Batch::default() }).unwrap().rejected.count, 0);
        std::thread::sleep(Duration::from_millis(pause));
    }
    // A sample far enough ahead that the two hours are past.
    let time_ms = START_MS + RANGE_MS + RANGE_MS;
    clock.set_ns(time_ms as u64 * 1_000_000);
    store.append(&Batch { points: parse("late 1", time_ms), ..Batch::default() }).unwrap();
    let head = store.stats();
    let began = Instant::now();
    store.maintain().unwrap();
    let took = began.elapsed();
    let stats = store.stats();
    let blocks = std::fs::read_dir(dir.path().join("blocks")).unwrap();
    let block =
        blocks.map(|entry| entry.unwrap().path()).find(|path| path.join("meta.json").exists()).unwrap();
    let bytes = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().len() as f64;
    let (chunks, index) = (bytes(block.join("chunks/000001")), bytes(block.join("index")));
    let samples = stats.block_items as f64;
    println!("series                {}, {scrapes} scrapes, one every {pause} ms", head.series);
    println!("chunks, a sample      {:.3} bytes", chunks / samples);
    println!(
        "block, a sample       {:.3} bytes, the index is {:.0} bytes a series",
        (chunks + index) / samples,
        index / head.series as f64
    );
    println!("sealing               {took:?} for {} samples", stats.block_items);
}

/// A process that is killed in the end.
struct Exporter {
    child: Child,
    port: u16,
}

impl Exporter {
    fn start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let start = |name: &str| {
            let mut command = Command::new(name);
            command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()
        };
        let child = start("node_exporter").or_else(|| start("prometheus-node-exporter"))?;
        let exporter = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the exporter does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(exporter)
    }

    fn scrape(&self) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(stream, "GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Samples of an exposition; label values with commas in them are not worth more here.
fn parse(text: &str, time_ms: i64) -> Vec<DataPoint> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let mut pairs = vec![
                ("__name__".to_owned(), name.to_owned()),
                ("instance".to_owned(), "localhost:9100".to_owned()),
            ];
            for pair in labels.trim_end_matches('}').split("\",") {
                if let Some((name, value)) = pair.split_once("=\"") {
                    pairs.push((name.to_owned(), value.trim_end_matches('"').to_owned()));
                }
            }
            let value: f64 = value.replace("Inf", "inf").parse().ok()?;
            Some(DataPoint {
                family: usize::MAX,
                temporality: Temporality::Cumulative,
                start_ms: 0,
                time_ms,
                samples: vec![SeriesSample {
                    labels: Labels::new(pairs),
                    value: SampleValue::Float(value),
                    exemplars: Vec::new(),
                }],
                derived: false,
            })
        })
        .collect()
}
