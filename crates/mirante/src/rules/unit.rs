//! `mirante rules test`.

mod alerts;
mod exprs;
mod file;
mod group;
mod show;
mod store;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use regex::Regex;

use super::Streams;
use super::cli::Test;
use super::junit::{Report, Suite};
use file::TestFile;
use group::Plan;

/// How often rules are evaluated if a file does not say it.
const INTERVAL: Duration = Duration::from_mins(1);

pub(super) fn run(arguments: &Test, to: &mut impl Streams) -> anyhow::Result<ExitCode> {
    let run = match arguments.run.as_slice() {
        [] => None,
        patterns => Some(
            model::regex::compile(&patterns.join("|"))
                .map_err(anyhow::Error::msg)
                .context("--run is no regular expression")?,
        ),
    };
    // Before hours of tests are run: where the results go.
    let mut junit = match &arguments.junit {
        Some(path) => {
            Some(std::fs::File::create(path).with_context(|| format!("creating {}", path.display()))?)
        }
        None => None,
    };
    let mut report = Report::default();
    let mut is_wrong = false;
    for path in &arguments.files {
        let suite = report.suite(&path.display().to_string());
        let errors = test_file(path, arguments, run.as_ref(), suite, to);
        is_wrong |= !errors.is_empty();
        if errors.is_empty() {
            to.out("  SUCCESS\n");
        } else {
            to.err("  FAILED:\n");
        }
        for error in errors {
            to.err(&format!("{error}\n"));
            to.out("\n");
        }
        to.out("\n");
    }
    if let Some(file) = &mut junit {
        use std::io::Write;
        if let Err(error) = file.write_all(report.to_xml().as_bytes()) {
            to.err(&format!("failed to write JUnit XML: {}\n", ruler::words_of(&error)));
        }
    }
    Ok(if is_wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Runs the test groups of a file; what is wrong.
fn test_file(
    path: &Path,
    arguments: &Test,
    run: Option<&Regex>,
    suite: &mut Suite,
    to: &mut impl Streams,
) -> Vec<String> {
    let (file, rule_files) = match read(path, to) {
        Ok(read) => read,
        Err(error) => {
            suite.abort(&error);
            return vec![error];
        }
    };
    suite.timestamp = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let mut seen = HashSet::new();
    if let Some(name) = file.group_eval_order.iter().find(|name| !seen.insert(name.as_str())) {
        let error = format!("group name repeated in evaluation order: {name}");
        suite.abort(&error);
        return vec![error];
    }
    let plan = Plan {
        rule_files: &rule_files,
        interval: if file.evaluation_interval.is_zero() { INTERVAL } else { file.evaluation_interval },
        order: &file.group_eval_order,
        is_fuzzy: file.fuzzy_compare,
        arguments,
    };
    let mut errors = Vec::new();
    for (index, group) in file.tests.iter().enumerate() {
        if run.is_some_and(|run| !run.is_match(&group.name)) {
            continue;
        }
        let name = if group.name.is_empty() { format!("unnamed#{index}") } else { group.name.clone() };
        let wrong = group::run(group, &name, &plan, to);
        suite.case(&name, wrong.clone());
        errors.extend(wrong);
    }
    errors
}

/// Reads a file and finds the rule files that it names, which stand beside it.
fn read(path: &Path, to: &mut impl Streams) -> Result<(TestFile, Vec<PathBuf>), String> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|error| format!("open {name}: {}", ruler::words_of(&error)))?;
    let file = TestFile::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| error.to_string())?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut rule_files: Vec<PathBuf> = Vec::new();
    for pattern in &file.rule_files {
        let pattern = if pattern.is_empty() { PathBuf::new() } else { cleaned(&folder.join(pattern)) };
        if !is_pattern(&pattern.to_string_lossy()) {
            return Err("syntax error in pattern".to_owned());
        }
        let found = promconfig::expand_patterns(&[&pattern]);
        if found.is_empty() {
            to.err(&format!("  WARNING: no file match pattern {}\n", pattern.display()));
        }
        // Named twice, a group is still one.
        let new: Vec<PathBuf> = found.into_iter().filter(|path| !rule_files.contains(path)).collect();
        rule_files.extend(new);
    }
    Ok((file, rule_files))
}

/// Whether Go can match names with a pattern: sets are closed and not empty, and something stands behind each backslash.
fn is_pattern(pattern: &str) -> bool {
    let mut characters = pattern.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.next().is_none() => return false,
            '[' => {
                characters.next_if_eq(&'^');
                let mut ranges = 0;
                while ranges == 0 || characters.peek() != Some(&']') {
                    ranges += 1;
                    for end in 0..2 {
                        match characters.next() {
                            None | Some('-' | ']') => return false,
                            Some('\\') if characters.next().is_none() => return false,
                            Some(_) => {}
                        }
                        if end == 0 && characters.next_if_eq(&'-').is_none() {
                            break;
                        }
                    }
                }
                characters.next();
            }
            _ => {}
        }
    }
    true
}

/// A path without what takes it nowhere, as Go's `filepath.Clean` has it: what is printed should not depend on the detour.
fn cleaned(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => match clean.components().next_back() {
                Some(Component::Normal(_)) => _ = clean.pop(),
                Some(Component::RootDir) => {}
                _ => clean.push(".."),
            },
            other => clean.push(other),
        }
    }
    if clean.as_os_str().is_empty() { PathBuf::from(".") } else { clean }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_gos() {
        for pattern in ["", "a*?.yml", "[a-c]", "[^a]b", "[\\]]", "a]", "a-b"] {
            assert!(is_pattern(pattern), "{pattern}");
        }
        for pattern in ["[", "[]a]", "[a-]", "[-a]", "a\\", "[a", "[^", "[\\"] {
            assert!(!is_pattern(pattern), "{pattern}");
        }
    }

    #[test]
    fn paths_are_cleaned_as_go_does() {
        for (path, clean) in
            [("a/../b.yml", "b.yml"), ("./a//b", "a/b"), ("../a", "../a"), ("/../a", "/a"), ("a/..", ".")]
        {
            assert_eq!(cleaned(Path::new(path)), Path::new(clean), "{path}");
        }
    }
}
