//! The way of an alert: Alertmanager, Karma that shows it, the webhook tester that gets it.

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::look::Look;
use super::report::{Check, Place};
use crate::client::{get_bytes, get_json, post_json};

pub(super) const ALERTMANAGER: Place =
    Place { name: "alertmanager", asked: "readiness", hint: "docker compose logs alertmanager" };
pub(super) const KARMA: Place = Place { name: "karma", asked: "health", hint: "docker compose logs karma" };
pub(super) const WEBHOOKS: Place =
    Place { name: "webhooks", asked: "readiness", hint: "docker compose logs webhook-tester" };
pub(super) const ALERT: Place = Place {
    name: "alert",
    asked: "a test alert's way",
    hint: "has infra/alertmanager/alertmanager.yml a route to the webhook tester's session, and a group_wait below the timeout?",
};

/// Where Alertmanager's receivers send to; all of them below this session.
const SESSION: &str = "00000000-0000-0000-0000-000000000000";

pub(super) async fn alertmanager(look: &Look<'_>) -> Check {
    answers(look, ALERTMANAGER, format!("{}/-/ready", look.places.alertmanager)).await
}

pub(super) async fn karma(look: &Look<'_>) -> Check {
    answers(look, KARMA, format!("{}/health", look.places.karma)).await
}

pub(super) async fn webhooks(look: &Look<'_>) -> Check {
    answers(look, WEBHOOKS, format!("{}/ready", look.places.webhooks)).await
}

async fn answers(look: &Look<'_>, place: Place, url: String) -> Check {
    let found = look.until_found(place, async || {
        get_bytes(look.client, &url).await?;
        Ok("answers".to_owned())
    });
    Check::new(place, found.await)
}

/// Raises an alert that nobody else raises and waits until it was notified. Nobody resolves it: Alertmanager does, some
/// minutes after it was last heard of.
pub(super) async fn raised(look: &Look<'_>) -> Check {
    let mark = look.sent.trace_id.to_string();
    let url = format!("{}/api/v2/alerts", look.places.alertmanager);
    // A service of its own makes a group of its own, which does not wait for what an earlier one notified.
    let alert = json!([{
        "labels": {"alertname": "MiranteVerify", "severity": "info", "service": format!("verify-{}", &mark[..8])},
        "annotations": {
            "summary": "A test by `mirante verify --alert`. It goes away by itself.",
            "description": format!("Trace {mark}"),
        },
    }]);
    let sent = look.until_found(ALERT, async || {
        post_json(look.client, &url, &alert).await?;
        Ok(String::new())
    });
    if let Err(error) = sent.await {
        return Check::new(ALERT, Err(format!("alertmanager does not take it: {error}")));
    }
    let url = format!("{}/api/session/{SESSION}/requests", look.places.webhooks);
    let found = look.until_found(ALERT, async || notified(&get_json(look.client, &url, &[]).await?, &mark));
    Check::new(ALERT, found.await)
}

/// Looks for the mark in the bodies of what was captured.
fn notified(answer: &Value, mark: &str) -> anyhow::Result<String> {
    let captured = answer.as_array().context("the answer is not shaped like the webhook tester's")?;
    for request in captured {
        let body = request["request_payload_base64"].as_str().unwrap_or_default();
        let body = BASE64_STANDARD.decode(body).context("a captured body is not base64")?;
        if String::from_utf8_lossy(&body).contains(mark) {
            let url = request["url"].as_str().unwrap_or_default();
            let path = url.split_once(SESSION).map_or(url, |(_, path)| path);
            return Ok(format!("notified at {}", if path.is_empty() { "/" } else { path }));
        }
    }
    ensure!(!captured.is_empty(), "nothing was notified yet");
    bail!("not among the {} notifications", captured.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alert_is_found_by_its_mark() {
        let request = |path: &str, body: &str| {
            json!({"uuid": "x", "method": "POST", "request_payload_base64": BASE64_STANDARD.encode(body),
                   "url": format!("http://webhook-tester:8080/{SESSION}{path}")})
        };
        let others = json!([request("/critical", "{}")]);
        assert_eq!(notified(&json!([]), "abc").unwrap_err().to_string(), "nothing was notified yet");
        assert_eq!(notified(&others, "abc").unwrap_err().to_string(), "not among the 1 notifications");
        let found = json!([request("/critical", "{}"), request("/info", r#"{"alerts": ["Trace abc"]}"#)]);
        assert_eq!(notified(&found, "abc").unwrap(), "notified at /info");
        assert!(notified(&json!({"error": "session not found"}), "abc").is_err());
    }
}
