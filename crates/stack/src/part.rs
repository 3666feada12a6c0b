//! The parts that answer on a port of their own, and where.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Something that answers on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// OTLP over gRPC.
    OtlpGrpc,
    /// OTLP over HTTP.
    OtlpHttp,
    /// Tempo's API.
    Tempo,
    /// Jaeger's API.
    Jaeger,
    /// Loki's API, its push included.
    Loki,
    /// Prometheus's API, its OTLP endpoint included.
    Prometheus,
    /// The demo's edge service.
    Users,
    /// The demo's inner service.
    Albums,
}

impl Part {
    /// All of them, in the order in which people read them.
    pub const ALL: [Self; 8] = [
        Self::OtlpGrpc,
        Self::OtlpHttp,
        Self::Tempo,
        Self::Jaeger,
        Self::Loki,
        Self::Prometheus,
        Self::Users,
        Self::Albums,
    ];

    /// Those that the engine itself serves.
    pub const ENGINE: [Self; 6] =
        [Self::OtlpGrpc, Self::OtlpHttp, Self::Tempo, Self::Jaeger, Self::Loki, Self::Prometheus];

    /// The demo services, the inner one first.
    pub const DEMO: [Self; 2] = [Self::Albums, Self::Users];

    /// Highest port of any part: the largest offset is what is left above it.
    const HIGHEST_PORT: u16 = 16686;

    /// Largest `--port-offset` that keeps every port below 65536.
    pub const MAX_PORT_OFFSET: u16 = u16::MAX - Self::HIGHEST_PORT;

    /// Its name, lower case, as in metrics and `--json`.
    pub fn id(self) -> &'static str {
        match self {
            Self::OtlpGrpc => "otlp-grpc",
            Self::OtlpHttp => "otlp-http",
            Self::Tempo => "tempo",
            Self::Jaeger => "jaeger",
            Self::Loki => "loki",
            Self::Prometheus => "prometheus",
            Self::Users => "users",
            Self::Albums => "albums",
        }
    }

    /// Its port at offset 0: the one that the real component listens on.
    pub fn base_port(self) -> u16 {
        match self {
            Self::OtlpGrpc => 4317,
            Self::OtlpHttp => 4318,
            Self::Tempo => 3200,
            Self::Jaeger => 16686,
            Self::Loki => 3100,
            Self::Prometheus => 9090,
            Self::Users => 8001,
            Self::Albums => 8002,
        }
    }

    /// A path that answers 200 when the part works; `None` for gRPC, where an open connection has to do.
    pub fn health_path(self) -> Option<&'static str> {
        match self {
            Self::OtlpGrpc => None,
            Self::OtlpHttp => Some("/metrics"),
            Self::Tempo | Self::Loki => Some("/ready"),
            Self::Jaeger => Some("/api/services"),
            Self::Prometheus => Some("/-/ready"),
            Self::Users | Self::Albums => Some("/healthz"),
        }
    }

    /// Where it listens. The offset is at most [`Part::MAX_PORT_OFFSET`]; a larger one stops at port 65535.
    pub fn address(self, bind: IpAddr, port_offset: u16) -> SocketAddr {
        SocketAddr::new(bind, self.base_port().saturating_add(port_offset))
    }

    /// The address under which a process on this machine reaches it, as `http://host:port`.
    pub fn local_url(self, bind: IpAddr, port_offset: u16) -> String {
        format!("http://{}", self.address(reachable(bind), port_offset))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::OtlpGrpc => "OTLP/gRPC",
            Self::OtlpHttp => "OTLP/HTTP",
            Self::Tempo => "Tempo",
            Self::Jaeger => "Jaeger",
            Self::Loki => "Loki",
            Self::Prometheus => "Prometheus",
            Self::Users => "users",
            Self::Albums => "albums",
        })
    }
}

/// The address to connect to for something that listens on `bind`: an unspecified address (`0.0.0.0`, `::`) is reached
/// through the loopback of its family.
pub fn reachable(bind: IpAddr) -> IpAddr {
    match bind {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_offset_is_what_the_highest_port_leaves() {
        let highest = Part::ALL.into_iter().map(Part::base_port).max().unwrap();
        assert_eq!(highest, Part::HIGHEST_PORT);
        let address = Part::Jaeger.address(Ipv4Addr::LOCALHOST.into(), Part::MAX_PORT_OFFSET);
        assert_eq!(address.port(), 65535);
    }

    #[test]
    fn every_part_is_either_engine_or_demo() {
        let mut split: Vec<Part> = Part::ENGINE.into_iter().chain(Part::DEMO).collect();
        split.sort();
        assert_eq!(split, Part::ALL);
    }

    #[test]
    fn an_unspecified_address_is_reached_through_the_loopback() {
        let any: IpAddr = "0.0.0.0".parse().unwrap();
        assert_eq!(Part::Tempo.local_url(any, 10), "http://127.0.0.1:3210");
        assert_eq!(Part::Loki.local_url("::".parse().unwrap(), 0), "http://[::1]:3100");
        assert_eq!(Part::Loki.local_url("10.0.0.7".parse().unwrap(), 0), "http://10.0.0.7:3100");
    }
}
