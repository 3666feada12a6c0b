//! What the compose files start a component with, and in which version.

use libtest_mimic::{Failed, Trial};
use tests::peers;
use tests::peers::ours::root;

/// The `command` of a service, which is written as a list.
pub(crate) fn command(file: &str, service: &str) -> Result<Vec<String>, Failed> {
    let text = std::fs::read_to_string(root().join(file))?;
    let mut lines = text.lines().skip_while(|line| *line != format!("  {service}:"));
    lines.next();
    let own = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    let after = own.skip_while(|line| *line != "    command:").skip(1);
    let items = after.map_while(|line| {
        line.trim_start().strip_prefix("- ").or_else(|| line.trim_start().starts_with('#').then_some(""))
    });
    let words = items
        .filter(|item| !item.is_empty())
        .map(|item| item.split(" #").next().unwrap_or_default().trim().to_owned());
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
