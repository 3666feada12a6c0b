//! `mirante rules`: rule files checked and tested, as `promtool check rules` and `promtool test rules` do it: the same
//! texts, on the same streams, with the same exit codes.

mod check;
mod cli;
mod diff;
mod junit;
mod unit;

use std::io::Write;
use std::process::ExitCode;

pub(crate) use cli::Rules;

/// Exit code of files that only lint complains about.
const LINT: u8 = 3;

pub(crate) fn run(rules: &Rules) -> anyhow::Result<ExitCode> {
    let mut terminal = Terminal;
    match rules {
        Rules::Check(arguments) => Ok(check::run(arguments, &mut terminal)),
        Rules::Test(arguments) => unit::run(arguments, &mut terminal),
    }
}

/// Where answers and complaints go.
trait Streams {
    /// A piece of what belongs on standard output.
    fn out(&mut self, text: &str);
    /// A piece of what belongs on standard error.
    fn err(&mut self, text: &str);
}

/// The terminal, or what stands for it.
struct Terminal;

impl Streams for Terminal {
    fn out(&mut self, text: &str) {
        crate::output::print(text);
    }

    fn err(&mut self, text: &str) {
        // What was said before on the other stream comes before.
        let _ = std::io::stdout().lock().flush();
        crate::output::print_error(text);
    }
}

/// Both streams as texts.
#[cfg(test)]
#[derive(Default)]
struct Heard {
    out: String,
    err: String,
}

#[cfg(test)]
impl Streams for Heard {
    fn out(&mut self, text: &str) {
        self.out += text;
    }

    fn err(&mut self, text: &str) {
        self.err += text;
    }
}
