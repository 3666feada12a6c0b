//! The repository's own dashboards, data sources, rules and objectives, and the queries in all of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::expressions::{self, Expression, Language};
use super::{below, grafana, items, json, rules, slo, text, yaml};

const PROVISIONING: &str = "infra/grafana/provisioning";
const RULES: &str = "infra/prometheus/rules";

/// The documents of a folder that Grafana is provisioned from.
pub fn provisioned(folder: &str) -> Result<Vec<Value>, String> {
    below(&format!("{PROVISIONING}/{folder}"), &["yaml", "yml"]).iter().map(|path| yaml(path)).collect()
}

/// Grafana's data sources.
pub fn sources() -> Result<Vec<Value>, String> {
    Ok(grafana::sources(&provisioned("datasources")?))
}

/// Dashboards by their file's name.
pub fn all() -> Result<BTreeMap<String, Value>, String> {
    let stem = |path: &str| path.trim_start_matches("dashboards/").trim_end_matches(".json").to_owned();
    below("dashboards", &["json"]).iter().map(|path| Ok((stem(path), json(path)?))).collect()
}

/// The queries of dashboards and data sources.
pub fn of_grafana() -> Result<Vec<Expression>, String> {
    let mut found = Vec::new();
    for (stem, dashboard) in all()? {
        found.extend(expressions::of_dashboard(&format!("dashboards/{stem}.json"), &dashboard));
    }
    found.extend(expressions::of_sources(PROVISIONING, &sources()?));
    Ok(found)
}

/// All PromQL that there is.
pub fn metric_queries() -> Result<Vec<Expression>, String> {
    let mut found = of_grafana()?;
    found.retain(|expression| expression.language == Language::PromQl);
    for path in below(RULES, &["yaml", "yml"]) {
        for rule in rules::read(&path, &text(&path)?)? {
            let place = format!("{}: {}", rule.place, rule.name);
            found.push(Expression { language: Language::PromQl, text: rule.expression, place });
        }
    }
    for path in below("slo", &["yaml", "yml"]) {
        for (part, metric) in slo::metrics(&yaml(&path)?) {
            found.push(Expression {
                language: Language::PromQl,
                text: metric,
                place: format!("{path}: {part}"),
            });
        }
    }
    Ok(found)
}

/// The metrics that the rules record.
pub fn recorded() -> Result<BTreeSet<String>, String> {
    let mut recorded = BTreeSet::new();
    for path in below(RULES, &["yaml", "yml"]) {
        let document = yaml(&path)?;
        let rules = items(&document["groups"]).iter().flat_map(|group| items(&group["rules"]));
        recorded.extend(rules.filter_map(|rule| rule["record"].as_str()).map(str::to_owned));
    }
    Ok(recorded)
}
