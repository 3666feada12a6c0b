//! For tests and benchmarks of the services: real neighbours, started and stopped by the test itself.

mod http;
mod otlp;
mod postgres;
mod process;

use std::future::Future;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

pub use http::{Answer, ask, send};
pub use otlp::{AttributeList, OtlpSink, ReceivedLog, ReceivedMetric, ReceivedSpan};
pub use postgres::Postgres;
pub use process::{Main, ServiceProcess};

/// Where a test's database is.
#[derive(Clone, Debug)]
pub struct TestDatabase {
    /// For `DATABASE_URL`.
    pub url: String,
    /// Keeps the folder of a file until the test is over.
    _folder: Arc<tempfile::TempDir>,
}

impl TestDatabase {
    /// A new SQLite file.
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self { url, _folder: Arc::new(folder) }
    }
}

/// Test cases that run on both databases.
#[derive(Default)]
pub struct Cases {
    trials: Vec<Trial>,
    postgres: Option<Arc<Postgres>>,
}

impl std::fmt::Debug for Cases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cases").finish_non_exhaustive()
    }
}

impl Cases {
    /// Starts a PostgreSQL server where there is one. Where there is none its cases are listed as ignored, and fail in
    /// CI, so that a run without it never looks like a run with it.
    pub fn new() -> Self {
        Self { trials: Vec::new(), postgres: Postgres::start().map(Arc::new) }
    }

    /// Adds a case, once for each database.
    pub fn on_both<F>(&mut self, name: &str, check: impl Fn(TestDatabase) -> F + Clone + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let on_sqlite = check.clone();
        self.trials.push(Trial::test(format!("sqlite::{name}"), move || {
            run(async { on_sqlite(TestDatabase::sqlite()).await })
        }));
        self.on_postgres(name, check);
    }

    /// Adds a case that needs a database server.
    pub fn on_postgres<F>(&mut self, name: &str, check: impl Fn(TestDatabase) -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let name = format!("postgres::{name}");
        let trial = match self.postgres.clone() {
            Some(server) => Trial::test(name, move || run(async { check(server.database().await).await })),
            None if std::env::var("CI").is_ok_and(|value| value == "true") => {
                Trial::test(
                    name,
                    || Err("no PostgreSQL server was found: install Debian's postgresql".into()),
                )
            }
            None => Trial::test(format!("{name} (skipped: no PostgreSQL server)"), || Ok(()))
                .with_ignored_flag(true),
        };
        self.trials.push(trial);
    }

    /// Adds a case that needs no database, or its own.
    pub fn case<F>(&mut self, name: &str, check: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        self.trials.push(Trial::test(name, move || run(async { check().await })));
    }

    /// Runs all cases.
    pub fn run(self) -> ExitCode {
        libtest_mimic::run(&Arguments::from_args(), self.trials).exit_code()
    }
}

/// A panic fails the case.
fn run(check: impl Future<Output = ()>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(check);
    Ok(())
}

/// Asks again and again until the answer is something, 10 seconds at most.
///
/// # Panics
/// Where it is nothing until then.
pub async fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "not seen within 10 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
