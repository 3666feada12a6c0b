//! The protobuf format: `io.prometheus.client.MetricFamily` messages, each with its length before it. The only format
//! with native histograms.

mod message;
mod wire;

use model::sample::{BucketSpan, ResetHint};
use model::{Histogram, MetricType};

use crate::classic::{Collected, packed};
use crate::labels::Pairs;
use crate::parser::{Escapes, Event, HelpText, Options, RawExemplar, Sample};
use crate::{Error, OpenMetricsFloat, Result};

use message::{Family, Metric, Side};
use wire::Fields;

/// Longest encoding of a length.
const MAX_LENGTH_BYTES: usize = 5;

/// Between the parts of a series' key: no UTF-8 has it.
const SEPARATOR: u8 = 0xff;

/// Reads a body metric by metric.
#[derive(Debug)]
pub struct ProtobufParser<'a> {
    rest: &'a [u8],
    options: Options,
    family: Family<'a>,
    /// Metrics of the family that were decoded.
    decoded: usize,
    metric: Metric<'a>,
    step: Step,
    key: Vec<u8>,
    /// The label that the format implies: `le` or `quantile`.
    bound: Option<(&'static str, String)>,
    suffix: &'static str,
    made: Option<Histogram>,
    /// Of the next exemplar, among those of the sample.
    next_exemplar: usize,
}

/// What was given last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing of the next family yet.
    Between,
    Help,
    Unit,
    Type,
    /// A simple value.
    Value,
    Count,
    Sum,
    /// A quantile or classic bucket by its position; the bucket behind the last one is `+Inf`.
    Part(usize),
    Native,
    /// A histogram made of classic buckets.
    Made,
}

impl<'a> ProtobufParser<'a> {
    /// Begins with a body.
    pub fn new(body: &'a [u8], options: &Options) -> Self {
        Self {
            rest: body,
            options: *options,
            family: Family::default(),
            decoded: 0,
            metric: Metric::default(),
            step: Step::Between,
            key: Vec::new(),
            bound: None,
            suffix: "",
            made: None,
            next_exemplar: 0,
        }
    }

    /// The next event; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Event<'a>>> {
        self.advance().map_err(|message| Error { message, line: 0 })
    }

    /// The sample that was read last.
    pub(crate) fn sample(&self) -> Sample<'_> {
        let time_ms = Some(self.metric.time_ms).filter(|time_ms| *time_ms != 0);
        let value = match self.step {
            Step::Value => self.metric.value,
            Step::Count => self.metric.count,
            Step::Sum => self.metric.sum,
            Step::Part(index) if self.family.kind.is_histogram() => {
                self.metric.buckets.get(index).map_or(self.metric.count, |bucket| bucket.count)
            }
            Step::Part(index) => self.metric.quantiles.get(index).map_or(0.0, |(_, value)| *value),
            _ => 0.0,
        };
        Sample { key: &self.key, time_ms, value }
    }

    /// Its label set.
    pub(crate) fn labels(&self, into: &mut Pairs) {
        let name = format!("{}{}", String::from_utf8_lossy(self.family.name), self.suffix);
        into.push((model::labels::METRIC_NAME.to_owned(), name));
        into.extend(self.metric.labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        into.extend(self.bound.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }

    /// The histogram of the event.
    pub(crate) fn histogram(&mut self) -> Option<Histogram> {
        match self.step {
            Step::Native => Some(self.native()),
            _ => self.made.take(),
        }
    }

    /// The next exemplar of the sample. Those of native histograms without a time are left out: they could not be told
    /// from new ones with the same value.
    pub(crate) fn exemplar(&mut self) -> Option<RawExemplar> {
        let histogram = matches!(self.step, Step::Native | Step::Made);
        loop {
            let index = self.next_exemplar;
            self.next_exemplar += 1;
            let buckets = &self.metric.buckets;
            let bytes = match self.step {
                Step::Value if index == 0 => self.metric.exemplar?,
                Step::Part(bucket) if index == 0 => buckets.get(bucket)?.exemplar?,
                Step::Native | Step::Made if !self.metric.exemplars.is_empty() => {
                    self.metric.exemplars.get(index).copied()?
                }
                Step::Native | Step::Made => match buckets.get(index)?.exemplar {
                    Some(exemplar) => exemplar,
                    None => continue,
                },
                _ => return None,
            };
            let exemplar = message::exemplar(bytes).ok();
            if let Some(exemplar) = exemplar.filter(|exemplar| !histogram || exemplar.time_ms.is_some()) {
                return Some(exemplar);
            }
            if !histogram {
                return None;
            }
        }
    }

    /// Since when the sample counts.
    pub(crate) fn start_ms(&self) -> i64 {
        self.metric.start_ms
    }

    fn advance(&mut self) -> Result<Option<Event<'a>>, String> {
        match self.step {
            Step::Between => {
                if !self.next_family()? {
                    return Ok(None);
                }
                self.step = Step::Help;
                let text = HelpText { text: self.family.help, escapes: Escapes::Plain };
                Ok(Some(Event::Help { family: self.family.name, text }))
            }
            Step::Help if !self.family.unit.is_empty() => {
                self.step = Step::Unit;
                Ok(Some(Event::Unit { family: self.family.name, unit: self.family.unit }))
            }
            Step::Help | Step::Unit => {
                self.step = Step::Type;
                let kind: MetricType = self.family.kind.metric_type();
                Ok(Some(Event::Type { family: self.family.name, kind }))
            }
            Step::Type => self.first_of_metric().map(Some),
            Step::Count => Ok(Some(self.classic(Step::Sum))),
            Step::Sum if self.part_count() > 0 => Ok(Some(self.classic(Step::Part(0)))),
            Step::Part(index) if index + 1 < self.part_count() && !self.is_last_bucket(index) => {
                Ok(Some(self.classic(Step::Part(index + 1))))
            }
            // The classic series of a histogram are followed by the one that is made of them.
            Step::Sum | Step::Part(_) if self.options.convert_classic_to_nhcb && !self.is_native() => {
                if self.family.kind.is_histogram() { self.convert().map(Some) } else { self.next_metric() }
            }
            Step::Native if self.options.keep_classic && !self.metric.buckets.is_empty() => {
                Ok(Some(self.classic(Step::Count)))
            }
            Step::Value | Step::Sum | Step::Part(_) | Step::Native | Step::Made => self.next_metric(),
        }
    }

    /// Decodes families until one has a metric, and its first metric.
    fn next_family(&mut self) -> Result<bool, String> {
        loop {
            if self.rest.is_empty() {
                return Ok(false);
            }
            let mut fields = Fields::new(self.rest, "MetricFamily");
            let length = fields.varint().ok();
            let length_bytes = self.rest.len() - fields.rest.len();
            let length = length.filter(|_| length_bytes <= MAX_LENGTH_BYTES);
            let length = length.ok_or("clientpb: invalid varint encountered")? as usize;
            let (message, rest) = fields.rest.split_at_checked(length).ok_or_else(|| {
                let (expected, got) = (length_bytes + length, self.rest.len());
                format!(
                    "clientpb: insufficient length of buffer, expected at least {expected} bytes, got {got} bytes"
                )
            })?;
            self.rest = rest;
            self.family.decode(message)?;
            self.decoded = 0;
            if self.decode_metric()? {
                break;
            }
        }
        let name = self.family.name;
        if name.is_empty() || std::str::from_utf8(name).is_err() {
            return Err(message::invalid_name(name));
        }
        let name = String::from_utf8_lossy(name);
        if std::str::from_utf8(self.family.help).is_err() {
            let help = String::from_utf8_lossy(self.family.help);
            return Err(format!("invalid help for metric \"{name}\": {help}"));
        }
        if let message::Kind::Other(number) = self.family.kind {
            return Err(format!("unknown metric type for metric \"{name}\": {number}"));
        }
        Ok(true)
    }

    fn decode_metric(&mut self) -> Result<bool, String> {
        let Some(bytes) = self.family.metrics.get(self.decoded) else { return Ok(false) };
        self.decoded += 1;
        self.metric.decode(self.family.kind, bytes)?;
        Ok(true)
    }

    fn next_metric(&mut self) -> Result<Option<Event<'a>>, String> {
        if self.decode_metric()? {
            return self.first_of_metric().map(Some);
        }
        self.step = Step::Between;
        self.advance()
    }

    fn first_of_metric(&mut self) -> Result<Event<'a>, String> {
        if !self.family.kind.is_histogram() {
            let step = if self.family.kind == message::Kind::Summary { Step::Count } else { Step::Value };
            return Ok(self.classic(step));
        }
        if self.is_native() {
            self.check_native()?;
            self.step = Step::Native;
            self.enter("", None);
            return Ok(Event::Histogram);
        }
        if self.options.convert_classic_to_nhcb && !self.options.keep_classic {
            return self.convert();
        }
        Ok(self.classic(Step::Count))
    }

    fn is_native(&self) -> bool {
        !self.options.ignore_native_histograms
            && self.family.kind.is_histogram()
            && self.metric.native.is_present()
    }

    fn part_count(&self) -> usize {
        match self.family.kind {
            message::Kind::Summary => self.metric.quantiles.len(),
            // One more for `+Inf`, which may be left out.
            _ => self.metric.buckets.len() + 1,
        }
    }

    /// Whether a classic bucket is the one that holds everything.
    fn is_last_bucket(&self, index: usize) -> bool {
        self.family.kind.is_histogram()
            && self.metric.buckets.get(index).is_some_and(|bucket| bucket.bound == f64::INFINITY)
    }

    /// Goes to a float sample.
    fn classic(&mut self, step: Step) -> Event<'a> {
        let histogram = self.family.kind.is_histogram();
        self.step = step;
        match step {
            Step::Count => self.enter("_count", None),
            Step::Sum => self.enter("_sum", None),
            Step::Part(index) if histogram => {
                let bound = self.metric.buckets.get(index).map_or(f64::INFINITY, |bucket| bucket.bound);
                self.enter("_bucket", Some(("le", OpenMetricsFloat(bound).to_string())));
            }
            Step::Part(index) => {
                let quantile = self.metric.quantiles[index].0;
                self.enter("", Some(("quantile", OpenMetricsFloat(quantile).to_string())));
            }
            _ => self.enter("", None),
        }
        Event::Float
    }

    /// Names the series of a sample.
    fn enter(&mut self, suffix: &'static str, bound: Option<(&'static str, String)>) {
        (self.suffix, self.bound, self.next_exemplar) = (suffix, bound, 0);
        self.key.clear();
        self.key.extend_from_slice(self.family.name);
        self.key.extend_from_slice(suffix.as_bytes());
        // As the labels come; targets send them in one order.
        let bound = self.bound.iter().map(|(name, value)| (*name, value.as_str()));
        for (name, value) in self.metric.labels.iter().copied().chain(bound) {
            for part in [name, value] {
                self.key.push(SEPARATOR);
                self.key.extend_from_slice(part.as_bytes());
            }
        }
        if self.step == Step::Native || self.step == Step::Made {
            // A float series may have the same name and labels.
            self.key.push(SEPARATOR);
        }
    }

    fn check_native(&self) -> Result<(), String> {
        let native = &self.metric.native;
        for (side, buckets) in [("positive", &native.positive), ("negative", &native.negative)] {
            let have = if native.is_float() { buckets.counts.len() } else { buckets.deltas.len() };
            let required: u64 = buckets.spans.iter().map(|span| u64::from(span.length)).sum();
            if required != have as u64 {
                let name = String::from_utf8_lossy(self.family.name);
                return Err(format!(
                    "histogram \"{name}\": {side} side: spans require {required} buckets, have {have}"
                ));
            }
        }
        Ok(())
    }

    fn native(&self) -> Histogram {
        let native = &self.metric.native;
        let side = |side: &Side| {
            if native.is_float() {
                return compact(&side.spans, side.counts.iter().copied());
            }
            let mut count = 0_i64;
            let counts = side.deltas.iter().map(|delta| {
                count = count.wrapping_add(*delta);
                count as f64
            });
            compact(&side.spans, counts)
        };
        let (positive_spans, positive_buckets) = side(&native.positive);
        let (negative_spans, negative_buckets) = side(&native.negative);
        Histogram {
            schema: native.schema,
            zero_threshold: native.zero_threshold,
            zero_count: native.zero_count(),
            count: self.metric.count,
            sum: self.metric.sum,
            positive_spans,
            positive_buckets,
            negative_spans,
            negative_buckets,
            custom_values: Vec::new(),
            reset_hint: self.reset_hint(),
        }
    }

    fn reset_hint(&self) -> ResetHint {
        match self.family.kind {
            message::Kind::GaugeHistogram => ResetHint::Gauge,
            _ => ResetHint::Unknown,
        }
    }

    /// Makes a histogram of the classic buckets.
    fn convert(&mut self) -> Result<Event<'a>, String> {
        let mut classic = Collected::default();
        classic.set_count(self.metric.count);
        classic.set_sum(self.metric.sum);
        for bucket in &self.metric.buckets {
            classic.add_bucket(bucket.bound, bucket.count);
        }
        let histogram = classic.convert()?;
        self.made = Some(Histogram { reset_hint: self.reset_hint(), ..histogram });
        self.step = Step::Made;
        self.enter("", None);
        Ok(Event::Histogram)
    }
}

/// Buckets without the empty ones. There are as many counts as the spans say.
fn compact(spans: &[BucketSpan], counts: impl Iterator<Item = f64>) -> (Vec<BucketSpan>, Vec<f64>) {
    let mut end = 0_i64;
    let indexes = spans.iter().flat_map(|span| {
        let start = end + i64::from(span.offset);
        end = start + i64::from(span.length);
        start..end
    });
    packed(indexes.zip(counts))
}
