//! One scrape of one target, and what is written when there will be no further one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use model::sample::STALE_NAN_BITS;
use model::{Clock, Labels};
use tsdb::Tsdb;

use crate::cache::Cache;
use crate::client::{Client, FetchError};
use crate::job::Job;
use crate::meters::Meters;
use crate::mutate::report_labels;
use crate::read::{ReadError, Reader, Reading};
use crate::target::{Health, Status, Target};
use crate::write;

/// Series about a scrape, in the order of [`Report::values`].
const REPORT: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// Those that `extra_scrape_metrics` adds.
const EXTRA: [&str; 3] = ["scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes"];

/// What scraping one target needs and keeps.
#[derive(Debug)]
pub(crate) struct Scraper {
    store: Arc<Tsdb>,
    clock: Arc<dyn Clock>,
    meters: Meters,
    job: Arc<Job>,
    target: Arc<Target>,
    client: Client,
    reader: Reader,
    pub(crate) cache: Cache,
    report_series: Vec<Labels>,
    body: Vec<u8>,
}

/// What became of fetching: bytes and their type, or why there are none.
type Fetched = Result<String, FetchError>;

impl Scraper {
    pub(crate) fn new(
        store: Arc<Tsdb>,
        clock: Arc<dyn Clock>,
        meters: Meters,
        job: Arc<Job>,
        target: Arc<Target>,
        client: Client,
        cache: Cache,
    ) -> Self {
        let extra = if job.extra_metrics { &EXTRA[..] } else { &[] };
        let names = REPORT.iter().chain(extra);
        let report_series = names.map(|name| report_labels(name, target.labels())).collect();
        let reader = Reader::new(Arc::clone(&job), Arc::clone(&target));
        let body = Vec::new();
        Self { store, clock, meters, job, target, client, reader, cache, report_series, body }
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Scrapes once. `time_ns` is the time that the samples get; `forced` an error without asking the target.
    pub(crate) async fn scrape(mut self: Box<Self>, time_ns: u64, forced: Option<String>) -> Box<Self> {
        let began = Instant::now();
        self.body.clear();
        let fetched = if let Some(error) = forced {
            Err(FetchError::Other(error))
        } else {
            let mut body = std::mem::take(&mut self.body);
            let fetched = self.client.fetch(&mut body).await;
            self.body = body;
            fetched
        };
        let target = Arc::clone(&self.target);
        let time = Status { last_scrape_ns: time_ns, ..Status::default() };
        // Reading and writing take longer than an async task may.
        let keep = move || {
            self.keep(&fetched, began, time);
            self
        };
        match tokio::task::spawn_blocking(keep).await {
            Ok(scraper) => scraper,
            Err(error) => {
                let message = format!("reading what {} said failed: {error}", target.address());
                std::panic::resume_unwind(Box::new(message))
            }
        }
    }

    /// Takes a body as if it had just been fetched.
    pub(crate) fn keep_recorded(&mut self, content_type: &str, body: &[u8], time_ns: u64) {
        self.body.clear();
        self.body.extend_from_slice(body);
        let status = Status { last_scrape_ns: time_ns, ..Status::default() };
        self.keep(&Ok(content_type.to_owned()), Instant::now(), status);
    }

    /// Reads, writes and reports.
    fn keep(&mut self, fetched: &Fetched, began: Instant, mut status: Status) {
        let time_ns = status.last_scrape_ns;
        let time_ms = (time_ns / 1_000_000) as i64;
        let mut bytes = 0.0;
        let mut error = None;
        let mut reading = Reading::default();
        match fetched {
            Ok(content_type) if !self.body.is_empty() => {
                bytes = self.body.len() as f64;
                let body = std::mem::take(&mut self.body);
                reading = self.reader.read(&body, content_type, time_ms, &mut self.cache);
                self.body = body;
                error = reading.error.as_ref().map(ToString::to_string);
            }
            // As in Prometheus, a body of nothing is nothing, and fine.
            Ok(_) => {}
            Err(FetchError::BodySize) => {
                bytes = -1.0;
                self.meters.exceeded_body_size.inc();
                error = Some(FetchError::BodySize.to_string());
            }
            Err(other) => error = Some(other.to_string()),
        }
        self.count(&reading);
        let read = fetched.is_ok() && !self.body.is_empty() && error.is_none();
        if read {
            match write::write(&self.store, &mut reading, &self.cache) {
                Ok(refused) => error = self.judge(&refused, reading.duplicates),
                Err(cause) => {
                    tracing::error!(target = %self.target.address(), %cause, "scrape commit failed");
                    error = Some(cause.to_string());
                }
            }
        } else {
            // Whatever was read before it went wrong is not kept.
            self.cache.untrack_all();
        }
        self.mark_gone(time_ms);
        let forced_before = self.cache.forced_flushes;
        self.cache.end(read);
        self.meters.forced_flushes.inc_by(self.cache.forced_flushes - forced_before);
        if let Some(error) = &error {
            tracing::debug!(job = %self.job.name, target = %self.target.address(), %error, "scrape failed");
        }
        if fetched.is_err() {
            // The room that a body took which was too large is not kept for the next one.
            self.body = Vec::new();
        }
        let duration = began.elapsed();
        let up = if error.is_none() { 1.0 } else { 0.0 };
        let counts = [reading.total, reading.added, reading.series_added].map(|count| count as f64);
        let values = [up, duration.as_secs_f64(), counts[0], counts[1], counts[2]];
        let extra = [self.target.timeout().as_secs_f64(), self.job.sample_limit as f64, bytes];
        status.health = if error.is_none() { Health::Up } else { Health::Down };
        status.last_error = error.unwrap_or_default();
        status.last_duration = duration;
        self.target.report(status);
        let values = values.into_iter().chain(extra);
        let report: Vec<_> = self.report_series.iter().cloned().zip(values).collect();
        if let Err(cause) = write::write_report(&self.store, &report, time_ms) {
            tracing::warn!(target = %self.target.address(), %cause, "appending scrape report failed");
        }
        self.meters.seconds.observe(began.elapsed().as_secs_f64());
    }

    fn count(&self, reading: &Reading) {
        match &reading.error {
            Some(ReadError::SampleLimit) => self.meters.exceeded_samples.inc(),
            Some(ReadError::BucketLimit) => self.meters.exceeded_buckets.inc(),
            Some(ReadError::LabelLimit(_)) => self.meters.exceeded_labels.inc(),
            Some(ReadError::Other(_)) | None => {}
        }
    }

    /// Counts what the store refused, and says what makes the scrape fail.
    fn judge(&self, refused: &write::Refused, duplicates_read: usize) -> Option<String> {
        let target = self.target.address();
        let duplicates = refused.duplicates + duplicates_read as u64;
        self.meters.out_of_order.inc_by(refused.out_of_order);
        self.meters.duplicates.inc_by(duplicates);
        self.meters.out_of_bounds.inc_by(refused.out_of_bounds);
        if refused.out_of_order > 0 {
            tracing::warn!(%target, dropped = refused.out_of_order, "error on ingesting out-of-order samples");
        }
        if duplicates > 0 {
            tracing::warn!(
                %target,
                dropped = duplicates,
                "error on ingesting samples with different value but same timestamp"
            );
        }
        if refused.out_of_bounds > 0 {
            tracing::warn!(
                %target,
                dropped = refused.out_of_bounds,
                "error on ingesting samples that are too old or are too far into the future"
            );
        }
        refused.fatal.clone()
    }

    /// Marks the series that the last scrape had and this one has not. A series that has something newer is left alone.
    fn mark_gone(&self, time_ms: i64) {
        let stale = f64::from_bits(STALE_NAN_BITS);
        let markers: Vec<_> = self.cache.gone().into_iter().map(|labels| (labels.clone(), stale)).collect();
        if markers.is_empty() {
            return;
        }
        if let Err(cause) = write::append_values(&self.store, &markers, time_ms) {
            tracing::warn!(target = %self.target.address(), %cause, "appending staleness markers failed");
        }
    }

    /// Marks all series, those about the scrape too: the target is read no more.
    pub(crate) fn end(&mut self, time_ns: u64) {
        let time_ms = (time_ns / 1_000_000) as i64;
        self.mark_gone(time_ms);
        self.cache.end(false);
        let stale = f64::from_bits(STALE_NAN_BITS);
        let report: Vec<_> = self.report_series.iter().map(|labels| (labels.clone(), stale)).collect();
        if let Err(cause) = write::append_values(&self.store, &report, time_ms) {
            tracing::warn!(target = %self.target.address(), %cause, "stale report failed");
        }
    }

    pub(crate) fn interval(&self) -> Duration {
        self.target.interval()
    }
}
