use opentelemetry_proto::tonic::common::v1::KeyValueList;
use opentelemetry_proto::tonic::logs::v1::ScopeLogs;
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::*;

fn text(value: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(value.to_owned())) }
}

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(text(value)), ..Default::default() }
}

fn request(resource: Vec<KeyValue>, records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes: resource, ..Default::default() }),
            scope_logs: vec![ScopeLogs { log_records: records, ..Default::default() }],
            ..Default::default()
        }],
    }
}

fn one(request: ExportLogsServiceRequest) -> LogStream {
    let (mut streams, rejected) = to_streams(request, 99, &Config::default());
    assert_eq!(rejected, Rejected::default());
    assert_eq!(streams.len(), 1);
    streams.remove(0)
}

#[test]
fn index_attributes_name_the_stream_and_the_rest_is_metadata() {
    let resource =
        vec![pair("service.name", "users"), pair("service.namespace", "demo"), pair("host.name", "h1")];
    let record = LogRecord {
        time_unix_nano: 5,
        observed_time_unix_nano: 7,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        flags: 1,
        trace_id: vec![0xab; 16],
        span_id: vec![1; 8],
        event_name: "login".to_owned(),
        attributes: vec![pair("http.route", "/users"), pair("event_name", "loses")],
        body: Some(text("hello")),
        ..Default::default()
    };
    let stream = one(request(resource, vec![record]));
    assert_eq!(stream.labels.to_string(), r#"{service_name="users", service_namespace="demo"}"#);
    let entry = &stream.entries[0];
    assert_eq!((entry.time_ns, entry.line.as_str()), (5, "hello"));
    let metadata: Vec<_> =
        entry.metadata.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        metadata,
        [
            ("http_route", "/users"),
            ("observed_timestamp", "7"),
            ("severity_number", "9"),
            ("severity_text", "INFO"),
            ("flags", "1"),
            ("trace_id", "abababababababababababababababab"),
            ("span_id", "0101010101010101"),
            ("event_name", "login"),
            ("host_name", "h1"),
        ]
    );
}

#[test]
fn a_service_without_a_name_gets_one() {
    let named = |resource| one(request(resource, vec![LogRecord::default()])).labels.to_string();
    assert_eq!(named(vec![]), r#"{service_name="unknown_service"}"#);
    assert_eq!(named(vec![pair("service.name", "")]), r#"{service_name="unknown_service"}"#);
    assert_eq!(
        named(vec![pair("k8s.job.name", "nightly")]),
        r#"{k8s_job_name="nightly", service_name="nightly"}"#
    );
    let none = Config { discover_service_name: Vec::new(), ..Config::default() };
    let (streams, _) = to_streams(request(vec![], vec![LogRecord::default()]), 1, &none);
    assert!(streams[0].labels.is_empty());
}

#[test]
fn times_fall_back_to_observed_then_now() {
    let observed = LogRecord { observed_time_unix_nano: 7, ..Default::default() };
    let stream = one(request(vec![], vec![observed, LogRecord::default()]));
    assert_eq!(stream.entries.iter().map(|entry| entry.time_ns).collect::<Vec<_>>(), [7, 99]);
    assert!(stream.entries[0].metadata.is_empty(), "the time that was taken is not repeated");
}

#[test]
fn maps_are_flattened_as_attributes_and_json_as_a_body() {
    let map =
        any_value::Value::KvlistValue(KeyValueList { values: vec![pair("some.key", "v"), pair("b", "w")] });
    let any = AnyValue { value: Some(map) };
    let record = LogRecord {
        attributes: vec![KeyValue {
            key: "my.map".to_owned(),
            value: Some(any.clone()),
            ..Default::default()
        }],
        body: Some(any),
        ..Default::default()
    };
    let stream = one(request(vec![], vec![record]));
    let entry = &stream.entries[0];
    assert_eq!(entry.line, r#"{"b":"w","some.key":"v"}"#);
    assert_eq!(
        entry.metadata,
        [("my_map_some_key".to_owned(), "v".to_owned()), ("my_map_b".to_owned(), "w".to_owned())]
    );
}

#[test]
fn severity_as_a_label_splits_streams() {
    let config = Config { severity_text_as_label: true, ..Config::default() };
    let with = |severity: &str| LogRecord { severity_text: severity.to_owned(), ..Default::default() };
    let records = vec![with("INFO"), with(""), with("INFO")];
    let (streams, _) = to_streams(request(vec![pair("service.name", "s")], records), 1, &config);
    let shown: Vec<_> =
        streams.iter().map(|stream| (stream.labels.to_string(), stream.entries.len())).collect();
    assert_eq!(
        shown,
        [
            (r#"{service_name="s", severity_text="INFO"}"#.to_owned(), 2),
            (r#"{service_name="s"}"#.to_owned(), 1)
        ]
    );
}

#[test]
fn what_cannot_be_named_refuses_the_request() {
    let bad_key = LogRecord { attributes: vec![pair("", "v")], ..Default::default() };
    let (streams, rejected) =
        to_streams(request(vec![], vec![LogRecord::default(), bad_key]), 1, &Config::default());
    assert!(streams.is_empty());
    assert_eq!((rejected.count, rejected.message.as_str()), (2, "label name is empty"));

    let bad_id = LogRecord { trace_id: vec![1; 3], ..Default::default() };
    let (_, rejected) = to_streams(request(vec![], vec![bad_id]), 1, &Config::default());
    assert_eq!(rejected.message, "invalid length for TraceID");
    assert_eq!(rejected.by_reason, [("invalid_id", 1)]);
}
