//! Every query in every file: of dashboards, of data sources' links, of rules and of objectives.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::grafana::dashboards::panels;
use super::{Complaints, items, pattern, texts};

/// In what a query is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Language {
    /// Prometheus.
    PromQl,
    /// Loki.
    LogQl,
    /// Tempo.
    TraceQl,
}

/// A query, as it is written in its file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expression {
    /// In what it is written.
    pub language: Language,
    /// With Grafana's variables in it.
    pub text: String,
    /// File, and what of it.
    pub place: String,
}

impl Expression {
    fn new(language: Language, text: &str, place: String) -> Self {
        Self { language, text: text.trim().to_owned(), place }
    }
}

/// The queries of a dashboard: its panels', its variables' and its annotations'.
pub fn of_dashboard(path: &str, dashboard: &Value) -> Vec<Expression> {
    let mut found = Vec::new();
    for panel in panels(dashboard) {
        let title = panel["title"].as_str().unwrap_or_default();
        for target in items(&panel["targets"]) {
            let source = target["datasource"]["uid"].as_str().or(panel["datasource"]["uid"].as_str());
            let place = format!("{path}: {title}: {}", target["refId"].as_str().unwrap_or_default());
            found.extend(of_target(source.unwrap_or_default(), target, place));
        }
    }
    for variable in items(&dashboard["templating"]["list"]) {
        let place = format!("{path}: ${}", variable["name"].as_str().unwrap_or_default());
        let source = variable["datasource"]["uid"].as_str().unwrap_or_default();
        let query = variable["query"]["query"].as_str().or(variable["query"].as_str()).unwrap_or_default();
        if source == "prometheus" && variable["type"] == "query" {
            found.extend(
                of_variable(query).map(|text| Expression::new(Language::PromQl, text, place.clone())),
            );
        }
        if source == "loki"
            && let Some(stream) = variable["query"]["stream"].as_str().filter(|stream| !stream.is_empty())
        {
            found.push(Expression::new(Language::LogQl, stream, place));
        }
    }
    for annotation in items(&dashboard["annotations"]["list"]) {
        let place = format!("{path}: annotation {}", annotation["name"].as_str().unwrap_or_default());
        let source = annotation["datasource"]["uid"].as_str().unwrap_or_default();
        let target = if annotation["target"].is_object() { &annotation["target"] } else { annotation };
        found.extend(of_target(source, target, place));
    }
    // Links to Explore carry whole queries as JSON within a text.
    for (place, text) in texts(dashboard) {
        if text.contains("/explore?") {
            found.extend(of_link(&text).into_iter().map(|mut expression| {
                expression.place = format!("{path}{place}");
                expression
            }));
        }
    }
    found
}

/// The query of a panel, by the data source that it goes to.
fn of_target(source: &str, target: &Value, place: String) -> Option<Expression> {
    let (language, key) = match source {
        "prometheus" => (Language::PromQl, "expr"),
        "loki" => (Language::LogQl, "expr"),
        // The service map asks Prometheus by itself, and a search by form has no query.
        "tempo" if target["queryType"] != "serviceMap" => (Language::TraceQl, "query"),
        _ => return None,
    };
    let text = target[key].as_str().filter(|text| !text.trim().is_empty())?;
    // One trace by its id is no TraceQL.
    let is_id = language == Language::TraceQl && !text.contains('{');
    (!is_id).then(|| Expression::new(language, text, place))
}

/// What is PromQL in the query of a variable.
fn of_variable(query: &str) -> Option<&str> {
    let inside = |name: &str| query.trim().strip_prefix(name)?.trim().strip_prefix('(')?.strip_suffix(')');
    if let Some(inside) = inside("label_values") {
        // `label_values(label)` alone asks for no metric.
        return inside.rsplit_once(',').map(|(selector, _)| selector.trim());
    }
    inside("query_result")
}

/// The queries in a link to Explore: `"expr":"…"` and `"query":"…"` within its JSON.
fn of_link(link: &str) -> Vec<Expression> {
    static QUERY: LazyLock<Regex> = LazyLock::new(|| pattern(r#""(expr|query)":"((?:[^"\\]|\\.)*)""#));
    let link = decoded(link);
    let language = |at: &str| {
        let source = at.rsplit("\"datasource\":").next().unwrap_or_default();
        if source.contains("loki") { Language::LogQl } else { Language::PromQl }
    };
    QUERY
        .captures_iter(&link)
        .filter_map(|captures| {
            let text: String = serde_json::from_str(&format!("\"{}\"", &captures[2])).ok()?;
            let before = &link[..captures.get(0)?.start()];
            let language = if &captures[1] == "query" { Language::TraceQl } else { language(before) };
            (!text.trim().is_empty()).then(|| Expression::new(language, &text, String::new()))
        })
        .filter(|found| found.language != Language::TraceQl || found.text.contains('{'))
        .collect()
}

/// Percent signs decoded.
fn decoded(link: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = link.as_bytes();
    while let [first, after @ ..] = rest {
        let number = || u8::from_str_radix(std::str::from_utf8(after.get(..2)?).ok()?, 16).ok();
        if let (b'%', Some(byte)) = (first, number()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The queries of data sources' links and correlations.
pub fn of_sources(path: &str, sources: &[Value]) -> Vec<Expression> {
    let mut found = Vec::new();
    for source in sources {
        let uid = source["uid"].as_str().unwrap_or_default();
        let data = &source["jsonData"];
        for query in items(&data["tracesToMetrics"]["queries"]) {
            if let Some(text) = query["query"].as_str() {
                let place = format!("{path}: {uid}: trace to metrics: {}", query["name"]);
                found.push(Expression::new(Language::PromQl, text, place));
            }
        }
        if let Some(text) = data["tracesToLogsV2"]["query"].as_str() {
            found.push(Expression::new(Language::LogQl, text, format!("{path}: {uid}: trace to logs")));
        }
        for link in items(&source["correlations"]) {
            let place = format!("{path}: {uid}: correlation {}", link["label"]);
            let target = link["targetUID"].as_str().unwrap_or_default();
            found.extend(of_target(target, &link["config"]["target"], place));
        }
        for field in items(&data["derivedFields"]) {
            let leads = field["datasourceUid"].as_str().unwrap_or_default();
            let place = format!("{path}: {uid}: derived field {}", field["name"]);
            // With a data source the link's text is its query.
            let language = match leads {
                "prometheus" => Language::PromQl,
                "loki" => Language::LogQl,
                _ => continue,
            };
            if let Some(text) = field["url"].as_str() {
                found.push(Expression::new(language, text, place));
            }
        }
    }
    found
}

/// A query with something in the place of each of Grafana's variables, so that a parser takes it.
pub fn filled_in(text: &str) -> String {
    static DURATION: LazyLock<Regex> = LazyLock::new(|| {
        // Where a duration has to be: `[$__range:$interval]` and `offset $x`.
        pattern(r"(?P<before>[\[:]\s*|offset\s+-?)\$\{?\w+(?::\w+)?\}?")
    });
    static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r"\$\{([A-Za-z_][\w.]*)(?::[^}]*)?\}|\$([A-Za-z_]\w*)|\[\[([A-Za-z_]\w*)(?::\w+)?\]\]")
    });
    // In provisioning files a dollar is written twice.
    let text = text.replace("$$", "$");
    let text = DURATION.replace_all(&text, "${before}5m");
    VARIABLE
        .replace_all(&text, |captures: &regex::Captures<'_>| {
            let name = (1..=3).find_map(|at| captures.get(at)).map_or("", |name| name.as_str());
            match name {
                "__tags" => "service_name=\"x\"",
                "__interval" | "__rate_interval" | "__range" => "5m",
                name if name.starts_with("__") => "300",
                _ => "x",
            }
            .to_owned()
        })
        .into_owned()
}

/// PromQL as a rule file, for a parser that takes no bare expressions: a group with a rule for each.
pub fn as_rules(expressions: &[&Expression]) -> String {
    let mut file = "groups:\n  - name: expressions\n    rules:\n".to_owned();
    for (at, expression) in expressions.iter().enumerate() {
        // JSON's texts are YAML's too.
        let text = Value::String(filled_in(&expression.text));
        let _ = writeln!(file, "      - record: checked:{at}\n        expr: {text}");
    }
    file
}

/// What promtool said of [`as_rules`], in terms of where the expressions are.
pub fn from_promtool(said: &str, expressions: &[&Expression]) -> Complaints {
    static RULE: LazyLock<Regex> = LazyLock::new(|| pattern(r#"rule (\d+), "checked:\d+""#));
    let mut complaints = Vec::new();
    for line in said.lines() {
        let of_rule = RULE.captures(line).and_then(|captures| captures[1].parse::<usize>().ok());
        let expression = of_rule.and_then(|number| expressions.get(number.checked_sub(1)?));
        match expression {
            Some(expression) => {
                complaints.push(format!("{}: {}: {line}", expression.place, expression.text));
            }
            None if line.contains("error") || line.contains("FAILED") => complaints.push(line.to_owned()),
            None => {}
        }
    }
    complaints
}

/// Queries that a reader has checked, by language, held against those that there are: both ways.
pub fn against_list(found: &[Expression], checked: &BTreeMap<Language, BTreeSet<String>>) -> Complaints {
    let mut complaints = Vec::new();
    for language in [Language::LogQl, Language::TraceQl] {
        let none = BTreeSet::new();
        let checked = checked.get(&language).unwrap_or(&none);
        let of_language: Vec<&Expression> =
            found.iter().filter(|expression| expression.language == language).collect();
        for expression in &of_language {
            if !checked.contains(&expression.text) {
                complaints.push(format!("{}: nobody has checked {}", expression.place, expression.text));
            }
        }
        for text in checked {
            if !of_language.iter().any(|expression| expression.text == *text) {
                complaints.push(format!("the list has {text}, which is used nowhere"));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn variables_are_filled_in() {
        for (text, filled) in [
            ("rate(a[$__rate_interval])", "rate(a[5m])"),
            ("increase(a[${__range}])", "increase(a[5m])"),
            ("max_over_time(a[$__range:$step])", "max_over_time(a[5m:5m])"),
            ("a{job=\"$job\",b=~\"${b:regex}\"} offset $shift", "a{job=\"x\",b=~\"x\"} offset 5m"),
            ("a / $__range_s", "a / 300"),
            ("rate(a{$$__tags}[5m])", "rate(a{service_name=\"x\"}[5m])"),
            (
                "label_replace(a, \"b\", \"$1\", \"c\", \"(.*)\")",
                "label_replace(a, \"b\", \"$1\", \"c\", \"(.*)\")",
            ),
            ("{a=\"[[b]]\"}", "{a=\"x\"}"),
            ("job:a:rate5m", "job:a:rate5m"),
        ] {
            assert_eq!(filled_in(text), filled);
        }
    }

    #[test]
    fn queries_of_a_dashboard_are_found() {
        let dashboard = json!({
            "panels": [
                { "title": "p", "datasource": { "uid": "prometheus" }, "targets": [
                    { "refId": "A", "expr": "up" },
                    { "refId": "B", "expr": "{a=\"b\"}", "datasource": { "uid": "loki" } } ],
                  "links": [{ "url": "/explore?left=%7B\"datasource\":\"loki\",\"expr\":\"%7Bc=\\\"d\\\"%7D\"%7D" }] },
                { "title": "t", "datasource": { "uid": "tempo" }, "targets": [
                    { "refId": "A", "queryType": "traceql", "query": "{ status = error }" },
                    { "refId": "B", "queryType": "serviceMap", "query": "{}" } ] },
            ],
            "templating": { "list": [
                { "name": "s", "type": "query", "datasource": { "uid": "prometheus" },
                  "query": { "query": "label_values(up{a=\"b\"}, job)" } } ] },
            "annotations": { "list": [{ "name": "n", "datasource": { "uid": "prometheus" }, "expr": "ALERTS" }] },
        });
        let found = of_dashboard("d.json", &dashboard);
        let shown: Vec<(Language, &str)> =
            found.iter().map(|expression| (expression.language, expression.text.as_str())).collect();
        assert_eq!(
            shown,
            [
                (Language::PromQl, "up"),
                (Language::LogQl, "{a=\"b\"}"),
                (Language::TraceQl, "{ status = error }"),
                (Language::PromQl, "up{a=\"b\"}"),
                (Language::PromQl, "ALERTS"),
                (Language::LogQl, "{c=\"d\"}"),
            ]
        );
        assert_eq!(found[1].place, "d.json: p: B");
    }

    #[test]
    fn promtools_words_are_led_back() {
        let one = Expression::new(Language::PromQl, "up", "one".to_owned());
        let two = Expression::new(Language::PromQl, "sum(", "two".to_owned());
        let expressions = [&one, &two];
        assert!(as_rules(&expressions).contains("record: checked:1\n        expr: \"sum(\""));
        let said = "f.yml: 7:15: group \"expressions\", rule 2, \"checked:1\": could not parse expression";
        let complaints = from_promtool(said, &expressions);
        assert!(complaints.len() == 1 && complaints[0].starts_with("two: sum(: "), "{complaints:?}");
        assert_eq!(from_promtool("error: no such file", &expressions).len(), 1);
    }

    #[test]
    fn the_list_is_held_both_ways() {
        let found = [Expression::new(Language::LogQl, "{a=\"b\"}", "x".to_owned())];
        let list = |text: &str| BTreeMap::from([(Language::LogQl, BTreeSet::from([text.to_owned()]))]);
        assert!(against_list(&found, &list("{a=\"b\"}")).is_empty());
        assert_eq!(against_list(&found, &list("{a=\"c\"}")).len(), 2);
    }
}
