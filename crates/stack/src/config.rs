//! What a stack is started with, and what each subsystem gets of it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use wal::SyncPolicy;

use crate::Part;

/// What a stack is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where everything is kept; created where it is missing.
    pub data_dir: PathBuf,
    /// The address that every port is bound to.
    pub bind: IpAddr,
    /// How far every port is shifted, at most [`Part::MAX_PORT_OFFSET`].
    pub port_offset: u16,
    /// Memory that heads and requests may take together, in bytes.
    pub memory_bytes: u64,
    /// How long each signal is kept.
    pub retention: Retention,
    /// When the logs are forced to the disk.
    pub wal_sync: SyncPolicy,
    /// Whether metrics may be deleted and copied over Prometheus' API.
    pub admin_api: bool,
    /// Prometheus' configuration file: what is scraped, which rules there are. Without it nothing is.
    pub prometheus_config: Option<PathBuf>,
    /// The demo services, if they are to run.
    pub demo: Option<Demo>,
    /// What is told to others of this process.
    pub identity: Identity,
}

impl Config {
    /// Least memory that a stack works with.
    pub const MIN_MEMORY_BYTES: u64 = 64 << 20;
    /// Memory if nothing is said.
    pub const DEFAULT_MEMORY_BYTES: u64 = 512 << 20;

    /// A stack in a directory, on the loopback, at the usual ports, without demo.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            bind: Ipv4Addr::LOCALHOST.into(),
            port_offset: 0,
            memory_bytes: Self::DEFAULT_MEMORY_BYTES,
            retention: Retention::default(),
            wal_sync: SyncPolicy::Interval(Duration::from_secs(1)),
            admin_api: false,
            prometheus_config: None,
            demo: None,
            identity: Identity::default(),
        }
    }

    /// Where a part listens.
    pub fn address(&self, part: Part) -> std::net::SocketAddr {
        part.address(self.bind, self.port_offset)
    }

    /// Where a process on this machine reaches a part.
    pub fn local_url(&self, part: Part) -> String {
        part.local_url(self.bind, self.port_offset)
    }

    /// The parts that this stack runs.
    pub fn parts(&self) -> Vec<Part> {
        let demo = self.demo.is_some();
        Part::ALL.into_iter().filter(|part| demo || Part::ENGINE.contains(part)).collect()
    }

    /// The directory of a signal's log.
    pub(crate) fn wal_dir(&self, signal: &str) -> PathBuf {
        self.data_dir.join("wal").join(signal)
    }

    /// The directory of a signal's blocks.
    pub(crate) fn blocks_dir(&self, signal: &str) -> PathBuf {
        self.data_dir.join("blocks").join(signal)
    }

    /// What a span may have at most: the same where it is received and where the log is replayed.
    #[expect(clippy::unused_self, reason = "a setting that has no other value yet")]
    pub(crate) fn span_limits(&self) -> otlp::traces::Limits {
        otlp::traces::Limits::default()
    }

    /// How the memory is shared out.
    pub(crate) fn memory(&self) -> MemorySplit {
        MemorySplit::of(self.memory_bytes)
    }
}

/// How the memory is shared out: what comes in fastest gets most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemorySplit {
    /// Head of the trace store.
    pub(crate) traces: u64,
    /// Head of the log store.
    pub(crate) logs: u64,
    /// Head of the metrics store.
    pub(crate) metrics: u64,
    /// Requests that are being received.
    pub(crate) requests: u64,
}

impl MemorySplit {
    fn of(total: u64) -> Self {
        let percent = |share: u64| total / 100 * share;
        Self { traces: percent(40), logs: percent(20), metrics: percent(20), requests: percent(20) }
    }
}

/// How long each signal is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Retention {
    /// Spans.
    pub traces: Keep,
    /// Log entries.
    pub logs: Keep,
    /// Samples.
    pub metrics: Keep,
}

/// How long something is kept: until it is too old, or too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Age after which it goes.
    pub age: Duration,
    /// Bytes of blocks past which the oldest go.
    pub bytes: u64,
}

impl Default for Keep {
    /// A week, or 5 GiB.
    fn default() -> Self {
        Self { age: Duration::from_hours(7 * 24), bytes: 5 << 30 }
    }
}

/// The demo services.
#[derive(Debug, Clone)]
pub struct Demo {
    /// The program that runs them; given `arguments`, then the name of the service.
    pub program: PathBuf,
    /// What comes before the name.
    pub arguments: Vec<String>,
}

/// What is told to others of this process: in the lock, in `build_info`.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The command line.
    pub command: String,
    /// The version.
    pub version: String,
    /// The commit that it was built from; empty where that is not known.
    pub commit: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            command: "mirante".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: String::new(),
        }
    }
}

/// An absolute form of a path that need not exist.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_memory_is_given_out_than_there_is() {
        for total in [Config::MIN_MEMORY_BYTES, Config::DEFAULT_MEMORY_BYTES, 12_345_678_901] {
            let split = MemorySplit::of(total);
            let given = split.traces + split.logs + split.metrics + split.requests;
            assert!(given <= total && given > total - total / 50, "{given} of {total}");
        }
    }

    #[test]
    fn without_a_demo_only_the_engine_has_ports() {
        let mut config = Config::new("x");
        assert_eq!(config.parts(), Part::ENGINE);
        config.demo = Some(Demo { program: "x".into(), arguments: Vec::new() });
        assert_eq!(config.parts(), Part::ALL);
    }
}
