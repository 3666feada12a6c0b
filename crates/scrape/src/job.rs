//! How the targets of one `scrape_configs` entry are read.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use exposition::{EscapingScheme, Protocol};

/// What `metric_relabel_configs` do to the labels of a sample.
pub trait Relabel: Debug + Send + Sync {
    /// Changes a label set, the metric's name in `__name__`; whether the sample is kept. Labels come sorted, and an empty
    /// value means that there is no such label. The order that is left does not matter.
    fn relabel(&self, labels: &mut Vec<(String, String)>) -> bool;

    /// A text that is the same for the same rules, so that a reload knows whether anything changed.
    fn fingerprint(&self) -> String;
}

/// Most and longest labels of a sample; 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LabelLimits {
    /// `label_limit`: labels of a sample, its name included.
    pub count: usize,
    /// `label_name_length_limit`, bytes.
    pub name_length: usize,
    /// `label_value_length_limit`, bytes.
    pub value_length: usize,
}

/// What the configuration says of a job, defaults filled in. Prometheus' own documentation of `scrape_config` holds for
/// each field.
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the configuration")]
#[derive(Debug, Clone)]
pub struct Job {
    /// `job_name`.
    pub name: String,
    /// `scrape_interval`, for targets whose `__scrape_interval__` says nothing else.
    pub interval: Duration,
    /// `scrape_timeout`, for targets whose `__scrape_timeout__` says nothing else.
    pub timeout: Duration,
    /// `params`: of the URL, by name.
    pub params: BTreeMap<String, Vec<String>>,
    /// `scrape_protocols`, best first.
    pub protocols: Vec<Protocol>,
    /// `fallback_scrape_protocol`.
    pub fallback: Option<Protocol>,
    /// `metric_name_escaping_scheme`.
    pub escaping: EscapingScheme,
    /// Whether names may be any UTF-8 (`metric_name_validation_scheme`).
    pub utf8_names: bool,
    /// `honor_labels`.
    pub honor_labels: bool,
    /// `honor_timestamps`.
    pub honor_timestamps: bool,
    /// `track_timestamps_staleness`.
    pub track_timestamps_staleness: bool,
    /// `enable_compression`.
    pub compression: bool,
    /// `follow_redirects`.
    pub follow_redirects: bool,
    /// `scrape_native_histograms`.
    pub native_histograms: bool,
    /// `always_scrape_classic_histograms`.
    pub always_classic_histograms: bool,
    /// `convert_classic_histograms_to_nhcb`.
    pub convert_classic_to_nhcb: bool,
    /// `extra_scrape_metrics`: `scrape_timeout_seconds`, `scrape_sample_limit` and `scrape_body_size_bytes`.
    pub extra_metrics: bool,
    /// `body_size_limit`, bytes after decompression; 0 is no limit of the job's own.
    pub body_size_limit: u64,
    /// `sample_limit`; 0 is no limit.
    pub sample_limit: usize,
    /// `target_limit`; 0 is no limit.
    pub target_limit: usize,
    /// `label_limit` and its like.
    pub label_limits: LabelLimits,
    /// `native_histogram_bucket_limit`; 0 is no limit.
    pub bucket_limit: usize,
    /// `native_histogram_min_bucket_factor`; 0 is no limit.
    pub min_bucket_factor: f64,
    /// `metric_relabel_configs`; `None` where there are none.
    pub relabel: Option<Arc<dyn Relabel>>,
    /// `keep_dropped_targets`; 0 is all of them.
    pub keep_dropped_targets: usize,
    /// Headers to send beside those of a scrape: `http_headers`, `Authorization` of `basic_auth` and `authorization`.
    pub headers: Vec<(String, String)>,
}

impl Job {
    /// A job with Prometheus' defaults.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            interval: Duration::from_mins(1),
            timeout: Duration::from_secs(10),
            params: BTreeMap::new(),
            protocols: Protocol::DEFAULT.to_vec(),
            fallback: None,
            escaping: EscapingScheme::AllowUtf8,
            utf8_names: true,
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            compression: true,
            follow_redirects: true,
            native_histograms: false,
            always_classic_histograms: false,
            convert_classic_to_nhcb: false,
            extra_metrics: false,
            body_size_limit: 0,
            sample_limit: 0,
            target_limit: 0,
            label_limits: LabelLimits::default(),
            bucket_limit: 0,
            min_bucket_factor: 0.0,
            relabel: None,
            keep_dropped_targets: 0,
            headers: Vec::new(),
        }
    }

    /// Whether samples of the two have the same series, so that what is known of a target's series still holds.
    pub(crate) fn has_same_series(&self, other: &Self) -> bool {
        let rules = |job: &Self| job.relabel.as_ref().map(|relabel| relabel.fingerprint());
        self.name == other.name
            && self.honor_labels == other.honor_labels
            && self.honor_timestamps == other.honor_timestamps
            && self.track_timestamps_staleness == other.track_timestamps_staleness
            && self.native_histograms == other.native_histograms
            && self.always_classic_histograms == other.always_classic_histograms
            && self.convert_classic_to_nhcb == other.convert_classic_to_nhcb
            && self.label_limits == other.label_limits
            && self.utf8_names == other.utf8_names
            && rules(self) == rules(other)
    }
}
