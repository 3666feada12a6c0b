//! Prometheus's rule files, their unit tests, and the runbooks that alerts lead to.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Complaints, entries, items, parse_yaml, scalar};

/// Where runbooks are on the web; the rest of the link is the path in this repository.
pub const WEB: &str = "https://github.com/mirante/mirante/blob/main/";

/// A recording or alerting rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// File and group.
    pub place: String,
    /// The group's name.
    pub group: String,
    /// `alert` or `record`.
    pub name: String,
    /// Whether it is an alert.
    pub is_alert: bool,
    /// In PromQL.
    pub expression: String,
    /// The whole rule.
    pub whole: Value,
}

/// The rules of a file's text.
pub fn read(path: &str, text: &str) -> Result<Vec<Rule>, String> {
    let document = parse_yaml(text).map_err(|error| format!("{path}: {error}"))?;
    let mut rules = Vec::new();
    for group in items(&document["groups"]) {
        for rule in items(&group["rules"]) {
            let alert = rule["alert"].as_str();
            rules.push(Rule {
                place: format!("{path}: {}", group["name"].as_str().unwrap_or_default()),
                group: group["name"].as_str().unwrap_or_default().to_owned(),
                name: alert.or(rule["record"].as_str()).unwrap_or_default().to_owned(),
                is_alert: alert.is_some(),
                expression: rule["expr"].as_str().unwrap_or_default().to_owned(),
                whole: rule.clone(),
            });
        }
    }
    if rules.is_empty() { Err(format!("{path}: no rules")) } else { Ok(rules) }
}

/// `ServiceDown` as `service-down`: the name of its runbook.
pub fn kebab(name: &str) -> String {
    let mut kebab = String::new();
    let letters: Vec<char> = name.chars().collect();
    for (at, letter) in letters.iter().enumerate() {
        let after_small = at > 0 && !letters[at - 1].is_uppercase();
        let before_small = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && at > 0 && (after_small || before_small) {
            kebab.push('-');
        }
        kebab.extend(letter.to_lowercase());
    }
    kebab
}

/// What an alert has to say of itself: how bad, what, why, and where to read on. `exists` is asked with paths in the
/// repository.
pub fn says_enough(rule: &Rule, exists: impl Fn(&str) -> bool) -> Complaints {
    let place = format!("{}: {}", rule.place, rule.name);
    let mut complaints = Vec::new();
    let severity = rule.whole["labels"]["severity"].as_str().unwrap_or_default();
    let is_known = matches!(severity, "critical" | "warning" | "info");
    let is_watchdog = severity == "none" && rule.name == "Watchdog";
    if !is_known && !is_watchdog {
        complaints.push(format!("{place}: severity {severity:?}"));
    }
    // Given as a label, or kept by the expression.
    let is_given = rule.whole["labels"]["service"].as_str().is_some_and(|service| !service.is_empty());
    if !is_given
        && !rule.expression.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "service")
    {
        complaints.push(format!("{place}: no service, and routes go by it"));
    }
    let annotations = &rule.whole["annotations"];
    for key in ["summary", "description"] {
        if annotations[key].as_str().is_none_or(|text| text.trim().is_empty()) {
            complaints.push(format!("{place}: no {key}"));
        }
    }
    complaints.extend(runbook(&place, &rule.name, annotations["runbook_url"].as_str(), exists));
    complaints
}

/// The link to a runbook is the one of this alert, and the page is there.
pub fn runbook(place: &str, alert: &str, url: Option<&str>, exists: impl Fn(&str) -> bool) -> Complaints {
    let page = format!("docs/runbooks/{}.md", kebab(alert));
    match url.and_then(|url| url.strip_prefix(WEB)) {
        None => vec![format!("{place}: runbook_url is not {WEB}{page}")],
        Some(path) if path != page => vec![format!("{place}: runbook_url leads to {path}, not to {page}")],
        Some(path) if !exists(path) => vec![format!("{place}: {path} is not there")],
        Some(_) => Vec::new(),
    }
}

/// A unit test file of promtool.
#[derive(Clone, Debug)]
pub struct UnitTests {
    /// Of the file.
    pub path: String,
    /// The rule files under test, as paths in the repository.
    pub rule_files: BTreeSet<String>,
    /// The groups that are evaluated first, in this order; the others follow in any order.
    pub order: Vec<String>,
    /// Each test's expectations: alert, minutes after the start, severities that fire then.
    expectations: Vec<Vec<Expectation>>,
}

#[derive(Clone, Debug)]
struct Expectation {
    alert: String,
    seconds: u64,
    severities: BTreeSet<String>,
}

/// Reads a unit test file.
pub fn read_tests(path: &str, text: &str) -> Result<UnitTests, String> {
    let document = parse_yaml(text).map_err(|error| format!("{path}: {error}"))?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut expectations = Vec::new();
    for test in items(&document["tests"]) {
        let mut of_test = Vec::new();
        for expectation in items(&test["alert_rule_test"]) {
            let fired = items(&expectation["exp_alerts"]);
            let severity = |alert: &Value| scalar(&alert["exp_labels"]["severity"]).unwrap_or_default();
            let eval_time = scalar(&expectation["eval_time"]).unwrap_or_default();
            of_test.push(Expectation {
                alert: expectation["alertname"].as_str().unwrap_or_default().to_owned(),
                seconds: seconds(&eval_time).ok_or_else(|| format!("{path}: no time: {eval_time}"))?,
                severities: fired.iter().map(severity).collect(),
            });
        }
        expectations.push(of_test);
    }
    let rule_files = items(&document["rule_files"]).iter().filter_map(scalar);
    Ok(UnitTests {
        path: path.to_owned(),
        order: items(&document["group_eval_order"]).iter().filter_map(scalar).collect(),
        rule_files: rule_files.map(|file| normal(&format!("{folder}/{file}"))).collect(),
        expectations,
    })
}

/// `1h30m` in seconds.
fn seconds(duration: &str) -> Option<u64> {
    let mut total = 0;
    let mut rest = duration;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += match &rest[..letters] {
            "ms" => number / 1000,
            "s" => number,
            "m" => number * 60,
            "h" => number * 3600,
            "d" => number * 86_400,
            _ => return None,
        };
        rest = &rest[letters..];
    }
    Some(total)
}

/// `a/b/../c` as `a/c`.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// An alert (of one severity) is tested: it fires where it should, does not where it should not, and goes away again
/// within one test. The watchdog never goes away.
pub fn is_tested(rule: &Rule, tests: &[UnitTests]) -> Complaints {
    let severity = rule.whole["labels"]["severity"].as_str().unwrap_or_default();
    let of_alert = |expectations: &[Expectation]| -> Vec<(u64, bool)> {
        let own = expectations.iter().filter(|expectation| expectation.alert == rule.name);
        own.map(|expectation| (expectation.seconds, expectation.severities.contains(severity))).collect()
    };
    let all: Vec<Vec<(u64, bool)>> =
        tests.iter().flat_map(|file| &file.expectations).map(|expectations| of_alert(expectations)).collect();
    let place = format!("{} ({severity})", rule.name);
    let mut complaints = Vec::new();
    if !all.iter().flatten().any(|(_, fires)| *fires) {
        complaints.push(format!("{place}: no unit test in which it fires"));
    } else if rule.name != "Watchdog" {
        if !all.iter().flatten().any(|(_, fires)| !fires) {
            complaints.push(format!("{place}: no unit test in which it does not fire"));
        }
        let resolves = all.iter().any(|of_test| {
            of_test.iter().any(|(fired_at, fires)| {
                *fires && of_test.iter().any(|(quiet_at, fires)| !fires && quiet_at > fired_at)
            })
        });
        if !resolves {
            complaints.push(format!("{place}: no unit test in which it fires and then resolves"));
        }
    }
    complaints
}

/// Where rules of one group read what another group records, the test says in which order they are evaluated. Without
/// that any order is taken, another one each time, and what is read is now and then one step old.
pub fn is_ordered(tests: &UnitTests, rules: &[Rule]) -> Complaints {
    let place = |group: &str| tests.order.iter().position(|ordered| ordered == group).unwrap_or(usize::MAX);
    let reads = |rule: &Rule, name: &str| {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
        rule.expression.split(|c| !is_part(c)).any(|word| word == name)
    };
    // Several groups may record under one name, told apart by labels; each then reads its own.
    let records = |group: &str, name: &str| {
        rules.iter().any(|rule| !rule.is_alert && rule.group == group && rule.name == name)
    };
    let mut complaints = Vec::new();
    for record in rules.iter().filter(|rule| !rule.is_alert) {
        for reader in
            rules.iter().filter(|rule| !records(&rule.group, &record.name) && reads(rule, &record.name))
        {
            if place(&record.group) >= place(&reader.group) {
                complaints.push(format!(
                    "{}: {} reads {} of another group: group_eval_order has to name {} before {}",
                    tests.path, reader.name, record.name, record.group, reader.group
                ));
            }
        }
    }
    complaints.sort();
    complaints.dedup();
    complaints
}

/// A YAML text without some keys (`global.x`), lines and comments of the others as they were. For tools that are older
/// than the keys.
pub fn without(text: &str, keys: &[&str]) -> String {
    let mut path: Vec<(usize, String)> = Vec::new();
    let mut dropped: Option<usize> = None;
    let mut kept = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let is_blank = line.trim().is_empty() || line.trim_start().starts_with('#');
        if let Some(depth) = dropped {
            if line.trim().is_empty() || indent > depth {
                continue;
            }
            dropped = None;
        }
        if !is_blank && let Some((key, _)) = line.trim_start().split_once(':') {
            path.retain(|(depth, _)| *depth < indent);
            path.push((indent, key.to_owned()));
            let whole = path.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>().join(".");
            if keys.contains(&whole.as_str()) {
                dropped = Some(indent);
                continue;
            }
        }
        kept.push(line);
    }
    kept.join("\n") + "\n"
}

/// The notification routes that are tried, each `(name, labels as amtool takes them, receivers)`.
pub fn routes(table: &Value) -> Vec<(String, Vec<String>, String)> {
    let case = |test: &Value| {
        let labels = entries(&test["labels"])
            .map(|(name, value)| format!("{name}={}", scalar(value).unwrap_or_default()))
            .collect();
        let receivers = items(&test["receivers"]).iter().filter_map(scalar).collect::<Vec<_>>().join(",");
        (test["name"].as_str().unwrap_or_default().to_owned(), labels, receivers)
    };
    items(&table["tests"]).iter().map(case).collect()
}

/// Every receiver is reached by some case of the table, every webhook is one of the session's paths and told of the
/// end (the watchdog's apart), and no two receivers share a path.
pub fn receivers(config: &Value, table: &Value) -> Complaints {
    let reached: BTreeSet<String> = routes(table)
        .into_iter()
        .flat_map(|(_, _, receivers)| receivers.split(',').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let mut complaints = Vec::new();
    let mut urls = BTreeSet::new();
    for receiver in items(&config["receivers"]) {
        let name = receiver["name"].as_str().unwrap_or_default();
        if !reached.contains(name) {
            complaints.push(format!("{name}: no case of the table reaches it"));
        }
        for webhook in items(&receiver["webhook_configs"]) {
            let url = webhook["url"].as_str().unwrap_or_default();
            if !url.contains("/00000000-0000-0000-0000-000000000000/") {
                complaints.push(format!("{name}: {url} is not in the webhook tester's session"));
            }
            if !urls.insert(url) {
                complaints.push(format!("{name}: {url} is another receiver's too"));
            }
            if webhook["send_resolved"] != Value::Bool(name != "watchdog") {
                complaints.push(format!("{name}: send_resolved is {}", webhook["send_resolved"]));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "
groups:
  - name: g
    rules:
      - alert: ServiceDown
        expr: up == 0
        labels: { severity: critical, service: users }
        annotations:
          summary: s
          description: d
          runbook_url: https://github.com/mirante/mirante/blob/main/docs/runbooks/service-down.md
";
    const TESTS: &str = "
rule_files: [../rules/a.yml]
tests:
  - alert_rule_test:
      - { eval_time: 1m, alertname: ServiceDown, exp_alerts: [] }
      - { eval_time: 5m, alertname: ServiceDown, exp_alerts: [{ exp_labels: { severity: critical } }] }
      - { eval_time: 1h, alertname: ServiceDown, exp_alerts: [] }
";

    fn rule(change: (&str, &str)) -> Rule {
        assert!(RULES.contains(change.0));
        read("rules/a.yml", &RULES.replace(change.0, change.1)).unwrap().remove(0)
    }

    #[test]
    fn names_of_runbooks() {
        assert_eq!(kebab("ServiceDown"), "service-down");
        assert_eq!(kebab("SLOMetricAbsent"), "slo-metric-absent");
        assert_eq!(kebab("OTelDropsSpans"), "o-tel-drops-spans");
    }

    #[test]
    fn alerts_that_say_too_little_are_found() {
        let said = |change| says_enough(&rule(change), |_| true).join("; ");
        assert_eq!(said(("up == 0", "up == 0")), "");
        assert!(said(("critical", "page")).contains("severity"));
        assert!(said(("critical", "none")).contains("severity"));
        assert!(said((", service: users", "")).contains("no service"));
        assert!(said(("summary: s", "x: s")).contains("no summary"));
        assert!(said(("description: d", "description: ''")).contains("no description"));
        assert!(said(("service-down.md", "service-up.md")).contains("not to docs/runbooks/service-down.md"));
        assert!(said(("runbook_url", "runbook")).contains("runbook_url is not"));
        assert_eq!(says_enough(&rule(("up", "up")), |_| false).len(), 1);
        assert!(read("a", "groups: []").is_err());
    }

    #[test]
    fn untested_alerts_are_found() {
        let said = |change: (&str, &str)| {
            assert!(TESTS.contains(change.0));
            let tests = read_tests("infra/tests/a.yml", &TESTS.replace(change.0, change.1)).unwrap();
            is_tested(&rule(("up", "up")), &[tests]).join("; ")
        };
        assert_eq!(said(("1h", "1h30m")), "");
        assert!(said(("severity: critical", "severity: warning")).contains("in which it fires"));
        assert!(said(("1h", "2m")).contains("then resolves"));
        assert!(said(("{ eval_time: 1h", "#")).contains("then resolves"));
        let read = read_tests("infra/tests/a.yml", TESTS).unwrap();
        assert!(read.rule_files.contains("infra/rules/a.yml"), "{read:?}");
        assert!(read_tests("a", &TESTS.replace("1h", "soon")).is_err());
    }

    #[test]
    fn groups_without_order_are_found() {
        let rules = "groups: [{ name: a, rules: [{ record: 'x:y', expr: up }] }, \
                     { name: b, rules: [{ alert: A, expr: 'x:y > 1' }, { alert: B, expr: 'x:y:z > 1' }] }]";
        let rules = super::read("r.yml", rules).unwrap();
        let said = |order: &str| {
            let tests = read_tests("t.yml", &format!("{TESTS}{order}")).unwrap();
            is_ordered(&tests, &rules)
        };
        assert!(said("group_eval_order: [a]").is_empty());
        assert!(said("group_eval_order: [a, b]").is_empty());
        assert_eq!(said("group_eval_order: [b, a]").len(), 1);
        assert_eq!(said("").len(), 1);
    }

    #[test]
    fn keys_are_taken_out() {
        let text = "a:\n  b: 1\n  # of c\n  c:\n    d: 2\n\n  e: 3\nc:\n  d: 4\n";
        assert_eq!(without(text, &["a.c"]), "a:\n  b: 1\n  # of c\n  e: 3\nc:\n  d: 4\n");
        assert_eq!(without(text, &["c", "a.b"]), "a:\n  # of c\n  c:\n    d: 2\n\n  e: 3\n");
    }

    #[test]
    fn receivers_that_nothing_reaches_are_found() {
        let table = "tests: [{ name: x, labels: { severity: critical }, receivers: [one] }]";
        let table = parse_yaml(table).unwrap();
        assert_eq!(
            routes(&table),
            [("x".to_owned(), vec!["severity=critical".to_owned()], "one".to_owned())]
        );
        let said = |text: &str| receivers(&parse_yaml(text).unwrap(), &table).join("; ");
        let url = "http://w:1/00000000-0000-0000-0000-000000000000/a";
        let good = format!(
            "receivers: [{{ name: one, webhook_configs: [{{ url: '{url}', send_resolved: true }}] }}]"
        );
        assert_eq!(said(&good), "");
        assert!(said(&good.replace("one", "two")).contains("no case"));
        assert!(said(&good.replace("true", "false")).contains("send_resolved"));
        assert!(said(&good.replace("0000-", "0001-")).contains("session"));
    }
}
