//! Writes of which all is kept or nothing, as Prometheus keeps a request of remote write 1.0.

use model::{Batch, Metadata};

use crate::floats::Judged;
use crate::record::{self, Record};
use crate::{Appended, FloatSeries, Inner, Result, Tsdb};

/// Reasons that undo a write. The others are limits that Prometheus does not have: what is within them is kept, since a
/// series that is there already should not suffer from one that may not be added.
const UNDOING: [&str; 3] = ["out_of_bounds", "too_old", "duplicate"];

/// Why nothing was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// As a metric's label.
    pub reason: &'static str,
    /// What Prometheus says of the first sample that is refused.
    pub words: String,
}

impl Tsdb {
    /// Keeps floats of series and what `others` makes of the rest, in one record of the log; nothing if a sample is too
    /// old, too far ahead, or another one than there is at its time. `others` is told which of the series cannot go the
    /// short way (they are new, say), and returns data points of these and of whatever else is to be kept with them.
    pub fn append_whole(
        &self,
        series: &[FloatSeries<'_>],
        others: impl FnMut(&[usize]) -> Batch,
    ) -> Result<Result<Appended, Undone>> {
        let appended = self.inner().append_whole(series, others)?;
        self.keeper.wake_if(self.inner().work_is_due());
        Ok(appended)
    }
}

impl Inner {
    fn append_whole(
        &self,
        series: &[FloatSeries<'_>],
        mut others: impl FnMut(&[usize]) -> Batch,
    ) -> Result<Result<Appended, Undone>> {
        let mut writer = self.writer.lock();
        if writer.stopped {
            return Err(crate::Error::Stopped);
        }
        self.check_room()?;
        let index = self.head.index();
        let (mut items, mut left) = (Vec::new(), Vec::new());
        let (mut judged, mut count) =
            self.judge_floats(&index, series, &mut 0, usize::MAX, &mut items, &mut left);
        let forget = |judged: &[Judged<'_>]| {
            for judged in judged {
                judged.series.data.lock().forget_judged();
            }
        };
        let mut batch = others(&left);
        let twice = |batch: &Batch| {
            let mut samples = batch.points.iter().flat_map(|point| &point.samples);
            samples.any(|sample| {
                self.head.series(&sample.labels).is_some_and(|series| series.data.lock().is_judged())
            })
        };
        if twice(&batch) {
            // The same series in both: only who sees all of its samples can judge them.
            forget(&judged);
            judged.clear();
            items.clear();
            count = 0;
            batch = others(&(0..series.len()).collect::<Vec<_>>());
        }
        let mut appended = Appended::default();
        let mut plan = self.plan(writer.next_id);
        for (position, point) in batch.points.iter().enumerate() {
            plan.point(&batch, position, point, &mut appended);
            let newest = appended.rejected.by_reason.last().map(|(reason, _)| *reason);
            if let Some(reason) = newest.filter(|reason| UNDOING.contains(reason)) {
                forget(&judged);
                let words = appended.refused.pop().map(|(_, words)| words).unwrap_or_default();
                return Ok(Err(Undone { reason, words }));
            }
        }
        let record = plan.finish();
        if record.is_empty() && count == 0 {
            return Ok(Ok(appended));
        }
        let mut bytes = record.encode();
        bytes.extend_from_slice(&record::floats_header(count)[1..]);
        let position = match self.wal.append(&[&bytes, &items]) {
            Ok(position) => position,
            Err(error) => {
                forget(&judged);
                return Err(error.into());
            }
        };
        writer.next_id += record.series.len() as u32;
        appended.samples = count + record.samples.len() as u64;
        appended.points += count;
        self.apply_floats(&judged);
        drop(judged);
        drop(index);
        self.head.apply(record);
        drop(writer);
        self.wal.commit(position)?;
        Ok(Ok(appended))
    }
}

impl Tsdb {
    /// Keeps what is said of families. What is there already is not written again.
    pub fn append_metadata(&self, metadata: &[(String, Metadata)]) -> Result<()> {
        let inner = self.inner();
        let is_new = |(name, metadata): &&(String, Metadata)| !inner.head.has_metadata(name, metadata);
        let metadata: Vec<(String, Metadata)> = metadata.iter().filter(is_new).cloned().collect();
        if metadata.is_empty() {
            return Ok(());
        }
        let writer = inner.writer.lock();
        if writer.stopped {
            return Err(crate::Error::Stopped);
        }
        inner.check_room()?;
        let record = Record { metadata, ..Record::default() };
        let position = inner.wal.append(&[&record.encode()])?;
        inner.head.apply(record);
        drop(writer);
        Ok(inner.wal.commit(position)?)
    }
}
