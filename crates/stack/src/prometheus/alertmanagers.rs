//! The Alertmanagers of the configuration: found, relabelled, and told to who sends alerts.

use std::sync::Arc;

use model::Labels;
use parking_lot::Mutex;
use promconfig::{AlertingConfig, AlertmanagerConfig, Config, relabel};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use ruler::notifier::{Alerting, Alertmanager, AlertmanagerSet, Notifier, Relabel};
use scrape::discovery::{self, Group, Watch};
use scrape::{Dial as _, Hosts as _};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::hosts::Hosts;

/// The label with the path to which alerts are posted.
const PATH_LABEL: &str = "__alerts_path__";

/// Keeps the notifier's Alertmanagers what discoveries find.
#[derive(Debug)]
pub(super) struct Alertmanagers {
    notifier: Arc<Notifier>,
    hosts: Arc<Hosts>,
    discovery: discovery::Environment,
    running: Mutex<Option<Running>>,
}

/// A configuration at work. Dropped, its discoveries end.
#[derive(Debug)]
struct Running {
    plan: Arc<Plan>,
    _stop: DropGuard,
}

/// What a configuration says of alerts, with what it says in files.
#[derive(Debug, PartialEq)]
pub(super) struct Plan {
    alerting: AlertingConfig,
    external_labels: Labels,
    /// What requests have besides, for each item of `alertmanagers`.
    headers: Vec<HeaderMap>,
}

impl Plan {
    /// Reads what a configuration says.
    ///
    /// # Errors
    /// A file with credentials or a header that cannot be read, or is no header.
    pub(super) fn of(config: &Config) -> Result<Self, String> {
        let items = config.alerting.alertmanagers.iter();
        let headers = items.map(headers).collect::<Result<_, _>>()?;
        let external_labels = config.global.external_labels.clone();
        Ok(Self { alerting: config.alerting.clone(), external_labels, headers })
    }

    /// What the notifier is told when each item's discoveries have found something.
    fn alerting(&self, sets: Vec<AlertmanagerSet>) -> Alerting {
        Alerting {
            external_labels: self.external_labels.clone(),
            relabel: relabelling(&self.alerting.alert_relabel_configs),
            sets,
        }
    }
}

impl Alertmanagers {
    pub(super) fn new(notifier: Arc<Notifier>, hosts: Arc<Hosts>, discovery: discovery::Environment) -> Self {
        Self { notifier, hosts, discovery, running: Mutex::default() }
    }

    /// Puts a plan in the place of the one before; one that says the same changes nothing. Alertmanagers that both name
    /// keep what waits for them: nothing is told before all discoveries of the new plan have found something.
    pub(super) fn apply(&self, plan: Plan) {
        let mut running = self.running.lock();
        if running.as_ref().is_some_and(|running| *running.plan == plan) {
            return;
        }
        if let Some(before) = running.take() {
            for index in 0..before.plan.headers.len() {
                self.discovery.figures.forget(&name(index));
            }
        }
        let plan = Arc::new(plan);
        let stop = CancellationToken::new();
        let sets: Sets = Arc::new(Mutex::new(vec![None; plan.headers.len()]));
        for (index, config) in plan.alerting.alertmanagers.iter().enumerate() {
            let follow = Follow {
                index,
                plan: Arc::clone(&plan),
                sets: Arc::clone(&sets),
                notifier: Arc::clone(&self.notifier),
                hosts: Arc::clone(&self.hosts),
            };
            let watch = Watch::start(&name(index), &config.discoveries, &self.discovery);
            let stop = stop.clone();
            tokio::spawn(async move { stop.run_until_cancelled_owned(follow.run(watch)).await });
        }
        if plan.headers.is_empty() {
            self.notifier.apply(plan.alerting(Vec::new()));
        }
        *running = Some(Running { plan, _stop: stop.drop_guard() });
    }

    /// Ends the discoveries.
    pub(super) fn stop(&self) {
        self.running.lock().take();
    }
}

/// As Prometheus calls an item of `alertmanagers`.
fn name(index: usize) -> String {
    format!("config-{index}")
}

fn headers(config: &AlertmanagerConfig) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in scrape::client_headers(&config.client)? {
        let named = HeaderName::try_from(name.as_str()).map_err(|error| format!("header {name}: {error}"))?;
        // The value may be a secret.
        let value = HeaderValue::from_str(&value).map_err(|_| format!("header {name}: invalid value"))?;
        headers.insert(named, value);
    }
    Ok(headers)
}

/// What each item's discoveries found; `None` where they have not told yet.
type Sets = Arc<Mutex<Vec<Option<AlertmanagerSet>>>>;

/// Tells the notifier whenever the discoveries of one item find something else.
struct Follow {
    index: usize,
    plan: Arc<Plan>,
    sets: Sets,
    notifier: Arc<Notifier>,
    hosts: Arc<Hosts>,
}

impl Follow {
    async fn run(self, mut watch: Watch) {
        let config = &self.plan.alerting.alertmanagers[self.index];
        loop {
            let groups = watch.changed().await;
            let mut found = set_of(config, &groups, &self.hosts);
            found.headers = self.plan.headers[self.index].clone();
            // Told under the lock, so that what is told last is what was found last.
            let mut sets = self.sets.lock();
            sets[self.index] = Some(found);
            if let Some(sets) = sets.iter().cloned().collect() {
                self.notifier.apply(self.plan.alerting(sets));
            }
        }
    }
}

/// The Alertmanagers of groups.
fn set_of(config: &AlertmanagerConfig, groups: &[Group], hosts: &Hosts) -> AlertmanagerSet {
    let mut set = AlertmanagerSet {
        relabel: relabelling(&config.alert_relabel_configs),
        timeout: config.timeout,
        ..AlertmanagerSet::default()
    };
    for group in groups {
        for target in &group.targets {
            let discovered = discovered(config, target, &group.labels);
            let mut labels = discovered.clone();
            if !relabel::apply(&config.relabel_configs, &mut labels) {
                set.dropped.push(url(&discovered, None));
                continue;
            }
            let host = get(&labels, "__address__");
            if host.contains('/') {
                tracing::warn!("creating alertmanager failed: {host:?} is not a valid hostname");
            } else if hosts.is_absent(host) {
                set.dropped.push(url(&labels, None));
            } else {
                let reached_at = url(&labels, hosts.dial(host).as_deref());
                set.active.push(Alertmanager { url: url(&labels, None), reached_at });
            }
        }
    }
    set
}

/// The labels before relabelling: scheme and path of the configuration win over those of the target, and those of its
/// group over both.
fn discovered(
    config: &AlertmanagerConfig,
    own: &[(String, String)],
    group: &[(String, String)],
) -> Vec<(String, String)> {
    let group = group.iter().filter(|(name, _)| !own.iter().any(|(known, _)| known == name));
    let configured =
        [("__scheme__", config.scheme.clone()), (PATH_LABEL, path(&config.path_prefix))].into_iter();
    let configured = configured.map(|(name, value)| (name.to_owned(), value));
    let all = own.iter().cloned().chain(configured).chain(group.cloned());
    all.collect::<Labels>().into_pairs()
}

/// Where alerts are posted below a prefix, without parts that say nothing.
fn path(prefix: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in prefix.split('/').chain(["api", "v2", "alerts"]) {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

fn get<'l>(labels: &'l [(String, String)], name: &str) -> &'l str {
    labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
}

fn url(labels: &[(String, String)], host: Option<&str>) -> String {
    let host = host.unwrap_or_else(|| get(labels, "__address__"));
    format!("{}://{host}{}", get(labels, "__scheme__"), get(labels, PATH_LABEL))
}

fn relabelling(rules: &[relabel::Rule]) -> Option<Relabel> {
    if rules.is_empty() {
        return None;
    }
    let rules = rules.to_vec();
    Some(Arc::new(move |labels: Labels| {
        let mut pairs = labels.into_pairs();
        relabel::apply(&rules, &mut pairs).then(|| Labels::new(pairs))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(yaml: &str, labels: &[(&str, &str)]) -> AlertmanagerSet {
        let text = format!("alerting:\n  alertmanagers:\n  - static_configs: []\n{yaml}");
        let config = Config::parse(&text, |_| None).unwrap();
        let target = |host: &str| vec![("__address__".to_owned(), host.to_owned())];
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let targets = ["am.example:9093", "alertmanager:9093", "tempo:1"].map(target).to_vec();
        let group = Group { source: "0".to_owned(), targets, labels };
        set_of(&config.alerting.alertmanagers[0], &[group], &Hosts::of(&crate::Config::new("x")))
    }

    #[test]
    fn names_of_components_are_found_or_are_absent() {
        let set = set("    path_prefix: /a//b/\n", &[]);
        let active: Vec<_> =
            set.active.iter().map(|one| (one.url.as_str(), one.reached_at.as_str())).collect();
        let path = "/a/b/api/v2/alerts";
        assert_eq!(active[0].0, format!("http://am.example:9093{path}"));
        assert_eq!(active[0].0, active[0].1);
        let tempo = (format!("http://tempo:1{path}"), format!("http://127.0.0.1:3200{path}"));
        assert_eq!(active[1], (tempo.0.as_str(), tempo.1.as_str()));
        assert_eq!(set.dropped, [format!("http://alertmanager:9093{path}")]);
    }

    #[test]
    fn labels_change_how_they_are_reached() {
        let rules = "    relabel_configs: [{source_labels: [__address__], regex: 'tempo.*', action: drop}]\n";
        let set = set(rules, &[("__scheme__", "ftp")]);
        assert_eq!(set.active[0].url, "ftp://am.example:9093/api/v2/alerts");
        assert_eq!(set.dropped.len(), 2);
    }

    #[test]
    fn alerts_are_relabelled() {
        let text = "alerting:\n  alert_relabel_configs: [{action: labeldrop, regex: a}]\n";
        let config = Config::parse(text, |_| None).unwrap();
        let relabel = Plan::of(&config).unwrap().alerting(Vec::new()).relabel.unwrap();
        let labels: Labels = [("a", "1"), ("b", "2")].into_iter().collect();
        assert_eq!(relabel(labels).unwrap().to_string(), r#"{b="2"}"#);
    }
}
