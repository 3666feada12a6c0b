//! The demo's inner service: albums, which users' service asks for.
//!
//! | route | answers |
//! |---|---|
//! | `GET /albums?user_id=&limit=&offset=` | `{"albums": […]}` |
//! | `GET /albums/{id}` | one album, or 404 |
//! | `POST /albums` | 201 with the new album, 409 where the user has one of that title |
//! | `GET /chaos`, `PUT /chaos` | the faults that `GET /albums` suffers; by default none |
//! | `GET /healthz`, `GET /metrics` | outside of telemetry |
//!
//! Begin reading at [`main_with`], then [`routes`](mod@routes).

mod repository;
pub mod routes;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use demo::faults::Settings;
use demo::{Database, Faults, Service};

pub use repository::MIGRATIONS;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8002);
const DEFAULT_DATABASE: &str = "sqlite:.mirante/demo/albums.db";

/// The demo's inner service: albums.
#[derive(Debug, Parser)]
#[command(name = "albums", version, max_term_width = 120, after_help = AFTER_HELP,
          after_long_help = format!("{AFTER_HELP}\n\n{}", telemetry::HELP))]
struct Cli {
    #[command(flatten)]
    options: demo::Options,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Command {
    /// Ask the running service for its health: exit code 0 or 1
    Healthcheck,
}

const AFTER_HELP: &str = concat!(
    "Defaults: LISTEN_ADDR=127.0.0.1:8002, DATABASE_URL=sqlite:.mirante/demo/albums.db, APP_ERRORS=0,\n",
    "APP_LATENCY=0, APP_SLOW=10. Flags win over variables.\n\n",
    "Example:\n  LISTEN_ADDR=127.0.0.1:9002 DATABASE_URL=postgres://demo:demo@localhost/demo albums",
);

/// Runs the service as this process's arguments and environment say, until it is told to stop.
pub fn main() -> ExitCode {
    main_with(std::env::args_os())
}

/// As [`main`], with arguments from elsewhere; the first is the program's name.
pub fn main_with(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match demo::parse::<Cli>(arguments) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let service = Service {
        name: "albums",
        version: env!("CARGO_PKG_VERSION"),
        listen: cli.options.listen_addr.unwrap_or(DEFAULT_LISTEN),
        healthcheck: matches!(cli.command, Some(Command::Healthcheck)),
    };
    demo::run(&service, async move |telemetry| {
        let url = cli.options.database_url.as_deref().unwrap_or(DEFAULT_DATABASE);
        let database = Database::open(url, MIGRATIONS, &telemetry).await?;
        let quiet = Settings { slow_percent: 10, ..Settings::NONE };
        let faults = Faults::new(cli.options.faults(quiet), cli.options.app_seed, &telemetry);
        let routes = routes::routes(&database, &faults);
        Ok((demo::router(routes, database.clone(), &telemetry), database))
    })
}
