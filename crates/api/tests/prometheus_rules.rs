//! `/api/v1/rules`, `/alerts` and `/alertmanagers` over a ruler at work: shapes, filters, pages, refusals.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "support/server.rs"]
mod server;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use model::{Labels, SystemClock};
use promql::engine::Options;
use promql::storage::PointValue;
use ruler::notifier::{Alerting, Alertmanager, AlertmanagerSet, Notifier};
use ruler::{Append, Config, Load, Ruler, Sample, StoreBackend};
use serde_json::{Value, json};
use server::{Answer, Client, Server};

const FILE: &str = r#"
groups:
  - name: g<1>
    limit: 5
    labels: {team: x}
    rules:
      - alert: A
        expr: one
        for: 100h
        keep_firing_for: 5m
        labels: {sev: page}
        annotations: {summary: "a <b>"}
      - record: x:y
        expr: one
  - name: h
    interval: 1m
    rules:
      - record: x:z
        expr: one
        labels: {team: y}
"#;

/// A server with rules that have been evaluated.
async fn server(dir: &Path) -> (Server, String) {
    let file = dir.join("rules.yml");
    std::fs::write(&file, FILE).unwrap();
    let mut server = Server::start();
    let sample = Sample {
        labels: [("__name__", "one")].into_iter().collect(),
        time_ms: server.context.clock.now_ms(),
        value: PointValue::Float(1.0),
    };
    Append::append(&*server.context.metrics, vec![sample]).unwrap();
    let registry = &server.context.registry;
    let notifier = Arc::new(Notifier::new(reqwest::Client::new(), registry).unwrap());
    let url = "http://alertmanager:9093/api/v2/alerts".to_owned();
    notifier.apply(Alerting {
        sets: vec![AlertmanagerSet {
            active: vec![Alertmanager { reached_at: "http://127.0.0.1:9/".to_owned(), url }],
            dropped: vec!["http://other:9093/api/v2/alerts".to_owned()],
            ..AlertmanagerSet::default()
        }],
        ..Alerting::default()
    });
    let backend = StoreBackend::new(Arc::clone(&server.context.metrics), Options::default());
    let sink = Arc::<Notifier>::clone(&notifier);
    let ruler =
        Ruler::new(Arc::new(backend), sink, Arc::new(SystemClock), registry, Config::default()).unwrap();
    let load = Load {
        files: vec![file.clone()],
        interval: Duration::from_millis(20),
        query_offset: Duration::ZERO,
        external_labels: Labels::default(),
        external_url: String::new(),
        options: promrules::Options::default(),
    };
    ruler.load(load).await.unwrap();
    while ruler.groups()[0].evaluated_at_ns.is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.context.rules = Some(api::Rules { ruler: Arc::new(ruler), notifier });
    (server, file.display().to_string())
}

async fn ask(server: &Server, path: &str) -> Answer {
    Client(api::prometheus::router(server.context.clone())).get(&format!("/api/v1/{path}")).await
}

async fn data(server: &Server, path: &str) -> Value {
    let answer = ask(server, path).await.json();
    assert_eq!(answer["status"], "success", "{path}: {answer}");
    answer["data"].clone()
}

/// Names of the groups and their rules.
fn names(data: &Value) -> Value {
    let group = |group: &Value| {
        let rules: Vec<_> =
            group["rules"].as_array().unwrap().iter().map(|rule| rule["name"].clone()).collect();
        json!([group["name"], rules])
    };
    data["groups"].as_array().unwrap().iter().map(group).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_are_told_as_prometheus_tells_them() {
    let dir = tempfile::tempdir().unwrap();
    let (server, file) = server(dir.path()).await;
    let text = ask(&server, "rules").await.text();
    assert!(text.contains(r#""name":"g\u003c1\u003e""#), "what may stand in a page is escaped: {text}");
    assert!(text.contains(r#""annotations":{"summary":"a <b>"}"#), "labels and annotations are not: {text}");
    let answer = data(&server, "rules").await;
    let group = &answer["groups"][0];
    assert_eq!(
        (&group["file"], &group["limit"], &group["interval"]),
        (&json!(file), &json!(5), &json!(0.02))
    );
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let mut expected =
        ["alerts", "annotations", "duration", "evaluationTime", "health", "keepFiringFor"].to_vec();
    expected.extend(["labels", "lastEvaluation", "name", "query", "state", "type"]);
    let mut found = keys(&group["rules"][0]);
    found.sort();
    assert_eq!(found, expected);
    let alert = &group["rules"][0]["alerts"][0];
    assert_eq!(alert["labels"], json!({"alertname": "A", "sev": "page", "team": "x"}));
    assert_eq!((&alert["state"], &alert["value"]), (&json!("pending"), &json!("1e+00")));
    assert_eq!(group["rules"][0]["duration"], json!(360_000));
    let recording = &group["rules"][1];
    let mut found = keys(recording);
    found.sort();
    assert_eq!(found, ["evaluationTime", "health", "labels", "lastEvaluation", "name", "query", "type"]);
    let waiting = &answer["groups"][1];
    assert_eq!(waiting["lastEvaluation"], "0001-01-01T00:00:00Z", "not evaluated yet");
    assert_eq!(waiting["rules"][0]["health"], "unknown");

    assert_eq!(data(&server, "alerts").await["alerts"][0]["labels"], alert["labels"]);
    assert_eq!(
        data(&server, "alertmanagers").await,
        json!({
            "activeAlertmanagers": [{"url": "http://alertmanager:9093/api/v2/alerts"}],
            "droppedAlertmanagers": [{"url": "http://other:9093/api/v2/alerts"}],
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn some_rules_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (server, file) = server(dir.path()).await;
    let both = json!([["g<1>", ["A", "x:y"]], ["h", ["x:z"]]]);
    for (query, expected) in [
        ("type=alert", json!([["g<1>", ["A"]]])),
        ("type=Record", json!([["g<1>", ["x:y"]], ["h", ["x:z"]]])),
        ("rule_name[]=A&rule_name[]=x:z", json!([["g<1>", ["A"]], ["h", ["x:z"]]])),
        ("rule_group[]=h", json!([["h", ["x:z"]]])),
        ("file[]=other.yml", json!([])),
        (&format!("file[]={file}"), both),
        ("match[]=%7Bteam=%22y%22%7D", json!([["h", ["x:z"]]])),
        ("match[]=%7Bteam=%22y%22%7D&match[]=%7Bsev=%22page%22%7D", json!([["g<1>", ["A"]], ["h", ["x:z"]]])),
        ("group_limit=1&rule_group[]=h", json!([["h", ["x:z"]]])),
    ] {
        assert_eq!(names(&data(&server, &format!("rules?{query}")).await), expected, "{query}");
    }
    let without = data(&server, "rules?exclude_alerts=true").await;
    assert_eq!(without["groups"][0]["rules"][0]["alerts"], Value::Null);

    let first = data(&server, "rules?group_limit=1").await;
    assert_eq!(names(&first), json!([["g<1>", ["A", "x:y"]]]));
    let token = first["groupNextToken"].as_str().unwrap();
    let second = data(&server, &format!("rules?group_limit=1&group_next_token={token}")).await;
    assert_eq!((names(&second), &second["groupNextToken"]), (json!([["h", ["x:z"]]]), &Value::Null));
}

#[tokio::test]
async fn wrong_questions_are_refused_in_prometheus_words() {
    let server = Server::start();
    for (query, error) in [
        ("type=foo", r#"invalid parameter "type": not supported value "foo""#),
        (
            "exclude_alerts=x",
            r#"invalid parameter "exclude_alerts": error converting exclude_alerts: strconv.ParseBool: parsing "x": invalid syntax"#,
        ),
        (
            "group_next_token=x",
            r#"invalid parameter "group_next_token": group_limit needs to be present in order to paginate over the groups"#,
        ),
        (
            "group_limit=99999999999",
            r#"invalid parameter "group_limit": group_limit needs to be a valid number: strconv.ParseInt: parsing "99999999999": value out of range"#,
        ),
        ("group_limit=0", r#"invalid parameter "group_limit": group_limit needs to be greater than 0"#),
        (
            "group_limit=1&group_next_token=x",
            r#"invalid parameter "group_next_token": invalid group_next_token 'x'. were rule groups changed?"#,
        ),
        ("match[]=%7Ba=%22%22%7D", "match[] must contain at least one non-empty matcher"),
    ] {
        let answer = ask(&server, &format!("rules?{query}")).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &body["errorType"]), (StatusCode::BAD_REQUEST, &json!("bad_data")));
        assert_eq!(body["error"], error);
    }
    // Without rules there is nothing, and that is no error.
    assert_eq!(data(&server, "rules").await, json!({"groups": []}));
    assert_eq!(data(&server, "alerts").await, json!({"alerts": []}));
    assert_eq!(
        data(&server, "alertmanagers").await,
        json!({"activeAlertmanagers": [], "droppedAlertmanagers": []})
    );
}
