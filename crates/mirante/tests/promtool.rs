//! `mirante rules` over upstream's rule files and unit tests: every file of the folders is a case.
//!
//! A unit test passes or fails as `expected.json` says; a file that it does not name has to be read, whatever its tests
//! find. A rule file is wrong if its name or its verdict says so.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde_json::Value;
use testkit::Corpus;

fn main() -> ExitCode {
    testkit::run([unit_tests(), formats(), fixtures()])
}

/// What a run of the command gave.
struct Run {
    code: Option<i32>,
    said: String,
}

fn mirante(dir: &Path, words: &[&str]) -> Result<Run, String> {
    let output =
        Command::new(env!("CARGO_BIN_EXE_mirante")).arg("rules").args(words).current_dir(dir).output();
    let output = output.map_err(|error| error.to_string())?;
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    Ok(Run { code: output.status.code(), said: format!("{out}{err}") })
}

/// The files of a folder whose names end like that, sorted.
fn files(dir: Option<&Path>, ends: &[&str]) -> Vec<String> {
    let entries = dir.and_then(|dir| std::fs::read_dir(dir).ok()).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| ends.iter().any(|end| name.ends_with(end))).collect();
    names.sort();
    names
}

fn verdicts(dir: Option<&Path>) -> Option<Value> {
    let path: PathBuf = dir?.join("expected.json");
    serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()
}

fn expect(run: &Run, codes: &[i32]) -> Result<(), String> {
    match run.code {
        Some(code) if codes.contains(&code) => Ok(()),
        code => Err(format!("exit code {code:?}, expected one of {codes:?}:\n{}", run.said)),
    }
}

fn unit_tests() -> Corpus {
    let mut corpus = Corpus::new("prometheus/promtool");
    let dir = corpus.dir().map(Path::to_owned);
    let runs = verdicts(dir.as_deref()).and_then(|runs| runs.as_array().cloned()).unwrap_or_default();
    for run in runs {
        let text = |key: &str| run[key].as_str().unwrap_or_default().to_owned();
        let (file, group, needs) = (text("file"), text("run"), text("needs"));
        let passes = run["passes"].as_bool().unwrap_or_default();
        let name = if group.is_empty() { file.clone() } else { format!("{file}, groups {group}") };
        corpus.case(&format!("test {name}"), move |dir| {
            let mut words = vec!["test"];
            if needs.contains("unknown") {
                words.push("--ignore-unknown-fields");
            }
            if !group.is_empty() {
                words.extend(["--run", &group]);
            }
            words.push(&file);
            expect(&mirante(dir, &words)?, if passes { &[0] } else { &[1] })
        });
    }
    for file in files(dir.as_deref(), &[".yml", ".yaml"]) {
        let text =
            dir.as_ref().and_then(|dir| std::fs::read_to_string(dir.join(&file)).ok()).unwrap_or_default();
        if !text.lines().any(|line| line.starts_with("groups:")) {
            continue;
        }
        corpus.case(&format!("check {file}"), move |dir| {
            // Lint is no error, keys that rules do not have are one, and so is what cannot be read.
            let is_wrong = file.contains("bad") && !file.contains("error") && !file.contains("syntax-test");
            let has_more = file.contains("extrafields");
            expect(&mirante(dir, &["check", &file])?, &[i32::from(is_wrong || has_more)])?;
            if has_more {
                expect(&mirante(dir, &["check", "--ignore-unknown-fields", &file])?, &[0])?;
            }
            if file.contains("lint") {
                expect(&mirante(dir, &["check", "--lint-fatal", &file])?, &[3])?;
                expect(&mirante(dir, &["check", "--lint-fatal", "--lint=none", &file])?, &[0])?;
            }
            Ok(())
        });
    }
    corpus
}

fn formats() -> Corpus {
    let mut corpus = Corpus::new("prometheus/rulefmt");
    let dir = corpus.dir().map(Path::to_owned);
    let verdicts = verdicts(dir.as_deref()).unwrap_or_default();
    for file in files(dir.as_deref(), &[".yaml", ".yml"]) {
        // The command knows names of the newer kind only, as promtool does.
        let is_wrong = match &verdicts[&file] {
            Value::Object(verdict)
                if verdict.get("name_validation").is_none_or(|names| names != "legacy") =>
            {
                !verdict["valid"].as_bool().unwrap_or_default()
            }
            _ => file.contains(".bad."),
        };
        corpus.case(&format!("check {file}"), move |dir| {
            expect(&mirante(dir, &["check", &file])?, &[i32::from(is_wrong)])
        });
    }
    corpus
}

fn fixtures() -> Corpus {
    let mut corpus = Corpus::new("prometheus/rules-fixtures");
    let dir = corpus.dir().map(Path::to_owned);
    for file in files(dir.as_deref(), &[".yaml", ".yml"]) {
        corpus.case(&format!("check {file}"), move |dir| {
            expect(&mirante(dir, &["check", &file])?, &[i32::from(file.starts_with("invalid"))])
        });
    }
    corpus
}
