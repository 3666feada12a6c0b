//! Targets in the answer of a server.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use promconfig::TargetGroup;
use promconfig::discovery::HttpDiscovery;
use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue, USER_AGENT};

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
    let (url, host) = reached_at(config.url.as_str(), environment)?;
    let mut request = http
        .get(url)
        .timeout(config.refresh_interval)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, &environment.user_agent)
        .header("X-Prometheus-Refresh-Interval-Seconds", config.refresh_interval.as_secs_f64().to_string());
    if let Some(host) = host {
        request = request.header(HOST, host);
    }
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

/// Where a URL is asked for, and what the server is called if that is not what the URL says.
fn reached_at(url: &str, environment: &Environment) -> Result<(Url, Option<String>), String> {
    let mut url = Url::parse(url).map_err(|error| error.to_string())?;
    let port = url.port_or_known_default().unwrap_or(80);
    let host = format!("{}:{port}", url.host_str().unwrap_or_default());
    let Some(place) = environment.place_of(&host).and_then(|place| place.parse::<SocketAddr>().ok()) else {
        return Ok((url, None));
    };
    // Neither fails for a URL that has a host.
    let moved = url.set_ip_host(place.ip()).and_then(|()| url.set_port(Some(place.port())));
    moved.map_err(|()| format!("cannot ask {place} for {host}"))?;
    Ok((url, Some(host)))
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
