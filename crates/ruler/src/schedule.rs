//! When a group is due: at the same point of every interval, spread over it by the group's name, so that not all groups
//! are evaluated at once and each keeps its point over restarts.

use std::time::Duration;

use crate::backend::nanos;

/// The times of one group, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedule {
    interval_ns: i64,
    offset_ns: i64,
}

/// What to do when the time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// The time to evaluate at.
    pub(crate) time_ns: i64,
    /// How many times were passed over, since the one before took too long.
    pub(crate) missed: u64,
}

impl Schedule {
    pub(crate) fn new(file: &str, name: &str, interval: Duration) -> Self {
        let interval_ns = nanos(interval).max(1);
        // As Prometheus does it, so that both evaluate at the same times.
        let offset_ns = (hash(file, name) % interval_ns.unsigned_abs()) as i64;
        Self { interval_ns, offset_ns }
    }

    /// The newest of the group's times that is not later than now.
    pub(crate) fn slot(self, now_ns: i64) -> i64 {
        let shifted = now_ns - self.offset_ns;
        shifted - shifted.rem_euclid(self.interval_ns) + self.offset_ns
    }

    /// The first time after now.
    pub(crate) fn first(self, now_ns: i64) -> i64 {
        self.slot(now_ns) + self.interval_ns
    }

    /// When the one after an evaluation's is.
    pub(crate) fn after(self, time_ns: i64) -> i64 {
        time_ns + self.interval_ns
    }

    /// What is due now, when the one of `last_ns` was the last to be evaluated.
    pub(crate) fn due(self, last_ns: i64, now_ns: i64) -> Due {
        let passed = (now_ns.saturating_sub(last_ns) / self.interval_ns).max(1);
        Due { time_ns: last_ns + passed * self.interval_ns, missed: (passed - 1).unsigned_abs() }
    }
}

/// The hash of a group's labels as Prometheus keeps them in memory: names and values one after the other, each with its
/// length before it.
fn hash(file: &str, name: &str) -> u64 {
    let mut bytes = Vec::new();
    for text in ["file", file, "name", name] {
        let length = text.len().to_le_bytes();
        if text.len() < 255 {
            bytes.push(length[0]);
        } else {
            bytes.push(255);
            bytes.extend_from_slice(&length[..3]);
        }
        bytes.extend_from_slice(text.as_bytes());
    }
    twox_hash::XxHash64::oneshot(0, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn every_time_is_the_same_point_of_the_interval() {
        let schedule = Schedule { interval_ns: 10 * SECOND, offset_ns: 3 * SECOND };
        for (now, slot) in [(0, -7), (2, -7), (3, 3), (12, 3), (13, 13)] {
            assert_eq!(schedule.slot(now * SECOND), slot * SECOND, "{now}");
        }
        assert_eq!(schedule.first(3 * SECOND), 13 * SECOND);
    }

    #[test]
    fn what_took_too_long_is_passed_over() {
        let schedule = Schedule { interval_ns: 10, offset_ns: 0 };
        for (now, time_ns, missed) in
            [(105, 110, 0), (110, 110, 0), (119, 110, 0), (120, 120, 1), (155, 150, 4)]
        {
            assert_eq!(schedule.due(100, now), Due { time_ns, missed }, "{now}");
        }
    }

    #[test]
    fn the_point_is_prometheus_own() {
        // The digits behind the seconds at which Prometheus 3.14 evaluates this group.
        assert_eq!(Schedule::new("r.yml", "g<1>", Duration::from_secs(1)).offset_ns, 190_984_874);
    }

    #[test]
    fn groups_are_spread() {
        let minute = Duration::from_secs(60);
        let offsets: std::collections::BTreeSet<i64> = (0..100)
            .map(|index| Schedule::new("rules.yml", &format!("group {index}"), minute).offset_ns / SECOND)
            .collect();
        assert!(offsets.len() > 30, "{offsets:?}");
        assert!(offsets.iter().all(|offset| (0..60).contains(offset)));
    }
}
