//! The `tracing` block: where the server's own traces go.

use std::path::Path;
use std::time::Duration;

use yaml::{Context, Fields, Node, Outcome};

use crate::print::Block;
use crate::read::{duration, sorted_map};
use crate::remote::is_reserved_header;
use crate::tls::TlsConfig;

/// Where the server's own traces go.
#[derive(Debug, Clone, PartialEq)]
pub struct TracingConfig {
    /// `grpc` or `http`.
    pub client_type: String,
    /// Host and port.
    pub endpoint: String,
    /// Share of requests that are traced.
    pub sampling_fraction: f64,
    /// Without TLS.
    pub insecure: bool,
    /// For TLS.
    pub tls: TlsConfig,
    /// Headers, by name.
    pub headers: Vec<(String, String)>,
    /// `gzip` or nothing.
    pub compression: String,
    /// Time that a request may take.
    pub timeout: Duration,
}

impl TracingConfig {
    pub(crate) fn read(node: &Node, context: &mut Context) -> Outcome<Self> {
        let mut fields = Fields::open(node, context, "config.plain")?;
        let mut tracing = Self {
            client_type: "grpc".to_owned(),
            endpoint: String::new(),
            sampling_fraction: 0.0,
            insecure: false,
            tls: TlsConfig::default(),
            headers: Vec::new(),
            compression: String::new(),
            timeout: Duration::ZERO,
        };
        fields.set("client_type", &mut tracing.client_type, context, |node, context| {
            let text = yaml::named_string(node, context, "config.plain")?;
            if !matches!(text.as_str(), "grpc" | "http") {
                let message =
                    format!("expected tracing client type to be to be http or grpc, but got {text}");
                return Err(node.refuse(message));
            }
            Ok(text)
        })?;
        fields.set("endpoint", &mut tracing.endpoint, context, yaml::string)?;
        fields.set("sampling_fraction", &mut tracing.sampling_fraction, context, yaml::float)?;
        fields.set("insecure", &mut tracing.insecure, context, yaml::boolean)?;
        fields.set("tls_config", &mut tracing.tls, context, TlsConfig::read)?;
        fields.set("headers", &mut tracing.headers, context, sorted_map)?;
        fields.set("compression", &mut tracing.compression, context, yaml::string)?;
        fields.set("timeout", &mut tracing.timeout, context, duration)?;
        let headers_position = fields.position("headers");
        fields.close(context)?;
        let refuse = |message| yaml::Failure::Fatal { message, position: Some(headers_position) };
        for (name, _) in &tracing.headers {
            if name.eq_ignore_ascii_case("authorization") {
                return Err(refuse(
                    "custom authorization header configuration is not yet supported".to_owned(),
                ));
            }
            if is_reserved_header(name) {
                return Err(refuse(format!("{name} is a reserved header. It must not be changed")));
            }
        }
        if tracing.endpoint.is_empty() {
            return Err(node.refuse("tracing endpoint must be set"));
        }
        if !matches!(tracing.compression.as_str(), "" | "gzip") {
            let given = &tracing.compression;
            return Err(
                node.refuse(format!("invalid compression type {given} provided, valid options: gzip"))
            );
        }
        Ok(tracing)
    }

    pub(crate) fn print(&self) -> Block {
        let mut block = Block::default();
        block.text("client_type", &self.client_type).text("endpoint", &self.endpoint);
        block.float("sampling_fraction", self.sampling_fraction).flag("insecure", self.insecure);
        block.block("tls_config", self.tls.print()).pairs("headers", &self.headers);
        block.text("compression", &self.compression).duration("timeout", self.timeout);
        block
    }

    pub(crate) fn set_directory(&mut self, directory: &Path) {
        self.tls.set_directory(directory);
    }
}
