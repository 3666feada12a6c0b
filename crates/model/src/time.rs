//! Time: a clock that is passed in, and ranges.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where "now" comes from. Engines and stores take one, so that a test decides what time it is.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Nanoseconds since the Unix epoch.
    fn now_ns(&self) -> u64;

    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64 {
        (self.now_ns() / 1_000_000) as i64
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the machine's clock is read")]
    fn now_ns(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock at a time in nanoseconds since the Unix epoch.
    pub fn at_ns(now_ns: u64) -> Self {
        Self(AtomicU64::new(now_ns))
    }

    /// Moves it to a time in nanoseconds since the Unix epoch.
    pub fn set_ns(&self, now_ns: u64) {
        self.0.store(now_ns, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A range in nanoseconds since the Unix epoch, its start included, its end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// First nanosecond.
    pub start_ns: u64,
    /// One after the last nanosecond.
    pub end_ns: u64,
}

impl TimeRange {
    /// Everything.
    pub const ALL: Self = Self { start_ns: 0, end_ns: u64::MAX };

    /// Whether a time lies within.
    pub fn contains(self, time_ns: u64) -> bool {
        (self.start_ns..self.end_ns).contains(&time_ns)
    }

    /// Whether a closed interval `[first_ns, last_ns]` has a nanosecond in common with the range.
    pub fn overlaps(self, first_ns: u64, last_ns: u64) -> bool {
        first_ns < self.end_ns && last_ns >= self.start_ns
    }
}
