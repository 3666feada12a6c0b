//! Our own logs: structured, to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::cli::LogFormat;

/// Begins to log. `RUST_LOG` says what; by default our own at `info`, those of libraries at `warn`.
pub(crate) fn start(format: LogFormat) {
    const OURS: [&str; 12] = [
        "mirante",
        "stack",
        "api",
        "receiver",
        "scrape",
        "ruler",
        "tracestore",
        "logstore",
        "tsdb",
        "wal",
        "otlp",
        "model",
    ];
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        let ours = OURS.iter().map(|name| format!(",{name}=info"));
        EnvFilter::new(format!("warn{}", ours.collect::<String>()))
    });
    let builder = fmt().with_writer(std::io::stderr).with_env_filter(filter);
    match format {
        LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal() && !no_color()).init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).init(),
    }
}

/// <https://no-color.org>
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}
