//! The two servers that are compared, with the same samples in both.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::Failed;
use tests::mirante::{Stack, free_port};
use tests::peers::running::Peer;
use tests::peers::{ask, packaged, pinned};

use super::data;

/// Which Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// The one that the compose file pins: everything has to be equal.
    Pinned,
    /// The distribution's, which is older: native histograms are another thing in it, it has fewer functions, no infos,
    /// and other words for errors.
    Packaged,
}

impl Version {
    pub(super) const ALL: [Self; 2] = [Self::Pinned, Self::Packaged];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pinned => "the pinned version",
            Self::Packaged => "the distribution's",
        }
    }

    /// Where its program is looked for.
    pub(super) fn find(self) -> fn(&str) -> Option<std::path::PathBuf> {
        match self {
            Self::Pinned => pinned,
            Self::Packaged => packaged,
        }
    }
}

/// A real Prometheus and the embedded engine.
pub(super) struct Pair {
    pub(super) prometheus_url: String,
    pub(super) mirante_url: String,
    /// The time of the last samples, in seconds.
    pub(super) end_s: i64,
    _prometheus: Peer,
    _mirante: Stack,
    _dir: tempfile::TempDir,
}

static SHARED: [Mutex<Option<Arc<Pair>>>; 2] = [Mutex::new(None), Mutex::new(None)];

/// Ends all servers, after the last case.
pub(super) fn stop() {
    for pair in &SHARED {
        pair.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Pair {
    /// The pair that the cases of a version share.
    pub(super) fn shared(version: Version) -> Result<Arc<Self>, Failed> {
        let mut shared = SHARED[version as usize].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &*shared {
            return Ok(Arc::clone(running));
        }
        Ok(Arc::clone(shared.insert(Arc::new(Self::start(version)?))))
    }

    fn start(version: Version) -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        let mirante = Stack::up(&dir.path().join("mirante"), &["--no-demo"]);
        let mirante_url = mirante.url("prometheus");
        let config = dir.path().join("prometheus.yml");
        // Nothing is scraped: the samples are all that there is.
        std::fs::write(&config, "storage:\n  tsdb:\n    out_of_order_time_window: 10m\n")?;
        let address = format!("127.0.0.1:{}", free_port());
        let mut arguments = vec![
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", dir.path().join("prometheus").display()),
            format!("--web.listen-address={address}"),
            "--web.enable-remote-write-receiver".to_owned(),
            "--log.level=error".to_owned(),
        ];
        if version == Version::Pinned {
            // What the embedded engine has without being asked.
            let flags = ask::json(&format!("{mirante_url}/api/v1/status/flags"));
            let features = flags["data"]["enable-feature"].as_str().unwrap_or_default();
            arguments.push(format!("--enable-feature={features}"));
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let program = version.find()("prometheus").ok_or("no prometheus")?;
        let mut prometheus = Peer::start(&program, &arguments, dir.path())?;
        prometheus.ready(&format!("http://{address}/-/ready"), Duration::from_mins(1))?;
        let end_s = data::end_s();
        for address in [&address, &mirante.address("prometheus")] {
            data::send(address, end_s, version == Version::Pinned)?;
        }
        let prometheus_url = format!("http://{address}");
        Ok(Self { prometheus_url, mirante_url, end_s, _prometheus: prometheus, _mirante: mirante, _dir: dir })
    }
}
