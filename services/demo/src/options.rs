//! Options that both services have, each a flag and a variable of the environment.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::ExitCode;

use crate::faults::Settings;
use crate::{Error, Result};

/// To be flattened into the options of a service. Those whose default differs between services are filled in by the
/// service.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Address and port to listen on
    #[arg(long, env = "LISTEN_ADDR", value_name = "ADDR:PORT")]
    pub listen_addr: Option<SocketAddr>,
    /// sqlite:<file> or postgres://user:password@host:port/database
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    pub database_url: Option<String>,
    /// Share of requests that fail on purpose, in percent
    #[arg(long, env = "APP_ERRORS", value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub app_errors: Option<u8>,
    /// Most milliseconds that a request is slowed down on purpose
    #[arg(long, env = "APP_LATENCY", value_name = "MS", value_parser = clap::value_parser!(u32).range(0..=i64::from(crate::faults::MOST_LATENCY_MS)))]
    pub app_latency: Option<u32>,
    /// Share of requests that are slowed down, in percent
    #[arg(long, env = "APP_SLOW", value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub app_slow: Option<u8>,
    /// Seed of the faults: the same seed hurts the same requests
    #[arg(long, env = "APP_SEED", value_name = "NUMBER")]
    pub app_seed: Option<u64>,
}

impl Options {
    /// The faults that were asked for, on top of a service's own defaults.
    pub fn faults(&self, defaults: Settings) -> Settings {
        Settings {
            errors_percent: self.app_errors.unwrap_or(defaults.errors_percent),
            latency_ms: self.app_latency.unwrap_or(defaults.latency_ms),
            slow_percent: self.app_slow.unwrap_or(defaults.slow_percent),
        }
    }
}

/// Parses a service's arguments. Help and complaints are printed here, by `clap`.
///
/// # Errors
/// The code to exit with: 0 after help, 2 after a complaint.
pub fn parse<P: clap::Parser>(arguments: impl IntoIterator<Item = OsString>) -> Result<P, ExitCode> {
    P::try_parse_from(arguments).map_err(|error| {
        // Nowhere is left to complain where this fails.
        let _ = error.print();
        ExitCode::from(if error.use_stderr() { 2 } else { 0 })
    })
}

/// Checks the address of another service: `http`, since no TLS is built in, and without a slash at its end.
///
/// # Errors
/// [`Error::BadOption`] says what is allowed.
pub fn base_url(name: &'static str, value: &str) -> Result<String> {
    let bad = || Error::BadOption {
        name,
        value: value.to_owned(),
        allowed: "http://host:port (https is not built in)".to_owned(),
    };
    let uri: axum::http::Uri = value.parse().map_err(|_| bad())?;
    if uri.scheme_str() != Some("http") || uri.host().is_none_or(str::is_empty) {
        return Err(bad());
    }
    Ok(value.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_services_are_checked() {
        assert_eq!(base_url("ALBUMS_URL", "http://albums:8002/").unwrap(), "http://albums:8002");
        for bad in ["albums:8002", "https://albums", "http://", "not an address", ""] {
            let message = base_url("ALBUMS_URL", bad).unwrap_err().to_string();
            assert!(message.contains("ALBUMS_URL") && message.contains("http://host:port"), "{message}");
        }
    }
}
