//! Asking every part at once.

use std::time::{Duration, Instant};

use reqwest::Client;
use stack::{Part, ProcessFigures};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::Target;
use super::exposition::{self, Sample};
use super::report::{PartHealth, Report};
use crate::client::reason;

/// Asks every part for its health, and one of them for the figures of the whole.
pub(super) async fn ask(client: &Client, target: Target) -> Report {
    let mut asking = JoinSet::new();
    for part in Part::ALL {
        if Part::DEMO.contains(&part) && target.demo == Some(false) {
            continue;
        }
        let (client, url) = (client.clone(), part.local_url(target.bind, target.port_offset));
        asking.spawn(async move {
            let began = Instant::now();
            let answer = health(&client, part, &url).await.map(|()| began.elapsed());
            PartHealth { part, url, answer }
        });
    }
    let mut parts = asking.join_all().await;
    parts.sort_by_key(|health| health.part);
    if target.demo.is_none() {
        leave_out_absent_demo(&mut parts);
    }
    let samples = samples(client, &target).await;
    let process = target.holder.as_ref().and_then(|holder| ProcessFigures::read(holder.pid));
    Report { target, parts, samples, process }
}

/// Where nothing says whether there are demo services, none that answers means that there are none.
fn leave_out_absent_demo(parts: &mut Vec<PartHealth>) {
    let is_demo = |health: &PartHealth| Part::DEMO.contains(&health.part);
    if parts.iter().filter(|health| is_demo(health)).all(|health| health.answer.is_err()) {
        parts.retain(|health| !is_demo(health));
    }
}

async fn health(client: &Client, part: Part, url: &str) -> Result<(), String> {
    let Some(path) = part.health_path() else { return connects(url).await };
    let response = client.get(format!("{url}{path}")).send().await;
    let response = response.map_err(|error| reason(&error).to_string())?;
    if response.status().is_success() { Ok(()) } else { Err(format!("answers {}", response.status())) }
}

async fn connects(url: &str) -> Result<(), String> {
    const WITHIN: Duration = Duration::from_secs(2);
    let address = url.trim_start_matches("http://");
    match tokio::time::timeout(WITHIN, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_late) => Err("no answer in time".to_owned()),
    }
}

/// Every port gives the same figures; the first that answers is taken.
async fn samples(client: &Client, target: &Target) -> Vec<Sample> {
    for part in [Part::OtlpHttp, Part::Tempo, Part::Loki, Part::Prometheus] {
        let url = format!("{}/metrics", part.local_url(target.bind, target.port_offset));
        if let Ok(response) = client.get(url).send().await
            && response.status().is_success()
            && let Ok(text) = response.text().await
        {
            return exposition::parse(&text);
        }
    }
    Vec::new()
}
