//! Grafana's data sources and dashboards, and every query in them. PromQL is parsed by promtool: Debian's, and the pinned
//! one where it is built. LogQL and TraceQL are held against `dashboards/queries.yaml`, which a reader has checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use tests::files::compose::Compose;
use tests::files::expressions::{self, Expression, Language};
use tests::files::grafana::{self, dashboards};
use tests::files::queries::{all, metric_queries, of_grafana, provisioned, sources};
use tests::files::{Complaints, below, case, items, json, or_complain, text, yaml};
use tests::peers;

/// Each dashboard that there has to be.
const DASHBOARDS: &[&str] = &["services", "questions", "slo", "load-test", "stack", "traces-logs"];

fn main() -> ExitCode {
    let mut trials = vec![
        on_sources("data sources are there", |sources, _| grafana::present(sources)),
        on_sources("every way from one signal to another", |sources, _| grafana::links(sources)),
        on_sources("what data sources name is there", grafana::targets),
        on_sources("keys of data sources are Grafana's", |sources, _| grafana::keys(sources)),
        case("the provider reads what is mounted", || or_complain(provider())),
        case(
            "every dashboard is there, each with a uid and a title of its own",
            || or_complain(identities()),
        ),
        case("the questions are asked", || {
            or_complain(json("dashboards/questions.json").map(|dashboard| dashboards::questions(&dashboard)))
        }),
        case("LogQL and TraceQL are those that a reader has checked", || or_complain(checked())),
        case("LogQL is read by our own parser", || or_complain(log_queries())),
        case("PromQL is read by our own parser", || or_complain(own_parser())),
    ];
    for path in below("dashboards", &["json"]) {
        trials.push(on_dashboard("layout", &path, |dashboard| Ok(dashboards::layout(dashboard))));
        trials.push(on_dashboard("variables", &path, |dashboard| Ok(dashboards::variables(dashboard))));
        trials.push(on_dashboard("data sources and links", &path, |dashboard| {
            Ok(dashboards::references(dashboard, &grafana::uids(&sources()?), &uids()?))
        }));
        trials.push(case(format!("{path}: format"), move || {
            or_complain(text(&path).map(|text| dashboards::layout_of_text(&text)))
        }));
    }
    trials.push(peers::trial(
        "PromQL parses (promtool of the distribution)",
        &["promtool"],
        peers::packaged,
        || parses(peers::packaged("promtool")),
    ));
    trials.push(peers::trial("PromQL parses (promtool as pinned)", &["promtool"], peers::pinned, || {
        parses(peers::pinned("promtool"))
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn uids() -> Result<BTreeSet<String>, String> {
    let uid = |dashboard: &Value| dashboard["uid"].as_str().unwrap_or_default().to_owned();
    Ok(all()?.values().map(uid).collect())
}

fn on_sources(name: &str, check: fn(&[Value], &BTreeSet<String>) -> Complaints) -> Trial {
    case(name, move || or_complain(sources().and_then(|sources| Ok(check(&sources, &uids()?)))))
}

fn on_dashboard(name: &str, path: &str, check: fn(&Value) -> Result<Complaints, String>) -> Trial {
    let path = path.to_owned();
    case(format!("{path}: {name}"), move || or_complain(json(&path).and_then(|dashboard| check(&dashboard))))
}

fn provider() -> Result<Complaints, String> {
    let compose = Compose::read(&[&text("docker-compose.yaml")?])?;
    let mounts = compose.mounts("grafana");
    let at = mounts.iter().find(|mount| mount.source.trim_end_matches('/') == "./dashboards");
    let at = at.ok_or("grafana: ./dashboards is not mounted")?;
    Ok(grafana::provider(&provisioned("dashboards")?, &at.target))
}

fn identities() -> Result<Complaints, String> {
    let all = all()?;
    let mut complaints = dashboards::identities(&all);
    let missing = DASHBOARDS.iter().filter(|stem| !all.contains_key(**stem));
    complaints.extend(missing.map(|stem| format!("dashboards/{stem}.json is not there")));
    Ok(complaints)
}

fn parses(promtool: Option<PathBuf>) -> Result<(), Failed> {
    let promtool = promtool.ok_or("no promtool")?;
    let found = metric_queries()?;
    if found.len() < 50 {
        return Err(format!("only {} expressions were found", found.len()).into());
    }
    let expressions: Vec<&Expression> = found.iter().collect();
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("expressions.yml");
    std::fs::write(&file, expressions::as_rules(&expressions))?;
    let said = Command::new(promtool).args(["check", "rules"]).arg(&file).output()?;
    let text =
        format!("{}\n{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    let complaints = expressions::from_promtool(&text, &expressions);
    match (said.status.success(), complaints.is_empty()) {
        (true, true) => Ok(()),
        (_, false) => Err(complaints.join("\n").into()),
        (false, true) => Err(text.into()),
    }
}

/// The embedded engine reads the same dashboards.
fn own_parser() -> Result<Complaints, String> {
    let mut complaints = Vec::new();
    for expression in metric_queries()? {
        let filled = expressions::filled_in(&expression.text);
        if let Err(error) = promql::parse(&filled) {
            complaints.push(format!("{}: {filled}: {error}", expression.place));
        }
    }
    Ok(complaints)
}

/// The list of a reader.
fn list() -> Result<BTreeMap<Language, BTreeSet<String>>, String> {
    let file = yaml("dashboards/queries.yaml")?;
    let mut list = BTreeMap::new();
    for (language, key) in [(Language::LogQl, "logql"), (Language::TraceQl, "traceql")] {
        let mut texts = BTreeSet::new();
        for entry in items(&file[key]) {
            let query = entry["query"].as_str().unwrap_or_default();
            if entry["means"].as_str().is_none_or(|means| means.len() < 10) {
                return Err(format!("dashboards/queries.yaml: {query}: what does it mean?"));
            }
            if !texts.insert(query.to_owned()) {
                return Err(format!("dashboards/queries.yaml: {query} is there twice"));
            }
        }
        list.insert(language, texts);
    }
    Ok(list)
}

fn checked() -> Result<Complaints, String> {
    Ok(expressions::against_list(&of_grafana()?, &list()?))
}

/// The whole language is parsed, whatever our engine supports of it.
fn log_queries() -> Result<Complaints, String> {
    let mut complaints = Vec::new();
    for expression in of_grafana()?.iter().filter(|expression| expression.language == Language::LogQl) {
        let filled = expressions::filled_in(&expression.text);
        if let Err(error) = logql::parse(&filled) {
            complaints.push(format!("{}: {filled}: {error}", expression.place));
        }
    }
    Ok(complaints)
}
