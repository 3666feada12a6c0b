//! The only place that writes to the terminal.
//!
//! A reader that has gone (`mirante status | head -1`) is no reason to fail, least of all for a running stack; so what
//! cannot be written is dropped, where `println!` would panic.

use std::io::Write;

/// Answers.
pub(crate) fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Errors, warnings and hints.
pub(crate) fn print_error(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// One JSON document.
pub(crate) fn print_json(document: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(document)?));
    Ok(())
}
