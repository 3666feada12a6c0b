//! What is written to the metrics store at once, whatever it came from: OTLP, remote write, a scrape, a rule.

use std::sync::Arc;

use crate::labels::Labels;
use crate::sample::{Exemplar, Histogram, STALE_NAN_BITS};

/// Data points with the families that they belong to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Names with metadata; a [`DataPoint`] points in here.
    pub families: Vec<Family>,
    /// The data points, in the order in which they came.
    pub points: Vec<DataPoint>,
    /// What the sender should know although nothing was left out: label names that collide, metrics without points.
    pub warnings: Vec<String>,
}

impl Batch {
    /// How many samples there are.
    pub fn sample_count(&self) -> usize {
        self.points.iter().map(|point| point.samples.len()).sum()
    }
}

/// A metric family.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Family {
    /// Name of the family: for a classic histogram without `_bucket`, `_count`, `_sum`.
    pub name: String,
    /// What is known of it.
    pub metadata: Metadata,
}

/// Type, meaning and unit of a metric family.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Metadata {
    /// Its type.
    pub kind: MetricType,
    /// What it measures, for people.
    pub help: String,
    /// Its unit as Prometheus writes units (`seconds`), or empty.
    pub unit: String,
}

/// Type of a metric family, as the Prometheus API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum MetricType {
    /// Not known.
    #[default]
    Unknown,
    /// Goes up, and back to zero with a reset.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Observations in buckets, classic or native.
    Histogram,
    /// A histogram whose buckets go up and down.
    GaugeHistogram,
    /// Observations as quantiles.
    Summary,
    /// Constant 1 with information in its labels.
    Info,
    /// One of a set of states.
    StateSet,
}

impl MetricType {
    /// Its name in the API and in `# TYPE` lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }

    /// The type with this number, which remote write and our files have the same; an unknown number means unknown.
    pub fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Counter,
            2 => Self::Gauge,
            3 => Self::Histogram,
            4 => Self::GaugeHistogram,
            5 => Self::Summary,
            6 => Self::Info,
            7 => Self::StateSet,
            _ => Self::Unknown,
        }
    }
}

/// Whether values count from the start of the series or from the previous data point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Temporality {
    /// From the start: stored as it is.
    #[default]
    Cumulative,
    /// From the previous point: the store adds it to the series' last value.
    Delta,
}

/// One data point of the sender: one sample, or the several series of a classic histogram or summary. It is taken
/// or refused as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct DataPoint {
    /// Index into [`Batch::families`].
    pub family: usize,
    /// What the values count from.
    pub temporality: Temporality,
    /// Since when the values count, milliseconds since the Unix epoch; 0 if that is not known.
    pub start_ms: i64,
    /// When it was measured, milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// Its samples, each of another series.
    pub samples: Vec<SeriesSample>,
    /// Whether the translation made it (`target_info`), so that refusing it refuses nothing of the sender's.
    pub derived: bool,
}

/// A sample with the series that it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct SeriesSample {
    /// The series, its name in `__name__`.
    pub labels: Labels,
    /// The value.
    pub value: SampleValue,
    /// Exemplars of this series.
    pub exemplars: Vec<Exemplar>,
}

/// A float or a native histogram.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleValue {
    /// A number; staleness is the NaN of [`STALE_NAN_BITS`].
    Float(f64),
    /// A native histogram; staleness is that NaN as its sum.
    Histogram(Arc<Histogram>),
}

impl SampleValue {
    /// Whether this marks the end of the series.
    pub fn is_stale(&self) -> bool {
        let number = match self {
            Self::Float(value) => *value,
            Self::Histogram(histogram) => histogram.sum,
        };
        number.to_bits() == STALE_NAN_BITS
    }

    /// Whether two values are the same bit for bit, so that writing the second changes nothing.
    pub fn same_bits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float(left), Self::Float(right)) => left.to_bits() == right.to_bits(),
            (Self::Histogram(left), Self::Histogram(right)) => left.same_bits(right),
            _ => false,
        }
    }
}
