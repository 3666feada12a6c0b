//! Every route of the service, on both databases.
#![allow(clippy::unwrap_used, reason = "a test may fail, and says so")]

use std::process::ExitCode;

use albums::MIGRATIONS;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use demo::faults::Settings;
use demo::testing::{Cases, TestDatabase, ask, send};
use demo::{Database, Faults};
use serde_json::json;
use telemetry::Telemetry;

async fn service_with(database: &TestDatabase, settings: Settings) -> Router {
    let telemetry = Telemetry::disabled();
    let database = Database::open(&database.url, MIGRATIONS, &telemetry).await.unwrap();
    let faults = Faults::new(settings, Some(1), &telemetry);
    demo::router(albums::routes::routes(&database, &faults), database, &telemetry)
}

async fn service(database: &TestDatabase) -> Router {
    service_with(database, Settings::NONE).await
}

fn new_album(title: &str) -> String {
    json!({"user_id": 3, "title": title, "artist": "Alice Coltrane", "year": 1971}).to_string()
}

async fn lists(database: TestDatabase) {
    let service = service(&database).await;
    let all = ask(&service, "GET /albums", None).await;
    assert_eq!(all.status, 200);
    assert_eq!(all.header("content-type"), "application/json");
    assert_eq!(all.json()["albums"].as_array().unwrap().len(), 20);
    let page = ask(&service, "GET /albums?limit=2&offset=3", None).await.json();
    assert_eq!(page["albums"][0]["id"], 4);
    assert_eq!(page["albums"].as_array().unwrap().len(), 2);
    let of_user = ask(&service, "GET /albums?user_id=7", None).await.json();
    assert_eq!(
        of_user["albums"][0],
        json!({"id": 13, "user_id": 7, "title": "Dummy", "artist": "Portishead", "year": 1994})
    );
    assert_eq!(of_user["albums"].as_array().unwrap().len(), 2);
    assert_eq!(ask(&service, "GET /albums?user_id=99", None).await.json(), json!({"albums": []}));
}

async fn bad_lists_are_refused(database: TestDatabase) {
    let service = service(&database).await;
    ask(&service, "GET /albums?limit=0", None).await.assert_problem(400, "limit may be from 1 to 1000");
    ask(&service, "GET /albums?limit=1001", None).await.assert_problem(400, "limit may be from 1 to 1000");
    ask(&service, "GET /albums?offset=-1", None).await.assert_problem(400, "offset may not be negative");
    ask(&service, "GET /albums?limit=many", None).await.assert_problem(400, "limit");
    ask(&service, "GET /albums?user_id=", None).await.assert_problem(400, "user_id");
}

async fn finds(database: TestDatabase) {
    let service = service(&database).await;
    let album = ask(&service, "GET /albums/1", None).await;
    assert_eq!(album.status, 200);
    assert_eq!(album.json()["title"], "Kind of Blue");
    ask(&service, "GET /albums/99", None).await.assert_problem(404, "no album has the id 99");
    ask(&service, "GET /albums/-1", None).await.assert_problem(404, "no album has the id -1");
    ask(&service, "GET /albums/one", None).await.assert_problem(400, "path");
    ask(&service, "GET /albums/99999999999999999999", None).await.assert_problem(400, "path");
}

async fn adds(database: TestDatabase) {
    let service = service(&database).await;
    let added = ask(&service, "POST /albums", Some(&new_album("Journey in Satchidananda"))).await;
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(added.header("location"), "/albums/21");
    assert_eq!(ask(&service, "GET /albums/21", None).await.json(), added.json());
    let again = ask(&service, "POST /albums", Some(&new_album("Journey in Satchidananda"))).await;
    again.assert_problem(409, "has an album of this title already");
}

async fn bad_albums_are_refused(database: TestDatabase) {
    let service = service(&database).await;
    let post = async |body: &str| ask(&service, "POST /albums", Some(body)).await;
    post("{").await.assert_problem(400, "not what is expected");
    post("{}").await.assert_problem(400, "missing field");
    post(r#"{"user_id":1,"title":"t","artist":"a","year":2000,"x":1}"#)
        .await
        .assert_problem(400, "unknown field");
    post(r#"{"user_id":1.5,"title":"t","artist":"a","year":2000}"#).await.assert_problem(400, "1.5");
    post(&new_album("  ")).await.assert_problem(422, "title");
    post(&new_album(&"x".repeat(201))).await.assert_problem(422, "200 characters");
    post(r#"{"user_id":1,"title":"t\u0000","artist":"a","year":2000}"#).await.assert_problem(422, "control");
    post(r#"{"user_id":0,"title":"t","artist":"a","year":2000}"#).await.assert_problem(422, "user_id");
    post(r#"{"user_id":1,"title":"t","artist":"a","year":1500}"#).await.assert_problem(422, "year");
    post(&format!("{:20000}", new_album("large"))).await.assert_problem(413, "16384 bytes");
    let untyped = Request::post("/albums").body(Body::from(new_album("untyped"))).unwrap();
    send(&service, untyped).await.assert_problem(415, "application/json");
    assert_eq!(ask(&service, "GET /albums", None).await.json()["albums"].as_array().unwrap().len(), 20);
}

async fn unknown_routes_and_methods_are_refused(database: TestDatabase) {
    let service = service(&database).await;
    ask(&service, "GET /nothing", None).await.assert_problem(404, "there is nothing at /nothing");
    let wrong = ask(&service, "DELETE /albums/1", None).await;
    wrong.assert_problem(405, "DELETE is not possible");
    assert_eq!(wrong.header("allow"), "GET,HEAD");
    ask(&service, "POST /healthz", None).await.assert_problem(405, "POST is not possible");
}

async fn faults_are_set_and_lifted_at_run_time(database: TestDatabase) {
    let service = service(&database).await;
    assert_eq!(
        ask(&service, "GET /chaos", None).await.json(),
        json!({"errors_percent": 0, "latency_ms": 0, "slow_percent": 0})
    );
    let hurt = ask(&service, "PUT /chaos", Some(r#"{"errors_percent": 100}"#)).await;
    assert_eq!((hurt.status.as_u16(), &hurt.json()["errors_percent"]), (200, &json!(100)));
    ask(&service, "GET /albums", None).await.assert_problem(500, "on purpose");
    ask(&service, "PUT /chaos", Some(r#"{"errors_percent": 101}"#))
        .await
        .assert_problem(422, "from 0 to 100");
    ask(&service, "PUT /chaos", Some(r#"{"errors_percent": -1}"#)).await.assert_problem(400, "-1");
    ask(&service, "PUT /chaos", Some(r#"{"errors": 1}"#)).await.assert_problem(400, "unknown field");
    ask(&service, "PUT /chaos", Some(r#"{"errors_percent": 0}"#)).await;
    assert_eq!(ask(&service, "GET /albums", None).await.status, 200);
}

async fn slow_requests_are_slow(database: TestDatabase) {
    let service =
        service_with(&database, Settings { errors_percent: 0, latency_ms: 120, slow_percent: 100 }).await;
    let begun = std::time::Instant::now();
    assert_eq!(ask(&service, "GET /albums", None).await.status, 200);
    assert!(begun.elapsed().as_millis() >= 60, "{:?}", begun.elapsed());
}

async fn health_is_the_databases(database: TestDatabase) {
    let telemetry = Telemetry::disabled();
    let open = Database::open(&database.url, MIGRATIONS, &telemetry).await.unwrap();
    let faults = Faults::new(Settings::NONE, None, &telemetry);
    let service = demo::router(albums::routes::routes(&open, &faults), open.clone(), &telemetry);
    assert_eq!(ask(&service, "GET /healthz", None).await.json(), json!({"status": "ok"}));
    open.close().await;
    let sick = ask(&service, "GET /healthz", None).await;
    sick.assert_problem(503, "the database does not answer");
    assert_eq!(sick.header("retry-after"), "1");
    ask(&service, "GET /albums", None).await.assert_problem(503, "the database does not answer");
}

async fn what_was_added_survives_a_restart(database: TestDatabase) {
    let first = service(&database).await;
    assert_eq!(ask(&first, "POST /albums", Some(&new_album("Ptah, the El Daoud"))).await.status, 201);
    let second = service(&database).await;
    let albums = ask(&second, "GET /albums", None).await.json();
    assert_eq!(albums["albums"].as_array().unwrap().len(), 21, "seeded once, kept the rest");
}

fn main() -> ExitCode {
    let mut cases = Cases::new();
    cases.on_both("lists", lists);
    cases.on_both("bad_lists_are_refused", bad_lists_are_refused);
    cases.on_both("finds", finds);
    cases.on_both("adds", adds);
    cases.on_both("bad_albums_are_refused", bad_albums_are_refused);
    cases.on_both("unknown_routes_and_methods_are_refused", unknown_routes_and_methods_are_refused);
    cases.on_both("faults_are_set_and_lifted_at_run_time", faults_are_set_and_lifted_at_run_time);
    cases.on_both("slow_requests_are_slow", slow_requests_are_slow);
    cases.on_both("health_is_the_databases", health_is_the_databases);
    cases.on_both("what_was_added_survives_a_restart", what_was_added_survives_a_restart);
    cases.run()
}
