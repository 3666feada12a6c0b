//! Prometheus' own configuration files: what upstream reads has to be read, and what it refuses has to be refused with
//! its text.

use std::process::ExitCode;

use promconfig::Config;
use serde_json::Value;
use testkit::Corpus;

/// Files that the list of verdicts leaves out and that the real promtool refuses, with part of what it says.
const REFUSED: [(&str, &str); 8] = [
    (
        "config_with_deprecated_am_api_config.yml",
        "expected Alertmanager api version to be one of [v2] but got v1",
    ),
    ("otlp_allow_utf8.bad.yml", "unsupported OTLP translation strategy \"Invalid\""),
    (
        "otlp_ignore_resource_attributes_without_promote_all.bad.yml",
        "'ignore_resource_attributes' cannot be configured",
    ),
    (
        "otlp_no_translation.incompatible.yml",
        "OTLP translation strategy \"NoTranslation\" is not allowed when UTF8",
    ),
    ("otlp_promote_all_resource_attributes.bad.yml", "cannot be configured simultaneously"),
    ("otlp_sanitize_ignore_resource_attributes.bad.yml", "invalid 'ignore_resource_attributes'"),
    ("otlp_sanitize_promote_resource_attributes.bad.yml", "invalid 'promote_resource_attributes'"),
    ("static_config.bad.yml", "field targets not found in type config.plain"),
];

fn main() -> ExitCode {
    let mut corpus = Corpus::new("prometheus/config");
    let Some(dir) = corpus.dir().map(std::path::Path::to_path_buf) else { return corpus.run() };
    let verdicts: Value = std::fs::read_to_string(dir.join("expected.json"))
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let mut files: Vec<String> = std::fs::read_dir(&dir)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.rsplit_once('.').is_some_and(|(_, ending)| ending == "yml"))
        .collect();
    files.sort();
    for file in files {
        let listed = &verdicts[&file];
        let expected = match (listed["valid"].as_bool(), REFUSED.iter().find(|(name, _)| *name == file)) {
            // What the list does not know says by its name what it is, unless it is wrong in a file that it names.
            (None, None)
                if [".bad.", ".incompatible."].iter().any(|word| file.contains(word))
                    && !file.starts_with("scrape_config_files") =>
            {
                Some(String::new())
            }
            (Some(true), _) | (None, None) => None,
            (Some(false), _) => Some(listed["error_contains"].as_str().unwrap_or_default().to_owned()),
            (None, Some((_, text))) => Some((*text).to_owned()),
        };
        corpus.case(&file.clone(), move |dir| {
            let text = std::fs::read_to_string(dir.join(&file)).map_err(|error| error.to_string())?;
            check(&file, &text, expected.as_deref())
        });
    }
    corpus.run()
}

fn check(file: &str, text: &str, expected: Option<&str>) -> Result<(), String> {
    match (Config::parse(text, |_| None), expected) {
        (Ok(config), None) => {
            // What is printed says the same.
            let printed = config.print();
            if config.global.external_labels.iter().any(|(_, value)| value.contains('$')) {
                return Ok(()); // They would be taken for variables again.
            }
            // What is false is left out, also where nothing said is true: so upstream prints it.
            if text.contains("_underscore_sanitization: false") {
                return Ok(());
            }
            // A field that only the printed form has, and a block that was emptied.
            let mut text = printed.replace("outofordertimewindow:", "# ");
            if !text.contains("\notlp:") {
                text.push_str("otlp:\n");
            }
            match Config::parse(&text, |_| None) {
                Ok(again) if again.print() == printed => Ok(()),
                Ok(again) => Err(format!("printed as\n{printed}\nthen as\n{}", again.print())),
                Err(error) => Err(format!("printed as\n{printed}\nwhich is refused: {error}")),
            }
        }
        (Ok(_), Some(text)) => Err(format!("read, though upstream refuses it: {text}")),
        (Err(error), None) => Err(format!("refused: {error}")),
        // Some verdicts are those of the whole loading, which names the file.
        (Err(error), Some(text)) if format!("parsing YAML file testdata/{file}: {error}").contains(text) => {
            Ok(())
        }
        (Err(error), Some(text)) => Err(format!("expected {text:?}, found {error}")),
    }
}
