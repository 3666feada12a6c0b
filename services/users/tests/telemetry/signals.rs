//! Spans, metrics and log records: names, attributes, and how they hang together.

use demo::testing::{Cases, OtlpSink, ReceivedMetric, ReceivedSpan, TestDatabase, eventually};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use crate::{CALLER, Pair, TRACE, get, quickly};

pub(crate) fn add(cases: &mut Cases) {
    cases.on_both("one_trace_from_users_to_albums_to_the_databases", one_trace);
    cases.case("all_signals_over_http", all_signals_over_http);
    cases.case("metrics_have_the_names_of_the_conventions", metrics);
    cases.case("log_records_carry_the_ids_of_their_span", log_records);
    cases.case("failures_are_recorded", failures);
    cases.case("a_fallback_is_an_event_and_counted", fallback);
    cases.case("errors_are_counted_by_who_is_to_blame", blame);
    cases.case("the_client_and_the_user_are_told", who_asks);
    cases.case("background_work_is_linked", linked);
    cases.case("spans_of_tracing_find_their_parent", tracing_spans);
    cases.case("errors_of_the_database_are_told", database_errors);
    cases.case("the_resource_says_who", resource);
}

fn find(spans: &[ReceivedSpan], service: &str, name: &str) -> Option<ReceivedSpan> {
    spans.iter().find(|span| span.service() == service && span.span.name == name).cloned()
}

async fn span(sink: &OtlpSink, service: &str, name: &str) -> ReceivedSpan {
    eventually(&format!("{service}: {name}"), || find(&sink.spans(), service, name)).await
}

fn kind(span: &ReceivedSpan) -> SpanKind {
    SpanKind::try_from(span.span.kind).unwrap()
}

async fn one_trace(database: TestDatabase) {
    let sink = OtlpSink::grpc().await;
    // Two services in one database, as a compose file has them; SQLite takes two files as well.
    let system = if database.url.starts_with("sqlite") { "sqlite" } else { "postgresql" };
    let pair = Pair::start([database.clone(), database], &quickly(&sink.endpoint(), "grpc"), &[]);
    let answer = get(pair.users.url("/users/7/albums?x=1")).await;
    assert_eq!(answer.status(), 200);

    let server = span(&sink, "users", "GET /users/{id}/albums").await;
    let select_user = span(&sink, "users", "SELECT users").await;
    let client = span(&sink, "users", "GET /albums").await;
    let inner = span(&sink, "albums", "GET /albums").await;
    let select_albums = span(&sink, "albums", "SELECT albums").await;
    for span in [&server, &select_user, &client, &inner, &select_albums] {
        assert_eq!(span.trace_id(), TRACE, "{}", span.span.name);
        assert!(span.span.end_time_unix_nano >= span.span.start_time_unix_nano);
    }
    assert_eq!(server.span.parent_span_id, u64::from_str_radix(CALLER, 16).unwrap().to_be_bytes());
    assert_eq!(select_user.span.parent_span_id, server.span.span_id);
    assert_eq!(client.span.parent_span_id, server.span.span_id);
    assert_eq!(inner.span.parent_span_id, client.span.span_id);
    assert_eq!(select_albums.span.parent_span_id, inner.span.span_id);
    assert_eq!(
        [&server, &select_user, &client, &inner].map(kind),
        [SpanKind::Server, SpanKind::Client, SpanKind::Client, SpanKind::Server]
    );

    let port = pair.albums.address().port();
    let attribute = |span: &ReceivedSpan, key: &str| span.attributes.get(key).unwrap_or("-").to_owned();
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/users/{id}/albums"),
        ("url.path", "/users/7/albums"),
        ("url.query", "x=1"),
        ("url.scheme", "http"),
        ("http.response.status_code", "200"),
        ("user_agent.original", "test/1"),
        ("user_agent.name", "test"),
        ("client.address", "127.0.0.1"),
        ("user.id", "-"),
        ("demo.origin", "-"),
        ("error.type", "-"),
    ] {
        assert_eq!(attribute(&server, key), value, "{key}");
    }
    for (key, value) in [
        ("http.request.method", "GET"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port.to_string()),
        ("url.full", &format!("http://127.0.0.1:{port}/albums?user_id=7")),
        ("url.template", "/albums"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(attribute(&client, key), value, "{key}");
    }
    for (key, value) in [
        ("db.system.name", system),
        ("db.operation.name", "SELECT"),
        ("db.collection.name", "users"),
        ("db.query.summary", "SELECT users"),
        ("db.query.text", "SELECT id, name, email FROM users WHERE id = $1"),
    ] {
        assert_eq!(attribute(&select_user, key), value, "{key}");
    }
    assert!(attribute(&select_user, "db.namespace").starts_with("test"));
    // Spans are to be small: nothing about threads, files, lines or idle time.
    for span in sink.spans() {
        for (key, _) in &span.attributes.0 {
            assert!(
                !["thread.", "code.", "busy", "idle", "target", "level"].iter().any(|no| key.starts_with(no)),
                "{key}"
            );
        }
    }
}

async fn all_signals_over_http() {
    let sink = OtlpSink::http().await;
    let pair = Pair::on_sqlite(
        &quickly(&sink.endpoint(), "http/protobuf"),
        &[("OTEL_EXPORTER_OTLP_COMPRESSION", "none")],
    );
    get(pair.users.url("/users")).await;
    assert_eq!(span(&sink, "users", "GET /users").await.trace_id(), TRACE);
    eventually("a log record", || sink.logs().iter().any(|log| log.trace_id() == TRACE).then_some(())).await;
    eventually("a metric", || (!points(&sink, "http.server.request.duration").is_empty()).then_some(()))
        .await;
}

fn points(sink: &OtlpSink, name: &str) -> Vec<ReceivedMetric> {
    sink.metrics().into_iter().filter(|point| point.name == name).collect()
}

fn with(point: &ReceivedMetric, attributes: &[(&str, &str)]) -> bool {
    attributes.iter().all(|(key, value)| point.attributes.get(key) == Some(value))
}

async fn point(sink: &OtlpSink, service: &str, name: &str, attributes: &[(&str, &str)]) -> ReceivedMetric {
    eventually(&format!("{service}: {name} {attributes:?}"), || {
        points(sink, name)
            .into_iter()
            .find(|point| point.resource.get("service.name") == Some(service) && with(point, attributes))
    })
    .await
}

async fn metrics() {
    let sink = OtlpSink::grpc().await;
    let pair = Pair::to(&sink);
    get(pair.users.url("/users/7/albums")).await;
    get(pair.users.url("/users/99")).await;

    let server = point(
        &sink,
        "users",
        "http.server.request.duration",
        &[
            ("http.request.method", "GET"),
            ("http.route", "/users/{id}/albums"),
            ("http.response.status_code", "200"),
            ("url.scheme", "http"),
        ],
    )
    .await;
    assert_eq!((server.unit.as_str(), server.value), ("s", 1.0));
    assert_eq!(server.bounds.first(), Some(&0.005));
    assert_eq!(server.bounds.last(), Some(&10.0));
    assert_eq!(server.attributes.0.len(), 4, "{:?}", server.attributes);
    point(&sink, "users", "http.server.request.duration", &[("http.response.status_code", "404")]).await;

    let port = pair.albums.address().port().to_string();
    let client =
        [("server.address", "127.0.0.1"), ("server.port", &*port), ("http.response.status_code", "200")];
    let client = point(&sink, "users", "http.client.request.duration", &client).await;
    assert_eq!(client.attributes.get("error.type"), None);

    let database = [
        ("db.system.name", "sqlite"),
        ("db.operation.name", "SELECT"),
        ("db.collection.name", "albums"),
        ("db.query.summary", "SELECT albums"),
    ];
    let database = point(&sink, "albums", "db.client.operation.duration", &database).await;
    assert_eq!(database.bounds.first(), Some(&0.001));
    assert_eq!(database.attributes.get("db.query.text"), None, "text would make series of statements");

    for state in ["idle", "used"] {
        point(&sink, "users", "db.client.connection.count", &[("db.client.connection.state", state)]).await;
    }
    eventually("no active request", || {
        points(&sink, "http.server.active_requests")
            .last()
            .is_some_and(|point| point.value == 0.0)
            .then_some(())
    })
    .await;
}

async fn log_records() {
    let sink = OtlpSink::grpc().await;
    let pair = Pair::to(&sink);
    get(pair.users.url("/users?limit=3")).await;
    let log =
        eventually("the line", || sink.logs().into_iter().find(|log| log.body() == "listed users")).await;
    let server = span(&sink, "users", "GET /users").await;
    assert_eq!(log.trace_id(), TRACE);
    assert_eq!(log.record.span_id, server.span.span_id);
    assert_eq!(log.record.severity_text, "INFO");
    assert_eq!(log.attributes.get("count"), Some("3"));
    assert_eq!(log.resource.get("service.name"), Some("users"));

    // The same line on the console.
    let line = eventually("the line on the console", || {
        pair.users.lines().into_iter().find(|line| line.contains("listed users"))
    })
    .await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["trace_id"], TRACE);
    assert_eq!(line["span_id"].as_str().unwrap().len(), 16);
    assert_eq!(line["count"], 3);
}

async fn failures() {
    let sink = OtlpSink::grpc().await;
    let pair = Pair::on_sqlite(&quickly(&sink.endpoint(), "grpc"), &[("APP_ERRORS", "100")]);
    let answer = get(pair.users.url("/users")).await;
    assert_eq!(answer.status(), 500);
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["trace_id"], TRACE, "whoever sees the error can find its trace");

    let server = span(&sink, "users", "GET /users").await;
    assert_eq!(server.span.status.as_ref().unwrap().code(), StatusCode::Error);
    assert_eq!(server.attributes.get("error.type"), Some("500"));
    let exception = &server.span.events[0];
    assert_eq!(exception.name, "exception");
    let keys: Vec<&str> = exception.attributes.iter().map(|pair| pair.key.as_str()).collect();
    assert_eq!(keys, ["exception.type", "exception.message"]);
    point(&sink, "users", "http.server.request.duration", &[("error.type", "500")]).await;
    point(&sink, "users", "demo.faults", &[("fault.kind", "error")]).await;
    let log = eventually("the line", || {
        sink.logs().into_iter().find(|log| log.record.severity_text == "ERROR" && log.trace_id() == TRACE)
    })
    .await;
    assert_eq!(log.attributes.get("error.type"), Some("InjectedFault"));

    // What the client did wrong is no error of the server's.
    get(pair.users.url("/users/99")).await;
    let not_found = span(&sink, "users", "GET /users/{id}").await;
    assert_eq!(not_found.span.status.unwrap_or_default().code(), StatusCode::Unset);
}

async fn blame() {
    let sink = OtlpSink::grpc().await;
    let endpoint = sink.endpoint();
    let mut variables = quickly(&endpoint, "grpc");
    variables.retain(|(name, _)| *name != "APP_ERRORS");
    variables.push(("APP_ERRORS", "100"));
    let pair = Pair::on_sqlite(&variables, &[]);
    // Both count from 0, so that the first error is seen as an increase.
    for (service, origins) in [
        ("users", &["caller", "users", "database", "albums", "external"][..]),
        ("albums", &["caller", "albums", "database"]),
    ] {
        for origin in origins {
            let zero = point(&sink, service, "demo.errors", &[("demo.origin", origin)]).await;
            assert_eq!(zero.value, 0.0, "{service}: {origin}");
        }
    }
    let counted = async |service: &str, origin: &str, count: f64| {
        eventually(&format!("{service}: {count} of {origin}"), || {
            points(&sink, "demo.errors")
                .into_iter()
                .find(|point| {
                    point.resource.get("service.name") == Some(service)
                        && with(point, &[("demo.origin", origin)])
                        && point.value == count
                })
                .map(drop)
        })
        .await;
    };
    assert_eq!(get(pair.users.url("/albums")).await.status(), 502);
    counted("users", "albums", 1.0).await;
    counted("albums", "albums", 1.0).await;
    assert_eq!(get(pair.users.url("/users")).await.status(), 500);
    counted("users", "users", 1.0).await;
    assert_eq!(get(pair.users.url("/users/99")).await.status(), 404);
    counted("users", "caller", 1.0).await;
    counted("users", "albums", 1.0).await;

    let passed_on = eventually("the span of the error that came from albums", || {
        let is_it = |span: &ReceivedSpan| {
            span.service() == "users" && span.span.name == "GET /albums" && kind(span) == SpanKind::Server
        };
        sink.spans().into_iter().find(is_it)
    })
    .await;
    assert_eq!(passed_on.attributes.get("demo.origin"), Some("albums"));
    assert_eq!(passed_on.attributes.get("error.type"), Some("502"));
}

async fn who_asks() {
    let sink = OtlpSink::grpc().await;
    let pair = Pair::to(&sink);
    let client = reqwest::Client::new();
    for _ in 0..2 {
        let request = client.get(pair.users.url("/users/7/albums")).header("x-user-id", "u-42");
        let request = request.header("user-agent", "shop-app/3.1 (phone)").header("baggage", "team=a");
        assert_eq!(request.header("x-forwarded-for", "203.0.113.7").send().await.unwrap().status(), 200);
    }
    let outer = span(&sink, "users", "GET /users/{id}/albums").await;
    assert_eq!(outer.attributes.get("user.id"), Some("u-42"));
    assert_eq!(outer.attributes.get("client.address"), Some("203.0.113.7"));
    assert_eq!(outer.attributes.get("user_agent.name"), Some("shop-app"));
    let inner = eventually("the span of albums", || {
        sink.spans().into_iter().find(|span| span.service() == "albums" && kind(span) == SpanKind::Server)
    })
    .await;
    assert_eq!(inner.attributes.get("user.id"), Some("u-42"), "passed on as baggage");
    assert_eq!(inner.attributes.get("user_agent.name"), Some("users"), "who calls says so");
    for service in ["users", "albums"] {
        eventually(&format!("a line of {service} that says whose request it was"), || {
            sink.logs()
                .into_iter()
                .find(|log| {
                    log.resource.get("service.name") == Some(service)
                        && log.attributes.get("user.id") == Some("u-42")
                })
                .map(drop)
        })
        .await;
    }
    eventually("both requests of the client", || {
        points(&sink, "demo.client.requests")
            .into_iter()
            .find(|point| with(point, &[("user_agent.name", "shop-app")]) && point.value == 2.0)
            .map(drop)
    })
    .await;
    let time = point(&sink, "users", "demo.client.request.time", &[("user_agent.name", "shop-app")]).await;
    assert!(time.unit == "s" && time.value > 0.0 && time.value < 10.0, "{} {}", time.value, time.unit);
}

async fn fallback() {
    let sink = OtlpSink::grpc().await;
    let pair = Pair::on_sqlite(&quickly(&sink.endpoint(), "grpc"), &[("ALBUMS_URL", "http://127.0.0.1:1")]);
    let answer = get(pair.users.url("/albums")).await;
    assert_eq!(answer.status(), 200);
    let client = eventually("the client's span", || {
        sink.spans()
            .into_iter()
            .find(|span| span.span.name == "GET /albums" && kind(span) == SpanKind::Client)
    })
    .await;
    assert_eq!(client.attributes.get("error.type"), Some("connect"));
    assert_eq!(client.span.status.unwrap().code(), StatusCode::Error);
    assert_eq!(client.span.events[0].name, "exception");
    let server = eventually("the server's span", || {
        sink.spans()
            .into_iter()
            .find(|span| span.span.name == "GET /albums" && kind(span) == SpanKind::Server)
    })
    .await;
    assert_eq!(server.span.events[0].name, "fallback");
    assert_eq!(server.span.status.unwrap_or_default().code(), StatusCode::Unset);
    let count =
        point(&sink, "users", "demo.fallbacks", &[("demo.peer", "albums"), ("demo.fallback", "empty")]).await;
    assert_eq!(count.value as u64, 1);
    point(&sink, "users", "http.client.request.duration", &[("error.type", "connect")]).await;
}

async fn linked() {
    let sink = OtlpSink::grpc().await;
    let pair = Pair::to(&sink);
    let client = reqwest::Client::new();
    let body = serde_json::json!({"name": "lynn", "email": "lynn@example.org"}).to_string();
    let request = client.post(pair.users.url("/users")).header("content-type", "application/json").body(body);
    assert_eq!(request.send().await.unwrap().status(), 201);
    let request = span(&sink, "users", "POST /users").await;
    let insert = span(&sink, "users", "INSERT users").await;
    assert_eq!(insert.span.parent_span_id, request.span.span_id);
    let work = span(&sink, "users", "welcome user").await;
    assert_ne!(work.trace_id(), request.trace_id());
    assert!(work.span.parent_span_id.is_empty());
    assert_eq!(work.span.links.len(), 1);
    assert_eq!(work.span.links[0].trace_id, request.span.trace_id);
    assert_eq!(work.span.links[0].span_id, request.span.span_id);
    let select = eventually("the select of the work", || {
        sink.spans().into_iter().find(|span| span.span.parent_span_id == work.span.span_id)
    })
    .await;
    assert_eq!(select.span.name, "SELECT users");
}

async fn tracing_spans() {
    let sink = OtlpSink::grpc().await;
    let pair = Pair::to(&sink);
    get(pair.users.url("/work?seconds=0.05")).await;
    let server = span(&sink, "users", "GET /work").await;
    let work = span(&sink, "users", "count primes").await;
    assert_eq!(work.span.parent_span_id, server.span.span_id);
    // Without a profiler there is nothing to lead to.
    assert_eq!(work.attributes.0, [("seconds".to_owned(), "0.05".to_owned())]);
    let log = eventually("its line", || sink.logs().into_iter().find(|log| log.body() == "worked")).await;
    assert_eq!(log.record.span_id, work.span.span_id);
}

async fn database_errors() {
    let sink = OtlpSink::grpc().await;
    let pair = Pair::to(&sink);
    let client = reqwest::Client::new();
    let body = serde_json::json!({"name": "ada", "email": "ada@example.org"}).to_string();
    let request = client.post(pair.users.url("/users")).header("content-type", "application/json").body(body);
    assert_eq!(request.send().await.unwrap().status(), 409);
    let insert = span(&sink, "users", "INSERT users").await;
    // SQLITE_CONSTRAINT_UNIQUE
    assert_eq!(insert.attributes.get("db.response.status_code"), Some("2067"));
    assert_eq!(insert.attributes.get("error.type"), Some("2067"));
    assert_eq!(insert.span.events[0].name, "exception");
    point(&sink, "users", "db.client.operation.duration", &[("error.type", "2067")]).await;
}

async fn resource() {
    let sink = OtlpSink::grpc().await;
    let variables =
        [("OTEL_SERVICE_NAME", "front"), ("OTEL_RESOURCE_ATTRIBUTES", "team=a%20team,service.version=9")];
    let pair = Pair::on_sqlite(&quickly(&sink.endpoint(), "grpc"), &variables);
    get(pair.users.url("/users")).await;
    let span = span(&sink, "front", "GET /users").await;
    for (key, value) in [
        ("service.namespace", "demo"),
        ("service.version", "9"),
        ("team", "a team"),
        ("telemetry.sdk.language", "rust"),
        ("telemetry.sdk.name", "opentelemetry"),
    ] {
        assert_eq!(span.resource.get(key), Some(value), "{key}");
    }
    assert_eq!(span.resource.get("service.instance.id").unwrap().len(), 36);
    assert!(span.resource.get("telemetry.sdk.version").is_some());
    assert!(!span.resource.get("host.name").unwrap_or_default().is_empty());
    assert_eq!(span.resource.get("process.pid"), Some(pair.users.pid().to_string().as_str()));
}
