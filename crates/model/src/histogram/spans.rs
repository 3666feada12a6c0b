//! Buckets of one side by index: how spans are read and written.

use crate::sample::{BucketSpan, Histogram};

/// A gap of more empty buckets than this begins a new span in [`to_spans`].
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
    let mut spans = SpanWriter::default();
    let mut counts = Vec::with_capacity(merged.len());
    for (index, count) in merged {
        let gap = spans.push(index, MAX_GAP);
        counts.extend((0..gap).map(|_| 0.0));
        counts.push(count);
    }
    (spans.finish(), counts)
}

/// Writes spans from ascending indexes.
#[derive(Debug, Default)]
pub(super) struct SpanWriter {
    spans: Vec<BucketSpan>,
    /// One behind the bucket that was written last.
    next: i64,
}

impl SpanWriter {
    /// Adds the bucket with an index. Returns how many empty buckets come before it in its span: a gap of at most
    /// `max_gap` is bridged by them.
    pub(super) fn push(&mut self, index: i64, max_gap: i64) -> i64 {
        let gap = index - self.next;
        self.next = index + 1;
        match self.spans.last_mut() {
            Some(span) if gap <= max_gap => {
                span.length += gap as u32 + 1;
                gap
            }
            _ => {
                let offset = gap.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
                self.spans.push(BucketSpan { offset, length: 1 });
                0
            }
        }
    }

    pub(super) fn finish(self) -> Vec<BucketSpan> {
        self.spans
    }
}

/// Index and count of the buckets of one side, ascending by distance from zero; also from the far end. What the spans
/// say beyond the counts that there are is not believed.
#[derive(Debug, Clone)]
pub struct Buckets<'a> {
    spans: &'a [BucketSpan],
    /// The counts that are still to come.
    counts: &'a [f64],
    front: Place,
    back: Place,
}

/// A place between two buckets.
#[derive(Debug, Clone, Copy)]
struct Place {
    span: usize,
    /// Buckets of the span before this place.
    in_span: u32,
    /// Index of the bucket behind this place, if it is in this span.
    index: i64,
}

impl<'a> Buckets<'a> {
    /// The buckets of spans and counts.
    pub fn new(spans: &'a [BucketSpan], counts: &'a [f64]) -> Self {
        let first = spans.first().map_or(0, |span| i64::from(span.offset));
        let mut back = Place { span: 0, in_span: 0, index: first };
        let mut left = counts.len();
        for (at, span) in spans.iter().enumerate() {
            if left == 0 {
                break;
            }
            if at > 0 {
                back.index += i64::from(span.offset);
            }
            let length = left.min(span.length as usize) as u32;
            back = Place { span: at, in_span: length, index: back.index + i64::from(length) };
            left -= length as usize;
        }
        let front = Place { span: 0, in_span: 0, index: first };
        Self { spans, counts: &counts[..counts.len() - left], front, back }
    }
}

impl Iterator for Buckets<'_> {
    type Item = (i64, f64);

    fn next(&mut self) -> Option<(i64, f64)> {
        let (count, rest) = self.counts.split_first()?;
        while self.front.in_span >= self.spans[self.front.span].length {
            self.front.span += 1;
            self.front.in_span = 0;
            self.front.index += i64::from(self.spans[self.front.span].offset);
        }
        self.counts = rest;
        let index = self.front.index;
        self.front.index += 1;
        self.front.in_span += 1;
        Some((index, *count))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.counts.len(), Some(self.counts.len()))
    }
}

impl DoubleEndedIterator for Buckets<'_> {
    fn next_back(&mut self) -> Option<(i64, f64)> {
        let (count, rest) = self.counts.split_last()?;
        while self.back.in_span == 0 {
            self.back.index -= i64::from(self.spans[self.back.span].offset);
            self.back.span -= 1;
            self.back.in_span = self.spans[self.back.span].length;
        }
        self.counts = rest;
        self.back.index -= 1;
        self.back.in_span -= 1;
        Some((self.back.index, *count))
    }
}

impl ExactSizeIterator for Buckets<'_> {}

impl Histogram {
    /// Index and count of the positive buckets, ascending.
    pub fn positive(&self) -> Buckets<'_> {
        Buckets::new(&self.positive_spans, &self.positive_buckets)
    }

    /// Index and count of the negative buckets, by ascending distance from zero.
    pub fn negative(&self) -> Buckets<'_> {
        Buckets::new(&self.negative_spans, &self.negative_buckets)
    }

    /// Whether the bounds are given rather than computed.
    pub fn has_custom_bounds(&self) -> bool {
        self.schema == super::CUSTOM_SCHEMA
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_give_back_the_buckets() {
        let buckets = [(-3, 1.0), (-2, 2.0), (0, 3.0), (7, 4.0)];
        let (spans, counts) = to_spans(buckets);
        assert_eq!(spans.len(), 2);
        let back: Vec<_> = Buckets::new(&spans, &counts).filter(|(_, count)| *count > 0.0).collect();
        assert_eq!(back, buckets);
        let mut reversed: Vec<_> = Buckets::new(&spans, &counts).rev().collect();
        reversed.reverse();
        assert_eq!(reversed, Buckets::new(&spans, &counts).collect::<Vec<_>>());
    }

    #[test]
    fn spans_of_no_buckets_are_passed_over() {
        let spans =
            [(1, 0), (2, 1), (0, 0), (3, 2), (1, 0)].map(|(offset, length)| BucketSpan { offset, length });
        let counts = [1.0, 2.0, 3.0];
        let forward: Vec<_> = Buckets::new(&spans, &counts).collect();
        assert_eq!(forward, [(3, 1.0), (7, 2.0), (8, 3.0)]);
        let mut reversed: Vec<_> = Buckets::new(&spans, &counts).rev().collect();
        reversed.reverse();
        assert_eq!(reversed, forward);
        let mut both = Buckets::new(&spans, &counts);
        assert_eq!(
            (both.next_back(), both.next(), both.next()),
            (Some((8, 3.0)), Some((3, 1.0)), Some((7, 2.0)))
        );
        assert_eq!((both.next(), both.next_back()), (None, None));
    }

    #[test]
    fn spans_that_promise_too_much_are_not_believed() {
        let spans = [BucketSpan { offset: 1, length: u32::MAX }];
        assert_eq!(Buckets::new(&spans, &[1.0]).collect::<Vec<_>>(), [(1, 1.0)]);
        assert_eq!(Buckets::new(&spans, &[1.0]).next_back(), Some((1, 1.0)));
        assert_eq!(Buckets::new(&[], &[1.0]).next(), None);
        assert_eq!(Buckets::new(&[], &[1.0]).next_back(), None);
        let few = [BucketSpan { offset: 1, length: 1 }];
        assert_eq!(Buckets::new(&few, &[1.0, 2.0]).collect::<Vec<_>>(), [(1, 1.0)]);
    }
}
