//! OTLP to and from the model: what the OpenTelemetry protocol says, in the words that the stores speak.
//!
//! Pure: bytes and messages in, values out; no I/O and no clock. The limits that a receiver imposes are parameters.
//!
//! - [`traces`]: a borrowed, single-pass decoder of trace requests, and the way back to protobuf.
//! - [`json`]: requests in OTLP/JSON to the same in protobuf.
//! - [`logs`]: log requests to streams, as Loki's OTLP endpoint maps them.
//! - [`value`]: attribute values to and from protobuf, and as text.
//! - [`metrics`]: metric requests to series, as Prometheus' OTLP receiver maps them.

pub mod json;
pub mod logs;
pub mod metrics;
pub mod traces;
pub mod value;

/// Items of a request that were left out while the rest was taken: OTLP's partial success.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejected {
    /// How many items (spans, log records, data points).
    pub count: u64,
    /// Why, for the sender: the first reason with an example, and how many others there are. Empty if nothing was.
    pub message: String,
    /// Counts by reason, as short snake-case words for a metric's label.
    pub by_reason: Vec<(&'static str, u64)>,
}

impl Rejected {
    /// Counts one more item. The first message is kept for the sender.
    pub fn add(&mut self, reason: &'static str, message: impl FnOnce() -> String) {
        self.add_many(reason, 1, message);
    }

    /// Counts more items that were left out for one reason.
    pub fn add_many(&mut self, reason: &'static str, count: u64, message: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        if self.count == 0 {
            self.message = message();
        }
        self.count += count;
        match self.by_reason.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, counted)) => *counted += count,
            None => self.by_reason.push((reason, count)),
        }
    }

    /// Adds what another stage left out.
    pub fn merge(&mut self, other: Self) {
        let message = other.message;
        for (reason, count) in other.by_reason {
            self.add_many(reason, count, || message.clone());
        }
    }
}

/// A request that cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not the protobuf message that it should be.
    #[error("invalid protobuf at byte {offset}: {reason}")]
    Protobuf {
        /// Where reading stopped.
        offset: usize,
        /// What was wrong there.
        reason: &'static str,
    },
    /// Not the JSON mapping of the message.
    #[error("invalid OTLP JSON: {0}")]
    Json(String),
    /// One of the limits of the receiver.
    #[error("{what} exceeds the limit of {limit}")]
    Limit {
        /// What is too large, for the sender.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// Result of reading OTLP.
pub type Result<T, E = Error> = std::result::Result<T, E>;
