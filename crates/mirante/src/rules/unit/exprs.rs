//! Expressions with what they should give.

use std::fmt;

use model::Labels;
use model::histogram::Notation;
use promql::ParseError;
use promql::engine::{self, Options, Value};
use promql::series_text::{Point, parse_series};
use promql::storage::PointValue;

use super::file::{ExpectedSample, ExprTest};
use super::show;
use super::store::Store;

/// A sample of an answer. Histograms are compared by what they look like.
#[derive(Debug, Clone)]
struct Sample {
    labels: Labels,
    value: f64,
    histogram: String,
}

impl Sample {
    fn is_like(&self, other: &Self, is_fuzzy: bool) -> bool {
        let (left, right) = (self.value, other.value);
        let is_near = || is_fuzzy && (left.next_up() == right || left.next_down() == right);
        self.labels == other.labels && self.histogram == other.histogram && (left == right || is_near())
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show::pairs(self.labels.iter()))?;
        match self.histogram.as_str() {
            "" => write!(f, " {}", show::number(self.value)),
            histogram => write!(f, " {histogram}"),
        }
    }
}

/// What is wrong with an answer at a time.
pub(super) fn check(
    test: &ExprTest,
    store: &Store,
    options: Options,
    time_ms: i64,
    is_fuzzy: bool,
) -> Option<String> {
    let head = format!(
        "    expr: {}, time: {}",
        api::go::quote(&test.expr),
        promql::format_duration(test.eval_time)
    );
    let mut found = match ask(&test.expr, store, options, time_ms) {
        Ok(found) => found,
        Err(error) => return Some(format!("{head}, err: {error}")),
    };
    let mut expected = Vec::new();
    for sample in &test.exp_samples {
        match read(sample) {
            Ok(sample) => expected.push(sample),
            Err(error) => {
                let labels = api::go::quote(&sample.labels);
                return Some(format!("{head}, err: labels {labels}: {error}"));
            }
        }
    }
    expected.sort_by(|left, right| left.labels.cmp(&right.labels));
    found.sort_by(|left, right| left.labels.cmp(&right.labels));
    let is_same = expected.len() == found.len()
        && expected.iter().zip(&found).all(|(expected, found)| expected.is_like(found, is_fuzzy));
    (!is_same).then(|| format!("{head},\n        exp: {}\n        got: {}", list(&expected), list(&found)))
}

fn ask(expr: &str, store: &Store, options: Options, time_ms: i64) -> Result<Vec<Sample>, String> {
    let expr = promql::parse(expr).map_err(|error| error.to_string())?;
    let outcome =
        engine::instant(store, &expr, time_ms, options, &|| None).map_err(|error| error.to_string())?;
    let samples = match outcome.value {
        Value::Vector(_, samples) => samples,
        Value::Scalar(_, value) => vec![(Labels::default(), PointValue::Float(value))],
        _ => return Err("rule result is not a vector or scalar".to_owned()),
    };
    let sample = |(labels, value)| match value {
        PointValue::Float(value) => Sample { labels, value, histogram: String::new() },
        PointValue::Histogram(histogram) => {
            Sample { labels, value: 0.0, histogram: Notation(&histogram).to_string() }
        }
    };
    Ok(samples.into_iter().map(sample).collect())
}

fn read(sample: &ExpectedSample) -> Result<Sample, String> {
    let words = |error: ParseError| error.to_string();
    let labels = promql::parse_metric(&sample.labels).map_err(words)?;
    if sample.histogram.is_empty() {
        return Ok(Sample { labels, value: sample.value, histogram: String::new() });
    }
    let points = parse_series(&format!("{{}} {}", sample.histogram)).map_err(words)?.points;
    match points.as_slice() {
        [Point::Histogram { histogram, .. }] => {
            Ok(Sample { labels, value: sample.value, histogram: Notation(histogram).to_string() })
        }
        [Point::Float(value)] => Err(format!("expected histogram, got {}", model::number::Decimals(*value))),
        [Point::None] => Err("expected histogram, got _".to_owned()),
        several => Err(format!("expected 1 value, got {}", several.len())),
    }
}

fn list(samples: &[Sample]) -> String {
    if samples.is_empty() {
        return "nil".to_owned();
    }
    samples.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
