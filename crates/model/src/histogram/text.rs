//! Histograms as text.

use std::fmt;

use super::buckets::Bucket;
use crate::number::General;
use crate::sample::{BucketSpan, Histogram, ResetHint};

/// Ends as mathematics writes them: `(0.5,1]:2`.
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        let [lower, upper, count] = [self.lower, self.upper, self.count].map(General);
        write!(f, "{open}{lower},{upper}{close}:{count}")
    }
}

/// Prometheus' text of a histogram: `{count:3, sum:4, [-0.5,0.5]:1, (1,2]:2}`, without empty buckets.
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", General(self.count), General(self.sum))?;
        for bucket in self.negative_with_bounds().rev().filter(|bucket| bucket.count != 0.0) {
            write!(f, ", {bucket}")?;
        }
        if self.zero_count != 0.0 {
            write!(f, ", {}", self.zero_bucket())?;
        }
        for bucket in self.positive_with_bounds().filter(|bucket| bucket.count != 0.0) {
            write!(f, ", {bucket}")?;
        }
        f.write_str("}")
    }
}

/// More empty buckets than this in a row are not written out by [`Notation`].
const MAX_GAP: i32 = 1 << 16;

/// A histogram as the tests of rules and of PromQL write it: `{{schema:1 count:3 sum:4 buckets:[1 2]}}`.
#[derive(Debug, Clone, Copy)]
pub struct Notation<'a>(pub &'a Histogram);

impl fmt::Display for Notation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut histogram = self.0.clone();
        histogram.compact(0);
        let mut words = Vec::new();
        if histogram.schema != 0 {
            words.push(format!("schema:{}", histogram.schema));
        }
        let numbers = [
            ("count", histogram.count),
            ("sum", histogram.sum),
            ("z_bucket", histogram.zero_count),
            ("z_bucket_w", histogram.zero_threshold),
        ];
        for (key, number) in numbers.into_iter().filter(|(_, number)| *number != 0.0) {
            words.push(format!("{key}:{}", General(number)));
        }
        if histogram.has_custom_bounds() {
            words.push(format!("custom_values:{}", list(histogram.custom_values.iter().copied())));
        }
        match histogram.reset_hint {
            ResetHint::Unknown => {}
            ResetHint::Reset => words.push("counter_reset_hint:reset".to_owned()),
            ResetHint::NotReset => words.push("counter_reset_hint:not_reset".to_owned()),
            ResetHint::Gauge => words.push("counter_reset_hint:gauge".to_owned()),
        }
        side(&mut words, "offset", "buckets", &histogram.positive_spans, &histogram.positive_buckets);
        side(&mut words, "n_offset", "n_buckets", &histogram.negative_spans, &histogram.negative_buckets);
        write!(f, "{{{{{}}}}}", words.join(" "))
    }
}

/// The buckets of one side as one row from the first to the last.
fn side(words: &mut Vec<String>, offset: &str, key: &str, spans: &[BucketSpan], counts: &[f64]) {
    let Some(first) = spans.first() else { return };
    if first.offset != 0 {
        words.push(format!("{offset}:{}", first.offset));
    }
    let mut row = Vec::new();
    let mut counts = counts.iter();
    for (number, span) in spans.iter().enumerate() {
        if number > 0 {
            row.extend((0..span.offset.clamp(0, MAX_GAP)).map(|_| 0.0));
        }
        row.extend(counts.by_ref().take(span.length as usize));
    }
    words.push(format!("{key}:{}", list(row)));
}

fn list(numbers: impl IntoIterator<Item = f64>) -> String {
    let words: Vec<_> = numbers.into_iter().map(|number| General(number).to_string()).collect();
    format!("[{}]", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histogram::{CUSTOM_SCHEMA, to_spans};

    #[test]
    fn exponential() {
        let (positive_spans, positive_buckets) = to_spans([(-1, 1.0), (0, 2.5), (4, 1e6)]);
        let (negative_spans, negative_buckets) = to_spans([(0, 3.0), (1, 4.0)]);
        let histogram = Histogram {
            count: 1_000_010.5,
            sum: -2.5,
            zero_count: 7.0,
            zero_threshold: 1e-5,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            reset_hint: ResetHint::NotReset,
            ..Histogram::default()
        };
        assert_eq!(
            histogram.to_string(),
            "{count:1.0000105e+06, sum:-2.5, [-2,-1):4, [-1,-0.5):3, [-1e-05,1e-05]:7, (0.25,0.5]:1, (0.5,1]:2.5, \
             (8,16]:1e+06}"
        );
        assert_eq!(
            Notation(&histogram).to_string(),
            "{{count:1.0000105e+06 sum:-2.5 z_bucket:7 z_bucket_w:1e-05 counter_reset_hint:not_reset offset:-1 \
             buckets:[1 2.5 0 0 0 1e+06] n_buckets:[3 4]}}"
        );
        assert_eq!(Histogram::default().to_string(), "{count:0, sum:0}");
        assert_eq!(Notation(&Histogram::default()).to_string(), "{{}}");
    }

    #[test]
    fn custom() {
        let (positive_spans, positive_buckets) = to_spans([(0, 1.0), (2, 2.0)]);
        let histogram = Histogram {
            schema: CUSTOM_SCHEMA,
            custom_values: vec![5.0, 10.0],
            positive_spans,
            positive_buckets,
            ..Histogram::default()
        };
        assert_eq!(histogram.to_string(), "{count:0, sum:0, [-Inf,5]:1, (10,+Inf]:2}");
        assert_eq!(Notation(&histogram).to_string(), "{{schema:-53 custom_values:[5 10] buckets:[1 0 2]}}");
    }
}
