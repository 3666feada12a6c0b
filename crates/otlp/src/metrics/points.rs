//! Data points to samples: numbers, classic histograms, summaries.

use std::collections::HashSet;

use model::number::Fixed;
use model::sample::STALE_NAN_BITS;
use model::{Batch, DataPoint, Exemplar, Family, Labels, SampleValue, SeriesSample, Temporality};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    DataPointFlags, HistogramDataPoint, Metric, NumberDataPoint, SummaryDataPoint, metric::Data,
    number_data_point::Value,
};

use super::labels::{self, Builder, ResourceLabels, ScopeLabels};
use super::{Config, exemplars};
use crate::Rejected;

/// Most warnings that are kept for the sender.
const MAX_WARNINGS: usize = 16;

/// What a label or sample costs in memory besides its text, roughly.
const LABEL_BYTES: usize = 80;

/// A batch while it is built.
#[derive(Debug)]
pub(super) struct Points<'a> {
    pub(super) config: &'a Config,
    pub(super) rejected: Rejected,
    batch: Batch,
    samples: usize,
    bytes: usize,
    resource: ResourceLabels,
    scope: ScopeLabels,
    temporality: Temporality,
    /// First and last time of the resource's data points, in nanoseconds.
    times: Option<(u64, u64)>,
    /// Samples of `target_info` that there are already: resources may repeat within a request.
    targets: HashSet<(Labels, i64)>,
    collisions: HashSet<String>,
}

impl<'a> Points<'a> {
    pub(super) fn new(config: &'a Config) -> Self {
        Self {
            config,
            rejected: Rejected::default(),
            batch: Batch::default(),
            samples: 0,
            bytes: 0,
            resource: ResourceLabels::default(),
            scope: ScopeLabels::default(),
            temporality: Temporality::default(),
            times: None,
            targets: HashSet::new(),
            collisions: HashSet::new(),
        }
    }

    pub(super) fn finish(self) -> (Batch, Rejected) {
        (self.batch, self.rejected)
    }

    pub(super) fn begin_resource(&mut self, labels: ResourceLabels) {
        self.resource = labels;
        self.times = None;
    }

    pub(super) fn begin_scope(&mut self, labels: ScopeLabels) {
        self.scope = labels;
    }

    pub(super) fn begin_family(&mut self, family: Family, temporality: Temporality) {
        self.batch.families.push(family);
        self.temporality = temporality;
    }

    pub(super) fn resource(&self) -> &ResourceLabels {
        &self.resource
    }

    /// First and last time of the resource's data points, in nanoseconds.
    pub(super) fn times(&self) -> Option<(u64, u64)> {
        self.times
    }

    pub(super) fn warn(&mut self, warning: impl FnOnce() -> String) {
        if self.batch.warnings.len() < MAX_WARNINGS {
            self.batch.warnings.push(warning());
        }
    }

    pub(super) fn see_times(&mut self, metric: &Metric) {
        match &metric.data {
            None => {}
            Some(Data::Gauge(it)) => self.see(it.data_points.iter().map(|point| point.time_unix_nano)),
            Some(Data::Sum(it)) => self.see(it.data_points.iter().map(|point| point.time_unix_nano)),
            Some(Data::Histogram(it)) => self.see(it.data_points.iter().map(|point| point.time_unix_nano)),
            Some(Data::ExponentialHistogram(it)) => {
                self.see(it.data_points.iter().map(|point| point.time_unix_nano));
            }
            Some(Data::Summary(it)) => self.see(it.data_points.iter().map(|point| point.time_unix_nano)),
        }
    }

    fn see(&mut self, times: impl Iterator<Item = u64>) {
        for time in times {
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
    }

    /// Labels of a data point without a name; `None` if it was rejected for them.
    pub(super) fn labels(&mut self, attributes: &[KeyValue]) -> Option<Builder> {
        match labels::of_point(attributes, &[], &self.resource, &self.scope, self.config) {
            Ok((labels, collisions)) => {
                self.note_collisions("data point", collisions);
                Some(labels)
            }
            Err(reason) => {
                self.reject("invalid_label", &reason);
                None
            }
        }
    }

    pub(super) fn note_collisions(&mut self, source: &str, names: Vec<String>) {
        for name in names {
            if self.collisions.len() < MAX_WARNINGS && self.collisions.insert(name.clone()) {
                self.warn(|| {
                    format!(
                        "OTLP {source} attributes collide as label {name:?} after name sanitization, values are \
                         concatenated with ';'"
                    )
                });
            }
        }
    }

    pub(super) fn reject(&mut self, reason: &'static str, why: &str) {
        let family = self.family();
        self.rejected.add(reason, || format!("metric {family:?}: {why}"));
    }

    /// Name of the family that is being built.
    pub(super) fn family(&self) -> String {
        self.batch.families.last().map_or_else(String::new, |family| family.name.clone())
    }

    /// Takes a data point of the family, unless the request has had its share.
    pub(super) fn push(&mut self, start_ns: u64, time_ns: u64, samples: Vec<SeriesSample>) {
        let limits = &self.config.limits;
        let bytes: usize = samples.iter().map(|sample| label_bytes(&sample.labels)).sum();
        if self.samples + samples.len() > limits.max_samples || self.bytes + bytes > limits.max_batch_bytes {
            let limits = *limits;
            self.reject(
                "request_too_large",
                &format!(
                    "the request makes more than {} samples or {} bytes of labels: send smaller ones",
                    limits.max_samples, limits.max_batch_bytes
                ),
            );
            return;
        }
        self.samples += samples.len();
        self.bytes += bytes;
        self.batch.points.push(DataPoint {
            family: self.batch.families.len().saturating_sub(1),
            temporality: self.temporality,
            start_ms: millis(start_ns),
            time_ms: millis(time_ns),
            samples,
            derived: false,
        });
    }

    /// Takes a sample of `target_info`, unless there is the same already.
    pub(super) fn push_target(&mut self, labels: &Labels, time_ms: i64) {
        // Many small resources could make many samples: they count against the request's share, too.
        let bytes = label_bytes(labels);
        let full = self.samples >= self.config.limits.max_samples
            || self.bytes + bytes > self.config.limits.max_batch_bytes;
        if full || !self.targets.insert((labels.clone(), time_ms)) {
            return;
        }
        self.samples += 1;
        self.bytes += bytes;
        let value = SampleValue::Float(1.0);
        self.batch.points.push(DataPoint {
            family: self.batch.families.len().saturating_sub(1),
            temporality: Temporality::Cumulative,
            start_ms: 0,
            time_ms,
            samples: vec![SeriesSample { labels: labels.clone(), value, exemplars: Vec::new() }],
            derived: true,
        });
    }

    /// Gauges and sums. Only sums have exemplars, as with Prometheus.
    pub(super) fn numbers(&mut self, points: Vec<NumberDataPoint>, with_exemplars: bool) {
        let name = self.family();
        for point in points {
            let Some(mut labels) = self.labels(&point.attributes) else { continue };
            labels.set("__name__", name.as_str());
            let value = match point.value {
                _ if has_no_value(point.flags) => stale(),
                Some(Value::AsDouble(value)) => value,
                Some(Value::AsInt(value)) => value as f64,
                None => 0.0,
            };
            let exemplars = if with_exemplars { exemplars::of(&point.exemplars) } else { Vec::new() };
            let sample = SeriesSample { labels: labels.build(), value: SampleValue::Float(value), exemplars };
            self.push(point.start_time_unix_nano, point.time_unix_nano, vec![sample]);
        }
    }

    /// Explicit-bucket histograms as `_bucket`, `_count` and `_sum`.
    pub(super) fn histograms(&mut self, points: Vec<HistogramDataPoint>) {
        let name = self.family();
        let bucket_name = format!("{name}_bucket");
        for point in points {
            if !self.bucket_count_fits(point.bucket_counts.len().max(point.explicit_bounds.len())) {
                continue;
            }
            let Some(labels) = self.labels(&point.attributes) else { continue };
            let no_value = has_no_value(point.flags);
            let sample = |value: f64| SampleValue::Float(if no_value { stale() } else { value });
            let plain = |labels: Labels, value: f64| SeriesSample {
                labels,
                value: sample(value),
                exemplars: Vec::new(),
            };
            let mut samples = Vec::with_capacity(point.explicit_bounds.len() + 3);
            if let Some(sum) = point.sum {
                samples.push(plain(labels.with(&[("__name__", &format!("{name}_sum"))]), sum));
            }
            let count = point.count as f64;
            samples.push(plain(labels.with(&[("__name__", &format!("{name}_count"))]), count));
            let mut exemplars = exemplars::of(&point.exemplars);
            let mut cumulative = 0_u64;
            for (bound, count) in point.explicit_bounds.iter().zip(&point.bucket_counts) {
                cumulative = cumulative.saturating_add(*count);
                // Bounds and exemplars are sorted both: a bucket has those up to its bound that are left.
                let covered = exemplars.iter().take_while(|exemplar| exemplar.value <= *bound).count();
                let own: Vec<Exemplar> = exemplars.drain(..covered).collect();
                let bound = Fixed(*bound).to_string();
                samples.push(SeriesSample {
                    labels: labels.with(&[("__name__", &bucket_name), ("le", &bound)]),
                    value: sample(cumulative as f64),
                    exemplars: own,
                });
            }
            samples.push(SeriesSample {
                labels: labels.with(&[("__name__", &bucket_name), ("le", "+Inf")]),
                value: sample(count),
                exemplars,
            });
            self.push(point.start_time_unix_nano, point.time_unix_nano, samples);
        }
    }

    /// Summaries as quantiles, `_count` and `_sum`.
    pub(super) fn summaries(&mut self, points: Vec<SummaryDataPoint>) {
        let name = self.family();
        for point in points {
            if !self.bucket_count_fits(point.quantile_values.len()) {
                continue;
            }
            let Some(labels) = self.labels(&point.attributes) else { continue };
            let no_value = has_no_value(point.flags);
            let plain = |labels: Labels, value: f64| SeriesSample {
                labels,
                value: SampleValue::Float(if no_value { stale() } else { value }),
                exemplars: Vec::new(),
            };
            let mut samples = vec![
                plain(labels.with(&[("__name__", &format!("{name}_sum"))]), point.sum),
                plain(labels.with(&[("__name__", &format!("{name}_count"))]), point.count as f64),
            ];
            for quantile in &point.quantile_values {
                let share = Fixed(quantile.quantile).to_string();
                samples
                    .push(plain(labels.with(&[("__name__", &name), ("quantile", &share)]), quantile.value));
            }
            self.push(point.start_time_unix_nano, point.time_unix_nano, samples);
        }
    }

    /// Whether a data point's buckets are few enough; rejects it otherwise.
    pub(super) fn bucket_count_fits(&mut self, buckets: usize) -> bool {
        let limit = self.config.limits.max_buckets;
        if buckets > limit {
            self.reject(
                "too_many_buckets",
                &format!("a data point has {buckets} buckets, the limit is {limit}"),
            );
        }
        buckets <= limit
    }
}

/// Whether the sender says that there is no value: the series ends here.
pub(super) fn has_no_value(flags: u32) -> bool {
    flags & DataPointFlags::NoRecordedValueMask as u32 != 0
}

pub(super) fn stale() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

fn label_bytes(labels: &Labels) -> usize {
    labels.iter().map(|(name, value)| name.len() + value.len() + LABEL_BYTES).sum()
}

pub(super) fn millis(time_ns: u64) -> i64 {
    // Prometheus reads the nanoseconds as signed, so a time past 2262 lies before 1970.
    time_ns as i64 / 1_000_000
}
