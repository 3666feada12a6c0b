//! Errors as people read them: what happened, why, and what helps.

use std::process::ExitCode;

use crate::output;

/// Prints an error with its causes and a hint, and gives the exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let mut last = error.to_string();
    let mut text = format!("error: {last}\n");
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Many errors already end with their cause.
        if !last.contains(&cause) {
            text += &format!("  because: {cause}\n");
        }
        last = cause;
    }
    if let Some(hint) = hint(error) {
        text += &format!("hint: {hint}\n");
    }
    output::print_error(&text);
    match error.downcast_ref::<stack::Error>() {
        Some(stack::Error::PrometheusConfig(_)) => ExitCode::from(BAD_INPUT),
        _ => ExitCode::FAILURE,
    }
}

/// Exit code of a file that is wrong, as of a flag that is.
const BAD_INPUT: u8 = 2;

fn hint(error: &anyhow::Error) -> Option<String> {
    if let Some(hinted) = error.downcast_ref::<Hinted>() {
        return Some(hinted.hint.clone());
    }
    match error.downcast_ref::<stack::Error>()? {
        stack::Error::PortsBusy(_) => Some(
            "stop that process, or shift every port: mirante up --port-offset 100 --data-dir ./.mirante-100".to_owned(),
        ),
        stack::Error::DataDirInUse { holder, .. } => Some(match holder {
            Some(holder) => format!(
                "stop it with `kill {}`, or start a second stack: mirante up --data-dir ./.mirante-100 --port-offset 100",
                holder.pid
            ),
            None => "choose another with --data-dir".to_owned(),
        }),
        stack::Error::Bind { source, .. } => Some(match source.kind() {
            std::io::ErrorKind::PermissionDenied => {
                "ports below 1024 and some addresses need more rights; choose others with --port-offset or --bind".to_owned()
            }
            _ => "--bind takes an address of this machine, such as 127.0.0.1 or 0.0.0.0".to_owned(),
        }),
        stack::Error::PrometheusConfig(_) => {
            Some("nothing was started; choose another file with --prometheus-config".to_owned())
        }
        stack::Error::Io { .. } => Some("choose a directory that you may write to with --data-dir".to_owned()),
        _ => None,
    }
}

/// An error with its hint.
#[derive(Debug)]
pub(crate) struct Hinted {
    message: String,
    hint: String,
}

impl Hinted {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

impl std::fmt::Display for Hinted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Hinted {}
