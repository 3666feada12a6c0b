//! The messages of `io.prometheus.client`, as far as a scrape needs them. Texts are borrowed from the body, lists are
//! kept from one metric to the next.

use model::MetricType;
use model::sample::BucketSpan;

use super::wire::Fields;
use crate::{Quoted, RawExemplar};

/// A family without its metrics, which are decoded one by one.
#[derive(Debug, Default)]
pub(super) struct Family<'a> {
    pub(super) name: &'a [u8],
    pub(super) help: &'a [u8],
    pub(super) kind: Kind,
    pub(super) unit: &'a [u8],
    pub(super) metrics: Vec<&'a [u8]>,
}

/// Which of a metric's fields is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kind {
    #[default]
    Counter,
    Gauge,
    Summary,
    Untyped,
    Histogram,
    GaugeHistogram,
    Other(u64),
}

impl Kind {
    pub(super) fn metric_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Summary => MetricType::Summary,
            Self::Untyped | Self::Other(_) => MetricType::Unknown,
            Self::Histogram => MetricType::Histogram,
            Self::GaugeHistogram => MetricType::GaugeHistogram,
        }
    }

    pub(super) fn is_histogram(self) -> bool {
        matches!(self, Self::Histogram | Self::GaugeHistogram)
    }
}

impl<'a> Family<'a> {
    /// Reads a family over what was there.
    pub(super) fn decode(&mut self, bytes: &'a [u8]) -> Result<(), String> {
        let mut metrics = std::mem::take(&mut self.metrics);
        metrics.clear();
        *self = Self { metrics, ..Self::default() };
        let mut fields = Fields::new(bytes, "MetricFamily");
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => self.name = value.bytes("Name")?,
                2 => self.help = value.bytes("Help")?,
                3 => {
                    self.kind = match value.integer("Type")? {
                        0 => Kind::Counter,
                        1 => Kind::Gauge,
                        2 => Kind::Summary,
                        3 => Kind::Untyped,
                        4 => Kind::Histogram,
                        5 => Kind::GaugeHistogram,
                        other => Kind::Other(other),
                    };
                }
                4 => self.metrics.push(value.bytes("Metric")?),
                5 => self.unit = value.bytes("Unit")?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// One metric, whatever its type.
#[derive(Debug, Default)]
pub(super) struct Metric<'a> {
    /// Name and value, as they come.
    pub(super) labels: Vec<(&'a str, &'a str)>,
    /// 0 if there is none.
    pub(super) time_ms: i64,
    /// Of a counter, gauge or untyped metric.
    pub(super) value: f64,
    /// Of a counter.
    pub(super) exemplar: Option<&'a [u8]>,
    /// 0 if it is not known.
    pub(super) start_ms: i64,
    /// Count and sum of a summary or histogram.
    pub(super) count: f64,
    pub(super) sum: f64,
    /// Quantile and value.
    pub(super) quantiles: Vec<(f64, f64)>,
    pub(super) buckets: Vec<Bucket<'a>>,
    pub(super) native: Native,
    /// Of a native histogram.
    pub(super) exemplars: Vec<&'a [u8]>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket<'a> {
    pub(super) bound: f64,
    /// Cumulative.
    pub(super) count: f64,
    pub(super) exemplar: Option<&'a [u8]>,
}

/// The native part of a histogram.
#[derive(Debug, Default)]
pub(super) struct Native {
    pub(super) schema: i32,
    pub(super) zero_threshold: f64,
    zero_count: u64,
    zero_count_float: f64,
    count_float: f64,
    pub(super) positive: Side,
    pub(super) negative: Side,
}

/// The buckets of one sign.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) spans: Vec<BucketSpan>,
    pub(super) deltas: Vec<i64>,
    pub(super) counts: Vec<f64>,
}

impl Side {
    fn clear(&mut self) {
        self.spans.clear();
        self.deltas.clear();
        self.counts.clear();
    }
}

impl Native {
    /// Whether the counts are fractions.
    pub(super) fn is_float(&self) -> bool {
        self.count_float > 0.0 || self.zero_count_float > 0.0
    }

    pub(super) fn zero_count(&self) -> f64 {
        if self.is_float() { self.zero_count_float } else { self.zero_count as f64 }
    }

    /// Whether the histogram has a native part at all. One without observations says so by a span of no buckets.
    pub(super) fn is_present(&self) -> bool {
        !self.positive.spans.is_empty()
            || !self.negative.spans.is_empty()
            || self.zero_threshold > 0.0
            || self.zero_count > 0
    }
}

impl<'a> Metric<'a> {
    /// Reads a metric over what was there.
    pub(super) fn decode(&mut self, kind: Kind, bytes: &'a [u8]) -> Result<(), String> {
        self.clear();
        let mut fields = Fields::new(bytes, "Metric");
        while let Some((number, value)) = fields.next()? {
            match (number, kind) {
                (1, _) => self.labels.push(label(value.message_of("Label", "LabelPair")?)?),
                (2, Kind::Gauge) => self.scalar(value.message("Gauge")?)?,
                (3, Kind::Counter) => self.scalar(value.message("Counter")?)?,
                (4, Kind::Summary) => self.summary(value.message("Summary")?)?,
                (5, Kind::Untyped) => self.scalar(value.message("Untyped")?)?,
                (6, _) => self.time_ms = value.integer("TimestampMs")? as i64,
                (7, Kind::Histogram | Kind::GaugeHistogram) => {
                    self.histogram(value.message("Histogram")?)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.labels.clear();
        self.quantiles.clear();
        self.buckets.clear();
        self.exemplars.clear();
        let (positive, negative) = (&mut self.native.positive, &mut self.native.negative);
        positive.clear();
        negative.clear();
        let (positive, negative) = (std::mem::take(positive), std::mem::take(negative));
        self.native = Native { positive, negative, ..Native::default() };
        (self.time_ms, self.value, self.exemplar, self.start_ms) = (0, 0.0, None, 0);
        (self.count, self.sum) = (0.0, 0.0);
    }

    fn scalar(&mut self, mut fields: Fields<'a>) -> Result<(), String> {
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => self.value = value.double("Value")?,
                2 => self.exemplar = Some(well_formed(value.bytes("Exemplar")?)?),
                3 => self.start_ms = timestamp(value.message_of("StartTimestamp", "Timestamp")?)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn summary(&mut self, mut fields: Fields<'a>) -> Result<(), String> {
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => self.count = value.integer("SampleCount")? as f64,
                2 => self.sum = value.double("SampleSum")?,
                3 => {
                    let mut quantile = (0.0, 0.0);
                    let mut fields = value.message("Quantile")?;
                    while let Some((number, value)) = fields.next()? {
                        match number {
                            1 => quantile.0 = value.double("Quantile")?,
                            2 => quantile.1 = value.double("Value")?,
                            _ => {}
                        }
                    }
                    self.quantiles.push(quantile);
                }
                4 => self.start_ms = timestamp(value.message_of("StartTimestamp", "Timestamp")?)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn histogram(&mut self, mut fields: Fields<'a>) -> Result<(), String> {
        let mut count = 0;
        let native = &mut self.native;
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => count = value.integer("SampleCount")?,
                2 => self.sum = value.double("SampleSum")?,
                3 => self.buckets.push(bucket(value.message("Bucket")?)?),
                4 => native.count_float = value.double("SampleCountFloat")?,
                5 => {
                    let schema = value.signed("Schema")?;
                    native.schema = schema.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
                }
                6 => native.zero_threshold = value.double("ZeroThreshold")?,
                7 => native.zero_count = value.integer("ZeroCount")?,
                8 => native.zero_count_float = value.double("ZeroCountFloat")?,
                9 => native.negative.spans.push(span(value.message_of("NegativeSpan", "BucketSpan")?)?),
                10 => value.signed_list("NegativeDelta", &mut native.negative.deltas)?,
                11 => value.double_list("NegativeCount", &mut native.negative.counts)?,
                12 => native.positive.spans.push(span(value.message_of("PositiveSpan", "BucketSpan")?)?),
                13 => value.signed_list("PositiveDelta", &mut native.positive.deltas)?,
                14 => value.double_list("PositiveCount", &mut native.positive.counts)?,
                15 => self.start_ms = timestamp(value.message_of("StartTimestamp", "Timestamp")?)?,
                16 => self.exemplars.push(well_formed(value.bytes("Exemplars")?)?),
                _ => {}
            }
        }
        self.count = if native.count_float == 0.0 { count as f64 } else { native.count_float };
        if native.is_float() {
            self.count = native.count_float;
        }
        Ok(())
    }
}

fn label(mut fields: Fields<'_>) -> Result<(&str, &str), String> {
    let mut label = ("", "");
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => {
                let bytes = value.bytes("Name")?;
                let name = std::str::from_utf8(bytes).ok().filter(|name| !name.is_empty());
                let shown = || format!("invalid label name: {}", String::from_utf8_lossy(bytes));
                label.0 = name.ok_or_else(shown)?;
            }
            2 => {
                let bytes = value.bytes("Value")?;
                let shown = |_| format!("invalid label value: {}", String::from_utf8_lossy(bytes));
                label.1 = std::str::from_utf8(bytes).map_err(shown)?;
            }
            _ => {}
        }
    }
    Ok(label)
}

fn bucket(mut fields: Fields<'_>) -> Result<Bucket<'_>, String> {
    let mut bucket = Bucket { bound: 0.0, count: 0.0, exemplar: None };
    let mut whole = 0;
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => whole = value.integer("CumulativeCount")?,
            2 => bucket.bound = value.double("UpperBound")?,
            3 => bucket.exemplar = Some(well_formed(value.bytes("Exemplar")?)?),
            4 => bucket.count = value.double("CumulativeCountFloat")?,
            _ => {}
        }
    }
    if bucket.count == 0.0 {
        bucket.count = whole as f64;
    }
    Ok(bucket)
}

fn span(mut fields: Fields<'_>) -> Result<BucketSpan, String> {
    let mut span = BucketSpan { offset: 0, length: 0 };
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => {
                let offset = value.signed("Offset")?;
                span.offset = offset.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
            }
            2 => span.length = value.integer("Length")? as u32,
            _ => {}
        }
    }
    Ok(span)
}

/// Milliseconds of a `google.protobuf.Timestamp`.
fn timestamp(mut fields: Fields<'_>) -> Result<i64, String> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => seconds = value.integer("Seconds")? as i64,
            2 => nanos = i64::from(value.integer("Nanos")? as i32),
            _ => {}
        }
    }
    Ok(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
}

/// The bytes of an exemplar, if they are a message: one that is none makes the body unreadable.
fn well_formed(bytes: &[u8]) -> Result<&[u8], String> {
    let mut fields = Fields::new(bytes, "Exemplar");
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => {
                let mut label = value.message_of("Label", "LabelPair")?;
                while let Some((number, value)) = label.next()? {
                    match number {
                        1 => value.bytes("Name").map(drop)?,
                        2 => value.bytes("Value").map(drop)?,
                        _ => {}
                    }
                }
            }
            2 => value.double("Value").map(drop)?,
            3 => timestamp(value.message("Timestamp")?).map(drop)?,
            _ => {}
        }
    }
    Ok(bytes)
}

/// A well-formed exemplar; a label that is no text leaves it out.
pub(super) fn exemplar(bytes: &[u8]) -> Result<RawExemplar, String> {
    let mut exemplar = RawExemplar::default();
    let mut fields = Fields::new(bytes, "Exemplar");
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => {
                let (name, value) = label(value.message_of("Label", "LabelPair")?)?;
                exemplar.labels.push((name.to_owned(), value.to_owned()));
            }
            2 => exemplar.value = value.double("Value")?,
            3 => exemplar.time_ms = Some(timestamp(value.message("Timestamp")?)?),
            _ => {}
        }
    }
    Ok(exemplar)
}

/// The error of a name that is none.
pub(super) fn invalid_name(name: &[u8]) -> String {
    match std::str::from_utf8(name) {
        Ok(name) => format!("invalid metric name: {name}"),
        Err(_) => format!("invalid metric name: {}", Quoted(name)),
    }
}
