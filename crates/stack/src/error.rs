//! Why a stack does not start.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::{BusyPort, Holder, Part, Refusal};

/// Why a stack does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process has the data directory.
    #[error("the data directory {} is in use by {}", path.display(), describe(holder.as_deref()))]
    DataDirInUse {
        /// The directory.
        path: PathBuf,
        /// The process, where its lock says so.
        holder: Option<Box<Holder>>,
    },
    /// Ports that others have; nothing was started.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    PortsBusy(Vec<BusyPort>),
    /// An address that cannot be bound for another reason.
    #[error("cannot listen on {address} for {part}: {source}")]
    Bind {
        /// The part that wants it.
        part: Part,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// A file or directory that cannot be used.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Prometheus' configuration is wrong, or asks for what the engine cannot do.
    #[error("{0}")]
    PrometheusConfig(Refusal),
    /// A store that does not open.
    #[error("cannot open the store of {signal}: {source}")]
    Store {
        /// Whose it is: `traces`, `logs`, `metrics`.
        signal: &'static str,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The operating system refused a thread or a socket.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Two collectors with one name: a fault of ours.
    #[error("cannot register our own metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// The result of starting a stack.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { action, path, source }
    }
}

fn describe(holder: Option<&Holder>) -> String {
    holder.map_or_else(
        || "another process".to_owned(),
        |holder| format!("process {} ({})", holder.pid, holder.command),
    )
}
