//! What was read, into the store: the short way where it goes, the other way for what is new or has more to it.

use model::{Batch, DataPoint, Family, Labels, SampleValue, SeriesSample, Temporality};
use tsdb::{FloatSample, FloatSeries, Tsdb};

use crate::cache::{Cache, Slot};
use crate::read::{FloatRead, Reading, RichRead};

/// What the store refused.
#[derive(Debug, Default)]
pub(crate) struct Refused {
    /// Older than what the store takes.
    pub(crate) out_of_order: u64,
    /// Another value is there.
    pub(crate) duplicates: u64,
    /// Too far ahead.
    pub(crate) out_of_bounds: u64,
    /// Anything else, which makes the scrape fail.
    pub(crate) fatal: Option<String>,
}

impl Refused {
    fn add(&mut self, words: &str) {
        match words {
            "too old sample" | "out of order sample" => self.out_of_order += 1,
            "duplicate sample for timestamp" => self.duplicates += 1,
            words if words.starts_with("out of bounds") => self.out_of_bounds += 1,
            words => {
                self.fatal.get_or_insert_with(|| words.to_owned());
            }
        }
    }
}

/// Writes what was read of a body.
pub(crate) fn write(store: &Tsdb, reading: &mut Reading, cache: &Cache) -> Result<Refused, tsdb::Error> {
    let series = |float: &FloatRead| cache.labels(float.slot);
    let left = append_floats(store, &reading.floats, series)?;
    let mut batch = Batch::default();
    // In the body's order, so that of two samples of one series the first is taken.
    for index in left {
        let float = reading.floats[index];
        push(&mut batch, cache, plain(float));
    }
    for rich in reading.rich.drain(..) {
        push(&mut batch, cache, rich);
    }
    append(store, &batch)
}

/// Writes values of series about the scrape, new or not.
pub(crate) fn write_report(
    store: &Tsdb,
    values: &[(Labels, f64)],
    time_ms: i64,
) -> Result<Refused, tsdb::Error> {
    let left = append_values(store, values, time_ms)?;
    let mut batch = Batch::default();
    for (labels, value) in left.into_iter().map(|index| &values[index]) {
        batch.points.push(point(labels.clone(), SampleValue::Float(*value), time_ms));
    }
    append(store, &batch)
}

/// Writes values of series that the store has, where they are newer than what it has.
pub(crate) fn append_values(
    store: &Tsdb,
    values: &[(Labels, f64)],
    time_ms: i64,
) -> Result<Vec<usize>, tsdb::Error> {
    let floats: Vec<_> = (0..)
        .zip(values)
        .map(|(slot, (_, value))| FloatRead { slot, time_ms, start_ms: 0, value: *value })
        .collect();
    append_floats(store, &floats, |float| values.get(float.slot as usize).map(|(labels, _)| labels))
}

/// Appends floats and gives the positions of those that were left.
fn append_floats<'a>(
    store: &Tsdb,
    floats: &[FloatRead],
    labels: impl Fn(&FloatRead) -> Option<&'a Labels>,
) -> Result<Vec<usize>, tsdb::Error> {
    let mut pairs = Vec::with_capacity(floats.len() * 6);
    let mut ends = Vec::with_capacity(floats.len());
    let mut samples = Vec::with_capacity(floats.len());
    for float in floats {
        pairs.extend(labels(float).into_iter().flat_map(Labels::iter));
        ends.push(pairs.len());
        samples.push(FloatSample { time_ms: float.time_ms, start_ms: float.start_ms, value: float.value });
    }
    let mut begin = 0;
    let series = ends.iter().zip(&samples).map(|(end, sample)| {
        let labels = &pairs[begin..*end];
        begin = *end;
        FloatSeries { labels, samples: std::slice::from_ref(sample) }
    });
    Ok(store.append_floats(&series.collect::<Vec<_>>())?.left)
}

fn append(store: &Tsdb, batch: &Batch) -> Result<Refused, tsdb::Error> {
    let mut refused = Refused::default();
    if !batch.points.is_empty() {
        for (_, words) in &store.append(batch)?.refused {
            refused.add(words);
        }
    }
    Ok(refused)
}

fn plain(float: FloatRead) -> RichRead {
    let FloatRead { slot, time_ms, start_ms, value } = float;
    RichRead { slot, time_ms, start_ms, value, histogram: None, exemplars: Vec::new(), family: None }
}

fn push(batch: &mut Batch, cache: &Cache, rich: RichRead) {
    let slot: Slot = rich.slot;
    let Some(labels) = cache.labels(slot) else { return };
    let value = rich.histogram.map_or(SampleValue::Float(rich.value), SampleValue::Histogram);
    let mut point = point(labels.clone(), value, rich.time_ms);
    point.start_ms = rich.start_ms;
    point.samples[0].exemplars = rich.exemplars;
    if let Some((name, metadata)) = rich.family {
        // Series of one family follow each other.
        if batch.families.last().is_none_or(|last| last.name != name || last.metadata != metadata) {
            batch.families.push(Family { name, metadata });
        }
        point.family = batch.families.len() - 1;
    }
    batch.points.push(point);
}

/// A data point of one sample without a family.
fn point(labels: Labels, value: SampleValue, time_ms: i64) -> DataPoint {
    DataPoint {
        family: usize::MAX,
        temporality: Temporality::Cumulative,
        start_ms: 0,
        time_ms,
        samples: vec![SeriesSample { labels, value, exemplars: Vec::new() }],
        derived: false,
    }
}
