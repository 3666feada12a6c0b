//! What a scraped target sends: the Prometheus text format 0.0.4, OpenMetrics 1.0 text and delimited protobuf, read as
//! Prometheus 3 reads them, with its error texts; and the headers by which the two sides agree on one of them.
//!
//! Pure: bytes in, events out. No fetching, no storage, no clock.
//!
//! Begin with [`Parser`]: it is made from a body and its `Content-Type` and gives [`Event`]s one by one, without an
//! allocation for a sample. [`protocol`] has the negotiation; [`check`] is the strict
//! reading of the specifications, which Prometheus itself does not insist on.
//!
//! Bounds: a body is held as a whole by the caller, who limits it; every event borrows from it. Nothing here grows with
//! anything but the longest line (text formats) or the largest metric (protobuf), and an error message quotes at most
//! [`MAX_QUOTED`] bytes of a body.

pub mod check;
mod classic;
mod float;
mod labels;
mod nhcb;
pub mod openmetrics;
mod parser;
pub mod protobuf;
pub mod protocol;
mod quote;
mod scan;
pub mod text;

pub use float::{OpenMetricsFloat, ShortestFloat};
pub use parser::{Event, Options, Parser, RawExemplar, Sample};
pub use protocol::{EscapingScheme, Protocol};
pub use quote::{MAX_QUOTED, Quoted};

/// Why a body cannot be read. Prints as Prometheus says it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// Prometheus' words.
    pub message: String,
    /// Line of the body where it was noticed, from 1; 0 where there are no lines (protobuf).
    pub line: usize,
}

/// What reading gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;
