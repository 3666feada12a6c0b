//! How promtool prints what was expected and what was found.

use std::collections::BTreeMap;
use std::fmt::Write;

use model::labels::Quoted;
use model::number::Fixed;
use promql::engine::SeriesPoints;

/// Names with values, by name; empty values as well, which [`model::Labels`] does not have.
pub(super) type Pairs = BTreeMap<String, String>;

/// `{a="b", "c.d"="e"}`: names that are not plain are quoted.
pub(super) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::from("{");
    for (index, (name, value)) in pairs.into_iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        out.push_str(separator);
        if is_plain(name) {
            out.push_str(name);
        } else {
            _ = write!(out, "{}", Quoted(name));
        }
        _ = write!(out, "={}", Quoted(value));
    }
    out.push('}');
    out
}

fn is_plain(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// A number with an exponent, whatever its size: `1.5E+03`.
pub(super) fn number(number: f64) -> String {
    if !number.is_finite() {
        return Fixed(number).to_string();
    }
    let text = format!("{number:E}");
    let (digits, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}E{sign}{exponent:0>2}")
}

/// Lines but the first one with spaces in front.
pub(super) fn indented(lines: &str, indent: &str) -> String {
    lines.replace('\n', &format!("\n{indent}"))
}

/// Series with all their samples, floats before histograms.
pub(super) fn matrix(series: &[SeriesPoints]) -> String {
    let one = |series: &SeriesPoints| {
        let floats = series.floats.iter().map(|(time_ms, value)| format!("{} @[{time_ms}]", Fixed(*value)));
        let histograms =
            series.histograms.iter().map(|(time_ms, histogram)| format!("{histogram} @[{time_ms}]"));
        let samples: Vec<String> = floats.chain(histograms).collect();
        format!("{} =>\n{}", pairs(series.labels.iter()), samples.join("\n"))
    };
    series.iter().map(one).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_an_exponent() {
        for (value, text) in [
            (0.0, "0E+00"),
            (1.0, "1E+00"),
            (1500.0, "1.5E+03"),
            (-2.5e-7, "-2.5E-07"),
            (1e100, "1E+100"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn labels_are_quoted_where_they_must_be() {
        assert_eq!(
            pairs([("__name__", "up"), ("a.b", "c\n"), ("d", "")]),
            "{__name__=\"up\", \"a.b\"=\"c\\n\", d=\"\"}"
        );
        assert_eq!(pairs([]), "{}");
    }
}
