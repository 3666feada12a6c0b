//! Alerting: Prometheus's configuration and rules, their unit tests, Alertmanager's routes, and the objectives.
//!
//! The tools are the real ones. Where both Debian's and the pinned version are at hand, both are run; Debian's is older
//! than some of our keys, which are taken out for it, and the test's name says so.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use tests::files::rules::{self, Rule, UnitTests};
use tests::files::{
    Complaints, below, case, grafana, json, or_complain, root, schema, slo, text, texts, yaml,
};
use tests::peers;

const PROMETHEUS: &str = "infra/prometheus/prometheus.yml";
const RULES: &str = "infra/prometheus/rules";
const TESTS: &str = "infra/prometheus/tests";
/// What Pyrra makes of `slo/`, kept so that burn rates can be tested where Pyrra is not at hand.
const BURN_RATES: &str = "infra/prometheus/tests/pyrra";
const ALERTMANAGER: &str = "infra/alertmanager/alertmanager.yml";
const ROUTES: &str = "infra/alertmanager/routes.tests.yaml";
const RUNBOOKS: &str = "docs/runbooks";

/// Keys that Prometheus 2.42 (Debian 12) does not know yet.
const NEWER: &[&str] = &[
    "global.scrape_native_histograms",
    "global.always_scrape_classic_histograms",
    "otlp",
    "storage.tsdb.retention",
];

/// The objectives that there have to be.
const OBJECTIVES: &[&str] = &["albums-availability", "albums-latency", "users-availability", "users-latency"];

/// Which tool: what to call it in a test's name, and how it is found.
type Edition = (&'static str, fn(&str) -> Option<PathBuf>);

const EDITIONS: [Edition; 2] = [("of the distribution", peers::packaged), ("as pinned", peers::pinned)];

fn main() -> ExitCode {
    let mut trials = prometheus();
    trials.extend(alerts());
    trials.extend(alertmanager());
    trials.extend(objectives());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn exists(path: &str) -> bool {
    root().join(path).is_file()
}

/// Runs a tool to its end; what it said is the error.
fn run(tool: Option<PathBuf>, arguments: &[&str], dir: &Path) -> Result<String, Failed> {
    let tool = tool.ok_or("the tool is not there")?;
    let said = Command::new(&tool).args(arguments).current_dir(dir).output()?;
    let text = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    if said.status.success() {
        Ok(text)
    } else {
        Err(format!("{} {}: {}\n{text}", tool.display(), arguments.join(" "), said.status).into())
    }
}

/// A case for each edition of a tool.
fn with_tool(
    name: &str,
    tool: &'static str,
    check: impl Fn(Option<PathBuf>) -> Result<(), Failed> + Clone + Send + 'static,
) -> Vec<Trial> {
    EDITIONS
        .iter()
        .map(|(edition, find)| {
            let (check, find) = (check.clone(), *find);
            peers::trial(&format!("{name} ({tool} {edition})"), &[tool], find, move || check(find(tool)))
        })
        .collect()
}

fn prometheus() -> Vec<Trial> {
    let mut trials = vec![
        peers::trial(
            &format!("{PROMETHEUS} (promtool of the distribution, without the newer {})", NEWER.join(", ")),
            &["promtool"],
            peers::packaged,
            || check_config(peers::packaged("promtool"), NEWER),
        ),
        peers::trial(&format!("{PROMETHEUS} (promtool as pinned)"), &["promtool"], peers::pinned, || {
            check_config(peers::pinned("promtool"), &[])
        }),
        case("what the older promtool is not shown is there", || or_complain(newer_keys())),
    ];
    for path in below(RULES, &["yml", "yaml"]) {
        let name = format!("check rules: {path}");
        trials.extend(with_tool(&name, "promtool", move |tool| {
            let said = run(tool, &["check", "rules", "--lint=all", "--lint-fatal", &path], &root())?;
            if said.contains("SUCCESS") { Ok(()) } else { Err(said.into()) }
        }));
    }
    for path in test_files() {
        let name = format!("test rules: {path}");
        trials.extend(with_tool(&name, "promtool", move |tool| {
            let path = root().join(&path);
            let file = path.file_name().and_then(|name| name.to_str()).ok_or("no file's name")?;
            let said = run(tool, &["test", "rules", file], path.parent().ok_or("no folder")?)?;
            if said.contains("SUCCESS") { Ok(()) } else { Err(said.into()) }
        }));
    }
    trials
}

/// The configuration in a folder of its own, with the rules beside it.
fn check_config(promtool: Option<PathBuf>, without: &[&str]) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    std::fs::create_dir(dir.path().join("rules"))?;
    for path in below(RULES, &["yml", "yaml"]) {
        let name = path.rsplit('/').next().unwrap_or_default();
        std::fs::write(dir.path().join("rules").join(name), text(&path)?)?;
    }
    std::fs::write(dir.path().join("prometheus.yml"), rules::without(&text(PROMETHEUS)?, without))?;
    run(promtool, &["check", "config", "prometheus.yml"], dir.path())?;
    Ok(())
}

/// Otherwise a key that moved would no longer be taken out, or what is taken out would not be ours.
fn newer_keys() -> Result<Complaints, String> {
    let config = yaml(PROMETHEUS)?;
    let is_there = |key: &&&str| {
        let place = format!("/{}", key.replace('.', "/"));
        config.pointer(&place).is_some()
    };
    Ok(NEWER.iter().filter(|key| !is_there(key)).map(|key| format!("{PROMETHEUS} has no {key}")).collect())
}

fn all_rules() -> Result<Vec<Rule>, String> {
    let mut all = Vec::new();
    for path in below(RULES, &["yml", "yaml"]) {
        all.extend(rules::read(&path, &text(&path)?)?);
    }
    Ok(all)
}

/// The unit tests' files; beside them lie rules that they read.
fn test_files() -> Vec<String> {
    let mut files = below(TESTS, &["yml", "yaml"]);
    files.retain(|path| !path.starts_with(BURN_RATES));
    files
}

fn all_tests() -> Result<Vec<UnitTests>, String> {
    test_files().iter().map(|path| rules::read_tests(path, &text(path)?)).collect()
}

fn alerts() -> Vec<Trial> {
    let mut trials = Vec::new();
    let found: Vec<Rule> = all_rules().unwrap_or_default().into_iter().filter(|rule| rule.is_alert).collect();
    for rule in found {
        let severity = rule.whole["labels"]["severity"].as_str().unwrap_or_default().to_owned();
        let name = format!("{} ({severity})", rule.name);
        let again = rule.clone();
        trials.push(case(format!("{name}: says what it is"), move || rules::says_enough(&again, exists)));
        trials.push(case(format!("{name}: fires, stays quiet and resolves in unit tests"), move || {
            or_complain(all_tests().map(|tests| rules::is_tested(&rule, &tests)))
        }));
    }
    // Pyrra makes several of one name and severity out of each objective: for several spans of time.
    let mut burning = BTreeSet::new();
    for path in below(BURN_RATES, &["yml", "yaml"]) {
        let found = text(&path).and_then(|text| rules::read(&path, &text)).unwrap_or_default();
        for rule in found.into_iter().filter(|rule| rule.is_alert) {
            let severity = rule.whole["labels"]["severity"].as_str().unwrap_or_default().to_owned();
            if burning.insert((rule.name.clone(), severity.clone())) {
                let name =
                    format!("{} ({severity}): fires, stays quiet and resolves in unit tests", rule.name);
                trials.push(case(name, move || {
                    or_complain(all_tests().map(|tests| rules::is_tested(&rule, &tests)))
                }));
            }
        }
    }
    trials.push(peers::trial(
        &format!("{BURN_RATES} is what Pyrra makes of slo/"),
        &["pyrra"],
        peers::pinned,
        generated,
    ));
    trials.push(case("the alerts that there have to be", || or_complain(kinds())));
    for path in below(RULES, &["yml", "yaml"]) {
        trials.push(case(format!("{path}: has unit tests"), move || {
            or_complain(all_tests().map(|tests| {
                let is_tested = tests.iter().any(|file| file.rule_files.contains(&path));
                (!is_tested).then(|| format!("no file in {TESTS} names {path}")).into_iter().collect()
            }))
        }));
    }
    for path in test_files() {
        trials.push(case(format!("{path}: tests rules that are there"), move || {
            or_complain(text(&path).and_then(|text| rules::read_tests(&path, &text)).map(|tests| {
                let is_there = |file: &str| matching(file).iter().any(|file| exists(file));
                let gone = tests.rule_files.iter().filter(|file| !is_there(file));
                gone.map(|file| format!("{file} is not there")).collect()
            }))
        }));
    }
    for path in test_files() {
        trials.push(case(format!("{path}: groups that read each other are in order"), move || {
            or_complain(ordered(&path))
        }));
    }
    trials.push(case("every runbook is some alert's", || or_complain(runbooks())));
    trials.push(case("dashboards that alerts lead to are there", || or_complain(led_to())));
    trials
}

fn ordered(path: &str) -> Result<Complaints, String> {
    let tests = rules::read_tests(path, &text(path)?)?;
    let mut found = Vec::new();
    for file in tests.rule_files.iter().flat_map(|file| matching(file)) {
        found.extend(rules::read(&file, &text(&file)?)?);
    }
    Ok(rules::is_ordered(&tests, &found))
}

/// The files that a name with a star in it stands for; the name itself where there is none.
fn matching(name: &str) -> Vec<String> {
    let Some((before, after)) = name.split_once('*') else { return vec![name.to_owned()] };
    let folder = before.rsplit_once('/').map_or(".", |(folder, _)| folder);
    let mut files = below(folder, &[]);
    files.retain(|file| file.starts_with(before) && file.ends_with(after));
    files
}

/// What is kept is what Pyrra makes, but for the order of keys.
fn generated() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let folder = format!("--prometheus-folder={}", dir.path().display());
    let arguments = [
        "generate",
        "--config-files=slo/*.yaml",
        &folder,
        "--generic-rules",
        "--external-url=http://localhost:9099",
    ];
    run(peers::pinned("pyrra"), &arguments, &root())?;
    let mut complaints = Vec::new();
    let kept = below(BURN_RATES, &["yml", "yaml"]);
    let made: BTreeSet<String> = std::fs::read_dir(dir.path())?
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    for name in &made {
        let path = format!("{BURN_RATES}/{name}");
        let made = tests::files::parse_yaml(&std::fs::read_to_string(dir.path().join(name))?)?;
        match yaml(&path) {
            Ok(kept) if kept == made => {}
            Ok(_) => complaints.push(format!("{path} is not what Pyrra makes: see {TESTS}/README.md")),
            Err(error) => complaints.push(error),
        }
    }
    for path in kept {
        if !made.contains(path.rsplit('/').next().unwrap_or_default()) {
            complaints.push(format!("{path} is no objective's"));
        }
    }
    if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) }
}

/// Service down, error ratio, slow p95, telemetry dropped, component down, watchdog.
fn kinds() -> Result<Complaints, String> {
    let names: BTreeSet<String> =
        all_rules()?.into_iter().filter(|rule| rule.is_alert).map(|rule| rule.name).collect();
    let wanted: [(&str, &[&str]); 6] = [
        ("a service that is down", &["ServiceDown"]),
        ("a large share of errors", &["ErrorRatio"]),
        ("slow answers", &["Latency", "Slow"]),
        ("dropped telemetry", &["Drop", "Discard", "Refus", "Lost"]),
        ("a component that is down", &["ComponentDown"]),
        ("the watchdog", &["Watchdog"]),
    ];
    let is_missing = |parts: &[&str]| !names.iter().any(|name| parts.iter().any(|part| name.contains(part)));
    Ok(wanted
        .iter()
        .filter(|(_, parts)| is_missing(parts))
        .map(|(what, _)| format!("no alert for {what}"))
        .collect())
}

/// The names of alerts that objectives become.
fn burn_alerts() -> Result<BTreeSet<String>, String> {
    let mut names = BTreeSet::new();
    for path in below("slo", &["yaml", "yml"]) {
        let objective = yaml(&path)?;
        let alerting = &objective["spec"]["alerting"];
        names.extend(alerting["name"].as_str().map(str::to_owned));
        if alerting["absent"] != false {
            names.insert(alerting["absentName"].as_str().unwrap_or("SLOMetricAbsent").to_owned());
        }
    }
    Ok(names)
}

fn runbooks() -> Result<Complaints, String> {
    let mut names = burn_alerts()?;
    names.extend(all_rules()?.into_iter().filter(|rule| rule.is_alert).map(|rule| rule.name));
    let pages: BTreeSet<String> =
        names.iter().map(|name| format!("{RUNBOOKS}/{}.md", rules::kebab(name))).collect();
    let mut complaints = Vec::new();
    for page in below(RUNBOOKS, &["md"]) {
        if !pages.contains(&page) && !page.ends_with("/README.md") {
            complaints.push(format!("{page} is no alert's"));
        }
        let words = text(&page)?;
        if words.lines().next().is_none_or(|line| !line.starts_with("# ")) || words.len() < 400 {
            complaints.push(format!("{page} has no heading, or says next to nothing"));
        }
    }
    complaints.extend(pages.iter().filter(|page| !exists(page)).map(|page| format!("{page} is not there")));
    Ok(complaints)
}

fn led_to() -> Result<Complaints, String> {
    let mut uids = BTreeSet::new();
    for path in below("dashboards", &["json"]) {
        uids.extend(json(&path)?["uid"].as_str().map(str::to_owned));
    }
    let mut complaints = Vec::new();
    let mut files = below(RULES, &["yml", "yaml"]);
    files.extend(below("slo", &["yml", "yaml"]));
    for path in files {
        for (place, text) in texts(&yaml(&path)?) {
            let unknown = grafana::unknown_dashboards(&text, &uids);
            complaints.extend(unknown.map(|uid| format!("{path}{place}: there is no dashboard {uid}")));
        }
    }
    Ok(complaints)
}

fn alertmanager() -> Vec<Trial> {
    let mut trials = with_tool(&format!("check-config: {ALERTMANAGER}"), "amtool", |tool| {
        run(tool, &["check-config", ALERTMANAGER], &root()).map(|_| ())
    });
    trials.push(case("receivers: each reached, told of the end, on a path of its own", || {
        or_complain(yaml(ALERTMANAGER).and_then(|config| Ok(rules::receivers(&config, &yaml(ROUTES)?))))
    }));
    let table = yaml(ROUTES).unwrap_or_default();
    let routes = rules::routes(&table);
    trials.push(case(format!("{ROUTES}: there are cases"), {
        let count = routes.len();
        move || (count < 8).then(|| format!("only {count}")).into_iter().collect()
    }));
    for (name, labels, receivers) in routes {
        trials.extend(with_tool(&format!("route: {name}"), "amtool", move |tool| {
            let config = format!("--config.file={ALERTMANAGER}");
            let verify = format!("--verify.receivers={receivers}");
            let mut arguments = vec!["config", "routes", "test", config.as_str(), verify.as_str()];
            arguments.extend(labels.iter().map(String::as_str));
            run(tool, &arguments, &root()).map(|_| ())
        }));
    }
    trials
}

fn objectives() -> Vec<Trial> {
    let mut trials = vec![case("the objectives that there have to be", || {
        let found = below("slo", &["yaml", "yml"]);
        let is_missing = |name: &&&str| !found.contains(&format!("slo/{name}.yaml"));
        OBJECTIVES.iter().filter(is_missing).map(|name| format!("slo/{name}.yaml is not there")).collect()
    })];
    let definition = testkit::conformance_dir()
        .map(|dir| dir.join("pyrra/crd/pyrra.dev_servicelevelobjectives.yaml"))
        .filter(|path| path.is_file());
    for path in below("slo", &["yaml", "yml"]) {
        if let Some(definition) = definition.clone() {
            let path = path.clone();
            trials.push(case(format!("{path}: Pyrra's schema, strictly"), move || {
                or_complain(against_schema(&path, &definition))
            }));
        } else {
            let name = format!("{path}: Pyrra's schema (skipped: MIRANTE_CONFORMANCE_DIR has no pyrra/crd)");
            trials.push(Trial::test(name, || Ok(())).with_ignored_flag(true));
        }
        trials.push(case(format!("{path}: objective"), move || or_complain(objective(&path))));
    }
    trials
}

fn against_schema(path: &str, definition: &Path) -> Result<Complaints, String> {
    let definition = std::fs::read_to_string(definition).map_err(|error| error.to_string())?;
    let definition: Value = tests::files::parse_yaml(&definition)?;
    let schema = schema::of_resource(&definition, "v1alpha1").ok_or("the definition has no v1alpha1")?;
    Ok(schema::violations(&schema, &yaml(path)?))
}

fn objective(path: &str) -> Result<Complaints, String> {
    let objective = yaml(path)?;
    let stem = path.rsplit('/').next().and_then(|name| name.split('.').next()).unwrap_or_default();
    let mut complaints = slo::objective(stem, &objective);
    let name = objective["spec"]["alerting"]["name"].as_str().unwrap_or_default();
    // Pyrra puts annotations of its prefix on the alerts.
    let annotations = &objective["metadata"]["annotations"];
    complaints.extend(rules::runbook(path, name, annotations["pyrra.dev/runbook_url"].as_str(), exists));
    let service = objective["metadata"]["labels"]["pyrra.dev/service"].as_str().unwrap_or_default();
    if service.is_empty() || !stem.starts_with(service) {
        complaints.push(format!("{path}: the label pyrra.dev/service is {service:?}, and routes go by it"));
    }
    Ok(complaints)
}
