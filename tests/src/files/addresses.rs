//! Every `host:port` and URL in a file, held against the services of the compose files and the ports that they
//! really listen on.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::compose::Compose;
use super::{Complaints, below, entries, extension, pattern, text, texts};

/// A service's ports in its container, and of these the ones that our own files set: they must be found there.
/// The rest are the component's own defaults, or are set on its command line.
struct Listens {
    service: &'static str,
    ports: &'static [u16],
    set_by_us: &'static [u16],
}

const LISTENS: &[Listens] = &[
    Listens { service: "users", ports: &[8001], set_by_us: &[8001] },
    Listens { service: "albums", ports: &[8002], set_by_us: &[8002] },
    Listens { service: "albums-ebpf", ports: &[8002], set_by_us: &[8002] },
    Listens { service: "postgres", ports: &[5432], set_by_us: &[] },
    Listens {
        service: "otel-collector",
        ports: &[4317, 4318, 8888, 13133],
        set_by_us: &[4317, 4318, 8888, 13133],
    },
    Listens { service: "tempo", ports: &[3200, 4317, 9095], set_by_us: &[3200, 4317] },
    Listens {
        service: "jaeger",
        ports: &[4317, 8888, 13133, 16685, 16686],
        set_by_us: &[4317, 8888, 13133, 16686],
    },
    Listens { service: "prometheus", ports: &[9090], set_by_us: &[] },
    Listens { service: "loki", ports: &[3100, 9095], set_by_us: &[3100] },
    Listens { service: "grafana", ports: &[3000], set_by_us: &[] },
    Listens { service: "pyrra-api", ports: &[9099], set_by_us: &[] },
    Listens { service: "pyrra-filesystem", ports: &[9444], set_by_us: &[] },
    Listens { service: "alertmanager", ports: &[9093], set_by_us: &[] },
    Listens { service: "karma", ports: &[8080], set_by_us: &[8080] },
    Listens { service: "webhook-tester", ports: &[8080], set_by_us: &[] },
    Listens { service: "pyroscope", ports: &[4040], set_by_us: &[] },
    Listens { service: "beyla", ports: &[], set_by_us: &[] },
];

/// Folders of `infra/` that configure other services than the one of their name.
const FOLDERS: &[(&str, &[&str])] = &[
    ("pyrra", &["pyrra-api", "pyrra-filesystem"]),
    ("docker", &["users", "albums"]),
    ("generators", &["k6-tracing"]),
];

/// An address in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// `http` of `http://…`; empty where the text is `host:port`.
    pub scheme: String,
    /// The name or the number.
    pub host: String,
    /// The port, where one is given.
    pub port: Option<u16>,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.scheme.is_empty() {
            write!(f, "{}://", self.scheme)?;
        }
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// The addresses in a text. Where the host is a variable's value, there is nothing to see.
pub fn find(text: &str) -> Vec<Address> {
    static URL: LazyLock<Regex> = LazyLock::new(|| {
        let userinfo = r#"(?:[^\s"'`@/<>]*@)?"#;
        pattern(&format!(r"\b([a-z][a-z0-9+.-]*)://{userinfo}(\[[0-9a-fA-F:]*\]|[A-Za-z0-9_.-]+)(?::(\d+))?"))
    });
    static PAIR: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r#"(?:^|[\s"'=,;\[({`])([a-zA-Z][a-zA-Z0-9_.-]*|\d+\.\d+\.\d+\.\d+|\[::\]):(\d{2,5})(?:$|[\s"'/,;\])}`])"#,
        )
    });
    let mut found = Vec::new();
    for line in text.lines() {
        for captures in URL.captures_iter(line) {
            found.push(Address {
                scheme: captures[1].to_owned(),
                host: captures[2].to_owned(),
                port: captures.get(3).and_then(|port| port.as_str().parse().ok()),
            });
        }
        // Neighbours share the character between them, so the search goes on right after the port.
        let mut at = 0;
        while let Some(captures) = PAIR.captures_at(line, at) {
            let port = captures.get(2).map_or(at, |port| port.end());
            at = port;
            found.push(Address {
                scheme: String::new(),
                host: captures[1].to_owned(),
                port: captures[2].parse().ok(),
            });
        }
    }
    found
}

/// The services that a file of `infra/` configures; none for other files.
fn owners(path: &str) -> Vec<&str> {
    let mut parts = path.split('/');
    if parts.next() != Some("infra") {
        return Vec::new();
    }
    let Some(folder) = parts.next() else { return Vec::new() };
    FOLDERS
        .iter()
        .find(|(name, _)| *name == folder)
        .map_or_else(|| vec![folder], |(_, owners)| owners.to_vec())
}

fn ports_of(service: &str) -> Option<&'static [u16]> {
    LISTENS.iter().find(|listens| listens.service == service).map(|listens| listens.ports)
}

/// What is wrong with an address in a place that belongs to `owners`; `inside` where only the container itself is
/// meant by localhost, as in a health check.
pub fn judge(address: &Address, compose: &Compose, owners: &[&str], inside: bool) -> Option<String> {
    let own =
        |port: u16| owners.iter().any(|owner| ports_of(owner).is_some_and(|ports| ports.contains(&port)));
    let published = |port: u16| {
        compose.services().any(|(name, _)| {
            compose.ports(name).is_ok_and(|ports| ports.iter().any(|p| p.published == port.to_string()))
        })
    };
    let host = address.host.as_str();
    match host {
        "localhost" | "127.0.0.1" | "[::1]" => match address.port {
            Some(port) if own(port) || (!inside && published(port)) => None,
            Some(_) if inside => Some(format!("{address}: {owners:?} does not listen there")),
            Some(_) => Some(format!("{address}: no service publishes that port")),
            None => Some(format!("{address}: which port?")),
        },
        "0.0.0.0" | "[::]" => match address.port {
            Some(port) if own(port) => None,
            _ => Some(format!(
                "{address}: the table of ports in tests/src/files/addresses.rs does not have it"
            )),
        },
        _ if !compose.service(host).is_null() => {
            let port = address.port.unwrap_or(if address.scheme == "https" { 443 } else { 80 });
            match ports_of(host) {
                Some(ports) if ports.contains(&port) => None,
                Some(ports) => Some(format!("{address}: {host} listens on {ports:?}")),
                None => Some(format!("{address}: {host} is not in tests/src/files/addresses.rs")),
            }
        }
        // Documents and schemas in the world outside, which nothing here connects to.
        _ if address.scheme == "https" && host.contains('.') && address.port.is_none() => None,
        // RFC 2606.
        _ if ["example", "example.com", "example.org", "example.net", "invalid"]
            .iter()
            .any(|name| host == *name || host.ends_with(&format!(".{name}"))) =>
        {
            None
        }
        // A scheme that is not a way to reach a host.
        _ if matches!(address.scheme.as_str(), "file" | "sqlite" | "urn" | "arn") => None,
        _ => Some(format!("{address}: {host} is no service")),
    }
}

/// Holds the addresses of one file against the compose files.
pub fn of_file(path: &str, content: &str, compose: &Compose) -> Complaints {
    let owners = owners(path);
    // In JSON a quote within a text is escaped, so the texts are looked at as they are meant.
    let parts = match serde_json::from_str(content) {
        Ok(document) if extension(path) == "json" => texts(&document),
        _ => {
            content.lines().enumerate().map(|(at, line)| (format!(":{}", at + 1), line.to_owned())).collect()
        }
    };
    let mut complaints = Vec::new();
    for (place, part) in parts {
        for address in find(&part) {
            if let Some(complaint) = judge(&address, compose, &owners, false) {
                complaints.push(format!("{path}{place}: {complaint}"));
            }
        }
    }
    complaints
}

/// Holds the addresses within the compose files against themselves: variables, commands, health checks.
pub fn of_compose(compose: &Compose) -> Complaints {
    let mut complaints = Vec::new();
    for (name, service) in compose.services() {
        for (key, value) in entries(service) {
            // An image's tag and a published port look like addresses and are looked at elsewhere.
            if matches!(key, "image" | "ports" | "user" | "tmpfs" | "volumes" | "build") {
                continue;
            }
            for (place, part) in texts(value) {
                for address in find(&part) {
                    if let Some(complaint) = judge(&address, compose, &[name], key == "healthcheck") {
                        complaints.push(format!("{name}/{key}{place}: {complaint}"));
                    }
                }
            }
        }
    }
    complaints
}

/// The files whose addresses are held against the compose files, prose left out: what a README says of a future with
/// other hosts is no fault, and its commands are looked at in [`super::prose`].
pub fn files() -> Vec<String> {
    let mut files = below("infra", &[]);
    files.extend(below("slo", &[]));
    files.extend(below("dashboards", &[]));
    files.push("k6-script.js".to_owned());
    files.retain(|path| extension(path) != "md");
    files
}

/// Every service is in the table of ports, and the ports that our files set are found in them.
pub fn listening(compose: &Compose) -> Complaints {
    let mut complaints = Vec::new();
    let silent: BTreeSet<&str> = BTreeSet::from(["k6-tracing"]);
    for (name, _) in compose.services() {
        if ports_of(name).is_none() && !silent.contains(name) && !name.starts_with("telemetrygen-") {
            complaints.push(format!("{name} is not in tests/src/files/addresses.rs"));
        }
        let listens = ports_of(name).unwrap_or_default();
        for port in compose.ports(name).unwrap_or_default() {
            if !listens.contains(&port.target) {
                complaints.push(format!("{name}: {} is published, and nothing listens there", port.target));
            }
        }
    }
    for listens in LISTENS {
        let set = below("infra", &[])
            .into_iter()
            .filter(|path| owners(path).iter().any(|owner| listens.service.starts_with(owner)))
            .filter_map(|path| text(&path).ok())
            .collect::<Vec<_>>()
            .join("\n");
        let set: String =
            set.lines().filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n");
        for port in listens.set_by_us {
            let is_set = [format!(":{port}"), format!("port: {port}"), format!("_port: {port}")];
            if !is_set.iter().any(|form| set.contains(form)) {
                complaints
                    .push(format!("{}: its files do not say that it listens on {port}", listens.service));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compose() -> Compose {
        let text = "
services:
  prometheus: { image: 'x:1.0.0', ports: ['127.0.0.1:9090:9090'] }
  karma: { image: 'x:1.0.0', ports: ['127.0.0.1:8081:8080'] }
  tempo: { image: 'x:1.0.0' }
";
        Compose::read(&[text]).unwrap()
    }

    fn shown(text: &str) -> Vec<String> {
        find(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn addresses_are_found() {
        assert_eq!(shown("uri: http://prometheus:9090/api"), ["http://prometheus:9090"]);
        assert_eq!(shown("postgres://demo:demo@postgres:5432/users"), ["postgres://postgres:5432"]);
        assert_eq!(shown("targets: [tempo:3200, 'loki:3100']"), ["tempo:3200", "loki:3100"]);
        assert_eq!(shown("a:80,b:81"), ["a:80", "b:81"]);
        assert_eq!(shown("endpoint: 0.0.0.0:4317"), ["0.0.0.0:4317"]);
        assert_eq!(shown("--otlp-endpoint=otel-collector:4317"), ["otel-collector:4317"]);
        assert_eq!(shown("http://localhost"), ["http://localhost"]);
    }

    #[test]
    fn what_is_no_address_is_left_alone() {
        for text in [
            "image: grafana/tempo:3.0.3",
            "user: '70:70'",
            "at 12:30",
            "${host}:80",
            "http://${host}:80",
            "a: 80",
        ] {
            assert!(find(text).is_empty(), "{text}: {:?}", find(text));
        }
    }

    #[test]
    fn wrong_addresses_are_found() {
        let compose = compose();
        let wrong = |path: &str, text: &str| of_file(path, text, &compose).join("; ");
        assert_eq!(wrong("infra/karma/karma.yaml", "uri: http://prometheus:9090"), "");
        assert!(wrong("infra/karma/karma.yaml", "uri: http://prometheus:9091").contains("listens on"));
        assert!(wrong("infra/karma/karma.yaml", "uri: http://mimir:9009").contains("no service"));
        assert!(wrong("infra/karma/karma.yaml", "uri: http://prometheus").contains("listens on"));
        assert_eq!(wrong("infra/karma/karma.yaml", "listen: 0.0.0.0:8080"), "");
        assert!(wrong("infra/tempo/tempo.yaml", "listen: 0.0.0.0:8080").contains("table"));
        assert_eq!(wrong("dashboards/a.json", r#"{"u": "see \"http://localhost:8081\""}"#), "");
        assert!(wrong("dashboards/a.json", r#"{"u": "http://localhost:8080"}"#).contains("publishes"));
        assert_eq!(wrong("dashboards/a.json", r#"{"u": "https://grafana.com/docs"}"#), "");
    }

    #[test]
    fn a_health_check_asks_its_own_container() {
        let with = |url: &str| {
            let text = format!(
                "services: {{ karma: {{ image: 'x:1.0.0', ports: ['127.0.0.1:8081:8080'], \
                 healthcheck: {{ test: [CMD, wget, '{url}'] }} }} }}"
            );
            of_compose(&Compose::read(&[&text]).unwrap())
        };
        assert!(with("http://127.0.0.1:8080/health").is_empty());
        // The host's side of the same port.
        assert_eq!(with("http://127.0.0.1:8081/health").len(), 1);
    }
}
