//! Targets that mean ill, or do not know what they do.

use exposition::Protocol;
use scrape::{Job, LabelLimits};

use crate::site::{Answer, Lab, Site, gzip, page, target, typed, until, until_error};

/// Scrapes an answer until the target's error is as expected; the target is down then, and nothing of it is kept.
async fn fails(job: Job, answer: Answer, expected: &str) -> Lab {
    let lab = Lab::new();
    let site = Site::start(answer).await;
    let pool = lab.scrape(job, &site.host).await;
    until_error(&pool, &expected.replace("HOST", &site.host)).await;
    until("down", || lab.newest("up") == "0").await;
    assert!(lab.series("a").is_empty());
    lab
}

#[tokio::test]
async fn a_body_that_never_ends() {
    let job = Job { body_size_limit: 100_000, ..Job::new("j") };
    let lab = fails(job, Answer::Endless("a 1\n"), "body size limit exceeded").await;
    assert!(lab.counter("prometheus_target_scrapes_exceeded_body_size_limit_total") > 0.0);
}

#[tokio::test]
async fn a_few_bytes_that_inflate() {
    let job = Job { body_size_limit: 1_000_000, extra_metrics: true, ..Job::new("j") };
    let lab = fails(job, gzip(&vec![b'\n'; 50 << 20]), "body size limit exceeded").await;
    assert_eq!(lab.newest("scrape_body_size_bytes"), "-1");
}

#[tokio::test]
async fn a_target_that_says_nothing() {
    let expected = "Get \"http://HOST/metrics\": context deadline exceeded";
    fails(Job::new("j"), Answer::Silence, expected).await;
}

#[tokio::test]
async fn a_target_that_says_a_byte_now_and_then() {
    fails(Job::new("j"), Answer::Trickle, "context deadline exceeded").await;
}

#[tokio::test]
async fn answers_that_break_off() {
    fails(Job::new("j"), Answer::Torn, "unexpected EOF").await;
    let headers = "Content-Encoding: gzip\r\nContent-Type: text/plain\r\n".to_owned();
    let broken = Answer::Page(200, headers.clone(), b"no gzip at all".to_vec());
    fails(Job::new("j"), broken, "gzip: invalid header").await;
    fails(Job::new("j"), Answer::Page(200, headers, vec![0x1f, 0x8b, 8, 0]), "unexpected EOF").await;
}

#[tokio::test]
async fn other_answers() {
    let not_found = Answer::Page(404, String::new(), b"nothing".to_vec());
    fails(Job::new("j"), not_found, "server returned HTTP status 404 Not Found").await;
    fails(
        Job::new("j"),
        typed("text/html", b"<html>"),
        "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified for target",
    )
    .await;
    let job = Job { fallback: Some(Protocol::PrometheusText0_0_4), ..Job::new("j") };
    fails(
        job,
        typed("text/html", b"a 1\n<html>\n"),
        "expected a valid start token, got \"<\" (\"INVALID\") while parsing: \"<\"",
    )
    .await;
    fails(Job::new("j"), typed("application/openmetrics-text", b"a 1\n"), "data does not end with # EOF")
        .await;
    fails(
        Job::new("j"),
        typed("application/vnd.google.protobuf", b"\xff\xff\xff\xff\xff\xff"),
        "clientpb: invalid varint encountered",
    )
    .await;
}

#[tokio::test]
async fn more_than_the_job_allows() {
    let job = Job { sample_limit: 2, ..Job::new("j") };
    let lab = fails(job, page("a 1\nb 1\nc 1\nd 1\n"), "sample limit exceeded").await;
    assert!(lab.counter("prometheus_target_scrapes_exceeded_sample_limit_total") > 0.0);
    // All of them are counted.
    assert_eq!(lab.newest("scrape_samples_scraped"), "4");
    assert_eq!(lab.newest("scrape_samples_post_metric_relabeling"), "4");
}

#[tokio::test]
async fn labels_beyond_the_jobs_limits() {
    let none = LabelLimits::default();
    let cases = [
        (
            // Its own two, `instance` and `job`.
            LabelLimits { count: 3, ..none },
            "label_limit exceeded (metric: a, number of labels: 4, limit: 3)",
        ),
        (
            LabelLimits { name_length: 8, ..none },
            "label_name_length_limit exceeded (metric: a, label name: long_name, length: 9, limit: 8)",
        ),
        (
            LabelLimits { value_length: 20, ..none },
            "label_value_length_limit exceeded (metric: a, label name: long_name, value: \"123456789012345678901\", \
             length: 21, limit: 20)",
        ),
    ];
    for (label_limits, expected) in cases {
        let job = Job { label_limits, ..Job::new("j") };
        let lab = fails(job, page("a{long_name=\"123456789012345678901\"} 1\n"), expected).await;
        assert!(lab.counter("prometheus_target_scrape_pool_exceeded_label_limits_total") > 0.0);
    }
}

/// The body of a native histogram with three buckets far from each other, which no coarser schema brings together.
fn wide_histogram() -> Answer {
    let spans = [(0, 1), (40_000, 1), (40_000, 1)];
    let mut histogram = vec![0x08, 3, 0x11, 0, 0, 0, 0, 0, 0, 8, 0x40, 0x28, 0];
    for (offset, length) in spans {
        let mut span = vec![0x08];
        varint(&mut span, offset << 1);
        span.extend([0x10, length]);
        histogram.extend([0x62, span.len() as u8]);
        histogram.extend(span);
    }
    // Deltas: one in each.
    histogram.extend([0x6a, 3, 2, 0, 0]);
    let mut metric = vec![0x3a, histogram.len() as u8];
    metric.extend(histogram);
    let mut family = vec![0x0a, 1, b'a', 0x18, 4, 0x22, metric.len() as u8];
    family.extend(metric);
    let mut body = vec![family.len() as u8];
    body.extend(family);
    typed(
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
        &body,
    )
}

fn varint(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[tokio::test]
async fn more_buckets_than_the_job_allows() {
    let job = Job { native_histograms: true, bucket_limit: 2, ..Job::new("j") };
    let lab = fails(job, wide_histogram(), "histogram bucket limit exceeded").await;
    assert!(lab.counter("prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total") > 0.0);
}

/// The store has its own limit, whatever the job allows: what is refused is said, and the target's own series go on.
#[tokio::test]
async fn more_series_than_the_store_takes() {
    let lab = Lab::with_series(20);
    let site = Site::start(page("a 1\n")).await;
    let pool = lab.scrape(Job::new("j"), &site.host).await;
    until("a scrape", || lab.newest("a") == "1").await;
    let many: Vec<_> = (0..1000).map(|number| format!("b{{n=\"{number}\"}} 1\n")).collect();
    site.say(page(&format!("a 2\n{}", many.concat())));
    until("the error", || pool.active()[0].status().last_error.contains("series")).await;
    until("down", || lab.newest("up") == "0").await;
    assert!(lab.store.stats().series <= 20);
    site.say(page("a 3\n"));
    until("well again", || lab.newest("a") == "3" && lab.newest("up") == "1").await;
}

#[tokio::test]
async fn more_targets_than_the_job_allows() {
    let lab = Lab::new();
    let site = Site::start(page("a 1\n")).await;
    let job = Job { target_limit: 1, ..Job::new("j") };
    let pool = lab.scrape(job.clone(), &site.host).await;
    until("a scrape", || lab.newest("a") == "1").await;
    pool.sync(vec![target(&job, &site.host, &[]), target(&job, &site.host, &[("b", "c")])], Vec::new()).await;
    until_error(&pool, "target_limit exceeded (number of targets: 2, limit: 1)").await;
    until("the marker", || lab.newest("a") == "stale").await;
    // Fewer again.
    pool.sync(vec![target(&job, &site.host, &[])], Vec::new()).await;
    until_error(&pool, "").await;
    until("a again", || lab.newest("a") == "1").await;
}

#[tokio::test]
async fn one_series_twice() {
    let lab = Lab::new();
    let site = Site::start(page("a 1\na 2\n")).await;
    let pool = lab.scrape(Job::new("j"), &site.host).await;
    until("a scrape", || lab.newest("a") == "1").await;
    until_error(&pool, "").await;
    assert!(lab.counter("prometheus_target_scrapes_sample_duplicate_timestamp_total") > 0.0);
    assert_eq!(lab.newest("scrape_samples_scraped"), "2");
}

#[tokio::test]
async fn times_that_cannot_be() {
    let lab = Lab::new();
    let now = model::Clock::now_ms(&model::SystemClock);
    let site = Site::start(page(&format!("a 1 {}\nb 1\n", now + 86_400_000))).await;
    let _pool = lab.scrape(Job::new("j"), &site.host).await;
    until("a scrape", || lab.newest("b") == "1").await;
    assert!(lab.series("a").is_empty());
    assert!(lab.counter("prometheus_target_scrapes_sample_out_of_bounds_total") > 0.0);
}

#[tokio::test]
async fn what_was_read_before_a_fault_is_marked_too() {
    let lab = Lab::new();
    let site = Site::start(page("a 1\nb 1\n")).await;
    let pool = lab.scrape(Job::new("j"), &site.host).await;
    until("a scrape", || lab.newest("b") == "1").await;
    site.say(page("a 2\nb x\n"));
    until_error(&pool, "strconv.ParseFloat: parsing \"x\": invalid syntax while parsing: \"b x\"").await;
    until("the markers", || lab.newest("a") == "stale" && lab.newest("b") == "stale").await;
    site.say(page("a 3\nb 3\n"));
    until("both again", || lab.newest("a") == "3" && lab.newest("b") == "3").await;
}
