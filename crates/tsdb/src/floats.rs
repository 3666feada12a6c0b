//! The short way into the store: floats of series that it knows, each newer than what the series has. That is nearly
//! everything that remote write and scrapes bring; the rest goes by [`Tsdb::append`], which judges more.

use parking_lot::RwLockReadGuard;

use crate::codec::Writer as _;
use crate::index::Index;
use crate::plan::HEAD_MS;
use crate::record;
use crate::series::Series;
use crate::{Inner, Result, SAMPLES_PER_RECORD, Tsdb, millis};

/// A float of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloatSample {
    /// When it was measured, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Since when its value counts; 0 if that is not known.
    pub start_ms: i64,
    /// The value, a staleness marker bit for bit.
    pub value: f64,
}

/// A series with floats, as it lies in a sender's request.
#[derive(Debug, Clone, Copy)]
pub struct FloatSeries<'a> {
    /// Sorted by name, each name once, no empty value.
    pub labels: &'a [(&'a str, &'a str)],
    /// By ascending time, each time once; others are left.
    pub samples: &'a [FloatSample],
}

/// What became of [`Tsdb::append_floats`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FloatsAppended {
    /// Samples that were written.
    pub samples: u64,
    /// Positions of the series of which nothing was taken: they have to go by [`Tsdb::append`].
    pub left: Vec<usize>,
}

impl Tsdb {
    /// Keeps floats of series that are known: in the log first, then in the head. When this returns, the next query
    /// finds them. A series is taken or left as a whole; it is left if it is new or if a sample of it is not newer than
    /// those that there are, too old, or too far ahead.
    pub fn append_floats(&self, series: &[FloatSeries<'_>]) -> Result<FloatsAppended> {
        let appended = self.inner().append_floats(series)?;
        self.keeper.wake_if(self.inner().work_is_due());
        Ok(appended)
    }
}

/// A series that was judged, and where its samples lie.
pub(crate) struct Judged<'a> {
    pub(crate) series: &'a Series,
    samples: &'a [FloatSample],
}

impl Inner {
    fn append_floats(&self, series: &[FloatSeries<'_>]) -> Result<FloatsAppended> {
        let mut appended = FloatsAppended::default();
        let mut position = None;
        let mut next = 0;
        let mut items = Vec::new();
        while next < series.len() {
            // One write at a time, but not one request: others get their turn.
            let writer = self.writer.lock();
            if writer.stopped {
                return Err(crate::Error::Stopped);
            }
            self.check_room()?;
            let index = self.head.index();
            items.clear();
            let (judged, count) = self.judge_floats(
                &index,
                series,
                &mut next,
                SAMPLES_PER_RECORD,
                &mut items,
                &mut appended.left,
            );
            if judged.is_empty() {
                continue;
            }
            let header = record::floats_header(count);
            match self.wal.append(&[&header, &items]) {
                Ok(at) => position = Some(at),
                Err(error) => {
                    for judged in &judged {
                        judged.series.data.lock().forget_judged();
                    }
                    return Err(error.into());
                }
            }
            self.apply_floats(&judged);
            appended.samples += count;
        }
        if let Some(position) = position {
            self.wal.commit(position)?;
        }
        Ok(appended)
    }

    /// Judges as many series as have `most` samples, one at least, and writes their samples as the record has them.
    pub(crate) fn judge_floats<'a>(
        &self,
        index: &'a RwLockReadGuard<'_, Index>,
        series: &'a [FloatSeries<'_>],
        next: &mut usize,
        most: usize,
        items: &mut Vec<u8>,
        left: &mut Vec<usize>,
    ) -> (Vec<Judged<'a>>, u64) {
        let now_ms = self.clock.now_ms();
        let newest_ms = now_ms.saturating_add(millis(self.config.max_ahead));
        let oldest_ms = now_ms
            .saturating_sub(millis(self.config.retention_age))
            .max(self.head.max_time_ms().saturating_sub(HEAD_MS));
        let mut judged = Vec::with_capacity((series.len() - *next).min(most));
        let mut count = 0;
        let mut key = String::new();
        let (mut id, mut time, mut start) = (0_i64, 0_i64, 0_i64);
        while let Some(one) = series.get(*next) {
            if count > 0 && count as usize + one.samples.len() > most {
                break;
            }
            let position = *next;
            *next += 1;
            let Some(known) = index.find(one.labels, &mut key) else {
                left.push(position);
                continue;
            };
            let (Some(first), Some(last)) = (one.samples.first(), one.samples.last()) else { continue };
            let ascending = one.samples.windows(2).all(|pair| pair[0].time_ms < pair[1].time_ms);
            let in_bounds = first.time_ms >= oldest_ms && last.time_ms <= newest_ms;
            if !(ascending && in_bounds && known.data.lock().judge(first.time_ms, last.time_ms)) {
                left.push(position);
                continue;
            }
            for sample in one.samples {
                items.signed(i64::from(known.id) - id);
                items.signed(sample.time_ms.wrapping_sub(time));
                items.signed(sample.start_ms.wrapping_sub(start));
                items.double(sample.value);
                (id, time, start) = (i64::from(known.id), sample.time_ms, sample.start_ms);
            }
            count += one.samples.len() as u64;
            judged.push(Judged { series: known, samples: one.samples });
        }
        (judged, count)
    }

    pub(crate) fn apply_floats(&self, judged: &[Judged<'_>]) {
        let mut applied = crate::head::Applied::default();
        for judged in judged {
            let mut data = judged.series.data.lock();
            for sample in judged.samples {
                let value = model::SampleValue::Float(sample.value);
                applied.add(sample.time_ms, data.insert(sample.time_ms, sample.start_ms, &value));
            }
        }
        self.head.applied(&applied);
    }
}
