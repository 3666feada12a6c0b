//! What a batch would do to the head: every data point is judged before anything is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};
use model::{Batch, DataPoint, Histogram, Labels, SampleValue, SeriesSample, Temporality};

use crate::Appended;
use crate::head::Head;
use crate::histogram;
use crate::record::{Record, RefSample};
use crate::series::{Series, Tail};

/// How far behind the newest sample of all series one may lie that is newest in its own series: half of the two hours
/// that Prometheus' head covers.
pub(crate) const HEAD_MS: i64 = 3_600_000;

/// Most bytes of the labels of one data point's series.
const MAX_POINT_LABEL_BYTES: usize = 8 << 20;

/// Times that a sample may have.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "a time says its unit")]
pub(crate) struct Bounds {
    /// Older ones would be dropped at once.
    pub(crate) oldest_ms: i64,
    /// The clock and a little more.
    pub(crate) newest_ms: i64,
    /// How far behind the newest sample an older one of a series is taken.
    pub(crate) window_ms: i64,
}

/// Why a data point is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    TooFarAhead,
    TooOld,
    Duplicate,
    SeriesLimit(usize),
    TooLarge,
    DeltaOutOfOrder,
    DeltaOverlap,
}

impl Refusal {
    /// The reason as a metric's label, and in Prometheus' words.
    fn words(self) -> (&'static str, String) {
        match self {
            Self::TooFarAhead => {
                ("out_of_bounds", "out of bounds: timestamp is too far in the future".to_owned())
            }
            Self::TooOld => ("too_old", "too old sample".to_owned()),
            Self::Duplicate => ("duplicate", "duplicate sample for timestamp".to_owned()),
            Self::SeriesLimit(limit) => ("series_limit", format!("the limit of {limit} series is reached")),
            Self::TooLarge => ("too_large", "the labels of the data point are too large".to_owned()),
            Self::DeltaOutOfOrder => ("delta_out_of_order", "out of order delta".to_owned()),
            Self::DeltaOverlap => {
                ("delta_overlap", "delta that begins before the end of the one before it".to_owned())
            }
        }
    }
}

/// The series of a sample, there already or about to be.
#[derive(Debug, Clone)]
struct Target {
    id: u32,
    known: Option<Arc<Series>>,
}

/// What the batch has added to a series so far.
#[derive(Debug)]
struct Pending {
    tail: Option<Tail>,
    times: Times,
}

/// Positions in the record by time, so that a time that comes twice is seen. Nearly always there is one.
#[derive(Debug)]
enum Times {
    One(i64, usize),
    Many(BTreeMap<i64, usize>),
}

impl Times {
    fn get(&self, time_ms: i64) -> Option<usize> {
        match self {
            Self::One(known_ms, position) => (*known_ms == time_ms).then_some(*position),
            Self::Many(positions) => positions.get(&time_ms).copied(),
        }
    }

    fn insert(&mut self, time_ms: i64, position: usize) {
        match self {
            Self::One(first_ms, first) => {
                *self = Self::Many(BTreeMap::from([(*first_ms, *first), (time_ms, position)]));
            }
            Self::Many(positions) => _ = positions.insert(time_ms, position),
        }
    }

    fn remove(&mut self, time_ms: i64) {
        if let Self::Many(positions) = self {
            positions.remove(&time_ms);
        }
    }
}

/// A series of `pending` before a sample was added.
#[derive(Debug)]
struct Change {
    series: u32,
    was_pending: bool,
    tail: Option<Tail>,
}

/// A batch while it is judged.
pub(crate) struct Plan<'a> {
    head: &'a Head,
    bounds: Bounds,
    next_id: u32,
    max_time_ms: i64,
    record: Record,
    new_series: HashMap<&'a Labels, u32>,
    pending: HashMap<u32, Pending>,
    /// What the current data point changed in `pending`.
    changes: Vec<Change>,
    families: HashSet<usize>,
    /// The series of the current data point's samples; kept for its memory.
    targets: Vec<Target>,
    bytes: usize,
}

impl<'a> Plan<'a> {
    /// A plan on a head that nobody else changes meanwhile.
    pub(crate) fn new(head: &'a Head, bounds: Bounds, next_id: u32) -> Self {
        Self {
            head,
            bounds,
            next_id,
            max_time_ms: head.max_time_ms(),
            record: Record::default(),
            new_series: HashMap::new(),
            pending: HashMap::new(),
            changes: Vec::new(),
            families: HashSet::new(),
            targets: Vec::new(),
            bytes: 0,
        }
    }

    /// How many samples were taken so far.
    pub(crate) fn samples(&self) -> usize {
        self.record.samples.len()
    }

    /// Bytes of the labels, metadata and exemplars that were taken so far, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Judges a data point: all of its samples are taken, or none.
    /// Its position in the batch is what a refusal is known by.
    pub(crate) fn point(
        &mut self,
        batch: &'a Batch,
        position: usize,
        point: &'a DataPoint,
        appended: &mut Appended,
    ) {
        let before = (self.record.samples.len(), self.record.series.len(), self.max_time_ms);
        self.changes.clear();
        match self.try_point(point) {
            Ok(()) => {
                appended.points += u64::from(!point.derived);
                self.exemplars(point, appended);
                self.metadata(batch, point);
            }
            Err(refusal) => {
                self.undo(before);
                if !point.derived {
                    let (reason, words) = refusal.words();
                    appended.refused.push((position, words.clone()));
                    appended.rejected.add(reason, || {
                        let family = batch.families.get(point.family).map_or("", |it| it.name.as_str());
                        format!("metric {family:?} at {} ms: {words}", point.time_ms)
                    });
                }
            }
        }
    }

    /// What is to be written.
    pub(crate) fn finish(self) -> Record {
        self.record
    }

    fn try_point(&mut self, point: &'a DataPoint) -> Result<(), Refusal> {
        if point.time_ms > self.bounds.newest_ms {
            return Err(Refusal::TooFarAhead);
        }
        if point.time_ms < self.bounds.oldest_ms {
            return Err(Refusal::TooOld);
        }
        let label_bytes: usize = point
            .samples
            .iter()
            .flat_map(|sample| sample.labels.iter())
            .map(|(name, value)| name.len() + value.len())
            .sum();
        if label_bytes > MAX_POINT_LABEL_BYTES {
            return Err(Refusal::TooLarge);
        }
        let mut targets = std::mem::take(&mut self.targets);
        targets.clear();
        let result = self.try_samples(point, &mut targets);
        self.targets = targets;
        result
    }

    fn try_samples(&mut self, point: &'a DataPoint, targets: &mut Vec<Target>) -> Result<(), Refusal> {
        for sample in &point.samples {
            targets.push(self.target(&sample.labels)?);
        }
        let continues = self.continues(point, targets)?;
        for (sample, target) in point.samples.iter().zip(&*targets) {
            self.sample(point, sample, target, continues)?;
        }
        Ok(())
    }

    fn target(&mut self, labels: &'a Labels) -> Result<Target, Refusal> {
        if let Some(known) = self.head.series(labels) {
            return Ok(Target { id: known.id, known: Some(known) });
        }
        if let Some(id) = self.new_series.get(labels) {
            return Ok(Target { id: *id, known: None });
        }
        let limit = self.head.max_series();
        let new = self.record.series.len();
        let id = self.next_id.checked_add(new as u32).filter(|id| *id < u32::MAX);
        let Some(id) = id.filter(|_| self.head.series_count() + new < limit) else {
            return Err(Refusal::SeriesLimit(limit));
        };
        self.bytes += labels.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>();
        self.record.series.push((id, labels.clone()));
        self.new_series.insert(labels, id);
        Ok(Target { id, known: None })
    }

    fn tail(&self, target: &Target) -> Option<Tail> {
        match self.pending.get(&target.id) {
            Some(pending) => pending.tail.clone(),
            None => target.known.as_ref().and_then(|series| series.data.lock().tail().cloned()),
        }
    }

    /// Whether a delta continues what its series have: all of them have a value to add it to. A stream that is new,
    /// that ended, or whose buckets changed begins at zero, as a whole.
    fn continues(&self, point: &DataPoint, targets: &[Target]) -> Result<bool, Refusal> {
        if point.temporality == Temporality::Cumulative {
            return Ok(false);
        }
        let mut continues = true;
        for (sample, target) in point.samples.iter().zip(targets) {
            let Some(tail) = self.tail(target) else {
                continues = false;
                continue;
            };
            if point.time_ms <= tail.time_ms {
                return Err(Refusal::DeltaOutOfOrder);
            }
            if point.start_ms != 0 && point.start_ms < tail.time_ms && !tail.value.is_stale() {
                return Err(Refusal::DeltaOverlap);
            }
            continues &= accumulate(&tail.value, &sample.value).is_some();
        }
        Ok(continues)
    }

    fn sample(
        &mut self,
        point: &DataPoint,
        sample: &SeriesSample,
        target: &Target,
        continues: bool,
    ) -> Result<(), Refusal> {
        let tail = self.tail(target);
        let (mut value, mut start_ms) = (sample.value.clone(), point.start_ms);
        if let Some(tail) = tail.as_ref().filter(|_| continues)
            && let Some(sum) = accumulate(&tail.value, &value)
        {
            value = sum;
            start_ms = tail.start_ms;
        }
        let newest = tail.as_ref().is_none_or(|tail| tail.time_ms < point.time_ms);
        if !newest {
            match self.at(target, point.time_ms) {
                Some(known) if histogram::same(&known, &value) => return Ok(()),
                Some(_) => return Err(Refusal::Duplicate),
                None => {}
            }
        }
        let behind_ms = self.max_time_ms.saturating_sub(point.time_ms);
        if behind_ms > self.bounds.window_ms && !(newest && behind_ms <= HEAD_MS) {
            return Err(Refusal::TooOld);
        }
        let position = self.record.samples.len();
        let was_pending = self.pending.contains_key(&target.id);
        self.changes.push(Change { series: target.id, was_pending, tail: tail.clone() });
        let tail =
            if newest { Some(Tail { time_ms: point.time_ms, value: value.clone(), start_ms }) } else { tail };
        match self.pending.entry(target.id) {
            Entry::Vacant(slot) => {
                slot.insert(Pending { tail, times: Times::One(point.time_ms, position) });
            }
            Entry::Occupied(mut pending) => {
                pending.get_mut().tail = tail;
                pending.get_mut().times.insert(point.time_ms, position);
            }
        }
        self.max_time_ms = self.max_time_ms.max(point.time_ms);
        self.record.samples.push(RefSample { series: target.id, time_ms: point.time_ms, start_ms, value });
        Ok(())
    }

    /// The value of a series at a time, in the head or in what the batch has added.
    fn at(&self, target: &Target, time_ms: i64) -> Option<SampleValue> {
        let pending = self.pending.get(&target.id).and_then(|pending| pending.times.get(time_ms));
        match pending {
            Some(position) => Some(self.record.samples[position].value.clone()),
            None => target.known.as_ref()?.data.lock().at(time_ms),
        }
    }

    /// Takes back what a data point added before it was refused.
    fn undo(&mut self, (samples, series, max_time_ms): (usize, usize, i64)) {
        self.max_time_ms = max_time_ms;
        for (sample, change) in self.record.samples.drain(samples..).zip(self.changes.drain(..)).rev() {
            match self.pending.get_mut(&change.series) {
                Some(pending) if change.was_pending => {
                    pending.tail = change.tail;
                    pending.times.remove(sample.time_ms);
                }
                _ => _ = self.pending.remove(&change.series),
            }
        }
        for (_, labels) in self.record.series.drain(series..) {
            self.new_series.remove(&labels);
        }
    }

    fn exemplars(&mut self, point: &'a DataPoint, appended: &mut Appended) {
        for sample in point.samples.iter().filter(|sample| !sample.exemplars.is_empty()) {
            let Ok(target) = self.target(&sample.labels) else { continue };
            for exemplar in &sample.exemplars {
                let mut exemplar = exemplar.clone();
                if exemplar.time_ms == 0 {
                    exemplar.time_ms = point.time_ms;
                }
                if exemplar.time_ms <= self.bounds.newest_ms && self.head.takes_exemplar(target.id, &exemplar)
                {
                    appended.exemplars += 1;
                    self.bytes += 256;
                    self.record.exemplars.push((target.id, exemplar));
                }
            }
        }
    }

    fn metadata(&mut self, batch: &Batch, point: &DataPoint) {
        let Some(family) = batch.families.get(point.family) else { return };
        if self.families.insert(point.family) && !self.head.has_metadata(&family.name, &family.metadata) {
            self.bytes += family.name.len() + family.metadata.help.len() + family.metadata.unit.len();
            self.record.metadata.push((family.name.clone(), family.metadata.clone()));
        }
    }
}

/// A delta added to what a series has; `None` if they do not fit together, or one of them ends the series.
fn accumulate(last: &SampleValue, delta: &SampleValue) -> Option<SampleValue> {
    if last.is_stale() || delta.is_stale() {
        return None;
    }
    match (last, delta) {
        (SampleValue::Float(last), SampleValue::Float(delta)) => Some(SampleValue::Float(last + delta)),
        (SampleValue::Histogram(last), SampleValue::Histogram(delta)) => {
            let mut sum = Histogram::clone(last);
            let reconciled = sum.add(delta).ok()?;
            // What is known of a reset is known of the sum so far.
            sum.reset_hint = last.reset_hint;
            (!reconciled.bounds).then(|| SampleValue::Histogram(Arc::new(sum)))
        }
        _ => None,
    }
}
