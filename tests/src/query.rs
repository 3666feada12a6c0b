//! Asks the components' APIs.

use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};
use serde_json::Value;

/// An answer's status and body; `Null` where the body is no JSON.
pub async fn get(client: &Client, url: &str, query: &[(&str, &str)]) -> (StatusCode, Value) {
    let response = client.get(url).query(query).header("accept", "application/json").send().await;
    let response = response.unwrap_or_else(|error| panic!("GET {url}: {error}"));
    let status = response.status();
    let body = response.bytes().await.unwrap_or_default();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

/// Asks until the answer holds what is looked for, at most for as long as `within`; gives back how long it took.
pub async fn until<T, F>(within: Duration, mut ask: impl FnMut() -> F) -> Result<(T, Duration), Duration>
where
    F: Future<Output = Option<T>>,
{
    let began = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return Ok((found, began.elapsed()));
        }
        if began.elapsed() > within {
            return Err(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Identifiers of the spans of a trace, by Tempo's API, with repetitions; empty if there is no such trace.
pub async fn span_ids(client: &Client, tempo: &str, trace_id: &str) -> Vec<String> {
    let (status, trace) = get(client, &format!("{tempo}/api/traces/{trace_id}"), &[]).await;
    if status != StatusCode::OK {
        return Vec::new();
    }
    let list = |value: &Value, names: &[&str]| -> Vec<Value> {
        names.iter().find_map(|name| value.get(name)?.as_array().cloned()).unwrap_or_default()
    };
    let batches = list(&trace, &["batches", "resourceSpans"]);
    let scopes = batches.iter().flat_map(|batch| list(batch, &["scopeSpans"]));
    let spans = scopes.flat_map(|scope| list(&scope, &["spans"]));
    spans.filter_map(|span| span.get("spanId")?.as_str().map(str::to_owned)).collect()
}

/// The sum of a metric over the series whose text holds all these, on a `/metrics` page.
pub async fn metric(client: &Client, base: &str, name: &str, holding: &[&str]) -> f64 {
    let page = client.get(format!("{base}/metrics")).send().await.expect("a metrics page");
    let page = page.text().await.unwrap_or_default();
    page.lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
        .filter(|line| holding.iter().all(|part| line.contains(part)))
        .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
        .sum()
}

/// An identifier as the APIs write it.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The value below which this share of the values lies; zero of none.
pub fn quantile(values: &mut [Duration], share: f64) -> Duration {
    values.sort_unstable();
    let index = (share * values.len() as f64).ceil() as usize;
    values.get(index.saturating_sub(1)).copied().unwrap_or_default()
}
