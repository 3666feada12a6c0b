//! The real components with our files: they take them, and a signal goes through.
//!
//! Each is a process in the version of `docker-compose.yaml`, as `tests/peers/build.sh` builds it, started with the
//! repository's own configuration of which only addresses, folders and intervals are replaced ([`tests::peers::ours`]).
//! Where Tempo, Jaeger and Loki would be stands the embedded engine, unless they are at hand. Without the programs the cases are listed as ignored;
//! with `CI=true` they fail.

mod alerting;
mod collector;
mod compose;
mod exchange;
mod generators;
mod objectives;
mod pipeline;
mod prometheus;
mod prometheus_api;
mod spans;
mod stores;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = [
        compose::trials(),
        collector::trials(),
        spans::trials(),
        prometheus::trials(),
        prometheus_api::trials(),
        objectives::trials(),
        alerting::trials(),
        generators::trials(),
        stores::trials(),
        exchange::trials(),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials.into_iter().flatten().collect());
    pipeline::Pipeline::stop();
    prometheus_api::Servers::stop();
    conclusion.exit_code()
}
