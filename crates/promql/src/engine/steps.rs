//! The times of an evaluation.

use crate::ast::At;

/// The times of a range query, or the time of an instant query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// First time, milliseconds since the Unix epoch.
    pub start_ms: i64,
    /// No time is later.
    pub end_ms: i64,
    /// From one to the next; 0 if there is one alone.
    pub step_ms: i64,
}

impl Steps {
    /// A single time.
    pub fn at(time_ms: i64) -> Self {
        Self { start_ms: time_ms, end_ms: time_ms, step_ms: 0 }
    }

    /// The times, ascending.
    pub fn times(self) -> impl ExactSizeIterator<Item = i64> + Clone {
        (0..self.count()).map(move |index| self.time(index))
    }

    /// How many times there are.
    pub fn count(self) -> usize {
        if self.end_ms < self.start_ms {
            return 0;
        }
        let span_ms = i128::from(self.end_ms) - i128::from(self.start_ms);
        (span_ms / i128::from(self.interval_ms()) + 1) as usize
    }

    /// The time of a step.
    pub(crate) fn time(self, index: usize) -> i64 {
        self.start_ms.saturating_add(self.interval_ms().saturating_mul(index as i64))
    }

    /// Which step a time is; the time has to be one.
    pub(crate) fn index(self, time_ms: i64) -> usize {
        (time_ms.saturating_sub(self.start_ms) / self.interval_ms()) as usize
    }

    /// From one to the next, at least a millisecond.
    pub(crate) fn interval_ms(self) -> i64 {
        self.step_ms.max(1)
    }

    /// The last time that is reached.
    pub(crate) fn last_ms(self) -> i64 {
        self.time(self.count().saturating_sub(1))
    }

    /// Whether there is one time alone.
    pub(crate) fn is_single(self) -> bool {
        self.start_ms == self.end_ms
    }

    pub(crate) fn resolve(self, at: At) -> i64 {
        match at {
            At::Time(time_ms) => time_ms,
            At::Start => self.start_ms,
            At::End => self.end_ms,
        }
    }
}
