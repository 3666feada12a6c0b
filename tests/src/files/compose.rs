//! Compose files as compose sees them: variables put in, several files merged
//! (<https://docs.docker.com/reference/compose-file/merge/>).
//!
//! Of merging there is what these files use: mappings are merged, lists are joined, commands and the tests of health
//! checks are replaced, what may be written as a list or as a mapping is taken as a mapping, and ports and mounts are
//! one for each target. `!reset`, `!override`, `extends` and `include` are complained about instead.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{entries, items, parse_yaml, scalar};

/// Compose files, merged, with variables put in.
#[derive(Clone, Debug)]
pub struct Compose {
    /// The whole, services and all.
    pub document: Value,
}

/// A published port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Address on the host, as written before variables are put in; empty where none is given.
    pub bind: String,
    /// Port on the host.
    pub published: String,
    /// Port in the container.
    pub target: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

/// Something of the host or of a named volume in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Path on the host (`./…`, `/…`), or the name of a volume; empty for a nameless one.
    pub source: String,
    /// Path in the container.
    pub target: String,
    /// Whether it cannot be written.
    pub read_only: bool,
}

impl Mount {
    /// Whether the source is a path on the host.
    pub fn is_bind(&self) -> bool {
        self.source.starts_with(['.', '/', '~'])
    }
}

impl Compose {
    /// Reads files' texts, the later ones over the earlier ones, in an environment that sets nothing.
    pub fn read(files: &[&str]) -> Result<Self, String> {
        Self::read_with(files, &BTreeMap::new())
    }

    /// Reads files' texts in an environment.
    pub fn read_with(files: &[&str], environment: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut whole = Value::Object(Map::new());
        for text in files {
            for unsupported in ["!reset", "!override"] {
                if text.contains(unsupported) {
                    return Err(format!("{unsupported} is not merged here: write the files without it"));
                }
            }
            let parsed = interpolated(&parse_yaml(text)?, environment)?;
            for (name, service) in entries(&parsed["services"]) {
                if !service["extends"].is_null() {
                    return Err(format!("{name}: `extends` is not merged here: use anchors"));
                }
            }
            if !parsed["include"].is_null() {
                return Err("`include` is not merged here: name the files one after the other".to_owned());
            }
            whole = merged(&whole, &parsed, "");
        }
        Ok(Self { document: whole })
    }

    /// Services by name.
    pub fn services(&self) -> impl Iterator<Item = (&str, &Value)> {
        entries(&self.document["services"])
    }

    /// A service; null where there is none of that name.
    pub fn service(&self, name: &str) -> &Value {
        &self.document["services"][name]
    }

    /// The published ports of a service.
    pub fn ports(&self, service: &str) -> Result<Vec<Port>, String> {
        items(&self.service(service)["ports"]).iter().map(parse_port).collect()
    }

    /// What is mounted into a service's container.
    pub fn mounts(&self, service: &str) -> Vec<Mount> {
        items(&self.service(service)["volumes"]).iter().map(parse_mount).collect()
    }

    /// The variables of a service.
    pub fn environment(&self, service: &str) -> BTreeMap<String, String> {
        let environment = as_mapping(&self.service(service)["environment"]);
        entries(&environment)
            .map(|(key, value)| (key.to_owned(), scalar(value).unwrap_or_default()))
            .collect()
    }

    /// What a service waits for, with the condition.
    pub fn dependencies(&self, service: &str) -> Vec<(String, String)> {
        match &self.service(service)["depends_on"] {
            Value::Array(names) => {
                names.iter().filter_map(scalar).map(|name| (name, "service_started".to_owned())).collect()
            }
            conditions => entries(conditions)
                .map(|(name, condition)| {
                    (name.to_owned(), condition["condition"].as_str().unwrap_or("service_started").to_owned())
                })
                .collect(),
        }
    }
}

/// Both spellings of a published port.
pub fn parse_port(port: &Value) -> Result<Port, String> {
    let bad = || format!("a port that cannot be read: {port}");
    if port.is_object() {
        return Ok(Port {
            bind: port["host_ip"].as_str().unwrap_or_default().to_owned(),
            published: scalar(&port["published"]).unwrap_or_default(),
            target: scalar(&port["target"]).and_then(|target| target.parse().ok()).ok_or_else(bad)?,
            protocol: port["protocol"].as_str().unwrap_or("tcp").to_owned(),
        });
    }
    let text = scalar(port).ok_or_else(bad)?;
    let (ports, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
    let mut parts = ports.rsplitn(3, ':');
    let target = parts.next().and_then(|target| target.parse().ok()).ok_or_else(bad)?;
    let published = parts.next().unwrap_or_default().to_owned();
    let bind = parts.next().unwrap_or_default().to_owned();
    Ok(Port { bind, published, target, protocol: protocol.to_owned() })
}

fn parse_mount(mount: &Value) -> Mount {
    if mount.is_object() {
        return Mount {
            source: mount["source"].as_str().unwrap_or_default().to_owned(),
            target: mount["target"].as_str().unwrap_or_default().to_owned(),
            read_only: mount["read_only"].as_bool().unwrap_or(false),
        };
    }
    let text = scalar(mount).unwrap_or_default();
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [source, target] => Mount { source: (*source).into(), target: (*target).into(), read_only: false },
        [source, target, mode] => Mount {
            source: (*source).into(),
            target: (*target).into(),
            read_only: mode.split(',').any(|flag| flag == "ro"),
        },
        _ => Mount { source: String::new(), target: text, read_only: false },
    }
}

/// `["A=1", "B"]` as `{"A": "1", "B": null}`; a mapping as it is.
fn as_mapping(value: &Value) -> Value {
    let Some(list) = value.as_array() else { return value.clone() };
    let pairs = list.iter().filter_map(scalar).map(|entry| match entry.split_once('=') {
        Some((key, value)) => (key.to_owned(), Value::from(value)),
        None => (entry, Value::Null),
    });
    Value::Object(pairs.collect())
}

/// One value over another. `place` is the path of keys, with the service's name left out.
fn merged(base: &Value, over: &Value, place: &str) -> Value {
    let key = place.rsplit('/').next().unwrap_or_default();
    let in_service = place.starts_with("/services/*/");
    if base.is_null() {
        return over.clone();
    }
    if in_service && matches!(key, "command" | "entrypoint" | "test") {
        return over.clone();
    }
    if in_service
        && matches!(key, "environment" | "labels" | "annotations" | "sysctls" | "extra_hosts" | "args")
    {
        return merged_mappings(&as_mapping(base), &as_mapping(over), place);
    }
    if in_service && key == "depends_on" {
        return merged_mappings(&conditions(base), &conditions(over), place);
    }
    match (base, over) {
        (Value::Object(_), Value::Object(_)) => merged_mappings(base, over, place),
        (Value::Array(base), Value::Array(over)) => {
            let identity: fn(&Value) -> String = match key {
                "ports" if in_service => {
                    |port| parse_port(port).map_or_else(|error| error, |port| format!("{port:?}"))
                }
                "volumes" if in_service => |mount| parse_mount(mount).target,
                "secrets" | "configs" if in_service => {
                    |file| scalar(file).or_else(|| scalar(&file["target"])).unwrap_or_default()
                }
                _ => |item| item.to_string(),
            };
            let mut joined = base.clone();
            for item in over {
                match joined.iter_mut().find(|kept| identity(kept) == identity(item)) {
                    Some(kept) => *kept = item.clone(),
                    None => joined.push(item.clone()),
                }
            }
            Value::Array(joined)
        }
        (_, over) => over.clone(),
    }
}

fn merged_mappings(base: &Value, over: &Value, place: &str) -> Value {
    let mut whole = base.as_object().cloned().unwrap_or_default();
    for (key, value) in entries(over) {
        let below = if place == "/services" { "/services/*".to_owned() } else { format!("{place}/{key}") };
        let value = whole.get(key).map_or_else(|| value.clone(), |kept| merged(kept, value, &below));
        whole.insert(key.to_owned(), value);
    }
    Value::Object(whole)
}

/// `[a]` as `{a: {condition: service_started}}`.
fn conditions(value: &Value) -> Value {
    let Some(list) = value.as_array() else { return value.clone() };
    let condition = serde_json::json!({ "condition": "service_started", "required": true });
    Value::Object(list.iter().filter_map(scalar).map(|name| (name, condition.clone())).collect())
}

/// Puts variables into every text of a document.
fn interpolated(value: &Value, environment: &BTreeMap<String, String>) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::String(interpolate(text, environment)?),
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| interpolated(item, environment)).collect::<Result<_, _>>()?)
        }
        Value::Object(entries) => {
            let mut whole = Map::new();
            for (key, item) in entries {
                whole.insert(key.clone(), interpolated(item, environment)?);
            }
            Value::Object(whole)
        }
        other => other.clone(),
    })
}

/// `$NAME`, `${NAME}` and `${NAME` with `:-`, `-`, `:+`, `+`, `:?`, `?` and a text `}`; `$$` is a dollar. An error
/// where a variable is not set and there is no default.
pub fn interpolate(text: &str, environment: &BTreeMap<String, String>) -> Result<String, String> {
    let mut whole = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        whole.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            whole.push('$');
            rest = after;
        } else if let Some(inside) = rest.strip_prefix('{') {
            let end = closing(inside).ok_or_else(|| format!("no end of a variable in {text:?}"))?;
            whole.push_str(&expand(&inside[..end], environment)?);
            rest = &inside[end + 1..];
        } else {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("a single dollar in {text:?}: write $$"));
            }
            whole.push_str(&expand(&rest[..end], environment)?);
            rest = &rest[end..];
        }
    }
    whole.push_str(rest);
    Ok(whole)
}

/// Where the brace closes that was opened before this text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn expand(inside: &str, environment: &BTreeMap<String, String>) -> Result<String, String> {
    let end = inside.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inside.len());
    let (name, rest) = inside.split_at(end);
    let value = environment.get(name);
    let (operator, word) = match rest.strip_prefix(':') {
        Some(rest) => (rest.chars().next(), rest.get(1..).unwrap_or_default()),
        None => (rest.chars().next(), rest.get(1..).unwrap_or_default()),
    };
    // With a colon, empty counts as not set.
    let value = value.filter(|value| !(rest.starts_with(':') && value.is_empty()));
    match (operator, value) {
        (None | Some('-' | '?'), Some(value)) => Ok(value.clone()),
        (Some('-'), None) | (Some('+'), Some(_)) => interpolate(word, environment),
        (Some('+'), None) => Ok(String::new()),
        (None, None) => Err(format!("{name} has no default: write ${{{name}:-…}}")),
        (Some('?'), None) => Err(format!("{name} has to be set: {word}")),
        (Some(other), _) => Err(format!("{other:?} after {name} means nothing")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_take_their_defaults() {
        let environment =
            BTreeMap::from([("SET".to_owned(), "here".to_owned()), ("EMPTY".to_owned(), String::new())]);
        let put_in = |text: &str| interpolate(text, &environment);
        assert_eq!(put_in("${SET} $SET ${SET:-no} $$SET"), Ok("here here here $SET".to_owned()));
        assert_eq!(put_in("${NO:-a:${ALSO_NO:-b}}c"), Ok("a:bc".to_owned()));
        assert_eq!(put_in("[${EMPTY:-full}] [${EMPTY-full}]"), Ok("[full] []".to_owned()));
        assert_eq!(put_in("${SET:+yes}${NO:+no}"), Ok("yes".to_owned()));
        assert!(put_in("${NO}").unwrap_err().contains("no default"));
        assert!(put_in("${NO:?say it}").unwrap_err().contains("say it"));
        assert!(put_in("${NO").is_err());
        assert!(put_in("5$").is_err());
    }

    #[test]
    fn files_are_merged() {
        let first = "
services:
  a:
    image: x:1.0.0
    command: [one, two]
    environment: [A=1, B=2]
    ports: ['127.0.0.1:80:80']
    volumes: ['./a:/data', './b:/other:ro']
    depends_on: [b]
    healthcheck: { test: [CMD, one], interval: 5s }
";
        let second = "
services:
  a:
    command: [three]
    environment: { B: 3, C: 4 }
    ports: ['127.0.0.1:80:80', '127.0.0.1:81:81']
    volumes: ['./c:/data']
    depends_on: { c: { condition: service_healthy } }
    healthcheck: { test: [CMD, two] }
  b: { image: 'y:1.0.0' }
";
        let compose = Compose::read(&[first, second]).unwrap();
        let a = compose.service("a");
        assert_eq!(a["command"], json!(["three"]));
        assert_eq!(a["healthcheck"], json!({ "test": ["CMD", "two"], "interval": "5s" }));
        let environment = compose.environment("a");
        assert_eq!(environment["A"], "1");
        assert_eq!(environment["B"], "3");
        assert_eq!(environment["C"], "4");
        assert_eq!(compose.ports("a").unwrap().len(), 2);
        let mounts = compose.mounts("a");
        assert_eq!(mounts.len(), 2);
        assert_eq!((mounts[0].source.as_str(), mounts[1].read_only), ("./c", true));
        let mut waits = compose.dependencies("a");
        waits.sort();
        assert_eq!(waits[0], ("b".to_owned(), "service_started".to_owned()));
        assert_eq!(waits[1], ("c".to_owned(), "service_healthy".to_owned()));
        assert_eq!(compose.services().count(), 2);
    }

    #[test]
    fn what_is_not_merged_is_refused() {
        assert!(Compose::read(&["services: { a: { extends: b } }"]).is_err());
        assert!(Compose::read(&["include: [other.yaml]"]).is_err());
        assert!(Compose::read(&["services: { a: { ports: !reset [] } }"]).is_err());
    }

    #[test]
    fn ports_are_read_in_both_spellings() {
        let short = parse_port(&json!("127.0.0.1:8081:8080/udp")).unwrap();
        let long = json!({ "host_ip": "127.0.0.1", "published": "8081", "target": 8080, "protocol": "udp" });
        assert_eq!(short, parse_port(&long).unwrap());
        assert_eq!(short.published, "8081");
        assert_eq!(parse_port(&json!(80)).unwrap().published, "");
        assert!(parse_port(&json!("a:b")).is_err());
    }
}
