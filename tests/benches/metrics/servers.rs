//! The two servers, started the same way.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Failed;
use tempfile::TempDir;
use tests::mirante::{Stack, free_port};
use tests::peers::running::Peer;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Prometheus,
    Mirante,
}

/// Both, in the order of the table's columns.
pub(crate) const BOTH: [Kind; 2] = [Kind::Prometheus, Kind::Mirante];

/// A server that runs on data of its own.
pub(crate) struct Server {
    pub(crate) kind: Kind,
    pub(crate) address: String,
    pub(crate) pid: u32,
    process: Process,
    /// Removed with it.
    dir: TempDir,
}

enum Process {
    Prometheus(Peer),
    Mirante(Box<Stack>),
}

impl Server {
    /// Starts one. `cores` are those that it is held to; none means all of them.
    pub(crate) fn start(kind: Kind, prometheus: &Path, cores: &[usize]) -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        let config = dir.path().join("prometheus.yml");
        // Nothing is scraped: the load is all that happens.
        std::fs::write(&config, "global: {}\n")?;
        match kind {
            Kind::Prometheus => {
                let address = format!("127.0.0.1:{}", free_port());
                let mut command = held(prometheus, cores);
                command.current_dir(dir.path());
                command.arg(format!("--config.file={}", config.display()));
                command.arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()));
                command.arg(format!("--web.listen-address={address}"));
                command.args(["--web.enable-remote-write-receiver", "--log.level=error"]);
                let mut peer = Peer::spawn("prometheus", command)?;
                peer.ready(&format!("http://{address}/-/ready"), Duration::from_mins(1))?;
                let pid = peer.pid();
                Ok(Self { kind, address, pid, process: Process::Prometheus(peer), dir })
            }
            Kind::Mirante => {
                let all: Vec<usize> = (0..cores_of_machine()).collect();
                let cores = if cores.is_empty() { &all } else { cores };
                let config = config.display().to_string();
                let arguments = ["--memory", "2GiB", "--prometheus-config", &config];
                let stack = Stack::up_on(cores, &dir.path().join("data"), &arguments);
                let (address, pid) = (stack.address("prometheus"), stack.pid());
                Ok(Self { kind, address, pid, process: Process::Mirante(Box::new(stack)), dir })
            }
        }
    }

    /// Where its blocks are.
    pub(crate) fn blocks(&self) -> PathBuf {
        match self.kind {
            Kind::Prometheus => self.dir.path().join("data"),
            Kind::Mirante => self.dir.path().join("data/blocks/metrics"),
        }
    }

    /// Whether it is still there; what it said last if it is not.
    pub(crate) fn check(&self) -> Result<(), Failed> {
        if TcpStream::connect(&self.address).is_ok() {
            return Ok(());
        }
        Err(match &self.process {
            Process::Prometheus(peer) => peer.last_words(),
            Process::Mirante(stack) => stack.logged(),
        }
        .into())
    }
}

pub(crate) fn cores_of_machine() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn held(program: &Path, cores: &[usize]) -> Command {
    if cores.is_empty() {
        return Command::new(program);
    }
    let cores: Vec<String> = cores.iter().map(usize::to_string).collect();
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(cores.join(",")).arg(program);
    command
}
