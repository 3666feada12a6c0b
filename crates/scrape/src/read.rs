//! Reading a body: which samples it has, with which labels; what makes the whole of it worthless.

use std::sync::Arc;

use exposition::protocol::{self, MediaType};
use exposition::{Event, Options, Parser};
use model::histogram::{MAX_SCHEMA, MIN_SCHEMA};
use model::{Exemplar, Histogram, Labels, Metadata, MetricType};

use crate::cache::{Cache, Slot};
use crate::job::Job;
use crate::mutate::{self, LabelError};
use crate::target::Target;

/// Scrapes for which a family is remembered that is described no more.
const METADATA_SCRAPES: u64 = 10;

/// Most families of a target of which type, meaning and unit are remembered.
const MAX_FAMILIES: usize = 100_000;

/// A float sample of a series in the cache.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FloatRead {
    pub(crate) slot: Slot,
    pub(crate) time_ms: i64,
    pub(crate) start_ms: i64,
    pub(crate) value: f64,
}

/// A sample with more to it.
#[derive(Debug)]
pub(crate) struct RichRead {
    pub(crate) slot: Slot,
    pub(crate) time_ms: i64,
    pub(crate) start_ms: i64,
    /// `None` if the value is a histogram.
    pub(crate) value: f64,
    pub(crate) histogram: Option<Arc<Histogram>>,
    pub(crate) exemplars: Vec<Exemplar>,
    /// What is new about its family.
    pub(crate) family: Option<(String, Metadata)>,
}

/// What a body has.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) floats: Vec<FloatRead>,
    pub(crate) rich: Vec<RichRead>,
    /// Samples in the body.
    pub(crate) total: usize,
    /// Samples that rules left.
    pub(crate) added: usize,
    /// Series that the last scrapes did not have.
    pub(crate) series_added: usize,
    /// Samples of a series that the body had already.
    pub(crate) duplicates: usize,
    /// Why nothing of it is kept.
    pub(crate) error: Option<ReadError>,
}

/// Why a body is worth nothing, in Prometheus' words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ReadError {
    SampleLimit,
    BucketLimit,
    LabelLimit(String),
    Other(String),
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SampleLimit => f.write_str("sample limit exceeded"),
            Self::BucketLimit => f.write_str("histogram bucket limit exceeded"),
            Self::LabelLimit(error) | Self::Other(error) => f.write_str(error),
        }
    }
}

/// Reads the bodies of one target.
#[derive(Debug)]
pub(crate) struct Reader {
    job: Arc<Job>,
    target: Arc<Target>,
    options: Options,
    max_schema: i32,
    families: Families,
    raw: Vec<(String, String)>,
}

impl Reader {
    pub(crate) fn new(job: Arc<Job>, target: Arc<Target>) -> Self {
        let flag = |label: &str, job: bool| target.flag(label, job);
        let options = Options {
            ignore_native_histograms: !flag("__scrape_native_histograms__", job.native_histograms),
            convert_classic_to_nhcb: flag(
                "__convert_classic_histograms_to_nhcb__",
                job.convert_classic_to_nhcb,
            ),
            keep_classic: flag("__always_scrape_classic_histograms__", job.always_classic_histograms),
            skip_created: false,
            start_timestamps: true,
            fallback: job.fallback.map(exposition::Protocol::media_type),
        };
        let max_schema = max_schema(job.min_bucket_factor);
        Self { job, target, options, max_schema, families: Families::default(), raw: Vec::new() }
    }

    /// Reads a body. `time_ms` is the time of samples that have none of their own.
    pub(crate) fn read(
        &mut self,
        body: &[u8],
        content_type: &str,
        time_ms: i64,
        cache: &mut Cache,
    ) -> Reading {
        let mut reading = Reading::default();
        let media_type = match protocol::media_type(content_type, self.options.fallback) {
            Ok((media_type, warning)) => {
                if let Some(warning) = warning {
                    tracing::debug!(job = %self.job.name, %warning, "invalid content type on scrape, using the fallback");
                }
                media_type
            }
            Err(error) => {
                reading.error = Some(ReadError::Other(error));
                return reading;
            }
        };
        cache.begin(media_type);
        self.families.begin();
        let parser = Parser::of(body, media_type, &self.options);
        let outcome = self.read_events(parser, media_type, time_ms, cache, &mut reading);
        // What the body itself is wrong about comes before what there is too much of.
        if let Err(error) = outcome {
            reading.error = Some(error);
        }
        self.target.with_metadata(|known| self.families.end(known));
        reading
    }

    fn read_events(
        &mut self,
        mut parser: Parser<'_>,
        media_type: MediaType,
        time_ms: i64,
        cache: &mut Cache,
        reading: &mut Reading,
    ) -> Result<(), ReadError> {
        let guesses = media_type != MediaType::Protobuf && !self.options.convert_classic_to_nhcb;
        let mut appended = 0;
        let failed = |error: exposition::Error| ReadError::Other(error.message);
        loop {
            let (expected, key) = cache.expected();
            let key = if guesses { key } else { &[] };
            let is_histogram = match parser.next_expecting(key).map_err(failed)? {
                None => return Ok(()),
                Some(Event::Comment(_)) => continue,
                Some(Event::Type { family, kind }) => {
                    self.families.set(family, |metadata| std::mem::replace(&mut metadata.kind, kind) != kind);
                    continue;
                }
                Some(Event::Help { family, text }) => {
                    self.families.set_text(family, &text.plain(), |metadata| &mut metadata.help);
                    continue;
                }
                Some(Event::Unit { family, unit }) => {
                    let unit = String::from_utf8_lossy(unit);
                    self.families.set_text(family, &unit, |metadata| &mut metadata.unit);
                    continue;
                }
                Some(Event::Float) => false,
                Some(Event::Histogram) => true,
            };
            reading.total += 1;
            let sample = parser.sample();
            let own_time = sample.time_ms.filter(|_| self.job.honor_timestamps);
            let value = sample.value;
            let (slot, is_new) = match cache.find(sample.key, expected) {
                Some(slot) => (slot, false),
                None => (self.add_series(&mut parser, cache)?, true),
            };
            let again = cache.see(slot);
            let Some(labels) = cache.labels(slot) else { continue };
            reading.added += 1;
            if again && own_time.is_none() {
                reading.duplicates += 1;
                continue;
            }
            appended += 1;
            let limit = self.job.sample_limit;
            if limit > 0 && appended > limit {
                reading.error.get_or_insert(ReadError::SampleLimit);
                continue;
            }
            let mut histogram = None;
            if let Some(found) = is_histogram.then(|| parser.histogram()).flatten() {
                let Some(fitting) = self.fit(found)? else {
                    reading.error.get_or_insert(ReadError::BucketLimit);
                    continue;
                };
                histogram = Some(Arc::new(fitting));
            }
            let start_ms = parser.start_ms();
            let time = own_time.unwrap_or(time_ms);
            let exemplars = exemplars(&mut parser, time);
            let family = self.families.news(labels, is_new);
            if own_time.is_none() || self.job.track_timestamps_staleness {
                cache.track(slot);
            }
            if is_new && reading.error.is_none() {
                reading.series_added += 1;
            }
            if histogram.is_none() && exemplars.is_empty() && family.is_none() {
                reading.floats.push(FloatRead { slot, time_ms: time, start_ms, value });
            } else {
                reading.rich.push(RichRead {
                    slot,
                    time_ms: time,
                    start_ms,
                    value,
                    histogram,
                    exemplars,
                    family,
                });
            }
        }
    }

    /// Adds the series of the sample that was read last to the cache.
    fn add_series(&mut self, parser: &mut Parser<'_>, cache: &mut Cache) -> Result<Slot, ReadError> {
        self.raw.clear();
        parser.labels(&mut self.raw).map_err(|error| ReadError::Other(error.message))?;
        let labels = mutate::series_labels(&mut self.raw, self.target.labels(), &self.job);
        let labels = labels.map_err(|error| match error {
            LabelError::Limit(error) => ReadError::LabelLimit(error),
            LabelError::Invalid(error) => ReadError::Other(error),
        })?;
        Ok(cache.add(parser.sample().key, labels))
    }

    /// A histogram within the job's limits; `None` if it cannot be brought there.
    fn fit(&self, mut histogram: Histogram) -> Result<Option<Histogram>, ReadError> {
        let invalid = |error: &dyn std::fmt::Display| ReadError::Other(error.to_string());
        let whole = |count: &f64| count.fract() == 0.0;
        let counts = [histogram.count, histogram.zero_count];
        let all = counts.iter().chain(&histogram.positive_buckets).chain(&histogram.negative_buckets);
        let valid = if all.clone().all(whole) { histogram.validate_whole() } else { histogram.validate() };
        let exponential = !histogram.has_custom_bounds();
        if exponential && histogram.schema > self.max_schema && histogram.schema <= MAX_SCHEMA {
            histogram.reduce_resolution(self.max_schema).map_err(|error| invalid(&error))?;
        }
        let limit = self.job.bucket_limit;
        let buckets =
            |histogram: &Histogram| histogram.positive_buckets.len() + histogram.negative_buckets.len();
        while limit > 0 && buckets(&histogram) > limit {
            if !exponential || histogram.schema <= MIN_SCHEMA {
                return Ok(None);
            }
            histogram.reduce_resolution(histogram.schema - 1).map_err(|error| invalid(&error))?;
        }
        valid.map_err(|error| invalid(&error))?;
        Ok(Some(histogram))
    }
}

/// Exemplars of the sample that was read last, by time; one without a time has the sample's.
fn exemplars(parser: &mut Parser<'_>, time_ms: i64) -> Vec<Exemplar> {
    let mut exemplars = Vec::new();
    while let Some(raw) = parser.exemplar() {
        let labels = Labels::new(raw.labels);
        exemplars.push(Exemplar { labels, value: raw.value, time_ms: raw.time_ms.unwrap_or(time_ms) });
    }
    exemplars
        .sort_by(|left, right| left.time_ms.cmp(&right.time_ms).then(left.value.total_cmp(&right.value)));
    exemplars
}

/// The finest schema whose buckets grow by no less than a factor.
fn max_schema(min_factor: f64) -> i32 {
    let factor = if min_factor <= 1.0 { 1.002_71 } else { min_factor };
    let schema = (-factor.log2().log2()).floor();
    (schema as i32).clamp(MIN_SCHEMA, MAX_SCHEMA)
}

/// What a target says of its metric families.
#[derive(Debug, Default)]
struct Families {
    scrape: u64,
    known: std::collections::HashMap<Box<str>, Known, foldhash::fast::RandomState>,
    /// The family that was described last.
    current: Option<Box<str>>,
    changed: bool,
}

#[derive(Debug, Default)]
struct Known {
    metadata: Metadata,
    seen: u64,
    /// Whether the store has to be told.
    news: bool,
}

impl Families {
    fn begin(&mut self) {
        self.scrape += 1;
        self.current = None;
    }

    /// Changes what is known of a family, where `change` says that it did.
    fn set(&mut self, family: &[u8], change: impl FnOnce(&mut Metadata) -> bool) {
        let Ok(family) = std::str::from_utf8(family) else { return };
        if self.current.as_deref() != Some(family) {
            self.current = Some(family.into());
        }
        if !self.known.contains_key(family) {
            if self.known.len() >= MAX_FAMILIES {
                return;
            }
            self.known.insert(family.into(), Known { news: true, ..Known::default() });
            self.changed = true;
        }
        if let Some(known) = self.known.get_mut(family) {
            known.seen = self.scrape;
            if change(&mut known.metadata) {
                known.news = true;
                self.changed = true;
            }
        }
    }

    fn set_text(&mut self, family: &[u8], text: &str, field: impl FnOnce(&mut Metadata) -> &mut String) {
        self.set(family, |metadata| {
            let field = field(metadata);
            let changed = *field != text;
            if changed {
                text.clone_into(field);
            }
            changed
        });
    }

    /// What the store does not know yet of the family that a series is in.
    fn news(&mut self, labels: &Labels, is_new: bool) -> Option<(String, Metadata)> {
        let name = self.current.as_deref()?;
        let known = self.known.get_mut(name).filter(|known| known.news || is_new)?;
        if !is_part_of(labels.get(model::labels::METRIC_NAME), name, known.metadata.kind) {
            return None;
        }
        known.news = false;
        Some((name.to_owned(), known.metadata.clone()))
    }

    /// Forgets what was not described for long, and shows what is known.
    fn end(&mut self, shown: &mut std::collections::BTreeMap<String, Metadata>) {
        let (scrape, before) = (self.scrape, self.known.len());
        self.known.retain(|_, known| scrape - known.seen <= METADATA_SCRAPES);
        if self.changed || self.known.len() != before {
            let pairs = self.known.iter().map(|(name, known)| (name.to_string(), known.metadata.clone()));
            *shown = pairs.collect();
            self.changed = false;
        }
    }
}

/// Whether a series is one of a family, by the suffixes of its type.
fn is_part_of(name: &str, family: &str, kind: MetricType) -> bool {
    let suffixes: &[&str] = match kind {
        MetricType::Counter => &["_total"],
        MetricType::Histogram => &["_bucket", "_sum", "_count"],
        MetricType::GaugeHistogram => &["_bucket", "_gsum", "_gcount"],
        MetricType::Summary => &["_sum", "_count"],
        MetricType::Info => &["_info"],
        _ => &[],
    };
    let base = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    let family_base = match kind {
        MetricType::Counter => family.strip_suffix("_total").unwrap_or(family),
        MetricType::Info => family.strip_suffix("_info").unwrap_or(family),
        _ => family,
    };
    base == family_base
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_by_factor() {
        for (factor, schema) in [(0.0, 8), (1.01, 6), (1.1, 2), (2.0, 0), (4.0, -1), (1e9, -4)] {
            assert_eq!(max_schema(factor), schema, "{factor}");
        }
    }

    #[test]
    fn series_of_families() {
        assert!(is_part_of("a_total", "a", MetricType::Counter));
        assert!(is_part_of("a_total", "a_total", MetricType::Counter));
        assert!(is_part_of("a_bucket", "a", MetricType::Histogram));
        assert!(!is_part_of("a_bucket", "a", MetricType::Gauge));
        assert!(!is_part_of("b", "a", MetricType::Unknown));
    }
}
