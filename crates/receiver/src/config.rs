//! The receiver's limits.

use std::time::Duration;

/// Limits of the receiver. Each has a protocol's own answer at the limit and a counter.
#[derive(Debug, Clone)]
pub struct Config {
    /// Largest body, in bytes, as it arrives and again after decompression. Past it: 413, `RESOURCE_EXHAUSTED`. What
    /// requests take while they are decoded is estimated and limited to four times as much, for one and for all.
    pub max_body_bytes: usize,
    /// Most bytes of bodies, compressed and decompressed, that all requests together may hold at a time. Past it: 429,
    /// `RESOURCE_EXHAUSTED` with a delay. At least twice `max_body_bytes`, so that one request always fits.
    pub max_in_flight_bytes: usize,
    /// How many requests are decoded and stored at a time; others wait, within `max_in_flight_bytes`.
    pub workers: usize,
    /// How long a body may take to arrive. Past it: 408, `DEADLINE_EXCEEDED`.
    pub body_timeout: Duration,
    /// The delay that a refused sender is asked to keep.
    pub retry_after: Duration,
    /// What a span may have at most; has to be what the trace store replays with.
    pub span_limits: otlp::traces::Limits,
    /// How log records become entries of streams.
    pub logs: otlp::logs::Config,
    /// How metrics become series.
    pub metrics: otlp::metrics::Config,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_body_bytes: 64 << 20,
            max_in_flight_bytes: 256 << 20,
            workers: std::thread::available_parallelism().map_or(2, std::num::NonZero::get).max(2),
            body_timeout: Duration::from_secs(30),
            retry_after: Duration::from_secs(1),
            span_limits: otlp::traces::Limits::default(),
            logs: otlp::logs::Config::default(),
            metrics: otlp::metrics::Config::default(),
        }
    }
}
