//! What a sample takes in sealed blocks, of a node_exporter that is scraped every 15 s:
//!
//! - `cargo bench -p scrape --bench sealed -- live http://127.0.0.1:9100 120` scrapes one for 120 minutes, in real time;
//! - `cargo bench -p scrape --bench sealed -- recorded FOLDER` takes expositions that were recorded, the milliseconds of
//!   their scrapes being the names of their files: `while sleep 15; do curl -s URL > FOLDER/$(date +%s%3N); done`.
//!
//! Both write what a scrape writes, `up` and the like included, and seal it. A third argument is the folder that keeps the
//! store, to look at it with `promtool tsdb analyze FOLDER/blocks`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use model::{
    Batch, Clock, DataPoint, Labels, ManualClock, SampleValue, SeriesSample, SystemClock, Temporality,
};
use scrape::{Environment, Health, Job, Meters, Pool, Recorded, Target};
use tokio_util::sync::CancellationToken;
use tsdb::{Config, Tsdb};

/// The bound that the project set itself.
const MOST_BYTES: f64 = 1.3;
const TEXT: &str = "text/plain; version=0.0.4";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let temporary = tempfile::tempdir().unwrap();
    let dir = |at: usize| args.get(at).map_or(temporary.path().to_owned(), PathBuf::from);
    let (kept, last_ns) = match args[..] {
        ["live", url, minutes, ..] => {
            let host = url.trim_start_matches("http://").trim_end_matches('/');
            (dir(3), live(&dir(3), host, minutes.parse().unwrap()))
        }
        ["recorded", folder, ..] => (dir(2), recorded(&dir(2), Path::new(folder))),
        _ => {
            println!("nothing to measure: say `-- live URL MINUTES` or `-- recorded FOLDER`");
            return ExitCode::SUCCESS;
        }
    };
    let bytes = seal(&kept, last_ns);
    ExitCode::from(u8::from(bytes > MOST_BYTES))
}

fn config(dir: &Path) -> Config {
    Config { memory_bytes: 1 << 30, ..Config::new(dir.join("wal"), dir.join("blocks")) }
}

fn environment(dir: &Path, clock: Arc<dyn Clock>) -> Environment {
    Environment {
        store: Arc::new(Tsdb::open(config(dir), Arc::clone(&clock)).unwrap()),
        clock,
        dial: None,
        user_agent: "Prometheus/3.14.0".to_owned(),
        offset_seed: 0,
        meters: Meters::new(&prometheus::Registry::new()).unwrap(),
        stopped: CancellationToken::new(),
    }
}

fn job_and_target(host: &str) -> (Job, Target) {
    let interval = Duration::from_secs(15);
    let job = Job { interval, ..Job::new("node") };
    let labels: Labels = [
        ("__address__", host),
        ("__scheme__", "http"),
        ("__metrics_path__", "/metrics"),
        ("__scrape_interval__", "15s"),
        ("__scrape_timeout__", "10s"),
        ("instance", host),
        ("job", "node"),
    ]
    .into_iter()
    .collect();
    let target = Target::new(&job, labels.clone(), labels);
    (job, target)
}

/// Scrapes a host for minutes; gives the time when that is over.
fn live(dir: &Path, host: &str, minutes: u64) -> u64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let environment = environment(dir, Arc::new(SystemClock));
        let (job, target) = job_and_target(host);
        let pool = Pool::new(Arc::new(job), environment.clone()).unwrap();
        pool.sync(vec![target], Vec::new()).await;
        tokio::time::sleep(Duration::from_mins(minutes)).await;
        let status = pool.active()[0].status();
        assert_eq!(status.health, Health::Up, "{}", status.last_error);
        environment.stopped.cancel();
        // A scrape may be under way.
        tokio::time::sleep(Duration::from_secs(1)).await;
        environment.store.shutdown().unwrap();
        SystemClock.now_ns()
    })
}

/// Takes the expositions of a folder; gives the time of the last one.
fn recorded(dir: &Path, folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<(u64, PathBuf)> =
        entries.filter_map(|path| Some((path.file_stem()?.to_str()?.parse().ok()?, path))).collect();
    files.sort();
    let clock = Arc::new(ManualClock::at_ns(0));
    let environment = environment(dir, Arc::clone(&clock) as _);
    let (job, target) = job_and_target("localhost:9100");
    let mut recorded = Recorded::new(job, target, &environment).unwrap();
    let mut last_ns = 0;
    for (time_ms, path) in files {
        last_ns = time_ms * 1_000_000;
        clock.set_ns(last_ns);
        let status = recorded.add(last_ns, TEXT, &std::fs::read(&path).unwrap());
        assert_eq!(status.health, Health::Up, "{}: {}", path.display(), status.last_error);
    }
    environment.store.shutdown().unwrap();
    last_ns
}

/// Seals what a store has, and prints what it takes; gives the bytes of a sample.
fn seal(dir: &Path, last_ns: u64) -> f64 {
    // Late enough that everything is past.
    let now_ns = last_ns + Duration::from_hours(4).as_nanos() as u64;
    let store = Tsdb::open(config(dir), Arc::new(ManualClock::at_ns(now_ns))).unwrap();
    let series = store.stats().series;
    let labels = [("__name__", "late")].into_iter().collect();
    let late = DataPoint {
        family: usize::MAX,
        temporality: Temporality::Cumulative,
        start_ms: 0,
        time_ms: (now_ns / 1_000_000) as i64,
        samples: vec![SeriesSample { labels, value: SampleValue::Float(0.0), exemplars: Vec::new() }],
        derived: false,
    };
    store.append(&Batch { points: vec![late], ..Batch::default() }).unwrap();
    store.maintain().unwrap();
    let stats = store.stats();
    assert_eq!(stats.head_items, 1, "all but the late one are sealed");
    let (mut chunks, mut index, mut blocks) = (0, 0, 0);
    for block in std::fs::read_dir(dir.join("blocks")).unwrap().map(|entry| entry.unwrap().path()) {
        if block.join("meta.json").exists() {
            blocks += 1;
            index += std::fs::metadata(block.join("index")).unwrap().len();
            let segments = std::fs::read_dir(block.join("chunks")).unwrap();
            chunks += segments.map(|entry| entry.unwrap().metadata().unwrap().len()).sum::<u64>();
        }
    }
    let samples = stats.block_items as f64;
    let (chunks, index) = (chunks as f64, index as f64);
    println!("series                 {series}");
    println!("samples                {samples} in {blocks} blocks, {:.0} a series", samples / series as f64);
    println!("chunks, a sample       {:.3} bytes", chunks / samples);
    println!(
        "with index, a sample   {:.3} bytes, the index has {:.0} bytes a series",
        (chunks + index) / samples,
        index / series as f64
    );
    chunks / samples
}
