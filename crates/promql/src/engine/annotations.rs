//! What a query should tell its asker besides the answer: warnings and hints, each once, with the place in the query.

use std::collections::BTreeMap;
use std::fmt;

use model::labels::Quoted;

use super::numbers::{General, Rfc3339};
use crate::error::{Span, position};

/// Something that was noticed while a query was evaluated. Texts are Prometheus'.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Notice<'a> {
    /// A quantile is not within 0 and 1.
    InvalidQuantile(f64),
    /// The ratio of `limit_ratio` is not within -1 and 1: the ratio, and what is taken for it.
    InvalidRatio(f64, f64),
    /// A classic bucket's `le` is not a number.
    BadBucketLabel {
        /// The metric's name; may be empty.
        metric: &'a str,
        /// The label's value.
        label: &'a str,
    },
    /// A range or a series has floats as well as histograms.
    MixedFloatsHistograms {
        /// The metric's name.
        metric: &'a str,
    },
    /// A group of an aggregation has floats as well as histograms.
    MixedFloatsHistogramsAggregation,
    /// A vector has classic and native histograms of the same name and labels.
    MixedClassicNativeHistograms {
        /// The metric's name; may be empty.
        metric: &'a str,
    },
    /// `rate` and its like of a histogram that goes up and down.
    NotCounter {
        /// The metric's name.
        metric: &'a str,
    },
    /// `delta` and its like of a histogram that counts.
    NotGauge {
        /// The metric's name.
        metric: &'a str,
    },
    /// Histograms with exponential and with custom buckets together.
    MixedExponentialCustom {
        /// The metric's name.
        metric: &'a str,
    },
    /// Two histograms whose buckets do not fit together.
    IncompatibleBucketLayout {
        /// The operator between them.
        operator: &'a str,
    },
    /// `sort` and its like in a range query.
    SortInRangeQuery,
    /// Two histograms are put together of which one was reset and the other was not.
    CounterResetCollision(HistogramOperation),
    /// A sample's start time lies before the sample that precedes it.
    StartTimeOverlap {
        /// The metric's name.
        metric: &'a str,
    },
    /// The name of what is taken as a counter does not end as names of counters do.
    PossibleNonCounter {
        /// The metric's name.
        metric: &'a str,
    },
    /// Classic buckets did not go up and were repaired.
    ForcedMonotonicity {
        /// The metric's name; may be empty.
        metric: &'a str,
        /// Of the first evaluation where that was so, milliseconds since the Unix epoch.
        from_ms: i64,
        /// Of the last one.
        to_ms: i64,
        /// Upper bound of the first bucket that was repaired.
        min_bucket: f64,
        /// Upper bound of the last bucket that was repaired.
        max_bucket: f64,
        /// By how much at most.
        max_difference: f64,
        /// How often, as Prometheus counts.
        count: i64,
    },
    /// An operator between values for which it has no meaning.
    IncompatibleTypes {
        /// Type of the left side: `float` or `histogram`.
        left: &'a str,
        /// The operator.
        operator: &'a str,
        /// Type of the right side.
        right: &'a str,
    },
    /// An aggregation that knows no histograms left some out.
    HistogramIgnoredInAggregation {
        /// Its name.
        aggregation: &'a str,
    },
    /// A function over a range left histograms out.
    HistogramIgnoredInMixedRange {
        /// The metric's name.
        metric: &'a str,
    },
    /// A quantile of a histogram that observed nothing but what is not a number.
    QuantileNanResult {
        /// The metric's name; may be empty.
        metric: &'a str,
    },
    /// A quantile of a histogram that observed what is not a number.
    QuantileNanSkew {
        /// The metric's name; may be empty.
        metric: &'a str,
    },
    /// A fraction of a histogram that observed what is not a number.
    FractionNan {
        /// The metric's name; may be empty.
        metric: &'a str,
    },
    /// Custom buckets with different bounds were brought together.
    MismatchedCustomBuckets(HistogramOperation),
}

/// What is done with histograms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistogramOperation {
    /// `+`
    Addition,
    /// `-`
    Subtraction,
    /// `sum`, `avg` and their like, over series or over time.
    Aggregation,
}

impl HistogramOperation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

/// How much a notice matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Warning,
    Info,
}

impl Notice<'_> {
    fn level(&self) -> Level {
        match self {
            Self::PossibleNonCounter { .. }
            | Self::ForcedMonotonicity { .. }
            | Self::IncompatibleTypes { .. }
            | Self::HistogramIgnoredInAggregation { .. }
            | Self::HistogramIgnoredInMixedRange { .. }
            | Self::QuantileNanResult { .. }
            | Self::QuantileNanSkew { .. }
            | Self::FractionNan { .. }
            | Self::MismatchedCustomBuckets(_) => Level::Info,
            _ => Level::Warning,
        }
    }
}

/// The text without the place.
impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.level() {
            Level::Warning => "PromQL warning: ",
            Level::Info => "PromQL info: ",
        })?;
        let named = |f: &mut fmt::Formatter<'_>, text: &str, metric: &str| {
            f.write_str(text)?;
            if metric.is_empty() { Ok(()) } else { write!(f, " for metric name {}", Quoted(metric)) }
        };
        match *self {
            Self::InvalidQuantile(quantile) => {
                write!(f, "quantile value should be between 0 and 1, got {}", General(quantile))
            }
            Self::InvalidRatio(ratio, to) => write!(
                f,
                "ratio value should be between -1 and 1, got {}, capping to {}",
                General(ratio),
                General(to)
            ),
            Self::BadBucketLabel { metric, label } => {
                let text =
                    format!("bucket label \"le\" is missing or has a malformed value of {}", Quoted(label));
                named(f, &text, metric)
            }
            Self::MixedFloatsHistograms { metric } => {
                let metric = Quoted(metric);
                write!(f, "encountered a mix of histograms and floats for metric name {metric}")
            }
            Self::MixedFloatsHistogramsAggregation => {
                f.write_str("encountered a mix of histograms and floats for aggregation")
            }
            Self::MixedClassicNativeHistograms { metric } => {
                named(f, "vector contains a mix of classic and native histograms", metric)
            }
            Self::NotCounter { metric } => {
                write!(f, "this native histogram metric is not a counter: {}", Quoted(metric))
            }
            Self::NotGauge { metric } => {
                write!(f, "this native histogram metric is not a gauge: {}", Quoted(metric))
            }
            Self::MixedExponentialCustom { metric } => write!(
                f,
                "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {}",
                Quoted(metric)
            ),
            Self::IncompatibleBucketLayout { operator } => {
                write!(f, "incompatible bucket layout encountered for binary operator {operator}")
            }
            Self::SortInRangeQuery => f.write_str(
                "sort is ineffective for range queries since results are always ordered by labels",
            ),
            Self::CounterResetCollision(operation) => {
                write!(f, "conflicting counter resets during histogram {}", operation.as_str())
            }
            Self::StartTimeOverlap { metric } => write!(
                f,
                "sample has start time that overlaps with previous sample timestamp for metric {}",
                Quoted(metric)
            ),
            Self::PossibleNonCounter { metric } => write!(
                f,
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                Quoted(metric)
            ),
            Self::ForcedMonotonicity { metric, .. } => {
                let text = "input to histogram_quantile needed to be fixed for monotonicity (see \
                            https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
                named(f, text, metric)
            }
            Self::IncompatibleTypes { left, operator, right } => {
                let quoted = Quoted(operator);
                write!(
                    f,
                    "incompatible sample types encountered for binary operator {quoted}: {left} {operator} {right}"
                )
            }
            Self::HistogramIgnoredInAggregation { aggregation } => {
                write!(f, "ignored histogram in {aggregation} aggregation")
            }
            Self::HistogramIgnoredInMixedRange { metric } => write!(
                f,
                "ignored histograms in a range containing both floats and histograms for metric name {}",
                Quoted(metric)
            ),
            Self::QuantileNanResult { metric } => {
                named(f, "input to histogram_quantile has NaN observations, result is NaN", metric)
            }
            Self::QuantileNanSkew { metric } => {
                named(f, "input to histogram_quantile has NaN observations, result is skewed higher", metric)
            }
            Self::FractionNan { metric } => named(
                f,
                "input to histogram_fraction has NaN observations, which are excluded from all fractions",
                metric,
            ),
            Self::MismatchedCustomBuckets(operation) => {
                write!(f, "mismatched custom buckets were reconciled during {}", operation.as_str())
            }
        }
    }
}

/// What is known of a notice that came several times.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Detail {
    None,
    Repaired { from_ms: i64, to_ms: i64, min_bucket: f64, max_bucket: f64, max_difference: f64, count: i64 },
    Overlaps { count: u64 },
}

impl Detail {
    fn of(notice: &Notice<'_>) -> Self {
        match *notice {
            Notice::ForcedMonotonicity {
                from_ms,
                to_ms,
                min_bucket,
                max_bucket,
                max_difference,
                count,
                ..
            } => Self::Repaired { from_ms, to_ms, min_bucket, max_bucket, max_difference, count },
            Notice::StartTimeOverlap { .. } => Self::Overlaps { count: 1 },
            _ => Self::None,
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Repaired { from_ms, to_ms, min_bucket, max_bucket, max_difference, count },
                Self::Repaired {
                    from_ms: other_from,
                    to_ms: other_to,
                    min_bucket: other_min,
                    max_bucket: other_max,
                    max_difference: other_difference,
                    count: other_count,
                },
            ) => Self::Repaired {
                from_ms: from_ms.min(other_from),
                to_ms: to_ms.max(other_to),
                min_bucket: min_bucket.min(other_min),
                max_bucket: max_bucket.max(other_max),
                max_difference: max_difference.max(other_difference),
                count: count.wrapping_add(other_count),
            },
            (Self::Overlaps { count }, Self::Overlaps { count: other }) => {
                Self::Overlaps { count: count + other }
            }
            (_, other) => other,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    level: Level,
    span: Span,
    detail: Detail,
}

/// Notices of a query, each text once. Of notices with the same text the place is the last one's, as in Prometheus.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Annotations {
    by_text: BTreeMap<String, Entry>,
}

impl Annotations {
    /// Adds what was noticed of a part of the query.
    pub fn add(&mut self, notice: Notice<'_>, span: Span) {
        let entry = Entry { level: notice.level(), span, detail: Detail::of(&notice) };
        self.insert(notice.to_string(), entry);
    }

    /// Adds a warning of another kind, which has no place; a store's, say.
    pub fn warn(&mut self, text: impl Into<String>) {
        let entry = Entry { level: Level::Warning, span: Span::default(), detail: Detail::None };
        self.insert(text.into(), entry);
    }

    fn insert(&mut self, text: String, entry: Entry) {
        match self.by_text.get_mut(&text) {
            Some(known) => {
                known.detail = known.detail.and(entry.detail);
                // What counts its occurrences stays where it was first.
                if known.detail == Detail::None {
                    known.span = entry.span;
                }
            }
            None => _ = self.by_text.insert(text, entry),
        }
    }

    /// Adds all of another's.
    pub fn merge(&mut self, other: Self) {
        for (text, entry) in other.by_text {
            self.insert(text, entry);
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_text.is_empty()
    }

    /// Texts of warnings and of infos with their places in the query, as `… (line:column)`; at most `max` of each,
    /// with a last one that says how many were left out. 0 is no limit.
    pub fn texts(&self, query: &str, max: usize) -> (Vec<String>, Vec<String>) {
        let of = |level, name| {
            let all = self.by_text.iter().filter(|(_, entry)| entry.level == level);
            let mut texts: Vec<String> = all.map(|(text, entry)| entry.text(text, query)).collect();
            if max > 0 && texts.len() > max {
                let omitted = texts.len() - max;
                texts.truncate(max);
                texts.push(format!("{omitted} more {name} annotations omitted"));
            }
            texts
        };
        (of(Level::Warning, "warning"), of(Level::Info, "info"))
    }
}

impl Entry {
    fn text(&self, text: &str, query: &str) -> String {
        if query.is_empty() || !text.starts_with("PromQL ") {
            return text.to_owned();
        }
        let (line, column) = position(query, self.span.start);
        match self.detail {
            Detail::Repaired { from_ms, to_ms, min_bucket, max_bucket, max_difference, count } => {
                let (min, max) = (General(min_bucket), General(max_bucket));
                let difference = General::with_digits(max_difference, 2);
                let (from, to) = (Rfc3339(from_ms), Rfc3339(to_ms));
                format!(
                    "{text}, from buckets {min} to {max}, with a max diff of {difference}, over {count} samples from \
                     {from} to {to} ({line}:{column})"
                )
            }
            Detail::Overlaps { count } if count > 1 => {
                format!("{text} ({count} occurrences) ({line}:{column})")
            }
            _ => format!("{text} ({line}:{column})"),
        }
    }
}
