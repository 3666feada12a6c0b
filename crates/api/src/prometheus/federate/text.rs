//! Families in the text format 0.0.4.

use std::fmt::Write as _;

use exposition::EscapingScheme;
use model::Histogram;
use model::number::General;

use super::names::{escape, is_legacy};
use super::{Family, Kind, Metric, Value, cumulative};

/// Writes a family.
pub(super) fn write(out: &mut String, family: &Family<'_>, escaping: EscapingScheme) {
    let name = escape(family.name, escaping);
    out.push_str("# TYPE ");
    self::name(out, &name);
    out.push_str(match family.kind {
        Kind::Untyped => " untyped\n",
        Kind::Histogram | Kind::GaugeHistogram => " histogram\n",
    });
    for metric in &family.metrics {
        match &metric.value {
            Value::Float(value) => sample(out, &name, metric, escaping, None, *value),
            Value::Histogram(histogram) => classic(out, &name, metric, escaping, histogram),
        }
    }
}

/// A name of a family in its header.
fn name(out: &mut String, name: &str) {
    if is_legacy(name) {
        out.push_str(name);
    } else {
        out.push('"');
        value(out, name);
        out.push('"');
    }
}

/// A text in quotes.
fn value(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

fn sample(
    out: &mut String,
    name: &str,
    metric: &Metric<'_>,
    escaping: EscapingScheme,
    bound: Option<f64>,
    number: f64,
) {
    let bound = bound.map(|bound| General(bound).to_string());
    let mut labels: Vec<(std::borrow::Cow<'_, str>, &str)> =
        metric.labels.iter().map(|(name, value)| (escape(name, escaping), *value)).collect();
    labels.extend(bound.as_deref().map(|bound| ("le".into(), bound)));
    let is_plain = is_legacy(name);
    if is_plain {
        out.push_str(name);
    }
    if !is_plain || !labels.is_empty() {
        out.push('{');
        if !is_plain {
            self::name(out, name);
        }
        for (index, (label, text)) in labels.iter().enumerate() {
            if index > 0 || !is_plain {
                out.push(',');
            }
            self::name(out, label);
            out.push_str("=\"");
            value(out, text);
            out.push('"');
        }
        out.push('}');
    }
    // Zero has no sign there.
    _ = writeln!(out, " {} {}", General(number + 0.0), metric.time_ms);
}

/// A histogram with custom bounds, as the classic one that it was made from.
fn classic(
    out: &mut String,
    name: &str,
    metric: &Metric<'_>,
    escaping: EscapingScheme,
    histogram: &Histogram,
) {
    let bucket = format!("{name}_bucket");
    for (bound, count) in cumulative(histogram) {
        sample(out, &bucket, metric, escaping, Some(bound), count);
    }
    sample(out, &bucket, metric, escaping, Some(f64::INFINITY), histogram.count);
    sample(out, &format!("{name}_sum"), metric, escaping, None, histogram.sum);
    sample(out, &format!("{name}_count"), metric, escaping, None, histogram.count);
}
