//! What the query side says about itself: the `/metrics` page of every port, and how long each request took.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{Encoder, HistogramOpts, HistogramVec, IntGauge, Opts, Registry, TextEncoder};

use crate::Context;
use crate::pool::QueryPool;

/// Answers in Prometheus' text format 0.0.4 with everything that is in the registry.
pub async fn metrics_handler(State(context): State<Context>) -> Response {
    metrics_page(&context.registry)
}

/// The text format 0.0.4 of everything that is in a registry, as a response.
pub fn metrics_page(registry: &Registry) -> Response {
    let mut page = Vec::with_capacity(16 << 10);
    match TextEncoder::new().encode(&registry.gather(), &mut page) {
        Ok(()) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "the metrics page cannot be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "the metrics page cannot be written\n").into_response()
        }
    }
}

/// Measures every request of a product's router as `mirante_http_request_duration_seconds`, by method, route as it is
/// declared, and status. A request whose client goes away before the answer counts with status 499.
///
/// Call it once for a product and registry, after its routes.
pub fn observe(router: Router, product: &'static str, registry: &Registry) -> Router {
    let options = HistogramOpts::new(
        "mirante_http_request_duration_seconds",
        "Time from the request's head to the response's head, in seconds.",
    )
    .const_label("product", product)
    .buckets(vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]);
    let durations = match HistogramVec::new(options, &["method", "route", "status"]) {
        Ok(durations) => durations,
        Err(error) => {
            tracing::error!(%error, product, "requests are not measured");
            return router;
        }
    };
    if let Err(error) = registry.register(Box::new(durations.clone())) {
        tracing::warn!(%error, product, "requests are measured and not shown");
    }
    router.layer(middleware::from_fn_with_state(Arc::new(durations), measure))
}

async fn measure(State(durations): State<Arc<HistogramVec>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut measured = Measured {
        durations,
        method: known_method(request.method()),
        route,
        status: 499,
        start: Instant::now(),
    };
    let response = next.run(request).await;
    measured.status = response.status().as_u16();
    response
}

/// One request under way. Counted on drop, so that one which is cancelled counts as well.
struct Measured {
    durations: Arc<HistogramVec>,
    method: &'static str,
    route: Option<MatchedPath>,
    status: u16,
    start: Instant,
}

impl Drop for Measured {
    fn drop(&mut self) {
        let route = self.route.as_ref().map_or("other", MatchedPath::as_str);
        self.durations
            .with_label_values(&[self.method, route, &self.status.to_string()])
            .observe(Duration::as_secs_f64(&self.start.elapsed()));
    }
}

/// Clients choose the method's text, so only the known ones may become a label.
fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The query pool's figures, read when the registry is gathered.
#[derive(Debug)]
pub struct PoolCollector {
    pool: QueryPool,
    running: IntGauge,
    waiting: IntGauge,
    refused: IntGauge,
}

impl PoolCollector {
    /// Figures of a pool; to be registered once.
    pub fn new(pool: QueryPool) -> prometheus::Result<Self> {
        let gauge = |name: &str, help: &str| IntGauge::with_opts(Opts::new(name, help));
        Ok(Self {
            pool,
            running: gauge("mirante_queries_running", "Queries that run now.")?,
            waiting: gauge("mirante_queries_waiting", "Queries that wait for a place to run.")?,
            refused: gauge("mirante_queries_refused", "Queries refused since the start as too many waited.")?,
        })
    }
}

impl Collector for PoolCollector {
    fn desc(&self) -> Vec<&Desc> {
        [&self.running, &self.waiting, &self.refused].into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.running.set(self.pool.running() as i64);
        self.waiting.set(self.pool.waiting() as i64);
        self.refused.set(self.pool.refused() as i64);
        [&self.running, &self.waiting, &self.refused].into_iter().flat_map(Collector::collect).collect()
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn requests_are_measured_by_the_declared_route() {
        let registry = Registry::new();
        let router = Router::new().route("/things/{id}", get(|| async { "ok" }));
        let router = observe(router, "test", &registry);
        for path in ["/things/1", "/things/2", "/nothing"] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            router.clone().oneshot(request).await.unwrap();
        }
        let mut page = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        let count = |labels: &str| {
            let line = format!("mirante_http_request_duration_seconds_count{{{labels}}} ");
            page.lines().find_map(|text| text.strip_prefix(&line).map(str::to_owned))
        };
        assert_eq!(
            count(r#"method="GET",product="test",route="/things/{id}",status="200""#).as_deref(),
            Some("2"),
            "{page}"
        );
        assert_eq!(
            count(r#"method="GET",product="test",route="other",status="404""#).as_deref(),
            Some("1"),
            "{page}"
        );
    }

    #[tokio::test]
    async fn the_pool_shows_its_figures() {
        let registry = Registry::new();
        registry.register(Box::new(PoolCollector::new(QueryPool::new(1, 1)).unwrap())).unwrap();
        let response = metrics_page(&registry);
        assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    }
}
