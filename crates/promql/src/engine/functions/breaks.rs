//! Where a counter does not go on from one sample to the next. Found once for all samples of a series, so that no
//! window has to look at each of its own.

use super::start_times::Started;
use crate::storage::FloatPoint;

/// Two samples that follow each other, of which the later is no larger count of the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Break {
    /// The later sample's position.
    pub(crate) at: usize,
    /// Whether the counter began anew between both.
    pub(crate) is_reset: bool,
    /// Whether the later one's start lies before the earlier one though they do not have the same.
    pub(crate) overlaps: bool,
}

/// The breaks among samples, in their order, in place of those before.
pub(crate) fn find(floats: &[FloatPoint], out: &mut Vec<Break>) {
    out.clear();
    for (before, [previous, current]) in floats.array_windows().enumerate() {
        let falls = current.value < previous.value;
        // Without a start there is nothing to be learned from it.
        if !falls && current.start_ms == 0 {
            continue;
        }
        let (earlier, later) = (started(previous), started(current));
        let (is_reset, overlaps) = (falls || later.is_reset_after(earlier), later.overlaps(earlier));
        if is_reset || overlaps {
            out.push(Break { at: before + 1, is_reset, overlaps });
        }
    }
}

/// Those of a window: a run of all that moves on with it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Run {
    start: usize,
    end: usize,
}

impl Run {
    /// Moves on to the breaks between samples from the first up to, not including, the second; neither is before those of
    /// the window before.
    pub(crate) fn move_to<'a>(&mut self, all: &'a [Break], first: usize, end: usize) -> &'a [Break] {
        while all.get(self.end).is_some_and(|found| found.at < end) {
            self.end += 1;
        }
        while self.start < self.end && all[self.start].at <= first {
            self.start += 1;
        }
        &all[self.start..self.end]
    }
}

fn started(point: &FloatPoint) -> Started {
    Started { start_ms: point.start_ms, time_ms: point.time_ms }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{floats, floats_started};
    use super::*;

    #[test]
    fn falls_and_starts() {
        let mut found = Vec::new();
        find(&floats(&[1.0, 3.0, 2.0, f64::NAN, 1.0]), &mut found);
        assert_eq!(found, [Break { at: 2, is_reset: true, overlaps: false }]);
        // At 10, 20 and 30 s; the last two began after the one before, and before it.
        find(&floats_started(&[1.0, 2.0, 3.0], &[1, 15_000, 16_000]), &mut found);
        assert_eq!(
            found,
            [
                Break { at: 1, is_reset: true, overlaps: false },
                Break { at: 2, is_reset: false, overlaps: true }
            ]
        );
    }

    #[test]
    fn windows_move_on() {
        let all = [2, 5, 9].map(|at| Break { at, is_reset: true, overlaps: false });
        let mut run = Run::default();
        let mut within =
            |first, end| run.move_to(&all, first, end).iter().map(|it| it.at).collect::<Vec<_>>();
        assert_eq!(within(0, 2), [0; 0]);
        assert_eq!(within(0, 6), [2, 5]);
        assert_eq!(within(2, 6), [5], "a break before the window's first sample is none of its own");
        assert_eq!(within(5, 10), [9]);
        assert_eq!(within(20, 20), [0; 0]);
    }
}
