//! Histograms whose custom bounds differ.

use super::spans::SpanWriter;
use super::sum::Lost;
use crate::kahan::compensated_add as kahan;
use crate::sample::Histogram;

/// The bounds that are in both, which ascend.
pub(super) fn common_bounds(left: &[f64], right: &[f64]) -> Vec<f64> {
    let mut right = right.iter().peekable();
    let mut common = Vec::new();
    for bound in left {
        while right.next_if(|other| *other < bound).is_some() {}
        if right.next_if(|other| *other == bound).is_some() {
            common.push(*bound);
        }
    }
    common
}

/// For each bucket its place among the common bounds: the first one that is not below its own, or the last place.
fn places<'a>(histogram: &'a Histogram, common: &'a [f64]) -> impl Iterator<Item = (usize, f64)> + 'a {
    let mut place = 0;
    histogram.positive().map(move |(index, count)| {
        let own = usize::try_from(index).ok().and_then(|index| histogram.custom_values.get(index));
        let Some(own) = own else { return (common.len(), count) };
        while common.get(place).is_some_and(|bound| bound < own) {
            place += 1;
        }
        (place, count)
    })
}

/// Adds the buckets of another histogram, times the sign, by the bounds that both have.
pub(super) fn add_mismatched(
    histogram: &mut Histogram,
    lost: Option<&mut Lost>,
    other: &Histogram,
    sign: f64,
    common: Vec<f64>,
) {
    let mut sums = vec![(0.0, 0.0); common.len() + 1];
    for (position, (place, count)) in places(histogram, &common).enumerate() {
        let (sum, beside) = &mut sums[place];
        kahan(sum, beside, count);
        if let Some(before) = lost.as_ref().and_then(|lost| lost.positive.get(position)) {
            kahan(sum, beside, *before);
        }
    }
    for (place, count) in places(other, &common) {
        let (sum, beside) = &mut sums[place];
        kahan(sum, beside, sign * count);
    }
    let mut writer = SpanWriter::default();
    histogram.positive_buckets.clear();
    let mut kept_lost = Vec::new();
    for (index, (sum, beside)) in sums.into_iter().enumerate() {
        if sum != 0.0 || beside != 0.0 {
            writer.push(index as i64, 0);
            histogram.positive_buckets.push(sum);
            kept_lost.push(beside);
        }
    }
    histogram.positive_spans = writer.finish();
    histogram.custom_values = common;
    if let Some(lost) = lost {
        lost.positive = kept_lost;
    }
}

/// Whether fewer observations lie between any two of the common bounds than before.
pub(super) fn fell_between_bounds(histogram: &Histogram, previous: &Histogram) -> bool {
    let common = common_bounds(&histogram.custom_values, &previous.custom_values);
    let by_bound = |histogram: &Histogram| {
        let mut sums = vec![0.0; common.len() + 1];
        for (place, count) in places(histogram, &common) {
            sums[place] += count;
        }
        sums
    };
    by_bound(histogram).iter().zip(by_bound(previous)).any(|(now, before)| *now < before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::{CUSTOM_SCHEMA, to_spans};

    fn custom(bounds: &[f64], buckets: &[(i64, f64)]) -> Histogram {
        let (positive_spans, positive_buckets) = to_spans(buckets.iter().copied());
        Histogram {
            schema: CUSTOM_SCHEMA,
            custom_values: bounds.to_vec(),
            positive_spans,
            positive_buckets,
            ..Histogram::default()
        }
    }

    #[test]
    fn bounds_in_both() {
        assert_eq!(common_bounds(&[1.0, 2.0, 3.0, 5.0], &[0.5, 2.0, 4.0, 5.0, 6.0]), [2.0, 5.0]);
        assert!(common_bounds(&[1.0], &[]).is_empty());
    }

    #[test]
    fn a_fall_is_seen_between_common_bounds_only() {
        let before = custom(&[1.0, 2.0, 4.0], &[(0, 2.0), (1, 3.0), (3, 1.0)]);
        assert!(!fell_between_bounds(&custom(&[2.0, 4.0], &[(0, 5.0), (2, 1.0)]), &before));
        assert!(fell_between_bounds(&custom(&[2.0, 4.0], &[(0, 4.0), (2, 2.0)]), &before));
        assert!(!fell_between_bounds(&custom(&[3.0], &[(0, 1.0), (1, 5.0)]), &before));
        assert!(fell_between_bounds(&custom(&[], &[(0, 5.0)]), &before));
    }
}
