//! The rules of the repository in the embedded engine.

use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;
use tests::files::root;
use tests::mirante::Stack;

use crate::{ask, until};

/// Pyrra's slowest groups are evaluated once a minute.
const WITHIN: Duration = Duration::from_secs(90);

pub(crate) fn rules() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let infra = root().join("infra/prometheus");
    let file = dir.path().join("prometheus.yml");
    let (ours, pyrra) = (infra.join("rules/*.yml"), infra.join("tests/pyrra/*.yaml"));
    std::fs::write(
        &file,
        format!(
            "global: {{evaluation_interval: 1s}}\nrule_files: ['{}', '{}']\nscrape_configs:\n- job_name: prometheus\n  \
             scrape_interval: 1s\n  scrape_timeout: 1s\n  static_configs: [{{targets: ['localhost:9090']}}]\n",
            ours.display(),
            pyrra.display()
        ),
    )?;
    let stack =
        Stack::up(&dir.path().join("data"), &["--no-demo", "--prometheus-config", &file.to_string_lossy()]);
    let rules = until("an evaluation of every rule", WITHIN, || {
        let rules = all(&stack)?;
        Ok(rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules))
    })?;
    if rules.len() < 100 {
        return Err(format!("{} rules only", rules.len()).into());
    }
    match rules.iter().find(|rule| rule["health"] != "ok") {
        Some(rule) => Err(rule.to_string().into()),
        None => Ok(()),
    }
}

/// The rules of all groups.
fn all(stack: &Stack) -> Result<Vec<Value>, Failed> {
    let data = ask(&stack.url("prometheus"), "rules", &[])?;
    let groups = data["groups"].as_array().cloned().unwrap_or_default();
    Ok(groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect())
}
