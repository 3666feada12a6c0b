//! The command line: the only crate that prints, has exit codes and uses `anyhow`.
//!
//! `cli` is what is typed and what it may say; `up`, `status`, `verify` and `version` are the commands; `demo` is the
//! hidden one, by which `up` starts the demo services. Answers go to standard output, logs and errors to standard error.
//! Exit code 2 is bad input, 1 a failure.

#![expect(
    clippy::format_push_string,
    reason = "texts for a terminal: to be read is worth more than an allocation"
)]

mod address;
mod cli;
mod client;
mod demo;
mod failure;
mod logging;
mod output;
mod quantity;
mod retention;
mod status;
mod table;
mod up;
mod verify;
mod version;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

/// Chosen by measurement (docs of the benchmarks): returns freed memory sooner and takes less of it than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Up(up) => up::run(up),
        Command::Status(status) => status::run(&status),
        Command::Verify(verify) => verify::run(&verify),
        Command::Version => {
            version::print();
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo(demo) => return demo::run(&demo),
    };
    outcome.unwrap_or_else(|error| failure::report(&error))
}
