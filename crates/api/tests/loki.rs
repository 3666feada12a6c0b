//! Loki's API over a real store. What is expected is what Loki 3.7's sources say: shapes, words, status codes.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/server.rs"]
mod server;

use http::{Method, StatusCode};
use model::{Labels, LogEntry, LogStream};
use serde_json::{Value, json};
use server::{Answer, Client, Server, encode};

const NOW_S: u64 = 1_700_000_000;
const NOW_NS: i64 = NOW_S as i64 * 1_000_000_000;

type Pairs<'a> = &'a [(&'a str, &'a str)];

fn entry(time_ns: i64, line: &str, metadata: Pairs<'_>) -> LogEntry {
    let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    LogEntry { time_ns, line: line.to_owned(), metadata }
}

fn push(server: &Server, labels: Pairs<'_>, entries: Vec<LogEntry>) {
    let labels: Labels = labels.iter().copied().collect();
    let appended = server.context.logs.append(&[LogStream { labels, entries }]).unwrap();
    assert_eq!(appended.rejected.count, 0, "{appended:?}");
}

fn loki() -> (Server, Client) {
    let server = Server::at(NOW_S * 1_000_000_000);
    push(
        &server,
        &[("service_name", "users"), ("env", "prod")],
        vec![
            entry(NOW_NS - 3000, "GET /users <ok>", &[("trace_id", "aa"), ("level", "info")]),
            entry(
                NOW_NS - 1000,
                "GET /users failed",
                &[("trace_id", "bb"), ("level", "error"), ("took", "1.5s")],
            ),
        ],
    );
    // One part sealed, the other not: no answer may show it.
    server.context.logs.seal().unwrap();
    push(
        &server,
        &[("service_name", "albums"), ("env", "prod")],
        vec![entry(
            NOW_NS - 2000,
            "GET /albums",
            &[("trace_id", "aa"), ("level", "info"), ("env", "hidden")],
        )],
    );
    let client = Client(api::loki::router(server.context.clone()));
    (server, client)
}

async fn query(client: &Client, query: &str, more: &str) -> Answer {
    client.get(&format!("/loki/api/v1/query_range?query={}{more}", encode(query))).await
}

#[track_caller]
fn parsed(answer: &Answer) -> Value {
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (StatusCode::OK, "application/json; charset=UTF-8"),
        "{}",
        answer.text()
    );
    assert!(answer.text().ends_with("}\n"));
    serde_json::from_slice(&answer.body).unwrap()
}

#[track_caller]
fn assert_refused(answer: &Answer, message: &str) {
    assert_eq!(answer.text(), message);
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.content_type, "text/plain; charset=utf-8");
}

/// Lines of a result, stream by stream.
fn lines(answer: &Answer) -> Vec<Vec<String>> {
    let body = parsed(answer);
    let streams = body["data"]["result"].as_array().unwrap();
    let lines = |stream: &Value| {
        let values = stream["values"].as_array().unwrap().iter();
        values.map(|value| value[1].as_str().unwrap().to_owned()).collect()
    };
    streams.iter().map(lines).collect()
}

#[tokio::test]
async fn structured_metadata_is_among_the_labels() {
    let (_server, loki) = loki();
    let answer = query(&loki, r#"{env="prod"}"#, "&direction=forward").await;
    let body = parsed(&answer);
    assert_eq!(body["status"], "success");
    assert_eq!(body["data"]["resultType"], "streams");
    assert_eq!(body["data"].get("encodingFlags"), None);
    assert_eq!(
        body["data"]["result"],
        json!([
            {
                "stream": {
                    "detected_level": "error", "env": "prod", "level": "error", "service_name": "users",
                    "took": "1.5s", "trace_id": "bb",
                },
                "values": [[(NOW_NS - 1000).to_string(), "GET /users failed"]],
            },
            {
                "stream": {
                    "detected_level": "info", "env": "prod", "env_extracted": "hidden", "level": "info",
                    "service_name": "albums", "trace_id": "aa",
                },
                "values": [[(NOW_NS - 2000).to_string(), "GET /albums"]],
            },
            {
                "stream": {
                    "detected_level": "info", "env": "prod", "level": "info", "service_name": "users",
                    "trace_id": "aa",
                },
                "values": [[(NOW_NS - 3000).to_string(), "GET /users <ok>"]],
            },
        ])
    );
    assert!(answer.text().contains(r"\u003cok\u003e"), "as Go escapes it");
    let stats = &body["data"]["stats"];
    assert_eq!(stats["summary"]["totalEntriesReturned"], 3);
    assert_eq!(stats["summary"]["totalLinesProcessed"], 3);
    assert_eq!(stats["ingester"]["store"]["chunk"]["headChunkLines"], 1);
    assert_eq!(stats["querier"]["store"]["chunk"]["decompressedLines"], 2);
}

#[tokio::test]
async fn structured_metadata_stands_beside_the_line_where_that_is_asked() {
    let (_server, loki) = loki();
    let uri =
        format!("/loki/api/v1/query_range?direction=forward&query={}", encode(r#"{env="prod"} | took>3"#));
    let request = http::Request::builder()
        .uri(uri)
        .header("X-Loki-Response-Encoding-Flags", "categorize-labels")
        .body(axum::body::Body::empty())
        .unwrap();
    let response = tower::ServiceExt::oneshot(loki.0.clone(), request).await.unwrap();
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["data"]["encodingFlags"], json!(["categorize-labels"]));
    assert_eq!(
        body["data"]["result"],
        json!([{
            "stream": {"env": "prod", "service_name": "users"},
            "values": [[
                (NOW_NS - 1000).to_string(),
                "GET /users failed",
                {
                    "structuredMetadata": {
                        "detected_level": "error", "level": "error", "took": "1.5s", "trace_id": "bb",
                    },
                    "parsed": {
                        "__error__": "LabelFilterErr",
                        "__error_details__": "strconv.ParseFloat: parsing \"1.5s\": invalid syntax",
                    },
                },
            ]],
        }])
    );
}

#[tokio::test]
async fn filters_direction_limit_interval_and_range() {
    let (_server, loki) = loki();
    let get = |text: &'static str, more: &'static str| {
        let loki = loki.clone();
        async move { lines(&query(&loki, text, more).await).concat() }
    };
    assert_eq!(get(r#"{env="prod"} |= "failed""#, "").await, ["GET /users failed"]);
    assert_eq!(get(r#"{env="prod"} | trace_id="bb""#, "").await, ["GET /users failed"]);
    assert_eq!(get(r#"{env="prod"} | took>1s"#, "").await, ["GET /users failed"]);
    assert_eq!(get(r#"{env=~"p.*",service_name!="users"}"#, "").await, ["GET /albums"]);
    assert_eq!(get(r#"{service_name="users"}"#, "&limit=1").await, ["GET /users failed"], "the newest");
    assert_eq!(get(r#"{service_name="users"}"#, "&limit=1&direction=FORWARD").await, ["GET /users <ok>"]);
    assert_eq!(get(r#"{env="prod"}"#, "&interval=0.0000015&direction=forward").await.len(), 2);
    let range = format!("&start={}&end={}", NOW_NS - 3000, NOW_NS - 1000);
    let answer = query(&loki, r#"{env="prod"}"#, &range).await;
    assert_eq!(lines(&answer).concat().len(), 2, "the end is not part of the range");
    let empty = query(&loki, r#"{env="none"}"#, "").await;
    assert_eq!(parsed(&empty)["data"]["result"], json!([]));
}

#[tokio::test]
async fn forms_are_posted() {
    let (_server, loki) = loki();
    let request = http::Request::builder()
        .method(Method::POST)
        .uri("/loki/api/v1/query_range")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(axum::body::Body::from(format!("query={}", encode(r#"{env="prod"}"#))))
        .unwrap();
    let response = tower::ServiceExt::oneshot(loki.0.clone(), request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn labels_values_and_series() {
    let (_server, loki) = loki();
    let get = |path: &'static str| {
        let loki = loki.clone();
        async move { parsed(&loki.get(path).await) }
    };
    let names = json!({"status": "success", "data": ["env", "service_name"]});
    assert_eq!(get("/loki/api/v1/labels").await, names);
    assert_eq!(get("/loki/api/v1/label").await, names);
    assert_eq!(get("/loki/api/v1/label/service_name/values").await["data"], json!(["albums", "users"]));
    assert_eq!(
        get("/loki/api/v1/label/service_name/values?query=%7Bservice_name%3D~%22a.*%22%7D").await["data"],
        json!(["albums"])
    );
    assert_eq!(
        get("/loki/api/v1/label/none/values").await,
        json!({"status": "success"}),
        "an empty list is left out"
    );
    assert_eq!(get("/loki/api/v1/labels?end=1600000000").await, json!({"status": "success"}));
    let both = json!([{"env": "prod", "service_name": "albums"}, {"env": "prod", "service_name": "users"}]);
    assert_eq!(get("/loki/api/v1/series").await, json!({"status": "success", "data": both}));
    let selector = format!("/loki/api/v1/series?match[]={}", encode(r#"{service_name="users"}"#));
    let series = parsed(&loki.get(&selector).await);
    assert_eq!(series["data"], json!([{"env": "prod", "service_name": "users"}]));
    assert_eq!(get("/loki/api/v1/series?end=1600000000").await["data"], json!([]));
}

#[tokio::test]
async fn how_much_there_is() {
    let (_server, loki) = loki();
    let selector = encode(r#"{env="prod"}"#);
    let stats = parsed(&loki.get(&format!("/loki/api/v1/index/stats?query={selector}")).await);
    assert_eq!((&stats["streams"], &stats["entries"], &stats["chunks"]), (&json!(2), &json!(3), &json!(2)));
    assert!(stats["bytes"].as_u64().unwrap() > 40);
    let path = format!("/loki/api/v1/index/volume?query={selector}&targetLabels=service_name");
    let volume = parsed(&loki.get(&path).await);
    assert_eq!(volume["data"]["resultType"], "vector");
    let result = volume["data"]["result"].as_array().unwrap();
    assert_eq!(result[0]["metric"], json!({"service_name": "users"}));
    assert_eq!(result[1]["metric"], json!({"service_name": "albums"}));
    assert_eq!(result[0]["value"][0], NOW_S);
    assert!(result[0]["value"][1].as_str().unwrap().parse::<u64>().unwrap() > 20);
    let path = format!("/loki/api/v1/index/volume?query={selector}&aggregateBy=labels");
    assert_eq!(parsed(&loki.get(&path).await)["data"]["result"][0]["metric"], json!({"env": ""}));
}

#[tokio::test]
async fn what_is_wrong_is_refused_in_lokis_words() {
    let (_server, loki) = loki();
    for (text, more, message) in [
        ("", "", "parse error : syntax error: unexpected $end"),
        ("{", "", "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }"),
        (
            "{}",
            "",
            "parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will",
        ),
        ("{a=}", "", "parse error at line 1, col 4: syntax error: unexpected }, expecting STRING"),
        (
            "{a=\"b\"} |~ \"[\"",
            "",
            "parse error : stage '|~ \"[\"' : error parsing regexp: missing closing ]: `[`",
        ),
        (
            "{a=\"b\"}",
            "&limit=5001",
            "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)",
        ),
        ("{a=\"b\"}", "&limit=x", "strconv.Atoi: parsing \"x\": invalid syntax"),
        ("{a=\"b\"}", "&direction=up", "invalid direction 'up'"),
        (
            "{a=\"b\"}",
            "&start=x",
            "could not parse 'start' parameter: strconv.ParseInt: parsing \"x\": invalid syntax",
        ),
        ("{a=\"b\"}", "&start=2&end=1", "end timestamp must not be before or equal to start time"),
        (
            "{a=\"b\"}",
            "&step=-1",
            "zero or negative query resolution step widths are not accepted. Try a positive integer",
        ),
        ("{a=\"b\"} | json", "", "parser stages are not supported yet: | json"),
        ("rate({a=\"b\"}[5m])", "", "metric queries are not supported yet: rate({a=\"b\"} [300000ms])"),
    ] {
        assert_refused(&query(&loki, text, more).await, message);
    }
    assert_refused(
        &loki.get(&format!("/loki/api/v1/query?query={}", encode("{a=\"b\"}"))).await,
        "log queries are not supported as an instant query type, please change your query to a range query type",
    );
    for (path, message) in [
        ("/loki/api/v1/query?query=vector(1)", "metric queries are not supported yet: vector(1)"),
        ("/loki/api/v1/query?time=x", "strconv.ParseInt: parsing \"x\": invalid syntax"),
        (
            "/loki/api/v1/labels?start=x",
            "could not parse 'start' parameter: strconv.ParseInt: parsing \"x\": invalid syntax",
        ),
        (
            "/loki/api/v1/labels?query=%7B",
            "parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER or }",
        ),
        (
            "/loki/api/v1/label/a/values?query=x",
            "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER",
        ),
        (
            "/loki/api/v1/series?match[]=x",
            "parse error at line 1, col 1: syntax error: unexpected IDENTIFIER",
        ),
        (
            "/loki/api/v1/index/stats?query=%7B%7D%7C%3D%22x%22",
            "parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will",
        ),
        ("/loki/api/v1/index/volume?query=%7B%7D&limit=-1", "limit must be a positive value"),
        ("/loki/api/v1/index/volume?query=%7B%7D&aggregateBy=x", "invalid aggregation option"),
        ("/loki/api/v1/labels?a=%zz", "invalid URL escape \"%zz\""),
    ] {
        assert_refused(&loki.get(path).await, message);
    }
}

#[tokio::test]
async fn status_and_what_is_not_there() {
    let (_server, loki) = loki();
    let ready = loki.get("/ready").await;
    assert_eq!((ready.status, ready.text().as_str()), (StatusCode::OK, "ready\n"));
    assert_eq!(parsed(&loki.get("/loki/api/v1/status/buildinfo").await)["version"], "3.7.6");
    assert_eq!(loki.get("/metrics").await.status, StatusCode::OK);
    let tail = loki.get("/loki/api/v1/tail?query=x").await;
    assert_eq!(
        (tail.status, tail.text().as_str()),
        (StatusCode::NOT_IMPLEMENTED, "/loki/api/v1/tail is not supported yet")
    );
    let missing = loki.get("/nowhere").await;
    assert_eq!((missing.status, missing.text().as_str()), (StatusCode::NOT_FOUND, "404 page not found\n"));
    let missing = loki.get("/loki/api/v1/nowhere").await;
    assert_eq!((missing.status, missing.text().as_str()), (StatusCode::NOT_FOUND, "404 page not found\n"));
    let wrong = loki.ask(Method::DELETE, "/loki/api/v1/labels", "*/*", Vec::new()).await;
    assert_eq!((wrong.status, wrong.text().as_str()), (StatusCode::METHOD_NOT_ALLOWED, ""));
}
