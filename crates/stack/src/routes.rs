//! Which routes answer on which port.

use std::sync::Arc;

use axum::routing::get;
use axum::{Router, middleware};
use generator::Generator;
use receiver::Ingest;

use crate::gate::{self, Gate};
use crate::prometheus::Settings;
use crate::{Config, Part, Result};

/// The routers of the engine's ports.
#[derive(Debug)]
pub(crate) struct Routes {
    context: api::Context,
    ingest: Ingest,
    gate: Gate,
}

impl Routes {
    pub(crate) fn new(
        config: receiver::Config,
        context: api::Context,
        generator: Arc<Generator>,
        gate: &Gate,
    ) -> Result<Self> {
        let stores = receiver::Stores {
            traces: context.traces.clone(),
            logs: context.logs.clone(),
            metrics: context.metrics.clone(),
            observer: Some(generator),
        };
        let ingest = Ingest::new(stores, config, context.clock.clone(), &context.registry)?;
        Ok(Self { context, ingest, gate: gate.clone() })
    }

    /// All that a part answers on its port. Everything that writes goes through the gate.
    pub(crate) fn of(&self, part: Part) -> Router {
        let (context, ingest) = (self.context.clone(), self.ingest.clone());
        match part {
            Part::OtlpGrpc => self.gated(receiver::otlp_grpc_service(ingest)).merge(self.metrics()),
            Part::OtlpHttp => self.gated(receiver::otlp_http_router(ingest)).merge(self.metrics()),
            Part::Tempo => api::tempo::router(context),
            Part::Jaeger => api::jaeger::router(context),
            Part::Loki => api::loki::router(context).merge(self.gated(receiver::loki_router(ingest))),
            Part::Prometheus => {
                api::prometheus::router_with(context, self.gated(receiver::prometheus_router(ingest)))
            }
            // The demo services are processes of their own.
            Part::Users | Part::Albums => Router::new(),
        }
    }

    /// `/metrics`, for the ports whose routers do not bring it.
    fn metrics(&self) -> Router {
        let registry = self.context.registry.clone();
        Router::new().route("/metrics", get(async move || api::observe::metrics_page(&registry)))
    }

    fn gated(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(self.gate.clone(), gate::pass))
    }
}

/// The receiver's part of the memory. A body may take half of it, so that one never has to wait for another for ever,
/// and at most what the receiver itself would allow.
pub(crate) fn receiver_config(config: &Config, settings: &Settings) -> receiver::Config {
    let usual = receiver::Config::default();
    let requests = usize::try_from(config.memory().requests).unwrap_or(usize::MAX);
    receiver::Config {
        max_body_bytes: usual.max_body_bytes.min(requests / 2),
        max_in_flight_bytes: requests,
        span_limits: config.span_limits(),
        metrics: settings.otlp.clone(),
        ..usual
    }
}
