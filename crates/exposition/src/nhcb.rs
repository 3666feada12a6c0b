//! Classic histograms of a text body, put together as native ones with custom buckets.

use model::labels::METRIC_NAME;
use model::{Histogram, MetricType};

use crate::classic::Collected;
use crate::labels::Pairs;
use crate::parser::{Event, Lines, Options, RawExemplar, Sample};
use crate::{Quoted, Result, float};

/// Gives what a text parser gives, with a histogram behind the classic series that it is made of. The classic ones are
/// left out, or kept as well.
#[derive(Debug)]
pub(crate) struct NhcbParser<'a> {
    lines: Lines<'a>,
    keep_classic: bool,
    start_timestamps: bool,
    state: State,
    family: &'a [u8],
    kind: MetricType,
    /// What the lines gave last, while a histogram is given before it.
    pending: Option<Event<'a>>,
    sample: Sample<'a>,
    /// Its labels, by name.
    labels: Pairs,
    collecting: Classic,
    made: Made,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    Collecting,
    Emitting,
}

/// What is collected.
#[derive(Debug, Default)]
struct Classic {
    values: Collected,
    /// The labels of the histogram: the name of the family, no `le`.
    labels: Pairs,
    exemplars: Vec<RawExemplar>,
    start_ms: i64,
    time_ms: Option<i64>,
}

/// What was made of it.
#[derive(Debug, Default)]
struct Made {
    key: Vec<u8>,
    labels: Pairs,
    histogram: Option<Histogram>,
    exemplars: std::vec::IntoIter<RawExemplar>,
    start_ms: i64,
    time_ms: Option<i64>,
}

impl<'a> NhcbParser<'a> {
    pub(crate) fn new(lines: Lines<'a>, options: Options) -> Self {
        Self {
            lines,
            keep_classic: options.keep_classic,
            start_timestamps: options.start_timestamps,
            state: State::Plain,
            family: &[],
            kind: MetricType::Unknown,
            pending: None,
            sample: Sample { key: &[], time_ms: None, value: 0.0 },
            labels: Pairs::new(),
            collecting: Classic::default(),
            made: Made::default(),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Option<Event<'a>>> {
        loop {
            let event = if self.state == State::Emitting {
                self.state = State::Plain;
                self.pending
            } else {
                let event = self.lines.next(&[])?;
                if event == Some(Event::Float) {
                    self.sample = self.lines.sample();
                    self.labels.clear();
                    self.lines.labels(&mut self.labels)?;
                    self.labels.sort();
                }
                if let Some(Event::Type { family, kind }) = event {
                    (self.family, self.kind) = (family, kind);
                }
                let ended = event != Some(Event::Float) || self.is_other_histogram();
                if ended && self.convert() {
                    self.pending = event;
                    return Ok(Some(Event::Histogram));
                }
                event
            };
            if event != Some(Event::Float) || !self.collect() || self.keep_classic {
                return Ok(event);
            }
        }
    }

    pub(crate) fn sample(&self) -> Sample<'_> {
        match self.state {
            State::Emitting => Sample { key: &self.made.key, time_ms: self.made.time_ms, value: 0.0 },
            _ => self.sample,
        }
    }

    pub(crate) fn labels(&self, into: &mut Pairs) {
        let labels = if self.state == State::Emitting { &self.made.labels } else { &self.labels };
        into.extend_from_slice(labels);
    }

    pub(crate) fn histogram(&mut self) -> Option<Histogram> {
        self.made.histogram.take()
    }

    pub(crate) fn exemplar(&mut self) -> Option<RawExemplar> {
        match self.state {
            State::Emitting => self.made.exemplars.next(),
            _ => self.lines.exemplar(),
        }
    }

    pub(crate) fn start_ms(&mut self) -> i64 {
        match self.state {
            State::Plain => self.lines.start_ms(),
            State::Collecting => self.collecting.start_ms,
            State::Emitting => self.made.start_ms,
        }
    }

    /// Suffix and base of the sample's name.
    fn name(&self) -> (&str, &str) {
        let name = get(&self.labels, METRIC_NAME).unwrap_or_default();
        ["_bucket", "_sum", "_count"]
            .into_iter()
            .find_map(|suffix| Some((suffix, name.strip_suffix(suffix)?)))
            .unwrap_or(("", name))
    }

    /// Whether the sample does not belong to what is collected.
    fn is_other_histogram(&self) -> bool {
        let known = &self.collecting.labels;
        let identifies =
            |(name, _): &&(String, String)| name.as_str() != "le" && name.as_str() != METRIC_NAME;
        self.kind != MetricType::Histogram
            || get(known, METRIC_NAME) != Some(self.name().1)
            || !self.labels.iter().filter(identifies).eq(known.iter().filter(identifies))
    }

    /// Collects the sample if it is one of a classic histogram; whether it is.
    fn collect(&mut self) -> bool {
        let (suffix, base) = self.name();
        if self.kind != MetricType::Histogram || base.as_bytes() != self.family {
            return false;
        }
        let bound = match suffix {
            "_bucket" => match get(&self.labels, "le").map(|text| float::parse_go(text.as_bytes())) {
                Some(Ok(bound)) if !bound.is_nan() => Some(bound),
                _ => return false,
            },
            "" => return false,
            _ => None,
        };
        let (is_sum, base) = (suffix == "_sum", base.to_owned());
        if self.state != State::Collecting {
            self.state = State::Collecting;
            self.collecting.start_ms = if self.start_timestamps { self.lines.start_ms() } else { 0 };
            self.collecting.labels.clear();
            let labels = self.labels.iter().filter(|(name, _)| name != "le" && name != METRIC_NAME);
            self.collecting.labels.push((METRIC_NAME.to_owned(), base));
            self.collecting.labels.extend(labels.cloned());
        }
        while let Some(exemplar) = self.lines.exemplar() {
            self.collecting.exemplars.push(exemplar);
        }
        self.collecting.time_ms = self.sample.time_ms;
        let values = &mut self.collecting.values;
        match bound {
            Some(bound) => values.add_bucket(bound, self.sample.value),
            None if is_sum => values.set_sum(self.sample.value),
            None => values.set_count(self.sample.value),
        }
        true
    }

    /// Makes a histogram of what was collected; whether there is one.
    fn convert(&mut self) -> bool {
        if self.state != State::Collecting {
            return false;
        }
        let classic = &mut self.collecting;
        let converted = classic.values.convert();
        classic.values.reset();
        let exemplars = std::mem::take(&mut classic.exemplars);
        let Ok(histogram) = converted else {
            self.state = State::Plain;
            return false;
        };
        self.made = Made {
            key: key(&classic.labels),
            labels: std::mem::take(&mut classic.labels),
            histogram: Some(histogram),
            exemplars: exemplars.into_iter(),
            start_ms: classic.start_ms,
            time_ms: classic.time_ms,
        };
        self.state = State::Emitting;
        true
    }
}

fn get<'p>(labels: &'p Pairs, name: &str) -> Option<&'p str> {
    labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Name and labels as a series is written.
fn key(labels: &Pairs) -> Vec<u8> {
    let name = get(labels, METRIC_NAME).unwrap_or_default();
    let others = labels.iter().filter(|(name, _)| name != METRIC_NAME);
    let others: Vec<_> = others.map(|(name, value)| format!("{name}={}", Quoted(value.as_bytes()))).collect();
    if others.is_empty() {
        return name.as_bytes().to_vec();
    }
    format!("{name}{{{}}}", others.join(",")).into_bytes()
}
