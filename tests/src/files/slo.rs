//! Pyrra's objectives: what its strict reader wants beyond its schema.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{Complaints, entries, pattern};

/// The indicators of an objective, of which there is exactly one.
const INDICATORS: &[&str] = &["ratio", "latency", "latencyNative", "bool_gauge"];

/// A selector without functions: a name, and matchers in braces.
fn selector() -> &'static Regex {
    static SELECTOR: LazyLock<Regex> = LazyLock::new(|| {
        let matcher = r#"[a-zA-Z_]\w*\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*""#;
        pattern(&format!(r"^[a-zA-Z_:][\w:]*(?:\{{\s*(?:{matcher}(?:\s*,\s*{matcher})*\s*,?)?\s*\}})?$"))
    });
    &SELECTOR
}

/// Every metric of an objective, with its place.
pub fn metrics(objective: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (indicator, parts) in entries(&objective["spec"]["indicator"]) {
        if let Some(metric) = parts["metric"].as_str() {
            found.push((indicator.to_owned(), metric.to_owned()));
        }
        for (part, value) in entries(parts) {
            if let Some(metric) = value["metric"].as_str() {
                found.push((format!("{indicator}.{part}"), metric.to_owned()));
            }
        }
    }
    found
}

/// What Pyrra would refuse or take in silence, beside what the schema says. `stem` is the file's name without ending:
/// the rule file that Pyrra writes is called like it, so it has to be the objective's.
pub fn objective(stem: &str, objective: &Value) -> Complaints {
    static LE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"[{,]\s*le="([^"]*)""#));
    let mut complaints = Vec::new();
    let name = objective["metadata"]["name"].as_str().unwrap_or_default();
    if name != stem {
        complaints.push(format!("the objective is called {name:?}, its file {stem:?}"));
    }
    if objective["apiVersion"] != "pyrra.dev/v1alpha1" || objective["kind"] != "ServiceLevelObjective" {
        complaints.push(format!("it is {} {}", objective["apiVersion"], objective["kind"]));
    }
    if objective["metadata"]["namespace"].as_str().is_none_or(str::is_empty) {
        complaints.push("no namespace".to_owned());
    }
    let spec = &objective["spec"];
    match spec["target"].as_str() {
        None => complaints.push(format!("the target {} is no text", spec["target"])),
        Some(target) if !target.parse::<f64>().is_ok_and(|share| share > 0.0 && share < 100.0) => {
            complaints.push(format!("the target {target} is no share in percent"));
        }
        Some(_) => {}
    }
    let given: Vec<&str> = entries(&spec["indicator"]).map(|(name, _)| name).collect();
    if given.len() != 1 || !INDICATORS.contains(&given[0]) {
        complaints.push(format!("not exactly one indicator: {given:?}"));
    }
    let metrics = metrics(objective);
    if metrics.is_empty() {
        complaints.push("no metric".to_owned());
    }
    for (place, metric) in &metrics {
        if !selector().is_match(metric.trim()) {
            complaints.push(format!("{place}: {metric} is no plain selector"));
        }
    }
    if !spec["indicator"]["latency"].is_null() {
        let success = spec["indicator"]["latency"]["success"]["metric"].as_str().unwrap_or_default();
        let total = spec["indicator"]["latency"]["total"]["metric"].as_str().unwrap_or_default();
        let bound = LE.captures(success).map(|captures| captures[1].to_owned());
        if bound.as_ref().is_none_or(|bound| bound.parse::<f64>().is_err()) {
            complaints.push(format!("latency.success: {success} has no bucket's bound, le=\"…\""));
        }
        if total.contains("le=") {
            complaints.push(format!("latency.total: {total} is one bucket"));
        }
        let without_bound = LE.replace(success, "").replace("_bucket", "_count").replace("{,", "{");
        if same_matchers(&without_bound) != same_matchers(total) {
            complaints.push(format!("latency: {success} is not a part of {total}"));
        }
    }
    let alerting = &spec["alerting"];
    for severity in ["fastBurn", "mediumBurn", "slowBurn", "longTermBurn", "absent"] {
        let given = alerting["severities"][severity].as_str().unwrap_or_default();
        if !matches!(given, "critical" | "warning" | "info") {
            complaints.push(format!("no severity for {severity}"));
        }
    }
    if alerting["name"].as_str().is_none_or(str::is_empty) {
        complaints.push("no name for its alerts".to_owned());
    }
    complaints
}

/// A selector's parts, whatever their order.
fn same_matchers(metric: &str) -> Vec<String> {
    let mut parts: Vec<String> = metric
        .split(['{', '}', ','])
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect();
    parts.sort();
    parts
}

#[cfg(test)]
mod tests {
    use super::super::parse_yaml;
    use super::*;

    const GOOD: &str = r#"
apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: { name: a, namespace: demo }
spec:
  target: "95"
  window: 7d
  indicator:
    latency:
      success: { metric: 'x_bucket{job="a",code!~"5..",le="1"}' }
      total: { metric: 'x_count{job="a",code!~"5.."}' }
  alerting:
    name: Burn
    severities: { fastBurn: critical, mediumBurn: critical, slowBurn: warning, longTermBurn: warning, absent: info }
"#;

    fn said(change: (&str, &str)) -> String {
        assert!(GOOD.contains(change.0), "{change:?}");
        objective("a", &parse_yaml(&GOOD.replace(change.0, change.1)).unwrap()).join("; ")
    }

    #[test]
    fn a_good_objective_is_not_complained_about() {
        assert_eq!(said(("7d", "28d")), "");
        let metrics = metrics(&parse_yaml(GOOD).unwrap());
        assert_eq!(metrics[0].0, "latency.success");
        assert_eq!(metrics.len(), 2);
    }

    #[test]
    fn faults_are_found() {
        for (change, fault) in [
            (("name: a,", "name: b,"), "called"),
            ((", namespace: demo", ""), "no namespace"),
            (("\"95\"", "95"), "is no text"),
            (("\"95\"", "\"950\""), "no share"),
            (("latency:", "latencies:"), "indicator"),
            (("'x_bucket{", "'sum(x_bucket{"), "plain selector"),
            ((",le=\"1\"", ""), "bound"),
            (("le=\"1\"", "le=\"fast\""), "bound"),
            (("x_count{job=\"a\"", "x_count{job=\"b\""), "not a part of"),
            (("fastBurn: critical, ", ""), "fastBurn"),
            (("name: Burn", "x: Burn"), "no name for its alerts"),
        ] {
            let complaints = said(change);
            assert!(complaints.contains(fault), "{change:?}: {complaints}");
        }
    }
}
