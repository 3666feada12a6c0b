//! What Prometheus says of the requests that it answers, by its names: rules and dashboards ask for them.

use std::sync::Arc;
use std::time::Instant;

use ::prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;

/// Prometheus' bounds, in seconds.
const BUCKETS: [f64; 9] = [0.1, 0.2, 0.4, 1.0, 3.0, 8.0, 20.0, 60.0, 120.0];

#[derive(Debug)]
struct Requests {
    counted: IntCounterVec,
    lasted: HistogramVec,
}

impl Requests {
    fn register(registry: &Registry) -> ::prometheus::Result<Self> {
        let counted = IntCounterVec::new(
            Opts::new("prometheus_http_requests_total", "Counter of HTTP requests."),
            &["handler", "code"],
        )?;
        let options = HistogramOpts::new(
            "prometheus_http_request_duration_seconds",
            "Histogram of latencies for HTTP requests.",
        );
        let lasted = HistogramVec::new(options.buckets(BUCKETS.to_vec()), &["handler"])?;
        registry.register(Box::new(counted.clone()))?;
        registry.register(Box::new(lasted.clone()))?;
        Ok(Self { counted, lasted })
    }
}

/// Counts and measures the requests of routes. Call it once for a registry, after the routes.
pub(super) fn told(router: Router, registry: &Registry) -> Router {
    match Requests::register(registry) {
        Ok(requests) => router.layer(middleware::from_fn_with_state(Arc::new(requests), measure)),
        Err(error) => {
            tracing::error!(%error, "requests are not counted by Prometheus' names");
            router
        }
    }
}

async fn measure(State(requests): State<Arc<Requests>>, request: Request, next: Next) -> Response {
    let handler = request.extensions().get::<MatchedPath>().map(|path| as_handler(path.as_str()));
    let begun = Instant::now();
    let response = next.run(request).await;
    // What no route answers, Prometheus does not count either.
    if let Some(handler) = handler {
        requests.counted.with_label_values(&[handler.as_str(), response.status().as_str()]).inc();
        requests.lasted.with_label_values(&[handler]).observe(begun.elapsed().as_secs_f64());
    }
    response
}

/// A route as Prometheus' router writes it: `:name` and `*rest` for `{name}` and `{*rest}`.
fn as_handler(route: &str) -> String {
    let parts = route.split('/').map(|part| {
        let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
            return part.to_owned();
        };
        if name.starts_with('*') { name.to_owned() } else { format!(":{name}") }
    });
    parts.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handlers_are_written_as_by_prometheus() {
        for (route, handler) in [
            ("/api/v1/query", "/api/v1/query"),
            ("/api/v1/label/{name}/values", "/api/v1/label/:name/values"),
            ("/debug/{*subpath}", "/debug/*subpath"),
        ] {
            assert_eq!(as_handler(route), handler);
        }
    }
}
