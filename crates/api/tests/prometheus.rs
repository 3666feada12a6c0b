//! Prometheus' API over a real store. What is expected is what `web/api/v1` of Prometheus 3.14 writes.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/server.rs"]
mod server;

use std::sync::Arc;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use model::sample::STALE_NAN_BITS;
use model::{
    Batch, DataPoint, Exemplar, Family, Histogram, Labels, Metadata, MetricType, SampleValue, SeriesSample,
    Temporality,
};
use serde_json::{Value, json};
use server::{Answer, Client, Server, encode};
use tower::ServiceExt;

/// The clock, in seconds.
const NOW: i64 = 1_800_000_000;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().copied().collect()
}

fn point(family: usize, labels: Labels, time_ms: i64, value: SampleValue) -> DataPoint {
    DataPoint {
        family,
        temporality: Temporality::Cumulative,
        start_ms: 0,
        time_ms,
        samples: vec![SeriesSample { labels, value, exemplars: Vec::new() }],
        derived: false,
    }
}

fn float(labels: &Labels, seconds: i64, value: f64) -> DataPoint {
    point(0, labels.clone(), (NOW + seconds) * 1000, SampleValue::Float(value))
}

/// Three series of `up`, one of which ended, and a native histogram.
fn prometheus() -> (Server, Client) {
    let server = Server::at(NOW as u64 * 1_000_000_000);
    let a = labels(&[("__name__", "up"), ("job", "a"), ("path", "/<x>&\"y\"")]);
    let b = labels(&[("__name__", "up"), ("job", "b")]);
    let gone = labels(&[("__name__", "up"), ("job", "gone")]);
    let dotted = labels(&[("__name__", "http.requests"), ("http.method", "GET")]);
    let (positive_spans, positive_buckets) = model::histogram::to_spans([(1, 2.0)]);
    let histogram = Histogram {
        schema: 0,
        zero_threshold: 1e-128,
        zero_count: 1.0,
        count: 3.0,
        sum: 4.5,
        positive_spans,
        positive_buckets,
        ..Histogram::default()
    };
    let latency = labels(&[("__name__", "latency"), ("job", "a")]);
    let mut with_exemplar = float(&a, 0, 2.5);
    with_exemplar.samples[0].exemplars =
        vec![Exemplar { labels: labels(&[("trace_id", "ab")]), value: 0.25, time_ms: NOW * 1000 - 1500 }];
    let family = |name: &str, kind, help: &str, unit: &str| Family {
        name: name.to_owned(),
        metadata: Metadata { kind, help: help.to_owned(), unit: unit.to_owned() },
    };
    let batch = Batch {
        families: vec![
            family("up", MetricType::Gauge, "whether it is <up>", ""),
            family("latency", MetricType::Histogram, "", "seconds"),
        ],
        points: vec![
            float(&a, -60, 1.0),
            with_exemplar,
            float(&b, -30, f64::INFINITY),
            float(&gone, -60, 1.0),
            float(&gone, -30, f64::from_bits(STALE_NAN_BITS)),
            float(&dotted, 0, 1e21),
            point(1, latency, NOW * 1000, SampleValue::Histogram(Arc::new(histogram))),
        ],
        warnings: Vec::new(),
    };
    let appended = server.context.metrics.append(&batch).unwrap();
    assert_eq!((appended.points, appended.exemplars, appended.rejected.count), (7, 1, 0));
    let client = Client(api::prometheus::router(server.context.clone()));
    (server, client)
}

async fn form(client: &Client, path: &str, body: &str) -> Answer {
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = client.0.clone().oneshot(request).await.unwrap();
    Answer {
        status: response.status(),
        content_type: response.headers()["content-type"].to_str().unwrap().to_owned(),
        location: None,
        body: response.into_body().collect().await.unwrap().to_bytes().to_vec(),
    }
}

fn success(data: &Value) -> Value {
    json!({"status": "success", "data": data})
}

#[track_caller]
fn assert_error(answer: &Answer, status: u16, kind: &str, message: &str) {
    let found: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(found, json!({"status": "error", "errorType": kind, "error": message}));
    assert_eq!((answer.status.as_u16(), answer.content_type.as_str()), (status, "application/json"));
}

#[tokio::test]
async fn instant_queries_give_the_bytes_of_prometheus() {
    let (_server, client) = prometheus();
    assert_eq!(
        client.get("/api/v1/query?query=up").await.text(),
        concat!(
            r#"{"status":"success","data":{"resultType":"vector","result":["#,
            r#"{"metric":{"__name__":"up","job":"a","path":"/<x>&\"y\""},"value":[1800000000,"2.5"]},"#,
            r#"{"metric":{"__name__":"up","job":"b"},"value":[1800000000,"+Inf"]}]}}"#
        )
    );
    assert_eq!(
        client.get("/api/v1/query?query=latency&time=1800000000.5").await.text(),
        concat!(
            r#"{"status":"success","data":{"resultType":"vector","result":["#,
            r#"{"metric":{"__name__":"latency","job":"a"},"histogram":[1800000000.500,"#,
            r#"{"count":"3","sum":"4.5","buckets":[[3,"-1e-128","1e-128","1"],[0,"1","2","2"]]}]}]}}"#
        )
    );
    assert_eq!(
        client.get(&format!("/api/v1/query?query={}", encode(r#"{"http.requests"}"#))).await.text(),
        concat!(
            r#"{"status":"success","data":{"resultType":"vector","result":["#,
            r#"{"metric":{"__name__":"http.requests","http.method":"GET"},"value":[1800000000,"1e+21"]}]}}"#
        )
    );
    assert_eq!(
        client.get("/api/v1/query?query=1.5&time=1").await.text(),
        r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1.5"]}}"#
    );
    assert_eq!(
        client.get("/api/v1/query?query='a%3Cb'&time=1").await.text(),
        r#"{"status":"success","data":{"resultType":"string","result":[1,"a\u003cb"]}}"#
    );
    assert_eq!(
        client.get("/api/v1/query?query=none").await.text(),
        r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#
    );
}

#[tokio::test]
async fn a_matrix_selector_gives_samples_as_they_are() {
    let (_server, client) = prometheus();
    let answer = client.get(&format!("/api/v1/query?query={}", encode(r#"up{job=~"a|gone"}[5m]"#))).await;
    assert_eq!(
        answer.json(),
        success(&json!({"resultType": "matrix", "result": [
            {"metric": {"__name__": "up", "job": "a", "path": "/<x>&\"y\""},
             "values": [[1_799_999_940, "1"], [1_800_000_000, "2.5"]]},
            {"metric": {"__name__": "up", "job": "gone"}, "values": [[1_799_999_940, "1"]]},
        ]}))
    );
}

#[tokio::test]
async fn range_queries_step_by_get_and_by_form() {
    let (_server, client) = prometheus();
    let parameters = format!("query={}&start={}&end={NOW}&step=30s", encode("up{job!=\"b\"}"), NOW - 90);
    let expected = success(&json!({"resultType": "matrix", "result": [
        {"metric": {"__name__": "up", "job": "a", "path": "/<x>&\"y\""},
         "values": [[1_799_999_940, "1"], [1_799_999_970, "1"], [1_800_000_000, "2.5"]]},
        {"metric": {"__name__": "up", "job": "gone"}, "values": [[1_799_999_940, "1"]]},
    ]}));
    assert_eq!(client.get(&format!("/api/v1/query_range?{parameters}")).await.json(), expected);
    assert_eq!(form(&client, "/api/v1/query_range", &parameters).await.json(), expected);
    let scalar = client.get("/api/v1/query_range?query=1&start=0&end=2&step=1").await.json();
    assert_eq!(
        scalar["data"],
        json!({"resultType": "matrix", "result": [{"metric": {}, "values": [[0, "1"], [1, "1"], [2, "1"]]}]})
    );
    let histograms = client
        .get(&format!("/api/v1/query_range?query=latency&start={NOW}&end={}&step=1", NOW + 1))
        .await
        .json();
    assert_eq!(histograms["data"]["result"][0]["histograms"].as_array().unwrap().len(), 2);
    // The form's value wins over the address'.
    let both = form(&client, "/api/v1/query?query=none", "query=1&time=5").await.json();
    assert_eq!(both["data"], json!({"resultType": "scalar", "result": [5, "1"]}));
}

#[tokio::test]
async fn wrong_parameters_are_refused_in_prometheus_words() {
    let (_server, client) = prometheus();
    let cases = [
        ("query", "invalid parameter \"query\": unknown position: parse error: no expression found in input"),
        (
            "query?query=up{",
            "invalid parameter \"query\": 1:4: parse error: unexpected end of input inside braces",
        ),
        (
            "query?query={}",
            "invalid parameter \"query\": 1:1: parse error: vector selector must contain at least one non-empty \
             matcher",
        ),
        (
            "query?query=up&time=x",
            "invalid parameter \"time\": invalid time value for 'time': cannot parse \"x\" to a valid timestamp",
        ),
        ("query?query=up&timeout=x", "invalid parameter \"timeout\": cannot parse \"x\" to a valid duration"),
        (
            "query?query=up&limit=x",
            "invalid parameter \"limit\": strconv.Atoi: parsing \"x\": invalid syntax",
        ),
        ("query?query=up&limit=-1", "invalid parameter \"limit\": limit must be non-negative"),
        (
            "query?query=up&lookback_delta=x",
            "error parsing lookback delta duration: cannot parse \"x\" to a valid duration",
        ),
        (
            "query_range?query=up&end=1&step=1",
            "invalid parameter \"start\": cannot parse \"\" to a valid timestamp",
        ),
        (
            "query_range?query=up&start=1&step=1",
            "invalid parameter \"end\": cannot parse \"\" to a valid timestamp",
        ),
        (
            "query_range?query=up&start=2&end=1&step=1",
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        (
            "query_range?query=up&start=1&end=2",
            "invalid parameter \"step\": cannot parse \"\" to a valid duration",
        ),
        (
            "query_range?query=up&start=1&end=2&step=0",
            "invalid parameter \"step\": zero or negative query resolution step widths are not accepted. Try a \
             positive integer",
        ),
        (
            "query_range?query=up&start=1&end=2&step=1e20",
            "invalid parameter \"step\": cannot parse \"1e20\" to a valid duration. It overflows int64",
        ),
        (
            "query_range?query=up&start=0&end=11001&step=1",
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution \
             (?step=XX)",
        ),
        (
            "query_range?query=up[5m]&start=0&end=1&step=1",
            "invalid parameter \"query\": invalid expression type \"range vector\" for range query, must be Scalar \
             or instant Vector",
        ),
        ("query_exemplars?query=up&start=2&end=1", "end timestamp must not be before start timestamp"),
        ("query_exemplars?query=up{", "1:4: parse error: unexpected end of input inside braces"),
        ("series", "no match[] parameter provided"),
        (
            "series?match[]={}",
            "invalid parameter \"match[]\": match[] must contain at least one non-empty matcher",
        ),
        ("series?match[]=up[5m]", "invalid parameter \"match[]\": 1:3: parse error: unexpected \"[\""),
        (
            "series?match[]=up&start=x",
            "invalid parameter \"start\": invalid time value for 'start': cannot parse \"x\" to a valid timestamp",
        ),
        ("labels?match[]={x=~\".*\"}", "match[] must contain at least one non-empty matcher"),
        ("labels?match[]=(", "1:1: parse error: unexpected \"(\""),
        ("labels?limit=1.5", "invalid parameter \"limit\": strconv.Atoi: parsing \"1.5\": invalid syntax"),
        ("label/U__/values", "invalid label name: \"\""),
        (
            "label/job/values?end=x",
            "invalid parameter \"end\": invalid time value for 'end': cannot parse \"x\" to a valid timestamp",
        ),
        ("metadata?limit=x", "limit must be a number"),
        ("metadata?limit_per_metric=x", "limit_per_metric must be a number"),
        ("status/tsdb?limit=0", "limit must be a positive number"),
        ("status/tsdb?limit=10001", "limit must not exceed 10000"),
    ];
    for (path, message) in cases {
        let path = path.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
        assert_error(&client.get(&format!("/api/v1/{path}")).await, 400, "bad_data", message);
    }
    let timeout = client.get("/api/v1/query?query=up&timeout=0").await;
    assert_error(&timeout, 503, "timeout", "query timed out in query execution");
    let large = form(&client, "/api/v1/query", &"x".repeat(11 << 20)).await;
    assert_error(&large, 400, "bad_data", "error parsing form values: length limit exceeded");
}

#[tokio::test]
async fn results_are_cut_at_the_limit_with_a_warning() {
    let (_server, client) = prometheus();
    let found = client.get("/api/v1/query?query=up&limit=1").await.json();
    assert_eq!(found["data"]["result"].as_array().unwrap().len(), 1);
    assert_eq!(found["warnings"], json!(["results truncated due to limit"]));
    for path in ["labels?limit=1", "label/job/values?limit=1", "series?match[]=up&limit=1"] {
        let found = client.get(&format!("/api/v1/{path}")).await.json();
        assert_eq!(found["data"].as_array().unwrap().len(), 1, "{path}");
        assert_eq!(found["warnings"], json!(["results truncated due to limit"]), "{path}");
    }
    assert_eq!(client.get("/api/v1/query?query=up&limit=3").await.json()["warnings"], Value::Null);
}

#[tokio::test]
async fn statistics_are_given_when_asked_for() {
    let (_server, client) = prometheus();
    let found = client.get("/api/v1/query?query=up&stats=all").await.json();
    assert_eq!(found["data"]["stats"]["samples"]["totalQueryableSamples"], 2);
    assert!(found["data"]["stats"]["timings"]["execTotalTime"].is_f64());
    let odd = client.get("/api/v1/query?query=up&stats=yes").await.json();
    let warning = odd["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("value \"yes\" for parameter \"stats\" is deprecated"), "{warning}");
}

#[tokio::test]
async fn labels_series_and_metadata() {
    let (_server, client) = prometheus();
    let get = async |path: &str| client.get(&format!("/api/v1/{path}")).await.json()["data"].clone();
    assert_eq!(get("labels").await, json!(["__name__", "http.method", "job", "path"]));
    assert_eq!(get("labels?match[]=latency").await, json!(["__name__", "job"]));
    assert_eq!(get("labels?match[]=latency&match[]=up").await, json!(["__name__", "job", "path"]));
    assert_eq!(get("labels?end=1").await, json!([]));
    assert_eq!(get("label/job/values").await, json!(["a", "b", "gone"]));
    assert_eq!(get("label/job/values?match[]=latency").await, json!(["a"]));
    assert_eq!(get("label/none/values").await, json!([]));
    assert_eq!(get("label/U__http_2e_method/values").await, json!(["GET"]));
    assert_eq!(get("label/http.method/values").await, json!(["GET"]));
    assert_eq!(
        get(&format!("series?match[]=up&match[]=latency&start={}", NOW - 10)).await,
        json!([
            {"__name__": "latency", "job": "a"},
            {"__name__": "up", "job": "a", "path": "/<x>&\"y\""},
        ])
    );
    let by_form = form(&client, "/api/v1/series", "match[]=latency").await.json();
    assert_eq!(by_form["data"], json!([{"__name__": "latency", "job": "a"}]));
    assert_eq!(
        form(&client, "/api/v1/labels", "match%5B%5D=latency").await.json()["data"],
        json!(["__name__", "job"])
    );
    assert_eq!(
        client.get("/api/v1/metadata").await.text(),
        concat!(
            r#"{"status":"success","data":{"latency":[{"type":"histogram","unit":"seconds","help":""}],"#,
            r#""up":[{"type":"gauge","unit":"","help":"whether it is \u003cup\u003e"}]}}"#
        )
    );
    assert_eq!(get("metadata?metric=none").await, json!({}));
    assert_eq!(get("metadata?limit=0").await, json!({}));
    assert_eq!(get("metadata?metric=latency&limit_per_metric=1").await.as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn exemplars() {
    let (_server, client) = prometheus();
    assert_eq!(
        client.get("/api/v1/query_exemplars?query=up").await.text(),
        concat!(
            r#"{"status":"success","data":[{"seriesLabels":{"__name__":"up","job":"a","path":"/<x>&\"y\""},"#,
            r#""exemplars":[{"labels":{"trace_id":"ab"},"value":"0.25","timestamp":1799999998.500}]}]}"#
        )
    );
    let path = format!("/api/v1/query_exemplars?query=up&start={NOW}");
    assert_eq!(client.get(&path).await.json(), success(&json!([])));
    assert_eq!(client.get("/api/v1/query_exemplars?query=1").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn status_pages() {
    let (_server, client) = prometheus();
    let get = async |path: &str| client.get(&format!("/api/v1/status/{path}")).await.json()["data"].clone();
    assert_eq!(get("buildinfo").await["version"], "3.14.0");
    let runtime = get("runtimeinfo").await;
    assert_eq!(runtime["startTime"], "2027-01-15T08:00:00Z");
    assert_eq!(runtime["storageRetention"], "15d");
    let tsdb = get("tsdb?limit=1").await;
    // One more chunk than series: no chunk crosses the two hours of a block, and NOW is such a boundary.
    assert_eq!(
        tsdb["headStats"],
        json!({
            "numSeries": 5, "numLabelPairs": 8, "chunkCount": 6,
            "minTime": (NOW - 60) * 1000, "maxTime": NOW * 1000,
        })
    );
    assert_eq!(tsdb["seriesCountByMetricName"], json!([{"name": "up", "value": 3}]));
    assert_eq!(tsdb["seriesCountByLabelValuePair"], json!([{"name": "__name__=up", "value": 3}]));
    assert_eq!(get("flags").await["query.lookback-delta"], "5m");
    let features = client.get("/api/v1/features").await.json()["data"].clone();
    assert_eq!(features["promql_functions"]["rate"], true);
    assert_eq!(features["templating_functions"]["humanize"], true);
    assert_eq!(features["api"]["admin"], false);
    let own = get("self_metrics").await;
    let requests =
        own.as_array().unwrap().iter().find(|it| it["name"] == "mirante_http_request_duration_seconds");
    let requests = requests.unwrap();
    assert_eq!(requests["type"], "HISTOGRAM");
    assert!(requests["metric"][0]["histogram"]["sampleCount"].as_str().unwrap().parse::<u64>().unwrap() > 0);
    assert!(get("config").await["yaml"].as_str().unwrap().contains("translation_strategy"));
    assert_eq!(get("walreplay").await, json!({"min": 0, "max": 0, "current": 0}));
    assert_eq!(client.get("/-/healthy").await.text(), "Prometheus Server is Healthy.\n");
    assert_eq!(client.get("/-/ready").await.text(), "Prometheus Server is Ready.\n");
    assert_eq!(client.ask(Method::HEAD, "/-/ready", "*/*", Vec::new()).await.status, StatusCode::OK);
    assert_eq!(client.post("/-/reload", Vec::new()).await.status, StatusCode::FORBIDDEN);
    assert!(client.get("/metrics").await.text().contains("mirante_http_request_duration_seconds"));
}

#[tokio::test]
async fn series_are_deleted_and_copied_where_that_is_allowed() {
    let (mut server, _) = prometheus();
    server.context.admin_api = true;
    let client = Client(api::prometheus::router(server.context.clone()));
    let post = async |path: &str| client.post(&format!("/api/v1/admin/tsdb/{path}"), Vec::new()).await;
    assert_error(&post("delete_series").await, 400, "bad_data", "no match[] parameter provided");
    assert_error(
        &post("snapshot?skip_head=maybe").await,
        400,
        "bad_data",
        r#"invalid parameter "skip_head": unable to parse boolean: strconv.ParseBool: parsing "maybe": invalid syntax"#,
    );
    let copied = post("snapshot").await;
    assert!(copied.status == StatusCode::OK && copied.text().contains(r#""name":"2"#), "{}", copied.text());
    let all = "/api/v1/series?match[]=%7B__name__!%3D%22%22%7D";
    assert!(client.get(all).await.text().contains("__name__"), "there is something to delete");
    let deleted = post("delete_series?match[]=%7B__name__!%3D%22%22%7D").await;
    assert_eq!((deleted.status, deleted.text().as_str()), (StatusCode::NO_CONTENT, ""));
    let left = client.get(all).await;
    assert!(left.text().contains(r#""data":[]"#), "{}", left.text());
    assert_eq!(post("clean_tombstones").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let (_server, client) = prometheus();
    assert_error(
        &client.get("/api/v1/openapi.yaml").await,
        404,
        "not_found",
        "GET /api/v1/openapi.yaml is not supported",
    );
    assert_error(
        &client.post("/api/v1/admin/tsdb/snapshot", Vec::new()).await,
        500,
        "unavailable",
        "admin APIs disabled",
    );
    let unknown = client.get("/api/v1/nothing").await;
    assert_eq!((unknown.status, unknown.text().as_str()), (StatusCode::NOT_FOUND, "404 page not found\n"));
    assert_eq!(client.post("/api/v1/metadata", Vec::new()).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(
        client.ask(Method::OPTIONS, "/api/v1/query", "*/*", Vec::new()).await.status,
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn pages_of_other_origins_may_read() {
    let (_server, client) = prometheus();
    let request = Request::get("/api/v1/labels").header("origin", "http://x").body(Body::empty()).unwrap();
    let response = client.0.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()["access-control-allow-origin"], "http://x");
    let vary: Vec<_> = response.headers().get_all("vary").iter().collect();
    assert_eq!(vary, ["Accept-Encoding", "Origin"]);
}

#[tokio::test]
async fn queries_are_formatted_and_parsed() {
    let (_, client) = prometheus();
    let formatted = client.get("/api/v1/format_query?query=sum+by(job)(up%3C1)").await;
    assert_eq!(formatted.text(), r#"{"status":"success","data":"sum by (job) (up \u003c 1)"}"#);
    let tree = client.get("/api/v1/parse_query?query=-(1)").await;
    assert_eq!(
        tree.text(),
        concat!(
            r#"{"status":"success","data":{"expr":{"expr":{"type":"numberLiteral","val":"1"},"type":"parenExpr"},"#,
            r#""op":"-","type":"unaryExpr"}}"#
        )
    );
    for path in ["format_query", "parse_query"] {
        let missing = client.get(&format!("/api/v1/{path}")).await;
        assert_eq!(missing.status, StatusCode::BAD_REQUEST);
        assert_eq!(
            missing.text(),
            concat!(
                r#"{"status":"error","errorType":"bad_data","#,
                r#""error":"invalid parameter \"query\": unknown position: parse error: no expression found in input"}"#
            )
        );
    }
    // JSON has no such numbers.
    let endless = client.get("/api/v1/parse_query?query=a%2Bfill(Inf)b").await;
    assert_eq!(endless.status, StatusCode::INTERNAL_SERVER_ERROR);
}
