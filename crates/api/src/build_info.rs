//! What the products say of their build, each under its own path.

use serde::Serialize;

/// Who answers really.
pub(crate) const REVISION: &str = concat!("mirante-", env!("CARGO_PKG_VERSION"));

/// The version of the product whose API this is, which clients read to know what they may ask; there is nothing to say
/// of its build.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildInfo {
    version: &'static str,
    revision: &'static str,
    branch: &'static str,
    build_user: &'static str,
    build_date: &'static str,
    go_version: &'static str,
}

impl BuildInfo {
    /// What we say as a product of this version.
    pub(crate) const fn of(version: &'static str) -> Self {
        Self { version, revision: REVISION, branch: "", build_user: "", build_date: "", go_version: "" }
    }
}
