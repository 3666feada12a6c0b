//! What start times of samples tell of a counter.

/// A sample's time and since when its value counts, milliseconds since the Unix epoch; a start of 0 is not known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Started {
    pub(super) start_ms: i64,
    pub(super) time_ms: i64,
}

impl Started {
    /// Whether the counter began anew between a sample and this one.
    pub(super) fn is_reset_after(self, previous: Self) -> bool {
        // No start, one behind the sample, which is wrong, or the sample's own time, by which OpenTelemetry says that it
        // is not known.
        if self.start_ms == 0 || self.start_ms >= self.time_ms || self.start_ms < previous.time_ms {
            return false;
        }
        // Exactly where the one before ended: so begins each sample of a delta, whose own start is known then. A
        // cumulative one without a known start begins there too, and is not reset.
        let previous_is_known = previous.start_ms != 0 && previous.start_ms < previous.time_ms;
        self.start_ms > previous.time_ms || previous_is_known
    }

    /// Whether its start lies before the sample that precedes it though it is not the same start: neither a delta nor one
    /// counter.
    pub(super) fn overlaps(self, previous: Self) -> bool {
        self.start_ms != 0 && self.start_ms < previous.time_ms && self.start_ms != previous.start_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start_ms: i64, time_ms: i64) -> Started {
        Started { start_ms, time_ms }
    }

    #[test]
    fn resets() {
        assert!(at(25, 30).is_reset_after(at(5, 20)), "started in between");
        assert!(at(20, 30).is_reset_after(at(10, 20)), "a delta");
        assert!(!at(20, 30).is_reset_after(at(20, 20)), "the start was not known");
        assert!(!at(20, 30).is_reset_after(at(0, 20)), "the start was not known");
        assert!(!at(20, 30).is_reset_after(at(25, 20)), "the start was wrong");
        assert!(!at(5, 30).is_reset_after(at(5, 20)), "one counter");
        assert!(!at(0, 30).is_reset_after(at(5, 20)) && !at(30, 30).is_reset_after(at(5, 20)));
        assert!(!at(35, 30).is_reset_after(at(5, 20)));
    }

    #[test]
    fn overlaps() {
        assert!(at(15, 30).overlaps(at(5, 20)));
        assert!(
            !at(5, 30).overlaps(at(5, 20))
                && !at(20, 30).overlaps(at(5, 20))
                && !at(0, 30).overlaps(at(5, 20))
        );
    }
}
