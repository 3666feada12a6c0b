//! The files of the real stack, and what they have to hold: compose files, configurations, rules, dashboards,
//! objectives, the image, the README's commands.
//!
//! A check is a function over what it is given, so that it can be tried on broken copies too (the unit tests beside
//! it); it returns what is wrong, a [`Complaints`] with a line for each fault. The test targets `compose`, `infra`,
//! `alerting` and `dashboards` run them on the repository's own files, each check a test of its own name ([`case`]).
//!
//! - [`compose`]: the compose files as compose sees them, merged and with variables put in.
//! - [`stack`]: what those files promise: pins, ports, mounts, health, hardening.
//! - [`addresses`]: every `host:port` and URL anywhere, held against the compose files.
//! - [`variables`]: what our programs read from their environment, and what is documented and set.
//! - [`rules`]: Prometheus's rules, their unit tests and their runbooks.
//! - [`slo`]: Pyrra's objectives.
//! - [`grafana`]: data sources, links and dashboards.
//! - [`expressions`]: every query in every file.
//! - [`queries`]: those of the repository's own files.
//! - [`image`]: the Dockerfile.
//! - [`prose`]: the commands and names in READMEs.
//! - [`schema`]: JSON Schema and the schema of a Kubernetes resource.

pub mod addresses;
pub mod compose;
pub mod expressions;
pub mod grafana;
pub mod image;
pub mod prose;
pub mod queries;
pub mod rules;
pub mod schema;
pub mod slo;
pub mod stack;
pub mod variables;

use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use regex::Regex;
use serde_json::Value;

/// What is wrong, a line for each fault; empty where all is well.
pub type Complaints = Vec<String>;

/// The repository.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().unwrap_or(root)
}

/// A text file, by its path in the repository. The error names the file.
pub fn text(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

/// A YAML file, by its path in the repository. The error names the file.
pub fn yaml(path: &str) -> Result<Value, String> {
    parse_yaml(&text(path)?).map_err(|error| format!("{path}: {error}"))
}

/// A JSON file, by its path in the repository. The error names the file.
pub fn json(path: &str) -> Result<Value, String> {
    serde_json::from_str(&text(path)?).map_err(|error| format!("{path}: {error}"))
}

/// One YAML document: anchors and merge keys followed, a key given twice refused. Only `true` and `false` are
/// booleans, as for the programs in Go that read these files.
pub fn parse_yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

/// Every file below a folder of the repository, as paths in the repository, in order; `extensions` empty takes all.
/// A folder that is not there has no files.
pub fn below(folder: &str, extensions: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.trim_end_matches('/').to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(root().join(&folder)) else { continue };
        for entry in entries.flatten() {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push(path);
            } else if extensions.is_empty() || extensions.contains(&extension(&path)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A file's ending, without the dot; empty where there is none.
pub fn extension(path: &str) -> &str {
    Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default()
}

/// A regular expression of this crate's own.
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("it is written in this crate, and every one is used in a test")
}

/// The entries of an array; none of what is no array.
pub fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The entries of an object; none of what is no object.
pub fn entries(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

/// A scalar as YAML's reader would show it: text, number or boolean.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Every text in a document with its place (`/panels/0/title`), in order.
pub fn texts(value: &Value) -> Vec<(String, String)> {
    fn walk(value: &Value, place: &str, found: &mut Vec<(String, String)>) {
        match value {
            Value::String(text) => found.push((place.to_owned(), text.clone())),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    walk(item, &format!("{place}/{index}"), found);
                }
            }
            Value::Object(entries) => {
                for (key, item) in entries {
                    walk(item, &format!("{place}/{key}"), found);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// A check as a named test: it fails with every complaint, a line each.
pub fn case(name: impl Into<String>, check: impl FnOnce() -> Complaints + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let complaints = check();
        if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) }
    })
}

/// The complaints of a check that could not even begin.
pub fn or_complain(result: Result<Complaints, String>) -> Complaints {
    result.unwrap_or_else(|error| vec![error])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn anchors_and_merge_keys_are_followed() {
        let parsed = parse_yaml("a: &a {x: 1, y: off}\nb:\n  <<: *a\n  x: 2\nc: [{<<: *a}]\n").unwrap();
        assert_eq!(
            parsed,
            json!({ "a": { "x": 1, "y": "off" }, "b": { "x": 2, "y": "off" }, "c": [{ "x": 1, "y": "off" }] })
        );
    }

    #[test]
    fn a_key_given_twice_is_refused() {
        assert!(parse_yaml("a: 1\na: 2\n").unwrap_err().contains("duplicate"));
    }

    #[test]
    fn texts_are_found_with_their_place() {
        let found = texts(&json!({ "a": ["x", { "b": "y" }], "c": 1 }));
        assert_eq!(found, [("/a/0".to_owned(), "x".to_owned()), ("/a/1/b".to_owned(), "y".to_owned())]);
    }
}
