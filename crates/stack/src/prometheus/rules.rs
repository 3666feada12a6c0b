//! The rules of the configuration, at work over the store of metrics, and who hears of their alerts.

use std::sync::Arc;

use model::Clock;
use promconfig::ValidationScheme;
use prometheus::Registry;
use promrules::NameScheme;
use ruler::notifier::Notifier;
use ruler::{Load, Ruler, StoreBackend};
use scrape::discovery;
use tsdb::Tsdb;

use super::Loaded;
use super::alertmanagers::{Alertmanagers, Plan};
use super::hosts::Hosts;
use crate::{Error, Result};

/// Rules and alerts. They work until they are stopped.
#[derive(Debug)]
pub(super) struct Rules {
    shown: api::Rules,
    backend: Arc<StoreBackend<Tsdb>>,
    alertmanagers: Alertmanagers,
    /// Where Prometheus' port is found.
    external_url: String,
}

/// What rules are made of.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) store: Arc<Tsdb>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) registry: &'a Registry,
    pub(super) hosts: Arc<Hosts>,
    pub(super) discovery: discovery::Environment,
    pub(super) external_url: String,
}

/// A configuration whose rules and credentials have been read once and can be used.
#[derive(Debug)]
pub(super) struct Ready {
    load: Load,
    plan: Plan,
}

/// What a configuration says of rules.
fn load_of(read: &Loaded, external_url: String) -> Load {
    let global = &read.config.global;
    let names = match global.metric_name_validation_scheme {
        ValidationScheme::Legacy => NameScheme::Legacy,
        ValidationScheme::Utf8 => NameScheme::Utf8,
    };
    Load {
        files: read.rule_files.clone(),
        interval: global.evaluation_interval,
        query_offset: global.rule_query_offset,
        external_labels: global.external_labels.clone(),
        external_url,
        options: promrules::Options { names, ..promrules::Options::default() },
    }
}

/// Reads the rule files of a configuration, and keeps nothing of them.
///
/// # Errors
/// What is wrong with the first wrong one.
pub(super) fn check(read: &Loaded) -> Result<(), String> {
    ruler::check(&load_of(read, String::new())).map_err(|error| error.to_string())
}

impl Rules {
    /// Without rules yet.
    ///
    /// # Errors
    /// Figures of these names are there already, or there can be no HTTP client.
    pub(super) fn new(around: Surroundings<'_>) -> Result<Self> {
        let backend = Arc::new(StoreBackend::new(around.store, promql::engine::Options::default()));
        // What the environment says of proxies is meant for others.
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.map_err(|error| Error::System {
            action: "make an HTTP client",
            source: std::io::Error::other(error),
        })?;
        let notifier = Arc::new(Notifier::new(client, around.registry)?);
        let ruler = Ruler::new(
            Arc::clone(&backend) as _,
            Arc::clone(&notifier) as _,
            around.clock,
            around.registry,
            ruler::Config::default(),
        )?;
        let alertmanagers = Alertmanagers::new(Arc::clone(&notifier), around.hosts, around.discovery);
        let shown = api::Rules { ruler: Arc::new(ruler), notifier };
        Ok(Self { shown, backend, alertmanagers, external_url: around.external_url })
    }

    /// What the API shows.
    pub(super) fn shown(&self) -> api::Rules {
        self.shown.clone()
    }

    /// Reads all that a configuration names, and changes nothing.
    ///
    /// # Errors
    /// What is wrong with the first wrong rule file, or credentials that cannot be read.
    pub(super) async fn prepare(&self, read: &Loaded) -> Result<Ready, String> {
        let load = load_of(read, self.external_url.clone());
        let config = read.config.clone();
        let reading = tokio::task::spawn_blocking(move || {
            ruler::check(&load).map_err(|error| error.to_string())?;
            Ok(Ready { load, plan: Plan::of(&config)? })
        });
        reading.await.map_err(|panicked| panicked.to_string())?
    }

    /// Puts rules and Alertmanagers in the place of those that there are.
    ///
    /// # Errors
    /// A rule file has changed since it was read; the rules stay as they were.
    pub(super) async fn apply(&self, ready: Ready) -> Result<(), String> {
        let step_ms = i64::try_from(ready.load.interval.as_millis()).unwrap_or(i64::MAX);
        self.shown.ruler.load(ready.load).await.map_err(|error| error.to_string())?;
        self.backend.set_subquery_step(step_ms);
        self.alertmanagers.apply(ready.plan);
        Ok(())
    }

    /// Ends evaluations, and sends what waits for Alertmanagers.
    pub(super) async fn stop(&self) {
        self.alertmanagers.stop();
        self.shown.ruler.stop().await;
        self.shown.notifier.stop().await;
    }
}
