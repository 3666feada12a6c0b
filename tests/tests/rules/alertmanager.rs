//! The way of an alert, with a stop of the hard kind in its middle.

use std::path::Path;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;
use tests::mirante::{Stack, free_port};
use tests::peers::running::{Peer, run};
use tests::peers::tool;
use tests::remote_write::Request;

use crate::data::{labels, now_ms, send};
use crate::{ask, until};

const WITHIN: Duration = Duration::from_secs(60);

const RULES: &str = r"
groups:
- name: queue
  interval: 1s
  labels: {team: core}
  rules:
  - record: queue:length:sum
    expr: sum(queue_length)
  - alert: QueueLong
    expr: queue:length:sum > 10
    for: 3s
    labels: {severity: page}
    annotations: {summary: '{{ $value }} are waiting'}
  - alert: QueueLongForHours
    expr: queue:length:sum > 10
    for: 2h
";

/// A stack with these rules, whose alerts go to a port.
fn stack(dir: &Path, alertmanager: u16) -> Result<Stack, Failed> {
    let config = format!(
        "global: {{evaluation_interval: 1s, external_labels: {{site: north}}}}\nrule_files: ['rules/*.yml']\nalerting:\n  \
         alertmanagers:\n  - static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]\n"
    );
    std::fs::create_dir_all(dir.join("rules"))?;
    std::fs::write(dir.join("rules/queue.yml"), RULES)?;
    let file = dir.join("prometheus.yml");
    std::fs::write(&file, config)?;
    let file = file.to_string_lossy();
    Ok(Stack::up(&dir.join("data"), &["--no-demo", "--prometheus-config", &file]))
}

/// Writes how long the queue is now.
fn queue(stack: &Stack, length: f64) -> Result<(), Failed> {
    let mut request = Request::default();
    request.series(&labels("queue_length", &[("shard", "a")]), [(now_ms(), length)]);
    send(&[&stack.address("prometheus")], request)
}

/// The alerts of a name.
fn alerts(stack: &Stack, name: &str) -> Result<Vec<Value>, Failed> {
    let data = ask(&stack.url("prometheus"), "alerts", &[])?;
    let all = data["alerts"].as_array().cloned().unwrap_or_default();
    Ok(all.into_iter().filter(|alert| alert["labels"]["alertname"] == name).collect())
}

/// Waits until an alert has a state, while the queue is as long as that.
fn reach(stack: &Stack, name: &str, state: &str, length: f64) -> Result<Value, Failed> {
    until(&format!("{name} {state}"), WITHIN, || {
        queue(stack, length)?;
        Ok(alerts(stack, name)?.into_iter().find(|alert| alert["state"] == state))
    })
}

/// Seconds since the Unix epoch.
fn seconds(time: &Value) -> Result<f64, Failed> {
    let text = time.as_str().unwrap_or_default();
    let data = text.parse::<jiff::Timestamp>().map_err(|error| format!("{text}: {error}"))?;
    Ok(data.as_millisecond() as f64 / 1000.0)
}

pub(crate) fn from_pending_to_resolved() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let (port, amtool) = (free_port(), tool("amtool").ok_or("no amtool")?);
    let config = dir.path().join("alertmanager.yml");
    std::fs::write(&config, "route: {receiver: none, group_wait: 1s}\nreceivers: [{name: none}]\n")?;
    let at = format!("http://127.0.0.1:{port}");
    let mut alertmanager = Peer::start(
        &tool("alertmanager").ok_or("no alertmanager")?,
        &[
            &format!("--config.file={}", config.display()),
            &format!("--storage.path={}", dir.path().join("alertmanager").display()),
            &format!("--web.listen-address=127.0.0.1:{port}"),
            "--cluster.listen-address=",
        ],
        dir.path(),
    )?;
    alertmanager.ready(&format!("{at}/-/ready"), WITHIN)?;
    let known = || -> Result<Vec<Value>, Failed> {
        let url = format!("--alertmanager.url={at}");
        let (code, said) =
            run(&amtool, &[&url, "alert", "query", "--output=json", "alertname=QueueLong"], dir.path())?;
        let list = serde_json::from_str::<Value>(&said).map_err(|error| format!("{code} {error}: {said}"))?;
        Ok(list.as_array().cloned().unwrap_or_default())
    };

    let first = stack(dir.path(), port)?;
    reach(&first, "QueueLong", "pending", 12.0)?;
    let began = seconds(&reach(&first, "QueueLongForHours", "pending", 12.0)?["activeAt"])?;
    let firing = reach(&first, "QueueLong", "firing", 12.0)?;
    if firing["annotations"]["summary"] != "12 are waiting" || firing["labels"]["team"] != "core" {
        return Err(format!("{firing}").into());
    }
    let arrived = until("the alert at Alertmanager", WITHIN, || Ok(known()?.into_iter().next()))?;
    for (label, value) in [("severity", "page"), ("site", "north"), ("team", "core")] {
        if arrived["labels"][label] != value {
            return Err(format!("{label} is not {value}: {arrived}").into());
        }
    }
    for query in
        ["ALERTS{alertname=\"QueueLong\",alertstate=\"firing\"}", "ALERTS_FOR_STATE", "queue:length:sum"]
    {
        until(query, WITHIN, || {
            let found = ask(&first.url("prometheus"), "query", &[("query", query)])?;
            Ok(found["result"].as_array().is_some_and(|series| !series.is_empty()).then_some(()))
        })?;
    }
    let before_ms = now_ms();
    first.kill();

    let second = stack(dir.path(), port)?;
    // Since when it has been pending is known again; the time without evaluations does not count.
    let away = |now_ms: i64| (now_ms - before_ms) as f64 / 1000.0;
    until("what was pending before the kill", WITHIN, || {
        let alert = reach(&second, "QueueLongForHours", "pending", 12.0)?;
        let since = seconds(&alert["activeAt"])? - began;
        Ok((-1.0..=away(now_ms()) + 2.0).contains(&since).then_some(()))
    })?;
    let found = ask(
        &second.url("prometheus"),
        "query",
        &[("query", "count_over_time(ALERTS{alertname=\"QueueLong\",alertstate=\"firing\"}[10m])")],
    )?;
    if found["result"].as_array().is_none_or(Vec::is_empty) {
        return Err("what rules made before the kill is lost".into());
    }
    reach(&second, "QueueLong", "firing", 12.0)?;
    until("the end of the alert", WITHIN, || {
        queue(&second, 1.0)?;
        Ok(alerts(&second, "QueueLong")?.is_empty().then_some(()))
    })?;
    until("the end of the alert at Alertmanager", WITHIN, || Ok(known()?.is_empty().then_some(())))?;
    second.stop();
    Ok(())
}
