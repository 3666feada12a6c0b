//! Native histograms of remote write.

use model::Histogram;
use model::histogram::{Invalid, MAX_SCHEMA};
use model::sample::{BucketSpan, ResetHint};

use super::wire::{Fields, Malformed, Value, zigzag};

/// A histogram with its times in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timed {
    pub(super) time_ms: i64,
    pub(super) start_ms: i64,
    pub(super) histogram: Histogram,
    /// Whether its counts came as whole numbers, which have to add up.
    is_whole: bool,
}

impl Timed {
    /// Says why the histogram cannot be.
    pub(super) fn check(&self) -> Result<(), Invalid> {
        if self.is_whole { self.histogram.validate_whole() } else { self.histogram.validate() }
    }
}

/// Exponential schemas up to this one may be sent; the finer ones of them are made coarser.
const MAX_RESERVED_SCHEMA: i32 = 52;

/// Reads a histogram; both versions have the same message.
pub(super) fn read(bytes: &[u8]) -> Result<Timed, Malformed> {
    let mut histogram = Histogram::default();
    let (mut time_ms, mut start_ms) = (0, 0);
    let mut is_whole = true;
    let mut deltas: [Vec<i64>; 2] = Default::default();
    for field in Fields(bytes) {
        let (number, value) = field?;
        match number {
            1 => (histogram.count, is_whole) = (value.number()? as f64, true),
            2 => (histogram.count, is_whole) = (value.double()?, false),
            3 => histogram.sum = value.double()?,
            4 => histogram.schema = zigzag(value.number()?) as i32,
            5 => histogram.zero_threshold = value.double()?,
            6 => histogram.zero_count = value.number()? as f64,
            7 => histogram.zero_count = value.double()?,
            8 => histogram.negative_spans.push(span(value)?),
            9 => value.numbers(|number| deltas[1].push(zigzag(number)))?,
            10 => value.doubles(&mut histogram.negative_buckets)?,
            11 => histogram.positive_spans.push(span(value)?),
            12 => value.numbers(|number| deltas[0].push(zigzag(number)))?,
            13 => value.doubles(&mut histogram.positive_buckets)?,
            14 => {
                histogram.reset_hint = match value.number()? {
                    1 => ResetHint::Reset,
                    2 => ResetHint::NotReset,
                    3 => ResetHint::Gauge,
                    _ => ResetHint::Unknown,
                }
            }
            15 => time_ms = value.number()? as i64,
            16 => value.doubles(&mut histogram.custom_values)?,
            17 => start_ms = value.number()? as i64,
            _ => {}
        }
    }
    let [positive, negative] = deltas;
    for (deltas, buckets) in
        [(positive, &mut histogram.positive_buckets), (negative, &mut histogram.negative_buckets)]
    {
        let mut count = 0_i64;
        buckets.extend(deltas.into_iter().map(|delta| {
            count = count.wrapping_add(delta);
            count as f64
        }));
    }
    if (MAX_SCHEMA + 1..=MAX_RESERVED_SCHEMA).contains(&histogram.schema) {
        // Where its parts do not fit together, it stays as it is, and is refused for its schema.
        _ = histogram.reduce_resolution(MAX_SCHEMA);
    }
    Ok(Timed { time_ms, start_ms, histogram, is_whole })
}

fn span(value: Value<'_>) -> Result<BucketSpan, Malformed> {
    let mut span = BucketSpan { offset: 0, length: 0 };
    for field in Fields(value.bytes()?) {
        match field? {
            (1, value) => span.offset = zigzag(value.number()?) as i32,
            (2, value) => span.length = value.number()? as u32,
            _ => {}
        }
    }
    Ok(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields of a protobuf message that are doubles or numbers below 128.
    fn message(doubles: &[(u8, f64)], numbers: &[(u8, u8)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (field, value) in doubles {
            bytes.push(field << 3 | 1);
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(numbers.iter().flat_map(|(field, value)| [field << 3, *value]));
        bytes
    }

    #[test]
    fn whole_counts_are_held_to_their_sum_and_other_counts_are_not() {
        let whole = read(&message(&[(3, 1.0)], &[(1, 5), (6, 1)])).unwrap();
        assert_eq!(
            whole.check().unwrap_err().to_string(),
            "1 observations found in buckets, but the Count field is 5: histogram's observation count should equal \
             the number of observations found in the buckets (in absence of NaN)"
        );
        let floats = read(&message(&[(2, 5.0), (3, 1.0), (7, 1.0)], &[])).unwrap();
        assert_eq!(floats.check(), Ok(()));
    }

    #[test]
    fn finer_schemas_are_brought_to_the_finest_that_is_kept() {
        let zigzag = |schema: u8| schema * 2;
        let mut bytes = message(&[(2, 3.0)], &[(4, zigzag(9))]);
        // A span of three buckets with one observation each.
        bytes.extend([11 << 3 | 2, 4, 1 << 3, 0, 2 << 3, 3]);
        bytes.extend([13 << 3 | 2, 24]);
        (0..3).for_each(|_| bytes.extend(1.0_f64.to_le_bytes()));
        let read = read(&bytes).unwrap();
        assert_eq!(read.check(), Ok(()));
        assert_eq!((read.histogram.schema, read.histogram.positive_buckets), (8, vec![1.0, 2.0]));
    }

    #[test]
    fn schemas_that_are_none_are_refused() {
        let unknown = read(&message(&[(2, 0.0)], &[(4, 60 * 2)])).unwrap();
        assert!(unknown.check().unwrap_err().to_string().ends_with("got schema 60"));
    }
}
