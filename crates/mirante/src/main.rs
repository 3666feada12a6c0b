//! The command line: the only crate that prints, has exit codes and uses `anyhow`.
//!
//! `cli` is what is typed and what it may say; `up`, `status`, `verify`, `rules` and `version` are the commands; `demo` is the
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
mod rules;
mod status;
mod table;
mod up;
mod verify;
mod version;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    take_small_pages();
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Up(up) => up::run(up),
        Command::Status(status) => status::run(&status),
        Command::Verify(verify) => verify::run(&verify),
        Command::Version => {
            version::print();
            Ok(ExitCode::SUCCESS)
        }
        Command::Rules(rules) => rules::run(&rules),
        Command::Demo(demo) => return demo::run(&demo),
    };
    outcome.unwrap_or_else(|error| failure::report(&error))
}

/// No huge pages, even where the system gives them unasked: an allocator then uses a part of each, and the rest of it is
/// resident all the same. Demo services inherit this. Where the system refuses, only memory is lost.
///
/// The allocator is the system's (docs/DECISIONS.md says why).
fn take_small_pages() {
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
