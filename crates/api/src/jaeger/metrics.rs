//! The figures behind Jaeger's Monitor tab. There is nothing to make them from yet, so these answer as a Jaeger without
//! a metrics backend: what is asked wrongly is refused, the rest is not implemented.

use http::Uri;

use super::answer::JaegerError;
use crate::go::{self, Query};

/// `/api/metrics/latencies`.
pub(super) async fn latencies(uri: Uri) -> JaegerError {
    let query = Query::of(&uri);
    let quantile = query.get("quantile");
    if quantile.parse::<f64>().is_err() {
        return JaegerError::BadRequest(format!(
            "unable to parse param 'quantile': strconv.ParseFloat: parsing {}: invalid syntax",
            go::quote(quantile)
        ));
    }
    rates(uri).await
}

/// `/api/metrics/calls` and `/api/metrics/errors`.
pub(super) async fn rates(uri: Uri) -> JaegerError {
    let query = Query::of(&uri);
    match check(&query) {
        Ok(()) => JaegerError::NotImplemented(
            "trace metrics are currently disabled - no metrics backend configured",
        ),
        Err((key, error)) => JaegerError::BadRequest(format!("unable to parse param '{key}': {error}")),
    }
}

const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

fn check(query: &Query) -> Result<(), (&'static str, String)> {
    if query.all("service").next().is_none() {
        return Err(("service", "please provide at least one service name".to_owned()));
    }
    if let Some(text) = query.given("groupByOperation") {
        go::parse_bool(text).map_err(|error| ("groupByOperation", error.to_string()))?;
    }
    if let Some(kind) = query.all("spanKind").find(|kind| !KINDS.contains(&kind.to_lowercase().as_str())) {
        return Err(("spanKind", format!("unsupported span kind: '{kind}'")));
    }
    for key in ["endTs", "lookback", "step", "ratePer"] {
        if let Some(text) = query.given(key) {
            go::parse_int(text, 64).map_err(|error| (key, error.to_string()))?;
        }
    }
    Ok(())
}
