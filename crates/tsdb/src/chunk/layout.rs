//! What the histograms of a chunk have in common, written once at its begin: schema, bounds, which buckets there are.

use model::Histogram;
use model::sample::BucketSpan;

use super::bits::{BitReader, BitWriter};

/// Positive and negative buckets.
pub(super) const SIDES: usize = 2;

/// Thresholds that are powers of two from `2^-243` to `2^10` take one byte: their exponent and this.
const THRESHOLD_BIAS: i32 = 244;

/// Custom bounds up to this, in thousandths, are written as whole numbers.
const MAX_THOUSANDTHS: f64 = 33_554_430.0;

/// The layout of a chunk.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Layout {
    pub(super) schema: i32,
    pub(super) zero_threshold: f64,
    /// Of the positive and of the negative buckets.
    pub(super) spans: [Vec<BucketSpan>; SIDES],
    pub(super) custom_values: Vec<f64>,
}

impl Layout {
    pub(super) fn of(histogram: &Histogram) -> Self {
        Self {
            schema: histogram.schema,
            zero_threshold: histogram.zero_threshold,
            spans: [histogram.positive_spans.clone(), histogram.negative_spans.clone()],
            custom_values: if histogram.has_custom_bounds() {
                histogram.custom_values.clone()
            } else {
                Vec::new()
            },
        }
    }

    /// How many buckets a side has.
    pub(super) fn buckets(&self, side: usize) -> usize {
        self.spans[side].iter().map(|span| span.length as usize).sum()
    }

    /// A histogram of this layout without counts.
    pub(super) fn to_histogram(&self) -> Histogram {
        let [positive_spans, negative_spans] = self.spans.clone();
        Histogram {
            schema: self.schema,
            zero_threshold: self.zero_threshold,
            positive_spans,
            negative_spans,
            custom_values: self.custom_values.clone(),
            ..Histogram::default()
        }
    }

    pub(super) fn write(&self, bits: &mut BitWriter) {
        write_threshold(bits, self.zero_threshold);
        bits.varbit_signed(i64::from(self.schema));
        for spans in &self.spans {
            bits.varbit(spans.len() as u64);
            for span in spans {
                bits.varbit(u64::from(span.length));
                bits.varbit_signed(i64::from(span.offset));
            }
        }
        if self.schema == model::histogram::CUSTOM_SCHEMA {
            bits.varbit(self.custom_values.len() as u64);
            for bound in &self.custom_values {
                write_bound(bits, *bound);
            }
        }
    }

    pub(super) fn read(bits: &mut BitReader<'_>) -> Option<Self> {
        let zero_threshold = read_threshold(bits)?;
        let schema = i32::try_from(bits.varbit_signed()?).ok()?;
        let mut layout = Self { schema, zero_threshold, ..Self::default() };
        for side in 0..SIDES {
            let mut buckets = 0_u64;
            for _ in 0..bits.varbit()? {
                let length = u32::try_from(bits.varbit()?).ok()?;
                let offset = i32::try_from(bits.varbit_signed()?).ok()?;
                buckets += u64::from(length);
                layout.spans[side].push(BucketSpan { offset, length });
            }
            // Each bucket takes a bit at least: nothing is set aside for more than can follow.
            if buckets > bits.left() as u64 {
                return None;
            }
        }
        if schema == model::histogram::CUSTOM_SCHEMA {
            for _ in 0..bits.varbit()? {
                layout.custom_values.push(read_bound(bits)?);
            }
        }
        Some(layout)
    }
}

fn write_threshold(bits: &mut BitWriter, threshold: f64) {
    if threshold == 0.0 {
        bits.bits(0, 8);
        return;
    }
    let number = threshold.to_bits();
    let exponent = (number >> 52) as i32 - 1023;
    let is_power = number & ((1 << 52) - 1) == 0;
    if is_power && (-243..=10).contains(&exponent) {
        bits.bits((exponent + THRESHOLD_BIAS) as u64, 8);
    } else {
        bits.bits(255, 8);
        bits.bits(number, 64);
    }
}

fn read_threshold(bits: &mut BitReader<'_>) -> Option<f64> {
    Some(match bits.bits(8)? {
        0 => 0.0,
        255 => f64::from_bits(bits.bits(64)?),
        exponent => f64::from(exponent as i32 - THRESHOLD_BIAS).exp2(),
    })
}

fn write_bound(bits: &mut BitWriter, bound: f64) {
    let thousandths = bound * 1000.0;
    let whole = thousandths.round();
    if bound.is_sign_positive() && (0.0..=MAX_THOUSANDTHS).contains(&thousandths) && whole / 1000.0 == bound {
        bits.varbit(whole as u64 + 1);
    } else {
        bits.bit(false);
        bits.bits(bound.to_bits(), 64);
    }
}

fn read_bound(bits: &mut BitReader<'_>) -> Option<f64> {
    Some(match bits.varbit()? {
        0 => f64::from_bits(bits.bits(64)?),
        thousandths => (thousandths - 1) as f64 / 1000.0,
    })
}

/// Indexes of buckets as spans: a span for each run.
pub(super) fn spans_of(indexes: impl IntoIterator<Item = i64>) -> Option<Vec<BucketSpan>> {
    let mut spans: Vec<BucketSpan> = Vec::new();
    let mut next = 0_i64;
    for index in indexes {
        match spans.last_mut() {
            Some(span) if index == next => span.length += 1,
            _ => spans.push(BucketSpan { offset: i32::try_from(index - next).ok()?, length: 1 }),
        }
        next = index + 1;
    }
    Some(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_and_bounds_come_back() {
        let numbers = [0.0, 1.0, 2.0_f64.powi(-128), 2.0_f64.powi(-243), 2.0_f64.powi(-244), 1024.0, 2048.0];
        let others = [0.1, 33_554.43, 33_554.431, 1e300, 0.001, 0.0005, f64::INFINITY, -1.0, 5e-324];
        for number in numbers.into_iter().chain(others) {
            let mut writer = BitWriter::default();
            write_threshold(&mut writer, number);
            write_bound(&mut writer, number);
            let mut reader = BitReader::new(writer.bytes());
            assert_eq!(read_threshold(&mut reader), Some(number));
            assert_eq!(read_bound(&mut reader), Some(number));
        }
        let mut writer = BitWriter::default();
        write_threshold(&mut writer, 2.0_f64.powi(-128));
        assert_eq!(writer.bytes(), [116]);
    }

    #[test]
    fn runs_become_spans() {
        let span = |offset, length| BucketSpan { offset, length };
        assert_eq!(spans_of([-3, -2, 0, 7, 8]), Some(vec![span(-3, 2), span(1, 1), span(6, 2)]));
        assert_eq!(spans_of([]), Some(vec![]));
    }

    #[test]
    fn a_layout_that_promises_too_much_is_refused() {
        let layout =
            Layout { spans: [vec![BucketSpan { offset: 0, length: u32::MAX }], vec![]], ..Layout::default() };
        let mut writer = BitWriter::default();
        layout.write(&mut writer);
        assert_eq!(Layout::read(&mut BitReader::new(writer.bytes())), None);
    }
}
