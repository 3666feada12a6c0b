//! The demo's edge service.

use std::process::ExitCode;

/// Runs the service as its environment says, until it is told to stop.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
