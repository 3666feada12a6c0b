//! One address that is read, with its labels and its health.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use model::{Labels, Metadata};
use parking_lot::Mutex;

use crate::job::Job;

/// Begins labels that are for the scrape and not for the samples.
const RESERVED: &str = "__";

/// Begins labels that are parameters of the URL.
const PARAM: &str = "__param_";

/// Hashes have to be the same from one start to the next, so that a target is read at the same offset.
const HASH_SEED: u64 = 0x6d69_7261_6e74_6500;

/// Whether the last scrape succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Health {
    /// There was none yet.
    #[default]
    Unknown,
    /// It did.
    Up,
    /// It did not.
    Down,
}

impl Health {
    /// As the API says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What is known of a target's last scrape.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    /// Whether it succeeded.
    pub health: Health,
    /// Why it failed, in Prometheus' words; empty if it did not.
    pub last_error: String,
    /// When it began, nanoseconds since the Unix epoch; 0 if there was none.
    pub last_scrape_ns: u64,
    /// How long it took.
    pub last_duration: Duration,
}

/// Where a target is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// `http`, or what the configuration says.
    pub scheme: String,
    /// Host and perhaps port.
    pub host: String,
    /// Path, as the configuration has it.
    pub path: String,
    /// Parameters, encoded; empty if there are none.
    pub query: String,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let slash = if self.path.is_empty() || self.path.starts_with('/') { "" } else { "/" };
        write!(f, "{}://{}{slash}", self.scheme, self.host)?;
        escape_path(&self.path, f)?;
        if self.query.is_empty() { Ok(()) } else { write!(f, "?{}", self.query) }
    }
}

/// A target. It is shared: the loop that reads it writes its status, the API shows it.
#[derive(Debug)]
pub struct Target {
    job: Arc<str>,
    all_labels: Labels,
    labels: Labels,
    address: Address,
    interval: Duration,
    timeout: Duration,
    interval_error: Option<String>,
    discovered: Mutex<Labels>,
    status: Mutex<Status>,
    metadata: Mutex<BTreeMap<String, Metadata>>,
}

impl Target {
    /// A target of a job.
    ///
    /// `labels` are those after relabelling, with `__address__`, `__scheme__`, `__metrics_path__`, `__scrape_interval__`,
    /// `__scrape_timeout__` and `instance`; `discovered` those before, which are only shown.
    pub fn new(job: &Job, labels: Labels, discovered: Labels) -> Self {
        let public = labels.iter().filter(|(name, _)| !name.starts_with(RESERVED));
        let public = Labels::from_sorted(public);
        let mut params = job.params.clone();
        for (name, value) in labels.iter() {
            if let Some(name) = name.strip_prefix(PARAM) {
                let values = params.entry(name.to_owned()).or_default();
                match values.first_mut() {
                    Some(first) => value.clone_into(first),
                    None => values.push(value.to_owned()),
                }
            }
        }
        let address = Address {
            scheme: labels.get("__scheme__").to_owned(),
            host: labels.get("__address__").to_owned(),
            path: labels.get("__metrics_path__").to_owned(),
            query: encode_query(&params),
        };
        let (mut interval, mut timeout) = (job.interval, job.timeout);
        let mut interval_error = None;
        match (duration(&labels, "interval"), duration(&labels, "timeout")) {
            (Ok(own_interval), Ok(own_timeout)) => (interval, timeout) = (own_interval, own_timeout),
            (Err(error), _) | (_, Err(error)) => interval_error = Some(error),
        }
        Self {
            job: job.name.as_str().into(),
            all_labels: labels,
            labels: public,
            address,
            interval,
            timeout,
            interval_error,
            discovered: Mutex::new(discovered),
            status: Mutex::default(),
            metadata: Mutex::default(),
        }
    }

    /// Name of its job: the pool that it is in.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// The labels that its samples get.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// All labels after relabelling, those included that begin with `__`.
    pub fn all_labels(&self) -> &Labels {
        &self.all_labels
    }

    /// Its labels before relabelling.
    pub fn discovered_labels(&self) -> Labels {
        self.discovered.lock().clone()
    }

    /// Where it is read.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// How often it is read.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// How long a scrape may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// What became of the last scrape.
    pub fn status(&self) -> Status {
        self.status.lock().clone()
    }

    /// The metric families that it described lately, by name.
    pub fn metadata(&self) -> BTreeMap<String, Metadata> {
        self.metadata.lock().clone()
    }

    /// What it said of one metric family.
    pub fn metadata_of(&self, family: &str) -> Option<Metadata> {
        self.metadata.lock().get(family).cloned()
    }

    /// A label that says yes or no, or else what the job says.
    pub(crate) fn flag(&self, label: &str, job: bool) -> bool {
        match self.all_labels.get(label) {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => true,
            "0" | "f" | "F" | "FALSE" | "false" | "False" => false,
            _ => job,
        }
    }

    /// Why its own interval or timeout cannot be used; such a target is not read.
    pub(crate) fn interval_error(&self) -> Option<&str> {
        self.interval_error.as_deref()
    }

    /// Says what became of a scrape.
    pub(crate) fn report(&self, status: Status) {
        *self.status.lock() = status;
    }

    /// Labels before relabelling that a later discovery gave.
    pub(crate) fn set_discovered(&self, discovered: Labels) {
        *self.discovered.lock() = discovered;
    }

    /// Changes what is known of its metric families.
    pub(crate) fn with_metadata<T>(&self, change: impl FnOnce(&mut BTreeMap<String, Metadata>) -> T) -> T {
        change(&mut self.metadata.lock())
    }

    /// Tells targets apart: all labels and the URL.
    pub(crate) fn hash(&self) -> u64 {
        let mut hasher = foldhash::quality::FixedState::with_seed(HASH_SEED).build_hasher();
        self.all_labels.hash(&mut hasher);
        self.address.hash(&mut hasher);
        hasher.finish()
    }
}

/// The duration in the label `__scrape_WHAT__`.
fn duration(labels: &Labels, what: &str) -> Result<Duration, String> {
    let text = labels.get(&format!("__scrape_{what}__"));
    model::duration::parse(text).map_err(|error| {
        let quoted = exposition::Quoted(text.as_bytes());
        format!("error parsing {what} label {quoted}: {error}")
    })
}

/// Parameters by name, as Go's `url.Values.Encode` writes them.
fn encode_query(params: &BTreeMap<String, Vec<String>>) -> String {
    let mut query = String::new();
    for (name, value) in
        params.iter().flat_map(|(name, values)| values.iter().map(move |value| (name, value)))
    {
        if !query.is_empty() {
            query.push('&');
        }
        escape_query(name, &mut query);
        query.push('=');
        escape_query(value, &mut query);
    }
    query
}

fn escape_query(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b' ' => into.push('+'),
            b'-' | b'_' | b'.' | b'~' => into.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => into.push(byte.into()),
            byte => _ = write!(into, "%{byte:02X}"),
        }
    }
}

/// A path as Go's `url.URL` writes it.
fn escape_path(path: &str, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@!'()*".contains(&byte) {
            f.write_char(byte.into())?;
        } else {
            write!(f, "%{byte:02X}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(own: &[(&str, &str)]) -> Labels {
        let base = [
            ("__address__", "users:8001"),
            ("__scheme__", "http"),
            ("__metrics_path__", "/metrics"),
            ("__scrape_interval__", "15s"),
            ("__scrape_timeout__", "10s"),
            ("instance", "users:8001"),
            ("job", "users"),
        ];
        base.into_iter().chain(own.iter().copied()).collect()
    }

    #[test]
    fn the_address_comes_from_labels_and_parameters() {
        let mut job = Job::new("users");
        job.params.insert("module".to_owned(), vec!["a b".to_owned(), "c&d".to_owned()]);
        let target =
            Target::new(&job, labels(&[("__param_module", "x/y"), ("__param_z", "1")]), Labels::default());
        assert_eq!(target.address().to_string(), "http://users:8001/metrics?module=x%2Fy&module=c%26d&z=1");
        assert_eq!(target.labels().to_string(), r#"{instance="users:8001", job="users"}"#);
        assert_eq!((target.interval(), target.timeout()), (Duration::from_secs(15), Duration::from_secs(10)));
        let path = Target::new(&job, labels(&[("__metrics_path__", "a b?c")]), Labels::default());
        assert!(path.address().to_string().starts_with("http://users:8001/a%20b%3Fc?"));
    }

    #[test]
    fn a_wrong_interval_is_said_and_the_jobs_taken() {
        let job = Job::new("users");
        let target = Target::new(&job, labels(&[("__scrape_interval__", "soon")]), Labels::default());
        assert!(target.interval_error().unwrap().starts_with("error parsing interval label \"soon\": "));
        assert_eq!(target.interval(), Duration::from_mins(1));
    }

    #[test]
    fn equal_targets_are_one() {
        let job = Job::new("users");
        let target = |own| Target::new(&job, labels(own), Labels::default()).hash();
        assert_eq!(target(&[]), target(&[]));
        assert_ne!(target(&[]), target(&[("a", "b")]));
    }
}
