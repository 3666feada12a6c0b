//! Classic histograms: buckets that count everything up to a bound.

/// Differences between counts of neighbours below this part of their sum are taken to come from rounding.
const SMALL_DIFFERENCE: f64 = 1e-12;

/// A bucket of a classic histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassicBucket {
    /// The largest value in it.
    pub upper_bound: f64,
    /// Observations up to the bound, those of lower buckets included.
    pub count: f64,
}

/// A quantile of a classic histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassicQuantile {
    /// The value below which that part of all observations lies. Infinite below 0 and above 1; NaN of nothing, of one
    /// bucket alone, and without a bucket that ends at infinity.
    pub value: f64,
    /// What was done to counts that fell from one bucket to the next.
    pub repaired: Option<Repaired>,
}

/// Counts of a classic histogram that fell from one bucket to the next, which cannot be, and were raised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repaired {
    /// Upper bound of the lowest such bucket.
    pub min_bucket: f64,
    /// Upper bound of the highest such bucket.
    pub max_bucket: f64,
    /// By how much a count was raised at most.
    pub max_difference: f64,
}

/// A quantile of classic buckets, linear within each. Below the first bound it is linear from zero, unless that bound is
/// not above zero, which is the quantile then; above the last finite bound it is that bound. The buckets are sorted,
/// those with the same bound put together, and counts repaired.
pub fn classic_quantile(q: f64, buckets: &mut Vec<ClassicBucket>) -> ClassicQuantile {
    let plain = |value| ClassicQuantile { value, repaired: None };
    if q.is_nan() {
        return plain(f64::NAN);
    }
    if q < 0.0 {
        return plain(f64::NEG_INFINITY);
    }
    if q > 1.0 {
        return plain(f64::INFINITY);
    }
    if !put_in_order(buckets) {
        return plain(f64::NAN);
    }
    let repaired = repair(buckets);
    ClassicQuantile { value: quantile(q, buckets), repaired }
}

fn quantile(q: f64, buckets: &[ClassicBucket]) -> f64 {
    let [below @ .., last_finite, last] = buckets else { return f64::NAN };
    if last.count == 0.0 {
        return f64::NAN;
    }
    let rank = q * last.count;
    let finite = &buckets[..=below.len()];
    let is_below = |count: f64| count < rank || count.is_nan() || rank.is_nan();
    let at = finite.partition_point(|bucket| is_below(bucket.count));
    let Some(bucket) = finite.get(at) else { return last_finite.upper_bound };
    let (start, before) = match at.checked_sub(1).map(|before| finite[before]) {
        Some(before) => (before.upper_bound, before.count),
        None if bucket.upper_bound <= 0.0 => return bucket.upper_bound,
        None => (0.0, 0.0),
    };
    start + (bucket.upper_bound - start) * ((rank - before) / (bucket.count - before))
}

/// What part of all observations lies between two values: the counterpart of [`classic_quantile`], without repairs.
pub fn classic_fraction(lower: f64, upper: f64, buckets: &mut Vec<ClassicBucket>) -> f64 {
    if !put_in_order(buckets) {
        return f64::NAN;
    }
    let Some(count) = buckets.last().map(|last| last.count) else { return f64::NAN };
    if count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let [below_lower, below_upper] = [lower, upper].map(|bound| below(bound, buckets));
    let most = |below: Option<f64>| below.map_or(count, |below| if below > count { count } else { below });
    (most(below_upper) - most(below_lower)) / count
}

/// How many observations lie below a value; `None` if no bucket says so.
fn below(value: f64, buckets: &[ClassicBucket]) -> Option<f64> {
    let is_positive = buckets.first().is_some_and(|first| first.upper_bound > 0.0);
    let mut start = if is_positive { 0.0 } else { f64::NEG_INFINITY };
    let mut rank = 0.0;
    for bucket in buckets {
        if start >= value {
            return Some(rank);
        }
        if bucket.upper_bound > value {
            // Nothing can be said within what has no end; all of it is taken to be below.
            let is_open = start == f64::NEG_INFINITY;
            let part = |count: f64| count * (value - start) / (bucket.upper_bound - start);
            return Some(if is_open { bucket.count } else { rank + part(bucket.count - rank) });
        }
        (start, rank) = (bucket.upper_bound, bucket.count);
    }
    None
}

/// Sorts buckets and puts those with the same bound together. Whether the last one ends at infinity.
fn put_in_order(buckets: &mut Vec<ClassicBucket>) -> bool {
    if !buckets.is_sorted_by(|left, right| left.upper_bound < right.upper_bound) {
        buckets.sort_by(|left, right| left.upper_bound.total_cmp(&right.upper_bound));
        buckets.dedup_by(|later, kept| {
            let is_same = later.upper_bound == kept.upper_bound;
            if is_same {
                kept.count += later.count;
            }
            is_same
        });
    }
    buckets.last().is_some_and(|last| last.upper_bound == f64::INFINITY)
}

/// Makes counts go up: what rounding may have done is undone either way, what fell is raised and told.
fn repair(buckets: &mut [ClassicBucket]) -> Option<Repaired> {
    let (first, rest) = buckets.split_first_mut()?;
    let mut reached = first.count;
    let mut repaired: Option<Repaired> = None;
    for bucket in rest {
        if bucket.count == reached {
            continue;
        }
        if nearly_equal(reached, bucket.count) {
            bucket.count = reached;
        } else if bucket.count < reached {
            let (bound, difference) = (bucket.upper_bound, reached - bucket.count);
            bucket.count = reached;
            let known = repaired.get_or_insert(Repaired {
                min_bucket: bound,
                max_bucket: bound,
                max_difference: 0.0,
            });
            known.max_bucket = bound;
            known.max_difference = known.max_difference.max(difference);
        } else {
            reached = bucket.count;
        }
    }
    repaired
}

fn nearly_equal(left: f64, right: f64) -> bool {
    if left.is_nan() && right.is_nan() {
        return true;
    }
    let sum = left.abs() + right.abs();
    let difference = (left - right).abs();
    if left == 0.0 || right == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < SMALL_DIFFERENCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < SMALL_DIFFERENCE
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    fn buckets(buckets: &[(f64, f64)]) -> Vec<ClassicBucket> {
        buckets.iter().map(|&(upper_bound, count)| ClassicBucket { upper_bound, count }).collect()
    }

    fn value(q: f64, of: &[(f64, f64)]) -> f64 {
        classic_quantile(q, &mut buckets(of)).value
    }

    #[test]
    fn linear_within_a_bucket() {
        let of = [(1.0, 2.0), (2.0, 6.0), (INF, 8.0)];
        let quantiles = [0.0, 0.125, 0.25, 0.5, 0.75, 0.9, 1.0].map(|q| value(q, &of));
        assert_eq!(quantiles, [0.0, 0.5, 1.0, 1.5, 2.0, 2.0, 2.0]);
        assert_eq!(value(0.1, &[(-1.0, 2.0), (INF, 4.0)]), -1.0);
    }

    #[test]
    fn what_has_no_quantile() {
        let of = [(1.0, 2.0), (INF, 8.0)];
        assert_eq!((value(-1.0, &of), value(2.0, &of)), (-INF, INF));
        assert!(value(f64::NAN, &of).is_nan() && value(0.5, &[(1.0, 2.0), (2.0, 2.0)]).is_nan());
        assert!(value(0.5, &[]).is_nan() && value(0.5, &[(INF, 2.0)]).is_nan());
        assert!(value(0.5, &[(1.0, 0.0), (INF, 0.0)]).is_nan());
    }

    #[test]
    fn any_order_and_bounds_written_in_two_ways() {
        let of = [(INF, 4.0), (2.0, 3.0), (1.0, 1.0), (INF, 4.0), (1.0, 1.0)];
        assert_eq!(value(0.25, &of), 1.0);
    }

    #[test]
    fn counts_that_fall_are_raised_and_told() {
        let quantile = classic_quantile(
            0.5,
            &mut buckets(&[(1.0, 5.0), (2.0, 3.0), (3.0, 4.0), (4.0, 8.0), (INF, 7.0)]),
        );
        let repaired = Repaired { min_bucket: 2.0, max_bucket: INF, max_difference: 2.0 };
        assert_eq!(quantile, ClassicQuantile { value: 0.8, repaired: Some(repaired) });
        let rounded = [(1.0, 1.0), (2.0, 1.0 - 1e-15), (INF, 1.0 + 1e-15)];
        assert_eq!(classic_quantile(0.5, &mut buckets(&rounded)).repaired, None);
    }

    #[test]
    fn fractions() {
        let of = [(1.0, 2.0), (2.0, 6.0), (INF, 8.0)];
        let fraction = |lower, upper| classic_fraction(lower, upper, &mut buckets(&of));
        assert_eq!((fraction(-INF, INF), fraction(1.0, 2.0), fraction(0.0, 0.5)), (1.0, 0.5, 0.125));
        assert_eq!((fraction(1.5, INF), fraction(2.0, 1.0), fraction(3.0, 4.0)), (0.5, 0.0, 0.0));
        assert!(fraction(f64::NAN, 1.0).is_nan());
        assert!(classic_fraction(0.0, 1.0, &mut buckets(&[(1.0, 2.0)])).is_nan());
    }
}
