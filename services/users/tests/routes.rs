//! Every route of the service, on both databases, with a real service of albums beside it, or none.
#![allow(clippy::unwrap_used, reason = "a test may fail, and says so")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use demo::faults::Settings;
use demo::testing::{Cases, TestDatabase, ask, send};
use demo::{Database, Faults};
use serde_json::{Value, json};
use telemetry::Telemetry;
use users::{AlbumsClient, App, External, MIGRATIONS};

/// What a test may change about the service.
struct Setup {
    albums_url: String,
    external_url: Option<String>,
    faults: Settings,
}

impl Default for Setup {
    fn default() -> Self {
        // Nothing listens on port 1.
        Self { albums_url: "http://127.0.0.1:1".to_owned(), external_url: None, faults: Settings::NONE }
    }
}

async fn service_with(database: &TestDatabase, setup: Setup) -> Router {
    let telemetry = Telemetry::disabled();
    let database = Database::open(&database.url, MIGRATIONS, &telemetry).await.unwrap();
    let albums = AlbumsClient::new(&setup.albums_url, 200, &telemetry).unwrap();
    let external = External::new(setup.external_url.as_deref(), &telemetry).unwrap();
    let faults = Faults::new(setup.faults, Some(1), &telemetry);
    let routes = App::new(&database, albums, external, &faults, &telemetry).routes();
    demo::router(routes, database, &telemetry)
}

async fn service(database: &TestDatabase) -> Router {
    service_with(database, Setup::default()).await
}

/// Serves a router on a port of the system's choice until the test's runtime ends, or the handle is aborted.
async fn listen(router: Router) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = axum::serve(listener, router);
    (url, tokio::spawn(async move { server.await.unwrap() }))
}

async fn albums_service() -> (String, tokio::task::JoinHandle<()>) {
    let telemetry = Telemetry::disabled();
    let database = Database::open("sqlite::memory:", albums::MIGRATIONS, &telemetry).await.unwrap();
    let faults = Faults::new(Settings::NONE, None, &telemetry);
    listen(demo::router(albums::routes::routes(&database, &faults), database, &telemetry)).await
}

async fn index(database: TestDatabase) {
    let index = ask(&service(&database).await, "GET /", None).await;
    assert_eq!(index.status, 200);
    assert_eq!(index.json()["service"], "users");
    assert!(index.json()["routes"].as_array().unwrap().contains(&json!("GET /users/{id}")));
}

async fn lists(database: TestDatabase) {
    let service = service(&database).await;
    let all = ask(&service, "GET /users", None).await;
    assert_eq!((all.status.as_u16(), all.header("content-type")), (200, "application/json"));
    assert_eq!(all.json()["users"].as_array().unwrap().len(), 10);
    assert_eq!(all.json()["users"][0], json!({"id": 1, "name": "ada", "email": "ada@example.org"}));
    let page = ask(&service, "GET /users?limit=2&offset=1", None).await.json();
    assert_eq!(page["users"].as_array().unwrap().len(), 2);
    assert_eq!(page["users"][0]["name"], "alan");
    assert_eq!(ask(&service, "HEAD /users", None).await.status, 200);
}

async fn bad_lists_are_refused(database: TestDatabase) {
    let service = service(&database).await;
    ask(&service, "GET /users?limit=0", None).await.assert_problem(400, "limit may be from 1 to 1000");
    ask(&service, "GET /users?offset=-3", None).await.assert_problem(400, "offset may not be negative");
    ask(&service, "GET /users?limit=x", None).await.assert_problem(400, "query");
}

async fn finds_by_id_and_by_name(database: TestDatabase) {
    let service = service(&database).await;
    let user = ask(&service, "GET /users/8", None).await;
    assert_eq!(user.json(), json!({"id": 8, "name": "grace", "email": "grace@example.org"}));
    assert_eq!(ask(&service, "GET /user/grace", None).await.json(), user.json());
    ask(&service, "GET /users/99", None).await.assert_problem(404, "no user has the id 99");
    ask(&service, "GET /users/eight", None).await.assert_problem(400, "path");
    ask(&service, "GET /user/nobody", None).await.assert_problem(404, "no user has this name");
    ask(&service, "GET /user/x%27%20OR%201=1", None).await.assert_problem(404, "no user has this name");
}

async fn adds(database: TestDatabase) {
    let service = service(&database).await;
    let body = json!({"name": "  lynn ", "email": "lynn@example.org"}).to_string();
    let added = ask(&service, "POST /users", Some(&body)).await;
    assert_eq!(added.status, 201, "{added:?}");
    assert_eq!(added.header("location"), "/users/11");
    assert_eq!(added.json(), json!({"id": 11, "name": "lynn", "email": "lynn@example.org"}));
    assert_eq!(ask(&service, "GET /users/11", None).await.json(), added.json());
    ask(&service, "POST /users", Some(&body)).await.assert_problem(409, "another user has this name");
}

async fn bad_users_are_refused(database: TestDatabase) {
    let service = service(&database).await;
    let post = async |body: &str| ask(&service, "POST /users", Some(body)).await;
    post("").await.assert_problem(400, "not what is expected");
    post("[]").await.assert_problem(400, "not what is expected");
    post(r#"{"name": "x"}"#).await.assert_problem(400, "missing field `email`");
    post(r#"{"name": "x", "email": "x@y", "id": 1}"#).await.assert_problem(400, "unknown field `id`");
    post(r#"{"name": "", "email": "x@y"}"#).await.assert_problem(422, "name");
    post(r#"{"name": "a/b", "email": "x@y"}"#).await.assert_problem(422, "name");
    for bad in ["x", "@", "x@", "@y", "x@y@z", "x y@z"] {
        post(&json!({"name": "x", "email": bad}).to_string()).await.assert_problem(422, "user@host");
    }
    let large = json!({"name": "x".repeat(20_000), "email": "x@y"}).to_string();
    post(&large).await.assert_problem(413, "16384 bytes");
    let text = Request::post("/users").header("content-type", "text/plain").body(Body::from("x")).unwrap();
    send(&service, text).await.assert_problem(415, "application/json");
    assert_eq!(ask(&service, "GET /users", None).await.json()["users"].as_array().unwrap().len(), 10);
}

async fn unknown_routes_and_methods_are_refused(database: TestDatabase) {
    let service = service(&database).await;
    ask(&service, "GET /users/1/songs", None).await.assert_problem(404, "there is nothing at /users/1/songs");
    let wrong = ask(&service, "DELETE /users", None).await;
    wrong.assert_problem(405, "DELETE is not possible at /users");
    assert_eq!(wrong.header("allow"), "GET,HEAD,POST");
}

async fn faults_are_set_and_lifted_at_run_time(database: TestDatabase) {
    let faults = Settings { errors_percent: 100, latency_ms: 80, slow_percent: 100 };
    let service = service_with(&database, Setup { faults, ..Setup::default() }).await;
    let begun = Instant::now();
    ask(&service, "GET /users", None).await.assert_problem(500, "on purpose");
    assert!(begun.elapsed() >= Duration::from_millis(40));
    assert_eq!(ask(&service, "GET /users/1", None).await.status, 200, "only the list is hurt");
    let healed = ask(&service, "PUT /chaos", Some(r#"{"errors_percent": 0, "latency_ms": 0}"#)).await;
    assert_eq!(healed.json(), json!({"errors_percent": 0, "latency_ms": 0, "slow_percent": 100}));
    assert_eq!(ask(&service, "GET /chaos", None).await.json(), healed.json());
    assert_eq!(ask(&service, "GET /users", None).await.status, 200);
    ask(&service, "PUT /chaos", Some(r#"{"latency_ms": 10001}"#))
        .await
        .assert_problem(422, "from 0 to 10000");
    ask(&service, "PUT /chaos", Some("5")).await.assert_problem(400, "not what is expected");
}

async fn a_tenth_fails_and_the_seed_says_which(database: TestDatabase) {
    let faults = Settings { errors_percent: 10, latency_ms: 0, slow_percent: 0 };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let service = service_with(&database, Setup { faults, ..Setup::default() }).await;
        let mut statuses = Vec::new();
        for _ in 0..200 {
            statuses.push(ask(&service, "GET /users", None).await.status.as_u16());
        }
        runs.push(statuses);
    }
    let failed = runs[0].iter().filter(|status| **status == 500).count();
    assert!((8..36).contains(&failed), "{failed} of 200 failed");
    assert_eq!(runs[0], runs[1]);
}

async fn albums_come_from_their_service(database: TestDatabase) {
    let (albums_url, _server) = albums_service().await;
    let service = service_with(&database, Setup { albums_url, ..Setup::default() }).await;
    let all = ask(&service, "GET /albums", None).await;
    assert_eq!(all.status, 200);
    assert_eq!(all.json()["source"], "albums");
    assert_eq!(all.json()["albums"].as_array().unwrap().len(), 20);
    assert!(all.headers.get("x-degraded").is_none() && all.json().get("reason").is_none());
    let of_user = ask(&service, "GET /users/7/albums", None).await.json();
    let titles: Vec<&Value> =
        of_user["albums"].as_array().unwrap().iter().map(|album| &album["title"]).collect();
    assert_eq!(titles, ["Dummy", "Homogenic"]);
    ask(&service, "GET /users/99/albums", None).await.assert_problem(404, "no user has the id 99");
}

async fn without_albums_the_fallback_is_stated(database: TestDatabase) {
    let service = service(&database).await;
    for path in ["GET /albums", "GET /users/7/albums"] {
        let degraded = ask(&service, path, None).await;
        assert_eq!(degraded.status, 200);
        assert_eq!(degraded.header("x-degraded"), "albums");
        assert_eq!(
            degraded.json(),
            json!({"albums": [], "source": "empty", "reason": "albums did not answer"})
        );
    }
}

async fn the_fallback_is_what_was_last_known(database: TestDatabase) {
    let (albums_url, server) = albums_service().await;
    let service = service_with(&database, Setup { albums_url, ..Setup::default() }).await;
    assert_eq!(ask(&service, "GET /albums", None).await.json()["source"], "albums");
    server.abort();
    let _ = server.await;
    // A connection that is kept open outlives the listener; a drill that kills the process has no such thing.
    let degraded = demo_eventually(async || {
        let answer = ask(&service, "GET /users/7/albums", None).await;
        (answer.header("x-degraded") == "albums").then_some(answer)
    })
    .await;
    assert_eq!(degraded.status, 200);
    assert_eq!(degraded.json()["source"], "cache");
    assert_eq!(degraded.json()["albums"].as_array().unwrap().len(), 2);
}

async fn demo_eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn albums_that_fail_are_told_from_albums_that_are_away(database: TestDatabase) {
    use axum::routing::get;
    let failing = get(async || axum::http::StatusCode::INTERNAL_SERVER_ERROR);
    let (albums_url, _server) = listen(Router::new().route("/albums", failing)).await;
    let service = service_with(&database, Setup { albums_url, ..Setup::default() }).await;
    // All that is asked for comes from albums, so its failure is the answer.
    ask(&service, "GET /albums", None).await.assert_problem(502, "albums answered with an error");
    // A part comes from albums, so the rest is still worth something.
    let degraded = ask(&service, "GET /users/7/albums", None).await;
    assert_eq!(degraded.status, 200);
    assert_eq!(degraded.header("x-degraded"), "albums");
    assert_eq!(degraded.json()["reason"], "albums answered with an error");
}

async fn albums_that_are_slow_or_babble_are_as_good_as_down(database: TestDatabase) {
    use axum::routing::get;
    let slow = get(async || tokio::time::sleep(Duration::from_secs(5)).await);
    let babbling = get(async || "no JSON");
    let huge = get(async || "x".repeat(2_000_000));
    for (handler, reason) in [
        (slow, "albums did not answer in time"),
        (babbling, "albums answered what is not understood"),
        (huge, "albums answered too much"),
    ] {
        let (albums_url, _server) = listen(Router::new().route("/albums", handler)).await;
        let service = service_with(&database, Setup { albums_url, ..Setup::default() }).await;
        let begun = Instant::now();
        let degraded = ask(&service, "GET /albums", None).await;
        assert_eq!((degraded.status.as_u16(), &degraded.json()["reason"]), (200, &json!(reason)));
        assert!(begun.elapsed() < Duration::from_secs(2), "{reason}: {:?}", begun.elapsed());
    }
}

async fn work_takes_its_time_and_is_bounded(database: TestDatabase) {
    let service = service(&database).await;
    let begun = Instant::now();
    let worked = ask(&service, "GET /work?seconds=0.05", None).await;
    assert_eq!((worked.status.as_u16(), &worked.json()["seconds"]), (200, &json!(0.05)));
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert!(worked.json()["primes"].as_u64().unwrap() > 0);
    for bad in ["11", "-1", "NaN", "inf"] {
        ask(&service, &format!("GET /work?seconds={bad}"), None).await.assert_problem(400, "from 0 to 10");
    }
    ask(&service, "GET /work?seconds=long", None).await.assert_problem(400, "query");
}

async fn work_leaves_room_for_others(database: TestDatabase) {
    let service = service(&database).await;
    let work = || {
        let service = service.clone();
        tokio::spawn(async move { ask(&service, "GET /work?seconds=0.5", None).await.status.as_u16() })
    };
    let (first, second) = (work(), work());
    tokio::time::sleep(Duration::from_millis(100)).await;
    let third = ask(&service, "GET /work?seconds=0.5", None).await;
    third.assert_problem(503, "2 requests work already");
    assert_eq!(third.header("retry-after"), "1");
    assert_eq!(ask(&service, "GET /users/1", None).await.status, 200);
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (200, 200));
}

async fn external_calls_what_it_is_told(database: TestDatabase) {
    use axum::routing::get;
    ask(&service(&database).await, "GET /external", None).await.assert_problem(503, "EXTERNAL_URL");
    let external = Router::new()
        .route("/fine", get(async || "fine"))
        .route("/broken", get(async || axum::http::StatusCode::BAD_GATEWAY));
    let (url, _server) = listen(external).await;
    let call = async |url: String| {
        let service = service_with(&database, Setup { external_url: Some(url), ..Setup::default() }).await;
        ask(&service, "GET /external", None).await
    };
    let fine = call(format!("{url}/fine")).await;
    assert_eq!((fine.status.as_u16(), &fine.json()["status"]), (200, &json!(200)));
    call(format!("{url}/broken")).await.assert_problem(502, "the external service answered 502");
    call("http://127.0.0.1:1".to_owned()).await.assert_problem(502, "did not answer");
}

async fn health_is_the_databases(database: TestDatabase) {
    let service = service(&database).await;
    assert_eq!(ask(&service, "GET /healthz", None).await.json(), json!({"status": "ok"}));
    ask(&service, "PUT /healthz", None).await.assert_problem(405, "PUT is not possible");
}

async fn metrics_are_not_there_when_disabled(database: TestDatabase) {
    let metrics = ask(&service(&database).await, "GET /metrics", None).await;
    assert_eq!(metrics.status, 404);
}

async fn two_services_share_a_database(database: TestDatabase) {
    let service = service(&database).await;
    let telemetry = Telemetry::disabled();
    Database::open(&database.url, albums::MIGRATIONS, &telemetry).await.unwrap();
    assert_eq!(ask(&service, "GET /users", None).await.json()["users"].as_array().unwrap().len(), 10);
}

fn main() -> ExitCode {
    let mut cases = Cases::new();
    cases.on_both("index", index);
    cases.on_both("lists", lists);
    cases.on_both("bad_lists_are_refused", bad_lists_are_refused);
    cases.on_both("finds_by_id_and_by_name", finds_by_id_and_by_name);
    cases.on_both("adds", adds);
    cases.on_both("bad_users_are_refused", bad_users_are_refused);
    cases.on_both("unknown_routes_and_methods_are_refused", unknown_routes_and_methods_are_refused);
    cases.on_both("faults_are_set_and_lifted_at_run_time", faults_are_set_and_lifted_at_run_time);
    cases.on_both("a_tenth_fails_and_the_seed_says_which", a_tenth_fails_and_the_seed_says_which);
    cases.on_both("albums_come_from_their_service", albums_come_from_their_service);
    cases.on_both("without_albums_the_fallback_is_stated", without_albums_the_fallback_is_stated);
    cases.on_both("the_fallback_is_what_was_last_known", the_fallback_is_what_was_last_known);
    cases.on_both(
        "albums_that_fail_are_told_from_albums_that_are_away",
        albums_that_fail_are_told_from_albums_that_are_away,
    );
    cases.on_both(
        "albums_that_are_slow_or_babble_are_as_good_as_down",
        albums_that_are_slow_or_babble_are_as_good_as_down,
    );
    cases.on_both("work_takes_its_time_and_is_bounded", work_takes_its_time_and_is_bounded);
    cases.on_both("work_leaves_room_for_others", work_leaves_room_for_others);
    cases.on_both("external_calls_what_it_is_told", external_calls_what_it_is_told);
    cases.on_both("health_is_the_databases", health_is_the_databases);
    cases.on_both("metrics_are_not_there_when_disabled", metrics_are_not_there_when_disabled);
    cases.on_both("two_services_share_a_database", two_services_share_a_database);
    cases.run()
}
