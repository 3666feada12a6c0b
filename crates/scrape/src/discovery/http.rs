//! Targets in the answer of a server.

use std::time::{Duration, Instant};

use promconfig::TargetGroup;
use promconfig::discovery::HttpDiscovery;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};

use super::{Environment, Group, Sink};
use crate::{client, headers};

/// Most bytes of an answer.
const MAX_BODY_BYTES: usize = 16 << 20;

pub(super) async fn run(config: HttpDiscovery, sink: Sink, environment: Environment) {
    let every = config.refresh_interval.max(Duration::from_millis(100));
    let http = match client::connections(config.client.follow_redirects) {
        Ok(http) => http,
        Err(error) => return sink.failed("http", &error),
    };
    loop {
        let began = Instant::now();
        let answer = refresh(&config, &http, &environment).await;
        sink.figures.http_failures.inc_by(answer.is_err().into());
        sink.refreshed("http", began, answer);
        tokio::time::sleep(every).await;
    }
}

async fn refresh(
    config: &HttpDiscovery,
    http: &reqwest::Client,
    environment: &Environment,
) -> Result<Vec<Group>, String> {
    let words = |error: reqwest::Error| error.to_string();
    let mut request = http
        .get(config.url.as_str())
        .timeout(config.refresh_interval)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, &environment.user_agent)
        .header("X-Prometheus-Refresh-Interval-Seconds", config.refresh_interval.as_secs_f64().to_string());
    for (name, value) in headers::of_client(&config.client)? {
        let name = HeaderName::try_from(name).map_err(|error| error.to_string())?;
        let mut value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
        value.set_sensitive(true);
        request = request.header(name, value);
    }
    let mut response = request.send().await.map_err(words)?;
    if response.status() != reqwest::StatusCode::OK {
        return Err(format!("server returned HTTP status {}", response.status()));
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !is_json(kind) {
        return Err(format!("unsupported content type {kind:?}"));
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(words)? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(format!("answer is larger than {MAX_BODY_BYTES} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    let groups = TargetGroup::list_from_json(&body).map_err(|error| error.to_string())?;
    let url = config.url.as_str();
    let labels = [("__meta_url", url)];
    let group = |(index, group)| Group::written(group, format!("{url}:{index}"), &labels);
    Ok(groups.iter().enumerate().map(group).collect())
}

/// `application/json`, perhaps with `charset=utf-8`.
fn is_json(kind: &str) -> bool {
    let kind = kind.trim().to_ascii_lowercase();
    let Some(rest) = kind.strip_prefix("application/json") else { return false };
    rest.is_empty()
        || rest
            .strip_prefix(';')
            .is_some_and(|charset| matches!(charset.trim_start(), "charset=utf-8" | "charset=\"utf-8\""))
}

#[cfg(test)]
mod tests {
    use super::is_json;

    #[test]
    fn answers_have_to_be_json() {
        for kind in
            ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\""]
        {
            assert!(is_json(kind), "{kind}");
        }
        for kind in ["", "text/plain", "application/jsonp", "application/json; charset=latin1"] {
            assert!(!is_json(kind), "{kind}");
        }
    }
}
