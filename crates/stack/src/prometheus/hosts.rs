//! Where the names of the compose network are: a configuration says `users:8001`, and means whatever is `users` here.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use promconfig::{Discovery, ScrapeConfig};

use crate::{Config, Part, reachable};

/// Components of the compose file and which part is what each is there. The port that stands with a name does not count,
/// but for the Collector's gRPC: a component that has a port of its own for its metrics there has one port for all here.
const COMPONENTS: [(&str, Option<Part>); 16] = [
    ("users", Some(Part::Users)),
    ("albums", Some(Part::Albums)),
    ("otel-collector", Some(Part::OtlpHttp)),
    ("tempo", Some(Part::Tempo)),
    ("jaeger", Some(Part::Jaeger)),
    ("prometheus", Some(Part::Prometheus)),
    ("loki", Some(Part::Loki)),
    ("alertmanager", None),
    ("beyla", None),
    ("grafana", None),
    ("karma", None),
    ("postgres", None),
    ("pyroscope", None),
    ("pyrra-api", None),
    ("pyrra-filesystem", None),
    ("webhook-tester", None),
];

/// What a configuration calls the server that reads it.
const MYSELF: [&str; 3] = ["localhost:9090", "127.0.0.1:9090", "[::1]:9090"];

/// What a `host:port` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A component that listens here.
    Here(SocketAddr),
    /// A component that does not run here.
    Nowhere,
    /// No component's name.
    Elsewhere,
}

/// Where components are.
#[derive(Debug)]
pub(super) struct Hosts {
    components: BTreeMap<&'static str, Place>,
    collector_grpc: SocketAddr,
    myself: SocketAddr,
}

impl Hosts {
    /// Where the components of a stack are.
    pub(super) fn of(config: &Config) -> Self {
        let parts = config.parts();
        let address = |part: Part| part.address(reachable(config.bind), config.port_offset);
        let place = |part: Option<Part>| {
            let part = part.filter(|part| parts.contains(part));
            part.map_or(Place::Nowhere, |part| Place::Here(address(part)))
        };
        let components = COMPONENTS.into_iter().map(|(name, part)| (name, place(part))).collect();
        let (collector_grpc, myself) = (address(Part::OtlpGrpc), address(Part::Prometheus));
        Self { components, collector_grpc, myself }
    }

    fn find(&self, host: &str) -> Place {
        if MYSELF.contains(&host) {
            return Place::Here(self.myself);
        }
        if host == "otel-collector:4317" {
            return Place::Here(self.collector_grpc);
        }
        let name = host.split_once(':').map_or(host, |(name, _)| name);
        self.components.get(name).copied().unwrap_or(Place::Elsewhere)
    }

    /// Says which targets that stand in the configuration do not run here.
    pub(super) fn name_absent(&self, jobs: &[ScrapeConfig]) {
        let discoveries = jobs.iter().flat_map(|job| &job.discoveries);
        let groups = discoveries.filter_map(|discovery| match discovery {
            Discovery::Static(groups) => Some(groups),
            _ => None,
        });
        let targets = groups.flatten().flat_map(|group| &group.targets);
        let absent: Vec<&str> =
            targets.map(String::as_str).filter(|host| self.find(host) == Place::Nowhere).collect();
        if !absent.is_empty() {
            tracing::info!(
                targets = absent.join(", "),
                "components that this stack does not run are not scraped"
            );
        }
    }
}

impl scrape::Dial for Hosts {
    fn dial(&self, host: &str) -> Option<String> {
        match self.find(host) {
            Place::Here(address) => Some(address.to_string()),
            Place::Nowhere | Place::Elsewhere => None,
        }
    }
}

impl scrape::Hosts for Hosts {
    fn is_absent(&self, host: &str) -> bool {
        self.find(host) == Place::Nowhere
    }
}

#[cfg(test)]
mod tests {
    use scrape::{Dial as _, Hosts as _};

    use super::*;

    #[test]
    fn names_of_components_lead_to_where_they_listen() {
        let mut config = Config::new("x");
        config.port_offset = 100;
        let hosts = Hosts::of(&config);
        for (host, address) in [
            ("localhost:9090", "127.0.0.1:9190"),
            ("prometheus:9090", "127.0.0.1:9190"),
            ("tempo:3200", "127.0.0.1:3300"),
            ("jaeger:8888", "127.0.0.1:16786"),
            ("otel-collector:8888", "127.0.0.1:4418"),
            ("otel-collector:4317", "127.0.0.1:4417"),
        ] {
            assert_eq!(hosts.dial(host).as_deref(), Some(address), "{host}");
        }
        for host in ["localhost:8001", "example.org:9090", "127.0.0.1:80", "tempo.example:3200"] {
            assert_eq!((hosts.dial(host), hosts.is_absent(host)), (None, false), "{host}");
        }
    }

    #[test]
    fn what_does_not_run_is_absent() {
        let mut config = Config::new("x");
        let hosts = Hosts::of(&config);
        assert!(hosts.is_absent("grafana:3000") && hosts.is_absent("users:8001"));
        assert_eq!(hosts.dial("users:8001"), None);
        config.demo = Some(crate::Demo { program: "x".into(), arguments: Vec::new() });
        assert_eq!(Hosts::of(&config).dial("users:8001").as_deref(), Some("127.0.0.1:8001"));
    }
}
