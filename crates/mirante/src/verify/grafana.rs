//! Grafana: whether it is well, and whether what is provisioned is there and works.

use std::fmt::Write;

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::look::Look;
use super::report::{Check, Place};
use crate::client::{get_bytes, get_json};

pub(super) const GRAFANA: Place =
    Place { name: "grafana", asked: "health", hint: "docker compose logs grafana" };
pub(super) const DATA_SOURCES: Place = Place {
    name: "data sources",
    asked: "health of each",
    hint: "does infra/grafana/provisioning/datasources name the component as compose does, and does it run? docker compose ps",
};
pub(super) const DASHBOARDS: Place = Place {
    name: "dashboards",
    asked: "each by its uid",
    hint: "docker compose logs grafana | grep provisioning: a file of dashboards/ that cannot be read is named there",
};

/// Their uids, fixed in the provisioning.
const SOURCES: [&str; 5] = ["prometheus", "loki", "tempo", "jaeger", "pyroscope"];
/// This kind runs in the browser only and has no health of its own; its component is asked through Grafana.
const THROUGH_PROXY: (&str, &str) = ("alertmanager", "api/v2/status");
/// Their uids, as in dashboards/*.json.
const BOARDS: [&str; 6] = [
    "mirante-services",
    "mirante-questions",
    "mirante-slo",
    "mirante-load-test",
    "mirante-stack",
    "mirante-traces-logs",
];

/// All three, at once.
pub(super) async fn all(look: &Look<'_>) -> [Check; 3] {
    let base = &look.places.grafana;
    let health = look.until_found(GRAFANA, async || {
        healthy(&get_json(look.client, &format!("{base}/api/health"), &[]).await?)
    });
    let sources = look.until_found(DATA_SOURCES, async || sources(look).await);
    let boards = look.until_found(DASHBOARDS, async || {
        let found =
            get_json(look.client, &format!("{base}/api/search"), &[("type", "dash-db"), ("limit", "1000")])
                .await?;
        boards(&found)
    });
    let (health, sources, boards) = tokio::join!(health, sources, boards);
    [Check::new(GRAFANA, health), Check::new(DATA_SOURCES, sources), Check::new(DASHBOARDS, boards)]
}

fn healthy(answer: &Value) -> anyhow::Result<String> {
    ensure!(answer["database"] == "ok", "its database is {}", answer["database"]);
    Ok(format!("version {}", answer["version"].as_str().unwrap_or("unknown")))
}

async fn sources(look: &Look<'_>) -> anyhow::Result<String> {
    let base = format!("{}/api/datasources", look.places.grafana);
    let mut failed = String::new();
    for uid in SOURCES {
        if let Err(error) = source(look, &format!("{base}/uid/{uid}/health")).await {
            write!(failed, "{}{uid}: {error}", if failed.is_empty() { "" } else { "; " })?;
        }
    }
    let (uid, path) = THROUGH_PROXY;
    if let Err(error) = get_bytes(look.client, &format!("{base}/proxy/uid/{uid}/{path}")).await {
        write!(failed, "{}{uid}: {error}", if failed.is_empty() { "" } else { "; " })?;
    }
    ensure!(failed.is_empty(), "{failed}");
    Ok(format!("{} and {uid} work", SOURCES.join(", ")))
}

async fn source(look: &Look<'_>, url: &str) -> anyhow::Result<()> {
    let answer = get_json(look.client, url, &[]).await?;
    if answer["status"] == "OK" {
        return Ok(());
    }
    bail!("{}", answer["message"].as_str().unwrap_or("it says that it does not work"))
}

fn boards(answer: &Value) -> anyhow::Result<String> {
    let found = answer.as_array().context("the answer is not shaped like Grafana's")?;
    let is_there = |uid: &str| found.iter().any(|board| board["uid"] == uid);
    let missing: Vec<_> = BOARDS.into_iter().filter(|uid| !is_there(uid)).collect();
    ensure!(missing.is_empty(), "not there: {}", missing.join(", "));
    Ok(format!("all {} are there", BOARDS.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn health_names_the_version() {
        assert_eq!(healthy(&json!({"database": "ok", "version": "13.2.2"})).unwrap(), "version 13.2.2");
        assert!(healthy(&json!({"database": "failing"})).is_err());
    }

    #[test]
    fn boards_that_are_missing_are_named() {
        let all = |skipped: &str| {
            BOARDS.iter().filter(|uid| **uid != skipped).map(|uid| json!({"uid": uid})).collect()
        };
        assert_eq!(boards(&all("")).unwrap(), "all 6 are there");
        assert_eq!(boards(&all("mirante-slo")).unwrap_err().to_string(), "not there: mirante-slo");
        assert!(boards(&json!({"message": "Unauthorized"})).is_err());
    }
}
