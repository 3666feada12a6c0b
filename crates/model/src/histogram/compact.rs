//! Empty buckets taken out, spans joined.

use super::spans::{Buckets, SpanWriter};
use crate::sample::{BucketSpan, Histogram};

impl Histogram {
    /// Takes out empty buckets: those at the ends of a side, and those of gaps longer than `max_empty`. Shorter gaps
    /// become empty buckets. With 0, no empty bucket remains, and histograms with the same buckets get the same spans.
    pub fn compact(&mut self, max_empty: u32) {
        compact(&mut self.positive_spans, &mut self.positive_buckets, None, max_empty);
        compact(&mut self.negative_spans, &mut self.negative_buckets, None, max_empty);
    }
}

/// Compacts one side. Where what was lost in rounding is kept beside the counts, a bucket is empty if both are zero.
pub(super) fn compact(
    spans: &mut Vec<BucketSpan>,
    counts: &mut Vec<f64>,
    mut lost: Option<&mut Vec<f64>>,
    max_empty: u32,
) {
    if is_compact(spans, counts, max_empty) {
        return;
    }
    let mut writer = SpanWriter::default();
    let mut kept = Vec::with_capacity(counts.len());
    let mut kept_lost = Vec::new();
    for (position, (index, count)) in Buckets::new(spans, counts).enumerate() {
        let beside = lost.as_ref().and_then(|lost| lost.get(position)).copied().unwrap_or(0.0);
        if count == 0.0 && beside == 0.0 {
            continue;
        }
        let gap = writer.push(index, i64::from(max_empty));
        kept.extend((0..gap).map(|_| 0.0));
        kept.push(count);
        if lost.is_some() {
            kept_lost.extend((0..gap).map(|_| 0.0));
            kept_lost.push(beside);
        }
    }
    *spans = writer.finish();
    *counts = kept;
    if let Some(lost) = lost.as_mut() {
        **lost = kept_lost;
    }
}

/// Whether there is certainly nothing to do.
fn is_compact(spans: &[BucketSpan], counts: &[f64], max_empty: u32) -> bool {
    let apart = spans.iter().skip(1).all(|span| i64::from(span.offset) > i64::from(max_empty));
    apart && spans.iter().all(|span| span.length > 0) && counts.iter().all(|count| *count != 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compacted(spans: &[(i32, u32)], counts: &[f64], max_empty: u32) -> (Vec<(i32, u32)>, Vec<f64>) {
        let spans = spans.iter().map(|(offset, length)| BucketSpan { offset: *offset, length: *length });
        let mut histogram = Histogram {
            positive_spans: spans.collect(),
            positive_buckets: counts.to_vec(),
            ..Histogram::default()
        };
        histogram.compact(max_empty);
        let spans = histogram.positive_spans.iter().map(|span| (span.offset, span.length)).collect();
        (spans, histogram.positive_buckets)
    }

    #[test]
    fn empty_buckets_go() {
        let counts = [0.0, 0.0, 1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0, 0.0];
        let all = [(-2, 10)];
        assert_eq!(compacted(&all, &counts, 0), (vec![(0, 1), (1, 1), (3, 1)], vec![1.0, 2.0, 3.0]));
        assert_eq!(compacted(&all, &counts, 1), (vec![(0, 3), (3, 1)], vec![1.0, 0.0, 2.0, 3.0]));
        assert_eq!(compacted(&all, &counts, 3).0, [(0, 7)]);
        assert_eq!(compacted(&[(4, 2), (1, 1)], &[0.0; 3], 0), (vec![], vec![]));
    }

    #[test]
    fn spans_side_by_side_are_joined() {
        let spans = [(-2, 1), (0, 1), (3, 0), (1, 1)];
        assert_eq!(compacted(&spans, &[1.0, 2.0, 3.0], 0), (vec![(-2, 2), (4, 1)], vec![1.0, 2.0, 3.0]));
        assert_eq!(compacted(&spans, &[1.0, 2.0, 3.0], 4).0, [(-2, 7)]);
        let apart = [(-2, 1), (1, 1)];
        assert_eq!(compacted(&apart, &[1.0, 2.0], 0), (apart.to_vec(), vec![1.0, 2.0]));
    }

    #[test]
    fn what_was_lost_keeps_a_bucket() {
        let mut spans = vec![BucketSpan { offset: 0, length: 3 }];
        let (mut counts, mut lost) = (vec![0.0, 0.0, 1.0], vec![0.0, 1e-20, 0.0]);
        compact(&mut spans, &mut counts, Some(&mut lost), 0);
        assert_eq!(
            (spans, counts, lost),
            (vec![BucketSpan { offset: 1, length: 2 }], vec![0.0, 1.0], vec![1e-20, 0.0])
        );
    }
}
