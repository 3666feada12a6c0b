//! What this is and how it was built.

use crate::output;

/// The commit, where the build knew it.
pub(crate) const COMMIT: &str = env!("MIRANTE_COMMIT");

/// `0.1.0 (abc123def456)`.
pub(crate) fn short() -> &'static str {
    if COMMIT.is_empty() {
        env!("CARGO_PKG_VERSION")
    } else {
        concat!(env!("CARGO_PKG_VERSION"), " (", env!("MIRANTE_COMMIT"), ")")
    }
}

/// Prints it.
pub(crate) fn print() {
    output::print(&format!(
        "mirante {}\nbuilt   {} for {}\nwith    {}\n",
        short(),
        env!("MIRANTE_PROFILE"),
        env!("MIRANTE_TARGET"),
        env!("MIRANTE_RUSTC")
    ));
}
