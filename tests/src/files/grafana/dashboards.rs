//! Dashboards: whether Grafana shows them as they are meant, and whether they say what they show.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::{is_source, unknown_dashboards};
use crate::files::{Complaints, items, pattern, texts};

/// Panels that come with Grafana.
const CORE: &[&str] = &[
    "alertlist",
    "annolist",
    "barchart",
    "bargauge",
    "candlestick",
    "dashlist",
    "flamegraph",
    "gauge",
    "geomap",
    "heatmap",
    "histogram",
    "logs",
    "nodeGraph",
    "piechart",
    "row",
    "stat",
    "state-timeline",
    "status-history",
    "table",
    "text",
    "timeseries",
    "traces",
    "trend",
    "xychart",
];

/// Panels that ask nothing, and so need no data source.
const WITHOUT_SOURCE: &[&str] = &["row", "text", "dashlist"];

/// Names that Grafana itself puts in for `$name`.
const BUILT_IN: &[&str] = &["timeFilter", "datasource", "org", "user", "tag", "value"];

/// Columns of Grafana's grid.
const COLUMNS: u64 = 24;

/// The questions that the dashboard of that name answers, a panel each. `X` stands for what it is about.
pub const QUESTIONS: &[&str] = &[
    "Is the application working?",
    "How many requests today, yesterday, this week?",
    "When do people use it most?",
    "Did it fail at any moment?",
    "Is there a very large latency?",
    "How long does X take on average?",
    "Which user or client consumes most?",
    "How often does the communication between the services fail?",
    "How much longer does the double network hop take?",
    "Which application fails most?",
    "Is there a fallback when albums does not answer, and how often is it used?",
    "How many requests reach albums of those that reach users?",
    "How many failures in users come from albums?",
    "Whose fault is an error?",
];

/// All panels of a dashboard, those within rows as well.
pub fn panels(dashboard: &Value) -> Vec<&Value> {
    let outer = items(&dashboard["panels"]);
    outer.iter().flat_map(|panel| std::iter::once(panel).chain(items(&panel["panels"]))).collect()
}

fn name(panel: &Value) -> String {
    format!("panel {} {:?}", panel["id"], panel["title"].as_str().unwrap_or_default())
}

/// A dashboard's panels have a number of their own, a title, a description, a data source, a type that Grafana has,
/// queries of different letters, and a place that no other takes.
pub fn layout(dashboard: &Value) -> Complaints {
    let mut complaints = Vec::new();
    let panels = panels(dashboard);
    if panels.iter().all(|panel| panel["type"] == "row") {
        complaints.push("no panels".to_owned());
    }
    let mut ids = BTreeSet::new();
    for panel in &panels {
        let name = name(panel);
        let kind = panel["type"].as_str().unwrap_or_default();
        if !panel["id"].as_u64().is_some_and(|id| id > 0 && ids.insert(id)) {
            complaints.push(format!("{name}: its id is another panel's, or no number"));
        }
        if !CORE.contains(&kind) {
            complaints.push(format!("{name}: {kind:?} is no panel of Grafana's own"));
        }
        if panel["title"].as_str().is_none_or(str::is_empty) {
            complaints.push(format!("{name}: no title"));
        }
        if kind != "row" && panel["description"].as_str().is_none_or(|text| text.trim().is_empty()) {
            complaints.push(format!("{name}: no description"));
        }
        if !WITHOUT_SOURCE.contains(&kind) {
            if panel["datasource"]["uid"].as_str().is_none_or(str::is_empty) {
                complaints.push(format!("{name}: no data source"));
            }
            let targets = items(&panel["targets"]);
            if targets.is_empty() && !matches!(kind, "alertlist" | "annolist") {
                complaints.push(format!("{name}: it asks nothing"));
            }
            let letters: BTreeSet<&str> =
                targets.iter().filter_map(|target| target["refId"].as_str()).collect();
            if letters.len() != targets.len() {
                complaints.push(format!("{name}: two queries of one letter, or one without"));
            }
        }
        complaints.extend(place(panel).err().map(|error| format!("{name}: {error}")));
    }
    let placed: Vec<(&Value, [u64; 4])> =
        panels.iter().filter_map(|panel| Some((*panel, place(panel).ok()?))).collect();
    for (at, (one, a)) in placed.iter().enumerate() {
        for (other, b) in &placed[at + 1..] {
            if a[0] < b[0] + b[2] && b[0] < a[0] + a[2] && a[1] < b[1] + b[3] && b[1] < a[1] + a[3] {
                complaints.push(format!("{} and {} lie on each other", name(one), name(other)));
            }
        }
    }
    complaints
}

/// x, y, width, height.
fn place(panel: &Value) -> Result<[u64; 4], String> {
    let grid = &panel["gridPos"];
    let of = |key: &str| grid[key].as_u64().ok_or_else(|| format!("no gridPos.{key}"));
    let place = [of("x")?, of("y")?, of("w")?, of("h")?];
    if place[2] == 0 || place[3] == 0 || place[0] + place[2] > COLUMNS {
        return Err(format!("its place {grid} does not fit into {COLUMNS} columns"));
    }
    Ok(place)
}

/// Data sources and dashboards that are named are there.
pub fn references(
    dashboard: &Value,
    sources: &BTreeSet<String>,
    dashboards: &BTreeSet<String>,
) -> Complaints {
    let mut complaints = Vec::new();
    let own: BTreeSet<String> = items(&dashboard["templating"]["list"])
        .iter()
        .filter(|variable| variable["type"] == "datasource")
        .filter_map(|variable| variable["name"].as_str())
        .flat_map(|name| [format!("${name}"), format!("${{{name}}}")])
        .collect();
    for (place, text) in texts(dashboard) {
        let is_uid = place.ends_with("/datasource/uid") || place.ends_with("/datasourceUid");
        // A data source by name instead of by uid.
        let is_name = place.ends_with("/datasource");
        if (is_uid || is_name) && !own.contains(&text) && !is_source(&text, sources) {
            complaints.push(format!("{place}: there is no data source {text}"));
        }
        complaints.extend(
            unknown_dashboards(&text, dashboards).map(|uid| format!("{place}: there is no dashboard {uid}")),
        );
    }
    complaints
}

/// Variables that are used are declared, and those that are declared are used.
pub fn variables(dashboard: &Value) -> Complaints {
    static VARIABLE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\$\{?([A-Za-z_]\w*)|\[\[([A-Za-z_]\w*)"));
    let list = items(&dashboard["templating"]["list"]);
    let declared: BTreeSet<&str> = list.iter().filter_map(|variable| variable["name"].as_str()).collect();
    let mut complaints = Vec::new();
    let mut used = BTreeSet::new();
    for (place, text) in texts(dashboard) {
        for captures in VARIABLE.captures_iter(&text) {
            let name = captures.get(1).or(captures.get(2)).map_or("", |name| name.as_str());
            // `var-service=${service}` in a link hands it on.
            if name.starts_with("__") || BUILT_IN.contains(&name) {
                continue;
            }
            used.insert(name.to_owned());
            if !declared.contains(name) {
                complaints.push(format!("{place}: ${name} is no variable of this dashboard"));
            }
        }
    }
    // What is filtered by hand needs no name in a query.
    let needs_use = |variable: &&Value| !matches!(variable["type"].as_str(), Some("adhoc" | "textbox"));
    for variable in list.iter().filter(needs_use).filter_map(|variable| variable["name"].as_str()) {
        if !used.contains(variable) {
            complaints.push(format!("${variable} is declared and not used"));
        }
    }
    complaints
}

/// What is unique among dashboards is: uid, title, and in that each its uid is that of its file.
pub fn identities(dashboards: &BTreeMap<String, Value>) -> Complaints {
    let mut complaints = Vec::new();
    let (mut uids, mut titles) = (BTreeSet::new(), BTreeSet::new());
    for (stem, dashboard) in dashboards {
        let uid = dashboard["uid"].as_str().unwrap_or_default();
        if uid != format!("mirante-{stem}") {
            complaints.push(format!("{stem}.json: its uid is {uid:?}"));
        }
        if !uids.insert(uid) {
            complaints.push(format!("{stem}.json: {uid} is another's uid too"));
        }
        let title = dashboard["title"].as_str().unwrap_or_default();
        if title.is_empty() || !titles.insert(title) {
            complaints.push(format!("{stem}.json: its title {title:?} is none of its own"));
        }
        if !dashboard["id"].is_null() {
            complaints.push(format!("{stem}.json: an id, which belongs to one database"));
        }
        if dashboard["schemaVersion"].as_u64().is_none_or(|version| version < 36) {
            complaints.push(format!("{stem}.json: schemaVersion {}", dashboard["schemaVersion"]));
        }
    }
    complaints
}

/// Every question is a panel's title, and no panel asks it twice.
pub fn questions(dashboard: &Value) -> Complaints {
    let titles: Vec<&str> = panels(dashboard).iter().filter_map(|panel| panel["title"].as_str()).collect();
    let mut complaints = Vec::new();
    for question in QUESTIONS {
        let asks = |title: &&&str| match question.split_once(" X ") {
            Some((before, after)) => {
                let rest = title.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                rest.is_some_and(|about| about.len() > 2 && about.starts_with(' ') && about.ends_with(' '))
            }
            None => **title == *question,
        };
        if titles.iter().filter(asks).count() != 1 {
            complaints.push(format!("{question:?} is not the title of one panel"));
        }
    }
    complaints
}

/// A JSON text as it should be laid out: two spaces a level, a line each, a line's end at its end. The order of keys and the
/// spelling of texts and numbers stay.
pub fn formatted(text: &str) -> String {
    fn line(whole: &mut String, depth: usize) {
        whole.push('\n');
        whole.extend(std::iter::repeat_n("  ", depth));
    }
    let mut whole = String::new();
    let mut depth = 0_usize;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                whole.push('"');
                while let Some(inside) = letters.next() {
                    whole.push(inside);
                    match inside {
                        '\\' => whole.extend(letters.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                whole.push(letter);
                while letters.next_if(|next| next.is_whitespace()).is_some() {}
                if letters.peek().is_some_and(|next| matches!(next, '}' | ']')) {
                    whole.extend(letters.next());
                } else {
                    depth += 1;
                    line(&mut whole, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut whole, depth);
                whole.push(letter);
            }
            ',' => {
                whole.push(',');
                line(&mut whole, depth);
            }
            ':' => whole.push_str(": "),
            letter if letter.is_whitespace() => {}
            letter => whole.push(letter),
        }
    }
    whole.push('\n');
    whole
}

/// The text is laid out as [`formatted`] does it.
pub fn layout_of_text(text: &str) -> Complaints {
    let wanted = formatted(text);
    let difference = wanted.lines().zip(text.lines()).position(|(wanted, found)| wanted != found);
    match difference {
        _ if wanted == text => Vec::new(),
        Some(at) => vec![format!("line {} is laid out in another way than two spaces a level", at + 1)],
        None => vec!["it does not end with one line's end".to_owned()],
    }
}

#[cfg(test)]
mod tests;
