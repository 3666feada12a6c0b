//! The whole file.

use model::literal::Quoted;
use std::path::Path;

use ::otlp::metrics::{Config as OtlpConfig, Strategy};
use model::Labels;
use yaml::{Context, Dialect, Failure, Fields, Limits, Node, Outcome, Output, Position};

use crate::alerting::AlertingConfig;
use crate::error::{Error, Result};
use crate::global::GlobalConfig;
use crate::names::ValidationScheme;
use crate::otlp_block;
use crate::print::Block;
use crate::read::join_directory;
use crate::remote::{RemoteReadConfig, RemoteWriteConfig};
use crate::scrape::{ScrapeConfig, Written};
use crate::storage::StorageConfig;
use crate::tracing::TracingConfig;

/// What the real one gives Go's collector if nothing is said.
const DEFAULT_GOGC: i64 = 75;

/// A configuration: read, completed with defaults, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What holds for every job.
    pub global: GlobalConfig,
    /// Target percentage of Go's collector; without meaning here.
    pub gogc: i64,
    /// Where alerts go.
    pub alerting: AlertingConfig,
    /// Files of rules; the last part of a path may have a `*`.
    pub rule_files: Vec<String>,
    /// Files of further jobs ([`Config::parse_scrape_config_file`]); the last part of a path may have a `*`.
    pub scrape_config_files: Vec<String>,
    /// Jobs of this file.
    pub scrape_configs: Vec<ScrapeConfig>,
    /// How samples are kept.
    pub storage: StorageConfig,
    /// Where the server's own traces go.
    pub tracing: Option<TracingConfig>,
    /// Where samples are sent as well.
    pub remote_write: Vec<RemoteWriteConfig>,
    /// Where samples are read from as well.
    pub remote_read: Vec<RemoteReadConfig>,
    /// How OTLP becomes series.
    pub otlp: OtlpConfig,
    /// The strategy of `otlp` as it was written.
    pub(crate) otlp_strategy: String,
    /// Top-level keys that are there, with their lines, for [`Config::unsupported`].
    pub(crate) keys: Vec<(String, Position)>,
}

impl Default for Config {
    /// What an empty file says.
    fn default() -> Self {
        Self {
            global: GlobalConfig::default(),
            gogc: DEFAULT_GOGC,
            alerting: AlertingConfig::default(),
            rule_files: Vec::new(),
            scrape_config_files: Vec::new(),
            scrape_configs: Vec::new(),
            storage: StorageConfig::default(),
            tracing: None,
            remote_write: Vec::new(),
            remote_read: Vec::new(),
            otlp: OtlpConfig::default(),
            otlp_strategy: otlp_block::name(Strategy::default()).to_owned(),
            keys: Vec::new(),
        }
    }
}

impl Config {
    /// Reads a configuration. `environment` gives the values of variables that external labels name.
    ///
    /// # Errors
    /// Prometheus' texts; [`Error::line`] says where.
    pub fn parse(text: &str, environment: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut config = yaml::read(text, Dialect::V2, Limits::default(), |node, context| {
            if node.is_null() { Ok(Self::default()) } else { Self::read(node, context) }
        })?;
        let labels = std::mem::take(&mut config.global.external_labels).into_pairs();
        config.global.external_labels =
            labels.into_iter().map(|(name, value)| (name, expand(&value, &environment))).collect::<Labels>();
        Ok(config)
    }

    fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.plain")?;
        let mut config = Self::default();
        // An empty block says nothing.
        if let Some(global) = fields.optional("global", context, GlobalConfig::read)? {
            config.global = global;
        }
        fields.optional("runtime", context, |node, context| {
            let mut fields = Fields::open(node, context, "config.RuntimeConfig")?;
            let mut gogc = DEFAULT_GOGC;
            fields.set("gogc", &mut gogc, context, |node, context| yaml::integer(node, context, "int"))?;
            fields.close(context)?;
            config.gogc = if gogc == 0 { DEFAULT_GOGC } else { gogc };
            Ok(())
        })?;
        fields.set("alerting", &mut config.alerting, context, AlertingConfig::read)?;
        fields.set("rule_files", &mut config.rule_files, context, yaml::strings)?;
        fields.set("scrape_config_files", &mut config.scrape_config_files, context, yaml::strings)?;
        let jobs = fields.optional("scrape_configs", context, read_jobs)?.unwrap_or_default();
        fields.set("storage", &mut config.storage, context, StorageConfig::read)?;
        config.tracing = fields.optional("tracing", context, TracingConfig::read)?;
        fields.set("remote_write", &mut config.remote_write, context, |node, context| {
            yaml::list(node, context, "[]*config.RemoteWriteConfig", RemoteWriteConfig::read)
        })?;
        fields.set("remote_read", &mut config.remote_read, context, |node, context| {
            yaml::list(node, context, "[]*config.RemoteReadConfig", RemoteReadConfig::read)
        })?;
        let null_otlp = fields.node("otlp").is_some_and(Node::is_null);
        let mut otlp = fields.optional("otlp", context, otlp_block::read)?;
        if null_otlp {
            otlp = Some((otlp_block::null(), String::new()));
        }
        let positions = ["rule_files", "scrape_config_files", "otlp"].map(|name| fields.position(name));
        fields.close(context)?;
        config.keys = node
            .entries()
            .iter()
            .filter_map(|entry| entry.key.text().map(|text| (text.to_string(), entry.key.position)))
            .collect();
        config.complete(jobs, otlp, positions)?;
        Ok(config)
    }

    /// Checks what blocks say together.
    fn complete(
        &mut self,
        jobs: Vec<Written>,
        otlp: Option<(OtlpConfig, String)>,
        [rules_at, jobs_at, otlp_at]: [Position; 3],
    ) -> Outcome<()> {
        let refuse = |message: String, position| Failure::Fatal { message, position: Some(position) };
        let quoted = |text: &str| Quoted(text).to_string();
        if let Some(path) = self.rule_files.iter().find(|path| !is_rule_path(path)) {
            return Err(refuse(format!("invalid rule file path {}", quoted(path)), rules_at));
        }
        if let Some(path) = self.scrape_config_files.iter().find(|path| !is_rule_path(path)) {
            return Err(refuse(format!("invalid scrape config file path {}", quoted(path)), jobs_at));
        }
        for written in jobs {
            let position = written.position();
            let job = written.complete(&self.global).map_err(|message| refuse(message, position))?;
            if self.scrape_configs.iter().any(|other| other.job_name == job.job_name) {
                let message =
                    format!("found multiple scrape configs with job name {}", quoted(&job.job_name));
                return Err(refuse(message, position));
            }
            self.scrape_configs.push(job);
        }
        let scheme = self.global.metric_name_validation_scheme;
        let at = |(message, position)| refuse(message, position);
        self.alerting.validate(scheme).map_err(at)?;
        let writes = self.remote_write.iter().map(|remote| (remote.name.as_str(), remote.position.get()));
        if let Some((name, position)) = repeated(writes) {
            let message = format!("found multiple remote write configs with job name {}", quoted(name));
            return Err(refuse(message, position));
        }
        for remote in &mut self.remote_write {
            remote.validate(scheme).map_err(at)?;
        }
        let reads = self.remote_read.iter().map(|remote| (remote.name.as_str(), remote.position.get()));
        if let Some((name, position)) = repeated(reads) {
            let message = format!("found multiple remote read configs with job name {}", quoted(name));
            return Err(refuse(message, position));
        }
        let Some((otlp, strategy)) = otlp else { return Ok(()) };
        self.otlp = otlp;
        let keeps_utf8 = matches!(strategy.as_str(), "NoTranslation" | "NoUTF8EscapingWithSuffixes");
        if keeps_utf8 && scheme == ValidationScheme::Legacy {
            let strategy = quoted(&strategy);
            let message =
                format!("OTLP translation strategy {strategy} is not allowed when UTF8 is disabled");
            return Err(refuse(message, otlp_at));
        }
        self.otlp.translation_strategy = match strategy.as_str() {
            "" => Strategy::default(),
            text => text.parse().map_err(|message| refuse(message, otlp_at))?,
        };
        self.otlp_strategy = strategy;
        Ok(())
    }

    /// Reads a file that `scrape_config_files` names: jobs, completed from this configuration.
    ///
    /// # Errors
    /// As [`Config::parse`]; also for a job whose name stands in `others`, names with the file that has them.
    pub fn parse_scrape_config_file(
        &self,
        file: &Path,
        text: &str,
        others: &[(String, String)],
    ) -> Result<Vec<ScrapeConfig>> {
        let written = yaml::read(text, Dialect::V2, Limits::default(), |node, context| {
            let mut fields = Fields::open(node, context, "config.ScrapeConfigs")?;
            let jobs = fields.optional("scrape_configs", context, read_jobs)?.unwrap_or_default();
            fields.close(context)?;
            Ok(jobs)
        })?;
        let mut jobs: Vec<ScrapeConfig> = Vec::new();
        for written in written {
            let position = Some(written.position());
            let refuse = |message| Error::Yaml(yaml::Error::Refused { message, position });
            let job = written.complete(&self.global).map_err(refuse)?;
            let first = others.iter().find(|(name, _)| *name == job.job_name).map(|(_, file)| file.as_str());
            let file = format!("{}", Quoted(file.to_string_lossy().as_bytes()));
            let own = jobs.iter().any(|other| other.job_name == job.job_name).then_some(file.as_str());
            if let Some(file) = first.or(own) {
                let name = Quoted(&job.job_name);
                let message =
                    format!("found multiple scrape configs with job name {name}, first found in {file}");
                return Err(refuse(message));
            }
            jobs.push(job);
        }
        Ok(jobs)
    }

    /// Resolves every relative path against the directory of the configuration.
    pub fn set_directory(&mut self, directory: &Path) {
        self.global.set_directory(directory);
        self.alerting.set_directory(directory);
        if let Some(tracing) = &mut self.tracing {
            tracing.set_directory(directory);
        }
        for path in self.rule_files.iter_mut().chain(&mut self.scrape_config_files) {
            *path = join_directory(directory, path);
        }
        self.scrape_configs.iter_mut().for_each(|job| job.set_directory(directory));
        self.remote_write.iter_mut().for_each(|remote| remote.set_directory(directory));
        self.remote_read.iter_mut().for_each(|remote| remote.set_directory(directory));
    }

    /// The configuration as `/api/v1/status/config` shows it: with defaults, without secrets.
    pub fn print(&self) -> String {
        let mut block = Block::default();
        block.always("global", self.global.print());
        let mut runtime = Block::default();
        runtime.signed("gogc", self.gogc);
        block.block("runtime", runtime);
        block.block("alerting", self.alerting.print());
        block.texts("rule_files", &self.rule_files).texts("scrape_config_files", &self.scrape_config_files);
        block.list("scrape_configs", &self.scrape_configs, ScrapeConfig::print);
        block.block("storage", self.storage.print());
        if let Some(tracing) = &self.tracing {
            block.block("tracing", tracing.print());
        }
        block.list("remote_write", &self.remote_write, RemoteWriteConfig::print);
        block.list("remote_read", &self.remote_read, RemoteReadConfig::print);
        block.block("otlp", otlp_block::print(&self.otlp, &self.otlp_strategy));
        Output::from(block).document()
    }
}

fn read_jobs(node: &Node, context: &mut Context) -> Outcome<Vec<Written>> {
    yaml::list(node, context, "[]*config.ScrapeConfig", |node, context| {
        if node.is_null() {
            return Err(context.refuse_later(node.position, "empty or null scrape config section"));
        }
        Written::read(node, context)
    })
}

/// A path whose last part alone may have a `*`, and one at most.
fn is_rule_path(path: &str) -> bool {
    path.split_once('*').is_none_or(|(_, after)| !after.contains('/'))
}

/// The first name that was there before; the empty one may be there any number of times.
fn repeated<'n>(names: impl Iterator<Item = (&'n str, Position)>) -> Option<(&'n str, Position)> {
    let mut seen = std::collections::HashSet::new();
    names.into_iter().find(|(name, _)| !name.is_empty() && !seen.insert(*name))
}

/// `$NAME` and `${NAME}` become values of variables; a variable that is not set becomes nothing, `$$` a `$`.
fn expand(text: &str, environment: &impl Fn(&str) -> Option<String>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        expanded.push_str(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
            continue;
        }
        let (name, after) = match rest.strip_prefix('{') {
            Some(inner) => match inner.find('}') {
                Some(end) => (&inner[..end], &inner[end + 1..]),
                None => ("", inner),
            },
            None => rest
                .split_at(rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())),
        };
        if name.is_empty() && !rest.starts_with('{') {
            expanded.push('$');
        }
        if name == "$" {
            expanded.push('$');
        } else if !name.is_empty() {
            expanded.push_str(&environment(name).unwrap_or_default());
        }
        rest = after;
    }
    expanded.push_str(rest);
    expanded
}
