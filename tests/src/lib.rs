//! Whole-stack tests: what they share.
//!
//! - [`load`]: batches of spans, log records and data points that look like a program's.
//! - [`sender`]: sends them over gRPC and over HTTP, as fast as they are taken.
//! - [`query`]: asks the components' APIs.
//! - [`remote_write`]: Prometheus' remote write from the sender's side.
//! - [`mirante`]: the program as a person has it: its commands, what it prints, its demo services; on ports and in a
//!   folder of its own.
//! - [`peers`]: the real components as programs, and what to do where one is missing.
//! - [`files`]: the checks of the real stack's files.
//! - [`http`]: requests without a runtime.

pub mod files;
pub mod http;
pub mod load;
pub mod mirante;
pub mod peers;
pub mod query;
pub mod remote_write;
pub mod sender;
