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
    let limits = LabelLimits { value_length: 5, ..LabelLimits::default() };
    let job = Job { label_limits: limits, ..Job::new("j") };
    fails(
        job,
        page("a{b=\"123456\"} 1\n"),
        "label_value_length_limit exceeded (metric: a, label name: b, value: \"123456\", length: 6, limit: 5)",
    )
    .await;
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
