//! The `global` block.

use model::literal::Quoted;
use std::path::Path;
use std::time::Duration;

use exposition::{EscapingScheme, Protocol};
use model::Labels;
use yaml::{Context, Fields, Node, Outcome, Output};

use crate::names::ValidationScheme;
use crate::print::{Block, map};
use crate::read::{check_label_bytes, duration, join_directory, limit, size};
use crate::scrape::{Limits, check_protocols, read_protocols};

/// What holds for every job that says nothing else.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys of the configuration file")]
pub struct GlobalConfig {
    /// Time between two scrapes of a target.
    pub scrape_interval: Duration,
    /// Time that a scrape may take.
    pub scrape_timeout: Duration,
    /// What targets are asked for, best first; `None` follows from `scrape_native_histograms`.
    pub scrape_protocols: Option<Vec<Protocol>>,
    /// Time between two evaluations of a group of rules.
    pub evaluation_interval: Duration,
    /// How far back rules look.
    pub rule_query_offset: Duration,
    /// File for queries.
    pub query_log_file: String,
    /// File for scrapes that failed.
    pub scrape_failure_log_file: String,
    /// Labels that what leaves this server gets.
    pub external_labels: Labels,
    /// What a target may send.
    pub limits: Limits,
    /// Which names are valid.
    pub metric_name_validation_scheme: ValidationScheme,
    /// How targets are asked to escape names, as it was written.
    pub(crate) metric_name_escaping_scheme: String,
    /// Take native histograms.
    pub scrape_native_histograms: bool,
    /// Turn classic histograms into native ones with custom buckets.
    pub convert_classic_histograms_to_nhcb: bool,
    /// Take classic histograms beside native ones.
    pub always_scrape_classic_histograms: bool,
    /// Store timeout, limit and size of each scrape.
    pub extra_scrape_metrics: bool,
}

impl Default for GlobalConfig {
    fn default() -> Self {
        Self {
            scrape_interval: Duration::from_secs(60),
            scrape_timeout: Duration::from_secs(10),
            scrape_protocols: None,
            evaluation_interval: Duration::from_secs(60),
            rule_query_offset: Duration::ZERO,
            query_log_file: String::new(),
            scrape_failure_log_file: String::new(),
            external_labels: Labels::default(),
            limits: Limits::default(),
            metric_name_validation_scheme: ValidationScheme::Utf8,
            metric_name_escaping_scheme: EscapingScheme::AllowUtf8.name().to_owned(),
            scrape_native_histograms: false,
            convert_classic_histograms_to_nhcb: false,
            always_scrape_classic_histograms: false,
            extra_scrape_metrics: false,
        }
    }
}

impl GlobalConfig {
    pub(crate) fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.plain")?;
        let mut global = Self {
            scrape_interval: Duration::ZERO,
            scrape_timeout: Duration::ZERO,
            evaluation_interval: Duration::ZERO,
            metric_name_escaping_scheme: String::new(),
            ..Self::default()
        };
        let mut labels = Vec::new();
        fields.set("scrape_interval", &mut global.scrape_interval, context, duration)?;
        fields.set("scrape_timeout", &mut global.scrape_timeout, context, duration)?;
        let protocols = fields.optional("scrape_protocols", context, read_protocols)?;
        fields.set("evaluation_interval", &mut global.evaluation_interval, context, duration)?;
        fields.set("rule_query_offset", &mut global.rule_query_offset, context, duration)?;
        fields.set("query_log_file", &mut global.query_log_file, context, yaml::string)?;
        fields.set("scrape_failure_log_file", &mut global.scrape_failure_log_file, context, yaml::string)?;
        fields.set("external_labels", &mut labels, context, |node, context| {
            check_label_bytes(node)?;
            yaml::map(node, context, "map[string]string", yaml::string)
        })?;
        global.limits.take(&mut fields, context)?;
        let scheme = fields.optional("metric_name_validation_scheme", context, validation_scheme)?;
        fields.set(
            "metric_name_escaping_scheme",
            &mut global.metric_name_escaping_scheme,
            context,
            yaml::string,
        )?;
        fields.set(
            "scrape_native_histograms",
            &mut global.scrape_native_histograms,
            context,
            yaml::boolean,
        )?;
        let convert = &mut global.convert_classic_histograms_to_nhcb;
        fields.set("convert_classic_histograms_to_nhcb", convert, context, yaml::boolean)?;
        let always = &mut global.always_scrape_classic_histograms;
        fields.set("always_scrape_classic_histograms", always, context, yaml::boolean)?;
        fields.set("extra_scrape_metrics", &mut global.extra_scrape_metrics, context, yaml::boolean)?;
        let labels_position = fields.position("external_labels");
        let timeout_position = fields.position("scrape_timeout");
        let protocols_position = fields.position("scrape_protocols");
        fields.close(context)?;

        let refuse = |position, message| yaml::Failure::Fatal { message, position: Some(position) };
        global.metric_name_validation_scheme = scheme.flatten().unwrap_or_default();
        let valid = |name: &str| global.metric_name_validation_scheme.is_label_name(name);
        if let Some((name, _)) = labels.iter().find(|(name, _)| !valid(name)) {
            let message = format!("{} is not a valid label name", Quoted(name));
            return Err(refuse(labels_position, message));
        }
        global.external_labels = Labels::new(labels);
        let defaults = Self::default();
        if global.scrape_interval.is_zero() {
            global.scrape_interval = defaults.scrape_interval;
        }
        if global.scrape_timeout > global.scrape_interval {
            return Err(refuse(
                timeout_position,
                "global scrape timeout greater than scrape interval".to_owned(),
            ));
        }
        if global.scrape_timeout.is_zero() {
            global.scrape_timeout = defaults.scrape_timeout.min(global.scrape_interval);
        }
        if global.evaluation_interval.is_zero() {
            global.evaluation_interval = defaults.evaluation_interval;
        }
        global.scrape_protocols = protocols
            .map(|written| check_protocols(&written))
            .transpose()
            .map_err(|message| refuse(protocols_position, format!("{message} for global config")))?;
        Ok(global)
    }

    pub(crate) fn print(&self) -> Output {
        let mut block = Block::default();
        block
            .duration("scrape_interval", self.scrape_interval)
            .duration("scrape_timeout", self.scrape_timeout);
        block.list("scrape_protocols", self.scrape_protocols.as_deref().unwrap_or_default(), |protocol| {
            Output::text(protocol.name())
        });
        block.duration("evaluation_interval", self.evaluation_interval);
        block.duration("rule_query_offset", self.rule_query_offset);
        block.text("query_log_file", &self.query_log_file);
        block.text("scrape_failure_log_file", &self.scrape_failure_log_file);
        if !self.external_labels.is_empty() {
            block.always("external_labels", map(&self.external_labels.clone().into_pairs()));
        }
        block.inline(self.limits.print());
        block.text("metric_name_validation_scheme", self.metric_name_validation_scheme.as_str());
        block.text("metric_name_escaping_scheme", &self.metric_name_escaping_scheme);
        block.always("scrape_native_histograms", Output::raw(self.scrape_native_histograms));
        block.flag("convert_classic_histograms_to_nhcb", self.convert_classic_histograms_to_nhcb);
        block.flag("always_scrape_classic_histograms", self.always_scrape_classic_histograms);
        block.always("extra_scrape_metrics", Output::raw(self.extra_scrape_metrics));
        block.into()
    }

    pub(crate) fn set_directory(&mut self, directory: &Path) {
        self.query_log_file = join_directory(directory, &self.query_log_file);
        self.scrape_failure_log_file = join_directory(directory, &self.scrape_failure_log_file);
    }
}

impl Limits {
    pub(crate) fn take(&mut self, fields: &mut Fields<'_>, context: &mut Context) -> Outcome<()> {
        fields.set("body_size_limit", &mut self.body_size, context, size)?;
        fields.set("sample_limit", &mut self.samples, context, limit)?;
        fields.set("target_limit", &mut self.targets, context, limit)?;
        fields.set("label_limit", &mut self.labels, context, limit)?;
        fields.set("label_name_length_limit", &mut self.label_name_length, context, limit)?;
        fields.set("label_value_length_limit", &mut self.label_value_length, context, limit)?;
        fields.set("keep_dropped_targets", &mut self.kept_dropped_targets, context, limit)
    }
}

/// `None` for the empty text: nothing is said.
pub(crate) fn validation_scheme(node: &Node, context: &mut Context) -> Outcome<Option<ValidationScheme>> {
    match yaml::string(node, context)?.as_str() {
        "" => Ok(None),
        "utf8" => Ok(Some(ValidationScheme::Utf8)),
        "legacy" => Ok(Some(ValidationScheme::Legacy)),
        other => Err(node.refuse(format!("unrecognized ValidationScheme: {}", Quoted(other)))),
    }
}
