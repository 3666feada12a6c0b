//! Readers that several blocks share.

use model::literal::Quoted;
use std::path::Path;
use std::time::Duration;

use yaml::{Context, Fields, Node, Outcome};

use crate::names::ValidationScheme;
use crate::secret::Secret;
use crate::url::Url;

pub(crate) fn duration(node: &Node, context: &mut Context) -> Outcome<Duration> {
    let text = yaml::string(node, context)?;
    model::duration::parse(&text).map_err(|message| node.refuse(message))
}

pub(crate) fn size(node: &Node, context: &mut Context) -> Outcome<i64> {
    let text = yaml::named_string(node, context, "units.Base2Bytes")?;
    crate::size::parse(&text).map_err(|message| node.refuse(message))
}

pub(crate) fn limit(node: &Node, context: &mut Context) -> Outcome<u64> {
    yaml::unsigned(node, context, "uint")
}

pub(crate) fn secret(node: &Node, context: &mut Context) -> Outcome<Secret> {
    yaml::string(node, context).map(Secret::new)
}

pub(crate) fn url(node: &Node, context: &mut Context) -> Outcome<Url> {
    let text = yaml::string(node, context)?;
    Url::parse(&text).map_err(|message| node.refuse(message))
}

/// The block of AWS' signatures, of which nothing is used.
pub(crate) fn sigv4(node: &Node, context: &mut Context) -> Outcome<()> {
    Fields::open(node, context, "sigv4.plain")?;
    yaml::skip(node, context)
}

/// Names with values, by name.
pub(crate) fn sorted_map(node: &Node, context: &mut Context) -> Outcome<Vec<(String, String)>> {
    let mut pairs = yaml::map(node, context, "map[string]string", yaml::string)?;
    pairs.sort();
    Ok(pairs)
}

/// Refuses labels that are no UTF-8, as `!!binary` can write them.
pub(crate) fn check_label_bytes(node: &Node) -> Outcome<()> {
    for entry in node.entries() {
        if let Some(bytes) = entry.key.bytes() {
            return Err(node.refuse(format!("{} is not a valid label name", Quoted(bytes))));
        }
        if let Some(bytes) = entry.value.bytes() {
            return Err(node.refuse(format!("{} is not a valid label value", Quoted(bytes))));
        }
    }
    Ok(())
}

/// Labels of targets: any text may be a value, and every UTF-8 name is one.
pub(crate) fn label_set(node: &Node, context: &mut Context) -> Outcome<Vec<(String, String)>> {
    check_label_bytes(node)?;
    let mut pairs = yaml::map(node, context, "model.LabelSet", yaml::string)?;
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !ValidationScheme::Utf8.is_label_name(name)) {
        return Err(node.refuse(format!("{} is not a valid label name", Quoted(name))));
    }
    pairs.sort();
    Ok(pairs)
}

/// Label names in a list.
pub(crate) fn label_names(node: &Node, context: &mut Context) -> Outcome<Vec<String>> {
    yaml::list(node, context, "model.LabelNames", |node, context| {
        let name = yaml::string(node, context)?;
        if !ValidationScheme::Utf8.is_label_name(&name) {
            return Err(node.refuse(format!("{} is not a valid label name", Quoted(&name))));
        }
        Ok(name)
    })
}

/// `path` as seen from the directory of the configuration; nothing stays nothing.
pub fn join_directory(directory: &Path, path: &str) -> String {
    if path.is_empty() || Path::new(path).is_absolute() {
        return path.to_owned();
    }
    // `./` and inner `..` are resolved as text, as Go's filepath.Join does it.
    let mut parts: Vec<&str> = Vec::new();
    let joined = directory.join(path);
    let joined = joined.to_string_lossy();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if joined.starts_with('/') => {}
            other => parts.push(other),
        }
    }
    let root = if joined.starts_with('/') { "/" } else { "" };
    let path = format!("{root}{}", parts.join("/"));
    if path.is_empty() { ".".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_as_go_joins_them() {
        for (directory, path, joined) in [
            ("/etc/prom", "rules/*.yml", "/etc/prom/rules/*.yml"),
            ("/etc/prom", "../x.yml", "/etc/x.yml"),
            ("infra/prometheus", "./a", "infra/prometheus/a"),
            ("", "a", "a"),
            ("..", "../a", "../../a"),
            ("/etc", "/abs", "/abs"),
            ("/etc", "", ""),
        ] {
            assert_eq!(join_directory(Path::new(directory), path), joined, "{directory} {path}");
        }
    }
}
