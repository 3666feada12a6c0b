//! A write as one record of the log: new series, metadata, samples, exemplars. What a record says is applied to the
//! head in the same way whether it was just written or is replayed.
//!
//! The first byte is the version; then sections follow, each a tag, a count and its items.

use std::sync::Arc;

use model::{Exemplar, Labels, Metadata, MetricType, SampleValue};

use crate::codec::{Reader, Writer};
use crate::histogram::{read_histogram, write_histogram};

/// Version of the format; what is newer is not read.
const VERSION: u8 = 1;

const SERIES: u8 = 1;
const METADATA: u8 = 2;
const FLOATS: u8 = 3;
const HISTOGRAMS: u8 = 4;
const EXEMPLARS: u8 = 5;
const DELETIONS: u8 = 6;

/// A sample of a series by number.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RefSample {
    pub(crate) series: u32,
    pub(crate) time_ms: i64,
    pub(crate) start_ms: i64,
    pub(crate) value: SampleValue,
}

/// What a write does to the head.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Record {
    pub(crate) series: Vec<(u32, Labels)>,
    pub(crate) metadata: Vec<(String, Metadata)>,
    pub(crate) samples: Vec<RefSample>,
    pub(crate) exemplars: Vec<(u32, Exemplar)>,
    /// Series with the first and the last time of what is deleted from each. Done before the rest.
    pub(crate) deletions: Vec<(u32, i64, i64)>,
}

/// A record that cannot be read: written by a newer version, or damaged in a way that its checksum does not show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

impl Record {
    pub(crate) fn is_empty(&self) -> bool {
        self.series.is_empty()
            && self.metadata.is_empty()
            && self.samples.is_empty()
            && self.exemplars.is_empty()
            && self.deletions.is_empty()
    }

    /// The record's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.samples.len() * 14);
        out.push(VERSION);
        section(&mut out, SERIES, &self.series, |out, (id, labels)| {
            out.varint(u64::from(*id));
            write_labels(out, labels);
        });
        section(&mut out, METADATA, &self.metadata, |out, (name, metadata)| {
            out.text(name);
            write_metadata(out, metadata);
        });
        let is_float = |sample: &&RefSample| matches!(sample.value, SampleValue::Float(_));
        let (floats, histograms): (Vec<_>, Vec<_>) = self.samples.iter().partition(is_float);
        for (tag, samples) in [(FLOATS, floats), (HISTOGRAMS, histograms)] {
            // Samples of one write are near each other: their numbers and times are written as differences.
            let (mut id, mut time, mut start) = (0, 0_i64, 0_i64);
            section(&mut out, tag, &samples, |out, sample| {
                out.signed(i64::from(sample.series) - id);
                out.signed(sample.time_ms.wrapping_sub(time));
                out.signed(sample.start_ms.wrapping_sub(start));
                (id, time, start) = (i64::from(sample.series), sample.time_ms, sample.start_ms);
                match &sample.value {
                    SampleValue::Float(value) => out.double(*value),
                    SampleValue::Histogram(histogram) => write_histogram(out, histogram),
                }
            });
        }
        section(&mut out, EXEMPLARS, &self.exemplars, |out, (id, exemplar)| {
            out.varint(u64::from(*id));
            write_exemplar(out, exemplar);
        });
        section(&mut out, DELETIONS, &self.deletions, |out, (id, first_ms, last_ms)| {
            out.varint(u64::from(*id));
            out.signed(*first_ms);
            out.signed(*last_ms);
        });
        out
    }

    /// Reads what [`Record::encode`] wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        Self::read(&mut Reader::new(bytes)).ok_or(Unreadable)
    }

    fn read(bytes: &mut Reader<'_>) -> Option<Self> {
        if bytes.byte()? != VERSION {
            return None;
        }
        let mut record = Self::default();
        while !bytes.is_empty() {
            match bytes.byte()? {
                SERIES => {
                    record.series = bytes.list(|bytes| {
                        let id = u32::try_from(bytes.varint()?).ok()?;
                        Some((id, read_labels(bytes)?))
                    })?;
                }
                METADATA => {
                    record.metadata =
                        bytes.list(|bytes| Some((bytes.text()?.to_owned(), read_metadata(bytes)?)))?;
                }
                tag @ (FLOATS | HISTOGRAMS) => {
                    let (mut id, mut time, mut start) = (0_i64, 0_i64, 0_i64);
                    record.samples.extend(bytes.list(|bytes| {
                        id = id.checked_add(bytes.signed()?)?;
                        time = time.wrapping_add(bytes.signed()?);
                        start = start.wrapping_add(bytes.signed()?);
                        let value = if tag == FLOATS {
                            SampleValue::Float(bytes.double()?)
                        } else {
                            SampleValue::Histogram(Arc::new(read_histogram(bytes)?))
                        };
                        let series = u32::try_from(id).ok()?;
                        Some(RefSample { series, time_ms: time, start_ms: start, value })
                    })?);
                }
                EXEMPLARS => {
                    record.exemplars = bytes.list(|bytes| {
                        let id = u32::try_from(bytes.varint()?).ok()?;
                        Some((id, read_exemplar(bytes)?))
                    })?;
                }
                DELETIONS => {
                    record.deletions = bytes.list(|bytes| {
                        Some((u32::try_from(bytes.varint()?).ok()?, bytes.signed()?, bytes.signed()?))
                    })?;
                }
                _ => return None,
            }
        }
        Some(record)
    }
}

/// What stands before the samples of a record that has nothing but floats.
pub(crate) fn floats_header(count: u64) -> Vec<u8> {
    let mut out = vec![VERSION, FLOATS];
    out.varint(count);
    out
}

fn section<T>(out: &mut Vec<u8>, tag: u8, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    if items.is_empty() {
        return;
    }
    out.push(tag);
    out.varint(items.len() as u64);
    for item in items {
        write(out, item);
    }
}

pub(crate) fn write_labels(out: &mut Vec<u8>, labels: &Labels) {
    out.varint(labels.len() as u64);
    for (name, value) in labels.iter() {
        out.text(name);
        out.text(value);
    }
}

pub(crate) fn read_labels(bytes: &mut Reader<'_>) -> Option<Labels> {
    let pairs = bytes.list(|bytes| Some((bytes.text()?.to_owned(), bytes.text()?.to_owned())))?;
    Some(Labels::new(pairs))
}

pub(crate) fn write_metadata(out: &mut Vec<u8>, metadata: &Metadata) {
    out.push(metadata.kind as u8);
    out.text(&metadata.help);
    out.text(&metadata.unit);
}

pub(crate) fn read_metadata(bytes: &mut Reader<'_>) -> Option<Metadata> {
    let kind = MetricType::from_number(bytes.byte()?.into());
    Some(Metadata { kind, help: bytes.text()?.to_owned(), unit: bytes.text()?.to_owned() })
}

pub(crate) fn write_exemplar(out: &mut Vec<u8>, exemplar: &Exemplar) {
    out.signed(exemplar.time_ms);
    out.double(exemplar.value);
    write_labels(out, &exemplar.labels);
}

pub(crate) fn read_exemplar(bytes: &mut Reader<'_>) -> Option<Exemplar> {
    let (time_ms, value) = (bytes.signed()?, bytes.double()?);
    Some(Exemplar { labels: read_labels(bytes)?, value, time_ms })
}

#[cfg(test)]
mod tests {
    use model::Histogram;
    use proptest::prelude::*;

    use super::*;

    fn record() -> Record {
        let labels: Labels = [("__name__", "up"), ("job", "grüße")].into_iter().collect();
        let exemplar = Exemplar { labels: labels.clone(), value: 0.5, time_ms: -3 };
        let histogram = Histogram { schema: 3, count: 2.0, ..Histogram::default() };
        let sample = |series, time_ms, value| RefSample { series, time_ms, start_ms: time_ms / 2, value };
        Record {
            series: vec![(7, labels), (8, Labels::default())],
            metadata: vec![(
                "up".to_owned(),
                Metadata { kind: MetricType::StateSet, help: "h".to_owned(), unit: "u".to_owned() },
            )],
            samples: vec![
                sample(7, i64::MAX, SampleValue::Float(1.0)),
                sample(3, i64::MIN, SampleValue::Float(-0.0)),
                sample(8, 5, SampleValue::Histogram(Arc::new(histogram))),
            ],
            exemplars: vec![(7, exemplar)],
            deletions: vec![(7, i64::MIN, i64::MAX), (9, -5, 5)],
        }
    }

    #[test]
    fn records_come_back() {
        assert_eq!(Record::decode(&record().encode()), Ok(record()));
        assert_eq!(Record::decode(&Record::default().encode()), Ok(Record::default()));
        assert!(
            Record::decode(&[2]).is_err()
                && Record::decode(&[]).is_err()
                && Record::decode(&[1, 99]).is_err()
        );
    }

    #[test]
    fn every_type_has_its_byte() {
        use MetricType::{Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Summary, Unknown};
        for kind in [Unknown, Counter, Gauge, Histogram, GaugeHistogram, Summary, Info, StateSet] {
            let metadata = Metadata { kind, ..Metadata::default() };
            let mut out = Vec::new();
            write_metadata(&mut out, &metadata);
            assert_eq!(read_metadata(&mut Reader::new(&out)), Some(metadata));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            _ = Record::decode(&bytes);
        }

        #[test]
        fn damage_is_read_without_a_panic(position in 0..200_usize, byte in any::<u8>()) {
            let mut bytes = record().encode();
            let position = position % bytes.len();
            bytes[position] = byte;
            _ = Record::decode(&bytes);
        }
    }
}
