//! Targets that are scraped over the wire: what a query finds then, and what the target's status says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad;
mod site;

use std::sync::Arc;
use std::time::Duration;

use exposition::Protocol;
use model::MetricType;
use scrape::{Dial, Health, Job, Relabel};
use site::{Lab, Site, gzip, page, target, typed, until, until_error};

#[tokio::test]
async fn samples_get_the_targets_labels_and_the_scrape_is_reported() {
    let lab = Lab::new();
    let body = "# HELP a_total What a\\n counts.\n# TYPE a_total counter\na_total{x=\"1\",job=\"mine\"} 5\n\
                # TYPE b gauge\nb -2.5\n";
    let site = Site::start(page(body)).await;
    let pool = lab.scrape(Job::new("j"), &site.host).await;
    until("a scrape", || lab.newest("up") == "1").await;
    assert_eq!(lab.series("a_total").into_keys().collect::<Vec<_>>(), ["exported_job=mine,x=1"]);
    assert_eq!((lab.newest("a_total"), lab.newest("b")), ("5".to_owned(), "-2.5".to_owned()));
    assert_eq!(lab.newest("scrape_samples_scraped"), "2");
    assert_eq!(lab.newest("scrape_samples_post_metric_relabeling"), "2");
    let added = lab.series("scrape_series_added").into_values().next().unwrap();
    assert_eq!(added[0].1, "2");
    until("a second scrape", || lab.newest("scrape_series_added") == "0").await;
    assert!(lab.newest("scrape_duration_seconds").parse::<f64>().unwrap() > 0.0);
    assert!(lab.series("scrape_timeout_seconds").is_empty());
    let active = pool.active();
    let status = active[0].status();
    assert_eq!((status.health, status.last_error.as_str()), (Health::Up, ""));
    assert!(status.last_scrape_ns > 0 && status.last_duration > Duration::ZERO);
    let metadata = active[0].metadata_of("a_total").unwrap();
    assert_eq!((metadata.kind, metadata.help.as_str()), (MetricType::Counter, "What a\n counts."));
    assert_eq!(lab.store.metadata(Some("b"))["b"][0].kind, MetricType::Gauge);
}

#[tokio::test]
async fn a_request_says_what_is_wanted() {
    let lab = Lab::new();
    let site = Site::start(page("a 1\n")).await;
    let mut job = Job { headers: vec![("x-own".to_owned(), "yes".to_owned())], ..Job::new("j") };
    job.params.insert("q".to_owned(), vec!["1 2".to_owned()]);
    let _pool = lab.scrape(job, &site.host).await;
    until("a request", || site.request_count() > 0).await;
    let request = site.request().to_lowercase();
    let host = format!("host: {}", site.host);
    for part in [
        "get /metrics?q=1+2 http/1.1",
        "accept: application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,",
        "accept-encoding: gzip",
        "user-agent: prometheus/3.14.0",
        "x-prometheus-scrape-timeout-seconds: 0.06",
        "x-own: yes",
        host.as_str(),
    ] {
        assert!(request.contains(part), "{part:?} is not in {request}");
    }
}

#[tokio::test]
async fn a_host_may_listen_elsewhere() {
    #[derive(Debug)]
    struct Elsewhere(String);
    impl Dial for Elsewhere {
        fn dial(&self, host: &str) -> Option<String> {
            (host == "users:8001").then(|| self.0.clone())
        }
    }
    let mut lab = Lab::new();
    let site = Site::start(page("a 1\n")).await;
    lab.environment.dial = Some(Arc::new(Elsewhere(site.host.clone())));
    let pool = lab.scrape(Job::new("j"), "users:8001").await;
    until("a scrape", || lab.newest("up") == "1").await;
    assert!(site.request().contains("users:8001"));
    assert_eq!(pool.active()[0].address().to_string(), "http://users:8001/metrics");
}

#[tokio::test]
async fn what_is_gone_is_marked() {
    let lab = Lab::new();
    let site = Site::start(page("a 1\nb 1\n")).await;
    let pool = lab.scrape(Job::new("j"), &site.host).await;
    until("both", || lab.newest("b") == "1").await;
    site.say(page("a 2\n"));
    until("the marker of b", || lab.newest("b") == "stale").await;
    until("a goes on", || lab.newest("a") == "2").await;
    // It comes back.
    site.say(page("a 2\nb 3\n"));
    until("b again", || lab.newest("b") == "3").await;
    // All of it goes when the target does not answer.
    site.go();
    until("down", || lab.newest("up") == "0").await;
    until("the markers", || lab.newest("a") == "stale" && lab.newest("b") == "stale").await;
    let host = &site.host;
    let error = format!("Get \"http://{host}/metrics\": dial tcp {host}: connect: connection refused");
    until_error(&pool, &error).await;
    assert_eq!(pool.active()[0].status().health, Health::Down);
    // Each time that it goes, which on a busy machine is also when an answer comes late, it is marked once.
    let values: Vec<_> = lab.series("a").into_values().flatten().map(|(_, value)| value).collect();
    assert!(!values.windows(2).any(|pair| pair == ["stale", "stale"]), "{values:?}");
}

#[tokio::test]
async fn a_target_that_is_taken_away_is_marked_after_two_intervals() {
    let lab = Lab::new();
    let site = Site::start(page("a 1\n")).await;
    let pool = lab.scrape(Job::new("j"), &site.host).await;
    until("a scrape", || lab.newest("a") == "1").await;
    pool.sync(Vec::new(), Vec::new()).await;
    assert!(pool.active().is_empty());
    assert_ne!(lab.newest("a"), "stale", "not yet: it may come back");
    until("the markers", || lab.newest("a") == "stale" && lab.newest("up") == "stale").await;
}

#[tokio::test]
async fn a_target_that_comes_back_is_not_marked() {
    let lab = Lab::new();
    let site = Site::start(page("a 1\n")).await;
    let job = Job::new("j");
    let pool = lab.scrape(job.clone(), &site.host).await;
    until("a scrape", || lab.newest("a") == "1").await;
    pool.sync(Vec::new(), Vec::new()).await;
    pool.sync(vec![target(&job, &site.host, &[])], Vec::new()).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let values: Vec<_> = lab.series("a").into_values().flatten().map(|(_, value)| value).collect();
    assert!(values.len() > 3 && values.iter().all(|value| value == "1"), "{values:?}");
}

#[tokio::test]
async fn nothing_is_marked_when_the_process_stops() {
    let lab = Lab::new();
    let site = Site::start(page("a 1\n")).await;
    let _pool = lab.scrape(Job::new("j"), &site.host).await;
    until("a scrape", || lab.newest("a") == "1").await;
    lab.environment.stopped.cancel();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(lab.newest("a"), "1");
    let count = site.request_count();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(site.request_count(), count);
}

#[tokio::test]
async fn a_reload_keeps_what_still_holds() {
    let lab = Lab::new();
    let site = Site::start(page("a 1\nb 1\n")).await;
    let pool = lab.scrape(Job::new("j"), &site.host).await;
    until("a scrape", || lab.newest("a") == "1").await;
    site.say(page("a 1\n"));
    // The limit changes nothing about series: that b was there is still known, and no series counts as new.
    pool.reload(Arc::new(Job { sample_limit: 10, ..Job::new("j") })).await.unwrap();
    until("the marker of b", || lab.newest("b") == "stale").await;
    let added: Vec<_> =
        lab.series("scrape_series_added").into_values().flatten().map(|(_, text)| text).collect();
    assert_eq!(added.iter().filter(|text| *text != "0").count(), 1, "{added:?}");
    assert_eq!(pool.active()[0].status().health, Health::Up);
}

#[tokio::test]
async fn times_in_the_body_are_honoured_or_not() {
    let lab = Lab::new();
    let now = model::Clock::now_ms(&model::SystemClock);
    let site = Site::start(page(&format!("a 1 {}\n", now - 5000))).await;
    let first = lab.scrape(Job::new("honoured"), &site.host).await;
    until("a scrape", || lab.newest("a") == "1").await;
    let own = lab.series("a").into_values().next().unwrap();
    assert_eq!(own, [(now - 5000, "1".to_owned())]);
    // A series with times of its own gets no marker.
    site.say(page("b 1\n"));
    until("b", || lab.newest("b") == "1").await;
    assert_eq!(lab.newest("a"), "1");
    first.stop().await;

    let lab = Lab::new();
    site.say(page(&format!("a 1 {}\n", now - 5000)));
    let job = Job { honor_timestamps: false, ..Job::new("ignored") };
    let _second = lab.scrape(job, &site.host).await;
    until("a scrape", || lab.newest("a") == "1").await;
    assert!(lab.series("a").into_values().next().unwrap()[0].0 >= now);

    let lab = Lab::new();
    let job = Job { track_timestamps_staleness: true, ..Job::new("tracked") };
    let _third = lab.scrape(job, &site.host).await;
    until("a scrape", || lab.newest("a") == "1").await;
    site.say(page("b 1\n"));
    until("the marker", || lab.newest("a") == "stale").await;
}

#[tokio::test]
async fn rules_change_and_drop_samples() {
    #[derive(Debug)]
    struct Rules;
    impl Relabel for Rules {
        fn relabel(&self, labels: &mut Vec<(String, String)>) -> bool {
            labels.push(("team".to_owned(), "blue".to_owned()));
            !labels.iter().any(|(name, value)| name == "__name__" && value == "b")
        }
        fn fingerprint(&self) -> String {
            "rules".to_owned()
        }
    }
    let lab = Lab::new();
    let site = Site::start(page("a 1\nb 1\nb{c=\"d\"} 2\n")).await;
    let job = Job { relabel: Some(Arc::new(Rules)), ..Job::new("j") };
    let _pool = lab.scrape(job, &site.host).await;
    until("a second scrape", || lab.series("up").values().flatten().count() > 1).await;
    assert_eq!(lab.series("a").into_keys().collect::<Vec<_>>(), ["team=blue"]);
    assert!(lab.series("b").is_empty());
    assert_eq!(lab.newest("scrape_samples_scraped"), "3");
    assert_eq!(lab.newest("scrape_samples_post_metric_relabeling"), "1");
}

#[tokio::test]
async fn openmetrics_brings_exemplars_and_start_times() {
    let lab = Lab::new();
    let now = model::Clock::now_ms(&model::SystemClock) / 1000;
    let body = format!(
        "# TYPE a counter\na_total 5 # {{trace_id=\"abc\"}} 0.5 {now}\na_created {}\n# EOF\n",
        now - 60
    );
    let site = Site::start(typed("application/openmetrics-text; version=1.0.0", body.as_bytes())).await;
    let _pool = lab.scrape(Job::new("j"), &site.host).await;
    until("a scrape", || lab.newest("a_total") == "5").await;
    let matcher = model::Matcher::new("__name__", model::MatchOp::Equal, "a_total").unwrap();
    let exemplars = lab.store.exemplars(&[vec![matcher.clone()]], promql::storage::MsRange::ALL);
    let exemplar = &exemplars[0].1[0];
    assert_eq!((exemplar.labels.get("trace_id"), exemplar.value, exemplar.time_ms), ("abc", 0.5, now * 1000));
    let series =
        promql::storage::Storage::select(&*lab.store, &[matcher], promql::storage::MsRange::ALL).unwrap();
    let point = promql::storage::Series::points(&series[0]).next().unwrap();
    assert_eq!(point.start_ms, (now - 60) * 1000);
}

#[tokio::test]
async fn classic_histograms_become_native_ones() {
    let lab = Lab::new();
    let body = "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 4\nh_count 3\n";
    let site = Site::start(page(body)).await;
    let job = Job { convert_classic_to_nhcb: true, ..Job::new("j") };
    let _pool = lab.scrape(job, &site.host).await;
    until("a scrape", || !lab.newest("h").is_empty()).await;
    let histogram = lab.newest("h");
    assert!(histogram.contains("custom_values: [1.0]") && histogram.contains("count: 3.0"), "{histogram}");
    assert!(lab.series("h_count").is_empty());
    site.say(page("a 1\n"));
    until("the marker", || lab.newest("h") == "stale" || lab.newest("h").contains("sum: NaN")).await;
}

#[tokio::test]
async fn extra_series_and_compression() {
    let lab = Lab::new();
    let site = Site::start(gzip(b"a 1\n")).await;
    let job = Job {
        extra_metrics: true,
        sample_limit: 7,
        protocols: vec![Protocol::PrometheusText0_0_4],
        ..Job::new("j")
    };
    let _pool = lab.scrape(job, &site.host).await;
    until("a scrape", || lab.newest("a") == "1").await;
    until("the report", || lab.newest("scrape_body_size_bytes") == "4").await;
    assert_eq!(lab.newest("scrape_timeout_seconds"), "0.06");
    assert_eq!(lab.newest("scrape_sample_limit"), "7");
}
