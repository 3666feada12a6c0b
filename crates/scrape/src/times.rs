//! The times that samples get.

use std::time::Duration;

/// How late a scrape may be for its samples to get the time at which it should have begun, and no later than a hundredth
/// of the interval: even steps take a bit of a sample, others two bytes. Prometheus says 2 ms unless told otherwise; that
/// is too little for a machine that has other things to do.
const TOLERANCE: Duration = Duration::from_millis(50);

/// The times of a target's scrapes: even steps from the first one on, as far as scrapes keep to them.
#[derive(Debug)]
pub(crate) struct Times {
    interval: Duration,
    tolerance: Duration,
    /// When the last scrape should have begun.
    due_ns: Option<u64>,
}

impl Times {
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, tolerance: TOLERANCE.min(interval / 100), due_ns: None }
    }

    /// Whether there was a scrape.
    pub(crate) fn has_begun(&self) -> bool {
        self.due_ns.is_some()
    }

    /// The time for samples of a scrape that begins now.
    pub(crate) fn next(&mut self, now_ns: u64) -> u64 {
        let begin_ns = self.due_ns.unwrap_or(now_ns);
        let late_ns = now_ns.saturating_sub(begin_ns);
        let due_ns = begin_ns + late_ns - late_ns % (self.interval.as_nanos() as u64).max(1);
        self.due_ns = Some(due_ns);
        if Duration::from_nanos(now_ns.saturating_sub(due_ns)) <= self.tolerance { due_ns } else { now_ns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_steps_where_scrapes_keep_to_them() {
        let ms = |ms: u64| ms * 1_000_000;
        let mut times = Times::new(Duration::from_secs(15));
        assert!(!times.has_begun());
        let scrapes = [
            (7, 7),
            (15_008, 15_007),
            (30_009, 30_007),
            (45_058, 45_058),
            (60_007, 60_007),
            (90_008, 90_007),
        ];
        for (now, expected) in scrapes {
            assert_eq!(times.next(ms(now)), ms(expected), "{now}");
        }
        assert!(times.has_begun());
        // Of short intervals the tolerance is a hundredth.
        let mut times = Times::new(Duration::from_millis(100));
        assert_eq!([times.next(ms(0)), times.next(ms(101)), times.next(ms(202))], [ms(0), ms(100), ms(202)]);
    }
}
