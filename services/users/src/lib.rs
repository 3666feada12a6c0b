//! The demo's edge service: users, and the albums that it fetches for them.
//!
//! | route | answers |
//! |---|---|
//! | `GET /` | what there is |
//! | `GET /users?limit=&offset=` | `{"users": […]}`; by default a tenth is slow and a tenth fails |
//! | `GET /users/{id}`, `GET /user/{name}` | one user, or 404 |
//! | `POST /users` | 201 with the new user, 409 where the name is taken; then work in the background |
//! | `GET /albums`, `GET /users/{id}/albums` | what the service of albums says, or a stated fallback |
//! | `GET /work?seconds=` | burns CPU for so long, 10 seconds at most |
//! | `GET /external` | calls `EXTERNAL_URL` |
//! | `GET /chaos`, `PUT /chaos` | the faults |
//! | `GET /healthz`, `GET /metrics` | outside of telemetry |
//!
//! Begin reading at [`main_with`], then [`routes`](mod@routes).

mod albums;
mod external;
mod repository;
pub mod routes;
mod work;

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use demo::faults::Settings;
use demo::{Database, Faults, Service};

pub use albums::AlbumsClient;
pub use external::External;
pub use repository::MIGRATIONS;
pub use routes::App;

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8001);
const DEFAULT_DATABASE: &str = "sqlite:.mirante/demo/users.db";
/// There has to be something to find.
const DEFAULT_FAULTS: Settings = Settings { errors_percent: 10, latency_ms: 800, slow_percent: 10 };

/// The demo's edge service: users.
#[derive(Debug, Parser)]
#[command(name = "users", version, max_term_width = 120, after_help = AFTER_HELP,
          after_long_help = format!("{AFTER_HELP}\n\n{}", telemetry::HELP))]
struct Cli {
    #[command(flatten)]
    options: demo::Options,
    /// The service of albums
    #[arg(long, env = "ALBUMS_URL", value_name = "URL", default_value = "http://127.0.0.1:8002")]
    albums_url: String,
    /// Milliseconds after which the service of albums is taken to be down
    #[arg(long, env = "ALBUMS_TIMEOUT", value_name = "MS", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    albums_timeout: u32,
    /// What GET /external calls; without it the route answers 503
    #[arg(long, env = "EXTERNAL_URL", value_name = "URL")]
    external_url: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Command {
    /// Ask the running service for its health: exit code 0 or 1
    Healthcheck,
}

const AFTER_HELP: &str = concat!(
    "Defaults: LISTEN_ADDR=127.0.0.1:8001, DATABASE_URL=sqlite:.mirante/demo/users.db, APP_ERRORS=10,\n",
    "APP_LATENCY=800, APP_SLOW=10. Flags win over variables.\n\n",
    "Example:\n  LISTEN_ADDR=127.0.0.1:9001 APP_ERRORS=0 users --albums-url http://127.0.0.1:9002",
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
        name: "users",
        version: env!("CARGO_PKG_VERSION"),
        listen: cli.options.listen_addr.unwrap_or(DEFAULT_LISTEN),
        healthcheck: matches!(cli.command, Some(Command::Healthcheck)),
    };
    demo::run(&service, async move |telemetry| {
        // Addresses first: a typing error is told at once, not after a database was waited for.
        let albums = AlbumsClient::new(&cli.albums_url, cli.albums_timeout, &telemetry)?;
        let external = External::new(cli.external_url.as_deref(), &telemetry)?;
        let url = cli.options.database_url.as_deref().unwrap_or(DEFAULT_DATABASE);
        let database = Database::open(url, MIGRATIONS, &telemetry).await?;
        let faults = Faults::new(cli.options.faults(DEFAULT_FAULTS), cli.options.app_seed, &telemetry);
        let routes = App::new(&database, albums, external, &faults, &telemetry).routes();
        Ok((demo::router(routes, database.clone(), &telemetry), database))
    })
}
