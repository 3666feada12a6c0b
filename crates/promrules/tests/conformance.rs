//! Prometheus' rule files: what upstream takes has to be taken, what it refuses refused with its words.

use std::path::Path;
use std::process::ExitCode;

use promrules::{NameScheme, Options};
use testkit::Corpus;

const FORMAT: &str = "prometheus/rulefmt";
const FIXTURES: &str = "prometheus/rules-fixtures";

fn main() -> ExitCode {
    let mut corpus = Corpus::new("prometheus");
    let dir = corpus.dir().map(Path::to_owned);
    let verdicts = dir
        .as_deref()
        .and_then(|dir| std::fs::read_to_string(dir.join("rulefmt/expected.json")).ok())
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .and_then(|verdicts| verdicts.as_object().cloned())
        .unwrap_or_default();
    for (file, verdict) in verdicts {
        corpus.case(&format!("{FORMAT}: {file}"), move |dir| {
            let names = match verdict["name_validation"].as_str() {
                Some("legacy") => NameScheme::Legacy,
                _ => NameScheme::Utf8,
            };
            let said = read(&dir.join("rulefmt").join(&file), names)?;
            let contains = verdict["error_contains"].as_str().unwrap_or_default();
            match (verdict["valid"].as_bool().unwrap_or_default(), said) {
                (true, Ok(_)) => Ok(()),
                (true, Err(errors)) => Err(format!("refused: {errors}")),
                (false, Err(errors)) if errors.contains(contains) => Ok(()),
                (false, Err(errors)) => Err(format!("expected {contains:?}, said {errors:?}")),
                (false, Ok(_)) => Err("taken, though upstream refuses it".to_owned()),
            }
        });
    }
    let fixtures =
        dir.and_then(|dir| std::fs::read_dir(dir.join("rules-fixtures")).ok()).into_iter().flatten();
    for name in fixtures.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        corpus.case(&format!("{FIXTURES}: {name}"), move |dir| {
            match (
                name.starts_with("invalid"),
                read(&dir.join("rules-fixtures").join(&name), NameScheme::Utf8)?,
            ) {
                (true, Ok(_)) => Err("taken, though upstream refuses it".to_owned()),
                (false, Err(errors)) => Err(format!("refused: {errors}")),
                (false, Ok(0)) => Err("no rules".to_owned()),
                _ => Ok(()),
            }
        });
    }
    corpus.run()
}

/// How many rules there are, or what is wrong, a line each.
fn read(path: &Path, names: NameScheme) -> Result<Result<usize, String>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let parsed = promrules::parse(&text, Options { names, ..Options::default() });
    Ok(parsed
        .map(|parsed| parsed.file.rule_count())
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")))
}
