use serde_json::json;

use super::*;

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn good() -> Value {
    json!({
        "uid": "mirante-a", "title": "A", "schemaVersion": 41,
        "templating": { "list": [{ "name": "service", "type": "query" }] },
        "panels": [
            { "id": 1, "type": "stat", "title": "One", "description": "d", "datasource": { "uid": "prometheus" },
              "gridPos": { "x": 0, "y": 0, "w": 12, "h": 4 },
              "targets": [{ "refId": "A", "expr": "up{job=\"$service\"}[$__range]" }] },
            { "id": 2, "type": "row", "title": "Two", "gridPos": { "x": 0, "y": 4, "w": 24, "h": 1 }, "panels": [
                { "id": 3, "type": "text", "title": "Three", "description": "d",
                  "gridPos": { "x": 12, "y": 0, "w": 12, "h": 4 }, "link": "/d/mirante-a?var-x=${service}" } ] },
        ],
    })
}

fn all(change: (&str, &str)) -> String {
    let text = good().to_string();
    assert!(text.contains(change.0), "{change:?} {text}");
    let dashboard: Value = serde_json::from_str(&text.replacen(change.0, change.1, 1)).unwrap();
    let mut complaints = layout(&dashboard);
    complaints.extend(references(&dashboard, &set(&["prometheus"]), &set(&["mirante-a"])));
    complaints.extend(variables(&dashboard));
    complaints.extend(identities(&BTreeMap::from([("a".to_owned(), dashboard)])));
    complaints.join("; ")
}

#[test]
fn a_good_dashboard_is_not_complained_about() {
    assert_eq!(all(("\"One\"", "\"Uno\"")), "");
}

#[test]
fn faults_are_found() {
    for (change, fault) in [
        (("\"id\":2", "\"id\":1"), "another panel's"),
        (("\"stat\"", "\"grafana-polystat-panel\""), "no panel of Grafana's own"),
        (("\"One\"", "\"\""), "no title"),
        (("\"description\":\"d\"", "\"description\":\" \""), "no description"),
        (("{\"uid\":\"prometheus\"}", "null"), "no data source"),
        (("\"uid\":\"prometheus\"", "\"uid\":\"prom\""), "no data source prom"),
        (("{\"uid\":\"prometheus\"}", "\"Prometheus\""), "no data source Prometheus"),
        (("\"refId\":\"A\"", "\"ref\":\"A\""), "letter"),
        (("\"targets\"", "\"target\""), "asks nothing"),
        (("\"x\":12", "\"x\":11"), "lie on each other"),
        (("\"x\":12", "\"x\":13"), "does not fit"),
        (("\"gridPos\"", "\"grid\""), "no gridPos"),
        (("/d/mirante-a", "/d/mirante-b"), "no dashboard mirante-b"),
        (("=\\\"$service", "=\\\"$svc"), "$svc is no variable"),
        (("\"name\":\"service\"", "\"name\":\"route\""), "$route is declared and not used"),
        (("\"uid\":\"mirante-a\"", "\"uid\":\"a\""), "its uid"),
        (("\"title\":\"A\"", "\"title\":\"\""), "its title"),
        (("\"schemaVersion\":41", "\"schemaVersion\":16"), "schemaVersion"),
        (("\"schemaVersion\":41", "\"schemaVersion\":41,\"id\":7"), "an id"),
    ] {
        let complaints = all(change);
        assert!(complaints.contains(fault), "{change:?}: {complaints}");
    }
}

#[test]
fn questions_that_are_not_asked_are_found() {
    let panels: Vec<Value> =
        QUESTIONS.iter().map(|title| json!({ "title": title.replace(" X ", " a request ") })).collect();
    assert!(questions(&json!({ "panels": panels })).is_empty());
    assert_eq!(questions(&json!({ "panels": panels[1..] })).len(), 1);
}

#[test]
fn another_layout_is_found() {
    let text = "{\n  \"a\": [\n    1,\n    \"x, \\\"{y\"\n  ],\n  \"b\": {}\n}\n";
    assert_eq!(formatted(text), text);
    assert_eq!(formatted(r#"{"a":[1,"x, \"{y"],"b":{ }}"#), text);
    assert!(layout_of_text(text).is_empty());
    assert_eq!(layout_of_text(&text.replace("    1", "   1")).len(), 1);
    assert_eq!(layout_of_text(text.trim_end()).len(), 1);
}
