//! The inputs in `fuzz/seeds`, what fuzzing has found among them, through the fuzz targets as they are: without a fuzzer,
//! and with any compiler.

#![allow(
    unused_attributes,
    unused_imports,
    unreachable_pub,
    clippy::duplicate_mod,
    clippy::pedantic,
    reason = "the targets are crates of their own when they are fuzzed, and held to the rules of that"
)]

// The targets take their macro from there.
extern crate self as libfuzzer_sys;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// What the fuzzer's macro makes of a target, but for the fuzzer.
#[macro_export]
macro_rules! fuzz_target {
    (|$bytes:ident: &[u8]| $body:expr) => {
        pub(crate) fn run($bytes: &[u8]) {
            $body;
        }
    };
    (|$text:ident: &str| $body:expr) => {
        pub(crate) fn run(bytes: &[u8]) {
            let Ok($text) = std::str::from_utf8(bytes) else { return };
            $body;
        }
    };
}

/// Each target as a module, and all of them by their names.
macro_rules! targets {
    ($($name:ident,)*) => {
        #[path = "../../fuzz/fuzz_targets"]
        mod targets {
            $(pub(crate) mod $name;)*
        }

        const TARGETS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), targets::$name::run)),*];
    };
}

targets! {
    content_codings,
    exposition_openmetrics,
    exposition_protobuf,
    exposition_text,
    log_records,
    logql_parse,
    loki_push_json,
    loki_push_snappy,
    otlp_json,
    otlp_logs,
    otlp_metrics,
    otlp_traces,
    promql,
    remote_write,
    request_shape,
    tsdb_block,
    tsdb_open,
    wal_replay,
}

fn main() -> ExitCode {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let mut trials = vec![Trial::test("every target is here", {
        let fuzz = fuzz.clone();
        move || {
            let files = names(&fuzz.join("fuzz_targets")).into_iter();
            let targets: Vec<_> =
                files.filter_map(|name| name.strip_suffix(".rs").map(str::to_owned)).collect();
            let known: Vec<_> = TARGETS.iter().map(|(name, _)| *name).collect();
            let seeds = names(&fuzz.join("seeds"));
            let strange: Vec<_> = seeds.iter().filter(|name| !targets.contains(name)).collect();
            if targets == known && strange.is_empty() {
                return Ok(());
            }
            Err(format!("targets {targets:?}, here {known:?}, seeds without a target {strange:?}").into())
        }
    })];
    for (target, run) in TARGETS {
        let folder = fuzz.join("seeds").join(target);
        for seed in names(&folder) {
            let path = folder.join(&seed);
            trials.push(Trial::test(format!("{target}::{seed}"), move || {
                run(&std::fs::read(path)?);
                Ok(())
            }));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// The names in a folder, sorted; none where it is not there.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
