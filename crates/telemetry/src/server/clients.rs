//! Who calls: requests and time by the name of the client's program, as metrics that stay few.
//!
//! `user_agent.original` is free text of the caller's, good for a span and never for a series. Here it is cut down to
//! a product's name, and only so many names are counted one by one; all others are counted together.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

/// Names that are counted one by one.
const MOST_NAMES: usize = 32;
/// Longest name, in bytes.
const LONGEST_NAME: usize = 32;
/// The name of all that are not counted one by one, as the semantic conventions call what is outside of a list.
const OTHER: &str = "_OTHER";
/// The name where there is no `User-Agent`.
const UNKNOWN: &str = "unknown";

/// Browsers name each other, so the most particular comes first.
const BROWSERS: [(&str, &str); 5] = [
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

/// All clients of a process. Counted here and read by the SDK when it exports, which costs a request a lookup among
/// a few names.
#[derive(Debug)]
pub(super) struct Clients {
    known: RwLock<Vec<Arc<Client>>>,
    other: Arc<Client>,
}

/// What one client took.
#[derive(Debug)]
pub(super) struct Client {
    name: Arc<str>,
    requests: AtomicU64,
    time_ns: AtomicU64,
}

impl Client {
    fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.into(), requests: AtomicU64::new(0), time_ns: AtomicU64::new(0) })
    }

    /// `user_agent.name`.
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// A request of this client's is over.
    pub(super) fn count(&self, took: Duration) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.time_ns.fetch_add(took.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Default for Clients {
    fn default() -> Self {
        Self { known: RwLock::default(), other: Client::new(OTHER) }
    }
}

impl Clients {
    /// Makes the instruments `demo.client.requests` and `demo.client.request.time`, which read from here.
    pub(super) fn observed_by(meter: &Meter) -> Arc<Self> {
        let clients = Arc::new(Self::default());
        let (requests, time) = (Arc::clone(&clients), Arc::clone(&clients));
        // The SDK keeps the callbacks; the instruments themselves are not needed any more.
        let _ = meter
            .u64_observable_counter("demo.client.requests")
            .with_unit("{request}")
            .with_description("Requests by the program that made them.")
            .with_callback(move |observer| {
                requests.observe(observer, |client| client.requests.load(Ordering::Relaxed));
            })
            .build();
        let _ = meter
            .f64_observable_counter("demo.client.request.time")
            .with_unit("s")
            .with_description("Time that was spent on the requests of a program.")
            .with_callback(move |observer| {
                time.observe(observer, |client| client.time_ns.load(Ordering::Relaxed) as f64 / 1e9);
            })
            .build();
        clients
    }

    fn observe<T>(&self, observer: &dyn AsyncInstrument<T>, value: impl Fn(&Client) -> T) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        let other = (self.other.requests.load(Ordering::Relaxed) > 0).then_some(&self.other);
        for client in known.iter().chain(other) {
            observer.observe(value(client), &[KeyValue::new("user_agent.name", client.name())]);
        }
    }

    /// The client that sends this `User-Agent`.
    pub(super) fn of(&self, user_agent: Option<&str>) -> Arc<Client> {
        let name = user_agent.map_or(UNKNOWN, product);
        let find = |known: &[Arc<Client>]| known.iter().find(|client| *client.name == *name).map(Arc::clone);
        let found = find(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        if let Some(client) = found {
            return client;
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // Another request may have been first.
        if let Some(client) = find(&known) {
            return client;
        }
        if known.len() >= MOST_NAMES {
            return Arc::clone(&self.other);
        }
        let client = Client::new(name);
        known.push(Arc::clone(&client));
        client
    }
}

/// The name of the program: a browser's, or the first product of the list that a `User-Agent` is (RFC 9110, 10.1.5).
fn product(user_agent: &str) -> &str {
    let browser =
        BROWSERS.iter().find(|(sign, _)| user_agent.starts_with("Mozilla/") && user_agent.contains(sign));
    if let Some((_, name)) = browser {
        return name;
    }
    let end =
        user_agent.find(|character: char| !(character.is_ascii_alphanumeric() || "-_.".contains(character)));
    let name = &user_agent[..end.unwrap_or(user_agent.len())];
    if name.is_empty() || name.len() > LONGEST_NAME { OTHER } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_programs() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let webkit = "Mozilla/5.0 (Macintosh) AppleWebKit/537.36 (KHTML, like Gecko)";
        for (user_agent, name) in [
            ("curl/8.14.1", "curl"),
            ("k6/2.2.0 (https://k6.io/)", "k6"),
            ("Go-http-client/1.1", "Go-http-client"),
            ("shop", "shop"),
            (firefox, "Firefox"),
            (&format!("{webkit} Chrome/140.0 Safari/537.36"), "Chrome"),
            (&format!("{webkit} Chrome/140.0 Safari/537.36 Edg/140.0"), "Edge"),
            (&format!("{webkit} Version/18 Safari/605.1.15"), "Safari"),
            ("Mozilla/4.0 (compatible)", "Mozilla"),
            ("", OTHER),
            ("(nothing)", OTHER),
            (&"x".repeat(33), OTHER),
        ] {
            assert_eq!(product(user_agent), name, "{user_agent}");
        }
    }

    #[test]
    fn there_are_only_so_many() {
        let clients = Clients::default();
        assert_eq!(&*clients.of(None).name(), UNKNOWN);
        for number in 1..MOST_NAMES {
            assert_eq!(*clients.of(Some(&format!("c{number}/1"))).name(), *format!("c{number}"));
        }
        assert_eq!(&*clients.of(Some("one-more/1")).name(), OTHER);
        assert_eq!(&*clients.of(Some("c1/2")).name(), "c1", "who is known stays so");
        assert_eq!(clients.known.read().unwrap().len(), MOST_NAMES);
    }
}
