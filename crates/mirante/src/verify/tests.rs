//! The whole of it against a small server that answers as the real components do, all on one port: their paths do not
//! meet.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::*;

/// What the server knows.
#[derive(Default)]
struct Known {
    /// Trace and span of the request, as its header said.
    caller: Option<(String, String)>,
    requests: u64,
    /// Bodies of the alerts that were taken, as notified.
    notified: Vec<String>,
    /// Parts that do not do what they should.
    broken: Vec<&'static str>,
}

type Shared = State<Arc<Mutex<Known>>>;

fn hex_of(byte: u8) -> String {
    format!("{byte:02x}").repeat(8)
}

async fn users(State(known): Shared, headers: HeaderMap) -> Json<Value> {
    let parent = headers["traceparent"].to_str().unwrap().to_owned();
    let parts: Vec<_> = parent.split('-').collect();
    let mut known = known.lock().unwrap();
    known.caller = Some((parts[1].to_owned(), parts[2].to_owned()));
    known.requests += 1;
    Json(json!({"albums": []}))
}

/// Five spans: users, its database, its call, albums, its database.
const SPANS: [(u8, u8, &str, bool); 5] = [
    (2, 1, "users", false),
    (3, 2, "users", true),
    (4, 2, "users", false),
    (5, 4, "albums", false),
    (6, 5, "albums", true),
];

async fn tempo(State(known): Shared, Path(id): Path<String>) -> Json<Value> {
    let (trace, caller) = known.lock().unwrap().caller.clone().unwrap();
    if id != trace {
        return Json(json!({"trace": {}}));
    }
    let span = |(id, parent, service, database): (u8, u8, &str, bool)| {
        let parent = if parent == 1 { caller.clone() } else { hex_of(parent) };
        let attributes = if database { json!([{"key": "db.system.name"}]) } else { json!([]) };
        json!({
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]},
            "scopeSpans": [{"spans": [{"spanId": hex_of(id), "parentSpanId": parent, "attributes": attributes}]}],
        })
    };
    Json(json!({"trace": {"resourceSpans": SPANS.map(span)}, "status": "COMPLETE"}))
}

async fn jaeger(State(known): Shared) -> Json<Value> {
    let (trace, caller) = known.lock().unwrap().caller.clone().unwrap();
    let span = |(id, parent, service, database): (u8, u8, &str, bool)| {
        let parent = if parent == 1 { caller.clone() } else { hex_of(parent) };
        json!({
            "spanID": hex_of(id), "processID": service,
            "references": [{"refType": "CHILD_OF", "traceID": trace, "spanID": parent}],
            "tags": if database { json!([{"key": "db.system.name"}]) } else { json!([]) },
        })
    };
    let processes = json!({"users": {"serviceName": "users"}, "albums": {"serviceName": "albums"}});
    Json(
        json!({"data": [{"traceID": trace, "spans": SPANS.map(span), "processes": processes}], "errors": null}),
    )
}

async fn prometheus(State(known): Shared) -> Json<Value> {
    let count = known.lock().unwrap().requests.to_string();
    Json(
        json!({"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1.0, count]}]}}),
    )
}

async fn exemplars(State(known): Shared) -> Json<Value> {
    let (trace, _) = known.lock().unwrap().caller.clone().unwrap();
    let exemplar = json!({"labels": {"trace_id": trace, "span_id": "1"}, "value": "0.01", "timestamp": 1.5});
    Json(json!({"status": "success", "data": [{"seriesLabels": {}, "exemplars": [exemplar]}]}))
}

async fn configuration(State(known): Shared) -> Json<Value> {
    let is_empty = known.lock().unwrap().broken.contains(&"configuration");
    let yaml = if is_empty {
        "global: {}\n"
    } else {
        "scrape_configs:\n- job_name: users\nrule_files:\n- rules/*.yml\n"
    };
    Json(json!({"status": "success", "data": {"yaml": yaml}}))
}

async fn source(State(known): Shared, Path(uid): Path<String>) -> (StatusCode, Json<Value>) {
    if known.lock().unwrap().broken.contains(&uid.as_str()) {
        let refused = json!({"status": "ERROR", "message": "dial tcp: connection refused"});
        return (StatusCode::BAD_REQUEST, Json(refused));
    }
    (StatusCode::OK, Json(json!({"status": "OK", "message": "Data source is working"})))
}

async fn alerts(State(known): Shared, Json(alerts): Json<Value>) {
    let mut known = known.lock().unwrap();
    if !known.broken.contains(&"notifications") {
        known.notified.push(json!({"receiver": "info", "alerts": alerts}).to_string());
    }
}

async fn captured(State(known): Shared) -> Json<Value> {
    let request = |body: &String| {
        json!({"request_payload_base64": BASE64_STANDARD.encode(body),
               "url": "http://webhook-tester:8080/00000000-0000-0000-0000-000000000000/info"})
    };
    Json(known.lock().unwrap().notified.iter().map(request).collect())
}

async fn stack(broken: &[&'static str]) -> (Places, Arc<Mutex<Known>>) {
    let known = Arc::new(Mutex::new(Known { broken: broken.to_vec(), ..Known::default() }));
    let target = |job: &str| json!({"labels": {"job": job}, "health": "up", "lastError": ""});
    let targets =
        json!({"status": "success", "data": {"activeTargets": [target("users"), target("albums")]}});
    let group = |file: &str| json!({"name": "g", "file": file, "rules": [{"name": "r", "health": "ok"}]});
    let groups = json!({"status": "success", "data": {"groups": [group("/etc/prometheus/rules/a.yml"), group("/rules/pyrra/b.yaml")]}});
    let lines = json!({"status": "success", "data": {"resultType": "streams", "result": [{"stream": {}, "values": [["1", "x"]]}]}});
    let boards = ["services", "questions", "slo", "load-test", "stack", "traces-logs"]
        .map(|name| json!({"uid": format!("mirante-{name}")}));
    let objectives = ["users-availability", "users-latency", "albums-availability", "albums-latency"]
        .map(|name| json!({"labels": {"__name__": name}}));
    let always = |document: Value| get(async move || Json(document));
    let router = Router::new()
        .route("/users/1/albums", get(users))
        .route("/work", always(json!({"seconds": 1})))
        .route("/api/v2/traces/{id}", get(tempo))
        .route("/api/traces/{id}", get(jaeger))
        .route("/loki/api/v1/query_range", always(lines))
        .route("/api/v1/query", get(prometheus))
        .route("/api/v1/query_exemplars", get(exemplars))
        .route("/api/v1/status/config", get(configuration))
        .route("/api/v1/targets", always(targets))
        .route("/api/v1/rules", always(groups))
        .route("/api/health", always(json!({"database": "ok", "version": "13.2.2"})))
        .route("/api/datasources/uid/{uid}/health", get(source))
        .route("/api/datasources/proxy/uid/alertmanager/api/v2/status", always(json!({})))
        .route("/api/search", always(json!(boards)))
        .route(
            "/objectives.v1alpha1.ObjectiveService/List",
            post(async move || Json(json!({"objectives": objectives}))),
        )
        .route("/-/ready", get(async || "OK"))
        .route("/health", get(async || "Pong\n"))
        .route("/ready", get(async || "OK"))
        .route("/api/v2/alerts", post(alerts))
        .route("/api/session/{id}/requests", get(captured))
        .route(
            "/querier.v1.QuerierService/SelectMergeStacktraces",
            post(async || Json(json!({"flamegraph": {"total": "1000000000"}}))),
        )
        .with_state(Arc::clone(&known));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let places = Places {
        users: url.clone(),
        tempo: url.clone(),
        jaeger: url.clone(),
        loki: url.clone(),
        prometheus: url.clone(),
        grafana: url.clone(),
        pyrra: url.clone(),
        alertmanager: url.clone(),
        karma: url.clone(),
        webhooks: url.clone(),
        pyroscope: url,
    };
    (places, known)
}

/// Names with what was found: true, false, or not part.
fn outcomes(report: &Report) -> Vec<(String, Option<bool>)> {
    let json = report.json();
    let checks = json["checks"].as_array().unwrap();
    checks.iter().map(|check| (check["name"].as_str().unwrap().to_owned(), check["ok"].as_bool())).collect()
}

const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_whole_stack_is_found() {
    let (places, known) = stack(&[]).await;
    let wanted = Wanted { target: Target::Compose, alert: true };
    let report = follow(&places, wanted, SOON).await.unwrap();
    assert!(report.ok(), "{:#}", report.json());
    let names: Vec<_> = outcomes(&report).into_iter().map(|(name, _)| name).collect();
    let expected = "tempo jaeger loki prometheus exemplars targets rules pyrra alertmanager karma webhooks pyroscope \
                    grafana data+sources dashboards alert";
    assert_eq!(names.join(" ").replace("data sources", "data+sources"), expected);
    assert_eq!(known.lock().unwrap().notified.len(), 1);
}

#[tokio::test]
async fn without_the_flag_no_alert_is_raised() {
    let (places, known) = stack(&[]).await;
    let report = follow(&places, Wanted { target: Target::Compose, alert: false }, SOON).await.unwrap();
    assert!(report.ok(), "{:#}", report.json());
    assert!(outcomes(&report).iter().all(|(name, _)| name != "alert"));
    assert!(known.lock().unwrap().notified.is_empty());
}

#[tokio::test]
async fn what_is_broken_is_named_and_the_rest_is_found() {
    let (places, _known) = stack(&["loki", "notifications"]).await;
    let wanted = Wanted { target: Target::Compose, alert: true };
    let report = follow(&places, wanted, Duration::from_secs(1)).await.unwrap();
    assert!(!report.ok());
    for (name, ok) in outcomes(&report) {
        assert_eq!(ok, Some(!["data sources", "alert"].contains(&name.as_str())), "{name}");
    }
    let json = report.json().to_string();
    assert!(json.contains("loki: answered 400") && json.contains("connection refused"), "{json}");
    assert!(json.contains("nothing was notified yet"), "{json}");
}

#[tokio::test]
async fn another_target_lacks_what_is_no_part_of_it() {
    let (places, _known) = stack(&[]).await;
    let report = follow(&places, Wanted { target: Target::Embedded, alert: true }, SOON).await.unwrap();
    assert!(report.ok());
    let found = outcomes(&report);
    assert_eq!(found.iter().filter(|(_, ok)| *ok == Some(true)).count(), 7);
    assert_eq!(found.iter().filter(|(_, ok)| ok.is_none()).count(), 9);

    let (places, _known) = stack(&["configuration"]).await;
    let report = follow(&places, Wanted { target: Target::Embedded, alert: false }, SOON).await.unwrap();
    let not_configured = outcomes(&report);
    let of = |name: &str| not_configured.iter().find(|(it, _)| it == name).unwrap().1;
    assert_eq!((of("targets"), of("rules"), of("exemplars")), (None, None, Some(true)));
}

#[tokio::test]
async fn a_stack_that_is_not_there_is_told_in_time() {
    let (mut places, _known) = stack(&[]).await;
    places.users = "http://127.0.0.1:1".to_owned();
    let begun = Instant::now();
    let wanted = Wanted { target: Target::Compose, alert: false };
    let error = follow(&places, wanted, Duration::from_secs(1)).await.unwrap_err();
    assert!(error.to_string().contains("users does not answer"), "{error}");
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(900) && took < Duration::from_secs(3), "{took:?}");
}
