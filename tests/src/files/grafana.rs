//! Grafana: its data sources and the links between them. [`dashboards`] are a module of their own.

pub mod dashboards;

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Complaints, entries, items, texts};

/// Data sources that Grafana has by itself.
const BUILT_IN: &[&str] = &["grafana", "-- Grafana --", "-- Mixed --", "-- Dashboard --"];

/// Each data source that there has to be, with its type.
const SOURCES: &[(&str, &str)] = &[
    ("prometheus", "prometheus"),
    ("loki", "loki"),
    ("tempo", "tempo"),
    ("jaeger", "jaeger"),
    ("pyroscope", "grafana-pyroscope-datasource"),
    ("alertmanager", "alertmanager"),
];

/// The ways from one signal to another: what it is called, the data source that has it, where in its settings
/// (`*` is any entry of a list), and where it leads.
const LINKS: &[(&str, &str, &str, &str)] = &[
    ("metric exemplar to trace", "prometheus", "/exemplarTraceIdDestinations/*/datasourceUid", "tempo"),
    ("log to trace in Tempo", "loki", "/derivedFields/*/datasourceUid", "tempo"),
    ("log to trace in Jaeger", "loki", "/derivedFields/*/datasourceUid", "jaeger"),
    ("trace in Tempo to logs", "tempo", "/tracesToLogsV2/datasourceUid", "loki"),
    ("trace in Jaeger to logs", "jaeger", "/tracesToLogsV2/datasourceUid", "loki"),
    ("trace in Tempo to metrics", "tempo", "/tracesToMetrics/datasourceUid", "prometheus"),
    ("trace in Jaeger to metrics", "jaeger", "/tracesToMetrics/datasourceUid", "prometheus"),
    ("trace to profile", "tempo", "/tracesToProfiles/datasourceUid", "pyroscope"),
    ("service graph to traces", "tempo", "/serviceMap/datasourceUid", "prometheus"),
];

/// The data sources of provisioning files.
pub fn sources(files: &[Value]) -> Vec<Value> {
    files.iter().flat_map(|file| items(&file["datasources"])).cloned().collect()
}

/// Their uids.
pub fn uids(sources: &[Value]) -> BTreeSet<String> {
    sources.iter().filter_map(|source| source["uid"].as_str()).map(str::to_owned).collect()
}

/// Whether a uid is that of a data source, or of one that Grafana has by itself.
pub fn is_source(uid: &str, known: &BTreeSet<String>) -> bool {
    known.contains(uid) || BUILT_IN.contains(&uid)
}

/// The data sources that there have to be are there, each once.
pub fn present(sources: &[Value]) -> Complaints {
    let mut complaints = Vec::new();
    let mut seen = BTreeSet::new();
    let mut names = BTreeSet::new();
    for source in sources {
        let uid = source["uid"].as_str().unwrap_or_default();
        if uid.is_empty() {
            complaints.push(format!("{}: no uid", source["name"]));
        } else if !seen.insert(uid) {
            complaints.push(format!("{uid}: given twice"));
        }
        if !names.insert(source["name"].as_str().unwrap_or_default()) {
            complaints.push(format!("{uid}: another data source is called {}, too", source["name"]));
        }
        if source["access"] != "proxy" {
            complaints
                .push(format!("{uid}: access is {}, and a browser does not know its host", source["access"]));
        }
    }
    for (uid, kind) in SOURCES {
        match sources.iter().find(|source| source["uid"] == *uid) {
            None => complaints.push(format!("{uid}: there is no such data source")),
            Some(source) if source["type"] != *kind => {
                complaints.push(format!("{uid}: its type is {}", source["type"]));
            }
            Some(_) => {}
        }
    }
    let defaults = sources.iter().filter(|source| source["isDefault"] == true).count();
    if defaults != 1 {
        complaints.push(format!("{defaults} data sources are the default"));
    }
    complaints
}

/// Every link between signals is there.
pub fn links(sources: &[Value]) -> Complaints {
    let mut complaints = Vec::new();
    for (what, from, place, to) in LINKS {
        let source = sources.iter().find(|source| source["uid"] == *from);
        let led: Vec<&str> =
            source.map_or_else(Vec::new, |source| at(&source["jsonData"], place)).into_iter().collect();
        if !led.contains(to) {
            complaints.push(format!("{what}: {from}'s {place} leads to {led:?}, not to {to}"));
        }
    }
    let correlated = |from: &str, to: &str| {
        let source = sources.iter().find(|source| source["uid"] == from);
        source.is_some_and(|source| {
            // A field that leads to a dashboard shows that dashboard's metrics.
            let leads_to_dashboard = |field: &Value| {
                field["datasourceUid"].is_null()
                    && field["url"].as_str().is_some_and(|url| url.starts_with("/d/"))
            };
            items(&source["correlations"]).iter().any(|link| link["targetUID"] == to)
                || items(&source["jsonData"]["derivedFields"]).iter().any(leads_to_dashboard)
        })
    };
    if !correlated("loki", "prometheus") {
        complaints.push(
            "log to metrics: loki has no correlation with prometheus and no field that leads to a dashboard"
                .to_owned(),
        );
    }
    complaints
}

/// Texts at a place with `*` for any entry of a list.
fn at<'a>(value: &'a Value, place: &str) -> Vec<&'a str> {
    let mut found = vec![value];
    for part in place.split('/').skip(1) {
        found = found
            .into_iter()
            .flat_map(|value| match part {
                "*" => items(value).iter().collect::<Vec<_>>(),
                key => vec![&value[key]],
            })
            .collect();
    }
    found.into_iter().filter_map(Value::as_str).collect()
}

/// Every uid that a data source's links name is that of a data source, and every dashboard that they name is there.
pub fn targets(sources: &[Value], dashboards: &BTreeSet<String>) -> Complaints {
    let known = uids(sources);
    let mut complaints = Vec::new();
    for source in sources {
        let own = source["uid"].as_str().unwrap_or_default();
        for (place, text) in texts(source) {
            let key = place.rsplit('/').next().unwrap_or_default();
            if matches!(key, "datasourceUid" | "targetUID" | "sourceUID" | "alertmanagerUid")
                && !is_source(&text, &known)
            {
                complaints.push(format!("{own}{place}: there is no data source {text}"));
            }
            complaints.extend(
                unknown_dashboards(&text, dashboards)
                    .map(|uid| format!("{own}{place}: there is no dashboard {uid}")),
            );
        }
    }
    complaints
}

/// The dashboards that links in a text lead to (`/d/<uid>`) and that are not there.
pub fn unknown_dashboards(text: &str, dashboards: &BTreeSet<String>) -> impl Iterator<Item = String> {
    let mut unknown = Vec::new();
    for (at, _) in text.match_indices("/d/") {
        // `…/blob/main/d/x` is no link of Grafana's.
        let before = &text[..at];
        let is_link =
            before.is_empty() || before.ends_with(":3000") || before.ends_with(['"', '(', ' ', '}']);
        let uid: String = text[at + 3..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            .collect();
        if is_link && !uid.is_empty() && !dashboards.contains(&uid) {
            unknown.push(uid);
        }
    }
    unknown.into_iter()
}

/// The dashboards' provider reads the folder that the compose file mounts the dashboards at.
pub fn provider(files: &[Value], mounted_at: &str) -> Complaints {
    let mut complaints = Vec::new();
    let providers: Vec<&Value> = files.iter().flat_map(|file| items(&file["providers"])).collect();
    if providers.is_empty() {
        complaints.push("no provider of dashboards".to_owned());
    }
    for provider in providers {
        let path = provider["options"]["path"].as_str().unwrap_or_default();
        if path.trim_end_matches('/') != mounted_at.trim_end_matches('/') {
            complaints.push(format!("the provider reads {path}, and the dashboards are at {mounted_at}"));
        }
    }
    complaints
}

/// The keys of a data source that Grafana knows; another one would be taken in silence.
pub fn keys(sources: &[Value]) -> Complaints {
    const KNOWN: &[&str] = &[
        "name",
        "uid",
        "type",
        "access",
        "url",
        "isDefault",
        "jsonData",
        "secureJsonData",
        "editable",
        "orgId",
        "version",
        "correlations",
        "basicAuth",
        "database",
        "user",
        "withCredentials",
    ];
    let mut complaints = Vec::new();
    for source in sources {
        for (key, _) in entries(source).filter(|(key, _)| !KNOWN.contains(key)) {
            complaints.push(format!("{}: Grafana does not know the key {key}", source["uid"]));
        }
        for obsolete in ["tracesToLogs", "lokiSearch"] {
            if !source["jsonData"][obsolete].is_null() {
                complaints.push(format!("{}: {obsolete} is obsolete", source["uid"]));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn good() -> Value {
        json!([
            { "name": "P", "uid": "prometheus", "type": "prometheus", "access": "proxy", "isDefault": true,
              "jsonData": { "exemplarTraceIdDestinations": [{ "datasourceUid": "tempo" }] } },
            { "name": "L", "uid": "loki", "type": "loki", "access": "proxy",
              "jsonData": { "derivedFields": [{ "datasourceUid": "tempo" }, { "datasourceUid": "jaeger" }] },
              "correlations": [{ "targetUID": "prometheus" }] },
            { "name": "T", "uid": "tempo", "type": "tempo", "access": "proxy", "jsonData": {
              "tracesToLogsV2": { "datasourceUid": "loki" }, "tracesToMetrics": { "datasourceUid": "prometheus" },
              "tracesToProfiles": { "datasourceUid": "pyroscope" }, "serviceMap": { "datasourceUid": "prometheus" } } },
            { "name": "J", "uid": "jaeger", "type": "jaeger", "access": "proxy", "jsonData": {
              "tracesToLogsV2": { "datasourceUid": "loki" }, "tracesToMetrics": { "datasourceUid": "prometheus" } } },
            { "name": "Y", "uid": "pyroscope", "type": "grafana-pyroscope-datasource", "access": "proxy" },
            { "name": "A", "uid": "alertmanager", "type": "alertmanager", "access": "proxy" },
        ])
    }

    fn all(change: (&str, &str)) -> String {
        let text = good().to_string();
        assert!(text.contains(change.0), "{change:?} {text}");
        let changed: Value = serde_json::from_str(&text.replacen(change.0, change.1, 1)).unwrap();
        let sources = items(&changed);
        let mut complaints = present(sources);
        complaints.extend(links(sources));
        complaints.extend(targets(sources, &set(&["known"])));
        complaints.extend(keys(sources));
        complaints.join("; ")
    }

    #[test]
    fn good_sources_are_not_complained_about() {
        assert_eq!(all(("\"A\"", "\"Alerts\"")), "");
    }

    #[test]
    fn faults_are_found() {
        for (change, fault) in [
            (("\"uid\":\"loki\"", "\"uid\":\"logs\""), "loki: there is no such data source"),
            (("\"uid\":\"loki\"", "\"uid\":\"tempo\""), "given twice"),
            (("\"name\":\"L\"", "\"name\":\"T\""), "another data source"),
            (("\"type\":\"loki\"", "\"type\":\"lokis\""), "its type"),
            (("\"access\":\"proxy\"", "\"access\":\"direct\""), "access"),
            (("\"isDefault\":true,", ""), "default"),
            (("\"datasourceUid\":\"jaeger\"", "\"datasourceUid\":\"tempo\""), "log to trace in Jaeger"),
            (("\"targetUID\":\"prometheus\"", "\"targetUID\":\"prom\""), "log to metrics"),
            (("\"targetUID\":\"prometheus\"", "\"targetUID\":\"prom\""), "no data source prom"),
            (("\"name\":\"L\"", "\"name\":\"L\",\"json\":1"), "does not know the key json"),
            (("tracesToLogsV2", "tracesToLogs"), "obsolete"),
            (("\"name\":\"L\"", "\"name\":\"see /d/other\""), "no dashboard other"),
        ] {
            let complaints = all(change);
            assert!(complaints.contains(fault), "{change:?}: {complaints}");
        }
    }

    #[test]
    fn links_to_dashboards_are_found() {
        let known = set(&["known"]);
        let unknown = |text: &str| unknown_dashboards(text, &known).collect::<Vec<_>>();
        assert!(unknown("/d/known?var=1 https://grafana.com/d/x").is_empty());
        assert_eq!(unknown("http://localhost:3000/d/gone/slug"), ["gone"]);
    }

    #[test]
    fn a_provider_elsewhere_is_found() {
        let file = json!({ "providers": [{ "options": { "path": "/a" } }] });
        assert!(provider(std::slice::from_ref(&file), "/a/").is_empty());
        assert_eq!(provider(&[file], "/b").len(), 1);
        assert_eq!(provider(&[], "/b").len(), 1);
    }
}
