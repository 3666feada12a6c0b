//! Arguments, variables, exit codes.

use std::process::Output;

use demo::testing::{Cases, ServiceProcess, TestDatabase};

pub(crate) fn add(cases: &mut Cases) {
    cases.case("help_lists_options_variables_and_an_example", help);
    cases.case("bad_values_are_refused_with_exit_code_2", bad_values);
    cases.case("a_busy_port_is_told_with_exit_code_1", busy_port);
    cases.case("healthcheck_asks_the_running_service", healthcheck);
    cases.case("flags_win_over_variables", flags);
    cases.on_postgres("a_database_that_starts_late_is_waited_for", late_database);
}

fn run(service: &str, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String) {
    let Output { status, stdout, stderr } =
        ServiceProcess::command(service, variables).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().unwrap(), text)
}

async fn help() {
    for service in ["users", "albums"] {
        let (code, text) = run(service, &["--help"], &[]);
        assert_eq!(code, 0);
        for expected in
            ["LISTEN_ADDR", "DATABASE_URL", "APP_ERRORS", "OTEL_TRACES_SAMPLER", "Example:", "healthcheck"]
        {
            assert!(text.contains(expected), "{service}: {expected} is not in\n{text}");
        }
        assert_eq!(run(service, &["--version"], &[]).0, 0);
    }
}

async fn bad_values() {
    let refused = |arguments: &[&str], variables: &[(&str, &str)], expected: &[&str]| {
        let (code, text) = run("users", arguments, variables);
        assert_eq!(code, 2, "{text}");
        for expected in expected {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    };
    refused(&["--frobnicate"], &[], &["--frobnicate"]);
    refused(&[], &[("APP_ERRORS", "101")], &["101", "0..=100"]);
    refused(&[], &[("APP_LATENCY", "-5")], &["-5"]);
    refused(&[], &[("LISTEN_ADDR", "8001")], &["8001"]);
    refused(&[], &[("OTEL_TRACES_SAMPLER", "maybe")], &["OTEL_TRACES_SAMPLER", "parentbased_always_on"]);
    refused(&[], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "https://x:4317")], &["https is not built in"]);
    refused(&[], &[("RUST_LOG", "users=loud")], &["RUST_LOG", "debug"]);
    let anywhere = ("LISTEN_ADDR", "127.0.0.1:0");
    refused(&[], &[anywhere, ("ALBUMS_URL", "albums:8002")], &["ALBUMS_URL", "http://host:port"]);
    refused(
        &[],
        &[anywhere, ("EXTERNAL_URL", "https://example.org")],
        &["EXTERNAL_URL", "https is not built in"],
    );
    refused(&[], &[anywhere, ("DATABASE_URL", "mysql://x")], &["DATABASE_URL", "postgres://"]);
}

async fn busy_port() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = run("users", &[], &[("LISTEN_ADDR", &address)]);
    assert_eq!(code, 1);
    assert!(text.contains(&address) && text.contains("LISTEN_ADDR chooses another"), "{text}");
}

/// The server's socket behind a port, which opens later than the service starts.
async fn late_database(database: TestDatabase) {
    let (folder, name) = database.url.strip_prefix("postgres://demo@").unwrap().split_once('/').unwrap();
    let socket = format!("{}/.s.PGSQL.5432", folder.replace("%2F", "/"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://demo@127.0.0.1:{port}/{name}");
    let started = tokio::task::spawn_blocking(move || {
        // As in a container: all addresses, and nothing that would take what is emitted.
        let variables =
            [("LISTEN_ADDR", "0.0.0.0:0"), ("DATABASE_URL", url.as_str()), ("OTEL_SDK_DISABLED", "true")];
        ServiceProcess::start("users", &variables)
    });
    // Longer than the pool is patient by itself.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert!(!started.is_finished(), "it did not wait");
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = tokio::net::UnixStream::connect(&socket).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    let service = started.await.unwrap();
    assert_eq!(service.lines_with("waiting for the database"), 1, "{:#?}", service.lines());
    // "All addresses" is where it listens, not where it is asked.
    let listen = format!("0.0.0.0:{}", service.address().port());
    assert_eq!(run("users", &["healthcheck"], &[("LISTEN_ADDR", &listen)]), (0, String::new()));
    let (status, lines) = tokio::task::spawn_blocking(|| service.stop()).await.unwrap();
    assert!(status.success(), "{lines:#?}");
}

async fn healthcheck() {
    let database = TestDatabase::sqlite();
    let service =
        ServiceProcess::start("albums", &[("DATABASE_URL", &database.url), ("OTEL_SDK_DISABLED", "true")]);
    let address = service.address().to_string();
    assert_eq!(run("albums", &["healthcheck"], &[("LISTEN_ADDR", &address)]), (0, String::new()));
    assert_eq!(run("albums", &["--listen-addr", &address, "healthcheck"], &[]).0, 0);
    service.stop();
    let (code, text) = run("albums", &["healthcheck"], &[("LISTEN_ADDR", &address)]);
    assert_eq!(code, 1);
    assert!(text.contains("unhealthy") && text.contains(&address), "{text}");
}

async fn flags() {
    let (code, text) =
        run("users", &["--app-errors", "7"], &[("APP_ERRORS", "200"), ("LISTEN_ADDR", "nowhere")]);
    assert_eq!(code, 2);
    assert!(text.contains("nowhere") && !text.contains("200"), "{text}");
}
