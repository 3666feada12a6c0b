//! Spans in, series out: what the store holds after a flush.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod graph;
mod spans;
mod support;
