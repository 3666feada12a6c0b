//! From a decoded request to the store: nearly all of it by the short way, the rest as data points.

use std::sync::Arc;

use model::{Batch, DataPoint, Exemplar, Labels, SampleValue, SeriesSample, Temporality};
use otlp::Rejected;
use tsdb::{Appended, FloatSeries, Tsdb, Undone};

use super::decode::{Decoded, Series, Version};
use crate::ingest::Written;
use crate::{Accepted, Error, Result};

/// Bytes of labels past which data points are handed on.
const BATCH_BYTES: usize = 8 << 20;

/// Most lines of an answer that says what was refused.
const MAX_LINES: usize = 50;

/// Reads a request and keeps what is in it.
pub(crate) fn keep(
    store: &Tsdb,
    version: Version,
    body: &[u8],
    failed: impl Fn(&tsdb::Error) -> Error,
) -> Result<Accepted> {
    let decoded =
        Decoded::read(version, body).map_err(|malformed| Error::Malformed(malformed.0.to_owned()))?;
    let mut keeper =
        Keeper { version, decoded: &decoded, refusals: Refusals::default(), written: Written::default() };
    for (reason, samples) in &decoded.refused {
        keeper.refusals.add("invalid_labels", *samples, || reason.clone());
    }
    let kept = match version {
        Version::V1 => keeper.keep_whole(store),
        Version::V2 => keeper.keep(store),
    };
    kept.and_then(|()| store.append_metadata(&decoded.metadata)).map_err(|error| failed(&error))?;
    let Written { samples, histograms, .. } = keeper.written;
    Ok(Accepted {
        items: samples + histograms,
        rejected: keeper.refusals.finish(),
        written: Some(keeper.written),
    })
}

/// A request while it is kept.
struct Keeper<'a> {
    version: Version,
    decoded: &'a Decoded<'a>,
    refusals: Refusals,
    written: Written,
}

impl<'a> Keeper<'a> {
    /// Keeps what can be kept.
    fn keep(&mut self, store: &Tsdb) -> tsdb::Result<()> {
        let (simple, mut others) = self.by_way();
        let appended = store.append_floats(&self.floats(&simple))?;
        self.written.samples += appended.samples;
        others.extend(appended.left.into_iter().map(|position| simple[position]));
        let (mut points, mut bytes) = (Vec::new(), 0);
        for series in others {
            bytes += self.points(series, &mut points);
            if bytes > BATCH_BYTES {
                self.append(store, std::mem::take(&mut points))?;
                bytes = 0;
            }
        }
        self.append(store, points)
    }

    /// Keeps all samples, or none and says why of the first that is refused.
    fn keep_whole(&mut self, store: &Tsdb) -> tsdb::Result<()> {
        for series in &self.decoded.series {
            let wrong = series.histograms.iter().find_map(|timed| timed.check().err());
            if let Some(reason) = wrong {
                self.undo("invalid_histogram", reason.to_string());
                return Ok(());
            }
        }
        let (simple, others) = self.by_way();
        let appended = store.append_whole(&self.floats(&simple), |left| {
            let mut series: Vec<&Series> = left.iter().map(|position| simple[*position]).collect();
            series.extend(&others);
            // In the order of the request, so that of several reasons the first is said.
            series.sort_unstable_by_key(|series| (series.labels.start, series.samples.start));
            let mut points = Vec::new();
            for series in series {
                self.points(series, &mut points);
            }
            Batch { families: Vec::new(), points, warnings: Vec::new() }
        })?;
        match appended {
            Ok(appended) => {
                self.written.samples = appended.points;
                self.written.exemplars = appended.exemplars;
                for (_, words) in appended.refused {
                    self.refusals.line(|| words);
                }
                for (reason, count) in appended.rejected.by_reason {
                    self.refusals.count(reason, count);
                }
            }
            Err(Undone { reason, words }) => self.undo(reason, words),
        }
        Ok(())
    }

    /// Everything is refused, for the reason of one.
    fn undo(&mut self, reason: &'static str, words: String) {
        let samples = |series: &Series| series.samples.len() + series.histograms.len();
        self.refusals.lines.clear();
        self.refusals.add(reason, self.decoded.series.iter().map(samples).sum::<usize>() as u64, || words);
    }

    /// Series that have nothing but floats, and the others.
    fn by_way(&self) -> (Vec<&'a Series>, Vec<&'a Series>) {
        let is_simple = |series: &&Series| series.histograms.is_empty() && series.exemplars.is_empty();
        self.decoded.series.iter().partition(is_simple)
    }

    fn floats(&self, series: &[&Series]) -> Vec<FloatSeries<'a>> {
        let decoded = self.decoded;
        let float = |series: &&Series| FloatSeries {
            labels: &decoded.labels[series.labels.clone()],
            samples: &decoded.samples[series.samples.clone()],
        };
        series.iter().map(float).collect()
    }

    /// The samples of a series as data points. Returns the bytes of their labels.
    fn points(&mut self, series: &Series, points: &mut Vec<DataPoint>) -> usize {
        let labels: Labels = self.decoded.labels[series.labels.clone()].iter().copied().collect();
        let label_bytes: usize = labels.iter().map(|(name, value)| name.len() + value.len() + 48).sum();
        let first = points.len();
        let point = |time_ms, start_ms, value| DataPoint {
            // Metadata have a way of their own.
            family: usize::MAX,
            temporality: Temporality::Cumulative,
            start_ms,
            time_ms,
            samples: vec![SeriesSample { labels: labels.clone(), value, exemplars: Vec::new() }],
            derived: false,
        };
        for sample in &self.decoded.samples[series.samples.clone()] {
            points.push(point(sample.time_ms, sample.start_ms, SampleValue::Float(sample.value)));
        }
        for timed in &series.histograms {
            match timed.check() {
                Ok(()) => {
                    let value = SampleValue::Histogram(Arc::new(timed.histogram.clone()));
                    points.push(point(timed.time_ms, timed.start_ms, value));
                }
                Err(reason) => {
                    self.refusals
                        .add("invalid_histogram", 1, || self.version.of(&reason.to_string(), &labels));
                }
            }
        }
        if let Some(last) = points[first..].last_mut() {
            last.samples[0].exemplars.clone_from(&series.exemplars);
        }
        (points.len() - first) * label_bytes
    }

    fn append(&mut self, store: &Tsdb, points: Vec<DataPoint>) -> tsdb::Result<()> {
        if points.is_empty() {
            return Ok(());
        }
        let batch = Batch { families: Vec::new(), points, warnings: Vec::new() };
        let Appended { refused, exemplars, rejected, .. } = store.append(&batch)?;
        let mut reasons = rejected.by_reason;
        for (position, words) in &refused {
            let point = &batch.points[*position];
            // By reason they are counted as a whole below; here are the words.
            self.refusals.line(|| self.version.of(words, &point.samples[0].labels));
        }
        for (reason, count) in reasons.drain(..) {
            self.refusals.count(reason, count);
        }
        let mut taken = vec![true; batch.points.len()];
        for (position, _) in &refused {
            taken[*position] = false;
        }
        for (point, _) in batch.points.iter().zip(taken).filter(|(_, taken)| *taken) {
            match point.samples[0].value {
                SampleValue::Float(_) => self.written.samples += 1,
                SampleValue::Histogram(_) => self.written.histograms += 1,
            }
        }
        self.written.exemplars += exemplars;
        let sent: usize = batch.points.iter().map(|point| exemplars_of(point).len()).sum();
        debug_assert!(exemplars <= sent as u64, "more exemplars than were sent");
        Ok(())
    }
}

fn exemplars_of(point: &DataPoint) -> &[Exemplar] {
    point.samples.first().map_or(&[], |sample| &sample.exemplars)
}

impl Version {
    /// What is said of a refused sample: the second version names the series.
    fn of(self, reason: &str, labels: &Labels) -> String {
        match self {
            Self::V1 => reason.to_owned(),
            Self::V2 => format!("{reason} for series {labels}"),
        }
    }
}

/// What was refused, with a line each up to a limit.
#[derive(Debug, Default)]
struct Refusals {
    rejected: Rejected,
    lines: Vec<String>,
}

impl Refusals {
    fn add(&mut self, reason: &'static str, count: u64, line: impl FnOnce() -> String) {
        self.line(line);
        self.count(reason, count);
    }

    fn line(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() < MAX_LINES {
            self.lines.push(line());
        }
    }

    fn count(&mut self, reason: &'static str, count: u64) {
        self.rejected.add_many(reason, count, String::new);
    }

    fn finish(mut self) -> Rejected {
        self.rejected.message = self.lines.join("\n");
        self.rejected
    }
}
