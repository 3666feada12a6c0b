//! What the evaluator does with native histograms beyond handing them on.

use model::Histogram;

/// A histogram with all counts and the sum times a factor.
pub(super) fn scaled(histogram: &Histogram, factor: f64) -> Histogram {
    let mut scaled = histogram.clone();
    let numbers = [&mut scaled.zero_count, &mut scaled.count, &mut scaled.sum];
    let buckets = scaled.positive_buckets.iter_mut().chain(&mut scaled.negative_buckets);
    numbers.into_iter().chain(buckets).for_each(|number| *number *= factor);
    scaled
}
