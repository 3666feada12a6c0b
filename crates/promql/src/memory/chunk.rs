//! What the chunks of Prometheus' store make of native histograms: a histogram knows whether it goes on in the chunk of
//! the one before, and all of a chunk have the same buckets, empty ones where others have something.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::storage::{Point, PointValue};
use model::Histogram;
use model::histogram::Buckets;
use model::sample::{BucketSpan, ResetHint, STALE_NAN_BITS};

/// Makes a histogram what it is behind others of its series, and the others what they are before it.
pub(super) fn store(histogram: &mut Arc<Histogram>, before: &mut [Point]) {
    let previous = match before.last().map(|point| &point.value) {
        Some(PointValue::Histogram(previous)) => Some(Arc::clone(previous)),
        _ => None,
    };
    let goes_on = previous.as_ref().is_some_and(|previous| goes_on(histogram, previous));
    let histogram = Arc::make_mut(histogram);
    if histogram.reset_hint != ResetHint::Gauge {
        // That there was a reset nobody knows who has not seen what was before.
        histogram.reset_hint = if goes_on { ResetHint::NotReset } else { ResetHint::Unknown };
    }
    if let (true, Some(previous)) = (goes_on, previous) {
        share_buckets(histogram, &previous, before);
    }
}

/// Whether a histogram has room in the chunk of another.
fn goes_on(histogram: &Histogram, previous: &Histogram) -> bool {
    let is_gauge = |histogram: &Histogram| histogram.reset_hint == ResetHint::Gauge;
    let is_stale = |histogram: &Histogram| histogram.sum.to_bits() == STALE_NAN_BITS;
    if is_gauge(histogram) != is_gauge(previous) || histogram.reset_hint == ResetHint::Reset {
        return false;
    }
    if is_stale(histogram) || is_stale(previous) {
        return is_stale(histogram);
    }
    histogram.schema == previous.schema
        && histogram.zero_threshold == previous.zero_threshold
        && histogram.custom_values == previous.custom_values
        && (is_gauge(histogram) || !falls(histogram, previous))
}

/// Whether anything that a chunk counts is less than before: buckets within the one around zero as well, which functions
/// do not mind.
fn falls(histogram: &Histogram, previous: &Histogram) -> bool {
    fn any(mut now: Buckets<'_>, before: Buckets<'_>) -> bool {
        let mut next = now.next();
        before.filter(|(_, count)| *count != 0.0).any(|(index, count)| {
            while next.is_some_and(|(at, _)| at < index) {
                next = now.next();
            }
            next.is_none_or(|(at, now)| at > index || now < count)
        })
    }
    histogram.count < previous.count
        || histogram.zero_count < previous.zero_count
        || any(histogram.positive(), previous.positive())
        || any(histogram.negative(), previous.negative())
}

/// Gives all histograms of a chunk the buckets of all.
fn share_buckets(histogram: &mut Histogram, previous: &Histogram, before: &mut [Point]) {
    let indexes = |buckets: &mut dyn Iterator<Item = (i64, f64)>| -> BTreeSet<i64> {
        buckets.map(|(index, _)| index).collect()
    };
    let of = |histogram: &Histogram| [indexes(&mut histogram.positive()), indexes(&mut histogram.negative())];
    let ([positive, negative], [known_positive, known_negative]) = (of(histogram), of(previous));
    let shared = [&positive | &known_positive, &negative | &known_negative];
    spread(histogram, &shared);
    if shared == [known_positive, known_negative] {
        return;
    }
    let is_gauge = histogram.reset_hint == ResetHint::Gauge;
    for point in before.iter_mut().rev() {
        let PointValue::Histogram(known) = &mut point.value else { return };
        if is_gauge && !goes_on(histogram, known) {
            return;
        }
        spread(Arc::make_mut(known), &shared);
        if !is_gauge && known.reset_hint != ResetHint::NotReset {
            return;
        }
    }
}

/// Gives a histogram other buckets, among them all that it has.
fn spread(histogram: &mut Histogram, [positive, negative]: &[BTreeSet<i64>; 2]) {
    let (positive_spans, positive_buckets) = layout(positive, histogram.positive());
    let (negative_spans, negative_buckets) = layout(negative, histogram.negative());
    *histogram = Histogram {
        positive_spans,
        positive_buckets,
        negative_spans,
        negative_buckets,
        custom_values: std::mem::take(&mut histogram.custom_values),
        ..*histogram
    };
}

fn layout(indexes: &BTreeSet<i64>, buckets: impl Iterator<Item = (i64, f64)>) -> (Vec<BucketSpan>, Vec<f64>) {
    let mut buckets = buckets.peekable();
    let (mut spans, mut counts) = (Vec::<BucketSpan>::new(), Vec::new());
    let mut next = 0;
    for &index in indexes {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(BucketSpan { offset: (index - next) as i32, length: 1 }),
        }
        next = index + 1;
        counts.push(buckets.next_if(|(at, _)| *at == index).map_or(0.0, |(_, count)| count));
    }
    (spans, counts)
}
