//! Every route with good and with bad input, against real stores in a folder of the test's own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod grpc;
mod http;
mod loki;
mod prometheus;
mod remote_write;
mod support;
