//! What the compose files promise: exact pins, ports that do not collide and stay on the loopback, files that are
//! there, conditions that can come true, and as few rights as a component can live with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::compose::Compose;
use super::{Complaints, entries, items, pattern, scalar, texts};

/// Images that bring a health check of their own.
const HEALTHY_BY_IMAGE: &[&str] = &["ghcr.io/tarampampam/webhook-tester"];

/// Repositories whose releases have two numbers, not three.
const TWO_NUMBERS: &[&str] = &["postgres", "ghcr.io/prymitive/karma"];

/// What is not written in Go, and so has no use for `GOMEMLIMIT`: by image.
const NOT_GO: &[&str] = &["postgres", "mirante-users", "mirante-albums"];

/// The one service that cannot live without rights.
const PRIVILEGED: &[&str] = &["beyla"];

/// Images whose user is not root by itself, read from their build files (each component's page says the user).
const NOT_ROOT_BY_IMAGE: &[&str] = &[
    "mirante-users",
    "mirante-albums",
    "otel/opentelemetry-collector-contrib",
    "grafana/tempo",
    "grafana/loki",
    "grafana/pyroscope",
    "grafana/grafana",
    "jaegertracing/jaeger",
    "prom/prometheus",
    "prom/alertmanager",
    "ghcr.io/pyrra-dev/pyrra",
    "ghcr.io/tarampampam/webhook-tester",
];

/// The repository of a service's image, without tag.
fn repository(service: &Value) -> &str {
    let image = service["image"].as_str().unwrap_or_default();
    split_tag(image).map_or(image, |(repository, _)| repository)
}

/// An image's name and tag; a colon before the last slash is a registry's port.
fn split_tag(image: &str) -> Option<(&str, &str)> {
    image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'))
}

/// Every image has a tag that names one release.
pub fn pins(compose: &Compose) -> Complaints {
    static THREE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^v?\d+\.\d+\.\d+([-.+].*)?$"));
    static TWO: LazyLock<Regex> = LazyLock::new(|| pattern(r"^v?\d+\.\d+([-.+].*)?$"));
    let mut complaints = Vec::new();
    for (name, service) in compose.services() {
        let Some(image) = service["image"].as_str() else {
            complaints.push(format!("{name}: no image (what is built needs a name and a tag as well)"));
            continue;
        };
        let Some((repository, tag)) = split_tag(image) else {
            complaints.push(format!("{name}: {image} has no tag"));
            continue;
        };
        let pin = if TWO_NUMBERS.contains(&repository) { &*TWO } else { &*THREE };
        if !pin.is_match(tag) {
            complaints.push(format!("{name}: {image}: the tag does not name one release"));
        }
    }
    complaints
}

/// The versions that the tests of real components pin are those of the images.
pub fn pins_match(compose: &Compose, versions: &str, programs: &[(&str, &str)]) -> Complaints {
    let tested: BTreeMap<&str, &str> = versions
        .lines()
        // A line with a remark says itself why it differs.
        .filter(|line| !line.trim_start().starts_with('#') && !line.contains('#'))
        .filter_map(|line| line.trim().split_once(char::is_whitespace))
        .collect();
    let mut complaints = Vec::new();
    for (program, service) in programs {
        let Some(tested) = tested.get(program).map(|version| version.trim()) else { continue };
        let image = compose.service(service)["image"].as_str().unwrap_or_default();
        let pinned = split_tag(image).map_or("", |(_, tag)| tag).trim_start_matches('v');
        if pinned != tested {
            complaints.push(format!("{service}: the image is {image}, but {program} is tested as {tested}"));
        }
    }
    complaints
}

/// No port of the host is published twice, and each on `${MIRANTE_BIND:-127.0.0.1}`.
pub fn ports(files: &[&str]) -> Result<Complaints, String> {
    const ELSEWHERE: &str = "192.0.2.1";
    let compose = Compose::read(files)?;
    let elsewhere = BTreeMap::from([("MIRANTE_BIND".to_owned(), ELSEWHERE.to_owned())]);
    let moved = Compose::read_with(files, &elsewhere)?;
    let mut complaints = Vec::new();
    let mut taken: BTreeMap<(String, String), String> = BTreeMap::new();
    for (name, service) in compose.services() {
        if service["network_mode"] == "host" {
            complaints.push(format!("{name}: the host's network, so that its ports are nobody's to see"));
        }
        let there = moved.ports(name)?;
        for (port, moved) in compose.ports(name)?.into_iter().zip(there) {
            let shown = format!("{}:{}:{}", port.bind, port.published, port.target);
            if port.published.is_empty() {
                complaints.push(format!("{name}: {shown} is published on any port"));
            }
            if port.bind != "127.0.0.1" || moved.bind != ELSEWHERE {
                complaints.push(format!("{name}: {shown} is not on ${{MIRANTE_BIND:-127.0.0.1}}"));
            }
            if let Some(other) = taken.insert((port.published, port.protocol), name.to_owned()) {
                complaints.push(format!("{name}: {shown} is published by {other} already"));
            }
        }
    }
    Ok(complaints)
}

/// What is mounted or built from is there (`exists` is asked with paths as written), named volumes are declared, and
/// those that are declared are used.
pub fn mounts(compose: &Compose, exists: impl Fn(&str) -> bool) -> Complaints {
    let mut complaints = Vec::new();
    let declared: BTreeSet<&str> = entries(&compose.document["volumes"]).map(|(name, _)| name).collect();
    let mut used = BTreeSet::new();
    for (name, service) in compose.services() {
        let mut targets = BTreeSet::new();
        for mount in compose.mounts(name) {
            if !targets.insert(mount.target.clone()) {
                complaints.push(format!("{name}: two mounts on {}", mount.target));
            }
            if !mount.target.starts_with('/') {
                complaints.push(format!("{name}: {} is no absolute path", mount.target));
            }
            if mount.source.is_empty() {
                complaints.push(format!("{name}: a nameless volume on {}", mount.target));
            } else if mount.source.starts_with('/') {
                // The host's own: only the system's folders, and only for who watches the system.
                if !mount.source.starts_with("/sys/") || !PRIVILEGED.contains(&name) {
                    complaints.push(format!("{name}: {} is a path of one host", mount.source));
                }
            } else if mount.is_bind() {
                if !exists(&mount.source) {
                    complaints.push(format!("{name}: {} is not there", mount.source));
                }
                if !mount.read_only {
                    complaints.push(format!("{name}: {} of the repository may be written", mount.source));
                }
            } else if !declared.contains(mount.source.as_str()) {
                complaints.push(format!("{name}: the volume {} is not declared", mount.source));
            } else {
                used.insert(mount.source);
            }
        }
        let context = service["build"]["context"].as_str().or(service["build"].as_str());
        if let Some(context) = context {
            let dockerfile = service["build"]["dockerfile"].as_str().unwrap_or("Dockerfile");
            for path in [context.to_owned(), format!("{context}/{dockerfile}")] {
                if !exists(&path) {
                    complaints.push(format!("{name}: {path} is not there"));
                }
            }
        }
    }
    for section in ["configs", "secrets"] {
        for (name, file) in entries(&compose.document[section]) {
            if let Some(path) = file["file"].as_str().filter(|path| !exists(path)) {
                complaints.push(format!("{section}: {name}: {path} is not there"));
            }
        }
    }
    for name in declared {
        if !used.contains(name) {
            complaints.push(format!("the volume {name} is declared and not used"));
        }
    }
    complaints
}

/// Whether a service's health is asked for, by the compose file or by the image itself.
fn is_asked(service: &Value) -> bool {
    let check = &service["healthcheck"];
    let is_off = check["disable"] == true || check["test"] == "NONE" || check["test"][0] == "NONE";
    let is_given = check["test"].is_array() || check["test"].is_string();
    !is_off && (is_given || HEALTHY_BY_IMAGE.contains(&repository(service)))
}

/// What is waited for exists and can come true, is not behind a profile that the one who waits is not behind, and
/// does not wait in a circle.
pub fn dependencies(compose: &Compose) -> Complaints {
    let mut complaints = Vec::new();
    for (name, service) in compose.services() {
        for (other, condition) in compose.dependencies(name) {
            let there = compose.service(&other);
            if there.is_null() {
                complaints.push(format!("{name} waits for {other}, which is no service"));
                continue;
            }
            match condition.as_str() {
                "service_healthy" if !is_asked(there) => {
                    complaints.push(format!("{name} waits for {other}'s health, which nobody asks for"));
                }
                "service_completed_successfully" if there["restart"] == "unless-stopped" => {
                    complaints.push(format!("{name} waits for the end of {other}, which does not end"));
                }
                "service_healthy" | "service_started" | "service_completed_successfully" => {}
                unknown => complaints.push(format!("{name}: no condition {unknown}")),
            }
            let profiles = |service: &Value| -> BTreeSet<String> {
                items(&service["profiles"]).iter().filter_map(scalar).collect()
            };
            let (own, others) = (profiles(service), profiles(there));
            if !others.is_empty() && (own.is_empty() || !own.is_subset(&others)) {
                complaints.push(format!("{name} waits for {other}, which starts only with a profile"));
            }
        }
        let mut seen = BTreeSet::new();
        let mut ahead: Vec<String> = compose.dependencies(name).into_iter().map(|(other, _)| other).collect();
        while let Some(other) = ahead.pop() {
            if other == name {
                complaints.push(format!("{name} waits for itself"));
                break;
            }
            if seen.insert(other.clone()) {
                ahead.extend(compose.dependencies(&other).into_iter().map(|(other, _)| other));
            }
        }
    }
    complaints
}

/// Health is asked for, or a comment right above the service or within it says why it is not.
pub fn health(compose: &Compose, files: &[&str]) -> Complaints {
    let mut complaints = Vec::new();
    for (name, service) in compose.services() {
        if is_asked(service) || PRIVILEGED.contains(&name) {
            continue;
        }
        // What runs until its work is done and is started again only where it failed has nothing to be asked.
        let is_job = matches!(service["restart"].as_str(), Some("on-failure" | "no"));
        let says_why = files.iter().any(|file| comments(file, name).contains("health"));
        if !is_job && !says_why {
            complaints.push(format!("{name}: no health check, and no comment that says why"));
        }
    }
    complaints
}

/// The comments above a service and within it, as one text.
fn comments(file: &str, service: &str) -> String {
    let lines: Vec<&str> = file.lines().collect();
    let heading = format!("  {service}:");
    let Some(at) = lines.iter().position(|line| line.trim_end() == heading) else { return String::new() };
    let above = lines[..at].iter().rev().take_while(|line| line.starts_with("  #"));
    let within = lines[at + 1..].iter().take_while(|line| line.starts_with("    ") || line.trim().is_empty());
    let comments = above.chain(within.filter(|line| line.contains('#')));
    comments.copied().collect::<Vec<_>>().join("\n")
}

/// As few rights as possible: no new privileges, no capabilities, nobody's root, an end to memory and logs.
pub fn hardening(compose: &Compose) -> Complaints {
    let mut complaints = Vec::new();
    for (name, service) in compose.services() {
        let mut complain = |what: &str| complaints.push(format!("{name}: {what}"));
        let is_privileged = PRIVILEGED.contains(&name);
        if service["privileged"] == true && !is_privileged {
            complain("privileged");
        }
        if !is_privileged {
            let options: Vec<String> = items(&service["security_opt"]).iter().filter_map(scalar).collect();
            if !options.iter().any(|option| option.replace('=', ":") == "no-new-privileges:true") {
                complain("no security_opt no-new-privileges:true");
            }
            if !items(&service["cap_drop"]).iter().any(|dropped| dropped == "ALL") {
                complain("no cap_drop ALL");
            }
            let user = scalar(&service["user"]).unwrap_or_default();
            let is_root = matches!(user.split(':').next(), Some("0" | "root"));
            let by_image = user.is_empty() && NOT_ROOT_BY_IMAGE.contains(&repository(service));
            if is_root || (user.is_empty() && !by_image) {
                complain("runs as root");
            }
        }
        let Some(limit) = memory_limit(service) else {
            complain("no memory limit");
            continue;
        };
        if !NOT_GO.contains(&repository(service)) {
            match compose.environment(name).get("GOMEMLIMIT").and_then(|limit| bytes(limit)) {
                None => complain("no GOMEMLIMIT"),
                // Above that, what is not Go's heap has no room; far below, half of the limit is never used.
                Some(own) if own * 100 > limit * 95 || own * 100 < limit * 50 => {
                    complain(&format!("GOMEMLIMIT {own} does not fit under the limit {limit}"));
                }
                Some(_) => {}
            }
        }
        if service["logging"]["options"]["max-size"].is_null() {
            complain("its log has no end (logging.options.max-size)");
        }
        for mount in compose.mounts(name) {
            if mount.source.contains("docker.sock") {
                complain("has the engine's socket, which is root on the host");
            }
        }
    }
    complaints
}

fn memory_limit(service: &Value) -> Option<u64> {
    let limit = &service["mem_limit"];
    let limit = if limit.is_null() { &service["deploy"]["resources"]["limits"]["memory"] } else { limit };
    bytes(&scalar(limit)?)
}

/// `512m`, `1g`, `410MiB`: bytes, always by 1024 as compose and Go have it.
fn bytes(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let factor = match &text[digits..] {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// No service only sleeps or changes owners: what a helper container does can be had in a better way.
pub fn no_helpers(compose: &Compose) -> Complaints {
    let mut complaints = Vec::new();
    for (name, service) in compose.services() {
        for key in ["command", "entrypoint"] {
            let words: Vec<String> = texts(&service[key])
                .iter()
                .flat_map(|(_, text)| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>())
                .collect();
            for helper in ["sleep", "chown", "chmod", "tail"] {
                if words.iter().any(|word| word == helper) {
                    complaints.push(format!("{name}: a container that is there to {helper}"));
                }
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests;
