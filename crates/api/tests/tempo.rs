//! Tempo's API over a real store. What is expected is what a Tempo 3.0.3 answered to the same spans and requests, except
//! for what the store does better: nothing is lost of a span, and attributes keep their order.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/scenario.rs"]
mod scenario;
#[path = "support/server.rs"]
mod server;

use http::{Method, StatusCode};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use scenario::{BASE_NS, CALL, LONELY, MS};
use serde_json::{Value, json};
use server::{Answer, Client, Server, encode};

fn tempo() -> (Server, Client) {
    let server = Server::at(BASE_NS + 60_000 * MS);
    for request in scenario::requests() {
        server.send(&request);
    }
    let client = server.tempo();
    (server, client)
}

/// The same from memory and from blocks: with everything in the head, with all but the last sealed, with all sealed.
fn tempos() -> Vec<(Server, Client)> {
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
            let client = server.tempo();
            (server, client)
        })
        .into()
}

/// A refusal is a line of plain text without its end.
#[track_caller]
fn assert_refused(answer: &Answer, message: &str) {
    assert_eq!(answer.text(), message);
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.content_type, "text/plain; charset=utf-8");
}

#[tokio::test]
async fn a_trace_is_found_by_its_identifier_in_both_versions() {
    for (_server, tempo) in tempos() {
        let lonely = json!([{
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orphan"}}]},
            "scopeSpans": [{
                "scope": {"name": "lib"},
                "spans": [{
                    "traceId": "AAAAAAAAAAAAAAAAAAAAqw==", "spanId": "qgAAAAAAAAE=", "parentSpanId": "qgAAAAAAAP8=",
                    "name": "lonely", "kind": "SPAN_KIND_CONSUMER",
                    "startTimeUnixNano": "1795217955000000000", "endTimeUnixNano": "1795217955007000000",
                    "attributes": [{"key": "foo", "value": {"stringValue": "baz"}}], "status": {},
                }],
            }],
        }]);
        for id in [LONELY, "ab", "AB", "0ab"] {
            assert_eq!(tempo.get(&format!("/api/traces/{id}")).await.json(), json!({"batches": lonely}));
            let answer = tempo.get(&format!("/api/v2/traces/{id}")).await.json();
            assert_eq!(answer, json!({"trace": {"resourceSpans": lonely}, "metrics": {}}));
        }
        // Times are hints for Tempo, and hold nothing back here.
        let answer = tempo.get("/api/traces/ab?start=1&end=2&mode=blocks").await;
        assert_eq!(answer.json(), json!({"batches": lonely}));
    }
}

#[tokio::test]
async fn nothing_of_a_trace_is_lost() {
    for (_server, tempo) in tempos() {
        let trace = tempo.get(&format!("/api/traces/{CALL}")).await.json();
        let batches = trace["batches"].as_array().unwrap();
        assert_eq!(batches.len(), 2);
        assert_eq!(batches[0]["schemaUrl"], "https://opentelemetry.io/schemas/1.30.0");
        let spans = &batches[0]["scopeSpans"][0]["spans"];
        assert_eq!(spans[0]["traceState"], "a=b");
        assert_eq!(spans[0]["flags"], 257);
        assert_eq!(spans[0]["parentSpanId"], Value::Null);
        let attribute = |key: &str| {
            let attributes = spans[0]["attributes"].as_array().unwrap();
            attributes.iter().find(|attribute| attribute["key"] == key).unwrap()["value"].clone()
        };
        assert_eq!(attribute("b"), json!({"boolValue": true}));
        assert_eq!(attribute("d"), json!({"doubleValue": 1.5}));
        assert_eq!(attribute("bytes"), json!({"bytesValue": "AQI="}));
        assert_eq!(attribute("empty"), json!({}));
        assert_eq!(attribute("big"), json!({"intValue": "1152921504606846976"}));
        assert_eq!(
            attribute("list"),
            json!({"arrayValue": {"values": [{"stringValue": "a"}, {"intValue": "1"}]}})
        );
        let span = &spans[1];
        assert_eq!(span["status"], json!({"message": "boom", "code": "STATUS_CODE_ERROR"}));
        assert_eq!(span["droppedAttributesCount"], 3);
        assert_eq!(span["events"][1], json!({"timeUnixNano": "1795217953007000000", "name": "another"}));
        assert_eq!(
            span["links"],
            json!([{
                "traceId": "AAAAAAAAAAARESIiMzNERA==", "spanId": "EREiIjMzREQ=",
                "attributes": [{"key": "linked", "value": {"intValue": "1"}}],
            }])
        );
        // The text is that of Go, which escapes what could be taken for HTML.
        let text = tempo.get(&format!("/api/traces/{CALL}")).await.text();
        assert!(text.contains(r"\u003cy\u003e\u0026"), "{text}");
    }
}

#[tokio::test]
async fn protobuf_is_answered_where_it_is_accepted() {
    /// `TraceByIDResponse` as far as it matters here.
    #[derive(Clone, PartialEq, Message)]
    struct Found {
        #[prost(message, optional, tag = "1")]
        trace: Option<TracesData>,
    }
    let (_server, tempo) = tempo();
    let accept = "application/json;q=0.5, application/protobuf";
    let answer = tempo.accepting(&format!("/api/traces/{CALL}"), accept).await;
    assert_eq!(answer.content_type, "application/protobuf");
    let v1 = TracesData::decode(&answer.body[..]).unwrap();
    assert_eq!(v1.resource_spans.len(), 2);
    let answer = tempo.accepting(&format!("/api/v2/traces/{CALL}"), accept).await;
    assert_eq!(Found::decode(&answer.body[..]).unwrap().trace, Some(v1));
    let answer = tempo.accepting("/api/v2/traces/cd", accept).await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &[0x0a, 0, 0x12, 0][..]));
    for path in ["/api/search", "/api/search/tags", "/api/v2/search/tags", "/api/search/tag/foo/values"] {
        let answer = tempo.accepting(path, accept).await;
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (StatusCode::OK, "application/protobuf"),
            "{path}"
        );
        assert!(!answer.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_trace_that_is_not_there_is_not_found() {
    let (_server, tempo) = tempo();
    let answer = tempo.get("/api/traces/cd").await;
    assert_eq!((answer.status, answer.text().as_str()), (StatusCode::NOT_FOUND, ""));
    assert_eq!(tempo.get("/api/v2/traces/cd").await.text(), r#"{"trace":{},"metrics":{}}"#);
}

#[tokio::test]
async fn a_wrong_request_for_a_trace_is_refused() {
    let (_server, tempo) = tempo();
    for version in ["/api/traces", "/api/v2/traces"] {
        for (path, message) in [
            ("xyz", "trace IDs can only contain hex characters: invalid character 'x' at position 1"),
            ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "trace IDs can't be larger than 128 bits"),
            ("ab?start=abc", r#"invalid start: strconv.ParseInt: parsing "abc": invalid syntax"#),
            ("ab?end=x", r#"invalid end: strconv.ParseInt: parsing "x": invalid syntax"#),
            ("ab?start=10&end=5", "http parameter start must be before end. received start=10 end=5"),
            ("ab?mode=zz", "invalid value for mode zz"),
        ] {
            assert_refused(&tempo.get(&format!("{version}/{path}")).await, message);
        }
    }
    for path in ["/api/traces/", "/api/traces/ab/", "/api/nothing", "/api/search/"] {
        let answer = tempo.get(path).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (StatusCode::NOT_FOUND, "404 page not found\n"),
            "{path}"
        );
    }
}

const NAMELESS_FOUND: &str = r#"{"traceID":"4bf92f3577b34da6a3ce929d0e0e4736","rootServiceName":"\u003croot span not yet received\u003e","startTimeUnixNano":"1795217956000000000"}"#;
const LONELY_FOUND: &str = r#"{"traceID":"ab","rootServiceName":"\u003croot span not yet received\u003e","startTimeUnixNano":"1795217955000000000","durationMs":7}"#;
const JOB_FOUND: &str = r#"{"traceID":"1111222233334444","rootServiceName":"batch","rootTraceName":"run job","startTimeUnixNano":"1795217954000000000","durationMs":2500}"#;
const CALL_FOUND: &str = r#"{"traceID":"af7651916cd43dd8448eb211c80319c","rootServiceName":"users","rootTraceName":"GET /users/{id}","startTimeUnixNano":"1795217953000000000","durationMs":50}"#;
const ALL_FOUND: [&str; 4] = [NAMELESS_FOUND, LONELY_FOUND, JOB_FOUND, CALL_FOUND];

#[tokio::test]
async fn a_search_finds_the_traces_that_tempo_finds() {
    for (_server, tempo) in tempos() {
        let base = BASE_NS / 1_000_000_000;
        let range = |start: u64, end: u64| format!("start={}&end={}", base + start, base + end);
        let tags = |text: &str| format!("tags={}", encode(text));
        for (query, found) in [
            (String::new(), &ALL_FOUND[..]),
            ("tags=".to_owned(), &ALL_FOUND),
            ("foo=bar".to_owned(), &ALL_FOUND),
            ("q=".to_owned(), &ALL_FOUND),
            ("limit=1".to_owned(), &[NAMELESS_FOUND]),
            ("minDuration=1s".to_owned(), &[JOB_FOUND]),
            ("maxDuration=10ms".to_owned(), &[NAMELESS_FOUND, LONELY_FOUND]),
            ("minDuration=0.5ms".to_owned(), &ALL_FOUND),
            // A trace is found where it was under way, both ends included.
            ("start=1&end=2".to_owned(), &[]),
            (range(0, 1), &[JOB_FOUND, CALL_FOUND]),
            (range(1, 2), &[LONELY_FOUND, JOB_FOUND]),
            (format!("{}&{}", tags("foo=bar"), range(3, 5)), &[JOB_FOUND]),
            // What has a column of its own matches by a part of its text.
            (tags("service.name=users"), &[CALL_FOUND]),
            (tags("service.name=ser"), &[CALL_FOUND]),
            (tags("service.name=USERS"), &[]),
            (tags("k8s.pod.name=pod"), &[CALL_FOUND]),
            (tags("cluster=x"), &[]),
            (tags("name=GET"), &[CALL_FOUND]),
            (tags("root.name=run"), &[JOB_FOUND]),
            (tags("root.service.name=use"), &[CALL_FOUND]),
            (tags("http.status_code=500"), &[CALL_FOUND]),
            (tags("http.status_code=50"), &[]),
            (tags("status.code=error"), &[CALL_FOUND]),
            (tags("status.code=bogus"), &ALL_FOUND),
            // The rest matches as a whole.
            (tags("foo=bar"), &[JOB_FOUND]),
            (tags("foo=ba"), &[]),
            (tags("nope=x"), &[]),
            (tags("a"), &[]),
            (tags("exception.type=E"), &[]),
            // Tags are looked for in the whole trace…
            (tags("http.status_code=500 service.name=users"), &[CALL_FOUND]),
            (tags("foo=bar service.name=orphan"), &[]),
            // … and those without a column on one resource and its spans.
            (tags("peer.service=albums db.system=sqlite"), &[]),
            (tags("peer.service=albums service.namespace=demo"), &[CALL_FOUND]),
        ] {
            let answer = tempo.get(&format!("/api/search?{query}")).await;
            let text = answer.text();
            answer.json();
            let expected = format!(r#"{{"traces":[{}],"metrics":{{"#, found.join(","));
            assert!(text.starts_with(&expected), "{query}\n{text}\n{expected}");
        }
    }
}

#[tokio::test]
async fn numbers_and_truth_values_are_found_by_their_text() {
    for (_server, tempo) in tempos() {
        for tag in ["b=true", "d=1.5", "big=1152921504606846976"] {
            let found = tempo.get(&format!("/api/search?tags={}", encode(tag))).await.json();
            assert_eq!(found["traces"].as_array().unwrap().len(), 1, "{tag}");
        }
    }
}

#[tokio::test]
async fn traceql_for_everything_gives_spans_and_services() {
    for (_server, tempo) in tempos() {
        let query = encode("{ }");
        let found = tempo.get(&format!("/api/search?q={query}&minDuration=1h")).await.json();
        assert_eq!(found["traces"].as_array().unwrap().len(), 4);
        let set = json!({
            "spans": [
                {"spanID": "00f067aa0ba902b7", "startTimeUnixNano": "1795217953000000000", "durationNanos": "50000000"},
                {"spanID": "00f067aa0ba902b8", "startTimeUnixNano": "1795217953005000000", "durationNanos": "30000000"},
                {"spanID": "00f067aa0ba902b9", "startTimeUnixNano": "1795217953006000000", "durationNanos": "20000000"},
            ],
            "matched": 5,
        });
        assert_eq!(
            found["traces"][3],
            json!({
                "traceID": "af7651916cd43dd8448eb211c80319c", "rootServiceName": "users",
                "rootTraceName": "GET /users/{id}", "startTimeUnixNano": "1795217953000000000", "durationMs": 50,
                "spanSet": set, "spanSets": [set],
                "serviceStats": {"albums": {"spanCount": 3}, "users": {"spanCount": 2, "errorCount": 1}},
            })
        );
        assert_eq!(found["traces"][0]["serviceStats"], json!({"": {"spanCount": 1}}));
        let found = tempo.get(&format!("/api/search?q={query}&spss=1&limit=1")).await.json();
        assert_eq!(found["traces"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn traceql_that_is_not_known_is_refused() {
    let (_server, tempo) = tempo();
    for query in ["{", "{ .foo = \"bar\" }", "{} | rate()"] {
        let answer = tempo.get(&format!("/api/search?q={}", encode(query))).await;
        assert_refused(
            &answer,
            &format!("invalid TraceQL query: only {{}} is supported so far, search by tags instead: {query}"),
        );
    }
    for path in ["/api/metrics/query", "/api/metrics/query_range"] {
        assert_refused(&tempo.get(path).await, "TraceQL metrics are not supported so far");
    }
}

#[tokio::test]
async fn a_wrong_search_is_refused() {
    let (_server, tempo) = tempo();
    for (query, message) in [
        ("limit=0", "invalid limit: must be a positive number"),
        ("tags=a%3D%22b", "invalid tags: unterminated quoted value at pos 5"),
        (
            "end=10",
            "error parsing date range: only one of start and end provided: must provide both or neither",
        ),
    ] {
        assert_refused(&tempo.get(&format!("/api/search?{query}")).await, message);
    }
}

const INTRINSIC: &str = r#"["duration","event:name","event:timeSinceStart","instrumentation:name","instrumentation:version","kind","link:spanID","link:traceID","name","rootName","rootServiceName","span:duration","span:id","span:kind","span:name","span:parentID","span:status","span:statusMessage","status","statusMessage","trace:duration","trace:id","trace:rootName","trace:rootService","traceDuration"]"#;
const RESOURCE: &str = r#"["host.name","k8s.pod.name","service.name","service.namespace"]"#;
const SPAN: &str = r#"["b","big","bytes","d","db.system","empty","foo","http.method","http.request.method","http.status_code","http.url","ip","list","map","peer.service","telemetry.sdk.language"]"#;

#[tokio::test]
async fn names_of_tags_are_those_that_tempo_lists() {
    for (_server, tempo) in tempos() {
        let scope = |name: &str, tags: &str| format!(r#"{{"name":"{name}","tags":{tags}}}"#);
        let all = [
            scope("intrinsic", INTRINSIC),
            scope("resource", RESOURCE),
            scope("span", SPAN),
            scope("event", r#"["exception.message","exception.type"]"#),
            scope("link", r#"["linked"]"#),
        ]
        .join(",");
        for (query, scopes) in [
            ("", all.clone()),
            ("scope=none", all.clone()),
            ("q=%7B%7D", all),
            ("scope=resource", scope("resource", RESOURCE)),
            ("scope=span", scope("span", SPAN)),
            ("scope=link", scope("link", r#"["linked"]"#)),
            ("scope=instrumentation", String::new()),
            ("scope=intrinsic", scope("intrinsic", INTRINSIC)),
            ("scope=resource&limit=1", scope("resource", r#"["host.name"]"#)),
            ("scope=resource&start=1&end=2", String::new()),
        ] {
            let answer: Value = tempo.get(&format!("/api/v2/search/tags?{query}")).await.json();
            let mut expected: Value =
                serde_json::from_str(&format!(r#"{{"scopes":[{scopes}],"metrics":{{}}}}"#)).unwrap();
            // The order of the scopes is Tempo's secret.
            let sort = |answer: &mut Value| {
                answer["scopes"].as_array_mut().unwrap().sort_by_key(|scope| scope["name"].to_string());
            };
            let mut answer = answer;
            sort(&mut answer);
            sort(&mut expected);
            assert_eq!(answer, expected, "{query}");
        }
        let answer = tempo.get("/api/search/tags?scope=resource").await.text();
        assert_eq!(answer, format!(r#"{{"tagNames":{RESOURCE},"metrics":{{}}}}"#));
        let answer = tempo.get("/api/search/tags?scope=intrinsic").await.text();
        assert_eq!(answer, format!(r#"{{"tagNames":{INTRINSIC},"metrics":{{}}}}"#));
        assert_eq!(tempo.get("/api/search/tags").await.json()["tagNames"].as_array().unwrap().len(), 23);
    }
}

#[tokio::test]
async fn values_of_tags_are_those_that_tempo_lists() {
    for (_server, tempo) in tempos() {
        for (tag, values) in [
            ("service.name", json!(["albums", "batch", "orphan", "users"])),
            ("foo", json!(["bar", "baz"])),
            ("http.status_code", json!(["200", "500"])),
            ("b", json!(["true"])),
            ("d", json!(["1.5"])),
            ("bytes", json!([])),
            ("list", json!([])),
            ("nope", json!([])),
            (
                "name",
                json!([
                    "GET /albums",
                    "GET /users/{id}",
                    "SELECT",
                    "call albums",
                    "internal work",
                    "lonely",
                    "run job"
                ]),
            ),
            ("root.name", json!(["GET /users/{id}", "run job"])),
            ("root.service.name", json!(["batch", "users"])),
            ("status.code", json!(["error", "ok", "unset"])),
            ("error", json!(["true"])),
            ("resource.service.name", json!([])),
            ("exception.type", json!([])),
        ] {
            let answer = tempo.get(&format!("/api/search/tag/{tag}/values")).await.json();
            assert_eq!(answer, json!({"tagValues": values, "metrics": {}}), "{tag}");
        }
        let typed = |kind: &str, values: &[&str]| -> Value {
            values.iter().map(|value| json!({"type": kind, "value": value})).collect()
        };
        for (tag, values) in [
            ("resource.service.name", typed("string", &["albums", "batch", "orphan", "users"])),
            (".service.name", typed("string", &["albums", "batch", "orphan", "users"])),
            ("span.foo", typed("string", &["bar", "baz"])),
            ("resource.foo", json!([])),
            ("span.http.status_code", typed("int", &["200", "500"])),
            ("span.b", typed("bool", &["true"])),
            ("span.d", typed("float", &["1.5"])),
            ("span.big", typed("int", &["1152921504606846976"])),
            ("span.bytes", json!([])),
            ("span.map", json!([])),
            ("event.exception.type", typed("string", &["E"])),
            ("link.linked", typed("int", &["1"])),
            ("event:name", typed("string", &["another", "exception"])),
            ("instrumentation:name", typed("string", &["axum", "job", "lib"])),
            ("instrumentation:version", typed("string", &["0.8", "1"])),
            ("statusMessage", typed("string", &["boom"])),
            ("rootName", typed("string", &["GET /users/{id}", "run job"])),
            ("trace:rootService", typed("string", &["batch", "users"])),
            ("status", typed("keyword", &["error", "ok", "unset"])),
            (
                "kind",
                typed("keyword", &["client", "consumer", "internal", "producer", "server", "unspecified"]),
            ),
            ("duration", json!([])),
            ("trace:id", json!([])),
            ("span.a%2Fb", json!([])),
            (
                "resource.service.name/values?limit=x&x=",
                typed("string", &["albums", "batch", "orphan", "users"]),
            ),
        ] {
            let answer = tempo.get(&format!("/api/v2/search/tag/{tag}/values")).await.json();
            assert_eq!(answer, json!({"tagValues": values, "metrics": {}}), "{tag}");
        }
        let answer = tempo.get("/api/v2/search/tag/resource.service.name/values?limit=2").await.json();
        assert_eq!(answer["tagValues"].as_array().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn wrong_requests_for_tags_are_refused() {
    let (_server, tempo) = tempo();
    let dates = "error parsing date range";
    for (path, message) in [
        ("/api/search/tags?scope=bogus".to_owned(), "invalid scope: bogus".to_owned()),
        ("/api/v2/search/tags?scope=bogus".to_owned(), "invalid scope: bogus".to_owned()),
        (
            "/api/v2/search/tags?start=abc".to_owned(),
            format!("{dates}: only one of start and end provided: must provide both or neither"),
        ),
        (
            "/api/search/tags?start=abc&end=3".to_owned(),
            format!(r#"{dates}: could not parse 'start' parameter: strconv.ParseInt: parsing "abc": invalid syntax"#),
        ),
        (
            "/api/v2/search/tags?start=10&end=5".to_owned(),
            "range specified by start and end exceeds 168h0m0s. received start=10 end=5".to_owned(),
        ),
        (
            "/api/search/tag/foo/values?start=1&end=x".to_owned(),
            format!(r#"{dates}: could not parse 'end' parameter: strconv.ParseInt: parsing "x": invalid syntax"#),
        ),
        (
            "/api/v2/search/tag/service.name/values".to_owned(),
            "please provide a valid tagName: failed to parse identifier service.name: parse error at line 1, col 2: unknown identifier: service".to_owned(),
        ),
        ("/api/v2/search/tag//values".to_owned(), "please provide a non-empty tagName".to_owned()),
    ] {
        assert_refused(&tempo.get(&path).await, &message);
    }
    assert_eq!(tempo.get("/api/search/tag/foo").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn status_pages_are_tempos() {
    let (_server, tempo) = tempo();
    for (path, text) in [("/ready", "ready\n"), ("/api/echo", "echo\n")] {
        for method in [Method::GET, Method::POST] {
            let answer = tempo.ask(method, path, "*/*", Vec::new()).await;
            assert_eq!((answer.status, answer.text().as_str()), (StatusCode::OK, text));
            assert_eq!(answer.content_type, "text/plain; charset=utf-8");
        }
    }
    assert_eq!(tempo.get("/api/status/buildinfo").await.json()["version"], "3.0.3");
    let version = tempo.get("/status/version").await;
    assert!(version.text().starts_with("GET /status/version\ntempo, version 3.0.3 "), "{}", version.text());
    let metrics = tempo.get("/metrics").await;
    assert_eq!(metrics.content_type, "text/plain; version=0.0.4; charset=utf-8");
    assert!(metrics.text().contains("mirante_http_request_duration_seconds_bucket"), "{}", metrics.text());
}
