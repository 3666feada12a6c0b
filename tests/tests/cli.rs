//! The command line as people meet it: helps, errors, exit codes.

use std::net::TcpListener;
use std::process::Output;

use tests::mirante::{Stack, free_offset, run};

/// What a command printed and how it ended, as one text.
fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut shown = vec![format!("exit code {}\n", output.status.code().unwrap_or(-1))];
    for (name, bytes) in [("standard output", &output.stdout), ("standard error", &output.stderr)] {
        if !bytes.is_empty() {
            shown.push(format!("--- {name}\n{}", text(bytes)));
        }
    }
    shown.concat()
}

fn show(arguments: &[&str]) -> String {
    shown(&run(arguments))
}

#[test]
fn help_of_the_whole() {
    insta::assert_snapshot!(show(&["--help"]).replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn help_of_up() {
    insta::assert_snapshot!(show(&["up", "--help"]));
}

#[test]
fn help_of_status() {
    insta::assert_snapshot!(show(&["status", "--help"]));
}

#[test]
fn help_of_verify() {
    insta::assert_snapshot!(show(&["verify", "--help"]));
}

#[test]
fn help_of_rules() {
    for command in ["", "check", "test"] {
        let words: Vec<&str> =
            ["rules", command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        insta::assert_snapshot!(show(&words));
    }
}

#[test]
fn help_of_version() {
    insta::assert_snapshot!(show(&["version", "--help"]));
}

#[test]
fn version_says_what_and_how_it_was_built() {
    let said = show(&["version"]);
    let version = concat!("mirante ", env!("CARGO_PKG_VERSION"));
    assert!(said.contains(version) && said.contains("rustc "), "{said}");
    let short = show(&["--version"]);
    assert!(short.starts_with("exit code 0\n--- standard output\n") && short.contains(version), "{short}");
}

#[test]
fn nothing_said_is_answered_with_help_and_2() {
    let said = show(&[]);
    assert!(said.starts_with("exit code 2\n") && said.contains("Usage: mirante <COMMAND>"), "{said}");
}

#[test]
fn bad_values_say_what_is_allowed_and_end_with_2() {
    let cases: [&[&str]; 13] = [
        &["up", "--memory", "lots"],
        &["up", "--memory", "1MiB"],
        &["up", "--retention", "forever"],
        &["up", "--retention", "profiles=7d"],
        &["up", "--retention", "metrics=10GiB"],
        &["up", "--wal-sync", "sometimes"],
        &["up", "--log-format", "xml"],
        &["up", "--bind", "everywhere"],
        &["up", "--port-offset", "60000"],
        &["up", "--port-offset", "-1"],
        &["verify", "--tempo", "https://tempo:3200"],
        &["verify", "--timeout", "soon"],
        &["start"],
    ];
    let all: Vec<String> =
        cases.iter().map(|case| format!("$ mirante {}\n{}", case.join(" "), show(case))).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_value_from_the_environment_is_checked_as_well() {
    let mut command = tests::mirante::command(&["up"]);
    let output = command.env("MIRANTE_MEMORY", "much").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--memory <BYTES>") && said.contains("such as 512MiB"), "{said}");
}

#[test]
fn a_busy_port_is_named_with_its_owner_and_what_helps() {
    // Another process may take one of them between the look and the bind.
    let taken = std::iter::repeat_with(free_offset).find_map(|offset| {
        let bind = |port: u16| TcpListener::bind(("127.0.0.1", port + offset)).ok();
        Some((offset, bind(3200)?, bind(8001)?))
    });
    let (offset, _tempo, _users) = taken.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let data_dir = dir.path().to_str().unwrap();
    let shift = offset.to_string();
    let output = run(&["up", "--data-dir", data_dir, "--port-offset", &shift]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    let owner = format!("in use by process {}", std::process::id());
    assert!(said.contains(&format!("port {} (Tempo) is {owner}", 3200 + offset)), "{said}");
    assert!(said.contains(&format!("port {} (users) is {owner}", 8001 + offset)), "{said}");
    assert!(said.contains("hint: ") && said.contains("--port-offset"), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_data_directory_in_use_says_by_which_process() {
    let dir = tempfile::tempdir().unwrap();
    let stack = Stack::up(dir.path(), &["--no-demo"]);
    let Err(said) = Stack::up_at(free_offset(), dir.path(), &["--no-demo"]) else {
        panic!("two in one directory")
    };
    assert!(said.contains("exit status: 1"), "{said}");
    let holder = format!("is in use by process {} (", stack.pid());
    assert!(said.contains(&holder) && said.contains("--no-demo)"), "{said}");
    assert!(said.contains(&format!("hint: stop it with `kill {}`", stack.pid())), "{said}");
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("data");
    let output = run(&["up", "--data-dir", below.to_str().unwrap(), "--no-demo"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot create") && said.contains(below.to_str().unwrap()), "{said}");
    assert!(said.contains("hint: "), "{said}");
}

#[test]
fn an_address_that_is_not_ours_is_refused_with_a_hint() {
    let dir = tempfile::tempdir().unwrap();
    // Reserved for documentation (RFC 5737), so no machine has it.
    let output = run(&["up", "--data-dir", dir.path().to_str().unwrap(), "--bind", "192.0.2.1"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("cannot listen on 192.0.2.1:4317") && said.contains("hint: --bind takes"),
        "{said}"
    );
}

#[test]
fn where_nothing_runs_status_and_verify_say_so() {
    let shift = free_offset().to_string();
    for command in ["status", "verify"] {
        let output = run(&[command, "--port-offset", &shift]);
        let said = shown(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("hint: start") && said.contains("mirante up"), "{said}");
    }
    let dir = tempfile::tempdir().unwrap();
    let output = run(&["status", "--data-dir", dir.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(shown(&output).contains("error: no stack runs in"), "{}", shown(&output));
}
