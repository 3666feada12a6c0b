//! The request's count in Prometheus.

use anyhow::{Context, ensure};
use reqwest::Client;
use serde_json::Value;

use super::request::ROUTE;
use crate::client::get_json;

/// The semantic conventions' `http.server.request.duration`, as OTLP becomes a series.
const METRIC: &str = "http_server_request_duration_seconds_count";

/// How often the route was counted so far: the sum over all its series, 0 if there is none.
pub(super) async fn count(client: &Client, prometheus: &str) -> anyhow::Result<f64> {
    let url = format!("{prometheus}/api/v1/query");
    // A plain selector, summed here: this asks nothing of the query language.
    let query = format!(r#"{METRIC}{{job="demo/users",http_route="{ROUTE}"}}"#);
    let answer = get_json(client, &url, &[("query", &query)]).await?;
    sum(&answer).context("the answer is not shaped like Prometheus's")
}

/// Says how the count grew, if it did.
pub(super) fn more_than(before: f64, now: f64) -> anyhow::Result<String> {
    ensure!(now > 0.0, "no series {METRIC} with job=\"demo/users\" and http_route=\"{ROUTE}\"");
    // Less is more as well: a service that was started again counts from nothing.
    ensure!((now - before).abs() >= 1.0, "the count of {ROUTE} stays at {before}");
    Ok(format!("count of {ROUTE} went from {before} to {now}"))
}

fn sum(answer: &Value) -> Option<f64> {
    let series = answer["data"]["result"].as_array()?;
    let mut counts = series.iter().map(|series| series["value"][1].as_str()?.parse::<f64>().ok());
    // The standard library's sum of nothing is -0, which would show.
    counts.try_fold(0.0, |sum, count| Some(sum + count?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_count_has_to_grow() {
        assert!(more_than(0.0, 0.0).unwrap_err().to_string().starts_with("no series"));
        assert!(more_than(3.0, 3.0).unwrap_err().to_string().contains("stays at 3"));
        assert_eq!(more_than(3.0, 4.0).unwrap(), "count of /users/{id}/albums went from 3 to 4");
    }

    #[test]
    fn all_series_are_summed() {
        let series = |value: &str| json!({"metric": {}, "value": [1.5, value]});
        let answer = json!({"data": {"resultType": "vector", "result": [series("2"), series("40")]}});
        assert_eq!(sum(&answer), Some(42.0));
        assert_eq!(sum(&json!({"data": {"result": []}})).map(|sum| sum.to_string()).as_deref(), Some("0"));
        assert_eq!(sum(&json!({"status": "error"})), None);
    }
}
