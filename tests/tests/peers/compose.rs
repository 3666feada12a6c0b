//! What the compose files start a component with, and in which version.

use libtest_mimic::{Failed, Trial};
use tests::files::{self, compose::Compose};
use tests::peers;
use tests::peers::ours::root;

/// The `command` of a service, with the defaults of its variables.
pub(crate) fn command(file: &str, service: &str) -> Result<Vec<String>, Failed> {
    let compose = Compose::read(&[&files::text(file)?])?;
    let words = files::items(&compose.service(service)["command"]).iter().filter_map(files::scalar);
    let words: Vec<String> = words.collect();
    if words.is_empty() { Err(format!("{file}: {service} has no command").into()) } else { Ok(words) }
}

/// Programs and the images that they stand for, as the files name them.
const IMAGES: &[(&str, &str, &str)] = &[
    ("prometheus", "docker-compose.yaml", "prom/prometheus:v"),
    ("promtool", "docker-compose.yaml", "prom/prometheus:v"),
    ("alertmanager", "docker-compose.yaml", "prom/alertmanager:v"),
    ("amtool", "docker-compose.yaml", "prom/alertmanager:v"),
    ("otelcol", "docker-compose.yaml", "otel/opentelemetry-collector-contrib:"),
    ("pyrra", "docker-compose.yaml", "ghcr.io/pyrra-dev/pyrra:v"),
    ("telemetrygen", "docker-compose.generators.yaml", "opentelemetry-collector-contrib/telemetrygen:v"),
    ("k6", "docs/load-test.md", "grafana/k6:"),
];

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test("versions: what is built here is what the images are", versions_agree)]
}

fn versions_agree() -> Result<(), Failed> {
    let mut complaints = Vec::new();
    for (program, file, image) in IMAGES {
        let text = std::fs::read_to_string(root().join(file))?;
        let rest = text.split(image).nth(1).ok_or_else(|| format!("{file} has no image {image}…"))?;
        let pinned: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let built = peers::version(program).unwrap_or("in no version");
        if built != pinned && !peers::is_exception(program) {
            complaints
                .push(format!("{program} is built {built}, {file} has {pinned}, and no comment says why"));
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) }
}
