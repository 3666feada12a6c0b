//! What the two demo services share, and nothing of what they do: their options, the two databases, problem bodies
//! ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)), faults on demand, serving and an orderly end.
//!
//! Not part of the stack: it knows `telemetry`, as any application would, and nothing else of ours. Begin reading at
//! [`run`].

pub mod database;
pub mod extract;
pub mod faults;
mod health;
mod options;
pub mod problem;
mod protect;
mod serve;
#[cfg(feature = "testing")]
pub mod testing;

use std::path::PathBuf;

pub use database::{Database, Migration, Migrations, Page, Pool};
pub use faults::Faults;
pub use options::{Options, base_url, parse};
pub use problem::Problem;
pub use serve::{Service, router, run};

/// Why a service does not start, or ends.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option or a variable of the environment holds what is not allowed.
    #[error("{name}={value:?} is not allowed; allowed: {allowed}")]
    BadOption {
        /// Its name.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it may hold.
        allowed: String,
    },
    /// See [`telemetry::Error`].
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    /// The address is taken, or not one of this machine's.
    #[error("cannot listen on {address}: {source} (hint: LISTEN_ADDR chooses another address)")]
    Listen {
        /// As it was asked for.
        address: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The folder of an SQLite database could not be made.
    #[error("cannot make the folder {} for the database: {source}", folder.display())]
    Folder {
        /// Its path.
        folder: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The database did not let us in, in the time that a start may take.
    #[error("cannot open the database {name}: {source} (hint: DATABASE_URL chooses another one)")]
    Connect {
        /// Its name, without credentials.
        name: String,
        /// The library's reason.
        source: sqlx::Error,
    },
    /// The database could not be brought to this version's form.
    #[error("cannot migrate the database: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// An HTTP client could not be built.
    #[error("cannot build an HTTP client: {0}")]
    HttpClient(String),
    /// The runtime or the listener failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The result of what a start consists of.
pub type Result<T, E = Error> = std::result::Result<T, E>;
