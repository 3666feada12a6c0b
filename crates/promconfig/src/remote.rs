//! `remote_write` and `remote_read`. The embedded engine does neither, and says so; the blocks are checked nevertheless,
//! since one file serves both engines.

use std::path::Path;
use std::time::Duration;

use yaml::{Context, Fields, Node, Outcome, Output, Position};

use crate::http_client::HttpClientConfig;
use crate::names::ValidationScheme;
use crate::place::Place;
use crate::print::Block;
use crate::read::{duration, label_set, sigv4, sorted_map, url};
use crate::relabel::Rule;
use crate::url::Url;

/// Headers that the server sets itself.
pub(crate) fn is_reserved_header(name: &str) -> bool {
    const RESERVED: [&str; 16] = [
        "host",
        "content-encoding",
        "content-length",
        "content-type",
        "user-agent",
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "www-authenticate",
        "accept-encoding",
        "x-prometheus-remote-write-version",
        "x-prometheus-remote-read-version",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-content-sha256",
    ];
    RESERVED.contains(&name.to_ascii_lowercase().as_str())
}

fn check_headers(headers: &[(String, String)]) -> Result<(), String> {
    for (name, _) in headers {
        if name.eq_ignore_ascii_case("authorization") {
            return Err("authorization header must be changed via the basic_auth, authorization, oauth2, sigv4, azuread \
                        or google_iam parameter"
                .to_owned());
        }
        if is_reserved_header(name) {
            return Err(format!("{name} is a reserved header. It must not be changed"));
        }
    }
    Ok(())
}

/// Where samples are sent as well.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "these are the keys of the configuration file")]
pub struct RemoteWriteConfig {
    /// Where to.
    pub url: Url,
    /// Time that a request may take.
    pub remote_timeout: Duration,
    /// Headers, by name.
    pub headers: Vec<(String, String)>,
    /// Rules over the labels of what is sent.
    pub write_relabel_configs: Vec<Rule>,
    /// A name for logs.
    pub name: String,
    /// Send exemplars.
    pub send_exemplars: bool,
    /// Send native histograms.
    pub send_native_histograms: bool,
    /// Ask for all addresses of the name.
    pub round_robin_dns: bool,
    /// The message: `prometheus.WriteRequest` or `io.prometheus.write.v2.Request`.
    pub protobuf_message: String,
    /// Log requests that failed.
    pub failed_request_logging: bool,
    /// How the server is reached.
    pub client: HttpClientConfig,
    /// The queue.
    pub queue: QueueConfig,
    /// Send metadata, how often, and how much at once.
    pub metadata: (bool, Duration, i64),
    /// Where the block stands in the file.
    pub position: Place,
}

/// The queue of a remote write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueConfig {
    /// Samples that wait in a shard.
    pub capacity: i64,
    /// Most shards.
    pub max_shards: i64,
    /// Least shards.
    pub min_shards: i64,
    /// Most samples of a request.
    pub max_samples_per_send: i64,
    /// Time that a sample waits for others.
    pub batch_send_deadline: Duration,
    /// First wait after a failure.
    pub min_backoff: Duration,
    /// Longest wait after failures.
    pub max_backoff: Duration,
    /// Try again when the server is busy.
    pub retry_on_http_429: bool,
    /// Age at which samples are given up.
    pub sample_age_limit: Duration,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            capacity: 10_000,
            max_shards: 50,
            min_shards: 1,
            max_samples_per_send: 2000,
            batch_send_deadline: Duration::from_secs(5),
            min_backoff: Duration::from_millis(30),
            max_backoff: Duration::from_secs(5),
            retry_on_http_429: false,
            sample_age_limit: Duration::ZERO,
        }
    }
}

impl QueueConfig {
    fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.QueueConfig")?;
        let mut queue = Self::default();
        let integers: [(&'static str, &mut i64); 4] = [
            ("capacity", &mut queue.capacity),
            ("max_shards", &mut queue.max_shards),
            ("min_shards", &mut queue.min_shards),
            ("max_samples_per_send", &mut queue.max_samples_per_send),
        ];
        for (name, value) in integers {
            fields.set(name, value, context, |node, context| yaml::integer(node, context, "int"))?;
        }
        fields.set("batch_send_deadline", &mut queue.batch_send_deadline, context, duration)?;
        fields.set("min_backoff", &mut queue.min_backoff, context, duration)?;
        fields.set("max_backoff", &mut queue.max_backoff, context, duration)?;
        fields.set("retry_on_http_429", &mut queue.retry_on_http_429, context, yaml::boolean)?;
        fields.set("sample_age_limit", &mut queue.sample_age_limit, context, duration)?;
        fields.close(context)?;
        Ok(queue)
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.max_shards <= 0 {
            return Err("remote write queue max_shards must be positive");
        }
        if self.min_shards <= 0 {
            return Err("remote write queue min_shards must be positive");
        }
        if self.min_shards > self.max_shards {
            return Err("remote write queue min_shards must not be greater than max_shards");
        }
        if self.max_samples_per_send <= 0 {
            return Err("remote write queue max_samples_per_send must be positive");
        }
        if self.capacity <= 0 {
            return Err("remote write queue capacity must be positive");
        }
        if self.max_backoff < self.min_backoff {
            return Err("remote write queue max_backoff must not be less than min_backoff");
        }
        Ok(())
    }

    fn print(&self) -> Block {
        let mut block = Block::default();
        block.signed("capacity", self.capacity).signed("max_shards", self.max_shards);
        block.signed("min_shards", self.min_shards).signed("max_samples_per_send", self.max_samples_per_send);
        block.duration("batch_send_deadline", self.batch_send_deadline);
        block.duration("min_backoff", self.min_backoff).duration("max_backoff", self.max_backoff);
        block
            .flag("retry_on_http_429", self.retry_on_http_429)
            .duration("sample_age_limit", self.sample_age_limit);
        block
    }
}

const MESSAGES: [&str; 2] = ["prometheus.WriteRequest", "io.prometheus.write.v2.Request"];

impl RemoteWriteConfig {
    pub(crate) fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        if node.is_null() {
            return Err(context.refuse_later(node.position, "empty or null remote write config section"));
        }
        let mut fields = Fields::open(node, context, "config.plain")?;
        let address = fields.optional("url", context, url)?;
        let mut client = HttpClientConfig::default();
        client.enable_http2 = false;
        client.take(&mut fields, context)?;
        let mut remote_timeout = Duration::from_secs(30);
        let mut headers = Vec::new();
        let mut rules = Vec::new();
        let mut texts = [String::new(), MESSAGES[0].to_owned()];
        let mut flags = [false; 4];
        let mut queue = QueueConfig::default();
        let mut metadata = (true, Duration::from_secs(60), 2000);
        fields.set("remote_timeout", &mut remote_timeout, context, duration)?;
        fields.set("headers", &mut headers, context, sorted_map)?;
        let relabel = Rule::list("empty or null relabeling rule in remote write config");
        fields.set("write_relabel_configs", &mut rules, context, relabel)?;
        for (name, value) in ["name", "protobuf_message"].into_iter().zip(&mut texts) {
            fields.set(name, value, context, yaml::string)?;
        }
        let names = ["send_exemplars", "send_native_histograms", "round_robin_dns", "failed_request_logging"];
        for (name, value) in names.into_iter().zip(&mut flags) {
            fields.set(name, value, context, yaml::boolean)?;
        }
        fields.set("queue_config", &mut queue, context, QueueConfig::read)?;
        fields.optional("metadata_config", context, |node, context| {
            read_metadata(node, context, &mut metadata)
        })?;
        let mut signed = Vec::new();
        for name in ["sigv4", "azuread", "google_iam"] {
            let read = if name == "sigv4" { sigv4 } else { yaml::skip };
            if fields.optional(name, context, read)?.is_some() {
                signed.push(name);
            }
        }
        let headers_position = fields.position("headers");
        // Null empties the block, its defaults included.
        if fields.node("queue_config").is_some_and(Node::is_null) {
            queue.max_shards = 0;
        }
        let queue_position = fields.position("queue_config");
        fields.close(context)?;
        let Some(address) = address else { return Err(node.refuse("url for remote_write is empty")) };
        let refuse = |position| move |message| yaml::Failure::Fatal { message, position: Some(position) };
        check_headers(&headers).map_err(refuse(headers_position))?;
        let [name, protobuf_message] = texts;
        if !MESSAGES.contains(&protobuf_message.as_str()) {
            return Err(node.refuse(format!(
                "invalid protobuf_message value: unknown type for remote write protobuf message {protobuf_message}, supported: {}",
                MESSAGES.join(", ")
            )));
        }
        client.finish().map_err(|message| node.refuse(message))?;
        queue.check().map_err(str::to_owned).map_err(refuse(queue_position))?;
        let own = [
            ("basic_auth", client.basic_auth.is_some()),
            ("authorization", client.authorization.is_some()),
            ("oauth2", client.oauth2.is_some()),
        ];
        let ways: Vec<&str> =
            own.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).chain(signed).collect();
        if ways.len() > 1 {
            return Err(node.refuse(format!(
                "at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured. \
                 Currently configured: [{}]",
                ways.join(" ")
            )));
        }
        let [send_exemplars, send_native_histograms, round_robin_dns, failed_request_logging] = flags;
        Ok(Self {
            url: address,
            remote_timeout,
            headers,
            write_relabel_configs: rules,
            name,
            send_exemplars,
            send_native_histograms,
            round_robin_dns,
            protobuf_message,
            failed_request_logging,
            client,
            queue,
            metadata,
            position: node.position.into(),
        })
    }

    pub(crate) fn validate(&mut self, scheme: ValidationScheme) -> Result<(), (String, Position)> {
        for rule in &mut self.write_relabel_configs {
            rule.validate(scheme).map_err(|message| (message, rule.position))?;
        }
        Ok(())
    }

    pub(crate) fn print(&self) -> Output {
        let mut block = Block::default();
        block.url("url", Some(&self.url)).duration("remote_timeout", self.remote_timeout);
        block.pairs("headers", &self.headers).list(
            "write_relabel_configs",
            &self.write_relabel_configs,
            Rule::print,
        );
        block.text("name", &self.name).flag("send_exemplars", self.send_exemplars);
        block.flag("send_native_histograms", self.send_native_histograms);
        block.flag("round_robin_dns", self.round_robin_dns).text("protobuf_message", &self.protobuf_message);
        block.flag("failed_request_logging", self.failed_request_logging).inline(self.client.print());
        block.block("queue_config", self.queue.print());
        let (send, interval, most) = self.metadata;
        let mut metadata = Block::default();
        metadata.always("send", Output::raw(send));
        metadata.always("send_interval", Output::text(model::duration::print(interval)));
        metadata.signed("max_samples_per_send", most);
        block.block("metadata_config", metadata);
        block.into()
    }

    pub(crate) fn set_directory(&mut self, directory: &Path) {
        self.client.set_directory(directory);
    }
}

fn read_metadata(node: &Node, context: &mut Context, metadata: &mut (bool, Duration, i64)) -> Outcome<()> {
    let mut fields = Fields::open(node, context, "config.MetadataConfig")?;
    fields.set("send", &mut metadata.0, context, yaml::boolean)?;
    fields.set("send_interval", &mut metadata.1, context, duration)?;
    fields.set("max_samples_per_send", &mut metadata.2, context, |node, context| {
        yaml::integer(node, context, "int")
    })?;
    fields.close(context)
}

/// Where samples are read from as well.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteReadConfig {
    /// Where from.
    pub url: Url,
    /// Time that a request may take.
    pub remote_timeout: Duration,
    /// Most bytes of a frame.
    pub chunked_read_limit: u64,
    /// Headers, by name.
    pub headers: Vec<(String, String)>,
    /// Ask also for times that the server has itself.
    pub read_recent: bool,
    /// A name for logs.
    pub name: String,
    /// How the server is reached.
    pub client: HttpClientConfig,
    /// Labels that a selector has to ask for.
    pub required_matchers: Vec<(String, String)>,
    /// Put external labels into selectors.
    pub filter_external_labels: bool,
    /// Where the block stands in the file.
    pub position: Place,
}

impl RemoteReadConfig {
    pub(crate) fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        if node.is_null() {
            return Err(context.refuse_later(node.position, "empty or null remote read config section"));
        }
        let mut fields = Fields::open(node, context, "config.plain")?;
        let address = fields.optional("url", context, url)?;
        let mut client = HttpClientConfig::default();
        client.take(&mut fields, context)?;
        let mut remote_timeout = Duration::from_secs(60);
        let mut chunked_read_limit = 50_000_000;
        let mut headers = Vec::new();
        let mut read_recent = false;
        let mut name = String::new();
        let mut required_matchers = Vec::new();
        let mut filter_external_labels = true;
        fields.set("remote_timeout", &mut remote_timeout, context, duration)?;
        fields.set("chunked_read_limit", &mut chunked_read_limit, context, |node, context| {
            yaml::unsigned(node, context, "uint64")
        })?;
        fields.set("headers", &mut headers, context, sorted_map)?;
        fields.set("read_recent", &mut read_recent, context, yaml::boolean)?;
        fields.set("name", &mut name, context, yaml::string)?;
        fields.set("required_matchers", &mut required_matchers, context, label_set)?;
        fields.set("filter_external_labels", &mut filter_external_labels, context, yaml::boolean)?;
        let headers_position = fields.position("headers");
        fields.close(context)?;
        let Some(address) = address else { return Err(node.refuse("url for remote_read is empty")) };
        check_headers(&headers)
            .map_err(|message| yaml::Failure::Fatal { message, position: Some(headers_position) })?;
        client.finish().map_err(|message| node.refuse(message))?;
        Ok(Self {
            url: address,
            remote_timeout,
            chunked_read_limit,
            headers,
            read_recent,
            name,
            client,
            required_matchers,
            filter_external_labels,
            position: node.position.into(),
        })
    }

    pub(crate) fn print(&self) -> Output {
        let mut block = Block::default();
        block.url("url", Some(&self.url)).duration("remote_timeout", self.remote_timeout);
        block.number("chunked_read_limit", self.chunked_read_limit).pairs("headers", &self.headers);
        block.flag("read_recent", self.read_recent).text("name", &self.name).inline(self.client.print());
        block.pairs("required_matchers", &self.required_matchers);
        block.flag("filter_external_labels", self.filter_external_labels);
        block.into()
    }

    pub(crate) fn set_directory(&mut self, directory: &Path) {
        self.client.set_directory(directory);
    }
}
