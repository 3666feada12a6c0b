//! SQLite or PostgreSQL, as `DATABASE_URL` says. SQL that both understand is written once, with `$1` for values.

use std::future::Future;
use std::path::Path;
use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::Deserialize;
use sqlx::migrate::{MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, SqlSafeStr};
use telemetry::Telemetry;
use telemetry::database::{Failure, Peer, Statement};

use crate::{Error, Problem, Result};

/// Few: a connection costs memory, and a demo has few users.
const MOST_CONNECTIONS: u32 = 4;
/// Longest that a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest that a start waits for a server which starts at the same time.
const START_TIMEOUT: Duration = Duration::from_secs(30);
const START_RETRY: Duration = Duration::from_millis(250);
/// SQLite's page cache for a connection, in KiB (negative, as SQLite writes it).
const SQLITE_CACHE: &str = "-512";

/// The database, among those who may be to blame for an error.
pub(crate) const ORIGIN: &str = "database";

/// One step of a database's form, in the SQL of one system.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// 1, 2, 3, …
    pub version: i64,
    /// What it does.
    pub description: &'static str,
    /// Statements.
    pub sql: &'static str,
}

/// All steps, in the SQL of both systems.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// Where sqlx remembers what was done. A name for each service, so that two may share a database.
    pub table: &'static str,
    /// For SQLite.
    pub sqlite: &'static [Migration],
    /// For PostgreSQL.
    pub postgres: &'static [Migration],
}

/// The pool of either system.
#[derive(Clone, Debug)]
pub enum Pool {
    /// A file.
    Sqlite(SqlitePool),
    /// A server.
    Postgres(PgPool),
}

/// An open database, instrumented. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    pool: Pool,
    instruments: telemetry::database::Database,
}

/// Awaits the same call on the pool of either system: `on_pool!(database, pool => query.fetch_one(pool))`.
#[macro_export]
macro_rules! on_pool {
    ($database:expr, $pool:ident => $call:expr) => {
        match $database.pool() {
            $crate::Pool::Sqlite($pool) => $call.await,
            $crate::Pool::Postgres($pool) => $call.await,
        }
    };
}

/// Which part of a list: `?limit=` (1 to 1000, 100 if left out) and `?offset=`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default)]
pub struct Page {
    /// Most items.
    pub limit: i64,
    /// Items that are passed over.
    pub offset: i64,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: 100, offset: 0 }
    }
}

impl Page {
    /// # Errors
    /// A problem with status 400 where a number is out of its range.
    pub fn checked(self) -> Result<Self, Problem> {
        if !(1..=1000).contains(&self.limit) {
            return Err(Problem::bad_request("limit may be from 1 to 1000"));
        }
        if self.offset < 0 {
            return Err(Problem::bad_request("offset may not be negative"));
        }
        Ok(self)
    }
}

impl Database {
    /// Opens the database, makes it if it is a file that is missing, and brings it to this version's form.
    ///
    /// # Errors
    /// An address that is not understood, a database that does not answer, migrations that do not apply.
    pub async fn open(url: &str, migrations: Migrations, telemetry: &Telemetry) -> Result<Self> {
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" => Self::open_sqlite(url, migrations, telemetry).await,
            "postgres" | "postgresql" => Self::open_postgres(url, migrations, telemetry).await,
            // Not the whole of it: it may hold a password.
            _ => Err(bad_url(scheme)),
        }
    }

    async fn open_sqlite(url: &str, migrations: Migrations, telemetry: &Telemetry) -> Result<Self> {
        let options = SqliteConnectOptions::from_str(url).map_err(|_| bad_url(url))?;
        let file = options.get_filename().to_owned();
        let in_memory = file.to_string_lossy().contains(":memory:");
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .pragma("cache_size", SQLITE_CACHE)
            .disable_statement_logging();
        if let Some(folder) = file.parent().filter(|folder| !in_memory && !folder.as_os_str().is_empty()) {
            let failed = |source| Error::Folder { folder: folder.to_owned(), source };
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let pool = SqlitePoolOptions::new()
            .max_connections(if in_memory { 1 } else { MOST_CONNECTIONS })
            .min_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(if in_memory { None } else { Some(Duration::from_mins(1)) })
            .max_lifetime(None)
            // A file does not go away the way a server does.
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(|source| Error::Connect { name: url.to_owned(), source })?;
        migrator(migrations.sqlite, migrations.table).run(&pool).await?;
        let peer = Peer { system: "sqlite", namespace: file_name(&file), server: None };
        Ok(Self::new(Pool::Sqlite(pool), peer, telemetry))
    }

    async fn open_postgres(url: &str, migrations: Migrations, telemetry: &Telemetry) -> Result<Self> {
        let options = PgConnectOptions::from_str(url).map_err(|_| bad_url("postgres:…"))?;
        let options = options.application_name(env!("CARGO_PKG_NAME")).disable_statement_logging();
        let namespace = options.get_database().unwrap_or_else(|| options.get_username()).to_owned();
        let host = options
            .get_socket()
            .map_or_else(|| options.get_host().to_owned(), |folder| folder.to_string_lossy().into_owned());
        let port = options.get_port();
        let pool_options = PgPoolOptions::new()
            .max_connections(MOST_CONNECTIONS)
            .min_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(Duration::from_mins(1));
        let begun = Instant::now();
        let mut said = false;
        let pool = loop {
            match pool_options.clone().connect_with(options.clone()).await {
                Ok(pool) => break pool,
                // A server that starts at the same time lets us in later; one that knows us not never will.
                Err(source) if begun.elapsed() < START_TIMEOUT && may_pass(&source) => {
                    if !said {
                        tracing::warn!(host, port, error = %source, "waiting for the database");
                        said = true;
                    }
                    tokio::time::sleep(START_RETRY).await;
                }
                Err(source) => {
                    return Err(Error::Connect { name: format!("{namespace} at {host}:{port}"), source });
                }
            }
        };
        migrator(migrations.postgres, migrations.table).run(&pool).await?;
        let peer = Peer { system: "postgresql", namespace, server: Some((host, port)) };
        Ok(Self::new(Pool::Postgres(pool), peer, telemetry))
    }

    fn new(pool: Pool, peer: Peer, telemetry: &Telemetry) -> Self {
        let instruments = telemetry.database(peer);
        telemetry.expect_errors_from(ORIGIN);
        let observed = pool.clone();
        instruments.observe_pool("main", MOST_CONNECTIONS, move || observed.connections());
        Self { pool, instruments }
    }

    /// For [`on_pool!`](crate::on_pool).
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Awaits a call that carries out the statement, with a span and metrics.
    ///
    /// # Errors
    /// The call's own.
    pub async fn call<T>(
        &self,
        statement: &Statement,
        call: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        self.instruments.call(statement, call, explain).await
    }

    /// Whether the database answers. Not instrumented: it is asked every few seconds.
    ///
    /// # Errors
    /// Why it does not.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        on_pool!(self, pool => sqlx::query("SELECT 1").execute(pool).map_ok_unit())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        on_pool!(self, pool => pool.close());
    }
}

impl Pool {
    /// Idle and used.
    fn connections(&self) -> (u64, u64) {
        let (size, idle) = match self {
            Self::Sqlite(pool) => (pool.size(), pool.num_idle()),
            Self::Postgres(pool) => (pool.size(), pool.num_idle()),
        };
        let idle = idle as u64;
        (idle, u64::from(size).saturating_sub(idle))
    }
}

/// What an execution yields differs between the systems, and is of no interest.
trait MapOkUnit: Sized {
    fn map_ok_unit(self) -> impl Future<Output = Result<(), sqlx::Error>>;
}

impl<T, F: Future<Output = Result<T, sqlx::Error>>> MapOkUnit for F {
    async fn map_ok_unit(self) -> Result<(), sqlx::Error> {
        self.await.map(drop)
    }
}

fn bad_url(value: &str) -> Error {
    Error::BadOption {
        name: "DATABASE_URL",
        value: value.to_owned(),
        allowed: "sqlite:<file>, postgres://user:password@host:port/database".to_owned(),
    }
}

fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        // 57P03: the server is starting up.
        sqlx::Error::Database(error) => error.code().as_deref() == Some("57P03"),
        _ => false,
    }
}

fn migrator(migrations: &[Migration], table: &'static str) -> Migrator {
    let list = migrations.iter().map(|migration| {
        sqlx::migrate::Migration::new(
            migration.version,
            migration.description.into(),
            MigrationType::Simple,
            migration.sql.into_sql_str(),
            false,
        )
    });
    let mut migrator = Migrator::with_migrations(list.collect());
    migrator.dangerous_set_table_name(table);
    migrator
}

/// What an error means in terms of the semantic conventions.
pub(crate) fn explain(error: &sqlx::Error) -> Failure {
    if let sqlx::Error::Database(error) = error
        && let Some(code) = error.code()
    {
        return Failure { kind: code.clone().into_owned().into(), code: Some(code.into_owned()) };
    }
    let kind = match error {
        sqlx::Error::Io(_) => "sqlx::Error::Io",
        sqlx::Error::PoolTimedOut => "sqlx::Error::PoolTimedOut",
        sqlx::Error::PoolClosed => "sqlx::Error::PoolClosed",
        sqlx::Error::Protocol(_) => "sqlx::Error::Protocol",
        sqlx::Error::RowNotFound => "sqlx::Error::RowNotFound",
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => "sqlx::Error::Decode",
        _ => "sqlx::Error",
    };
    Failure { kind: kind.into(), code: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_that_are_not_understood_are_refused_without_being_shown_whole() {
        const NONE: Migrations = Migrations { table: "_none", sqlite: &[], postgres: &[] };
        let error =
            Database::open("mysql://me:secret@host/db", NONE, &Telemetry::disabled()).await.unwrap_err();
        let message = error.to_string();
        assert!(message.contains("DATABASE_URL") && message.contains("postgres://"), "{message}");
        assert!(!message.contains("secret"), "{message}");
    }

    #[test]
    fn pages_are_bounded() {
        assert!(Page::default().checked().is_ok());
        assert!(Page { limit: 0, offset: 0 }.checked().is_err());
        assert!(Page { limit: 1001, offset: 0 }.checked().is_err());
        assert!(Page { limit: 1, offset: -1 }.checked().is_err());
    }
}
