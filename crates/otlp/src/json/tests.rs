use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use prost::Message as _;

use super::*;

const TRACES: &str = r#"{"resourceSpans":[{"resource":{"attributes":[
  {"key":"service.name","value":{"stringValue":"a \"quoted\" näme"}},
  {"key":"int","value":{"intValue":"-9223372036854775808"}},
  {"key":"number","value":{"intValue":7}},
  {"key":"double","value":{"doubleValue":1.5}},
  {"key":"bool","value":{"boolValue":true}},
  {"key":"bytes","value":{"bytesValue":"AAEC/w=="}},
  {"key":"list","value":{"arrayValue":{"values":[{"stringValue":""},{"intValue":"0"}]}}},
  {"key":"map","value":{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":false}}]}}},
  {"key":"empty","value":{}}]},
 "scopeSpans":[{"scope":{"name":"s","version":"1","attributes":[]},"schemaUrl":"u","spans":[
  {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"eee19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b173",
   "traceState":"a=b","flags":257,"name":"n","kind":2,"startTimeUnixNano":"1544712660000000000",
   "endTimeUnixNano":1544712661000000000,"droppedAttributesCount":1,
   "attributes":[{"key":"k","value":{"stringValue":"v"}}],
   "events":[{"timeUnixNano":"1","name":"e","attributes":[]}],"droppedEventsCount":2,
   "links":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","flags":1}],
   "droppedLinksCount":3,"status":{"message":"m","code":2}}]}]}]}"#;

const LOGS: &str = r#"{"resourceLogs":[{"resource":{},"scopeLogs":[{"scope":{"name":"s"},"logRecords":[
  {"timeUnixNano":"1544712660300000000","observedTimeUnixNano":"1544712660300000001","severityNumber":10,
   "severityText":"Information","traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",
   "flags":1,"eventName":"e","body":{"stringValue":"line"},"attributes":[{"key":"k","value":{"intValue":"1"}}]}]}]}]}"#;

const METRICS: &str = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
  {"name":"g","unit":"1","description":"d","gauge":{"dataPoints":[{"asDouble":1.5,"timeUnixNano":"2"},{"asInt":"-3"}]}},
  {"name":"s","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asInt":"5","flags":1,
    "exemplars":[{"timeUnixNano":"1","asDouble":2.0,"spanId":"eee19b7ec3c1b174","traceId":"5b8efff798038103d269b633813fc60c",
    "filteredAttributes":[]}]}]}},
  {"name":"h","histogram":{"aggregationTemporality":1,"dataPoints":[{"count":"3","sum":2.5,"min":0,"max":2,
    "bucketCounts":["1","2",0],"explicitBounds":[1,2.5]}]}},
  {"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"count":10,"scale":-1,"zeroCount":"2",
    "positive":{"offset":-7,"bucketCounts":["1","300",2]},"negative":{},"zeroThreshold":0.5}]}},
  {"name":"y","summary":{"dataPoints":[{"count":"1","sum":1,"quantileValues":[{"quantile":0.5,"value":1}]}]}}]}]}]}"#;

#[test]
fn agrees_with_the_reference_types() {
    let traces = to_protobuf(Request::Traces, Dialect::Otlp, TRACES.as_bytes()).unwrap();
    let oracle: ExportTraceServiceRequest = serde_json::from_str(TRACES).unwrap();
    assert_eq!(ExportTraceServiceRequest::decode(traces.as_slice()).unwrap(), oracle);

    let logs = to_protobuf(Request::Logs, Dialect::Otlp, LOGS.as_bytes()).unwrap();
    let oracle: ExportLogsServiceRequest = serde_json::from_str(LOGS).unwrap();
    assert_eq!(ExportLogsServiceRequest::decode(logs.as_slice()).unwrap(), oracle);

    let metrics = to_protobuf(Request::Metrics, Dialect::Otlp, METRICS.as_bytes()).unwrap();
    let oracle: ExportMetricsServiceRequest = serde_json::from_str(METRICS).unwrap();
    assert_eq!(ExportMetricsServiceRequest::decode(metrics.as_slice()).unwrap(), oracle);
}

#[test]
fn truncated_anywhere_is_an_error_and_no_panic() {
    for (request, json) in [(Request::Traces, TRACES), (Request::Logs, LOGS), (Request::Metrics, METRICS)] {
        for length in 0..json.len() {
            to_protobuf(request, Dialect::Otlp, &json.as_bytes()[..length]).unwrap_err();
        }
    }
}

fn span_attribute(value: &str) -> Result<Option<Value>> {
    let json = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"attributes":[{{"key":"k","value":{value}}}]}}]}}]}}]}}"#
    );
    let request = ExportTraceServiceRequest::decode(
        to_protobuf(Request::Traces, Dialect::Otlp, json.as_bytes())?.as_slice(),
    )
    .unwrap();
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    Ok(span.attributes[0].value.clone().and_then(|value| value.value))
}

#[test]
fn numbers_may_be_strings_and_not_finite() {
    assert_eq!(span_attribute(r#"{"intValue":1e3}"#).unwrap(), Some(Value::IntValue(1000)));
    assert_eq!(span_attribute(r#"{"doubleValue":"-1.5e3"}"#).unwrap(), Some(Value::DoubleValue(-1500.0)));
    assert_eq!(span_attribute(r#"{"doubleValue":7}"#).unwrap(), Some(Value::DoubleValue(7.0)));
    let infinite = span_attribute(r#"{"doubleValue":"-Infinity"}"#).unwrap();
    assert_eq!(infinite, Some(Value::DoubleValue(f64::NEG_INFINITY)));
    let Some(Value::DoubleValue(nan)) = span_attribute(r#"{"doubleValue":"NaN"}"#).unwrap() else { panic!() };
    assert!(nan.is_nan());
    for bad in [
        r#"{"intValue":1.5}"#,
        r#"{"intValue":"9223372036854775808"}"#,
        r#"{"intValue":"x"}"#,
        r#"{"doubleValue":"inf"}"#,
        r#"{"boolValue":"true"}"#,
        r#"{"stringValue":1}"#,
        r#"{"bytesValue":"*"}"#,
        "[]",
        "1",
    ] {
        assert!(span_attribute(bad).is_err_and(|error| matches!(error, Error::Json(_))), "{bad}");
    }
}

#[test]
fn unknown_fields_and_nulls_are_as_if_they_were_not_there() {
    let json = br#"{"resourceSpans":[{"resource":null,"resource_spans":5,"scopeSpans":[{"spans":[
        {"name":"n","attributes":null,"new":{"deep":[{}]},"status":null,"kind":null}]}]}],"more":[1,2]}"#;
    let request = ExportTraceServiceRequest::decode(
        to_protobuf(Request::Traces, Dialect::Otlp, json).unwrap().as_slice(),
    )
    .unwrap();
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.name.as_str(), span.kind, span.attributes.len()), ("n", 0, 0));
    assert_eq!(to_protobuf(Request::Traces, Dialect::Otlp, b"{}").unwrap(), b"");
}

#[test]
fn enumerations_are_integers_and_identifiers_are_hexadecimal() {
    for bad in [r#"{"kind":"SPAN_KIND_SERVER"}"#, r#"{"traceId":"W47/95gDgQPSabYzgT/GDA=="}"#] {
        let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{bad}]}}]}}]}}"#);
        let refused = to_protobuf(Request::Traces, Dialect::Otlp, json.as_bytes()).unwrap_err();
        assert!(refused.to_string().starts_with("invalid OTLP JSON: invalid "), "{refused}");
    }
}

#[test]
fn nesting_without_end_is_refused() {
    let deep = format!("{}{}", r#"{"arrayValue":{"values":["#.repeat(2000), r"]}}".repeat(2000));
    let refused = span_attribute(&deep).unwrap_err();
    assert!(refused.to_string().contains("recursion limit exceeded"), "{refused}");
}

#[test]
fn an_integer_that_is_zero_is_still_that_integer() {
    let json =
        br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"asInt":"0"}]}}]}]}]}"#;
    let request = ExportMetricsServiceRequest::decode(
        to_protobuf(Request::Metrics, Dialect::Otlp, json).unwrap().as_slice(),
    )
    .unwrap();
    let Some(metric::Data::Gauge(gauge)) = &request.resource_metrics[0].scope_metrics[0].metrics[0].data
    else {
        panic!()
    };
    assert_eq!(gauge.data_points[0].value, Some(number_data_point::Value::AsInt(0)));
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}") {
        let _ = to_protobuf(Request::Logs, Dialect::Otlp, text.as_bytes());
    }

    #[test]
    fn any_string_survives(text in "\\PC{0,40}") {
        let value = serde_json::to_string(&text).unwrap();
        let read = span_attribute(&format!(r#"{{"stringValue":{value}}}"#)).unwrap();
        proptest::prop_assert_eq!(read, Some(Value::StringValue(text)));
    }
}

#[test]
fn the_plain_mapping_is_read_only_where_it_is_asked_for() {
    let text = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"W47/95gDgQPSabYzgT/GDA==",
        "spanId":"7uGbfsPBsXQ=","kind":"SPAN_KIND_SERVER","status":{"code":"STATUS_CODE_ERROR"}}]}]}]}"#;
    let bytes = to_protobuf(Request::Traces, Dialect::ProtoJson, text).unwrap();
    let request = ExportTraceServiceRequest::decode(bytes.as_slice()).unwrap();
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.trace_id, b"\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0c");
    assert_eq!(span.span_id, b"\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74");
    assert_eq!((span.kind, span.status.as_ref().unwrap().code), (2, 2));
    assert!(to_protobuf(Request::Traces, Dialect::Otlp, text).is_err());
}
