//! JSON as Prometheus writes it: numbers of samples as texts, times in seconds with three decimals at most.

use std::fmt::Write;

use model::number::{Fixed, Short};
use model::{Exemplar, Histogram, Labels};
use promql::engine::{SeriesPoints, Value};
use promql::storage::PointValue;

/// A text. `<`, `>` and `&` are escaped, as Go does so that it may stand within a page.
pub(super) fn text(out: &mut String, text: &str) {
    quoted(out, text, true);
}

/// A label's name or value, where they are not.
fn label(out: &mut String, text: &str) {
    quoted(out, text, false);
}

fn quoted(out: &mut String, text: &str, for_pages: bool) {
    out.push('"');
    // A look at the bytes suffices for nearly all texts; 0xe2 is what the two separators begin with.
    let is_plain = |byte: u8| {
        byte >= b' '
            && !matches!(byte, b'"' | b'\\')
            && !(for_pages && matches!(byte, b'<' | b'>' | b'&' | 0xe2))
    };
    if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut rest = text;
    let special = |character: char| match character {
        '"' | '\\' => true,
        '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => for_pages,
        other => other < ' ',
    };
    while let Some(at) = rest.find(special) {
        out.push_str(&rest[..at]);
        let mut characters = rest[at..].chars();
        match characters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(other) => _ = write!(out, "\\u{:04x}", u32::from(other)),
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// A list, each item written by a function.
pub(super) fn list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write(out, item);
    }
    out.push(']');
}

/// A list of texts.
pub(super) fn strings<'a>(out: &mut String, items: impl IntoIterator<Item = &'a str>) {
    list(out, items, text);
}

/// What is told besides an answer, as members of it, each behind a comma: warnings and infos where there are any.
pub(super) fn told(out: &mut String, warnings: &[String], infos: &[String]) {
    for (name, texts) in [("warnings", warnings), ("infos", infos)] {
        if !texts.is_empty() {
            _ = write!(out, r#","{name}":"#);
            strings(out, texts.iter().map(String::as_str));
        }
    }
}

/// Labels as an object.
pub(super) fn labels(out: &mut String, labels: &Labels) {
    object(out, labels.iter());
}

/// Names with values as an object.
pub(super) fn object<'a>(out: &mut String, texts: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push('{');
    for (index, (name, value)) in texts.enumerate() {
        if index > 0 {
            out.push(',');
        }
        label(out, name);
        out.push(':');
        label(out, value);
    }
    out.push('}');
}

/// Milliseconds as seconds.
fn time(out: &mut String, time_ms: i64) {
    if time_ms < 0 {
        out.push('-');
    }
    let (seconds, fraction) = (time_ms.unsigned_abs() / 1000, time_ms.unsigned_abs() % 1000);
    _ = write!(out, "{seconds}");
    if fraction != 0 {
        _ = write!(out, ".{fraction:03}");
    }
}

/// A time in nanoseconds since the Unix epoch; none is Go's first moment.
pub(super) fn moment(time_ns: Option<i64>) -> String {
    let known = time_ns.and_then(|time_ns| jiff::Timestamp::from_nanosecond(i128::from(time_ns)).ok());
    known.map_or_else(|| "0001-01-01T00:00:00Z".to_owned(), |time| time.to_string())
}

fn number(out: &mut String, number: f64) {
    _ = write!(out, "\"{}\"", Short(number));
}

fn float_point(out: &mut String, time_ms: i64, value: f64) {
    out.push('[');
    time(out, time_ms);
    out.push(',');
    number(out, value);
    out.push(']');
}

fn histogram_point(out: &mut String, time_ms: i64, value: &Histogram) {
    out.push('[');
    time(out, time_ms);
    out.push(',');
    histogram(out, value);
    out.push(']');
}

/// Which ends of a bucket belong to it, as the API numbers them.
#[derive(Clone, Copy)]
enum Ends {
    Upper = 0,
    Lower = 1,
    Both = 3,
}

fn histogram(out: &mut String, histogram: &Histogram) {
    out.push_str(r#"{"count":"#);
    number(out, histogram.count);
    out.push_str(r#","sum":"#);
    number(out, histogram.sum);
    let mut first = true;
    let mut bucket = |ends: Ends, lower: f64, upper: f64, count: f64| {
        if count == 0.0 {
            return;
        }
        out.push_str(if first { r#","buckets":["# } else { "," });
        first = false;
        _ = write!(out, "[{},\"{}\",\"{}\",\"{}\"]", ends as u8, Short(lower), Short(upper), Short(count));
    };
    let zero = histogram.zero_threshold;
    for (index, count) in histogram.negative().rev() {
        // A mirror of the positive bucket: the end that is farther from zero belongs to it.
        let (lower, upper) = (-histogram.upper_bound(index), -histogram.lower_bound(index));
        bucket(Ends::Lower, lower, upper.min(-zero), count);
    }
    if histogram.has_custom_bounds() {
        for (index, count) in histogram.positive() {
            let ends = if index == 0 { Ends::Both } else { Ends::Upper };
            bucket(ends, histogram.lower_bound(index), histogram.upper_bound(index), count);
        }
    } else {
        bucket(Ends::Both, -zero, zero, histogram.zero_count.max(0.0));
        for (index, count) in histogram.positive() {
            bucket(Ends::Upper, histogram.lower_bound(index).max(zero), histogram.upper_bound(index), count);
        }
    }
    if !first {
        out.push(']');
    }
    out.push('}');
}

/// The type of a query's result, and what comes before the value: `"resultType":…,"result":`.
pub(super) fn value_type(out: &mut String, value: &Value) {
    let name = match value {
        Value::Scalar(..) => "scalar",
        Value::String(..) => "string",
        Value::Vector(..) => "vector",
        Value::Matrix(_) => "matrix",
    };
    _ = write!(out, r#""resultType":"{name}","result":"#);
}

/// A result that is one point; nothing for one with rows.
pub(super) fn single(out: &mut String, value: &Value) {
    match value {
        // Never with an exponent, unlike all other numbers.
        Value::Scalar(time_ms, value) => {
            out.push('[');
            time(out, *time_ms);
            _ = write!(out, r#","{}"]"#, Fixed(*value));
        }
        Value::String(time_ms, value) => {
            out.push('[');
            time(out, *time_ms);
            out.push(',');
            text(out, value);
            out.push(']');
        }
        Value::Vector(..) | Value::Matrix(_) => {}
    }
}

/// A row of a vector.
pub(super) fn sample(out: &mut String, metric: &Labels, time_ms: i64, value: &PointValue) {
    out.push_str(r#"{"metric":"#);
    labels(out, metric);
    match value {
        PointValue::Float(value) => {
            out.push_str(r#","value":"#);
            float_point(out, time_ms, *value);
        }
        PointValue::Histogram(value) => {
            out.push_str(r#","histogram":"#);
            histogram_point(out, time_ms, value);
        }
    }
    out.push('}');
}

/// A row of a matrix.
pub(super) fn series(out: &mut String, series: &SeriesPoints) {
    out.push_str(r#"{"metric":"#);
    labels(out, &series.labels);
    if !series.floats.is_empty() {
        out.push_str(r#","values":"#);
        list(out, &series.floats, |out, (time_ms, value)| float_point(out, *time_ms, *value));
    }
    if !series.histograms.is_empty() {
        out.push_str(r#","histograms":"#);
        list(out, &series.histograms, |out, (time_ms, value)| histogram_point(out, *time_ms, value));
    }
    out.push('}');
}

/// The exemplars of a series.
pub(super) fn exemplars(out: &mut String, (metric, found): &(Labels, Vec<Exemplar>)) {
    out.push_str(r#"{"seriesLabels":"#);
    labels(out, metric);
    out.push_str(r#","exemplars":"#);
    list(out, found, |out, exemplar| {
        out.push_str(r#"{"labels":"#);
        labels(out, &exemplar.labels);
        out.push_str(r#","value":"#);
        number(out, exemplar.value);
        out.push_str(r#","timestamp":"#);
        time(out, exemplar.time_ms);
        out.push('}');
    });
    out.push('}');
}

#[cfg(test)]
mod tests {
    use model::histogram::to_spans;

    use super::*;

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn times_have_three_decimals_or_none() {
        for (time_ms, expected) in [
            (0, "0"),
            (1, "0.001"),
            (10, "0.010"),
            (1_435_781_451_781, "1435781451.781"),
            (-1500, "-1.500"),
            (2000, "2"),
        ] {
            assert_eq!(written(|out| time(out, time_ms)), expected);
        }
    }

    #[test]
    fn times_have_the_digits_that_they_need() {
        assert_eq!(moment(Some(1_795_247_686_190_984_874)), "2026-11-21T07:54:46.190984874Z");
        assert_eq!(moment(Some(1_795_247_686_190_000_000)), "2026-11-21T07:54:46.19Z");
        assert_eq!(moment(None), "0001-01-01T00:00:00Z");
    }

    #[test]
    fn texts() {
        assert_eq!(written(|out| text(out, "a\"<\u{1}\n")), r#""a\"\u003c\u0001\n""#);
        assert_eq!(written(|out| label(out, "a<b\u{2028}")), "\"a<b\u{2028}\"");
    }

    #[test]
    fn native_histograms() {
        let (positive_spans, positive_buckets) = to_spans([(0, 2.0), (1, 3.0), (4, 1.0)]);
        let (negative_spans, negative_buckets) = to_spans([(1, 1.0), (2, 4.0)]);
        let value = Histogram {
            schema: 0,
            zero_threshold: 0.001,
            zero_count: 5.0,
            count: 16.0,
            sum: 1.5,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            ..Histogram::default()
        };
        assert_eq!(
            written(|out| histogram(out, &value)),
            concat!(
                r#"{"count":"16","sum":"1.5","buckets":["#,
                r#"[1,"-4","-2","4"],[1,"-2","-1","1"],[3,"-0.001","0.001","5"],"#,
                r#"[0,"0.5","1","2"],[0,"1","2","3"],[0,"8","16","1"]]}"#
            )
        );
        assert_eq!(written(|out| histogram(out, &Histogram::default())), r#"{"count":"0","sum":"0"}"#);
        let (positive_spans, positive_buckets) = to_spans([(0, 2.0), (1, 3.0), (2, 1.0)]);
        let custom = Histogram {
            schema: -53,
            positive_spans,
            positive_buckets,
            custom_values: vec![0.5, 1.0],
            ..Histogram::default()
        };
        assert_eq!(
            written(|out| histogram(out, &custom)),
            concat!(
                r#"{"count":"0","sum":"0","buckets":["#,
                r#"[3,"-Inf","0.5","2"],[0,"0.5","1","3"],[0,"1","+Inf","1"]]}"#
            )
        );
    }
}
