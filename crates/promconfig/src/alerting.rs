//! The `alerting` block: where alerts go.

use std::path::Path;
use std::time::Duration;

use yaml::{Context, Fields, Node, Outcome, Output, Position};

use crate::discovery::Discovery;
use crate::http_client::HttpClientConfig;
use crate::names::ValidationScheme;
use crate::place::Place;
use crate::print::Block;
use crate::read::duration;
use crate::read::sigv4;
use crate::relabel::Rule;

/// Where alerts go, and what becomes of their labels on the way.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AlertingConfig {
    /// Rules over the labels of every alert.
    pub alert_relabel_configs: Vec<Rule>,
    /// Who gets them.
    pub alertmanagers: Vec<AlertmanagerConfig>,
}

/// Alertmanagers that are reached in the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertmanagerConfig {
    /// Where they come from.
    pub discoveries: Vec<Discovery>,
    /// How they are reached.
    pub client: HttpClientConfig,
    /// Requests are signed as AWS wants it: its block is there.
    pub sigv4: bool,
    /// `http` or `https`.
    pub scheme: String,
    /// What stands before `/api/v2/alerts`.
    pub path_prefix: String,
    /// Time that a request may take.
    pub timeout: Duration,
    /// Rules over the labels of Alertmanagers.
    pub relabel_configs: Vec<Rule>,
    /// Rules over the labels of alerts that go to these.
    pub alert_relabel_configs: Vec<Rule>,
    /// Where the block stands in the file.
    pub position: Place,
}

impl AlertingConfig {
    pub(crate) fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.plain")?;
        let mut alerting = Self::default();
        let relabel = Rule::list("empty or null alert relabeling rule");
        fields.set("alert_relabel_configs", &mut alerting.alert_relabel_configs, context, relabel)?;
        fields.set("alertmanagers", &mut alerting.alertmanagers, context, |node, context| {
            yaml::list(node, context, "config.AlertmanagerConfigs", AlertmanagerConfig::read)
        })?;
        fields.close(context)?;
        Ok(alerting)
    }

    pub(crate) fn validate(&mut self, scheme: ValidationScheme) -> Result<(), (String, Position)> {
        let own = self.alert_relabel_configs.iter_mut();
        let theirs = self.alertmanagers.iter_mut();
        let theirs =
            theirs.flat_map(|one| one.alert_relabel_configs.iter_mut().chain(&mut one.relabel_configs));
        for rule in own.chain(theirs) {
            rule.validate(scheme).map_err(|message| (message, rule.position))?;
        }
        Ok(())
    }

    pub(crate) fn print(&self) -> Block {
        let mut block = Block::default();
        block.list("alert_relabel_configs", &self.alert_relabel_configs, Rule::print);
        block.list("alertmanagers", &self.alertmanagers, AlertmanagerConfig::print);
        block
    }

    pub(crate) fn set_directory(&mut self, directory: &Path) {
        for one in &mut self.alertmanagers {
            one.client.set_directory(directory);
            one.discoveries.iter_mut().for_each(|discovery| discovery.set_directory(directory));
        }
    }
}

impl AlertmanagerConfig {
    fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.AlertmanagerConfig")?;
        let mut one = Self {
            discoveries: Vec::new(),
            client: HttpClientConfig::default(),
            sigv4: false,
            scheme: "http".to_owned(),
            path_prefix: String::new(),
            timeout: Duration::from_secs(10),
            relabel_configs: Vec::new(),
            alert_relabel_configs: Vec::new(),
            position: node.position.into(),
        };
        one.client.take(&mut fields, context)?;
        one.sigv4 = fields.optional("sigv4", context, sigv4)?.is_some();
        fields.set("scheme", &mut one.scheme, context, yaml::string)?;
        fields.set("path_prefix", &mut one.path_prefix, context, yaml::string)?;
        fields.set("timeout", &mut one.timeout, context, duration)?;
        fields.optional("api_version", context, |node, context| {
            match yaml::named_string(node, context, "config.plain")?.as_str() {
                "v2" => Ok(()),
                other => Err(node
                    .refuse(format!("expected Alertmanager api version to be one of [v2] but got {other}"))),
            }
        })?;
        let relabel = Rule::list("empty or null Alertmanager target relabeling rule");
        fields.set("relabel_configs", &mut one.relabel_configs, context, relabel)?;
        let relabel = Rule::list("empty or null Alertmanager alert relabeling rule");
        fields.set("alert_relabel_configs", &mut one.alert_relabel_configs, context, relabel)?;
        one.discoveries = Discovery::take(&mut fields, context)?;
        fields.close(context)?;
        one.client.finish().map_err(|message| node.refuse(message))?;
        let client = &one.client;
        let authenticated =
            client.basic_auth.is_some() || client.authorization.is_some() || client.oauth2.is_some();
        if authenticated && one.sigv4 {
            let message = "at most one of basic_auth, authorization, oauth2, & sigv4 must be configured";
            return Err(node.refuse(message));
        }
        if one.relabel_configs.is_empty() {
            Discovery::check_static_targets(&one.discoveries).map_err(|message| node.refuse(message))?;
        }
        Ok(one)
    }

    fn print(&self) -> Output {
        let mut block = Block::default();
        block.inline(self.client.print());
        block.text("scheme", &self.scheme).text("path_prefix", &self.path_prefix);
        block.duration("timeout", self.timeout).always("api_version", Output::text("v2"));
        block.list("relabel_configs", &self.relabel_configs, Rule::print);
        block.list("alert_relabel_configs", &self.alert_relabel_configs, Rule::print);
        block.inline(Discovery::print(&self.discoveries));
        block.into()
    }
}
