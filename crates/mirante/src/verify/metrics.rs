//! The request's count in Prometheus, and the way from a metric to a trace.

use anyhow::{Context, ensure};
use reqwest::Client;
use serde_json::Value;

use super::look::Look;
use super::report::{Check, Place};
use super::request::ROUTE;
use super::{found, now_ms};
use crate::client::get_json;

const PROMETHEUS: Place = Place {
    name: "prometheus",
    asked: "count of the route",
    hint: "are metrics exported (OTEL_METRICS_EXPORTER), and how often (OTEL_METRIC_EXPORT_INTERVAL)?",
};
pub(super) const EXEMPLARS: Place = Place {
    name: "exemplars",
    asked: "metric to trace",
    hint: "are exemplars on in the collector's span_metrics, and in Prometheus (--enable-feature=exemplar-storage)?",
};

/// What the collector makes of spans.
const SPAN_METRIC: &str = "traces_span_metrics_duration_seconds_bucket";
/// How far back an exemplar may lie.
const LOOK_BACK_MS: i64 = 10 * 60 * 1000;

/// The semantic conventions' `http.server.request.duration`, as OTLP becomes a series.
const METRIC: &str = "http_server_request_duration_seconds_count";

pub(super) async fn in_prometheus(look: &Look<'_>, before: anyhow::Result<f64>) -> Check {
    // Not to be counted before is not to have been asked before; what else was wrong is wrong now as well.
    let before = before.unwrap_or(0.0);
    let found = look.until_found(PROMETHEUS, async || {
        more_than(before, count(look.client, &look.places.prometheus).await?)
    });
    Check::new(PROMETHEUS, found.await)
}

/// An exemplar of a span metric, and the trace that it names.
pub(super) async fn exemplars(look: &Look<'_>) -> Check {
    let url = format!("{}/api/v1/query_exemplars", look.places.prometheus);
    let query = format!(r#"{SPAN_METRIC}{{service_name="users"}}"#);
    let found = look.until_found(EXEMPLARS, async || {
        let seconds = |ms: i64| format!("{:.3}", ms as f64 / 1000.0);
        let (start, end) = (seconds(now_ms() - LOOK_BACK_MS), seconds(now_ms()));
        let answer =
            get_json(look.client, &url, &[("query", &query), ("start", &start), ("end", &end)]).await?;
        let trace_id = newest(&answer)?;
        let trace = format!("{}/api/v2/traces/{trace_id}", look.places.tempo);
        let spans =
            found::in_tempo(look.client, &trace).await.with_context(|| format!("trace {trace_id}"))?;
        ensure!(!spans.is_empty(), "Tempo has no trace {trace_id}");
        Ok(format!("trace {trace_id}"))
    });
    Check::new(EXEMPLARS, found.await)
}

/// The trace of the newest exemplar.
fn newest(answer: &Value) -> anyhow::Result<String> {
    let series = answer["data"].as_array().context("the answer is not shaped like Prometheus's")?;
    let exemplars = series.iter().filter_map(|series| series["exemplars"].as_array()).flatten();
    let named = exemplars.filter_map(|exemplar| {
        Some((exemplar["timestamp"].as_f64()?, exemplar["labels"]["trace_id"].as_str()?))
    });
    let newest = named.max_by(|(a, _), (b, _)| a.total_cmp(b));
    let (_, trace_id) = newest.with_context(|| format!("no exemplar of {SPAN_METRIC} names a trace"))?;
    Ok(trace_id.to_owned())
}

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
    fn the_newest_exemplar_counts() {
        let exemplar = |trace: &str, at: f64| json!({"labels": {"trace_id": trace, "span_id": "1"}, "value": "0.1", "timestamp": at});
        let series = |exemplars: &[Value]| json!({"seriesLabels": {}, "exemplars": exemplars});
        let answer = json!({"status": "success", "data": [
            series(&[exemplar("a", 5.0), exemplar("b", 7.5)]), series(&[exemplar("c", 6.0)]), series(&[])
        ]});
        assert_eq!(newest(&answer).unwrap(), "b");
        let none = newest(&json!({"status": "success", "data": []})).unwrap_err().to_string();
        assert!(none.starts_with("no exemplar"), "{none}");
        assert!(newest(&json!({"status": "error"})).is_err());
    }

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
