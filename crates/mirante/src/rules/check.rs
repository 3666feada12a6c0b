//! `mirante rules check`.

use std::fmt::Write;
use std::io::Read;
use std::process::ExitCode;

use promrules::{Options, RuleFile, lint};
use ruler::words_of;

use super::cli::Check;
use super::{LINT, Streams};

/// What is made of complaints.
#[derive(Default)]
struct Verdict {
    /// A file cannot be used.
    is_wrong: bool,
    /// Lint complains.
    is_odd: bool,
}

pub(super) fn run(arguments: &Check, to: &mut impl Streams) -> ExitCode {
    let options = Options { ignore_unknown_fields: arguments.ignore_unknown_fields, ..Options::default() };
    let duplicates = wants_duplicates(&arguments.lint, to);
    let mut verdict = Verdict::default();
    if arguments.files.is_empty() {
        to.out("Checking standard input\n");
        let mut bytes = Vec::new();
        match std::io::stdin().lock().read_to_end(&mut bytes) {
            Ok(_) => check(&bytes, "", options, duplicates, &mut verdict, to),
            Err(error) => {
                to.err(&format!("  FAILED: {}\n", words_of(&error)));
                verdict.is_wrong = true;
            }
        }
    }
    for path in &arguments.files {
        let name = path.display();
        to.out(&format!("Checking {name}\n"));
        match std::fs::read(path) {
            Ok(bytes) => check(&bytes, &format!("{name}: "), options, duplicates, &mut verdict, to),
            Err(error) => {
                to.err(&format!("  FAILED:\n{name}: open {name}: {}\n", words_of(&error)));
                verdict.is_wrong = true;
            }
        }
    }
    match verdict {
        Verdict { is_wrong: true, .. } => ExitCode::FAILURE,
        Verdict { is_odd: true, .. } if arguments.lint_fatal => ExitCode::from(LINT),
        Verdict { .. } => ExitCode::SUCCESS,
    }
}

/// Whether duplicates are looked for; names that nobody knows are warned of.
fn wants_duplicates(lints: &str, to: &mut impl Streams) -> bool {
    let mut wanted = false;
    for name in lints.split(',').filter(|_| !lints.is_empty()) {
        match name {
            "all" | "duplicate-rules" => wanted = true,
            "none" => {}
            other => to.out(&format!("WARNING: unknown lint option: {other:?}\n")),
        }
    }
    wanted
}

/// Checks one file; what is wrong is told with a prefix.
fn check(
    bytes: &[u8],
    prefix: &str,
    options: Options,
    duplicates: bool,
    verdict: &mut Verdict,
    to: &mut impl Streams,
) {
    let text = String::from_utf8_lossy(bytes);
    let parsed = match promrules::parse(&text, options) {
        Ok(parsed) => parsed,
        Err(errors) => {
            let lines: String = errors.iter().fold(String::new(), |mut lines, error| {
                _ = writeln!(lines, "{prefix}{error}");
                lines
            });
            to.err(&format!("  FAILED:\n{lines}"));
            verdict.is_wrong = true;
            return;
        }
    };
    for warning in parsed.warnings {
        to.err(&format!("warning: {warning}\n"));
    }
    match complaint(&parsed.file).filter(|_| duplicates) {
        Some(complaint) => {
            to.err(&format!("  FAILED:\n{complaint}\n"));
            verdict.is_odd = true;
        }
        None => to.out(&format!("  SUCCESS: {} rules found\n", parsed.file.rule_count())),
    }
    to.out("\n");
}

/// What lint says of rules that make the same series.
fn complaint(file: &RuleFile) -> Option<String> {
    let duplicates = lint::duplicates(file);
    if duplicates.is_empty() {
        return None;
    }
    let mut text = format!("lint error {} duplicate rule(s) found.\n", duplicates.len());
    for duplicate in duplicates {
        _ = write!(text, "Metric: {}\nLabel(s):\n", duplicate.metric);
        for (name, value) in duplicate.labels {
            _ = writeln!(text, "\t{name}: {value}");
        }
    }
    text.push_str("Might cause inconsistency while recording expressions");
    Some(text)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::Heard;
    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        check: Check,
    }

    fn checked(files: &[(&str, &str)], flags: &[&str]) -> (ExitCode, Heard) {
        let dir = tempfile::tempdir().unwrap();
        let mut words = vec!["check".to_owned()];
        words.extend(flags.iter().map(ToString::to_string));
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            words.push(path.display().to_string());
        }
        let mut heard = Heard::default();
        let code = run(&Line::parse_from(words).check, &mut heard);
        let folder = format!("{}/", dir.path().display());
        (code, Heard { out: heard.out.replace(&folder, ""), err: heard.err.replace(&folder, "") })
    }

    const TWICE: &str = "groups:\n- name: g\n  labels: {a: b}\n  rules:\n  - {record: r, expr: 1}\n  - {record: r, expr: 2}\n";

    #[test]
    fn what_is_right_and_what_is_wrong() {
        let good = "groups:\n- name: g\n  rules:\n  - {record: r, expr: 1}\n";
        let (code, heard) = checked(&[("good.yml", good), ("bad.yml", "groups:\n- name: ''\n")], &[]);
        assert_eq!(code, ExitCode::FAILURE);
        assert_eq!(heard.out, "Checking good.yml\n  SUCCESS: 1 rules found\n\nChecking bad.yml\n");
        assert_eq!(heard.err, "  FAILED:\nbad.yml: 0:0: Groupname must not be empty\n");
    }

    #[test]
    fn duplicates_are_lint() {
        let (code, heard) = checked(&[("a.yml", TWICE)], &[]);
        assert_eq!((code, heard.out.as_str()), (ExitCode::SUCCESS, "Checking a.yml\n\n"));
        assert_eq!(
            heard.err,
            "  FAILED:\nlint error 1 duplicate rule(s) found.\nMetric: r\nLabel(s):\n\ta: b\nMight cause inconsistency \
             while recording expressions\n"
        );
        assert_eq!(checked(&[("a.yml", TWICE)], &["--lint-fatal"]).0, ExitCode::from(LINT));
        let (code, heard) = checked(&[("a.yml", TWICE)], &["--lint=none,odd", "--lint-fatal"]);
        assert_eq!(code, ExitCode::SUCCESS);
        assert!(heard.out.starts_with("WARNING: unknown lint option: \"odd\"\n"), "{}", heard.out);
    }

    #[test]
    fn a_file_that_is_not_there() {
        let mut heard = Heard::default();
        let line = Line::parse_from(["check", "/nowhere/rules.yml"]);
        assert_eq!(run(&line.check, &mut heard), ExitCode::FAILURE);
        assert_eq!(
            heard.err,
            "  FAILED:\n/nowhere/rules.yml: open /nowhere/rules.yml: no such file or directory\n"
        );
    }
}
