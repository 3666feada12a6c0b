//! What both servers are given: the metrics of Prometheus' demo service, three instances of it, and some that it lacks.
//! Every value is made of the series and the step, so that a failure can be looked at again.

use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::Failed;
use tests::remote_write::{Connection, Labels, NativeHistogram, Request};

/// From one sample to the next.
const INTERVAL_MS: i64 = 10_000;
/// Steps before the last samples: long enough for what looks back an hour and ten minutes.
const STEPS: i64 = 600;
/// Steps that are sent at a time, for all series: none may lie far behind the others.
const SLICE: i64 = 20;

const INSTANCES: [&str; 3] =
    ["demo.promlabs.com:10000", "demo.promlabs.com:10001", "demo.promlabs.com:10002"];

/// `NaN` with which a series ends.
const STALE: u64 = 0x7ff0_0000_0000_0002;

/// The time of the last samples: whole and just past.
#[expect(clippy::disallowed_methods, reason = "servers refuse what is far from now")]
pub(super) fn end_s() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    (now - 60) / 60 * 60
}

/// A series: its labels, and its value at a step, if it has one.
struct Series {
    labels: Labels,
    /// Instances are scraped one after the other.
    shift_ms: i64,
    value: Box<dyn Fn(i64) -> Option<f64>>,
}

/// A series of native histograms.
struct Native {
    labels: Labels,
    value: Box<dyn Fn(i64) -> NativeHistogram>,
}

/// Sends everything up to a time; with native histograms or without.
pub(super) fn send(address: &str, end_s: i64, with_natives: bool) -> Result<(), Failed> {
    let (series, natives) = (all(), if with_natives { natives() } else { Vec::new() });
    let mut connection = Connection::open(address)?;
    let begin_ms = end_s * 1000 - STEPS * INTERVAL_MS;
    for from in (0..=STEPS).step_by(SLICE as usize) {
        let mut request = Request::default();
        let steps = from..(from + SLICE).min(STEPS + 1);
        for one in &series {
            let at = |step| begin_ms + step * INTERVAL_MS - one.shift_ms;
            request
                .series(&one.labels, steps.clone().filter_map(|step| Some((at(step), (one.value)(step)?))));
        }
        for one in &natives {
            let at = |step| begin_ms + step * INTERVAL_MS;
            request.histograms(&one.labels, steps.clone().map(|step| (at(step), (one.value)(step))));
        }
        let (status, said) = connection.send(&request.finish())?;
        if status / 100 != 2 {
            return Err(format!("{address}: {status}: {said}").into());
        }
    }
    Ok(())
}

/// A number below `below` that looks random.
fn noise(seed: u64, step: i64, below: u64) -> f64 {
    let mut mixed =
        seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (step as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 31).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ mixed >> 29) % below) as f64
}

struct All {
    series: Vec<Series>,
    instance: usize,
}

impl All {
    fn add(&mut self, name: &str, others: &[(&str, &str)], value: impl Fn(i64) -> Option<f64> + 'static) {
        let own = [("__name__", name), ("instance", INSTANCES[self.instance]), ("job", "demo")];
        let mut labels: Labels =
            own.iter().chain(others).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        labels.sort();
        let shift_ms = 1 + 1234 * self.instance as i64;
        self.series.push(Series { labels, shift_ms, value: Box::new(value) });
    }
}

fn all() -> Vec<Series> {
    let mut all = All { series: Vec::new(), instance: 0 };
    for instance in 0..INSTANCES.len() {
        all.instance = instance;
        let seed = instance as u64 + 1;
        for (number, kind) in ["buffers", "cached", "free", "used"].into_iter().enumerate() {
            let size = 1e8 * (number + 1) as f64;
            all.add("demo_memory_usage_bytes", &[("type", kind)], move |step| {
                Some(size + noise(seed * 10 + number as u64, step, 50_000_000))
            });
        }
        all.add("demo_num_cpus", &[], |_| Some(4.0));
        for (number, mode) in ["idle", "system", "user"].into_iter().enumerate() {
            let pace = 0.3 * (number + 1) as f64;
            // It begins anew now and then.
            all.add("demo_cpu_usage_seconds_total", &[("mode", mode)], move |step| {
                let step = if seed == 2 { step % 170 } else { step };
                Some(step as f64 * 10.0 * pace + noise(seed, step, 100) / 100.0)
            });
        }
        all.add("demo_disk_total_bytes", &[], |_| Some(1e12));
        all.add("demo_disk_usage_bytes", &[], move |step| {
            Some(1e10 + step as f64 * 1e6 * seed as f64 + noise(seed, step, 900_000))
        });
        all.add("demo_batch_last_run_duration_seconds", &[], move |step| Some(noise(seed, step / 30, 100)));
        all.add("demo_batch_last_success_timestamp_seconds", &[], move |step| {
            Some((1_700_000_000 + step / 30 * 300) as f64 + seed as f64 / 8.0)
        });
        all.add("demo_api_http_requests_in_progress", &[], move |step| Some(noise(seed, step, 7)));
        all.add("demo_is_holiday", &[], |_| Some(0.0));
        all.add("demo_items_shipped_total", &[], move |step| Some((step * step / 7) as f64 * seed as f64));
        // With gaps, in which it is stale, and in which it is just not there.
        all.add("demo_intermittent_metric", &[], move |step| match (step + 13 * seed as i64) % 60 {
            0..30 => Some(step as f64),
            30 if seed < 3 => Some(f64::from_bits(STALE)),
            _ => None,
        });
        all.add("demo_odd_values", &[], move |step| {
            Some(match (step + seed as i64) % 6 {
                0 => f64::NAN,
                1 => f64::INFINITY,
                2 => f64::NEG_INFINITY,
                3 => -0.0,
                4 => 1e-300 * seed as f64,
                _ => -1e300,
            })
        });
        buckets(&mut all, seed);
    }
    all.series
}

/// Classic histograms, 25 bounds each.
fn buckets(all: &mut All, seed: u64) {
    for (number, (method, path, status)) in
        [("GET", "/api/bar", "200"), ("GET", "/api/foo", "200"), ("POST", "/api/foo", "500")]
            .into_iter()
            .enumerate()
    {
        let labels = [("method", method), ("path", path), ("status", status)];
        let count = move |step: i64, bound: i64| {
            let pace = seed as i64 * 3 + number as i64;
            (step * (bound + 1) * pace + noise(seed, step, 3) as i64 * (bound + 1)) as f64
        };
        for bound in 0..25 {
            let le = 0.0001 * 1.5_f64.powi(bound);
            let le = if bound == 24 {
                "+Inf".to_owned()
            } else {
                format!("{le:.8}").trim_end_matches('0').to_owned()
            };
            let labels = [labels[0], labels[1], labels[2], ("le", le.as_str())];
            all.add("demo_api_request_duration_seconds_bucket", &labels, move |step| {
                Some(count(step, bound.into()))
            });
        }
        all.add("demo_api_request_duration_seconds_count", &labels, move |step| Some(count(step, 24)));
        all.add("demo_api_request_duration_seconds_sum", &labels, move |step| Some(count(step, 24) * 0.0137));
    }
}

/// In the order of their labels: what cannot be added is told of the series that comes second.
fn natives() -> Vec<Native> {
    let mut natives = Vec::new();
    for name in ["demo_native_custom_seconds", "demo_native_seconds"] {
        for (number, instance) in INSTANCES.iter().enumerate() {
            let labels = [("__name__", name), ("instance", instance), ("job", "demo")];
            let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            let value = move |step| {
                let pace = number as u64 + 2;
                if name == "demo_native_seconds" {
                    exponential(pace, step, number as i32)
                } else {
                    custom(pace, step, number == 2)
                }
            };
            natives.push(Native { labels: labels.collect(), value: Box::new(value) });
        }
    }
    natives
}

/// Counts that grow, and begin anew; of three resolutions, so that sums have to find a common one.
fn exponential(pace: u64, step: i64, schema: i32) -> NativeHistogram {
    let step = if pace == 3 { step % 200 } else { step } as u64 + 1;
    let positive: Vec<u64> = (1..=5).map(|bucket| step * bucket * pace).collect();
    let negative = vec![step, 2 * step];
    let zero_count = step / 2;
    NativeHistogram {
        schema,
        count: positive.iter().chain(&negative).sum::<u64>() + zero_count,
        sum: step as f64 * 1.25 * pace as f64,
        zero_threshold: if pace == 2 { 0.001 } else { 1e-128 },
        zero_count,
        negative_spans: vec![(0, 2)],
        negative,
        positive_spans: vec![(-2, 2), (1, 3)],
        positive,
        custom_values: Vec::new(),
    }
}

fn custom(pace: u64, step: i64, other_bounds: bool) -> NativeHistogram {
    let step = step as u64 + 1;
    let positive: Vec<u64> = (1..=4).map(|bucket| step * bucket * pace).collect();
    NativeHistogram {
        schema: -53,
        count: positive.iter().sum(),
        sum: step as f64 * 3.5,
        positive_spans: vec![(0, 4)],
        positive,
        custom_values: if other_bounds { vec![0.1, 0.5, 2.0] } else { vec![0.1, 0.5, 1.0] },
        ..NativeHistogram::default()
    }
}
