//! What Prometheus does by itself: scraping and evaluating rules.

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::look::Look;
use super::report::{Check, Place};
use crate::cli::Target;
use crate::client::get_json;

pub(super) const TARGETS: Place = Place {
    name: "targets",
    asked: "each scrape target",
    hint: "which part is down? http://localhost:9090/api/v1/targets, and docker compose ps",
};
pub(super) const RULES: Place = Place {
    name: "rules",
    asked: "rule groups",
    hint: "are the rule files where prometheus.yml says? docker compose logs prometheus pyrra-filesystem",
};

/// Where Prometheus finds the rules that Pyrra makes of slo/.
const OF_PYRRA: &str = "/rules/pyrra/";
/// Jobs without which there is no demo.
const JOBS: [&str; 2] = ["users", "albums"];

pub(super) async fn targets(look: &Look<'_>, target: Target) -> Check {
    if target == Target::Embedded && !is_configured(look, "scrape_configs").await {
        return Check::no_part(TARGETS);
    }
    let url = format!("{}/api/v1/targets", look.places.prometheus);
    let found = look
        .until_found(TARGETS, async || all_up(&get_json(look.client, &url, &[("state", "active")]).await?));
    Check::new(TARGETS, found.await)
}

pub(super) async fn rules(look: &Look<'_>, target: Target) -> Check {
    if target == Target::Embedded && !is_configured(look, "rule_files").await {
        return Check::no_part(RULES);
    }
    let url = format!("{}/api/v1/rules", look.places.prometheus);
    let found = look.until_found(RULES, async || loaded(&get_json(look.client, &url, &[]).await?, target));
    Check::new(RULES, found.await)
}

/// Whether the configuration has a section. The embedded engine also runs without a file.
async fn is_configured(look: &Look<'_>, section: &str) -> bool {
    let url = format!("{}/api/v1/status/config", look.places.prometheus);
    // What does not answer is looked for as if it were configured, and its absence told there.
    let Ok(answer) = get_json(look.client, &url, &[]).await else { return true };
    let yaml = answer["data"]["yaml"].as_str().unwrap_or_default();
    yaml.lines().any(|line| line.strip_prefix(section).is_some_and(|rest| rest.starts_with(':')))
}

fn all_up(answer: &Value) -> anyhow::Result<String> {
    let targets =
        answer["data"]["activeTargets"].as_array().context("the answer is not shaped like Prometheus's")?;
    let job = |target: &Value| target["labels"]["job"].as_str().unwrap_or_default().to_owned();
    for wanted in JOBS {
        ensure!(targets.iter().any(|target| job(target) == wanted), "no target of the job {wanted}");
    }
    let down: Vec<String> = targets
        .iter()
        .filter(|target| target["health"] != "up")
        .map(|target| match target["lastError"].as_str() {
            Some(error) if !error.is_empty() => format!("{} ({error})", job(target)),
            _ => format!("{} (not scraped yet)", job(target)),
        })
        .collect();
    ensure!(down.is_empty(), "down: {}", down.join(", "));
    Ok(format!("{} are up", targets.len()))
}

fn loaded(answer: &Value, target: Target) -> anyhow::Result<String> {
    let groups = answer["data"]["groups"].as_array().context("the answer is not shaped like Prometheus's")?;
    let is_pyrras = |group: &&Value| group["file"].as_str().is_some_and(|file| file.contains(OF_PYRRA));
    let of_pyrra = groups.iter().filter(is_pyrras).count();
    ensure!(groups.len() > of_pyrra, "none of infra/prometheus/rules");
    // The embedded engine has no Pyrra.
    ensure!(of_pyrra > 0 || target == Target::Embedded, "none of Pyrra's");
    let rules = || groups.iter().filter_map(|group| group["rules"].as_array()).flatten();
    if let Some(rule) = rules().find(|rule| rule["health"] == "err") {
        let text = |key: &str| rule[key].as_str().unwrap_or_default();
        bail!("{} fails: {}", text("name"), text("lastError"));
    }
    let of_pyrra = match target {
        Target::Compose => format!(", {of_pyrra} of them Pyrra's"),
        Target::Embedded => String::new(),
    };
    Ok(format!("{} rules in {} groups{of_pyrra}", rules().count(), groups.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn target(job: &str, health: &str, error: &str) -> Value {
        json!({"labels": {"job": job, "instance": "x:1"}, "health": health, "lastError": error})
    }

    #[test]
    fn targets_that_are_down_are_named() {
        let answer = |targets: &[Value]| json!({"status": "success", "data": {"activeTargets": targets}});
        let up = [target("users", "up", ""), target("albums", "up", "")];
        assert_eq!(all_up(&answer(&up)).unwrap(), "2 are up");
        assert!(all_up(&answer(&up[..1])).unwrap_err().to_string().contains("the job albums"));
        let down = [
            up[0].clone(),
            up[1].clone(),
            target("karma", "down", "connection refused"),
            target("loki", "unknown", ""),
        ];
        let said = all_up(&answer(&down)).unwrap_err().to_string();
        assert_eq!(said, "down: karma (connection refused), loki (not scraped yet)");
        assert!(all_up(&json!({"status": "error"})).is_err());
    }

    #[test]
    fn rules_come_from_both_and_none_may_fail() {
        let rule =
            |health: &str| json!({"name": "ServiceDown", "health": health, "lastError": "no such function"});
        let group = |file: &str, health: &str| json!({"name": "x", "file": file, "rules": [rule(health), rule("ok")]});
        let answer = |groups: &[Value]| json!({"status": "success", "data": {"groups": groups}});
        let ours = group("/etc/prometheus/rules/services.yml", "unknown");
        let pyrras = group("/rules/pyrra/users-availability.yaml", "ok");
        assert_eq!(
            loaded(&answer(std::slice::from_ref(&ours)), Target::Embedded).unwrap(),
            "2 rules in 1 groups"
        );
        let loaded = |answer: &Value| loaded(answer, Target::Compose);
        assert_eq!(
            loaded(&answer(&[ours.clone(), pyrras.clone()])).unwrap(),
            "4 rules in 2 groups, 1 of them Pyrra's"
        );
        assert!(loaded(&answer(&[])).unwrap_err().to_string().contains("infra/prometheus/rules"));
        assert!(loaded(&answer(&[ours])).unwrap_err().to_string().contains("Pyrra's"));
        let broken = group("/etc/prometheus/rules/x.yml", "err");
        assert_eq!(
            loaded(&answer(&[broken, pyrras])).unwrap_err().to_string(),
            "ServiceDown fails: no such function"
        );
    }
}
