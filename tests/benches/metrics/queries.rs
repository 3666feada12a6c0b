//! Queries, one to the one server and one to the other in turn.

use std::path::Path;

use libtest_mimic::Failed;
use tests::peers::ask::escaped;
use tests::query::quantile;

use super::asking::{ask, difference};
use super::dataset::{Load, STEP_MS};
use super::servers::{BOTH, Server};
use super::table::{Bound, Table};
use super::{now_ms, setting, writing};

const HOUR_MS: i64 = 3_600_000;

/// Half the time or less.
const HALF: Bound = Bound::AtMost(0.5);

/// Loads both and asks both.
pub(crate) fn measure(prometheus: &Path, table: &mut Table) -> Result<(), Failed> {
    let end_ms = now_ms();
    let loads = [
        Load::counters(end_ms - 6 * HOUR_MS, end_ms),
        Load::buckets(end_ms - HOUR_MS, end_ms),
        Load::containers(end_ms - 2 * STEP_MS, end_ms),
    ];
    let mut servers = Vec::new();
    for kind in BOTH {
        let server = Server::start(kind, prometheus, &[])?;
        writing::in_order(&server.address, &loads, 5 * 60_000)?;
        servers.push(server);
    }
    println!("loaded: 1,000 counters for 6 h, 10,000 buckets for 1 h, 100,000 containers twice, every 15 s");
    // What was written settles: blocks are cut in the background.
    std::thread::sleep(std::time::Duration::from_secs(20));
    let mut differences = Vec::new();
    let wanted = std::env::var("METRICS_QUERY").unwrap_or_default();
    for (what, path) in cases(end_ms).into_iter().filter(|(what, _)| what.contains(&wanted)) {
        match compare(&servers, &path) {
            Ok(None) => {}
            Ok(Some(difference)) => differences.push(format!("{what}: the answers differ: {difference}")),
            Err(failed) => {
                servers.iter().try_for_each(Server::check)?;
                differences.push(format!("{what}: {}", failed.message().unwrap_or("no answer")));
                continue;
            }
        }
        let medians = time(&servers, &path)?;
        println!("{what}: {:.2} ms and {:.2} ms", medians[0], medians[1]);
        table.add(what, "ms", medians, HALF);
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.join("\n").into()) }
}

/// Where the two answers differ.
fn compare(servers: &[Server], path: &str) -> Result<Option<String>, Failed> {
    let mut answers = Vec::new();
    for server in servers {
        let answer = ask(&server.address, path, Vec::new())?.data();
        answers.push(
            answer.map_err(|failed| {
                format!("{:?}: {}", server.kind, failed.message().unwrap_or("no answer"))
            })?,
        );
    }
    let is_empty = answers[0].get("result").unwrap_or(&answers[0]).as_array().is_some_and(Vec::is_empty);
    if is_empty {
        return Err("the answer is empty".into());
    }
    Ok(difference(&answers[0], &answers[1], "data"))
}

/// Medians in milliseconds, one to the one and one to the other in turn.
fn time(servers: &[Server], path: &str) -> Result<[f64; 2], Failed> {
    let mut times = [Vec::new(), Vec::new()];
    let mut memory = [Vec::new(), Vec::new()];
    for round in 0..=setting("METRICS_ROUNDS", 15) {
        for (index, server) in servers.iter().enumerate() {
            let asked = ask(&server.address, path, std::mem::take(&mut memory[index]))?;
            // The first round fills caches.
            if round > 0 {
                times[index].push(asked.took);
            }
            memory[index] = asked.raw;
        }
    }
    Ok(times.map(|mut times| quantile(&mut times, 0.5).as_secs_f64() * 1000.0))
}

/// What is asked, and the path that asks it.
fn cases(end_ms: i64) -> Vec<(&'static str, String)> {
    // Between two samples: whether a range holds the sample at its begin depends on Prometheus' version.
    let seconds = |time_ms: i64| (time_ms / 1000 + 7).to_string();
    let now = seconds(end_ms - STEP_MS);
    let instant = |query: &str| format!("/api/v1/query?query={}&time={now}", escaped(query));
    let range = |query: &str, begin_ms: i64, step: u32| {
        let (query, begin) = (escaped(query), seconds(begin_ms));
        format!("/api/v1/query_range?query={query}&start={begin}&end={now}&step={step}")
    };
    let values = |name: &str, matcher: &str| {
        let begin = seconds(end_ms - HOUR_MS);
        format!("/api/v1/label/{name}/values?start={begin}&end={now}{matcher}")
    };
    let six_hours_ago = end_ms - 6 * HOUR_MS + 5 * 60_000;
    let hour_ago = end_ms - HOUR_MS + 5 * 60_000;
    let quantile_of = "histogram_quantile(0.99, sum by (le, job) (rate(bench_duration_seconds_bucket[5m])))";
    let quantiles = "histogram_quantile(0.9, rate(bench_duration_seconds_bucket[5m]))";
    let matcher = format!("&match[]={}", escaped(r#"bench_container_info{zone="c"}"#));
    vec![
        ("instant selector, 1,000 series", instant("bench_requests_total")),
        ("instant selector, 10,000 of 100,000 series", instant(r#"bench_container_info{zone="c"}"#)),
        ("instant count of 100,000 series", instant("count(bench_container_info)")),
        (
            "sum by (rate[5m]), 1,000 series x 6 h, step 60 s",
            range("sum by (job, code) (rate(bench_requests_total[5m]))", six_hours_ago, 60),
        ),
        (
            "sum by (rate[5m]), 1,000 series x 6 h, step 15 s",
            range("sum by (job, code) (rate(bench_requests_total[5m]))", six_hours_ago, 15),
        ),
        ("histogram_quantile, 10,000 buckets, now", instant(quantiles)),
        ("histogram_quantile, 10,000 buckets x 1 h, step 60 s", range(quantiles, hour_ago, 60)),
        ("histogram_quantile of sum by (le), 10,000 buckets x 1 h", range(quantile_of, hour_ago, 60)),
        ("label values, 100,000 series", values("container", "")),
        ("label values with match[], 10,000 of 100,000 series", values("container", &matcher)),
        (
            "label names, 111,000 series",
            format!("/api/v1/labels?start={}&end={now}", seconds(end_ms - HOUR_MS)),
        ),
        (
            "series, 10,000 of 100,000",
            format!("/api/v1/series?start={}&end={now}{matcher}", seconds(end_ms - HOUR_MS)),
        ),
    ]
}
