//! Native histograms of remote write, and what makes one invalid, in Prometheus' words (`model/histogram` there).

use model::Histogram;
use model::histogram::CUSTOM_SCHEMA;
use model::sample::{BucketSpan, ResetHint, STALE_NAN_BITS};

use super::wire::{Fields, Malformed, Value, zigzag};

/// A histogram with its times in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Timed {
    pub(super) time_ms: i64,
    pub(super) start_ms: i64,
    pub(super) histogram: Histogram,
}

/// Reads a histogram; both versions have the same message.
pub(super) fn read(bytes: &[u8]) -> Result<Timed, Malformed> {
    let mut histogram = Histogram::default();
    let (mut time_ms, mut start_ms) = (0, 0);
    let mut deltas: [Vec<i64>; 2] = Default::default();
    for field in Fields(bytes) {
        let (number, value) = field?;
        match number {
            1 => histogram.count = value.number()? as f64,
            2 => histogram.count = value.double()?,
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
    Ok(Timed { time_ms, start_ms, histogram })
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

/// Says why a histogram cannot be.
pub(super) fn validate(histogram: &Histogram) -> Result<(), String> {
    if histogram.sum.to_bits() == STALE_NAN_BITS {
        return Ok(());
    }
    if histogram.schema == CUSTOM_SCHEMA {
        custom(histogram).map_err(|reason| format!("custom buckets: {reason}"))?;
        let refused = [
            (histogram.zero_count != 0.0, "must have zero count of 0"),
            (histogram.zero_threshold != 0.0, "must have zero threshold of 0"),
            (!histogram.negative_spans.is_empty(), "must not have negative spans"),
            (!histogram.negative_buckets.is_empty(), "must not have negative buckets"),
        ];
        if let Some((_, reason)) = refused.iter().find(|(refused, _)| *refused) {
            return Err(format!("custom buckets: {reason}"));
        }
    } else if (-4..=8).contains(&histogram.schema) {
        spans(&histogram.positive_spans, histogram.positive_buckets.len())
            .map_err(|reason| format!("positive side: {reason}"))?;
        spans(&histogram.negative_spans, histogram.negative_buckets.len())
            .map_err(|reason| format!("negative side: {reason}"))?;
        buckets(&histogram.negative_buckets).map_err(|reason| format!("negative side: {reason}"))?;
        if !histogram.custom_values.is_empty() {
            return Err("histogram with exponential schema must not have custom bounds".to_owned());
        }
    } else {
        return Err(format!(
            "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for \
             custom buckets, got schema {}",
            histogram.schema
        ));
    }
    buckets(&histogram.positive_buckets).map_err(|reason| format!("positive side: {reason}"))?;
    counts(histogram)
}

fn counts(histogram: &Histogram) -> Result<(), String> {
    let all = || histogram.positive_buckets.iter().chain(&histogram.negative_buckets);
    let found = all().sum::<f64>() + histogram.zero_count;
    let count = histogram.count;
    if count < 0.0 {
        return Err(format!("count is {count}: histogram's observation count is negative"));
    }
    let whole = all().chain([&count, &histogram.zero_count]).all(|count| count.fract() == 0.0);
    // Sums of doubles are not exact: they are only compared where they are counts.
    let says = format!("{found} observations found in buckets, but the Count field is {count}");
    if whole && histogram.sum.is_nan() && found > count {
        return Err(format!(
            "{says}: histogram's observation count should be at least the number of observations found in the buckets"
        ));
    }
    if whole && !histogram.sum.is_nan() && found != count {
        return Err(format!(
            "{says}: histogram's observation count should equal the number of observations found in the buckets (in \
             absence of NaN)"
        ));
    }
    Ok(())
}

fn spans(spans: &[BucketSpan], buckets: usize) -> Result<(), String> {
    if let Some((index, span)) = spans.iter().enumerate().find(|(index, span)| *index > 0 && span.offset < 0)
    {
        return Err(negative_offset(index, *span));
    }
    let needed: u64 = spans.iter().map(|span| u64::from(span.length)).sum();
    if needed != buckets as u64 {
        return Err(format!(
            "spans need {needed} buckets, have {buckets} buckets: histogram spans specify different number of buckets \
             than provided"
        ));
    }
    Ok(())
}

fn negative_offset(index: usize, span: BucketSpan) -> String {
    format!(
        "span number {} with offset {}: histogram has a span whose offset is negative",
        index + 1,
        span.offset
    )
}

fn buckets(buckets: &[f64]) -> Result<(), String> {
    match buckets.iter().enumerate().find(|(_, count)| **count < 0.0) {
        Some((index, count)) => Err(format!(
            "bucket number {} has observation count of {count}: histogram has a bucket whose observation count is \
             negative",
            index + 1
        )),
        None => Ok(()),
    }
}

fn custom(histogram: &Histogram) -> Result<(), String> {
    let bounds = &histogram.custom_values;
    if bounds.iter().any(|bound| bound.is_nan()) {
        return Err("histogram custom bounds must not be NaN".to_owned());
    }
    if let Some([before, now]) = bounds.array_windows().find(|[before, now]| now <= before) {
        return Err(format!(
            "previous bound is {before:.6} and current is {now:.6}: histogram custom bounds must be in strictly \
             increasing order"
        ));
    }
    if bounds.last() == Some(&f64::INFINITY) {
        return Err("last +Inf bound must not be explicitly defined: histogram custom bounds must be finite"
            .to_owned());
    }
    let positive = &histogram.positive_spans;
    if let Some((index, span)) = positive.iter().enumerate().find(|(_, span)| span.offset < 0) {
        return Err(negative_offset(index, *span));
    }
    spans(positive, histogram.positive_buckets.len())?;
    let length: u64 =
        positive.iter().map(|span| u64::from(span.length) + u64::from(span.offset.unsigned_abs())).sum();
    if (bounds.len() as u64) + 1 < length {
        return Err(format!(
            "only {} custom bounds defined which is insufficient to cover total span length of {length}: histogram \
             custom bounds are too few",
            bounds.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Histogram {
        Histogram {
            count: 4.0,
            zero_count: 1.0,
            sum: 3.0,
            positive_spans: vec![BucketSpan { offset: -1, length: 2 }],
            positive_buckets: vec![1.0, 2.0],
            ..Histogram::default()
        }
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert_eq!(validate(&good()), Ok(()));
        let refused = |change: fn(&mut Histogram)| {
            let mut histogram = good();
            change(&mut histogram);
            validate(&histogram).unwrap_err()
        };
        assert!(refused(|it| it.schema = 9).ends_with("got schema 9"));
        assert!(
            refused(|it| it.count = 5.0)
                .starts_with("4 observations found in buckets, but the Count field is 5")
        );
        assert!(
            refused(|it| it.positive_buckets[0] = -1.0).starts_with("positive side: bucket number 1 has")
        );
        assert!(refused(|it| it.positive_buckets.clear()).contains("spans need 2 buckets, have 0 buckets"));
        assert!(refused(|it| it.custom_values.push(1.0)).ends_with("must not have custom bounds"));
        assert!(
            refused(|it| it.schema = CUSTOM_SCHEMA)
                .starts_with("custom buckets: span number 1 with offset -1")
        );
    }
}
