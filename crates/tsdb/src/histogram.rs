//! Native histograms as the log has them: bit for bit, each by itself.

use model::sample::{BucketSpan, ResetHint, STALE_NAN_BITS};
use model::{Histogram, SampleValue};

use crate::codec::{Reader, Writer as _};

/// Whether two samples say the same: floats bit for bit, histograms whatever empty buckets they spell out and whatever
/// they know of a reset, which a chunk does not keep as it came.
pub(crate) fn same(left: &SampleValue, right: &SampleValue) -> bool {
    let (SampleValue::Histogram(left), SampleValue::Histogram(right)) = (left, right) else {
        return left.same_bits(right);
    };
    if is_stale(left) || is_stale(right) {
        return is_stale(left) && is_stale(right);
    }
    let scalars = |it: &Histogram| [it.zero_threshold, it.zero_count, it.count, it.sum].map(f64::to_bits);
    let filled = |buckets: (i64, f64)| buckets.1 != 0.0;
    left.schema == right.schema
        && scalars(left) == scalars(right)
        && left.positive().filter(|it| filled(*it)).eq(right.positive().filter(|it| filled(*it)))
        && left.negative().filter(|it| filled(*it)).eq(right.negative().filter(|it| filled(*it)))
        && left.custom_values == right.custom_values
}

fn is_stale(histogram: &Histogram) -> bool {
    histogram.sum.to_bits() == STALE_NAN_BITS
}

/// Appends a histogram.
pub(crate) fn write_histogram(out: &mut Vec<u8>, histogram: &Histogram) {
    out.signed(i64::from(histogram.schema));
    out.push(match histogram.reset_hint {
        ResetHint::Unknown => 0,
        ResetHint::Reset => 1,
        ResetHint::NotReset => 2,
        ResetHint::Gauge => 3,
    });
    out.double(histogram.zero_threshold);
    out.count(histogram.zero_count);
    out.count(histogram.count);
    out.double(histogram.sum);
    for spans in [&histogram.positive_spans, &histogram.negative_spans] {
        out.varint(spans.len() as u64);
        for span in spans {
            out.signed(i64::from(span.offset));
            out.varint(u64::from(span.length));
        }
    }
    for counts in [&histogram.positive_buckets, &histogram.negative_buckets] {
        out.varint(counts.len() as u64);
        for count in counts {
            out.count(*count);
        }
    }
    out.varint(histogram.custom_values.len() as u64);
    for bound in &histogram.custom_values {
        out.double(*bound);
    }
}

/// Reads what [`write_histogram`] wrote.
pub(crate) fn read_histogram(bytes: &mut Reader<'_>) -> Option<Histogram> {
    let mut histogram = Histogram {
        schema: i32::try_from(bytes.signed()?).ok()?,
        reset_hint: match bytes.byte()? {
            0 => ResetHint::Unknown,
            1 => ResetHint::Reset,
            2 => ResetHint::NotReset,
            3 => ResetHint::Gauge,
            _ => return None,
        },
        zero_threshold: bytes.double()?,
        zero_count: bytes.count()?,
        count: bytes.count()?,
        sum: bytes.double()?,
        ..Histogram::default()
    };
    for spans in [&mut histogram.positive_spans, &mut histogram.negative_spans] {
        *spans = bytes.list(|bytes| {
            let offset = i32::try_from(bytes.signed()?).ok()?;
            Some(BucketSpan { offset, length: u32::try_from(bytes.varint()?).ok()? })
        })?;
    }
    for counts in [&mut histogram.positive_buckets, &mut histogram.negative_buckets] {
        *counts = bytes.list(Reader::count)?;
    }
    histogram.custom_values = bytes.list(Reader::double)?;
    Some(histogram)
}
