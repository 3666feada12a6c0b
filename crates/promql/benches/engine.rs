//! How long the engine takes over samples that lie in memory: no store, no HTTP. Medians in milliseconds.
//!
//! `cargo bench -p promql --bench engine`, with a part of a query's name behind `--` for some of them.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails loudly")]

use std::convert::Infallible;
use std::time::Instant;

use model::{Labels, Matcher};
use promql::engine::{FloatPoint, HistogramPoint, Options, Steps, instant, range};
use promql::storage::{MsRange, Point, PointValue, Series, Storage};

const STEP_MS: i64 = 15_000;
const HOUR_MS: i64 = 3_600_000;

/// A time that is a multiple of the distance between samples.
const BEGIN_MS: i64 = 1_800_000_000_000;

struct Memory(Vec<Stored>);

#[derive(Clone)]
struct Stored {
    labels: Labels,
    points: std::sync::Arc<[FloatPoint]>,
    range: MsRange,
}

impl Series for Stored {
    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn points(&self) -> impl Iterator<Item = Point> + '_ {
        let within = self.points.iter().filter(|point| self.range.contains(point.time_ms));
        within.map(|point| Point {
            time_ms: point.time_ms,
            start_ms: point.start_ms,
            value: PointValue::Float(point.value),
        })
    }

    fn read(&self, floats: &mut Vec<FloatPoint>, _: &mut Vec<HistogramPoint>) {
        let begin = self.points.partition_point(|point| point.time_ms < self.range.start_ms);
        let end = self.points.partition_point(|point| point.time_ms <= self.range.end_ms);
        floats.extend_from_slice(&self.points[begin..end]);
    }
}

impl Storage for Memory {
    type Series = Stored;
    type Error = Infallible;

    fn select(&self, matchers: &[Matcher], range: MsRange) -> Result<Vec<Stored>, Infallible> {
        let found = self.0.iter().filter(|one| matchers.iter().all(|it| it.matches_labels(&one.labels)));
        Ok(found.map(|one| Stored { range, ..one.clone() }).collect())
    }
}

fn series(labels: Labels, hours: i64, value: impl Fn(i64) -> f64) -> Stored {
    let count = hours * HOUR_MS / STEP_MS;
    let point = |at: i64| FloatPoint { time_ms: BEGIN_MS + at * STEP_MS, start_ms: 0, value: value(at) };
    Stored { labels, points: (0..=count).map(point).collect(), range: MsRange::ALL }
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

fn store() -> Memory {
    let instance = |number: usize| format!("10.0.{}.7:9100", number / 20);
    let path = |number: usize| format!("/api/v1/resource-{}", number % 20);
    let job = |number: usize| ["users", "albums", "checkout", "cart", "search"][number % 5];
    let mut all = Vec::new();
    for number in 0..1000 {
        let code = ["200", "204", "404", "500"][number % 4];
        let labels = labels(&[
            ("__name__", "requests_total"),
            ("code", code),
            ("instance", &instance(number)),
            ("job", job(number)),
            ("path", &path(number)),
        ]);
        let pace = 1 + number as i64 % 97;
        let period = if number % 50 == 0 { 400 } else { i64::MAX };
        all.push(series(labels, 6, |at| ((at % period) * (2 * pace + 3) + at * 7 % (pace + 3)) as f64));
    }
    let bounds = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];
    for number in 0..1000 {
        for (index, bound) in bounds.into_iter().enumerate() {
            let labels = labels(&[
                ("__name__", "duration_seconds_bucket"),
                ("instance", &instance(number)),
                ("job", job(number)),
                ("le", bound),
                ("path", &path(number)),
            ]);
            let pace = 1 + number as i64 % 13;
            all.push(series(labels, 1, |at| (at * (pace + 5) * (index as i64 + 1)) as f64));
        }
    }
    all.sort_by(|left, right| left.labels.cmp(&right.labels));
    Memory(all)
}

/// How long this thread has run, which other work on the machine disturbs less than the time of day.
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse::<f64>().ok()).map_or(f64::NAN, |nanos| nanos / 1e6)
}

fn main() {
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with('-')).unwrap_or_default();
    let store = store();
    let over = |hours: i64, step_ms: i64| Steps {
        start_ms: BEGIN_MS + 300_000,
        end_ms: BEGIN_MS + hours * HOUR_MS,
        step_ms,
    };
    let now = |hours: i64| Steps::at(BEGIN_MS + hours * HOUR_MS);
    let of_rates = "histogram_quantile(0.9, rate(duration_seconds_bucket[5m]))";
    for (query, steps) in [
        ("sum by (job, code) (rate(requests_total[5m]))", over(6, 15_000)),
        ("sum by (job, code) (rate(requests_total[5m]))", over(6, 60_000)),
        ("rate(requests_total[5m])", over(6, 15_000)),
        ("avg_over_time(requests_total[5m])", over(6, 15_000)),
        ("max_over_time(requests_total[5m])", over(6, 15_000)),
        ("requests_total", over(6, 15_000)),
        ("requests_total / on (instance, path, job, code) requests_total", over(6, 60_000)),
        ("topk(5, requests_total)", over(6, 60_000)),
        ("quantile by (job) (0.9, requests_total)", over(6, 60_000)),
        (of_rates, now(1)),
        (of_rates, over(1, 60_000)),
        ("histogram_quantile(0.99, sum by (le, job) (rate(duration_seconds_bucket[5m])))", over(1, 60_000)),
        ("duration_seconds_bucket", now(1)),
        ("count(duration_seconds_bucket)", now(1)),
    ] {
        if !query.contains(&*wanted) {
            continue;
        }
        let expr = promql::parse(query).unwrap();
        let evaluate = || {
            let never = || None;
            if steps.step_ms == 0 {
                instant(&store, &expr, steps.start_ms, Options::default(), &never).unwrap()
            } else {
                range(&store, &expr, steps, Options::default(), &never).unwrap()
            }
        };
        let mut times: [Vec<f64>; 2] = Default::default();
        for _ in 0..9 {
            let (begin, cpu) = (Instant::now(), cpu_ms());
            std::hint::black_box(evaluate());
            times[0].push(begin.elapsed().as_secs_f64() * 1000.0);
            times[1].push(cpu_ms() - cpu);
        }
        let [time, cpu] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        });
        println!("{time:9.2} ms, {cpu:9.2} ms of this thread: {query}, {} steps", steps.count());
    }
}
