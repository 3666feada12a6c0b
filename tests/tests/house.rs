//! The rules of the house that no compiler holds: floors, sizes of modules, who may print.

#![allow(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Floors, lowest first (docs/ARCHITECTURE.md). A crate depends only on lower floors, or on those of its own floor
/// that stand before it in the list.
const FLOORS: &[(&str, &[&str])] = &[
    ("vocabulary", &["model", "wal", "blocks", "telemetry", "yaml"]),
    ("logic", &["otlp", "exposition", "promql", "logql", "gotemplate", "promrules", "promconfig"]),
    ("state", &["tsdb", "logstore", "tracestore"]),
    ("behaviour", &["receiver", "scrape", "generator", "ruler"]),
    ("surface", &["api"]),
    ("composition", &["stack", "mirante"]),
];

/// Outsiders: they reach the stack over the wire only.
/// `demo` is what the two share.
const SERVICES: &[&str] = &["demo", "users", "albums"];

/// Used in tests alone.
const TEST_ONLY: &[&str] = &["testkit", "tests"];

const LONGEST_MODULE: usize = 800;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap()
}

/// Our own crates that a package's code (not its tests) depends on.
fn own_dependencies<'a>(package: &'a Package, ours: &BTreeMap<String, usize>) -> Vec<&'a str> {
    let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
    normal.map(|dependency| dependency.name.as_str()).filter(|name| ours.contains_key(*name)).collect()
}

#[test]
fn a_crate_depends_only_on_lower_floors() {
    let metadata = metadata();
    // Position in the flat list: floor by floor, and within a floor in order.
    let places: BTreeMap<String, usize> = FLOORS
        .iter()
        .flat_map(|(_, crates)| crates.iter())
        .chain(SERVICES)
        .chain(TEST_ONLY)
        .enumerate()
        .map(|(place, name)| ((*name).to_owned(), place))
        .collect();
    let floor_of = |name: &str| FLOORS.iter().position(|(_, crates)| crates.contains(&name));
    let mut complaints = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        if !places.contains_key(name) {
            complaints.push(format!("{name} stands on no floor: name it in tests/tests/house.rs"));
            continue;
        }
        for dependency in own_dependencies(package, &places) {
            let allowed = if SERVICES.contains(&name) {
                dependency == "telemetry" || (dependency == "demo" && name != "demo")
            } else if TEST_ONLY.contains(&dependency) {
                false
            } else if SERVICES.contains(&dependency) {
                // The command line starts them as processes of its own.
                name == "mirante"
            } else {
                floor_of(dependency) < floor_of(name)
                    || (floor_of(dependency) == floor_of(name) && places[dependency] < places[name])
            };
            if !allowed {
                complaints.push(format!("{name} may not depend on {dependency}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn anyhow_stays_in_the_command_line() {
    let metadata = metadata();
    let users: Vec<&str> = metadata
        .packages
        .iter()
        .filter(|package| {
            package
                .dependencies
                .iter()
                .any(|dependency| dependency.name == "anyhow" && dependency.kind == DependencyKind::Normal)
        })
        .map(|package| package.name.as_str())
        .filter(|name| !["mirante"].contains(name))
        .collect();
    assert!(users.is_empty(), "libraries have error types of their own: {users:?}");
}

#[test]
fn every_crate_says_what_it_is_and_is_listed() {
    let list = fs::read_to_string(root().join("crates/README.md")).unwrap();
    let mut complaints = Vec::new();
    for package in metadata().packages {
        let manifest = package.manifest_path.as_std_path();
        if manifest.starts_with(root().join("crates")) && !list.contains(&format!("`{}`", package.name)) {
            complaints.push(format!("crates/README.md does not name {}", package.name));
        }
        for target in &package.targets {
            let source = fs::read_to_string(&target.src_path).unwrap();
            if !source.starts_with("//!") && !source.starts_with("#![") {
                complaints.push(format!("{} does not begin with what it is (//!)", target.src_path));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn modules_fit_on_a_few_screens_or_say_why_not() {
    let mut files = Vec::new();
    for dir in ["crates", "services", "tests"] {
        rust_files(&root().join(dir), &mut files);
    }
    assert!(files.len() > 30, "found only {} files", files.len());
    let mut complaints = Vec::new();
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        let lines = source.lines().count();
        let says_why = source.lines().take(15).any(|line| line.contains("Long because"));
        if lines > LONGEST_MODULE && !says_why {
            complaints
                .push(format!("{}: {lines} lines, and no line \"Long because …\" on top", file.display()));
        }
        if file.file_name().is_some_and(|name| name == "mod.rs")
            && !file.components().any(|part| part.as_os_str() == "tests")
        {
            complaints.push(format!("{}: modules are `name.rs` beside `name/`", file.display()));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn no_second_tls_or_openssl_comes_in() {
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for banned in ["openssl-sys", "native-tls", "aws-lc-sys", "arrow-array"] {
        // Optional dependencies stand in the lock file as well, so the resolved tree decides.
        if lock.contains(&format!("name = \"{banned}\"")) {
            let output = std::process::Command::new(env!("CARGO"))
                .args(["tree", "--locked", "--offline", "--workspace", "-e", "normal", "-i", banned])
                .current_dir(root())
                .output()
                .unwrap();
            let tree = String::from_utf8_lossy(&output.stdout);
            assert!(tree.trim().is_empty(), "{banned} came in:\n{tree}");
        }
    }
}
