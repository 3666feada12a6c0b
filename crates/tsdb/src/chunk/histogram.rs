//! Native histograms, one behind the other: the time as a difference to the one before, then the histogram.

use std::sync::Arc;

use model::Histogram;
use model::sample::{BucketSpan, ResetHint};

use super::{Chunk, Encoding, SharedHistogram};
use crate::codec::{Reader as Bytes, Writer as Out};

/// An open chunk of histograms.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
    samples: u16,
    first_ms: i64,
    time_ms: i64,
}

impl Writer {
    pub(crate) fn samples(&self) -> u16 {
        self.samples
    }

    pub(crate) fn bytes(&self) -> usize {
        self.out.len()
    }

    pub(crate) fn first_ms(&self) -> i64 {
        self.first_ms
    }

    pub(crate) fn push(&mut self, time_ms: i64, histogram: &Histogram) {
        if self.samples == 0 {
            self.first_ms = time_ms;
        }
        self.out.signed(time_ms.wrapping_sub(self.time_ms));
        write_histogram(&mut self.out, histogram);
        self.time_ms = time_ms;
        self.samples += 1;
    }

    pub(crate) fn snapshot(&self) -> Chunk {
        Chunk {
            first_ms: self.first_ms,
            last_ms: self.time_ms,
            samples: self.samples,
            encoding: Encoding::Histogram,
            bytes: self.out.as_slice().into(),
        }
    }
}

/// Reads a chunk of histograms.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: Bytes<'a>,
    left: u16,
    time_ms: i64,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], samples: u16) -> Self {
        Self { bytes: Bytes::new(bytes), left: samples, time_ms: 0 }
    }

    fn read(&mut self) -> Option<(i64, SharedHistogram)> {
        self.time_ms = self.time_ms.wrapping_add(self.bytes.signed()?);
        Some((self.time_ms, Arc::new(read_histogram(&mut self.bytes)?)))
    }
}

impl Iterator for Reader<'_> {
    type Item = (i64, SharedHistogram);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let sample = self.read();
        self.left = if sample.is_some() { self.left - 1 } else { 0 };
        sample
    }
}

/// Appends a histogram; also how the log has it.
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
pub(crate) fn read_histogram(bytes: &mut Bytes<'_>) -> Option<Histogram> {
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
        *counts = bytes.list(Bytes::count)?;
    }
    histogram.custom_values = bytes.list(Bytes::double)?;
    Some(histogram)
}
