//! The OTLP exporters: one connection a destination, on the application's Tokio runtime, made when first needed.

mod transport;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, Protocol as OtlpProtocol, SpanExporter, WithExportConfig,
    WithHttpConfig, WithTonicConfig,
};
use opentelemetry_sdk::metrics::Temporality as SdkTemporality;
use tonic::transport::{Channel, Endpoint};

use crate::delivery::{Delivery, Watched};
use crate::settings::{Otlp, Protocol, Settings, Temporality};
use crate::{Error, Result};

/// A connection that is not made by then is not made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(crate) struct Exporters {
    console: bool,
    channels: HashMap<(String, Duration), Channel>,
    deliveries: HashMap<String, Arc<Delivery>>,
}

/// The three builders share their steps, but no trait that could name them.
macro_rules! build {
    ($self:ident, $builder:expr, $otlp:ident, $signal:literal) => {{
        let built = match $otlp.protocol {
            Protocol::Grpc => {
                let builder = $builder.with_tonic().with_timeout($otlp.timeout);
                let builder = builder.with_channel($self.channel($otlp, $signal)?);
                if $otlp.gzip { builder.with_compression(Compression::Gzip).build() } else { builder.build() }
            }
            Protocol::HttpProtobuf => {
                let builder = $builder
                    .with_http()
                    .with_protocol(OtlpProtocol::HttpBinary)
                    .with_endpoint(&$otlp.endpoint)
                    .with_timeout($otlp.timeout)
                    .with_http_client(transport::Transport::new($otlp.timeout, $signal)?);
                if $otlp.gzip { builder.with_compression(Compression::Gzip).build() } else { builder.build() }
            }
        };
        let exporter = built.map_err(|error| Error::exporter($signal, &error))?;
        Ok(Watched::new(exporter, $self.delivery($otlp)))
    }};
}

impl Exporters {
    pub(crate) fn new(console: bool) -> Self {
        Self { console, channels: HashMap::new(), deliveries: HashMap::new() }
    }

    pub(crate) fn spans(&mut self, otlp: &Otlp) -> Result<Watched<SpanExporter>> {
        build!(self, SpanExporter::builder(), otlp, "traces")
    }

    pub(crate) fn logs(&mut self, otlp: &Otlp) -> Result<Watched<LogExporter>> {
        build!(self, LogExporter::builder(), otlp, "logs")
    }

    pub(crate) fn metrics(&mut self, otlp: &Otlp, settings: &Settings) -> Result<Watched<MetricExporter>> {
        let temporality = match settings.temporality {
            Temporality::Cumulative => SdkTemporality::Cumulative,
            Temporality::Delta => SdkTemporality::Delta,
            Temporality::LowMemory => SdkTemporality::LowMemory,
        };
        build!(self, MetricExporter::builder().with_temporality(temporality), otlp, "metrics")
    }

    fn channel(&mut self, otlp: &Otlp, signal: &'static str) -> Result<Channel> {
        let key = (otlp.endpoint.clone(), otlp.timeout);
        if let Some(channel) = self.channels.get(&key) {
            return Ok(channel.clone());
        }
        let endpoint = Endpoint::from_shared(otlp.endpoint.clone())
            .map_err(|error| Error::exporter(signal, &error))?
            .timeout(otlp.timeout)
            .connect_timeout(CONNECT_TIMEOUT);
        let channel = endpoint.connect_lazy();
        self.channels.insert(key, channel.clone());
        Ok(channel)
    }

    /// Signals that go to the same host and port are one destination, whatever their paths.
    fn delivery(&mut self, otlp: &Otlp) -> Arc<Delivery> {
        let uri: Option<http::Uri> = otlp.endpoint.parse().ok();
        let authority = uri.as_ref().and_then(http::Uri::authority).map(ToString::to_string);
        let destination =
            authority.map_or_else(|| otlp.endpoint.clone(), |authority| format!("http://{authority}"));
        let console = self.console;
        let delivery = || Delivery::new(&destination, console);
        Arc::clone(self.deliveries.entry(destination.clone()).or_insert_with(delivery))
    }
}
