//! Every file of the real stack: that it can be read, and that every host and port that it names is a service of the
//! compose files and a port that it listens on.

use std::collections::BTreeSet;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use tests::files::compose::Compose;
use tests::files::{Complaints, addresses, case, items, json, or_complain, text, yaml};

/// What has metrics of its own, and has to be scraped under the name of its service.
const SCRAPED: &[&str] = &[
    "prometheus",
    "otel-collector",
    "tempo",
    "jaeger",
    "loki",
    "grafana",
    "pyrra-api",
    "pyrra-filesystem",
    "alertmanager",
    "karma",
    "pyroscope",
    "users",
    "albums",
];

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for path in addresses::files() {
        trials.extend(syntax(&path));
        trials.push(case(format!("{path}: addresses"), move || {
            or_complain(compose().and_then(|compose| Ok(addresses::of_file(&path, &text(&path)?, &compose))))
        }));
    }
    trials.push(case("every component is scraped under its service's name", || or_complain(scraped())));
    trials
        .push(case("Jaeger's Monitor tab asks for what the collector writes", || or_complain(monitor_tab())));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn compose() -> Result<Compose, String> {
    Compose::read(&[&text("docker-compose.yaml")?, &text("docker-compose.generators.yaml")?])
}

/// A file in a format that can be read here.
fn syntax(path: &str) -> Option<Trial> {
    let path = path.to_owned();
    let read = match path.rsplit_once('.')?.1 {
        "yaml" | "yml" => yaml,
        "json" => json,
        _ => return None,
    };
    let name = format!("{path}: syntax");
    Some(case(name, move || read(&path).err().into_iter().collect()))
}

fn scraped() -> Result<Complaints, String> {
    let config = yaml("infra/prometheus/prometheus.yml")?;
    let mut complaints = Vec::new();
    let mut jobs = BTreeSet::new();
    let compose = compose()?;
    for scrape in items(&config["scrape_configs"]) {
        let job = scrape["job_name"].as_str().unwrap_or_default();
        if !jobs.insert(job) {
            complaints.push(format!("{job}: scraped twice"));
        }
        if compose.service(job).is_null() {
            complaints.push(format!("{job}: no service is called so"));
        }
        for group in items(&scrape["static_configs"]) {
            for target in items(&group["targets"]).iter().filter_map(|target| target.as_str()) {
                let host = target.split(':').next().unwrap_or_default();
                if host != job && host != "localhost" {
                    complaints.push(format!("{job}: it scrapes {target}"));
                }
            }
        }
    }
    for service in SCRAPED {
        if !jobs.contains(service) {
            complaints.push(format!("{service} is not scraped"));
        }
    }
    Ok(complaints)
}

/// The tab stays empty, and says nothing of it, where names or units are not the same on both sides.
fn monitor_tab() -> Result<Complaints, String> {
    let collector = yaml("infra/otel-collector/config.yaml")?;
    let jaeger = yaml("infra/jaeger/config.yaml")?;
    let spans = &collector["connectors"]["span_metrics"];
    let asks = &jaeger["extensions"]["jaeger_storage"]["metric_backends"]["prometheus"]["prometheus"];
    let namespace = spans["namespace"].as_str().unwrap_or("traces.span.metrics").replace('.', "_");
    let mut complaints = Vec::new();
    if asks["metric_namespace"] != namespace.as_str() {
        complaints
            .push(format!("Jaeger asks for {}, the collector writes {namespace}", asks["metric_namespace"]));
    }
    let unit = spans["histogram"]["unit"].as_str().unwrap_or("ms");
    if asks["latency_unit"] != unit {
        complaints.push(format!("Jaeger reads {}, the collector writes {unit}", asks["latency_unit"]));
    }
    for flag in ["normalize_calls", "normalize_duration"] {
        if asks[flag] != true {
            complaints.push(format!("Jaeger's {flag} is off, and Prometheus adds units and _total to names"));
        }
    }
    let uses = |pipeline: &str, kind: &str, name: &str| {
        items(&collector["service"]["pipelines"][pipeline][kind]).iter().any(|used| used == name)
    };
    for connector in ["span_metrics", "service_graph"] {
        if !uses("traces", "exporters", connector) || !uses("metrics/spans", "receivers", connector) {
            complaints.push(format!("{connector} is not between traces and metrics"));
        }
    }
    Ok(complaints)
}
