//! Rate, errors, duration.

use generator::{Config, SpanMetrics, names};
use model::Value;

use crate::support::{Bench, CLIENT, INTERNAL, SERVER, failed, resource, service, span, text};

const CALLS: &str = "traces_span_metrics_calls_total";
const COUNT: &str = "traces_span_metrics_duration_seconds_count";
const BUCKET: &str = "traces_span_metrics_duration_seconds_bucket";

fn with(change: impl FnOnce(&mut SpanMetrics)) -> Bench {
    let mut spans = SpanMetrics::default();
    change(&mut spans);
    Bench::new(Config { span_metrics: Some(spans), ..Config::default() })
}

#[test]
fn spans_are_counted_by_name_kind_status_and_dimensions() {
    let mut bench = with(|_| {});
    let http = [
        text("http.request.method", "GET"),
        ("http.response.status_code".to_owned(), Value::Int(200)),
        text("user.id", "7"),
    ];
    let resource_attributes = [
        text("service.name", "users"),
        text("service.namespace", "demo"),
        text("service.instance.id", "one"),
        text("host.name", "h"),
    ];
    let spans = vec![
        span(SERVER, "GET /", (1, 0), 5, &http),
        span(SERVER, "GET /", (2, 0), 30, &http),
        failed(span(CLIENT, "SELECT", (3, 1), 2000, &[])),
    ];
    bench.observe(vec![resource(&resource_attributes, spans)]);
    bench.pass(15);
    bench.generator.flush();
    // A counter begins with zero, so that its first value is an increase; a histogram does not.
    let server = "http_request_method=GET http_response_status_code=200 instance=one job=demo/users \
                  service_name=users span_kind=SPAN_KIND_SERVER span_name=GET / status_code=STATUS_CODE_UNSET";
    let client = "instance=one job=demo/users service_name=users span_kind=SPAN_KIND_CLIENT span_name=SELECT \
                  status_code=STATUS_CODE_ERROR";
    let expect = |calls: [f64; 2]| [(server.to_owned(), calls[0]), (client.to_owned(), calls[1])].into();
    assert_eq!(bench.floats(CALLS), expect([0.0, 0.0]));
    assert_eq!(bench.floats(COUNT), expect([2.0, 1.0]));
    bench.pass(15);
    bench.generator.flush();
    assert_eq!(bench.floats(CALLS), expect([2.0, 1.0]));
    let buckets = bench.floats(BUCKET);
    assert_eq!(buckets.len(), 2 * 15);
    let bucket = |le: &str| {
        let found = buckets.iter().find(|(labels, _)| {
            labels.contains(&format!(" le={le} ")) && labels.contains("SPAN_KIND_SERVER")
        });
        *found.unwrap().1
    };
    assert_eq!([bucket("0.005"), bucket("0.025"), bucket("0.05"), bucket("+Inf")], [1.0, 1.0, 2.0, 2.0]);
    assert_eq!(bench.floats("target_info").len(), 1);
}

#[test]
fn exemplars_are_of_this_flush_and_at_most_so_many() {
    let mut bench = with(|spans| spans.exemplars = Some(2));
    let spans = (1..=4).map(|number| span(INTERNAL, "work", (number, 0), 7, &[])).collect();
    bench.observe(vec![service("a", spans)]);
    bench.pass(15);
    bench.generator.flush();
    let trace = "ab".repeat(16);
    let exemplars = bench.exemplars(BUCKET);
    assert_eq!(exemplars.len(), 1);
    assert_eq!(exemplars[0].0, "0.01");
    assert!(exemplars[0].1.iter().all(|exemplar| *exemplar == (0.007, trace.clone())));
    let of_calls = bench.exemplars(CALLS)[0].1.len();
    bench.pass(15);
    bench.generator.flush();
    assert_eq!(bench.exemplars(CALLS)[0].1.len(), of_calls, "nothing new came");
}

#[test]
fn past_the_limit_spans_are_counted_together() {
    let mut bench = with(|spans| spans.cardinality_limit = 2);
    let spans =
        (1..=5).map(|number| span(INTERNAL, &format!("work {number}"), (number, 0), 7, &[])).collect();
    bench.observe(vec![service("a", spans)]);
    bench.observe(vec![service("b", vec![span(INTERNAL, "other", (1, 0), 7, &[])])]);
    for _ in 0..2 {
        bench.pass(15);
        bench.generator.flush();
    }
    let calls = bench.floats(CALLS);
    assert_eq!(calls.len(), 4);
    assert_eq!(calls["job=a otel_metric_overflow=true service_name=a"], 3.0);
    assert_eq!(bench.counted(names::OVERFLOWED_SPANS), 3.0);
    assert!(bench.exemplars(CALLS).len() == 3, "an overflow has no exemplars");
    assert_eq!(bench.counted(names::SERIES), 4.0);
}

#[test]
fn all_services_together_have_a_limit_too() {
    let mut bench = Bench::new(Config { max_series: 3, ..Config::default() });
    for name in ["a", "b", "c", "d"] {
        let spans = vec![span(INTERNAL, "x", (1, 0), 7, &[]), span(INTERNAL, "y", (2, 0), 7, &[])];
        bench.observe(vec![service(name, spans)]);
    }
    bench.pass(15);
    bench.generator.flush();
    assert_eq!(bench.counted(names::OVERFLOWED_SPANS), 5.0);
    // One overflow for each of the services that came too late.
    assert_eq!(bench.floats(COUNT).len(), 3 + 3);
}

#[test]
fn silent_services_end_and_begin_anew() {
    let mut bench = with(|_| {});
    let send = |bench: &Bench| bench.observe(vec![service("a", vec![span(INTERNAL, "x", (1, 0), 7, &[])])]);
    send(&bench);
    bench.pass(899);
    bench.generator.flush();
    assert_eq!(bench.floats(COUNT).len(), 1);
    bench.pass(1);
    // Once more, and then no more.
    bench.generator.flush();
    assert_eq!(bench.floats(COUNT).len(), 1);
    assert_eq!(bench.counted(names::SERIES), 0.0);
    bench.pass(15);
    bench.generator.flush();
    assert!(bench.floats(COUNT).is_empty());
    send(&bench);
    bench.pass(15);
    bench.generator.flush();
    assert_eq!(bench.floats(CALLS).values().copied().collect::<Vec<_>>(), [0.0]);
    assert_eq!(bench.floats(COUNT).values().copied().collect::<Vec<_>>(), [1.0]);
}

#[test]
fn a_series_can_end_before_its_service() {
    let mut bench = with(|spans| spans.series_expiration = std::time::Duration::from_secs(60));
    bench.observe(vec![service("a", vec![span(INTERNAL, "x", (1, 0), 7, &[])])]);
    bench.pass(50);
    bench.observe(vec![service("a", vec![span(INTERNAL, "y", (1, 0), 7, &[])])]);
    bench.pass(10);
    bench.generator.flush();
    assert_eq!(bench.floats(COUNT).len(), 2);
    bench.pass(10);
    bench.generator.flush();
    assert_eq!(bench.floats(COUNT).len(), 1);
}

#[test]
fn the_service_that_was_silent_for_longest_makes_room() {
    let mut bench = with(|spans| spans.max_resources = 2);
    for name in ["a", "b", "a", "c"] {
        bench.observe(vec![service(name, vec![span(INTERNAL, "x", (1, 0), 7, &[])])]);
    }
    assert_eq!(bench.counted(names::EVICTED_SERVICES), 1.0);
    bench.pass(15);
    bench.generator.flush();
    assert_eq!(bench.floats(COUNT).len(), 3, "what was counted is written before it ends");
    bench.pass(15);
    bench.generator.flush();
    let left: Vec<_> = bench.floats(COUNT).into_iter().collect();
    assert_eq!((left.len(), left[0].1), (2, 2.0));
    assert!(!left[1].0.contains("service_name=b"));
}

#[test]
fn a_restarted_service_counts_on() {
    let mut bench = with(|_| {});
    for instance in ["one", "two"] {
        let attributes = [text("service.name", "a"), text("service.instance.id", instance)];
        bench.observe(vec![resource(&attributes, vec![span(INTERNAL, "x", (1, 0), 7, &[])])]);
    }
    bench.pass(15);
    bench.generator.flush();
    let count: Vec<_> = bench.floats(COUNT).into_iter().collect();
    assert_eq!((count.len(), count[0].1), (1, 2.0));
    assert!(count[0].0.contains("instance=one"));
}

#[test]
fn without_a_service_name_nothing_is_made() {
    let mut bench = with(|_| {});
    bench.observe(vec![resource(&[text("host.name", "a")], vec![span(SERVER, "x", (1, 0), 7, &[])])]);
    bench.pass(15);
    bench.generator.flush();
    assert!(bench.floats(COUNT).is_empty());
    assert_eq!(bench.counted(names::DROPPED_SPANS), 1.0);
}

#[test]
fn dimensions_come_from_the_span_then_the_resource_then_the_default() {
    let dimension = |name: &str, default: Option<&str>| generator::Dimension {
        name: name.to_owned(),
        default: default.map(str::to_owned),
    };
    let mut bench = with(|spans| {
        spans.dimensions = vec![dimension("a", None), dimension("b", Some("none")), dimension("c", None)];
        spans.exclude_dimensions = vec!["span.kind".to_owned(), "status.code".to_owned()];
        spans.namespace = String::new();
        spans.unit = generator::Unit::Milliseconds;
    });
    let resource_attributes = [text("service.name", "s"), text("a", "resource")];
    let spans = vec![
        span(INTERNAL, "x", (1, 0), 7, &[]),
        span(INTERNAL, "x", (1, 0), 7, &[text("a", "span"), ("b".to_owned(), Value::Bool(true))]),
    ];
    bench.observe(vec![resource(&resource_attributes, spans)]);
    bench.pass(15);
    bench.generator.flush();
    let sums: Vec<_> = bench.floats("duration_milliseconds_sum").into_iter().collect();
    let labels: Vec<String> = sums
        .iter()
        .map(|(labels, _)| {
            let mut kept = labels.split(' ').filter(|label| !label.starts_with("collector_instance_id="));
            assert_eq!(labels.split(' ').count(), 7 - 1);
            kept.by_ref().collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(
        labels,
        [
            "a=resource b=none job=s service_name=s span_name=x",
            "a=span b=true job=s service_name=s span_name=x"
        ]
    );
    assert!(sums.iter().all(|(_, sum)| *sum == 7.0));
}

#[test]
fn sampled_spans_stand_for_others() {
    let mut bench = with(|_| {});
    let mut sampled = span(INTERNAL, "x", (1, 0), 500, &[]);
    sampled.trace_state = "ot=th:c".to_owned();
    bench.observe(vec![service("a", vec![sampled, span(INTERNAL, "x", (2, 0), 500, &[])])]);
    for _ in 0..2 {
        bench.pass(15);
        bench.generator.flush();
    }
    assert_eq!(bench.floats(CALLS).into_values().collect::<Vec<_>>(), [5.0]);
    assert_eq!(
        bench.floats("traces_span_metrics_duration_seconds_sum").into_values().collect::<Vec<_>>(),
        [2.5]
    );
}

#[test]
fn what_is_not_wanted_is_not_made() {
    let spans = SpanMetrics { histogram: false, exemplars: None, ..SpanMetrics::default() };
    let mut bench =
        Bench::new(Config { span_metrics: Some(spans), service_graph: None, ..Config::default() });
    bench.observe(vec![service("a", vec![span(SERVER, "x", (1, 0), 7, &[])])]);
    bench.pass(15);
    bench.generator.flush();
    assert_eq!((bench.floats(CALLS).len(), bench.floats(COUNT).len()), (1, 0));
    assert!(bench.exemplars(CALLS).is_empty());
    assert_eq!(bench.counted(names::EDGES), 0.0);
}
