//! Our blocks in the hands of the real ones, and theirs in ours: promtool looks through what we wrote and gives back
//! what was written, Prometheus answers from a copy of our data directory, and we read what promtool wrote.
//!
//! Programs are looked for in `MIRANTE_PEERS_DIR`, in the cache of `tests/peers/build.sh` and in `PATH`, and each that
//! is found has its cases: versions differ. Without one its cases are ignored, with `CI=true` they fail.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use libtest_mimic::{Arguments, Failed, Trial};
use model::sample::STALE_NAN_BITS;
use model::{
    Batch, DataPoint, Family, Histogram, Labels, ManualClock, MatchOp, Matcher, Metadata, SampleValue,
    SeriesSample, Temporality,
};
use promql::storage::{MsRange, PointValue, Series, Storage};
use tempfile::TempDir;
use tsdb::{Config, Tsdb};

/// A multiple of a day, so that blocks of every length begin here.
const START_MS: i64 = 1_800_000_000_000 / 86_400_000 * 86_400_000;
const STEP_MS: i64 = 15_000;
const HOUR_MS: i64 = 3_600_000;

/// What is done with a program.
type Case = fn(&Path);

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let mut add = |program: &str, cases: &[(&str, Case)]| {
        let found = programs(program);
        for (name, case) in cases {
            let case = *case;
            if found.is_empty() {
                let missing = format!("no {program}: tests/setup.sh");
                let is_ci = env::var("CI").is_ok_and(|ci| ci == "true");
                let trial = Trial::test(format!("{name} ({missing})"), || Err(Failed::from(missing)));
                trials.push(trial.with_ignored_flag(!is_ci));
            }
            for path in &found {
                let path = path.clone();
                trials.push(Trial::test(format!("{name} ({})", path.display()), move || {
                    case(&path);
                    Ok(())
                }));
            }
        }
    };
    add(
        "promtool",
        &[
            ("analyze finds nothing wrong", analyze),
            ("dump gives back what was written", dump),
            ("blocks that promtool made are read", read_theirs),
        ],
    );
    add("prometheus", &[("prometheus answers from a copy of the data directory", answers)]);
    libtest_mimic::run(&arguments, trials).exit();
}

fn programs(name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(dir) = env::var_os("MIRANTE_PEERS_DIR") {
        found.push(PathBuf::from(dir).join(name));
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    for entry in cache.and_then(|cache| fs::read_dir(cache.join("mirante/peers")).ok()).into_iter().flatten()
    {
        found.extend(entry.ok().map(|entry| entry.path().join(name)));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    found.extend(env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file()));
    found.retain(|path| path.is_file());
    found
}

/// Samples by series and time. Of a histogram its count and its sum.
type Samples = BTreeMap<String, BTreeMap<i64, (f64, Option<f64>)>>;

/// A store with floats and histograms of ten hours in blocks, and what is in these.
struct Written {
    dir: TempDir,
    samples: Samples,
}

fn labels(name: &str, number: i64) -> Labels {
    let number = number.to_string();
    [("__name__", name), ("instance", "host \"1\"\\\n"), ("number", number.as_str())].into_iter().collect()
}

fn histogram(number: i64, step: i64) -> Histogram {
    let scale = if number == 1 { 0.5 } else { 1.0 };
    // Buckets come and go, and the counter is reset now and then.
    let step = step % 500;
    let buckets = (-2..6).filter(|bucket| (step + 10) / 20 > *bucket);
    let (positive_spans, positive_buckets) =
        model::histogram::to_spans(buckets.map(|bucket| (bucket, ((step + bucket + 3) as f64) * scale)));
    let custom = number == 2;
    Histogram {
        schema: if custom { -53 } else { 1 },
        count: positive_buckets.iter().sum::<f64>() + 1.0,
        zero_count: if custom { 0.0 } else { 1.0 },
        zero_threshold: if custom { 0.0 } else { 0.001 },
        sum: step as f64 * 1.25,
        positive_spans: if custom { Vec::new() } else { positive_spans },
        positive_buckets: if custom { Vec::new() } else { positive_buckets },
        custom_values: if custom { vec![0.25, 1.0, 1.0 / 3.0 + 2.0] } else { Vec::new() },
        ..Histogram::default()
    }
}

/// A bound that custom buckets can have: as many buckets as bounds and one more.
fn custom(step: i64) -> Histogram {
    let (positive_spans, positive_buckets) =
        model::histogram::to_spans((0..4).map(|bucket| (bucket, (step * (bucket + 1)) as f64)));
    let count = positive_buckets.iter().sum();
    Histogram { positive_spans, positive_buckets, count, ..histogram(2, step) }
}

fn value(number: i64, step: i64) -> f64 {
    match (number, step % 97) {
        (0, _) => step as f64,
        (_, 13) => f64::NAN,
        (_, 14) => f64::INFINITY,
        (1, _) => (step as f64 * 0.1).sin() * 1e9,
        (_, 15) => f64::from_bits(STALE_NAN_BITS),
        (2, _) => 1.0,
        _ => (step * step % 1009) as f64 * 0.001,
    }
}

fn write(with_histograms: bool) -> Written {
    let dir = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::at_ns(0));
    let config = Config::new(dir.path().join("wal"), dir.path().join("blocks"));
    let store = Tsdb::open(config, Arc::clone(&clock) as _).unwrap();
    let mut samples = Samples::new();
    for step in 0..12 * HOUR_MS / STEP_MS {
        let time_ms = START_MS + step * STEP_MS + step % 3;
        clock.set_ns(time_ms as u64 * 1_000_000);
        let mut points = Vec::new();
        let mut add = |labels: Labels, value: SampleValue| {
            let known = match &value {
                SampleValue::Float(value) => (*value, None),
                SampleValue::Histogram(histogram) => (histogram.count, Some(histogram.sum)),
            };
            samples.entry(labels.to_string()).or_default().insert(time_ms, known);
            points.push(DataPoint {
                family: 0,
                temporality: Temporality::Cumulative,
                // They are in a file of our own, which others have to leave alone.
                start_ms: START_MS - 1,
                time_ms,
                samples: vec![SeriesSample { labels, value, exemplars: Vec::new() }],
                derived: false,
            });
        };
        for number in 0..20 {
            add(labels("floats", number), SampleValue::Float(value(number, step)));
        }
        if with_histograms && step % 4 == 0 {
            for number in 0..3 {
                let histogram = if number == 2 { custom(step) } else { histogram(number, step) };
                add(labels("histograms", number), SampleValue::Histogram(Arc::new(histogram)));
            }
        }
        let families = vec![Family { name: "floats".to_owned(), metadata: Metadata::default() }];
        let appended = store.append(&Batch { families, points, warnings: Vec::new() }).unwrap();
        assert_eq!(appended.rejected.count, 0);
        if step % 480 == 0 {
            store.maintain().unwrap();
        }
    }
    store.maintain().unwrap();
    // What is still in the head is not in the data directory.
    let end_ms = store.stats().min_time_ms;
    assert!(store.stats().blocks >= 2 && end_ms >= START_MS + 8 * HOUR_MS, "{:?}", store.stats());
    store.shutdown().unwrap();
    for samples in samples.values_mut() {
        samples.retain(|time_ms, _| *time_ms < end_ms);
    }
    Written { dir, samples }
}

fn run(program: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && !errors.contains("error"), "{arguments:?}: {text}\n{errors}");
    text.into_owned()
}

/// Whether a version knows native histograms with custom bounds; Debian's does not.
fn is_recent(program: &Path) -> bool {
    let output = Command::new(program).args(["check", "config", "--help"]).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).contains("--ignore-unknown-fields")
}

fn analyze(promtool: &Path) {
    let written = write(is_recent(promtool));
    let blocks = written.dir.path().join("blocks");
    let names = fs::read_dir(&blocks).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.filter(|name| name != "wal").collect();
    for name in &names {
        let text = run(promtool, &["tsdb", "analyze", blocks.to_str().unwrap(), name]);
        assert!(text.contains(&format!("Block ID: {name}")), "{text}");
        assert!(text.contains(&format!("Series: {}", written.samples.len())), "{text}");
    }
    let text = run(promtool, &["tsdb", "list", blocks.to_str().unwrap()]);
    assert_eq!(text.lines().count(), names.len() + 1, "{text}");
}

fn dump(promtool: &Path) {
    let written = write(is_recent(promtool));
    let blocks = written.dir.path().join("blocks");
    let text = run(promtool, &["tsdb", "dump", blocks.to_str().unwrap()]);
    let mut dumped = Samples::new();
    for line in text.lines() {
        let (line, time_ms) = line.rsplit_once(' ').unwrap();
        let end = line.find("} ").unwrap() + 1;
        let value = &line[end + 1..];
        let value = match value.strip_prefix("{count:") {
            Some(histogram) => {
                let (count, rest) = histogram.split_once(", sum:").unwrap();
                let sum = rest.split([',', '}']).next().unwrap();
                (number(count), Some(number(sum)))
            }
            None => (number(value), None),
        };
        dumped.entry(line[..end].to_owned()).or_default().insert(time_ms.parse().unwrap(), value);
    }
    assert_same(&dumped, &written.samples);
}

/// As Go writes numbers.
fn number(text: &str) -> f64 {
    text.replace("Inf", "inf").parse().unwrap()
}

fn assert_same(found: &Samples, expected: &Samples) {
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (series, expected) in expected {
        let found = &found[series];
        assert_eq!(found.len(), expected.len(), "{series}");
        let same = |left: f64, right: f64| left == right || (left.is_nan() && right.is_nan());
        for ((time, found), (expected_time, expected)) in found.iter().zip(expected) {
            assert_eq!(time, expected_time, "{series}");
            let sums = same(found.1.unwrap_or(0.0), expected.1.unwrap_or(0.0));
            assert!(same(found.0, expected.0) && sums, "{series} at {time}: {found:?}, {expected:?}");
        }
    }
}

/// Every sample that a store finds.
fn samples(store: &Tsdb) -> Samples {
    let any = Matcher::new("__name__", MatchOp::Regex, ".+").unwrap();
    let found = store.select(&[any], MsRange::ALL).unwrap();
    let points = |series: &<Tsdb as Storage>::Series| {
        let points = series.points().map(|point| match point.value {
            PointValue::Float(value) => (point.time_ms, (value, None)),
            PointValue::Histogram(histogram) => (point.time_ms, (histogram.count, Some(histogram.sum))),
        });
        points.collect()
    };
    found.iter().map(|series| (series.labels().to_string(), points(series))).collect()
}

fn read_theirs(promtool: &Path) {
    let dir = TempDir::new().unwrap();
    let (input, blocks) = (dir.path().join("input"), dir.path().join("blocks"));
    let mut text = String::from("# TYPE floats gauge\n");
    let mut expected = Samples::new();
    for number in 0..50 {
        for step in 0..1000 {
            let (time_ms, value) = (START_MS + step * 30_000, value(number % 4, step));
            if value.to_bits() == STALE_NAN_BITS {
                continue;
            }
            let shown = format!("{value}").replace("inf", "+Inf");
            _ = writeln!(text, "floats{{number=\"{number}\"}} {shown} {}", time_ms / 1000);
            let labels = format!(r#"{{__name__="floats", number="{number}"}}"#);
            expected.entry(labels).or_default().insert(time_ms, (value, None));
        }
    }
    text += "# EOF\n";
    fs::write(&input, text).unwrap();
    run(
        promtool,
        &["tsdb", "create-blocks-from", "openmetrics", input.to_str().unwrap(), blocks.to_str().unwrap()],
    );
    let clock = Arc::new(ManualClock::at_ns((START_MS as u64 + 100_000_000) * 1_000_000));
    let store = Tsdb::open(Config::new(dir.path().join("wal"), &blocks), clock).unwrap();
    assert!(store.stats().blocks >= 4, "{:?}", store.stats());
    assert_same(&samples(&store), &expected);
    // Put together by us, they are still readable by both.
    store.maintain().unwrap();
    assert_same(&samples(&store), &expected);
    let text = run(promtool, &["tsdb", "dump", blocks.to_str().unwrap()]);
    assert_eq!(text.lines().count(), expected.values().map(BTreeMap::len).sum::<usize>());
}

/// A Prometheus that is killed in the end.
struct Prometheus {
    child: Child,
    port: u16,
}

impl Prometheus {
    fn start(program: &Path, data: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = data.join("prometheus.yml");
        fs::write(&config, "").unwrap();
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", data.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--storage.tsdb.retention.time=100y")
            .stdout(Stdio::null())
            .stderr(fs::File::create(data.join("prometheus.log")).unwrap())
            .spawn()
            .unwrap();
        let prometheus = Self { child, port };
        let deadline = Instant::now() + Duration::from_secs(60);
        while !prometheus.get("/-/ready").is_some_and(|answer| answer.starts_with("HTTP/1.0 200")) {
            let log = fs::read_to_string(data.join("prometheus.log")).unwrap();
            assert!(Instant::now() < deadline, "{log}");
            std::thread::sleep(Duration::from_millis(100));
        }
        prometheus
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn answers(program: &Path) {
    // Other than a dump, an answer leaves staleness markers out.
    let mut written = write(false);
    for (series, samples) in &mut written.samples {
        let number: i64 = series.split('"').rev().nth(1).unwrap().parse().unwrap();
        samples
            .retain(|time_ms, _| value(number, (time_ms - START_MS) / STEP_MS).to_bits() != STALE_NAN_BITS);
    }
    let prometheus = Prometheus::start(program, &written.dir.path().join("blocks"));
    let end_s = (START_MS + 12 * HOUR_MS) / 1000;
    let query = "/api/v1/query?query=%7B__name__%3D~%22.%2B%22%7D%5B13h%5D";
    let answer = prometheus.get(&format!("{query}&time={end_s}")).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let mut found = Samples::new();
    for series in body["data"]["result"].as_array().unwrap() {
        let metric = series["metric"].as_object().unwrap();
        let labels: Labels =
            metric.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let samples = found.entry(labels.to_string()).or_default();
        for pair in series["values"].as_array().unwrap() {
            let time_ms = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
            samples.insert(time_ms, (number(pair[1].as_str().unwrap()), None));
        }
    }
    assert_same(&found, &written.samples);
}
