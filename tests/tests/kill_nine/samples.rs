//! Remote write up to the kill, 1.0 and 2.0 at a time, and what has to be there afterwards.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use reqwest::Client;
use serde_json::Value;
use tests::mirante::Stack;
use tests::query;
use tests::remote_write::{Connection, Request, Version};

/// Series of a request.
const SERIES: u64 = 20;

/// What the connections of a round send: each has series of its own, and a version.
const CONNECTIONS: [Version; 3] = [Version::V1, Version::V1, Version::V2];

/// What a round wrote.
pub(crate) struct Written {
    began_ms: i64,
    round: u64,
    /// By connection: requests that were sent (the last one without an answer), and those that were acknowledged.
    connections: Vec<Sent>,
}

#[derive(Default)]
struct Sent {
    tried: u64,
    accepted: Vec<u64>,
}

/// Writes until the connections break.
pub(crate) struct Writing {
    began_ms: i64,
    round: u64,
    senders: Vec<JoinHandle<Sent>>,
    accepted: Arc<AtomicU64>,
}

impl Writing {
    pub(crate) fn begin(address: &str, round: u64, began_ms: i64) -> Self {
        let accepted = Arc::<AtomicU64>::default();
        let senders = CONNECTIONS.into_iter().enumerate().map(|(number, version)| {
            let (address, accepted) = (address.to_owned(), Arc::clone(&accepted));
            std::thread::spawn(move || send(&address, version, round, number, began_ms, &accepted))
        });
        Self { began_ms, round, senders: senders.collect(), accepted }
    }

    /// Requests that were acknowledged so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// After the kill.
    pub(crate) fn end(self) -> Written {
        let connections = self.senders.into_iter().map(|sender| sender.join().unwrap()).collect();
        Written { began_ms: self.began_ms, round: self.round, connections }
    }
}

fn name(round: u64) -> String {
    format!("kill_nine_written_{round}")
}

/// Request after request, each with one more sample of every series of the connection; a millisecond a request.
fn send(
    address: &str,
    version: Version,
    round: u64,
    connection: usize,
    began_ms: i64,
    count: &AtomicU64,
) -> Sent {
    let mut sent = Sent::default();
    let Ok(mut to) = Connection::open(address) else { return sent };
    loop {
        let number = sent.tried;
        let mut request = Request::new(version);
        for series in 0..SERIES {
            let labels = [
                ("__name__", name(round)),
                ("connection", connection.to_string()),
                ("series", series.to_string()),
            ];
            let labels = labels.map(|(name, value)| (name.to_owned(), value)).to_vec();
            request.series(&labels, [(began_ms + number as i64, number as f64)]);
        }
        sent.tried += 1;
        match to.send_as(version, &request.finish()) {
            Ok((204, _)) => {
                sent.accepted.push(number);
                count.fetch_add(1, Ordering::Relaxed);
            }
            // It had too much to do; nothing of the request was taken.
            Ok((503, _)) => {}
            Ok((status, said)) => panic!("{status}: {said}"),
            Err(_) => return sent,
        }
    }
}

impl Written {
    pub(crate) fn samples(&self) -> u64 {
        self.connections.iter().map(|sent| sent.accepted.len() as u64 * SERIES).sum()
    }

    /// Every acknowledged sample is there once, at its time, and no sample that was not sent.
    pub(crate) async fn check(&self, mirante: &Stack, client: &Client) {
        let url = format!("{}/api/v1/query", mirante.url("prometheus"));
        let newest = self.connections.iter().map(|sent| sent.tried).max().unwrap_or(0);
        let time_ms = self.began_ms + newest as i64;
        let time = format!("{}.{:03}", time_ms / 1000, time_ms % 1000);
        for (connection, sent) in self.connections.iter().enumerate() {
            let query = format!("{}{{connection=\"{connection}\"}}[1h]", name(self.round));
            let (status, answer) = query::get(client, &url, &[("query", &query), ("time", &time)]).await;
            assert!(status.is_success(), "{status} {answer}");
            let found = answer["data"]["result"].as_array().unwrap();
            assert_eq!(
                found.len() as u64,
                SERIES,
                "series of connection {connection} of round {}",
                self.round
            );
            for series in found {
                self.check_series(series, sent);
            }
        }
    }

    fn check_series(&self, series: &Value, sent: &Sent) {
        let mut seen: HashMap<u64, u64> = HashMap::new();
        for point in series["values"].as_array().unwrap() {
            let time_ms = (point[0].as_f64().unwrap() * 1000.0).round() as i64;
            let number: u64 = point[1].as_str().unwrap().parse().unwrap();
            assert_eq!(time_ms, self.began_ms + number as i64, "{}", series["metric"]);
            assert!(number < sent.tried, "a sample {number} that was not sent: {}", series["metric"]);
            *seen.entry(number).or_default() += 1;
        }
        let round = self.round;
        for number in &sent.accepted {
            assert_eq!(seen.get(number), Some(&1), "sample {number} of round {round}: {}", series["metric"]);
        }
        assert!(seen.values().all(|times| *times == 1), "a sample is there twice: {}", series["metric"]);
    }
}
