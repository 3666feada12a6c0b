//! What both servers are given: the same series with the same samples.

use tests::remote_write::{Labels, Request, Version};

/// From one sample to the next.
pub(crate) const STEP_MS: i64 = 15_000;

/// Upper bounds of the classic histograms.
const BOUNDS: [&str; 10] = ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];

/// Series of one kind, with samples from `begin_ms` to `end_ms`.
pub(crate) struct Load {
    pub(crate) series: Vec<Labels>,
    pub(crate) begin_ms: i64,
    pub(crate) end_ms: i64,
    value: fn(usize, i64) -> f64,
}

impl Load {
    /// Counters as a fleet of services has them: 1,000 series.
    pub(crate) fn counters(begin_ms: i64, end_ms: i64) -> Self {
        let series = (0..1000).map(|number| {
            labels(
                "bench_requests_total",
                &[
                    ("code", ["200", "204", "404", "500"][number % 4]),
                    ("instance", &format!("10.0.{}.7:9100", number / 20)),
                    ("job", ["users", "albums", "checkout", "cart", "search"][number % 5]),
                    ("method", ["GET", "POST"][number / 4 % 2]),
                    ("path", &format!("/api/v1/resource-{}", number % 20)),
                ],
            )
        });
        Self { series: series.collect(), begin_ms, end_ms, value: counter }
    }

    /// 1,000 classic histograms of ten buckets.
    pub(crate) fn buckets(begin_ms: i64, end_ms: i64) -> Self {
        let series = (0..10_000).map(|number| {
            let histogram = number / BOUNDS.len();
            labels(
                "bench_duration_seconds_bucket",
                &[
                    ("instance", &format!("10.0.{}.7:9100", histogram / 20)),
                    ("job", ["users", "albums", "checkout", "cart", "search"][histogram % 5]),
                    ("le", BOUNDS[number % BOUNDS.len()]),
                    ("path", &format!("/api/v1/resource-{}", histogram % 20)),
                ],
            )
        });
        Self { series: series.collect(), begin_ms, end_ms, value: bucket }
    }

    /// What an orchestrator says of its 100,000 containers.
    pub(crate) fn containers(begin_ms: i64, end_ms: i64) -> Self {
        let series = (0..100_000).map(|number| {
            labels(
                "bench_container_info",
                &[
                    ("container", &format!("container-{number:06}")),
                    ("image", &format!("registry.example/shop/service-{}:1.{}", number % 200, number % 7)),
                    ("namespace", &format!("team-{}", number % 50)),
                    ("node", &format!("node-{:04}.cluster.example", number % 1000)),
                    ("zone", ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"][number / 1000 % 10]),
                ],
            )
        });
        Self { series: series.collect(), begin_ms, end_ms, value: |number, _| number as f64 }
    }

    /// Counters with as many labels as node_exporter behind a service discovery has, for the rate of remote write and
    /// for memory.
    pub(crate) fn fleet(count: usize, begin_ms: i64, end_ms: i64) -> Self {
        let series = (0..count).map(|number| {
            labels(
                [
                    "node_network_receive_bytes_total",
                    "node_cpu_seconds_total",
                    "node_disk_io_time_seconds_total",
                ][number % 3],
                &[
                    ("cluster", "production-1"),
                    ("cpu", &(number / 3 % 64).to_string()),
                    ("device", &format!("eth{}", number % 8)),
                    ("instance", &format!("10.12.{}.{}:9100", number / 50_000, number / 200 % 250)),
                    ("job", "node"),
                    ("mode", ["idle", "user", "system", "iowait"][number / 2 % 4]),
                    ("node", &format!("worker-{:05}", number / 200)),
                    ("series", &number.to_string()),
                    ("zone", ["a", "b", "c"][number / 1000 % 3]),
                ],
            )
        });
        Self { series: series.collect(), begin_ms, end_ms, value: counter }
    }

    /// Times of the samples that lie in a range, its end excluded.
    pub(crate) fn times(&self, begin_ms: i64, end_ms: i64) -> impl Iterator<Item = i64> + Clone + use<> {
        let (from, to) = (begin_ms.max(self.begin_ms), end_ms.min(self.end_ms));
        (0..).map(move |step| from + step * STEP_MS).take_while(move |time_ms| *time_ms < to)
    }

    /// The samples of a range as requests of at most `most` samples each.
    pub(crate) fn requests(&self, version: Version, begin_ms: i64, end_ms: i64, most: usize) -> Vec<Vec<u8>> {
        let times = self.times(begin_ms, end_ms);
        let each = times.clone().count();
        if each == 0 {
            return Vec::new();
        }
        let numbered: Vec<(usize, &Labels)> = self.series.iter().enumerate().collect();
        let requests = numbered.chunks((most / each).max(1)).map(|series| {
            let mut request = Request::new(version);
            for (number, labels) in series {
                let value = |time_ms| (time_ms, (self.value)(*number, (time_ms - self.begin_ms) / STEP_MS));
                request.series(labels, times.clone().map(value));
            }
            request.finish()
        });
        requests.collect()
    }
}

fn labels(name: &str, others: &[(&str, &str)]) -> Labels {
    let pairs = [("__name__", name)].into_iter().chain(others.iter().copied());
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Each at a pace of its own, and not evenly, as counters of services grow; one in fifty begins anew now and then.
fn counter(series: usize, step: i64) -> f64 {
    let pace = 1 + series as i64 % 97;
    let step = if series.is_multiple_of(50) { step % 400 } else { step };
    (step * (2 * pace + 3) + (step * 7 + series as i64) % (pace + 3)) as f64
}

/// Buckets are cumulative: a higher bound has no less.
fn bucket(series: usize, step: i64) -> f64 {
    let (histogram, bound) = (series / BOUNDS.len(), series % BOUNDS.len());
    let pace = 1 + histogram as i64 % 13;
    (1..=bound as i64 + 1).map(|bound| step * (pace + 5) * bound + (step * bound) % 5).sum::<i64>() as f64
}
