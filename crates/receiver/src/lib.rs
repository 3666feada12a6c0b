//! The way in: OTLP over gRPC and HTTP, Loki's push; decoded once, checked, handed to the stores.
//!
//! Begin with [`Ingest`], the one door. Each transport is a module of its own that reads bodies within the limits of
//! [`Config`], hands them over, and says what became of them in its protocol's words:
//!
//! - OTLP/gRPC by [`otlp_grpc_service`];
//! - OTLP/HTTP by [`otlp_http_router`];
//! - Loki's push, and OTLP logs as Loki takes them, by [`loki_router`];
//! - OTLP metrics and remote write as Prometheus takes them by [`prometheus_router`].
//!
//! A request is answered with success once the store has written it to its log; the next query finds it. At a limit
//! the sender gets the protocol's own retryable answer, and a counter of [`names`] says so. Nothing is read here: that
//! is `api`.

mod admission;
mod body;
mod coding;
mod config;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grpc;
mod http;
mod ingest;
mod loki;
mod media;
mod meters;
pub mod names;
mod prometheus;
mod remote_write;
mod response;
mod shape;
mod status;
mod store;
mod text;

pub use config::Config;
pub use error::{Error, Result};
pub use grpc::otlp_grpc_service;
pub use http::otlp_http_router;
pub use ingest::{Accepted, Ingest, SpanObserver, Stores, Written};
pub use loki::loki_router;
pub use prometheus::prometheus_router;
