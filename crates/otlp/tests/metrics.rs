//! Metric requests to series: cases after the OpenTelemetry specification ("Prometheus and OpenMetrics
//! Compatibility") and what Prometheus' receiver makes of them.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/lines.rs"]
mod lines;

use model::Temporality;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use otlp::Rejected;
use otlp::metrics::{Batch, Config, Limits, to_series};
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};

const SECOND: u64 = 1_000_000_000;

/// Metrics of one resource.
fn request(resource: &[(&str, &str)], metrics: &Value) -> ExportMetricsServiceRequest {
    let request = json!({"resourceMetrics": [{
        "resource": {"attributes": attributes(resource)},
        "scopeMetrics": [{"scope": {"name": "lib", "version": "1"}, "metrics": metrics}],
    }]});
    serde_json::from_value(request).unwrap()
}

fn attributes(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect()
}

fn series(resource: &[(&str, &str)], metrics: &Value, config: &Config) -> (Vec<String>, Rejected) {
    let (batch, rejected) = to_series(request(resource, metrics), config);
    (lines::of(&batch), rejected)
}

fn number(seconds: u64, value: f64) -> Value {
    json!({"timeUnixNano": (seconds * SECOND).to_string(), "asDouble": value})
}

fn gauge(name: &str, points: &Value) -> Value {
    json!({"name": name, "gauge": {"dataPoints": points}})
}

#[test]
fn a_classic_histogram_is_buckets_count_and_sum() {
    let metric = json!([{"name": "http.server.request.duration", "unit": "s", "histogram": {
        "aggregationTemporality": 2,
        "dataPoints": [
            {
                "timeUnixNano": "10000000000", "startTimeUnixNano": "5000000000", "count": "6", "sum": 1.5,
                "bucketCounts": ["1", "2", "3"], "explicitBounds": [0.005, 10],
                "attributes": attributes(&[("le", "mine"), ("http.route", "/")]),
                "exemplars": [
                    {"timeUnixNano": "9000000000", "asDouble": 0.001, "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708"},
                    {"timeUnixNano": "9000000000", "asDouble": 99, "filteredAttributes": attributes(&[("k", "v")])}
                ],
            },
            {"timeUnixNano": "11000000000", "count": "6", "bucketCounts": [], "explicitBounds": []},
            {"timeUnixNano": "12000000000", "count": "6", "sum": 1, "flags": 1,
             "bucketCounts": ["6"], "explicitBounds": []},
        ],
    }}]);
    let (batch, rejected) = to_series(request(&[], &metric), &Config::default());
    assert_eq!(rejected, Rejected::default());
    let name = "http_server_request_duration_seconds";
    assert_eq!(
        lines::of(&batch),
        [
            format!(r#"{{__name__="{name}_sum", http_route="/", le="mine"}} 1.5 @10000 from 5000"#),
            format!(r#"{{__name__="{name}_count", http_route="/", le="mine"}} 6 @10000 from 5000"#),
            format!(r#"{{__name__="{name}_bucket", http_route="/", le="0.005"}} 1 @10000 from 5000"#),
            format!(r#"{{__name__="{name}_bucket", http_route="/", le="10"}} 3 @10000 from 5000"#),
            format!(r#"{{__name__="{name}_bucket", http_route="/", le="+Inf"}} 6 @10000 from 5000"#),
            format!(r#"{{__name__="{name}_count"}} 6 @11000"#),
            format!(r#"{{__name__="{name}_bucket", le="+Inf"}} 6 @11000"#),
            format!(r#"{{__name__="{name}_sum"}} stale @12000"#),
            format!(r#"{{__name__="{name}_count"}} stale @12000"#),
            format!(r#"{{__name__="{name}_bucket", le="+Inf"}} stale @12000"#),
        ]
    );
    let samples = &batch.points[0].samples;
    let exemplars: Vec<usize> = samples.iter().map(|sample| sample.exemplars.len()).collect();
    assert_eq!(exemplars, [0, 0, 1, 0, 1], "each in its bucket");
    let exemplar = &samples[2].exemplars[0];
    assert_eq!(exemplar.labels.get("trace_id"), "0102030405060708090a0b0c0d0e0f10");
    assert_eq!((exemplar.value, exemplar.time_ms), (0.001, 9000));
}

#[test]
fn a_summary_is_quantiles_count_and_sum() {
    let metric = json!([{"name": "rpc", "summary": {"dataPoints": [{
        "timeUnixNano": "1000000000", "count": "5", "sum": 7,
        "quantileValues": [{"quantile": 0, "value": 1}, {"quantile": 0.99, "value": 2}, {"quantile": 1, "value": 3}],
    }]}}]);
    assert_eq!(
        series(&[], &metric, &Config::default()).0,
        [
            r#"{__name__="rpc_sum"} 7 @1000"#,
            r#"{__name__="rpc_count"} 5 @1000"#,
            r#"{__name__="rpc", quantile="0"} 1 @1000"#,
            r#"{__name__="rpc", quantile="0.99"} 2 @1000"#,
            r#"{__name__="rpc", quantile="1"} 3 @1000"#,
        ]
    );
}

#[test]
fn numbers_and_their_absence() {
    let point = |fields: Value| {
        let mut point = json!({"timeUnixNano": "1000000000"});
        point.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        point
    };
    let points = json!([
        point(json!({"asInt": "-7"})),
        point(json!({"asDouble": 0.5})),
        point(json!({})),
        point(json!({"asDouble": 1, "flags": 1})),
    ]);
    assert_eq!(
        series(&[], &json!([gauge("g", &points)]), &Config::default()).0,
        [
            r#"{__name__="g"} -7 @1000"#,
            r#"{__name__="g"} 0.5 @1000"#,
            r#"{__name__="g"} 0 @1000"#,
            r#"{__name__="g"} stale @1000"#,
        ]
    );
}

#[test]
fn target_info_has_what_job_and_instance_do_not_say() {
    let resource = [
        ("service.namespace", "demo"),
        ("service.name", "users"),
        ("service.instance.id", "i"),
        ("host.name", "h"),
    ];
    // Seven minutes: a sample every two and a half, and one at the end.
    let metric = json!([gauge("g", &json!([number(1000, 1.0), number(1420, 2.0)]))]);
    let found = series(&resource, &metric, &Config::default()).0;
    assert_eq!(
        &found[2..],
        [
            r#"{__name__="target_info", host_name="h", instance="i", job="demo/users"} 1 @1000000"#,
            r#"{__name__="target_info", host_name="h", instance="i", job="demo/users"} 1 @1150000"#,
            r#"{__name__="target_info", host_name="h", instance="i", job="demo/users"} 1 @1300000"#,
            r#"{__name__="target_info", host_name="h", instance="i", job="demo/users"} 1 @1420000"#,
        ]
    );
    let keep = Config { keep_identifying_resource_attributes: true, ..Config::default() };
    assert_eq!(
        series(&resource, &metric, &keep).0[2],
        concat!(
            r#"{__name__="target_info", host_name="h", instance="i", job="demo/users", service_instance_id="i", "#,
            r#"service_name="users", service_namespace="demo"} 1 @1000000"#
        )
    );
    let (batch, _) = to_series(request(&resource, &metric), &Config::default());
    assert!(batch.points[2..].iter().all(|point| point.derived) && !batch.points[0].derived);
    assert_eq!(batch.families[1].metadata.help, "Target metadata");
}

#[test]
fn target_info_is_left_out_where_it_says_nothing() {
    let metric = json!([gauge("g", &json!([number(1, 1.0)]))]);
    for resource in [
        [("service.name", "users")].as_slice(),
        &[("service.name", "users"), ("service.instance.id", "i")],
        &[("host.name", "h")],
        &[],
    ] {
        assert_eq!(series(resource, &metric, &Config::default()).0.len(), 1, "{resource:?}");
    }
    let nothing = json!([gauge("g", &json!([]))]);
    assert!(series(&[("service.name", "a"), ("x", "y")], &nothing, &Config::default()).0.is_empty());
}

#[test]
fn target_info_is_bounded_whatever_the_times() {
    let metric = json!([gauge("g", &json!([number(0, 1.0), number(9_000_000_000, 2.0)]))]);
    let found = series(&[("service.name", "a"), ("x", "y")], &metric, &Config::default()).0;
    assert_eq!(found.len(), 2 + 1025);
    assert!(found.last().unwrap().ends_with("@9000000000000"));
}

#[test]
fn the_same_resource_twice_gives_one_target_info() {
    let one = request(&[("service.name", "a"), ("x", "y")], &json!([gauge("g", &json!([number(1, 1.0)]))]));
    let mut twice = one.clone();
    twice.resource_metrics.extend(one.resource_metrics);
    let (batch, _) = to_series(twice, &Config::default());
    assert_eq!(batch.points.iter().filter(|point| point.derived).count(), 1);
}

#[test]
fn attributes_are_promoted_by_name() {
    let config = Config { promote_resource_attributes: vec!["host.name".to_owned()], ..Config::default() };
    let metric = json!([gauge("g", &json!([number(1, 1.0)]))]);
    let found = series(&[("service.name", "a"), ("host.name", "h")], &metric, &config).0;
    assert_eq!(found[0], r#"{__name__="g", host_name="h", job="a"} 1 @1000"#);
}

#[test]
fn deltas_are_named_as_what_they_become() {
    let metric = json!([{"name": "requests", "sum": {
        "aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [number(1, 3.0)],
    }}]);
    let (batch, _) = to_series(request(&[], &metric), &Config::default());
    assert_eq!(batch.points[0].temporality, Temporality::Delta);
    assert_eq!(batch.families[0].name, "requests_total");
    assert_eq!(batch.families[0].metadata.kind.as_str(), "counter");
}

#[test]
fn what_cannot_be_taken_is_counted_with_its_reason() {
    let metrics = json!([
        {"name": "no_temporality", "sum": {"isMonotonic": true, "dataPoints": [number(1, 1.0), number(2, 1.0)]}},
        gauge("...", &json!([number(1, 1.0)])),
        {"name": "coarse", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": [
            {"timeUnixNano": "1", "scale": -5, "count": "1"},
            {"timeUnixNano": "1", "scale": -4, "count": "1"},
        ]}},
        gauge("bad_label", &json!([{"timeUnixNano": "1", "asInt": "1", "attributes": attributes(&[("", "x")])}])),
        gauge("good", &json!([number(1, 1.0)])),
    ]);
    let (found, rejected) = series(&[], &metrics, &Config::default());
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(rejected.count, 5);
    assert_eq!(
        rejected.by_reason,
        [("invalid_temporality", 2), ("invalid_name", 1), ("unsupported_scale", 1), ("invalid_label", 1)]
    );
    assert_eq!(rejected.message, "invalid temporality and type combination for metric \"no_temporality\"");
}

#[test]
fn a_resource_that_cannot_be_named_takes_its_points_with_it() {
    let config = Config { promote_all_resource_attributes: true, ..Config::default() };
    let metric = json!([gauge("g", &json!([number(1, 1.0), number(2, 1.0)]))]);
    let (found, rejected) = series(&[("", "x")], &metric, &config);
    assert_eq!((found.len(), rejected.by_reason), (0, vec![("invalid_label", 2)]));
}

#[test]
fn limits_hold() {
    let limits =
        Limits { max_samples: 5, max_buckets: 3, max_labels: 2, max_name_bytes: 8, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    let bucket = |bounds: &[f64]| {
        let counts = vec!["1"; bounds.len() + 1];
        json!({"name": "h", "histogram": {"aggregationTemporality": 2, "dataPoints": [{
            "timeUnixNano": "1", "count": "3", "explicitBounds": bounds, "bucketCounts": counts,
        }]}})
    };
    let labelled = json!([{"timeUnixNano": "1", "asInt": "1", "attributes": attributes(&[("a", "1"), ("b", "2"), ("c", "3")])}]);
    let metrics = json!([
        bucket(&[1.0, 2.0]),
        bucket(&[1.0, 2.0, 3.0]),
        gauge("labels", &labelled),
        gauge("far_too_long", &json!([number(1, 1.0)])),
        gauge("g", &json!([number(1, 1.0), number(2, 1.0)])),
    ]);
    let (found, rejected) = series(&[], &metrics, &config);
    assert_eq!(found.len(), 5);
    assert_eq!(
        rejected.by_reason,
        [("too_many_buckets", 1), ("invalid_label", 1), ("name_too_long", 1), ("request_too_large", 1)]
    );
}

#[test]
fn explicit_histograms_become_native_ones_when_asked() {
    let config = Config { convert_histograms_to_nhcb: true, ..Config::default() };
    let histogram = |bounds: &[f64]| {
        json!([{"name": "h", "histogram": {"aggregationTemporality": 2, "dataPoints": [{
            "timeUnixNano": "1000000000", "count": "6", "sum": 3, "explicitBounds": bounds, "bucketCounts": ["1", "2", "3"],
        }]}}])
    };
    assert_eq!(
        series(&[], &histogram(&[1.0, 2.0]), &config).0,
        [r#"{__name__="h"} schema -53 count 6 sum 3 zero 0 +[(0, 1.0), (1, 2.0), (2, 3.0)] -[] @1000"#]
    );
    assert_eq!(series(&[], &histogram(&[2.0, 1.0]), &config).1.by_reason, [("invalid_buckets", 1)]);
}

#[test]
fn the_configuration_is_checked_in_prometheus_words() {
    let check = |config: Config| config.validated().unwrap_err();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(
        check(Config {
            promote_all_resource_attributes: true,
            promote_resource_attributes: names(&["a"]),
            ..Config::default()
        }),
        "'promote_all_resource_attributes' and 'promote_resource_attributes' cannot be configured simultaneously"
    );
    assert_eq!(
        check(Config { ignore_resource_attributes: names(&["a"]), ..Config::default() }),
        "'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is true"
    );
    assert_eq!(
        check(Config { promote_resource_attributes: names(&["a", " a"]), ..Config::default() }),
        "invalid 'promote_resource_attributes': duplicated promoted OTel resource attribute \"a\""
    );
    assert_eq!(
        check(Config { promote_resource_attributes: names(&[" "]), ..Config::default() }),
        "invalid 'promote_resource_attributes': empty promoted OTel resource attribute"
    );
    let trimmed =
        Config { promote_resource_attributes: names(&[" a "]), ..Config::default() }.validated().unwrap();
    assert_eq!(trimmed.promote_resource_attributes, ["a"]);
    assert_eq!(
        "x".parse::<otlp::metrics::Strategy>().unwrap_err(),
        "unsupported OTLP translation strategy \"x\""
    );
}

fn check_invariants(batch: &Batch, config: &Config) -> Result<(), TestCaseError> {
    prop_assert!(batch.sample_count() <= config.limits.max_samples);
    for point in &batch.points {
        prop_assert!(point.family < batch.families.len());
        for sample in &point.samples {
            prop_assert!(!sample.labels.get("__name__").is_empty());
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_that_are_a_request_are_translated(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(request) = ExportMetricsServiceRequest::decode(bytes.as_slice()) {
            let config = Config::default();
            check_invariants(&to_series(request, &config).0, &config)?;
        }
    }

    #[test]
    fn a_damaged_request_is_translated_or_refused(position in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let metrics = json!([
            {"name": "h", "unit": "s", "exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [{
                "timeUnixNano": "5", "scale": 9, "count": "3", "positive": {"offset": 3, "bucketCounts": ["1", "2"]},
                "exemplars": [{"timeUnixNano": "5", "asInt": "3"}],
            }]}},
            gauge("g", &json!([number(1, 1.0)])),
        ]);
        let mut bytes = request(&[("service.name", "a"), ("x", "y")], &metrics).encode_to_vec();
        let position = position.index(bytes.len());
        bytes[position] = byte;
        for config in [Config::default(), Config { convert_histograms_to_nhcb: true, promote_all_resource_attributes: true, promote_scope_metadata: true, ..Config::default() }] {
            if let Ok(request) = ExportMetricsServiceRequest::decode(bytes.as_slice()) {
                check_invariants(&to_series(request, &config).0, &config)?;
            }
        }
    }
}
