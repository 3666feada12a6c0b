//! What a query needs of a store: series selected by matchers, each with its samples in order of time.
//!
//! The engine knows no store; a store knows no query. `tsdb` implements this.

use std::sync::Arc;

use model::{Histogram, Labels, Matcher};

/// A range in milliseconds since the Unix epoch, both ends included, as Prometheus ranges are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MsRange {
    /// First millisecond.
    pub start_ms: i64,
    /// Last millisecond.
    pub end_ms: i64,
}

impl MsRange {
    /// Everything.
    pub const ALL: Self = Self { start_ms: i64::MIN, end_ms: i64::MAX };

    /// Whether a closed interval has a millisecond in common with the range.
    pub fn overlaps(self, first_ms: i64, last_ms: i64) -> bool {
        first_ms <= self.end_ms && last_ms >= self.start_ms
    }

    /// Whether a time lies within.
    pub fn contains(self, time_ms: i64) -> bool {
        (self.start_ms..=self.end_ms).contains(&time_ms)
    }
}

/// A sample of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// When it was measured, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Since when its value counts (the created timestamp); 0 if that is not known.
    pub start_ms: i64,
    /// The value.
    pub value: PointValue,
}

/// A float of a series, as evaluation reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloatPoint {
    /// When it was measured, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Since when its value counts (the created timestamp); 0 if that is not known.
    pub start_ms: i64,
    /// The value, a staleness marker bit for bit.
    pub value: f64,
}

/// A native histogram of a series, as evaluation reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramPoint {
    /// When it was measured, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Since when its value counts (the created timestamp); 0 if that is not known.
    pub start_ms: i64,
    /// The value; a staleness marker is in its sum.
    pub histogram: Arc<Histogram>,
}

/// A value of a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum PointValue {
    /// A number, staleness markers bit for bit among them.
    Float(f64),
    /// A native histogram; a staleness marker is in its sum.
    Histogram(Arc<Histogram>),
}

impl PointValue {
    /// Whether this marks the end of the series.
    pub fn is_stale(&self) -> bool {
        let number = match self {
            Self::Float(value) => *value,
            Self::Histogram(histogram) => histogram.sum,
        };
        number.to_bits() == model::sample::STALE_NAN_BITS
    }
}

/// A series that was selected. What it gives does not change while it is read, whatever is written meanwhile.
pub trait Series: Send + Sync {
    /// Its labels, the metric's name among them.
    fn labels(&self) -> &Labels;

    /// Its samples within the range that was selected, by ascending time, each time once.
    fn points(&self) -> impl Iterator<Item = Point> + '_;

    /// Appends the same samples to two lists, floats to the one and native histograms to the other, each by ascending
    /// time. A store that keeps runs of samples decodes them here a run at a time.
    fn read(&self, floats: &mut Vec<FloatPoint>, histograms: &mut Vec<HistogramPoint>) {
        for Point { time_ms, start_ms, value } in self.points() {
            match value {
                PointValue::Float(value) => floats.push(FloatPoint { time_ms, start_ms, value }),
                PointValue::Histogram(histogram) => {
                    histograms.push(HistogramPoint { time_ms, start_ms, histogram });
                }
            }
        }
    }
}

/// Which samples of the series are needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// All in the range.
    All,
    /// The newest in the range of each.
    Newest,
}

/// A store of series.
pub trait Storage: Send + Sync {
    /// How it hands out a series.
    type Series: Series;
    /// Why it cannot.
    type Error: std::error::Error + Send + Sync + 'static;

    /// Series that satisfy every matcher and have a sample in the range, sorted by labels.
    fn select(&self, matchers: &[Matcher], range: MsRange) -> Result<Vec<Self::Series>, Self::Error>;

    /// The same in any order, and perhaps without samples that are not needed.
    fn select_needed(
        &self,
        matchers: &[Matcher],
        range: MsRange,
        needed: Needed,
    ) -> Result<Vec<Self::Series>, Self::Error> {
        _ = needed;
        self.select(matchers, range)
    }
}
