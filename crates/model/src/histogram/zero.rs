//! The bucket around zero made wider.

use super::compact::compact;
use super::sum::Lost;
use crate::kahan::compensated_add as kahan;
use crate::sample::Histogram;

/// What the bucket around zero becomes.
pub(super) struct Widened {
    /// Its width: the one asked for, or the end of the bucket in which that lay.
    pub(super) threshold: f64,
    /// What is in it.
    pub(super) count: f64,
    /// What rounding took from the count.
    pub(super) lost: f64,
}

impl Histogram {
    /// What the bucket around zero would hold if it were wider. A width that ends within a bucket that is not empty
    /// becomes wider still, to the end of that bucket. A width that is not wider changes nothing.
    pub(super) fn with_wider_zero(&self, threshold: f64, lost: Option<&Lost>) -> Widened {
        let lost_zero = lost.map_or(0.0, |lost| lost.zero_count);
        let mut wider = Widened { threshold, count: self.zero_count, lost: lost_zero };
        let is_wider = threshold > self.zero_threshold;
        if !is_wider {
            return wider;
        }
        // A bucket on one side can push the width into one on the other side: all again, from the start.
        loop {
            (wider.count, wider.lost) = (self.zero_count, lost_zero);
            let beside = lost.map(|lost| lost.positive.as_slice());
            swallow(&mut wider, self.positive_with_bounds().map(|it| (it.lower, it.upper, it.count)), beside);
            let negative_from = wider.threshold;
            let beside = lost.map(|lost| lost.negative.as_slice());
            let mirrored = self.negative_with_bounds().map(|it| (-it.upper, -it.lower, it.count));
            swallow(&mut wider, mirrored, beside);
            let moved = wider.threshold > negative_from;
            if !moved {
                return wider;
            }
        }
    }

    /// Makes the bucket around zero as wide as that of another histogram if that is wider, or wider than that where
    /// buckets of either would be cut. Returns what the other one would hold in a bucket of the same width, and what
    /// rounding took from that.
    pub(super) fn reconcile_zero(&mut self, other: &Self, mut lost: Option<&mut Lost>) -> (f64, f64) {
        let mut theirs = Widened { threshold: other.zero_threshold, count: other.zero_count, lost: 0.0 };
        // Neither is larger in the end, or one is not a number.
        while self.zero_threshold > theirs.threshold || theirs.threshold > self.zero_threshold {
            if self.zero_threshold > theirs.threshold {
                theirs = other.with_wider_zero(self.zero_threshold, None);
            }
            if theirs.threshold > self.zero_threshold {
                let ours = self.with_wider_zero(theirs.threshold, lost.as_deref());
                (self.zero_count, self.zero_threshold) = (ours.count, ours.threshold);
                if let Some(lost) = lost.as_deref_mut() {
                    lost.zero_count = ours.lost;
                }
                self.empty_within_zero(lost.as_deref_mut());
            }
        }
        (theirs.count, theirs.lost)
    }

    /// Takes out the buckets that the bucket around zero covers.
    fn empty_within_zero(&mut self, lost: Option<&mut Lost>) {
        let threshold = self.zero_threshold;
        let positive = self.positive_with_bounds().take_while(|it| it.lower < threshold).count();
        let negative = self.negative_with_bounds().take_while(|it| it.upper > -threshold).count();
        self.positive_buckets[..positive].fill(0.0);
        self.negative_buckets[..negative].fill(0.0);
        let (mut lost_positive, mut lost_negative) = (None, None);
        if let Some(lost) = lost {
            lost.positive[..positive].fill(0.0);
            lost.negative[..negative].fill(0.0);
            lost_positive = Some(&mut lost.positive);
            lost_negative = Some(&mut lost.negative);
        }
        compact(&mut self.positive_spans, &mut self.positive_buckets, lost_positive, 0);
        compact(&mut self.negative_spans, &mut self.negative_buckets, lost_negative, 0);
    }
}

/// Adds the buckets of one side that begin below the threshold.
fn swallow(wider: &mut Widened, buckets: impl Iterator<Item = (f64, f64, f64)>, lost: Option<&[f64]>) {
    for (position, (lower, upper, count)) in buckets.enumerate() {
        if lower >= wider.threshold {
            return;
        }
        kahan(&mut wider.count, &mut wider.lost, count);
        if let Some(beside) = lost.and_then(|lost| lost.get(position)) {
            kahan(&mut wider.count, &mut wider.lost, *beside);
        }
        if upper > wider.threshold {
            if count != 0.0 {
                wider.threshold = upper;
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::to_spans;

    /// Buckets of schema 0: (0.25, 0.5], (0.5, 1], (2, 4]; negative [-2, -1).
    fn histogram() -> Histogram {
        let (positive_spans, positive_buckets) = to_spans([(-1, 1.0), (0, 2.0), (2, 4.0)]);
        let (negative_spans, negative_buckets) = to_spans([(1, 8.0)]);
        Histogram {
            zero_threshold: 0.1,
            zero_count: 16.0,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            ..Histogram::default()
        }
    }

    #[test]
    fn the_width_never_cuts_a_bucket() {
        let wider = |threshold| {
            let wider = histogram().with_wider_zero(threshold, None);
            (wider.threshold, wider.count)
        };
        assert_eq!(wider(0.1), (0.1, 16.0));
        assert_eq!(wider(0.2), (0.2, 16.0));
        assert_eq!(wider(0.3), (0.5, 17.0));
        assert_eq!(wider(0.75), (1.0, 19.0));
        // Into the negative bucket, whose end lies at an empty positive one.
        assert_eq!(wider(1.5), (2.0, 27.0));
        assert_eq!(wider(3.0), (4.0, 31.0));
    }

    #[test]
    fn both_get_the_same_width() {
        let mut wide = histogram();
        let other = Histogram { zero_threshold: 0.75, zero_count: 3.0, ..Histogram::default() };
        let (count, _) = wide.reconcile_zero(&other, None);
        assert_eq!((wide.zero_threshold, wide.zero_count, count), (1.0, 19.0, 3.0));
        assert_eq!(wide.positive().collect::<Vec<_>>(), [(2, 4.0)]);
        let mut narrow = other;
        let (count, _) = narrow.reconcile_zero(&histogram(), None);
        assert_eq!((narrow.zero_threshold, narrow.zero_count, count), (1.0, 3.0, 19.0));
    }

    #[test]
    fn a_width_that_is_no_number_ends() {
        let mut broken = Histogram { zero_threshold: f64::NAN, ..histogram() };
        broken.reconcile_zero(&histogram(), None);
        histogram().reconcile_zero(&broken, None);
    }
}
