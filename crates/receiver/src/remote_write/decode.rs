//! Requests of remote write 1.0 and 2.0 to series, whose texts stay where they lie in the body.

mod plain;

use std::ops::Range;

use model::{Exemplar, Labels, Metadata, MetricType};
use tsdb::FloatSample;

use super::histogram::{self, Timed};
use super::wire::{Fields, Malformed, Value};

/// The messages of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// `prometheus.WriteRequest`.
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

/// A request.
#[derive(Debug, Default)]
pub(super) struct Decoded<'a> {
    /// Of all series, one behind the other.
    pub(super) labels: Vec<(&'a str, &'a str)>,
    /// Of all series, one behind the other.
    pub(super) samples: Vec<FloatSample>,
    pub(super) series: Vec<Series>,
    /// What is said of families, each once.
    pub(super) metadata: Vec<(String, Metadata)>,
    metadata_bytes: usize,
    /// Why series were left out, and how many samples each had.
    pub(super) refused: Vec<(String, u64)>,
}

/// A series of a request.
#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) labels: Range<usize>,
    pub(super) samples: Range<usize>,
    pub(super) histograms: Vec<Timed>,
    pub(super) exemplars: Vec<Exemplar>,
}

/// Most bytes of the labels of one series: in the second version a byte of a request can name a text of megabytes.
const MAX_LABEL_BYTES: usize = 1 << 20;

/// Most bytes of what is said of families in one request that are kept, and those of one besides its texts. In the
/// second version a few bytes can name a text of megabytes.
const MAX_METADATA_BYTES: usize = 16 << 20;
const METADATA_BYTES: usize = 128;

/// Most series that are refused with a reason each.
const MAX_REASONS: usize = 50;

impl<'a> Decoded<'a> {
    pub(super) fn read(version: Version, body: &'a [u8]) -> Result<Self, Malformed> {
        let mut decoded = Self::default();
        match version {
            Version::V1 => {
                for field in Fields(body) {
                    match field? {
                        (1, value) => decoded.series_v1(value.bytes()?)?,
                        (3, value) => decoded.metadata_v1(value.bytes()?)?,
                        _ => {}
                    }
                }
            }
            Version::V2 => {
                // Symbols may stand behind the series that name them.
                let mut symbols = Vec::new();
                for field in Fields(body) {
                    if let (4, value) = field? {
                        symbols.push(value.text()?);
                    }
                }
                let mut refs = Vec::new();
                for field in Fields(body) {
                    if let (5, value) = field? {
                        decoded.series_v2(value.bytes()?, &symbols, &mut refs)?;
                    }
                }
            }
        }
        Ok(decoded)
    }

    fn begin(&self) -> Series {
        let (labels, samples) = (self.labels.len(), self.samples.len());
        Series { labels: labels..labels, samples: samples..samples, ..Series::default() }
    }

    fn series_v1(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        let mut series = self.begin();
        let rest = plain::labels(bytes, &mut self.labels);
        for field in Fields(rest) {
            match field? {
                (1, value) => {
                    let (name, text) = pair(value)?;
                    if !text.is_empty() {
                        self.labels.push((name, text));
                    }
                }
                (2, value) => self.samples.push(sample(value)?),
                (3, value) => series.exemplars.push(exemplar_v1(value)?),
                (4, value) => series.histograms.push(histogram::read(value.bytes()?)?),
                _ => {}
            }
        }
        if let Err(reason) = self.check(&mut series) {
            self.refuse(&series, reason);
        } else {
            self.series.push(series);
        }
        Ok(())
    }

    fn metadata_v1(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let (mut kind, mut family, mut help, mut unit) = (0, "", "", "");
        for field in Fields(bytes) {
            match field? {
                (1, value) => kind = value.number()?,
                (2, value) => family = value.text()?,
                (4, value) => help = value.text()?,
                (5, value) => unit = value.text()?,
                _ => {}
            }
        }
        self.add_metadata(family, kind, help, unit);
        Ok(())
    }

    /// Series of a family follow each other: a look at the last one saves nearly all copies.
    fn add_metadata(&mut self, family: &str, kind: u64, help: &str, unit: &str) {
        let kind = MetricType::from_number(kind);
        let is_known = self.metadata.last().is_some_and(|(known, metadata)| {
            known == family && metadata.kind == kind && metadata.help == help && metadata.unit == unit
        });
        let bytes = METADATA_BYTES + family.len() + help.len() + unit.len();
        if is_known || family.is_empty() || self.metadata_bytes + bytes > MAX_METADATA_BYTES {
            return;
        }
        self.metadata_bytes += bytes;
        let metadata = Metadata { kind, help: help.to_owned(), unit: unit.to_owned() };
        self.metadata.push((family.to_owned(), metadata));
    }

    fn series_v2(
        &mut self,
        bytes: &'a [u8],
        symbols: &[&'a str],
        refs: &mut Vec<u64>,
    ) -> Result<(), Malformed> {
        let mut series = self.begin();
        refs.clear();
        let mut exemplars = Vec::new();
        let mut metadata = None;
        for field in Fields(bytes) {
            match field? {
                (1, value) => value.numbers(|number| refs.push(number))?,
                (2, value) => self.samples.push(sample(value)?),
                (3, value) => series.histograms.push(histogram::read(value.bytes()?)?),
                (4, value) => exemplars.push(value.bytes()?),
                (5, value) => metadata = Some(value.bytes()?),
                _ => {}
            }
        }
        let named = self.name(refs, symbols).map_err(|reason| {
            let refs: Vec<String> = refs.iter().take(100).map(u64::to_string).collect();
            format!("parsing labels for series [{}]: {reason}", refs.join(" "))
        });
        if let Err(reason) = named.and_then(|()| self.check(&mut series)) {
            self.refuse(&series, reason);
            return Ok(());
        }
        let labels = || self.labels[series.labels.clone()].iter().copied().collect::<Labels>();
        if self.samples.len() == series.samples.start && series.histograms.is_empty() {
            let reason =
                format!("TimeSeries must contain at least one sample or histogram for series {}", labels());
            self.refuse(&series, reason);
            return Ok(());
        }
        for bytes in exemplars {
            match exemplar_v2(bytes, symbols, refs)? {
                Ok(exemplar) => series.exemplars.push(exemplar),
                Err(reason) => {
                    let reason = format!("parsing exemplar for series {}: {reason}", labels());
                    if self.refused.len() < MAX_REASONS {
                        self.refused.push((reason, 0));
                    }
                }
            }
        }
        if let Some(bytes) = metadata {
            self.metadata_v2(bytes, symbols, &series)?;
        }
        self.series.push(series);
        Ok(())
    }

    fn metadata_v2(&mut self, bytes: &[u8], symbols: &[&str], series: &Series) -> Result<(), Malformed> {
        let (mut kind, mut help, mut unit) = (0, 0, 0);
        for field in Fields(bytes) {
            match field? {
                (1, value) => kind = value.number()?,
                (3, value) => help = value.number()?,
                (4, value) => unit = value.number()?,
                _ => {}
            }
        }
        let Some((help, unit)) = symbol(symbols, help).zip(symbol(symbols, unit)) else { return Ok(()) };
        if (kind, help, unit) == (0, "", "") {
            return Ok(());
        }
        let labels = &self.labels[series.labels.clone()];
        let name = labels.iter().find(|(name, _)| *name == model::labels::METRIC_NAME);
        let name = name.map_or("", |(_, name)| *name);
        // Of classic histograms and summaries the family is described, not each series.
        let has_parts = [MetricType::Histogram, MetricType::GaugeHistogram, MetricType::Summary];
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        let family = family.filter(|_| has_parts.contains(&MetricType::from_number(kind))).unwrap_or(name);
        self.add_metadata(family, kind, help, unit);
        Ok(())
    }

    /// Adds the labels that numbers of symbols name.
    fn name(&mut self, refs: &[u64], symbols: &[&'a str]) -> Result<(), String> {
        let (pairs, rest) = refs.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(format!("invalid labelRefs length {}", refs.len()));
        }
        for [name, value] in pairs {
            let (name, value) = symbol(symbols, *name).zip(symbol(symbols, *value)).ok_or_else(|| {
                let size = symbols.len();
                format!("labelRefs {name} (name) = {value} (value) outside of symbols table (size {size})")
            })?;
            if !value.is_empty() {
                self.labels.push((name, value));
            }
        }
        Ok(())
    }

    /// Closes a series whose labels and samples were read; says why its labels cannot be.
    fn check(&mut self, series: &mut Series) -> Result<(), String> {
        series.samples.end = self.samples.len();
        series.labels.end = self.labels.len();
        let labels = &mut self.labels[series.labels.clone()];
        let bytes: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > MAX_LABEL_BYTES {
            return Err(format!("labels of {bytes} bytes are more than the limit of {MAX_LABEL_BYTES}"));
        }
        let is_sorted = labels.is_sorted_by(|left, right| left.0 < right.0);
        if is_sorted && labels.first().is_some_and(|(name, _)| *name == model::labels::METRIC_NAME) {
            // As nearly all are: each name once, and none empty, since that would come first.
            return Ok(());
        }
        if !is_sorted {
            labels.sort_by(|left, right| left.0.cmp(right.0));
        }
        let shown = |labels: &[(&str, &str)]| labels.iter().copied().collect::<Labels>();
        let is_named = labels.binary_search_by(|(name, _)| (*name).cmp(model::labels::METRIC_NAME)).is_ok();
        if !is_named || labels.iter().any(|(name, _)| name.is_empty()) {
            return Err(format!("invalid metric name or labels, got {}", shown(labels)));
        }
        if let Some(pair) = labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!(
                "invalid labels for series, labels {}, duplicated label {}",
                shown(labels),
                pair[0].0
            ));
        }
        Ok(())
    }

    /// Leaves a series out.
    fn refuse(&mut self, series: &Series, reason: String) {
        let samples = self.samples.len() - series.samples.start + series.histograms.len();
        if self.refused.len() < MAX_REASONS {
            self.refused.push((reason, samples as u64));
        } else if let Some((_, count)) = self.refused.last_mut() {
            *count += samples as u64;
        }
        self.labels.truncate(series.labels.start);
        self.samples.truncate(series.samples.start);
    }
}

fn symbol<'a>(symbols: &[&'a str], number: u64) -> Option<&'a str> {
    symbols.get(usize::try_from(number).ok()?).copied()
}

fn pair(value: Value<'_>) -> Result<(&str, &str), Malformed> {
    let (mut name, mut text) = ("", "");
    for field in Fields(value.bytes()?) {
        match field? {
            (1, value) => name = value.text()?,
            (2, value) => text = value.text()?,
            _ => {}
        }
    }
    Ok((name, text))
}

fn sample(value: Value<'_>) -> Result<FloatSample, Malformed> {
    let mut sample = FloatSample { time_ms: 0, start_ms: 0, value: 0.0 };
    for field in Fields(value.bytes()?) {
        match field? {
            (1, value) => sample.value = value.double()?,
            (2, value) => sample.time_ms = value.number()? as i64,
            (3, value) => sample.start_ms = value.number()? as i64,
            _ => {}
        }
    }
    Ok(sample)
}

fn exemplar_v1(value: Value<'_>) -> Result<Exemplar, Malformed> {
    let mut labels = Vec::new();
    let (mut number, mut time_ms) = (0.0, 0);
    for field in Fields(value.bytes()?) {
        match field? {
            (1, value) => {
                let (name, text) = pair(value)?;
                labels.push((name.to_owned(), text.to_owned()));
            }
            (2, value) => number = value.double()?,
            (3, value) => time_ms = value.number()? as i64,
            _ => {}
        }
    }
    Ok(Exemplar { labels: Labels::new(labels), value: number, time_ms })
}

fn exemplar_v2(
    bytes: &[u8],
    symbols: &[&str],
    refs: &mut Vec<u64>,
) -> Result<Result<Exemplar, String>, Malformed> {
    refs.clear();
    let (mut number, mut time_ms) = (0.0, 0);
    for field in Fields(bytes) {
        match field? {
            (1, value) => value.numbers(|number| refs.push(number))?,
            (2, value) => number = value.double()?,
            (3, value) => time_ms = value.number()? as i64,
            _ => {}
        }
    }
    let mut named = Decoded::default();
    Ok(named.name(refs, symbols).and_then(|()| {
        let bytes: usize = named.labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        if bytes > MAX_LABEL_BYTES {
            return Err(format!("labels of {bytes} bytes are more than the limit of {MAX_LABEL_BYTES}"));
        }
        Ok(Exemplar { labels: named.labels.iter().copied().collect(), value: number, time_ms })
    }))
}
