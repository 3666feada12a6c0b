//! A PostgreSQL server in a temporary folder, reached by a socket in that folder, so that no port is taken.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::{ConnectOptions, Connection};

use super::TestDatabase;

const START_TIMEOUT: Duration = Duration::from_secs(20);

/// A running server. Stops when dropped.
#[derive(Debug)]
pub struct Postgres {
    folder: std::sync::Arc<tempfile::TempDir>,
    binaries: PathBuf,
    user: Option<(u32, u32)>,
    child: Child,
    databases: AtomicUsize,
}

impl Postgres {
    /// `None` where no server is installed.
    ///
    /// # Panics
    /// Where one is installed and does not start.
    pub fn start() -> Option<Self> {
        let binaries = binaries()?;
        let folder = tempfile::Builder::new().prefix("demo-pg-").tempdir().expect("a temporary folder");
        let user = unprivileged(folder.path());
        if let Some((user, group)) = user {
            chown(folder.path(), Some(user), Some(group)).expect("the folder given to the server's user");
        }
        let data = folder.path().join("data");
        let made = command(&binaries, "initdb", user)
            .args(["--username=demo", "--auth=trust", "--no-sync", "--locale=C", "--encoding=UTF8", "-D"])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let log = std::fs::File::create(folder.path().join("log")).expect("a log file");
        let child = command(&binaries, "postgres", user)
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            // No TCP, nothing kept beyond the test, little memory.
            .args(["-c", "listen_addresses=", "-F", "-c", "shared_buffers=16MB", "-c", "max_connections=80"])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres runs");
        let mut server =
            Self { folder: folder.into(), binaries, user, child, databases: AtomicUsize::new(0) };
        server.wait();
        Some(server)
    }

    fn wait(&mut self) {
        let begun = Instant::now();
        loop {
            let asked = command(&self.binaries, "pg_isready", self.user)
                .arg("--quiet")
                .arg("-h")
                .arg(self.folder.path())
                .status();
            if asked.is_ok_and(|status| status.success()) {
                return;
            }
            let ended = self.child.try_wait().ok().flatten();
            if ended.is_some() || begun.elapsed() > START_TIMEOUT {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                panic!("PostgreSQL did not start: {log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A new, empty database.
    ///
    /// # Panics
    /// Where the server refuses.
    pub async fn database(&self) -> TestDatabase {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let options = sqlx::postgres::PgConnectOptions::new_without_pgpass()
            .username("demo")
            .database("postgres")
            .socket(self.folder.path());
        let mut connection = options.connect().await.expect("a connection to the server");
        let statement = format!("CREATE DATABASE test_{number}");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.expect("a new database");
        connection.close().await.expect("the connection closed");
        let folder = self.folder.path().to_string_lossy().replace('/', "%2F");
        let url = format!("postgres://demo@{folder}/test_{number}");
        TestDatabase { url, _folder: std::sync::Arc::clone(&self.folder) }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // An orderly end, however quick, gives shared memory back, which killing does not.
        let stopped = command(&self.binaries, "pg_ctl", self.user)
            .args(["stop", "--mode=immediate", "--silent", "-D"])
            .arg(self.folder.path().join("data"))
            .status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn command(binaries: &Path, name: &str, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(binaries.join(name));
    command.stdin(Stdio::null()).current_dir("/").env("LC_ALL", "C");
    if let Some((user, group)) = user {
        command.uid(user).gid(group);
    }
    command
}

/// From `PATH`, else the newest where Debian puts them.
fn binaries() -> Option<PathBuf> {
    let complete = |folder: &PathBuf| {
        ["initdb", "postgres", "pg_ctl", "pg_isready"].iter().all(|name| folder.join(name).is_file())
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = std::env::split_paths(&path).find(complete) {
        return Some(folder);
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            let version = version.ok()?;
            let number = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path().join("bin")))
        })
        .filter(|(_, folder)| complete(folder))
        .collect();
    folders.sort();
    folders.pop().map(|(_, folder)| folder)
}

/// The server refuses to run as root: who it runs as then. `mine` is a folder of this process's own.
fn unprivileged(mine: &Path) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let root = std::fs::metadata(mine).is_ok_and(|metadata| metadata.uid() == 0);
    if !root {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").expect("the list of accounts");
    let find = |name: &str| {
        accounts.lines().find_map(|line| {
            let mut fields = line.split(':');
            (fields.next() == Some(name)).then_some(())?;
            let (user, group) = (fields.nth(1)?, fields.next()?);
            Some((user.parse().ok()?, group.parse().ok()?))
        })
    };
    let account = find("postgres").or_else(|| find("nobody"));
    Some(account.expect("an account that is not root: postgres or nobody"))
}
