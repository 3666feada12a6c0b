//! A job of `scrape_configs`.

use model::literal::Quoted;
use std::path::Path;
use std::time::Duration;

use exposition::{EscapingScheme, Protocol};
use yaml::{Context, Fields, Node, Outcome, Output, Position};

use crate::discovery::Discovery;
use crate::global::{GlobalConfig, validation_scheme};
use crate::http_client::HttpClientConfig;
use crate::names::ValidationScheme;
use crate::place::Place;
use crate::print::Block;
use crate::read::{duration, join_directory, limit};
use crate::relabel::Rule;

fn parse_protocol(text: &str) -> Result<Protocol, String> {
    Protocol::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = Protocol::ALL.into_iter().map(Protocol::name).collect();
        format!("unknown scrape protocol {text}, supported: [{}]", names.join(" "))
    })
}

/// Protocols as they are written: whether they are any is decided with the whole job.
pub(crate) fn read_protocols(node: &Node, context: &mut Context) -> Outcome<Vec<String>> {
    yaml::list(node, context, "[]config.ScrapeProtocol", |node, context| {
        yaml::named_string(node, context, "config.ScrapeProtocol")
    })
}

pub(crate) fn check_protocols(written: &[String]) -> Result<Vec<Protocol>, String> {
    if written.is_empty() {
        return Err("scrape_protocols cannot be empty".to_owned());
    }
    let mut protocols = Vec::with_capacity(written.len());
    for (index, text) in written.iter().enumerate() {
        if written[..index].iter().any(|other| other.eq_ignore_ascii_case(text)) {
            return Err(format!("duplicated protocol in scrape_protocols, got [{}]", written.join(" ")));
        }
        protocols.push(parse_protocol(text).map_err(|message| format!("scrape_protocols: {message}"))?);
    }
    Ok(protocols)
}

/// What a target may send, and how many targets there may be. 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Bytes of a body, uncompressed.
    pub body_size: i64,
    /// Samples of a scrape, after relabelling.
    pub samples: u64,
    /// Targets of a job, after relabelling.
    pub targets: u64,
    /// Labels of a series.
    pub labels: u64,
    /// Bytes of a label's name.
    pub label_name_length: u64,
    /// Bytes of a label's value.
    pub label_value_length: u64,
    /// Dropped targets that are remembered for `/api/v1/targets`.
    pub kept_dropped_targets: u64,
}

impl Limits {
    /// Fills what is not said.
    fn inherit(&mut self, global: &Self) {
        fn or<T: Default + PartialEq + Copy>(own: &mut T, other: T) {
            if *own == T::default() {
                *own = other;
            }
        }
        or(&mut self.body_size, global.body_size);
        or(&mut self.samples, global.samples);
        or(&mut self.targets, global.targets);
        or(&mut self.labels, global.labels);
        or(&mut self.label_name_length, global.label_name_length);
        or(&mut self.label_value_length, global.label_value_length);
        or(&mut self.kept_dropped_targets, global.kept_dropped_targets);
    }

    pub(crate) fn print(&self) -> Block {
        let mut block = self.print_sizes();
        block.number("keep_dropped_targets", self.kept_dropped_targets);
        block
    }

    /// All but `keep_dropped_targets`, which a job prints further below.
    fn print_sizes(&self) -> Block {
        let mut block = Block::default();
        block.size("body_size_limit", self.body_size).number("sample_limit", self.samples);
        block.number("target_limit", self.targets).number("label_limit", self.labels);
        block.number("label_name_length_limit", self.label_name_length);
        block.number("label_value_length_limit", self.label_value_length);
        block
    }
}

/// A job: targets that are scraped in the same way. What the file leaves open is filled in from `global`.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys of the configuration file")]
pub struct ScrapeConfig {
    /// The job's name.
    pub job_name: String,
    /// Labels of what was scraped win over those of the target.
    pub honor_labels: bool,
    /// Timestamps of what was scraped are kept.
    pub honor_timestamps: bool,
    /// Series with timestamps of their own go stale as well.
    pub track_timestamps_staleness: bool,
    /// Parameters of the request, by name.
    pub params: Vec<(String, Vec<String>)>,
    /// Time between two scrapes.
    pub scrape_interval: Duration,
    /// Time that a scrape may take.
    pub scrape_timeout: Duration,
    /// What targets are asked for, best first.
    pub scrape_protocols: Vec<Protocol>,
    /// What an answer is taken for that does not say what it is.
    pub fallback_scrape_protocol: Option<Protocol>,
    /// Take native histograms.
    pub scrape_native_histograms: bool,
    /// Take classic histograms beside native ones.
    pub always_scrape_classic_histograms: bool,
    /// Turn classic histograms into native ones with custom buckets.
    pub convert_classic_histograms_to_nhcb: bool,
    /// File for scrapes that failed.
    pub scrape_failure_log_file: String,
    /// Path of the request.
    pub metrics_path: String,
    /// `http` or `https`.
    pub scheme: String,
    /// Ask for a compressed answer.
    pub enable_compression: bool,
    /// What a target may send.
    pub limits: Limits,
    /// Most buckets of a native histogram; those with more lose resolution. 0 is no limit.
    pub native_histogram_bucket_limit: u64,
    /// Least factor between buckets of a native histogram; those with a smaller one lose resolution. 0 is no limit.
    pub native_histogram_min_bucket_factor: f64,
    /// Which names are valid.
    pub metric_name_validation_scheme: ValidationScheme,
    /// How targets are asked to escape names.
    pub metric_name_escaping_scheme: EscapingScheme,
    /// Store timeout, limit and size of each scrape.
    pub extra_scrape_metrics: bool,
    /// How targets are reached.
    pub client: HttpClientConfig,
    /// Rules over the labels of targets.
    pub relabel_configs: Vec<Rule>,
    /// Rules over the labels of what was scraped.
    pub metric_relabel_configs: Vec<Rule>,
    /// Where targets come from.
    pub discoveries: Vec<Discovery>,
    /// Where the job stands in the file.
    pub position: Place,
}

/// A job as it is written, before what it leaves open is filled in.
pub(crate) struct Written {
    config: ScrapeConfig,
    protocols: Option<Vec<String>>,
    fallback: String,
    native: Option<bool>,
    classic: Option<bool>,
    convert: Option<bool>,
    extra: Option<bool>,
    validation: Option<ValidationScheme>,
    escaping: String,
}

impl Written {
    pub(crate) fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.ScrapeConfig")?;
        let mut config = ScrapeConfig::empty(node.position);
        fields.set("job_name", &mut config.job_name, context, yaml::string)?;
        fields.set("honor_labels", &mut config.honor_labels, context, yaml::boolean)?;
        fields.set("honor_timestamps", &mut config.honor_timestamps, context, yaml::boolean)?;
        fields.set(
            "track_timestamps_staleness",
            &mut config.track_timestamps_staleness,
            context,
            yaml::boolean,
        )?;
        fields.set("params", &mut config.params, context, |node, context| {
            let mut params = yaml::map(node, context, "url.Values", yaml::strings)?;
            params.sort();
            Ok(params)
        })?;
        fields.set("scrape_interval", &mut config.scrape_interval, context, duration)?;
        fields.set("scrape_timeout", &mut config.scrape_timeout, context, duration)?;
        let protocols = fields.optional("scrape_protocols", context, read_protocols)?;
        let mut fallback = String::new();
        fields.set("fallback_scrape_protocol", &mut fallback, context, |node, context| {
            yaml::named_string(node, context, "config.ScrapeProtocol")
        })?;
        let native = fields.optional("scrape_native_histograms", context, yaml::boolean)?;
        let classic = fields.optional("always_scrape_classic_histograms", context, yaml::boolean)?;
        let convert = fields.optional("convert_classic_histograms_to_nhcb", context, yaml::boolean)?;
        fields.set("scrape_failure_log_file", &mut config.scrape_failure_log_file, context, yaml::string)?;
        fields.set("metrics_path", &mut config.metrics_path, context, yaml::string)?;
        fields.set("scheme", &mut config.scheme, context, yaml::string)?;
        fields.set("enable_compression", &mut config.enable_compression, context, yaml::boolean)?;
        config.limits.take(&mut fields, context)?;
        fields.set(
            "native_histogram_bucket_limit",
            &mut config.native_histogram_bucket_limit,
            context,
            limit,
        )?;
        let factor = &mut config.native_histogram_min_bucket_factor;
        fields.set("native_histogram_min_bucket_factor", factor, context, yaml::float)?;
        let validation =
            fields.optional("metric_name_validation_scheme", context, validation_scheme)?.flatten();
        let mut escaping = String::new();
        fields.set("metric_name_escaping_scheme", &mut escaping, context, yaml::string)?;
        let extra = fields.optional("extra_scrape_metrics", context, yaml::boolean)?;
        config.client.take(&mut fields, context)?;
        let relabel = Rule::list("empty or null target relabeling rule in scrape config");
        fields.set("relabel_configs", &mut config.relabel_configs, context, relabel)?;
        let relabel = Rule::list("empty or null metric relabeling rule in scrape config");
        fields.set("metric_relabel_configs", &mut config.metric_relabel_configs, context, relabel)?;
        config.discoveries = Discovery::take(&mut fields, context)?;
        let static_position = fields.position("static_configs");
        fields.close(context)?;
        if config.job_name.is_empty() {
            return Err(node.refuse("job_name is empty"));
        }
        config.client.finish().map_err(|message| node.refuse(message))?;
        if config.relabel_configs.is_empty() {
            Discovery::check_static_targets(&config.discoveries)
                .map_err(|message| yaml::Failure::Fatal { message, position: Some(static_position) })?;
        }
        Ok(Self { config, protocols, fallback, native, classic, convert, extra, validation, escaping })
    }

    /// Fills in what is left open, and checks the whole.
    pub(crate) fn complete(self, global: &GlobalConfig) -> Result<ScrapeConfig, String> {
        let mut config = self.config;
        let job = Quoted(&config.job_name);
        if config.scrape_interval.is_zero() {
            config.scrape_interval = global.scrape_interval;
        }
        if config.scrape_timeout > config.scrape_interval {
            return Err(format!(
                "scrape timeout greater than scrape interval for scrape config with job name {job}"
            ));
        }
        if config.scrape_timeout.is_zero() {
            config.scrape_timeout = global.scrape_timeout.min(config.scrape_interval);
        }
        config.limits.inherit(&global.limits);
        if config.scrape_failure_log_file.is_empty() {
            config.scrape_failure_log_file.clone_from(&global.scrape_failure_log_file);
        }
        config.scrape_native_histograms = self.native.unwrap_or(global.scrape_native_histograms);
        config.extra_scrape_metrics = self.extra.unwrap_or(global.extra_scrape_metrics);
        config.convert_classic_histograms_to_nhcb =
            self.convert.unwrap_or(global.convert_classic_histograms_to_nhcb);
        config.always_scrape_classic_histograms =
            self.classic.unwrap_or(global.always_scrape_classic_histograms);
        let own = self.protocols.map(|written| check_protocols(&written)).transpose();
        let own = own.map_err(|message| format!("{message} for scrape config with job name {job}"))?;
        config.scrape_protocols = match (own, &global.scrape_protocols) {
            (Some(own), _) => own,
            (None, Some(global)) => global.clone(),
            (None, None) if config.scrape_native_histograms => Protocol::DEFAULT_PROTO_FIRST.to_vec(),
            (None, None) => Protocol::DEFAULT.to_vec(),
        };
        if !self.fallback.is_empty() {
            let parsed = parse_protocol(&self.fallback);
            config.fallback_scrape_protocol = Some(parsed.map_err(|message| {
                format!("invalid fallback_scrape_protocol for scrape config with job name {job}: {message}")
            })?);
        }
        config.metric_name_validation_scheme =
            self.validation.unwrap_or(global.metric_name_validation_scheme);
        config.metric_name_escaping_scheme =
            escaping(self.validation, config.metric_name_validation_scheme, &self.escaping, global)?;
        for rule in config.relabel_configs.iter_mut().chain(&mut config.metric_relabel_configs) {
            rule.validate(config.metric_name_validation_scheme)?;
        }
        Ok(config)
    }

    pub(crate) fn position(&self) -> Position {
        self.config.position.get()
    }
}

/// What follows from the validation where nothing is said.
fn inferred(validation: ValidationScheme) -> EscapingScheme {
    match validation {
        ValidationScheme::Utf8 => EscapingScheme::AllowUtf8,
        ValidationScheme::Legacy => EscapingScheme::Underscores,
    }
}

fn escaping(
    own_validation: Option<ValidationScheme>,
    validation: ValidationScheme,
    written: &str,
    global: &GlobalConfig,
) -> Result<EscapingScheme, String> {
    let unknown = |whose: &str, got: &str| {
        let got = Quoted(got);
        format!(
            "unknown {whose} name escaping method specified, must be one of 'allow-utf-8', 'underscores', 'dots', or \
             'values', got {got}"
        )
    };
    let of_global = match global.metric_name_escaping_scheme.as_str() {
        "" => inferred(global.metric_name_validation_scheme),
        text => EscapingScheme::from_name(text).ok_or_else(|| unknown("global", text))?,
    };
    // A job that only asks for legacy names does not inherit that UTF-8 is allowed.
    let scheme = match (written, own_validation) {
        ("", None) => of_global,
        ("", Some(own)) => inferred(own),
        (text, _) => EscapingScheme::from_name(text).ok_or_else(|| unknown("scrape config", text))?,
    };
    if scheme == EscapingScheme::AllowUtf8 && validation != ValidationScheme::Utf8 {
        return Err("utf8 metric names requested but validation scheme is not set to UTF8".to_owned());
    }
    Ok(scheme)
}

impl ScrapeConfig {
    /// A job that says nothing but its name, with Prometheus' defaults.
    pub fn new(job_name: impl Into<String>) -> Self {
        let global = GlobalConfig::default();
        Self {
            job_name: job_name.into(),
            scrape_interval: global.scrape_interval,
            scrape_timeout: global.scrape_timeout,
            ..Self::empty(Position { line: 1, column: 1 })
        }
    }

    fn empty(position: Position) -> Self {
        Self {
            job_name: String::new(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            params: Vec::new(),
            scrape_interval: Duration::ZERO,
            scrape_timeout: Duration::ZERO,
            scrape_protocols: Protocol::DEFAULT.to_vec(),
            fallback_scrape_protocol: None,
            scrape_native_histograms: false,
            always_scrape_classic_histograms: false,
            convert_classic_histograms_to_nhcb: false,
            scrape_failure_log_file: String::new(),
            metrics_path: "/metrics".to_owned(),
            scheme: "http".to_owned(),
            enable_compression: true,
            limits: Limits::default(),
            native_histogram_bucket_limit: 0,
            native_histogram_min_bucket_factor: 0.0,
            metric_name_validation_scheme: ValidationScheme::Utf8,
            metric_name_escaping_scheme: EscapingScheme::AllowUtf8,
            extra_scrape_metrics: false,
            client: HttpClientConfig::default(),
            relabel_configs: Vec::new(),
            metric_relabel_configs: Vec::new(),
            discoveries: Vec::new(),
            position: position.into(),
        }
    }

    /// The job as YAML: with defaults, without secrets.
    pub fn document(&self) -> String {
        self.print().document()
    }

    pub(crate) fn print(&self) -> Output {
        let mut block = Block::default();
        block.always("job_name", Output::text(&self.job_name)).flag("honor_labels", self.honor_labels);
        block.always("honor_timestamps", Output::raw(self.honor_timestamps));
        block.always("track_timestamps_staleness", Output::raw(self.track_timestamps_staleness));
        if !self.params.is_empty() {
            let params = self.params.iter().map(|(name, values)| (name.clone(), Output::texts(values)));
            block.always("params", Output::Map(params.collect()));
        }
        block
            .duration("scrape_interval", self.scrape_interval)
            .duration("scrape_timeout", self.scrape_timeout);
        block.list("scrape_protocols", &self.scrape_protocols, |protocol| Output::text(protocol.name()));
        if let Some(fallback) = self.fallback_scrape_protocol {
            block.text("fallback_scrape_protocol", fallback.name());
        }
        block.always("scrape_native_histograms", Output::raw(self.scrape_native_histograms));
        block.always("always_scrape_classic_histograms", Output::raw(self.always_scrape_classic_histograms));
        block.always(
            "convert_classic_histograms_to_nhcb",
            Output::raw(self.convert_classic_histograms_to_nhcb),
        );
        block.text("scrape_failure_log_file", &self.scrape_failure_log_file);
        block.text("metrics_path", &self.metrics_path).text("scheme", &self.scheme);
        block.always("enable_compression", Output::raw(self.enable_compression));
        block.inline(self.limits.print_sizes());
        block.number("native_histogram_bucket_limit", self.native_histogram_bucket_limit);
        block.float("native_histogram_min_bucket_factor", self.native_histogram_min_bucket_factor);
        block.number("keep_dropped_targets", self.limits.kept_dropped_targets);
        block.text("metric_name_validation_scheme", self.metric_name_validation_scheme.as_str());
        block.text("metric_name_escaping_scheme", self.metric_name_escaping_scheme.name());
        block.always("extra_scrape_metrics", Output::raw(self.extra_scrape_metrics));
        block.inline(self.client.print());
        block.list("relabel_configs", &self.relabel_configs, Rule::print);
        block.list("metric_relabel_configs", &self.metric_relabel_configs, Rule::print);
        block.inline(Discovery::print(&self.discoveries));
        block.into()
    }

    /// Resolves every relative path against the directory of the file that the job stands in.
    pub fn set_directory(&mut self, directory: &Path) {
        self.client.set_directory(directory);
        self.discoveries.iter_mut().for_each(|discovery| discovery.set_directory(directory));
        self.scrape_failure_log_file = join_directory(directory, &self.scrape_failure_log_file);
    }
}
