//! Jaeger's APIs over a real store. What is expected is what a Jaeger 2.20.0 answered from its memory store to the same
//! spans and requests, lists sorted that it gives in any order.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests are tests, and JSON is given away as it is made"
)]

#[path = "support/scenario.rs"]
mod scenario;
#[path = "support/server.rs"]
mod server;

use http::{Method, StatusCode};
use scenario::{BASE_NS, CALL, MS, NAMELESS};
use serde_json::{Value, json};
use server::{Answer, Client, Server, encode};

fn jaeger() -> (Server, Client) {
    let server = Server::at(BASE_NS + 60_000 * MS);
    for request in scenario::requests() {
        server.send(&request);
    }
    let client = server.jaeger();
    (server, client)
}

/// The same from memory and from blocks: with everything in the head, with all but the last sealed, with all sealed.
fn jaegers() -> Vec<(Server, Client)> {
    [0, 3, 4]
        .map(|sealed| {
            let server = Server::at(BASE_NS + 60_000 * MS);
            for (index, request) in scenario::requests().iter().enumerate() {
                if index == sealed {
                    server.context.traces.seal().unwrap();
                }
                server.send(request);
            }
            if sealed == 4 {
                server.context.traces.seal().unwrap();
            }
            let client = server.jaeger();
            (server, client)
        })
        .into()
}

fn structured(data: Value, total: usize, errors: Value) -> Value {
    json!({"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors})
}

/// A refusal is JSON in a line of plain text.
#[track_caller]
fn assert_refused(answer: &Answer, status: u16, message: &str) {
    let body: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(body, structured(Value::Null, 0, json!([{"code": status, "msg": message}])));
    assert_eq!(answer.status.as_u16(), status);
    assert_eq!(answer.content_type, "text/plain; charset=utf-8");
    assert!(answer.text().ends_with('\n'));
}

#[track_caller]
fn assert_refused_v3(answer: &Answer, status: u16, message: &str) {
    let body: Value = serde_json::from_str(&answer.text()).unwrap();
    assert_eq!(body, json!({"error": {"httpCode": status, "message": message}}));
    assert_eq!(answer.status.as_u16(), status);
    assert_eq!(answer.content_type, "text/plain; charset=utf-8");
}

#[tokio::test]
async fn services_and_operations_are_listed() {
    for (_server, jaeger) in jaegers() {
        let services = json!(["albums", "batch", "missing-service-name", "orphan", "users"]);
        let operation = |name: &str, kind: &str| json!({"name": name, "spanKind": kind});
        for (path, body) in [
            ("/api/services", structured(services, 5, Value::Null)),
            (
                "/api/services/users/operations",
                structured(json!(["GET /users/{id}", "call albums"]), 2, Value::Null),
            ),
            (
                "/api/services/%2575sers/operations",
                structured(json!(["GET /users/{id}", "call albums"]), 2, Value::Null),
            ),
            ("/api/services/nope/operations", structured(Value::Null, 0, Value::Null)),
            (
                "/api/services/missing-service-name/operations",
                structured(json!(["empty-span-name"]), 1, Value::Null),
            ),
            (
                "/api/operations?service=users",
                structured(
                    json!([operation("GET /users/{id}", "server"), operation("call albums", "client")]),
                    2,
                    Value::Null,
                ),
            ),
            (
                "/api/operations?service=users&spanKind=server",
                structured(json!([operation("GET /users/{id}", "server")]), 1, Value::Null),
            ),
            ("/api/operations?service=users&spanKind=bogus", structured(json!([]), 0, Value::Null)),
            ("/api/operations?service=nope", structured(json!([]), 0, Value::Null)),
            (
                "/api/operations?service=missing-service-name",
                structured(json!([operation("empty-span-name", "")]), 1, Value::Null),
            ),
        ] {
            assert_eq!(jaeger.get(path).await.json(), body, "{path}");
        }
        assert_refused(&jaeger.get("/api/operations").await, 400, "parameter 'service' is required");
    }
}

fn tag(key: &str, kind: &str, value: impl Into<Value>) -> Value {
    json!({"key": key, "type": kind, "value": value.into()})
}

fn child_of(id: &str) -> Value {
    json!({"refType": "CHILD_OF", "traceID": CALL, "spanID": id})
}

/// The call, as Jaeger shows it.
fn call() -> Value {
    let span = |id: &str, name: &str, start_ms: u64, ms: u64, references: Value, process: &str| {
        json!({
            "traceID": CALL, "spanID": id, "operationName": name, "references": references,
            "startTime": BASE_NS / 1000 + start_ms * 1000, "duration": ms * 1000,
            "tags": [], "logs": [], "processID": process, "warnings": null,
        })
    };
    let mut get_user = span("00f067aa0ba902b7", "GET /users/{id}", 0, 50, json!([]), "p1");
    get_user["tags"] = json!([
        tag("otel.scope.name", "string", "axum"),
        tag("otel.scope.version", "string", "0.8"),
        tag("b", "bool", true),
        tag("big", "int64", "1152921504606846976"),
        tag("bytes", "binary", "AQI="),
        tag("d", "float64", 1.5),
        tag("empty", "string", ""),
        tag("http.method", "string", "GET"),
        tag("http.request.method", "string", "GET"),
        tag("http.status_code", "int64", 200),
        tag("http.url", "string", "http://x/users/1"),
        tag("ip", "string", "8.8.8.8"),
        tag("list", "string", r#"["a",1]"#),
        tag("map", "string", r#"{"x":"<y>&"}"#),
        tag("span.kind", "string", "server"),
        tag("w3c.tracestate", "string", "a=b"),
    ]);
    let link =
        json!({"refType": "FOLLOWS_FROM", "traceID": "1111222233334444", "spanID": "1111222233334444"});
    let mut call =
        span("00f067aa0ba902b8", "call albums", 5, 30, json!([child_of("00f067aa0ba902b7"), link]), "p1");
    call["tags"] = json!([
        tag("otel.scope.name", "string", "axum"),
        tag("otel.scope.version", "string", "0.8"),
        tag("peer.service", "string", "albums"),
        tag("span.kind", "string", "client"),
        tag("otel.status_code", "string", "ERROR"),
        tag("error", "bool", true),
        tag("otel.status_description", "string", "boom"),
    ]);
    call["logs"] = json!([
        {"timestamp": 1_795_217_953_007_000_u64, "fields": [tag("event", "string", "another")]},
        {"timestamp": 1_795_217_953_006_000_u64, "fields": [
            tag("event", "string", "exception"),
            tag("exception.message", "string", "bad"),
            tag("exception.type", "string", "E"),
        ]},
    ]);
    let mut albums =
        span("00f067aa0ba902b9", "GET /albums", 6, 20, json!([child_of("00f067aa0ba902b8")]), "p2");
    albums["tags"] = json!([
        tag("otel.scope.name", "string", "axum"),
        tag("http.status_code", "int64", 500),
        tag("span.kind", "string", "server"),
        tag("otel.status_code", "string", "OK"),
    ]);
    let mut select = span("00f067aa0ba902ba", "SELECT", 14, 3, json!([child_of("00f067aa0ba902b9")]), "p2");
    select["tags"] = json!([
        tag("otel.scope.name", "string", "axum"),
        tag("db.system", "string", "sqlite"),
        tag("span.kind", "string", "client"),
    ]);
    let mut work =
        span("00f067aa0ba902bb", "internal work", 18, 1, json!([child_of("00f067aa0ba902b9")]), "p2");
    work["tags"] = json!([tag("span.kind", "string", "internal")]);
    json!({
        "traceID": CALL,
        "spans": [get_user, call, albums, select, work],
        "processes": {
            "p1": {"serviceName": "users", "tags": [
                tag("k8s.pod.name", "string", "pod-1"),
                tag("service.namespace", "string", "demo"),
                tag("telemetry.sdk.language", "string", "rust"),
            ]},
            "p2": {"serviceName": "albums", "tags": [tag("host.name", "string", "h2")]},
        },
        "warnings": null,
    })
}

#[tokio::test]
async fn a_trace_is_found_by_its_identifier() {
    for (_server, jaeger) in jaegers() {
        for id in
            [CALL, "af7651916cd43dd8448eb211c80319c", "CvdlGRbNQ92ESOshHIAxnA==", "CvdlGRbNQ92ESOshHIAxnA"]
        {
            let answer = jaeger.get(&format!("/api/traces/{id}")).await.json();
            assert_eq!(answer, structured(json!([call()]), 0, Value::Null), "{id}");
        }
        let pretty = jaeger.get("/api/traces/ab?prettyPrint=true").await.text();
        assert!(
            pretty
                .starts_with("{\n    \"data\": [\n        {\n            \"traceID\": \"00000000000000ab\","),
            "{pretty}"
        );
    }
}

#[tokio::test]
async fn what_is_odd_about_a_span_is_said() {
    for (_server, jaeger) in jaegers() {
        let lonely = jaeger.get("/api/traces/ab").await.json();
        let span = &lonely["data"][0]["spans"][0];
        assert_eq!(span["traceID"], "00000000000000ab");
        let warning = "parent span ID=aa000000000000ff is not in the trace; skipping clock skew adjustment";
        assert_eq!(span["warnings"], json!([warning]));
        let nameless = jaeger.get(&format!("/api/traces/{NAMELESS}")).await.json();
        let warning = "Negative duration detected, sanitizing end timestamp. Original end timestamp: \
                   2026-11-20 23:39:16 +0000 UTC, adjusted to: 2026-11-20 23:39:16.000000001 +0000 UTC";
        assert_eq!(
            nameless["data"][0],
            json!({
                "traceID": NAMELESS,
                "spans": [{
                    "traceID": NAMELESS, "spanID": "bb00000000000001", "operationName": "empty-span-name",
                    "references": [], "startTime": 1_795_217_956_000_000_u64, "duration": 0, "tags": [], "logs": [],
                    "processID": "p1", "warnings": [warning],
                }],
                "processes": {"p1": {"serviceName": "missing-service-name", "tags": []}},
                "warnings": null,
            })
        );
    }
}

#[tokio::test]
async fn a_raw_trace_is_not_adjusted() {
    for (_server, jaeger) in jaegers() {
        let raw = jaeger.get(&format!("/api/traces/{CALL}?raw=true")).await.json();
        let tags = raw["data"][0]["spans"][0]["tags"].as_array().unwrap();
        assert_eq!(tags[2], tag("http.request.method", "string", "GET"));
        assert!(tags.contains(&tag("ip", "int64", 134_744_072)));
        let lonely = jaeger.get("/api/traces/ab?raw=true").await.json();
        assert_eq!(lonely["data"][0]["spans"][0]["warnings"], Value::Null);
    }
}

#[tokio::test]
async fn wrong_requests_for_a_trace_are_refused() {
    let (_server, jaeger) = jaeger();
    for (path, status, message) in [
        ("cd", 404, "trace not found"),
        ("xyz", 400, "invalid length for TraceID"),
        (
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            400,
            "TraceID cannot be longer than 32 hex characters: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ),
        (
            "ab?start=abc",
            400,
            r#"unable to parse param 'start': strconv.ParseInt: parsing "abc": invalid syntax"#,
        ),
        ("ab?end=x", 400, r#"unable to parse param 'end': strconv.ParseInt: parsing "x": invalid syntax"#),
        (
            "ab?raw=maybe",
            400,
            r#"unable to parse param 'raw': strconv.ParseBool: parsing "maybe": invalid syntax"#,
        ),
    ] {
        assert_refused(&jaeger.get(&format!("/api/traces/{path}")).await, status, message);
    }
    let answer = jaeger.post(&format!("/api/archive/{CALL}"), "").await;
    assert_refused(&answer, 500, "archive span storage was not configured");
    assert_refused(&jaeger.post("/api/archive/xyz", "").await, 400, "invalid length for TraceID");
    for (method, path) in [
        (Method::GET, "/api/archive/ab"),
        (Method::POST, "/api/services"),
        (Method::GET, "/api/nope"),
        (Method::GET, "/api/transform"),
    ] {
        let answer = jaeger.ask(method, path, "*/*", Vec::new()).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (StatusCode::NOT_FOUND, "404 page not found\n"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_search_finds_the_traces_that_jaeger_finds() {
    for (_server, jaeger) in jaegers() {
        let base = BASE_NS / 1000;
        let range = format!("start={}&end={}", base - 1_000_000, base + 10_000_000);
        let (all, none) = (json!([call()]), json!([]));
        for (query, found) in [
            ("service=users".to_owned(), &all),
            (format!("service=users&{range}"), &all),
            (format!("service=albums&operation=SELECT&{range}&limit=1"), &all),
            (format!("service=users&operation=SELECT&{range}"), &none),
            (format!("service=users&start={base}&end={base}"), &all),
            (format!("service=users&start={}&end={}", base + 5001, base + 10_000), &none),
            (format!("service=users&{range}&tag=error:true"), &all),
            (format!("service=users&{range}&tag=error:false"), &none),
            (format!("service=albums&{range}&tag=error:false"), &all),
            (format!("service=users&{range}&tag=error:maybe"), &none),
            (format!("service=users&{range}&tag=span.kind:client"), &all),
            (format!("service=users&{range}&tag=span.kind:producer"), &none),
            (format!("service=users&{range}&tag=resource.service.namespace:demo"), &all),
            (format!("service=users&{range}&tag=resource.nope:demo"), &none),
            (format!("service=users&{range}&tag=exception.type:E"), &all),
            (format!("service=users&{range}&tag=linked:1"), &all),
            (format!("service=users&{range}&tag=d:1.5&tag=b:true"), &all),
            (format!("service=users&{range}&tag=d:1.5&tag=linked:1"), &none),
            (format!("service=users&{range}&tag=scope.name:axum"), &all),
            (format!("service=users&{range}&tag=scope.version:9"), &none),
            (format!("service=users&{range}&tags={}", encode(r#"{"peer.service":"albums"}"#)), &all),
            (format!("service=users&{range}&tags=null"), &all),
            (format!("service=users&{range}&tag=a:b:c"), &none),
            (format!("service=users&{range}&minDuration=40ms"), &all),
            (format!("service=users&{range}&minDuration=60ms"), &none),
            (format!("service=users&{range}&maxDuration=1ms"), &none),
            (format!("service=users&{range}&maxDuration=30ms&minDuration=30ms"), &all),
            (format!("service=nope&{range}"), &none),
        ] {
            let answer = jaeger.get(&format!("/api/traces?{query}")).await.json();
            assert_eq!(answer, structured(found.clone(), 0, Value::Null), "{query}");
        }
        for operation in ["", "&operation=empty-span-name"] {
            let answer =
                jaeger.get(&format!("/api/traces?service=missing-service-name{operation}")).await.json();
            assert_eq!(answer["data"][0]["traceID"], NAMELESS);
        }
    }
}

#[tokio::test]
async fn traces_can_be_named() {
    for (_server, jaeger) in jaegers() {
        let missing = json!([{"msg": "trace not found", "traceID": "00000000000000cd"}]);
        let answer =
            jaeger.get(&format!("/api/traces?traceID={CALL}&traceID=cd&traceID={CALL}")).await.json();
        assert_eq!(answer, structured(json!([call()]), 0, missing.clone()));
        let answer = jaeger.get("/api/traces?traceID=cd").await.json();
        assert_eq!(answer, structured(json!([]), 0, missing));
    }
}

#[tokio::test]
async fn wrong_searches_are_refused() {
    let (_server, jaeger) = jaeger();
    let depth = "search depth must be greater than 0 and less than max traces";
    for (query, status, message) in [
        ("", 400, "parameter 'service' is required"),
        ("service=users&limit=abc", 400, r#"strconv.ParseInt: parsing "abc": invalid syntax"#),
        ("service=users&limit=0", 500, depth),
        ("service=users&limit=-1", 500, depth),
        ("service=users&limit=100001", 500, depth),
        (
            "traceID=xyz",
            400,
            r#"cannot parse traceID param: strconv.ParseUint: parsing "xyz": invalid syntax"#,
        ),
        (
            "service=users&tags=abc",
            400,
            "malformed 'tags' parameter, cannot unmarshal JSON: invalid character 'a' looking for beginning of value",
        ),
    ] {
        assert_refused(&jaeger.get(&format!("/api/traces?{query}")).await, status, message);
    }
}

#[tokio::test]
async fn dependencies_count_the_calls() {
    for (_server, jaeger) in jaegers() {
        let link = |parent: &str, child: &str, count: u64| json!({"parent": parent, "child": child, "callCount": count});
        let sorted = |mut answer: Value| {
            answer["data"].as_array_mut().unwrap().sort_by_key(ToString::to_string);
            answer
        };
        let end = BASE_NS / 1_000_000 + 600_000;
        let all = json!([link("albums", "albums", 2), link("users", "albums", 1), link("users", "users", 1)]);
        for path in
            ["/api/dependencies".to_owned(), format!("/api/dependencies?endTs={end}&lookback=1200000")]
        {
            let answer = jaeger.get(&path).await.json();
            let mut all = structured(all.clone(), 0, Value::Null);
            all = sorted(all);
            assert_eq!(sorted(answer), all, "{path}");
        }
        let answer = jaeger.get("/api/dependencies?service=users").await.json();
        let expected = json!([link("users", "albums", 1), link("users", "users", 1)]);
        assert_eq!(sorted(answer), sorted(structured(expected, 0, Value::Null)));
        let answer = jaeger.get("/api/dependencies?endTs=10&lookback=5").await.json();
        assert_eq!(answer, structured(json!([]), 0, Value::Null));
        for (query, message) in [
            (
                "endTs=abc",
                r#"unable to parse param 'endTs': strconv.ParseInt: parsing "abc": invalid syntax"#,
            ),
            (
                "lookback=x",
                r#"unable to parse param 'lookback': strconv.ParseInt: parsing "x": invalid syntax"#,
            ),
        ] {
            assert_refused(&jaeger.get(&format!("/api/dependencies?{query}")).await, 400, message);
        }
        let v3 = jaeger
            .get("/api/v3/dependencies?startTime=2026-11-20T23:00:00Z&endTime=2026-11-21T00:00:00Z")
            .await
            .json();
        assert!(
            v3["dependencies"]
                .as_array()
                .unwrap()
                .contains(&json!({"parent": "users", "child": "albums", "callCount": "1"}))
        );
        assert_refused_v3(
            &jaeger.get("/api/v3/dependencies").await,
            400,
            "startTime and endTime are required",
        );
    }
}

#[tokio::test]
async fn figures_for_the_monitor_tab_are_not_there() {
    let (_server, jaeger) = jaeger();
    let none = "trace metrics are currently disabled - no metrics backend configured";
    for (path, status, message) in [
        (
            "latencies?service=users",
            400,
            r#"unable to parse param 'quantile': strconv.ParseFloat: parsing "": invalid syntax"#,
        ),
        ("latencies?service=users&quantile=0.5", 501, none),
        ("calls", 400, "unable to parse param 'service': please provide at least one service name"),
        ("calls?service=users", 501, none),
        (
            "calls?service=users&groupByOperation=x",
            400,
            r#"unable to parse param 'groupByOperation': strconv.ParseBool: parsing "x": invalid syntax"#,
        ),
        (
            "errors?service=users&spanKind=bogus",
            400,
            "unable to parse param 'spanKind': unsupported span kind: 'bogus'",
        ),
    ] {
        assert_refused(&jaeger.get(&format!("/api/metrics/{path}")).await, status, message);
    }
}

const RANGE_V3: &str = "query.startTimeMin=2026-11-20T23:00:00Z&query.startTimeMax=2026-11-21T00:00:00Z";

#[tokio::test]
async fn v3_answers_in_otlp() {
    for (_server, jaeger) in jaegers() {
        let services = json!({"services": ["albums", "batch", "missing-service-name", "orphan", "users"]});
        assert_eq!(jaeger.get("/api/v3/services").await.json(), services);
        for (query, operations) in [
            ("", json!([])),
            ("service=nope", json!([])),
            ("service=users&spanKind=server", json!([{"name": "GET /users/{id}", "spanKind": "server"}])),
            ("service=users&span_kind=client", json!([{"name": "call albums", "spanKind": "client"}])),
            ("service=missing-service-name", json!([{"name": "empty-span-name", "spanKind": "internal"}])),
        ] {
            let answer = jaeger.get(&format!("/api/v3/operations?{query}")).await.json();
            assert_eq!(answer, json!({"operations": operations}), "{query}");
        }
        let lonely = json!({"result": {"resourceSpans": [{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orphan"}}]},
            "scopeSpans": [{"scope": {"name": "lib"}, "spans": [{
                "traceId": "000000000000000000000000000000ab", "spanId": "aa00000000000001",
                "parentSpanId": "aa000000000000ff", "name": "lonely", "kind": 5,
                "startTimeUnixNano": "1795217955000000000", "endTimeUnixNano": "1795217955007000000",
                "attributes": [{"key": "foo", "value": {"stringValue": "baz"}}], "status": {},
            }]}],
        }]}});
        assert_eq!(jaeger.get("/api/v3/traces/ab?rawTraces=true").await.json(), lonely);
        let warning = "parent span ID=aa000000000000ff is not in the trace; skipping clock skew adjustment";
        let mut adjusted = lonely;
        adjusted["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["attributes"] = json!([
            {"key": "foo", "value": {"stringValue": "baz"}},
            {"key": "@jaeger@warnings", "value": {"arrayValue": {"values": [{"stringValue": warning}]}}},
        ]);
        assert_eq!(jaeger.get("/api/v3/traces/ab").await.json(), adjusted);
        let query = format!("query.serviceName=orphan&{RANGE_V3}");
        assert_eq!(jaeger.get(&format!("/api/v3/traces?{query}")).await.json(), adjusted);
        let query = format!(
            "query.attributes={}&query.searchDepth=1&{RANGE_V3}",
            encode(r#"{"db.system":"sqlite"}"#)
        );
        let found = jaeger.get(&format!("/api/v3/traces?{query}")).await.json();
        assert_eq!(found["result"]["resourceSpans"].as_array().unwrap().len(), 2);
        // Every service, where none is named.
        let found = jaeger.get(&format!("/api/v3/traces?{RANGE_V3}")).await.json();
        assert_eq!(found["result"]["resourceSpans"].as_array().unwrap().len(), 5);
    }
}

#[tokio::test]
async fn v3_sums_traces_up() {
    for (_server, jaeger) in jaegers() {
        let answer =
            jaeger.get(&format!("/api/v3/trace-summaries?query.serviceName=albums&{RANGE_V3}")).await;
        assert_eq!(
            answer.text(),
            r#"{"summaries":[{"traceId":"0af7651916cd43dd8448eb211c80319c","rootServiceName":"users","rootOperationName":"GET /users/{id}","minStartTimeUnixNano":"1795217953000000000","maxEndTimeUnixNano":"1795217953050000000","spanCount":5,"errorSpanCount":1,"services":[{"name":"albums","spanCount":3},{"name":"users","spanCount":2,"errorSpanCount":1}]}]}"#
        );
        let answer = jaeger.get(&format!("/api/v3/trace-summaries?query.serviceName=nope&{RANGE_V3}")).await;
        assert_eq!(answer.text(), r#"{"summaries":[]}"#);
    }
}

#[tokio::test]
async fn wrong_requests_to_v3_are_refused() {
    let (_server, jaeger) = jaeger();
    let layout = r#""2006-01-02T15:04:05.999999999Z07:00""#;
    let time = |key: &str| {
        format!(r#"malformed parameter {key}: parsing time "x" as {layout}: cannot parse "x" as "2006""#)
    };
    for (path, status, message) in [
        ("traces/cd".to_owned(), 404, "No traces found".to_owned()),
        ("traces/xyz".to_owned(), 400, "malformed parameter trace_id: invalid length for TraceID".to_owned()),
        ("traces/ab?startTime=x".to_owned(), 400, time("startTime")),
        ("traces/ab?end_time=x".to_owned(), 400, time("end_time")),
        (
            "traces/ab?rawTraces=x".to_owned(),
            400,
            r#"malformed parameter rawTraces: strconv.ParseBool: parsing "x": invalid syntax"#.to_owned(),
        ),
        ("traces".to_owned(), 400, "query.startTimeMin and query.startTimeMax are required".to_owned()),
        (
            "trace-summaries".to_owned(),
            400,
            "query.startTimeMin and query.startTimeMax are required".to_owned(),
        ),
        (format!("traces?query.serviceName=nope&{RANGE_V3}"), 404, "No traces found".to_owned()),
        (
            format!("traces?query.searchDepth=0&{RANGE_V3}"),
            500,
            "search depth must be greater than 0 and less than max traces".to_owned(),
        ),
    ] {
        assert_refused_v3(&jaeger.get(&format!("/api/v3/{path}")).await, status, &message);
    }
    assert_eq!(jaeger.get("/api/v3/nope").await.text(), "404 page not found\n");
}

#[tokio::test]
async fn otlp_can_be_transformed_without_being_stored() {
    let server = Server::start();
    let jaeger = server.jaeger();
    let answer = jaeger.post("/api/transform", r#"{"resourceSpans":[]}"#).await.json();
    assert_eq!(answer, structured(json!([]), 0, Value::Null));
    for body in ["abc", "", r#"{"resourceSpans":5}"#] {
        let answer = jaeger.post("/api/transform", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        let error: Value = serde_json::from_str(&answer.text()).unwrap();
        assert!(
            error["errors"][0]["msg"].as_str().unwrap().starts_with("cannot unmarshal OTLP : "),
            "{error}"
        );
    }
    let request = scenario::requests().remove(1);
    let answer = jaeger.post("/api/transform", serde_json::to_vec(&request).unwrap()).await.json();
    assert_eq!(answer["data"][0]["spans"][0]["operationName"], "run job");
    assert_eq!(jaeger.get("/api/services").await.json()["data"], json!([]));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let server = Server::start();
    let answer = server.jaeger().post("/api/transform", vec![b' '; (16 << 20) + 1]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_browser_is_sent_to_the_ui_where_there_is_one() {
    let mut server = Server::start();
    let page = server.jaeger().accepting("/search", "text/html").await;
    assert_eq!((page.status, page.content_type.as_str()), (StatusCode::OK, "text/html; charset=utf-8"));
    server.context.ui_url = Some("http://127.0.0.1:3000".to_owned());
    let jaeger = server.jaeger();
    let accept = "text/html,application/xhtml+xml";
    for (path, location) in [
        ("/", "http://127.0.0.1:3000/"),
        ("/search?service=users", "http://127.0.0.1:3000/search?service=users"),
        ("/trace/ab", "http://127.0.0.1:3000/trace/ab"),
        ("//evil.example/x", "http://127.0.0.1:3000/evil.example/x"),
    ] {
        let answer = jaeger.accepting(path, accept).await;
        assert_eq!(answer.status, StatusCode::TEMPORARY_REDIRECT, "{path}");
        assert_eq!(answer.location.as_deref(), Some(location));
    }
    assert_eq!(jaeger.accepting("/api/nope", accept).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn too_many_queries_are_sent_away() {
    use api::pool::QueryPool;
    use std::sync::Arc;

    let pool = QueryPool::new(1, 0);
    let server = Server::with(Arc::new(model::SystemClock), pool.clone());
    let (release, gate) = std::sync::mpsc::sync_channel::<()>(0);
    let busy = tokio::spawn(async move { pool.run(move || gate.recv()).await });
    while server.context.pool.running() == 0 {
        tokio::task::yield_now().await;
    }
    let answer = server.jaeger().get("/api/services").await;
    assert_refused(&answer, 503, "too many queries: 1 run and 0 wait");
    assert_refused_v3(
        &server.jaeger().get("/api/v3/services").await,
        503,
        "too many queries: 1 run and 0 wait",
    );
    let answer = server.tempo().get("/api/traces/ab").await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::TOO_MANY_REQUESTS, "job queue full"));
    // What needs no query is answered all the same.
    assert_eq!(server.tempo().get("/ready").await.status, StatusCode::OK);
    release.send(()).unwrap();
    busy.await.unwrap().unwrap().unwrap();
    assert_eq!(server.jaeger().get("/api/services").await.status, StatusCode::OK);
}
