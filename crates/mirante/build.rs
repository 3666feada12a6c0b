//! Tells the program what it was built from.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=MIRANTE_COMMIT");
    let commit = std::env::var("MIRANTE_COMMIT").unwrap_or_else(|_| commit_of_the_checkout());
    println!("cargo::rustc-env=MIRANTE_COMMIT={commit}");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    println!("cargo::rustc-env=MIRANTE_RUSTC={}", said_by(&rustc, &["--version"]));
    for (name, variable) in [("MIRANTE_PROFILE", "PROFILE"), ("MIRANTE_TARGET", "TARGET")] {
        println!("cargo::rustc-env={name}={}", std::env::var(variable).unwrap_or_default());
    }
}

/// The commit, and nothing where there is no git or no checkout. Built anew when the checkout moves.
fn commit_of_the_checkout() -> String {
    for moves in ["HEAD", "logs/HEAD"] {
        let path = said_by("git", &["rev-parse", "--git-path", moves]);
        // A path that is not there would have this run at every build.
        if !path.is_empty() && std::path::Path::new(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    said_by("git", &["rev-parse", "--short=12", "HEAD"])
}

/// What a program prints, in one line; nothing if it fails.
fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let said = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    String::from_utf8_lossy(&said.unwrap_or_default()).trim().to_owned()
}
