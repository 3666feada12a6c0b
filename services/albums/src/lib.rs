//! The demo's inner service.

use std::process::ExitCode;

/// Runs the service as its environment says, until it is told to stop.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
