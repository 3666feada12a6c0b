//! The sum of many histograms.

use super::add::{Reconciled, pairs, within_zero};
use super::custom::{add_mismatched, common_bounds};
use super::error::HistogramError;
use super::resolution::widened_with_lost;
use super::spans::{Buckets, SpanWriter};
use crate::kahan::compensated_add as kahan;
use crate::sample::{BucketSpan, Histogram};

/// What rounding took from a histogram, number by number. The buckets are those of the histogram.
#[derive(Debug, Clone, Default)]
pub(super) struct Lost {
    pub(super) zero_count: f64,
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) positive: Vec<f64>,
    pub(super) negative: Vec<f64>,
}

impl Lost {
    fn numbers(&mut self) -> impl Iterator<Item = &mut f64> {
        let scalars = [&mut self.zero_count, &mut self.count, &mut self.sum];
        scalars.into_iter().chain(&mut self.positive).chain(&mut self.negative)
    }
}

/// The sum of many histograms that does not lose what rounding takes, as `sum` and `sum_over_time` need it.
///
/// ```
/// use model::Histogram;
/// use model::histogram::HistogramSum;
///
/// let histogram = |sum| Histogram { sum, ..Histogram::default() };
/// let mut sum = HistogramSum::new(histogram(1.0));
/// for number in [1e100, 1.0, -1e100] {
///     sum.add(&histogram(number))?;
/// }
/// assert_eq!(sum.finish().sum, 2.0);
/// # Ok::<(), model::histogram::HistogramError>(())
/// ```
#[derive(Debug, Clone)]
pub struct HistogramSum {
    pub(super) total: Histogram,
    lost: Option<Lost>,
}

impl HistogramSum {
    /// The sum of one histogram.
    pub fn new(first: Histogram) -> Self {
        Self { total: first, lost: None }
    }

    /// Adds a histogram, with what [`Histogram::add`] does to make the two fit.
    ///
    /// # Errors
    ///
    /// If one has custom bounds and the other has not; then nothing is changed.
    pub fn add(&mut self, other: &Histogram) -> Result<Reconciled, HistogramError> {
        let total = &mut self.total;
        total.check_mixable(other)?;
        let mut reconciled =
            Reconciled { reset_collision: total.join_hints(other.reset_hint), bounds: false };
        let lost = self.lost.get_or_insert_with(|| Lost {
            positive: vec![0.0; total.positive_buckets.len()],
            negative: vec![0.0; total.negative_buckets.len()],
            ..Lost::default()
        });
        if !total.has_custom_bounds() {
            let (zero_count, zero_lost) = total.reconcile_zero(other, Some(lost));
            kahan(&mut total.zero_count, &mut lost.zero_count, zero_count);
            kahan(&mut total.zero_count, &mut lost.zero_count, zero_lost);
        }
        kahan(&mut total.count, &mut lost.count, other.count);
        kahan(&mut total.sum, &mut lost.sum, other.sum);
        if total.has_custom_bounds() && total.custom_values != other.custom_values {
            reconciled.bounds = true;
            let common = common_bounds(&total.custom_values, &other.custom_values);
            add_mismatched(total, Some(lost), other, 1.0, common);
            return Ok(reconciled);
        }
        let from = total.schema;
        total.schema = from.min(other.schema);
        let scale = Scale { from, to: total.schema, theirs: other.schema, threshold: total.zero_threshold };
        add_side(
            Side {
                spans: &mut total.positive_spans,
                counts: &mut total.positive_buckets,
                lost: &mut lost.positive,
            },
            (&other.positive_spans, &other.positive_buckets),
            scale,
        );
        if !total.has_custom_bounds() {
            add_side(
                Side {
                    spans: &mut total.negative_spans,
                    counts: &mut total.negative_buckets,
                    lost: &mut lost.negative,
                },
                (&other.negative_spans, &other.negative_buckets),
                scale,
            );
        }
        Ok(reconciled)
    }

    /// Multiplies by a number.
    pub(super) fn scale(&mut self, factor: f64) {
        self.total.scale(factor);
        self.lost.iter_mut().flat_map(Lost::numbers).for_each(|number| *number *= factor);
    }

    /// Divides by a number that is not zero.
    pub(super) fn divide(&mut self, divisor: f64) {
        self.total.divide(divisor);
        self.lost.iter_mut().flat_map(Lost::numbers).for_each(|number| *number /= divisor);
    }

    /// The sum, with what rounding took put back.
    pub fn finish(self) -> Histogram {
        let Self { mut total, lost } = self;
        let Some(lost) = lost else { return total };
        total.zero_count += lost.zero_count;
        total.count += lost.count;
        total.sum += lost.sum;
        let sides =
            [(&mut total.positive_buckets, lost.positive), (&mut total.negative_buckets, lost.negative)];
        for (counts, lost) in sides {
            for (count, lost) in counts.iter_mut().zip(lost) {
                *count += lost;
            }
        }
        total
    }
}

/// Schemas on the way to a common one.
#[derive(Clone, Copy)]
struct Scale {
    from: i32,
    to: i32,
    theirs: i32,
    threshold: f64,
}

/// One side of a sum.
struct Side<'a> {
    spans: &'a mut Vec<BucketSpan>,
    counts: &'a mut Vec<f64>,
    lost: &'a mut Vec<f64>,
}

fn add_side(side: Side<'_>, (their_spans, their_counts): (&[BucketSpan], &[f64]), scale: Scale) {
    let Side { spans, counts, lost } = side;
    if scale.from > scale.to {
        (*spans, *counts, *lost) = widened_with_lost(spans, counts, lost, scale.from, scale.to);
    }
    if scale.theirs > scale.to {
        let none = vec![0.0; their_counts.len()];
        let (their_spans, their_counts, their_lost) =
            widened_with_lost(their_spans, their_counts, &none, scale.theirs, scale.to);
        add_buckets(Side { spans, counts, lost }, &their_spans, &their_counts, Some(&their_lost), scale);
    } else {
        add_buckets(Side { spans, counts, lost }, their_spans, their_counts, None, scale);
    }
}

/// Adds buckets of the same schema.
fn add_buckets(
    side: Side<'_>,
    their_spans: &[BucketSpan],
    their_counts: &[f64],
    their_lost: Option<&[f64]>,
    scale: Scale,
) {
    let Side { spans, counts, lost } = side;
    let skipped = within_zero(their_spans, their_counts, scale.to, scale.threshold);
    let beside =
        |position: usize| their_lost.and_then(|lost| lost.get(skipped + position)).copied().unwrap_or(0.0);
    let add = |count: &mut f64, lost: &mut f64, (position, theirs): (usize, f64)| {
        kahan(count, lost, theirs);
        let theirs = beside(position);
        if theirs != 0.0 {
            kahan(count, lost, theirs);
        }
    };
    if spans == their_spans && counts.len() == their_counts.len() {
        let own = counts.iter_mut().zip(lost).skip(skipped);
        for ((count, lost), theirs) in own.zip(their_counts[skipped..].iter().enumerate()) {
            add(count, lost, (theirs.0, *theirs.1));
        }
        return;
    }
    let mut writer = SpanWriter::default();
    let mut joined = Vec::with_capacity(counts.len().max(their_counts.len()));
    let mut joined_lost = Vec::with_capacity(joined.capacity());
    for pair in pairs(Buckets::new(spans, counts), Buckets::new(their_spans, their_counts).skip(skipped)) {
        writer.push(pair.index, 0);
        let (mut count, mut missing) = match (pair.left, pair.right) {
            (Some((position, count)), _) => (count, lost.get(position).copied().unwrap_or(0.0)),
            (None, Some((position, theirs))) => (theirs, beside(position)),
            (None, None) => (0.0, 0.0),
        };
        if let (Some(_), Some(theirs)) = (pair.left, pair.right) {
            add(&mut count, &mut missing, theirs);
        }
        joined.push(count);
        joined_lost.push(missing);
    }
    *spans = writer.finish();
    *counts = joined;
    *lost = joined_lost;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::{CUSTOM_SCHEMA, to_spans};

    fn histogram(schema: i32, buckets: &[(i64, f64)]) -> Histogram {
        let (positive_spans, positive_buckets) = to_spans(buckets.iter().copied());
        let (negative_spans, negative_buckets) = to_spans(buckets.iter().copied());
        Histogram {
            schema,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            ..Histogram::default()
        }
    }

    fn sum(of: &[Histogram]) -> Histogram {
        let mut sum = HistogramSum::new(of[0].clone());
        for other in &of[1..] {
            sum.add(other).unwrap();
        }
        let mut sum = sum.finish();
        sum.compact(0);
        sum
    }

    #[test]
    fn small_buckets_survive_large_ones() {
        let big = |sign: f64| histogram(1, &[(2, sign * 1e100), (4, 1.0)]);
        let fine = histogram(2, &[(3, 1.0), (20, 1.0)]);
        let sum = sum(&[big(1.0), fine.clone(), histogram(1, &[(2, 2.0)]), big(-1.0), fine]);
        assert_eq!(sum.schema, 1);
        assert_eq!(sum.positive().collect::<Vec<_>>(), [(2, 4.0), (4, 2.0), (10, 2.0)]);
        assert_eq!(sum.negative().collect::<Vec<_>>(), [(2, 4.0), (4, 2.0), (10, 2.0)]);
    }

    #[test]
    fn what_was_lost_goes_into_the_zero_bucket_too() {
        let wide = Histogram { zero_threshold: 2.0, ..histogram(0, &[(3, 1.0)]) };
        let big = |sign: f64| histogram(0, &[(1, sign * 1e100)]);
        let sum = sum(&[big(1.0), histogram(0, &[(1, 1.0)]), wide, big(-1.0)]);
        // Twice, since the histograms have the same buckets on both sides.
        assert_eq!((sum.zero_threshold, sum.zero_count), (2.0, 2.0));
        assert_eq!(sum.positive().collect::<Vec<_>>(), [(3, 1.0)]);
    }

    #[test]
    fn custom_bounds() {
        let custom = |bounds: &[f64], buckets: &[(i64, f64)]| {
            let (positive_spans, positive_buckets) = to_spans(buckets.iter().copied());
            Histogram {
                schema: CUSTOM_SCHEMA,
                custom_values: bounds.to_vec(),
                positive_spans,
                positive_buckets,
                ..Histogram::default()
            }
        };
        let sum = sum(&[
            custom(&[1.0, 2.0], &[(0, 1e100), (1, 1.0)]),
            custom(&[1.0, 2.0], &[(0, 1.0)]),
            custom(&[2.0], &[(0, -1e100), (1, 5.0)]),
        ]);
        assert_eq!(sum.custom_values, [2.0]);
        assert_eq!(sum.positive().collect::<Vec<_>>(), [(0, 2.0), (1, 5.0)]);
    }
}
