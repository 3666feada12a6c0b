//! Where the Collector sends traces and logs: the embedded engine, or the real Tempo, Jaeger and Loki with our files where
//! somebody has them (`MIRANTE_PEERS_DIR`). Their APIs are the same, so the cases are the same.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use tests::mirante::Stack;
use tests::peers::ours::Ours;
use tests::peers::running::Peer;
use tests::peers::{ask, pinned};

use crate::collector::request;
use crate::pipeline::{Pipeline, Ports, WITHIN, below_clients, local};

/// Tempo and Loki wait for their rings before they are ready.
const START: Duration = Duration::from_secs(90);

/// A place for traces or logs.
pub(crate) struct Store {
    process: Option<Peer>,
    /// Address of its API.
    pub(crate) url: String,
    /// Port for what the Collector sends.
    pub(crate) receiver: u16,
}

impl Store {
    /// A part of the embedded engine, by the name of [`tests::mirante::PORTS`], and the part that receives for it.
    fn embedded(mirante: &Stack, part: &str, receiver: &str) -> Result<Self, Failed> {
        let address = mirante.address(receiver);
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).ok_or("no port")?;
        Ok(Self { process: None, url: mirante.url(part), receiver: port })
    }

    /// Waits until it can be asked.
    pub(crate) fn ready(&mut self, path: &str) -> Result<(), Failed> {
        let url = format!("{}{path}", self.url);
        self.process.as_mut().map_or(Ok(()), |process| process.ready(&url, START))
    }
}

/// The embedded engine as Tempo, Jaeger and Loki.
pub(crate) fn embedded(mirante: &Stack) -> Result<[Store; 3], Failed> {
    Ok([
        Store::embedded(mirante, "tempo", "otlp-grpc")?,
        Store::embedded(mirante, "jaeger", "otlp-grpc")?,
        Store::embedded(mirante, "loki", "loki")?,
    ])
}

pub(crate) fn tempo(dir: &Path, mirante: &Stack) -> Result<Store, Failed> {
    let Some(program) = pinned("tempo") else { return Store::embedded(mirante, "tempo", "otlp-grpc") };
    let (api, receiver) = (below_clients(), below_clients());
    let file = dir.join("tempo.yaml");
    Ours::read("infra/tempo/tempo.yaml")?
        .replace(
            "  http_listen_port: 3200",
            &format!(
                "  http_listen_port: {api}\n  grpc_listen_port: {}\n  \
                 http_listen_address: 127.0.0.1\n  grpc_listen_address: 127.0.0.1",
                below_clients()
            ),
        )
        .also(&format!("\nmemberlist:\n  bind_addr: [127.0.0.1]\n  bind_port: {}\n", below_clients()))
        .address("0.0.0.0:4317", receiver)
        .replace("/var/tempo", &dir.join("tempo").display().to_string())
        .write(&file)?;
    let process = Peer::start(&program, &[&format!("-config.file={}", file.display())], dir)?;
    Ok(Store { process: Some(process), url: local(api), receiver })
}

pub(crate) fn jaeger(dir: &Path, ports: &Ports, mirante: &Stack) -> Result<Store, Failed> {
    let Some(program) = pinned("jaeger") else { return Store::embedded(mirante, "jaeger", "otlp-grpc") };
    let (api, receiver) = (below_clients(), below_clients());
    let file = dir.join("jaeger.yaml");
    Ours::read("infra/jaeger/config.yaml")?
        .address("0.0.0.0:13133", below_clients())
        .address("0.0.0.0:16685", below_clients())
        .address("0.0.0.0:16686", api)
        .address("0.0.0.0:4317", receiver)
        .address("prometheus:9090", ports.prometheus)
        .replace("host: 0.0.0.0", "host: 127.0.0.1")
        .value("port", &below_clients().to_string())
        .write(&file)?;
    let process = Peer::start(&program, &["--config", &file.to_string_lossy()], dir)?;
    Ok(Store { process: Some(process), url: local(api), receiver })
}

pub(crate) fn loki(dir: &Path, mirante: &Stack) -> Result<Store, Failed> {
    let Some(program) = pinned("loki") else { return Store::embedded(mirante, "loki", "loki") };
    let api = below_clients();
    let file = dir.join("loki.yaml");
    let data = dir.join("loki").display().to_string();
    Ours::read("infra/loki/loki.yaml")?
        .value("http_listen_port", &api.to_string())
        .value("grpc_listen_port", &below_clients().to_string())
        .replace(": /loki", &format!(": {data}"))
        .write(&file)?;
    let arguments = [
        format!("-config.file={}", file.display()),
        "-server.http-listen-address=127.0.0.1".to_owned(),
        "-server.grpc-listen-address=127.0.0.1".to_owned(),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let process = Peer::start(&program, &arguments, dir)?;
    Ok(Store { process: Some(process), url: local(api), receiver: api })
}

/// Only where a real Jaeger is: set-up cannot build it, and `CI=true` does not ask for it.
pub(crate) fn trials() -> Vec<Trial> {
    let name = "jaeger: the Monitor tab has figures from Prometheus";
    let is_there = ["jaeger", "otelcol", "prometheus"].iter().all(|program| pinned(program).is_some());
    vec![if is_there {
        Trial::test(name, monitor)
    } else {
        Trial::test(format!("{name} (skipped: no jaeger, see tests/peers/README.md)"), || Ok(()))
            .with_ignored_flag(true)
    }]
}

fn monitor() -> Result<(), Failed> {
    let pipeline = Pipeline::shared()?;
    for metric in ["calls", "latencies"] {
        let quantile = if metric == "latencies" { "&quantile=0.95" } else { "" };
        let url = format!(
            "{}/api/metrics/{metric}?service=users&spanKind=server&lookback=300000&step=5000&ratePer=60000{quantile}",
            pipeline.jaeger.url
        );
        let found = || {
            request(&pipeline).ok()?;
            let answer = ask::json(&url);
            let points = answer["metrics"][0]["metricPoints"].as_array()?;
            let values = points.iter().filter_map(|point| point["gaugeValue"]["doubleValue"].as_f64());
            values.into_iter().any(|value| value > 0.0).then_some(())
        };
        ask::until(&url, WITHIN, found, || ask::json(&url).to_string())?;
    }
    Ok(())
}
