//! Why a request is refused, in the words of the receiver; the transports turn it into their own status.

use std::time::Duration;

/// Why a request is refused. Nothing of a refused request is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The body is not what it claims to be.
    #[error("{0}")]
    Malformed(String),
    /// A push to Loki without any stream, in Loki's words.
    #[error("error at least one valid stream is required for ingestion")]
    NoStreams,
    /// A compression that is not read here.
    #[error("{0}")]
    UnsupportedCoding(String),
    /// A body over a limit, compressed or not.
    #[error("{what} is larger than the limit of {limit} bytes")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The limit, in bytes.
        limit: usize,
    },
    /// No room right now: in flight, or in a store's head. The same request may succeed after a while.
    #[error("{message}")]
    Busy {
        /// What is full, and how full, for the sender.
        message: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// The body did not arrive in time.
    #[error("the request body did not arrive within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The sender went away while its body was read.
    #[error("reading the request body: {0}")]
    Aborted(String),
    /// The store cannot write; trying again may help.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of ours.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// A short word for the `reason` label of a counter.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::NoStreams => "no_streams",
            Self::UnsupportedCoding(_) => "unsupported_encoding",
            Self::TooLarge { .. } => "too_large",
            Self::Busy { .. } => "busy",
            Self::Timeout(_) => "timeout",
            Self::Aborted(_) => "aborted",
            Self::Unavailable(_) => "unavailable",
            Self::Internal(_) => "internal",
        }
    }

    /// How long the sender is asked to wait, where waiting helps.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

impl From<otlp::Error> for Error {
    fn from(error: otlp::Error) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// The receiver's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
