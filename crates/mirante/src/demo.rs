//! The hidden subcommand: this program as one of the demo services.

use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use crate::cli::{Demo, Service};

/// Runs a service until it is told to stop.
pub(crate) fn run(demo: &Demo) -> ExitCode {
    if demo.lifeline {
        let watch = std::thread::Builder::new().name("lifeline".to_owned()).stack_size(64 << 10);
        // Without the thread the service would outlive its parent.
        if watch.spawn(end_with_the_lifeline).is_err() {
            return ExitCode::FAILURE;
        }
    }
    // Its environment says all that it has to know; this program's arguments are not its own.
    match demo.service {
        Service::Users => users::main_with(["users".into()]),
        Service::Albums => albums::main_with(["albums".into()]),
    }
}

/// Waits for the end of standard input, a pipe that the parent holds: it comes however the parent went. Then the service
/// is asked to end as by any other, and made to if it does not.
fn end_with_the_lifeline() {
    const GRACE: Duration = Duration::from_secs(2);
    let mut stdin = std::io::stdin().lock();
    let mut nothing = [0; 16];
    while matches!(stdin.read(&mut nothing), Ok(1..)) {}
    // Ourselves: it cannot be that this process is not there.
    let _ = kill_process(getpid(), Signal::TERM);
    std::thread::sleep(GRACE);
    std::process::exit(1);
}
