//! Buckets of native histograms by index: how spans are read and written, and what a bucket's bounds are.

use crate::sample::{BucketSpan, Histogram};

/// The schema of histograms with custom bounds.
pub const CUSTOM_SCHEMA: i32 = -53;

/// A gap of more empty buckets than this begins a new span.
const MAX_GAP: i64 = 2;

/// Buckets as spans with their counts, from index and count by ascending index. Counts of one index are added up.
/// Empty buckets are kept in gaps that are too small for a span of their own, and nowhere else.
pub fn to_spans(buckets: impl IntoIterator<Item = (i64, f64)>) -> (Vec<BucketSpan>, Vec<f64>) {
    let mut merged: Vec<(i64, f64)> = Vec::new();
    for (index, count) in buckets.into_iter().filter(|(_, count)| *count != 0.0) {
        match merged.last_mut() {
            Some((last, sum)) if *last == index => *sum += count,
            _ => merged.push((index, count)),
        }
    }
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut counts = Vec::with_capacity(merged.len());
    // One behind the bucket that was written last.
    let mut next = 0;
    for (index, count) in merged {
        let gap = index - next;
        match spans.last_mut() {
            Some(span) if gap <= MAX_GAP => {
                span.length += gap as u32 + 1;
                counts.extend((0..gap).map(|_| 0.0));
            }
            _ => spans
                .push(BucketSpan { offset: gap.clamp(i32::MIN.into(), i32::MAX.into()) as i32, length: 1 }),
        }
        counts.push(count);
        next = index + 1;
    }
    (spans, counts)
}

/// Index and count of buckets, from their spans.
fn from_spans<'a>(
    spans: &'a [BucketSpan],
    counts: &'a [f64],
) -> impl DoubleEndedIterator<Item = (i64, f64)> + 'a {
    let mut starts = Vec::with_capacity(spans.len());
    let (mut index, mut position) = (0_i64, 0_usize);
    for span in spans {
        index += i64::from(span.offset);
        // What the spans say beyond the counts that there are is not believed.
        let length = (span.length as usize).min(counts.len() - position);
        starts.push((index, &counts[position..position + length]));
        index += i64::from(span.length);
        position += length;
    }
    starts.into_iter().flat_map(|(start, counts)| {
        counts.iter().enumerate().map(move |(offset, count)| (start + offset as i64, *count))
    })
}

impl Histogram {
    /// Index and count of the positive buckets, ascending.
    pub fn positive(&self) -> impl DoubleEndedIterator<Item = (i64, f64)> + '_ {
        from_spans(&self.positive_spans, &self.positive_buckets)
    }

    /// Index and count of the negative buckets, by ascending distance from zero.
    pub fn negative(&self) -> impl DoubleEndedIterator<Item = (i64, f64)> + '_ {
        from_spans(&self.negative_spans, &self.negative_buckets)
    }

    /// Whether the bounds are given rather than computed.
    pub fn has_custom_bounds(&self) -> bool {
        self.schema == CUSTOM_SCHEMA
    }

    /// Upper bound of the positive bucket with an index.
    pub fn upper_bound(&self, index: i64) -> f64 {
        if self.has_custom_bounds() {
            let bound = usize::try_from(index).ok().and_then(|index| self.custom_values.get(index));
            return match bound {
                Some(bound) => *bound,
                None if index < 0 => f64::NEG_INFINITY,
                None => f64::INFINITY,
            };
        }
        exponential_bound(index, self.schema)
    }

    /// Lower bound of the positive bucket with an index.
    pub fn lower_bound(&self, index: i64) -> f64 {
        self.upper_bound(index - 1)
    }

    /// The sum of two histograms; `None` if their bounds do not fit together. The finer one is made coarser. What is
    /// known of a reset is the first one's.
    pub fn plus(&self, other: &Self) -> Option<Self> {
        if self.has_custom_bounds() != other.has_custom_bounds()
            || (self.has_custom_bounds() && self.custom_values != other.custom_values)
        {
            return None;
        }
        let schema = self.schema.min(other.schema);
        let add = |left: &mut dyn Iterator<Item = (i64, f64)>,
                   right: &mut dyn Iterator<Item = (i64, f64)>| {
            let mut all: Vec<(i64, f64)> = left
                .map(|(index, count)| (coarser(index, self.schema, schema), count))
                .chain(right.map(|(index, count)| (coarser(index, other.schema, schema), count)))
                .collect();
            all.sort_by_key(|(index, _)| *index);
            to_spans(all)
        };
        let (positive_spans, positive_buckets) = add(&mut self.positive(), &mut other.positive());
        let (negative_spans, negative_buckets) = add(&mut self.negative(), &mut other.negative());
        Some(Self {
            schema,
            zero_threshold: self.zero_threshold.max(other.zero_threshold),
            zero_count: self.zero_count + other.zero_count,
            count: self.count + other.count,
            sum: self.sum + other.sum,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            custom_values: self.custom_values.clone(),
            reset_hint: self.reset_hint,
        })
    }
}

/// Index of the bucket of a coarser schema that holds the bucket of a finer one. Buckets are `(lower, upper]`.
fn coarser(index: i64, from: i32, to: i32) -> i64 {
    let shift = from.saturating_sub(to).clamp(0, 63);
    if shift == 0 { index } else { ((index - 1) >> shift) + 1 }
}

/// `2^(index * 2^-schema)`, exactly where it is a power of two, and within the range of a double.
fn exponential_bound(index: i64, schema: i32) -> f64 {
    // Beyond the range of a double, Prometheus ends at the largest number and then at infinity.
    if schema <= 0 {
        let exponent = index.saturating_mul(1 << (-schema).min(32));
        if exponent == 1024 {
            return f64::MAX;
        }
        return power_of_two(exponent);
    }
    let parts = 1_i64 << schema.min(32);
    let (whole, part) = (index.div_euclid(parts), index.rem_euclid(parts));
    if part == 0 && whole == 1024 {
        return f64::MAX;
    }
    let fraction = (part as f64 / parts as f64).exp2();
    // Scaled in two steps, so that what is subnormal in the end does not lose digits on the way.
    let half = whole / 2;
    fraction * power_of_two(half) * power_of_two(whole - half)
}

fn power_of_two(exponent: i64) -> f64 {
    (exponent.clamp(-2000, 2000) as f64).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(schema: i32, buckets: &[(i64, f64)]) -> Histogram {
        let (positive_spans, positive_buckets) = to_spans(buckets.iter().copied());
        let count = buckets.iter().map(|(_, count)| count).sum();
        Histogram { schema, count, sum: 1.0, positive_spans, positive_buckets, ..Histogram::default() }
    }

    #[test]
    fn spans_give_back_the_buckets() {
        let buckets = [(-3, 1.0), (-2, 2.0), (0, 3.0), (7, 4.0)];
        let histogram = histogram(0, &buckets);
        assert_eq!(histogram.positive_spans.len(), 2);
        let back: Vec<_> = histogram.positive().filter(|(_, count)| *count > 0.0).collect();
        assert_eq!(back, buckets);
        assert_eq!(histogram.positive().next_back(), Some((7, 4.0)));
    }

    #[test]
    fn spans_that_promise_too_much_are_not_believed() {
        let broken = Histogram {
            positive_spans: vec![BucketSpan { offset: 1, length: u32::MAX }],
            positive_buckets: vec![1.0],
            ..Histogram::default()
        };
        assert_eq!(broken.positive().count(), 1);
    }

    #[test]
    fn bounds() {
        let coarse = histogram(0, &[]);
        assert_eq!((coarse.lower_bound(1), coarse.upper_bound(1)), (1.0, 2.0));
        assert_eq!((coarse.upper_bound(1024), coarse.upper_bound(1025)), (f64::MAX, f64::INFINITY));
        let (fine, coarser) = (histogram(1, &[]), histogram(-1, &[]));
        assert_eq!((fine.upper_bound(1), coarser.upper_bound(2)), (std::f64::consts::SQRT_2, 16.0));
        let custom =
            Histogram { schema: CUSTOM_SCHEMA, custom_values: vec![1.0, 5.0], ..Histogram::default() };
        assert_eq!((custom.lower_bound(0), custom.upper_bound(0)), (f64::NEG_INFINITY, 1.0));
        assert_eq!((custom.lower_bound(2), custom.upper_bound(2)), (5.0, f64::INFINITY));
    }

    #[test]
    fn sums_take_the_coarser_schema() {
        let sum = histogram(1, &[(1, 1.0), (2, 1.0), (3, 1.0)]).plus(&histogram(0, &[(1, 5.0)])).unwrap();
        assert_eq!(sum.schema, 0);
        assert_eq!(sum.positive().collect::<Vec<_>>(), [(1, 7.0), (2, 1.0)]);
        assert_eq!((sum.count, sum.sum), (8.0, 2.0));
        let custom =
            |bound| Histogram { schema: CUSTOM_SCHEMA, custom_values: vec![bound], ..Histogram::default() };
        assert!(custom(1.0).plus(&custom(2.0)).is_none());
        assert!(custom(1.0).plus(&histogram(0, &[])).is_none());
    }
}
