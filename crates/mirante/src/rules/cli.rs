//! What can be typed behind `mirante rules`. Flags are promtool's.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Check rule files
    ///
    /// Says how many rules each file has, or everything that is wrong with it, in promtool's words. Without files, standard input
    /// is checked. Exit code 1 if a file is wrong, 3 if only lint complains and --lint-fatal is there.
    Check(Check),
    /// Run unit tests of rules
    ///
    /// Evaluates the rules that the test files name over the series that they give, without a clock, and compares alerts and
    /// samples. The files are those of promtool, and so is what is said. Exit code 1 if a test fails.
    Test(Test),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mirante rules check infra/prometheus/rules/*.yml\n  \
    mirante rules check --lint all --lint-fatal rules.yml")]
pub(crate) struct Check {
    /// Rule files
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// What to look for besides: all, duplicate-rules or none; several with commas
    #[arg(long, value_name = "LINTS", default_value = "duplicate-rules")]
    pub(crate) lint: String,

    /// Exit with 3 if lint complains
    #[arg(long)]
    pub(crate) lint_fatal: bool,

    /// Pass over keys that rule files do not have
    #[arg(long)]
    pub(crate) ignore_unknown_fields: bool,

    #[command(flatten)]
    pub(crate) features: Features,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    mirante rules test infra/prometheus/tests/*.test.yml\n  \
    mirante rules test --run 'disk.*' --diff tests.yml")]
pub(crate) struct Test {
    /// Test files
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,

    /// Only run test groups whose names the regular expression matches; may be there several times
    #[arg(long, value_name = "REGEX")]
    pub(crate) run: Vec<String>,

    /// Show what is expected and what is found as one text with the differences in colour
    #[arg(long)]
    pub(crate) diff: bool,

    /// Show every series at the end of each test group
    #[arg(long)]
    pub(crate) debug: bool,

    /// Pass over keys that rule files do not have
    #[arg(long)]
    pub(crate) ignore_unknown_fields: bool,

    /// Write the results to a file as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) features: Features,
}

/// So that command lines made for promtool go through.
#[derive(Debug, Args)]
pub(crate) struct Features {
    /// Features of promtool to switch on; here all are on
    #[arg(long, value_name = "NAMES", hide = true)]
    enable_feature: Vec<String>,
}
