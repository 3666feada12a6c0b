use std::time::Duration;

use prometheus::{Registry, TextEncoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::notifier::{Addresses, Alerting, Alertmanager, AlertmanagerSet, Notifier, Relabel};

fn alert(name: &str) -> Outgoing {
    Outgoing {
        labels: [("alertname", name), ("region", "south")].into_iter().collect(),
        annotations: std::collections::BTreeMap::new(),
        starts_at_ns: Some(0),
        ends_at_ns: None,
        generator_url: String::new(),
    }
}

/// An Alertmanager that takes everything: the bodies of its requests, and its port.
async fn listener() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&bodies);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let mut text = String::new();
                let mut bytes = vec![0; 65_536];
                while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                    text.push_str(&String::from_utf8_lossy(&bytes[..count]));
                    if let Some((head, body)) = text.split_once("\r\n\r\n") {
                        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                        if length.and_then(|length| length.parse().ok()) == Some(body.len()) {
                            kept.lock().push(body.to_owned());
                            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                            text.clear();
                        }
                    }
                }
            });
        }
    });
    (port, bodies)
}

fn to(port: u16) -> Alertmanager {
    Alertmanager {
        url: format!("http://alertmanager-{port}:9093/api/v2/alerts"),
        reached_at: format!("http://127.0.0.1:{port}/api/v2/alerts"),
    }
}

fn set(active: Vec<Alertmanager>) -> AlertmanagerSet {
    AlertmanagerSet { active, timeout: Duration::from_secs(5), ..AlertmanagerSet::default() }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..500 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: in vain");
}

#[tokio::test]
async fn alerts_are_relabelled_sent_and_counted() {
    let (port, bodies) = listener().await;
    let registry = Registry::new();
    let notifier = Notifier::new(reqwest::Client::new(), &registry).unwrap();
    let keep: Relabel = Arc::new(|labels: Labels| (labels.get("alertname") != "Unwanted").then_some(labels));
    notifier.apply(Alerting {
        external_labels: [("region", "north"), ("replica", "1")].into_iter().collect(),
        relabel: Some(keep),
        sets: vec![AlertmanagerSet {
            dropped: vec!["http://gone/".to_owned()],
            ..set(vec![to(port), to(port)])
        }],
    });
    let url = to(port).url;
    assert_eq!(
        notifier.alertmanagers(),
        Addresses { active: vec![url.clone()], dropped: vec!["http://gone/".to_owned()] }
    );
    notifier.send(vec![alert("Down"), alert("Unwanted")]);
    until("a request", || !bodies.lock().is_empty()).await;
    let sent: serde_json::Value = serde_json::from_str(&bodies.lock()[0]).unwrap();
    let labels = serde_json::json!({"alertname": "Down", "region": "south", "replica": "1"});
    assert_eq!((sent.as_array().unwrap().len(), &sent[0]["labels"]), (1, &labels));
    let text = || TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    until("the figures", || {
        text().contains(&format!("prometheus_notifications_sent_total{{alertmanager=\"{url}\"}} 1"))
    })
    .await;
    assert!(text().contains("prometheus_notifications_queue_capacity 10000"));
    assert!(text().contains("prometheus_notifications_alertmanagers_discovered 1"));

    // More than a request may have goes in several, and a stop waits for them.
    notifier.send((0..600).map(|index| alert(&format!("A{index}"))).collect());
    notifier.stop().await;
    let counts: Vec<usize> = bodies.lock()[1..]
        .iter()
        .map(|body| serde_json::from_str::<Vec<serde_json::Value>>(body).unwrap().len())
        .collect();
    assert_eq!(counts, [256, 256, 88]);
    notifier.send(vec![alert("Late")]);
    assert_eq!(bodies.lock().len(), 4, "after the stop nothing is taken");
}

#[tokio::test]
async fn nobody_listening_costs_a_counter() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let registry = Registry::new();
    let notifier = Notifier::new(reqwest::Client::new(), &registry).unwrap();
    notifier.send(vec![alert("Nowhere")]);
    notifier.apply(Alerting { sets: vec![set(vec![to(port)])], ..Alerting::default() });
    notifier.send(vec![alert("Down")]);
    let url = to(port).url;
    let text = || TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    for name in ["errors", "dropped"] {
        let line = format!("prometheus_notifications_{name}_total{{alertmanager=\"{url}\"}} 1");
        until(&line, || text().contains(&line)).await;
    }
    // An Alertmanager that is named no more leaves no figures.
    notifier.apply(Alerting::default());
    until("no figures", || !text().contains(&url)).await;
    assert_eq!(notifier.alertmanagers(), Addresses::default());
}
