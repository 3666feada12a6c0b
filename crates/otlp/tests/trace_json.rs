//! The forms that senders of OTLP/JSON use, and what is refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use model::{Span, SpanKind, StatusCode, Value};
use otlp::json::{Dialect, Request, to_protobuf};
use otlp::traces::{Limits, decode};

fn json_to_protobuf(text: &[u8]) -> otlp::Result<Vec<u8>> {
    to_protobuf(Request::Traces, Dialect::ProtoJson, text)
}

fn spans(span: &str) -> Vec<Span> {
    let text = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
    let bytes = json_to_protobuf(text.as_bytes()).unwrap();
    decode(&bytes, &Limits::default()).unwrap().0.to_spans()
}

fn error(text: &str) -> String {
    json_to_protobuf(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn every_way_to_write_a_field() {
    let hex = r#""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174""#;
    let base64 = r#""traceId":"W47/95gDgQPSabYzgT/GDA==","spanId":"7uGbfsPBsXQ=""#;
    assert_eq!(spans(&format!("{{{hex}}}")), spans(&format!("{{{base64}}}")));
    let snake = r#""trace_id":"5b8efff798038103d269b633813fc60c","span_id":"eee19b7ec3c1b174","start_time_unix_nano":7"#;
    assert_eq!(spans(&format!("{{{snake}}}")), spans(&format!(r#"{{{hex},"startTimeUnixNano":"7"}}"#)));
    for kind in [r#""SPAN_KIND_CLIENT""#, "3", "3.0"] {
        assert_eq!(spans(&format!(r#"{{{hex},"kind":{kind}}}"#))[0].kind, SpanKind::Client);
    }
    for code in [r#""STATUS_CODE_ERROR""#, "2"] {
        assert_eq!(
            spans(&format!(r#"{{{hex},"status":{{"code":{code}}}}}"#))[0].status_code,
            StatusCode::Error
        );
    }
    let nulls =
        r#""name":null,"attributes":null,"events":null,"status":null,"parentSpanId":null,"kind":null"#;
    assert_eq!(spans(&format!("{{{hex},{nulls}}}")), spans(&format!("{{{hex}}}")));
    let unknown = r#""unknown":{"deep":[1,{"x":null}]},"parentSpanId":"""#;
    assert_eq!(spans(&format!("{{{hex},{unknown}}}")), spans(&format!("{{{hex}}}")));
}

#[test]
fn every_kind_of_value() {
    let values = [
        (r#"{"stringValue":"a"}"#, "a".into()),
        (r#"{"string_value":"a"}"#, "a".into()),
        (r#"{"boolValue":true}"#, true.into()),
        (r#"{"intValue":"-9223372036854775808"}"#, Value::Int(i64::MIN)),
        (r#"{"intValue":12}"#, 12.into()),
        (r#"{"intValue":1e3}"#, 1000.into()),
        (r#"{"doubleValue":1}"#, 1.0.into()),
        (r#"{"doubleValue":"1.5"}"#, 1.5.into()),
        (r#"{"doubleValue":"-Infinity"}"#, f64::NEG_INFINITY.into()),
        (r#"{"bytesValue":"AQI="}"#, Value::Bytes(vec![1, 2])),
        (r#"{"bytesValue":"-_8"}"#, Value::Bytes(vec![0xfb, 0xff])),
        (r#"{"arrayValue":{"values":[{"intValue":"1"},{}]}}"#, Value::Array(vec![1.into(), Value::Empty])),
        (r#"{"arrayValue":{}}"#, Value::Array(Vec::new())),
        (
            r#"{"kvlistValue":{"values":[{"key":"k","value":{"boolValue":false}}]}}"#,
            Value::KvList(vec![("k".into(), false.into())]),
        ),
        (r"{}", Value::Empty),
        (r"null", Value::Empty),
    ];
    let hex = r#""traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174""#;
    for (json, value) in values {
        let span = &spans(&format!(r#"{{{hex},"attributes":[{{"key":"k","value":{json}}}]}}"#))[0];
        assert_eq!(span.attributes, [("k".to_owned(), value)], "{json}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_its_place() {
    assert!(error("").contains("EOF"));
    assert!(error("[]").contains("line 1 column"));
    assert!(
        error(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz!"}]}]}]}"#).contains("traceId")
    );
    assert!(
        error(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":-1}]}]}]}"#)
            .contains("startTimeUnixNano")
    );
    assert!(
        error(r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"1x"}]}]}]}"#)
            .contains("startTimeUnixNano")
    );
    assert!(error(&format!("{{\"a\":{}", "[".repeat(100_000))).contains("EOF"));
    let deep = r#"{"arrayValue":{"values":["#.repeat(1000);
    let span = format!(r#"{{"attributes":[{{"value":{deep}"#);
    let text = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}"#);
    assert!(error(&text).contains("recursion limit"));
    assert!(error(r#"{"resourceSpans":{}}"#).contains("resourceSpans"));
}

#[test]
fn identifiers_of_a_wrong_length_reject_their_span_only() {
    let text =
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"ab","spanId":"EEE19B7EC3C1B174"}]}]}]}"#;
    let bytes = json_to_protobuf(text.as_bytes()).unwrap();
    let (batch, rejected) = decode(&bytes, &Limits::default()).unwrap();
    assert_eq!((batch.span_count(), rejected.by_reason), (0, vec![("invalid_trace_id", 1)]));
}
