//! What the services emit, seen from where it arrives: real processes, a real receiver.
#![allow(clippy::unwrap_used, reason = "a test may fail, and says so")]

mod telemetry {
    pub(crate) mod at_exit;
    pub(crate) mod command_line;
    pub(crate) mod delivery;
    pub(crate) mod signals;
    pub(crate) mod sinks;
}

use std::process::ExitCode;

use demo::testing::{Cases, OtlpSink, ServiceProcess, TestDatabase};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A running pair of services.
struct Pair {
    users: ServiceProcess,
    albums: ServiceProcess,
    // Kept until the processes are gone.
    _databases: [TestDatabase; 2],
}

/// Variables that make everything arrive quickly.
fn quickly<'a>(endpoint: &'a str, protocol: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ("OTEL_BSP_SCHEDULE_DELAY", "50"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "50"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200"),
        ("APP_ERRORS", "0"),
        ("APP_LATENCY", "0"),
    ]
}

impl Pair {
    /// Both services with the same variables, users with some more.
    fn start(databases: [TestDatabase; 2], shared: &[(&str, &str)], of_users: &[(&str, &str)]) -> Self {
        let mut variables = shared.to_vec();
        variables.push(("DATABASE_URL", &databases[1].url));
        let albums = ServiceProcess::start("albums", &variables);
        let albums_url = albums.url("");
        let mut variables = shared.to_vec();
        variables.extend([("DATABASE_URL", databases[0].url.as_str()), ("ALBUMS_URL", &albums_url)]);
        variables.extend(of_users);
        let users = ServiceProcess::start("users", &variables);
        Self { users, albums, _databases: databases }
    }

    fn on_sqlite(shared: &[(&str, &str)], of_users: &[(&str, &str)]) -> Self {
        Self::start([TestDatabase::sqlite(), TestDatabase::sqlite()], shared, of_users)
    }

    fn to(sink: &OtlpSink) -> Self {
        Self::on_sqlite(&quickly(&sink.endpoint(), "grpc"), &[])
    }
}

/// `GET` with a caller's trace context.
async fn get(url: String) -> reqwest::Response {
    let client = reqwest::Client::new();
    let request = client.get(url).header("traceparent", format!("00-{TRACE}-{CALLER}-01"));
    request.header("user-agent", "test/1").send().await.unwrap()
}

fn main() -> ExitCode {
    if let Some(code) =
        ServiceProcess::become_one(&[("users", users::main_with), ("albums", albums::main_with)])
    {
        return code;
    }
    let mut cases = Cases::new();
    telemetry::signals::add(&mut cases);
    telemetry::delivery::add(&mut cases);
    telemetry::at_exit::add(&mut cases);
    telemetry::sinks::add(&mut cases);
    telemetry::command_line::add(&mut cases);
    cases.run()
}
