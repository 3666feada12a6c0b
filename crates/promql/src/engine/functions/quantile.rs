//! Quantiles of plain numbers.

use std::cmp::Ordering;

/// The quantile of numbers, which are sorted on the way: between two of them linearly. NaN is the smallest number. Below 0
/// and above 1 it is infinite; of nothing it is NaN.
pub(in crate::engine) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(|left, right| ascending_nan_first(*left, *right));
    let last = values.len() - 1;
    let rank = q * last as f64;
    let weight = rank - rank.floor();
    let lower = (rank.floor() as usize).min(last);
    let upper = (lower + 1).min(last);
    values[lower] * (1.0 - weight) + values[upper] * weight
}

/// Whether a quantile lies between those that there are; others get a warning.
pub(super) fn is_valid(q: f64) -> bool {
    (0.0..=1.0).contains(&q)
}

/// By size, NaN before everything.
fn ascending_nan_first(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_numbers() {
        assert_eq!(quantile(0.5, &mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(quantile(0.0, &mut [4.0, 1.0]), 1.0);
        assert_eq!(quantile(1.0, &mut [4.0, 1.0]), 4.0);
        assert_eq!(quantile(0.75, &mut [0.0, 1.0, 2.0]), 1.5);
        assert_eq!(quantile(0.3, &mut [7.0]), 7.0);
    }

    #[test]
    fn what_is_no_quantile() {
        assert_eq!(quantile(-0.1, &mut [1.0]), f64::NEG_INFINITY);
        assert_eq!(quantile(1.1, &mut [1.0]), f64::INFINITY);
        assert!(quantile(f64::NAN, &mut [1.0]).is_nan() && quantile(0.5, &mut []).is_nan());
        assert!(!is_valid(f64::NAN) && !is_valid(-0.1) && !is_valid(1.1) && is_valid(0.0) && is_valid(1.0));
    }

    #[test]
    fn nan_is_smallest() {
        assert_eq!(quantile(1.0, &mut [1.0, f64::NAN, 2.0]), 2.0);
        assert!(quantile(0.0, &mut [1.0, f64::NAN, 2.0]).is_nan());
        assert!(quantile(0.25, &mut [1.0, f64::NAN, 2.0]).is_nan(), "NaN has a weight");
    }
}
