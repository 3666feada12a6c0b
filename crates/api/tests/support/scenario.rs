//! One story in four traces: a call from users over albums to a database, a batch job, a span whose parent is missing,
//! and a span without any name.

#![allow(dead_code, reason = "each test target uses a part of it")]

use serde_json::{Value, json};

/// When it begins, in nanoseconds since the Unix epoch.
pub(crate) const BASE_NS: u64 = 1_795_217_953_000_000_000;
pub(crate) const MS: u64 = 1_000_000;

/// The call.
pub(crate) const CALL: &str = "0af7651916cd43dd8448eb211c80319c";
/// The job, with an identifier of 64 bits.
pub(crate) const JOB: &str = "00000000000000001111222233334444";
/// The span without its parent.
pub(crate) const LONELY: &str = "000000000000000000000000000000ab";
/// The span without a name.
pub(crate) const NAMELESS: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn at(offset_ms: u64) -> String {
    (BASE_NS + offset_ms * MS).to_string()
}

/// The requests, in the order in which they are sent.
pub(crate) fn requests() -> Vec<Value> {
    let users = json!({
        "resource": {"attributes": [
            text("service.name", "users"), text("service.namespace", "demo"), text("k8s.pod.name", "pod-1"),
        ]},
        "scopeSpans": [{
            "scope": {"name": "axum", "version": "0.8"},
            "spans": [
                {
                    "traceId": CALL, "spanId": "00f067aa0ba902b7", "name": "GET /users/{id}", "kind": 2,
                    "startTimeUnixNano": at(0), "endTimeUnixNano": at(50), "traceState": "a=b", "flags": 257,
                    "attributes": [
                        text("http.request.method", "GET"),
                        {"key": "http.status_code", "value": {"intValue": "200"}},
                        text("http.method", "GET"),
                        text("http.url", "http://x/users/1"),
                        {"key": "b", "value": {"boolValue": true}},
                        {"key": "d", "value": {"doubleValue": 1.5}},
                        {"key": "bytes", "value": {"bytesValue": "AQI="}},
                        {"key": "list", "value": {"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}]}}},
                        {"key": "map", "value": {"kvlistValue": {"values": [text("x", "<y>&")]}}},
                        {"key": "empty", "value": {}},
                        {"key": "big", "value": {"intValue": "1152921504606846976"}},
                        {"key": "ip", "value": {"intValue": "134744072"}},
                        text("telemetry.sdk.language", "rust"),
                    ],
                    "status": {},
                },
                {
                    "traceId": CALL, "spanId": "00f067aa0ba902b8", "parentSpanId": "00f067aa0ba902b7",
                    "name": "call albums", "kind": 3, "startTimeUnixNano": at(5), "endTimeUnixNano": at(35),
                    "attributes": [text("peer.service", "albums")], "droppedAttributesCount": 3,
                    "events": [
                        {"timeUnixNano": at(6), "name": "exception",
                         "attributes": [text("exception.type", "E"), text("exception.message", "bad")]},
                        {"timeUnixNano": at(7), "name": "another"},
                    ],
                    "links": [{"traceId": JOB, "spanId": "1111222233334444",
                               "attributes": [{"key": "linked", "value": {"intValue": "1"}}]}],
                    "status": {"code": 2, "message": "boom"},
                },
            ],
        }],
        "schemaUrl": "https://opentelemetry.io/schemas/1.30.0",
    });
    let albums = json!({
        "resource": {"attributes": [text("service.name", "albums"), text("host.name", "h2")]},
        "scopeSpans": [
            {
                "scope": {"name": "axum"},
                "spans": [
                    {
                        "traceId": CALL, "spanId": "00f067aa0ba902b9", "parentSpanId": "00f067aa0ba902b8",
                        "name": "GET /albums", "kind": 2, "startTimeUnixNano": at(6), "endTimeUnixNano": at(26),
                        "attributes": [{"key": "http.status_code", "value": {"intValue": "500"}}],
                        "status": {"code": 1},
                    },
                    {
                        "traceId": CALL, "spanId": "00f067aa0ba902ba", "parentSpanId": "00f067aa0ba902b9",
                        "name": "SELECT", "kind": 3, "startTimeUnixNano": at(14), "endTimeUnixNano": at(17),
                        "attributes": [text("db.system", "sqlite")], "status": {},
                    },
                ],
            },
            {
                "scope": {},
                "spans": [{
                    "traceId": CALL, "spanId": "00f067aa0ba902bb", "parentSpanId": "00f067aa0ba902b9",
                    "name": "internal work", "kind": 1, "startTimeUnixNano": at(18), "endTimeUnixNano": at(19),
                    "status": {},
                }],
            },
        ],
    });
    let one = |service: &[Value], scope: Value, span: Value| json!({"resourceSpans": [{"resource": {"attributes": service}, "scopeSpans": [{"scope": scope, "spans": [span]}]}]});
    vec![
        json!({"resourceSpans": [users, albums]}),
        one(
            &[text("service.name", "batch")],
            json!({"name": "job", "version": "1"}),
            json!({
                "traceId": JOB, "spanId": "1111222233334444", "name": "run job", "kind": 1,
                "startTimeUnixNano": at(1000), "endTimeUnixNano": at(3500), "attributes": [text("foo", "bar")],
                "status": {},
            }),
        ),
        one(
            &[text("service.name", "orphan")],
            json!({"name": "lib"}),
            json!({
                "traceId": LONELY, "spanId": "aa00000000000001", "parentSpanId": "aa000000000000ff",
                "name": "lonely", "kind": 5, "startTimeUnixNano": at(2000), "endTimeUnixNano": at(2007),
                "attributes": [text("foo", "baz")], "status": {},
            }),
        ),
        one(
            &[],
            json!({}),
            json!({
                "traceId": NAMELESS, "spanId": "bb00000000000001",
                "startTimeUnixNano": at(3000), "endTimeUnixNano": at(3000), "status": {},
            }),
        ),
    ]
}
