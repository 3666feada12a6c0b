//! What may go wrong when telemetry is set up. Afterwards nothing does, as far as the application is concerned.

/// Why telemetry was not set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A variable of the environment holds what is not allowed.
    #[error("{variable}={value:?} is not allowed; allowed: {allowed}")]
    BadValue {
        /// Its name.
        variable: String,
        /// What it holds.
        value: String,
        /// What it may hold.
        allowed: String,
    },
    /// An exporter could not be built.
    #[error("cannot set up the export of {signal}: {reason}")]
    Exporter {
        /// `traces`, `metrics`, `logs` or `profiles`.
        signal: &'static str,
        /// The library's reason.
        reason: String,
    },
    /// [`crate::init`] was called outside a Tokio runtime, which carries the connections of the exporters.
    #[error("telemetry has to be set up inside a Tokio runtime")]
    NoRuntime,
    /// [`crate::init`] was called a second time, or another logger was installed before.
    #[error("another subscriber for log lines is installed in this process already")]
    AlreadyInitialised,
}

/// The result of setting up telemetry.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn bad_value(variable: &str, value: &str, allowed: String) -> Self {
        Self::BadValue { variable: variable.to_owned(), value: value.to_owned(), allowed }
    }

    pub(crate) fn exporter(signal: &'static str, reason: &dyn std::fmt::Display) -> Self {
        Self::Exporter { signal, reason: reason.to_string() }
    }
}
