//! One parser for the three formats: made by `Content-Type`, giving events.

use std::borrow::Cow;

use model::{Histogram, MetricType};

use crate::labels::{self, Pairs};
use crate::nhcb::NhcbParser;
use crate::openmetrics::OpenMetricsParser;
use crate::protobuf::ProtobufParser;
use crate::protocol::{self, MediaType};
use crate::text::TextParser;
use crate::{Error, Result};

/// What a body is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the configuration")]
pub struct Options {
    /// Native histograms of protobuf bodies are passed over; their classic buckets are read.
    pub ignore_native_histograms: bool,
    /// Classic histograms become native ones with custom buckets.
    pub convert_classic_to_nhcb: bool,
    /// Classic buckets are given beside the native histogram that is there or made of them.
    pub keep_classic: bool,
    /// The `_created` series of OpenMetrics are not given: their values are start timestamps only.
    pub skip_created: bool,
    /// Whether a histogram made of classic buckets should have its start timestamp.
    pub start_timestamps: bool,
    /// What a body without a usable `Content-Type` is read as.
    pub fallback: Option<MediaType>,
}

/// What a body has, in its order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event<'a> {
    /// The type of a metric family.
    Type {
        /// Its name.
        family: &'a [u8],
        /// Its type.
        kind: MetricType,
    },
    /// What a metric family measures.
    Help {
        /// Its name.
        family: &'a [u8],
        /// The text.
        text: HelpText<'a>,
    },
    /// The unit of a metric family.
    Unit {
        /// Its name.
        family: &'a [u8],
        /// The unit, perhaps empty.
        unit: &'a [u8],
    },
    /// A comment, with its `#`.
    Comment(&'a [u8]),
    /// A sample: [`Parser::sample`] has it.
    Float,
    /// A native histogram: [`Parser::sample`] has its series and time, [`Parser::histogram`] the rest.
    Histogram,
}

/// A help text as it stands in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HelpText<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) escapes: Escapes,
}

/// Which escapes a help text has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// None: protobuf.
    Plain,
    /// `\\` and `\n`: the Prometheus format.
    Help,
    /// Quotes as well: OpenMetrics.
    Label,
}

impl<'a> HelpText<'a> {
    /// The text without escapes.
    pub fn plain(self) -> Cow<'a, str> {
        let text = String::from_utf8_lossy(self.text);
        match self.escapes {
            Escapes::Help if text.contains('\\') => Cow::Owned(labels::unescape_help(&text)),
            Escapes::Label if text.contains('\\') => Cow::Owned(labels::unescape_label(&text)),
            _ => text,
        }
    }

    /// Its bytes as they stand in the body.
    pub fn raw(self) -> &'a [u8] {
        self.text
    }
}

/// A sample without its labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// The series as it stands in the body (for protobuf: name and labels, separated): the same bytes are the same series.
    pub key: &'a [u8],
    /// Milliseconds since the Unix epoch, where the body has a time.
    pub time_ms: Option<i64>,
    /// The value; 0 for a histogram.
    pub value: f64,
}

/// An exemplar as it is read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RawExemplar {
    /// Its labels, in no order.
    pub labels: Vec<(String, String)>,
    /// The observed value.
    pub value: f64,
    /// Milliseconds since the Unix epoch, where it has a time.
    pub time_ms: Option<i64>,
}

/// The line based formats.
#[derive(Debug)]
pub(crate) enum Lines<'a> {
    Text(Box<TextParser<'a>>),
    OpenMetrics(Box<OpenMetricsParser<'a>>),
}

impl<'a> Lines<'a> {
    pub(crate) fn next(&mut self, hint: &[u8]) -> Result<Option<Event<'a>>> {
        match self {
            Self::Text(parser) => parser.next(hint),
            Self::OpenMetrics(parser) => parser.next(hint),
        }
    }

    pub(crate) fn sample(&self) -> Sample<'a> {
        match self {
            Self::Text(parser) => parser.sample(),
            Self::OpenMetrics(parser) => parser.sample(),
        }
    }

    pub(crate) fn labels(&mut self, into: &mut Pairs) -> Result<()> {
        match self {
            Self::Text(parser) => parser.labels(into),
            Self::OpenMetrics(parser) => parser.labels(into),
        }
    }

    pub(crate) fn exemplar(&mut self) -> Option<RawExemplar> {
        match self {
            Self::Text(_) => None,
            Self::OpenMetrics(parser) => parser.exemplar(),
        }
    }

    pub(crate) fn start_ms(&mut self) -> i64 {
        match self {
            Self::Text(_) => 0,
            Self::OpenMetrics(parser) => parser.start_ms(),
        }
    }
}

/// Reads a body event by event.
#[derive(Debug)]
pub struct Parser<'a>(Inner<'a>);

#[derive(Debug)]
enum Inner<'a> {
    Lines(Lines<'a>),
    Protobuf(Box<ProtobufParser<'a>>),
    Nhcb(Box<NhcbParser<'a>>),
}

impl<'a> Parser<'a> {
    /// A parser for a body by its `Content-Type`. The text beside it says why the fallback was taken. Fails if there is no
    /// telling what the body is, with Prometheus' text.
    pub fn new(body: &'a [u8], content_type: &str, options: &Options) -> Result<(Self, Option<String>)> {
        let (media_type, warning) = protocol::media_type(content_type, options.fallback)
            .map_err(|message| Error { message, line: 0 })?;
        Ok((Self::of(body, media_type, options), warning))
    }

    /// A parser for a body in a format.
    pub fn of(body: &'a [u8], media_type: MediaType, options: &Options) -> Self {
        let lines = match media_type {
            MediaType::Protobuf => {
                return Self(Inner::Protobuf(Box::new(ProtobufParser::new(body, options))));
            }
            MediaType::OpenMetrics => {
                Lines::OpenMetrics(Box::new(OpenMetricsParser::new(body, options.skip_created)))
            }
            MediaType::Text => Lines::Text(Box::new(TextParser::new(body))),
        };
        if options.convert_classic_to_nhcb {
            return Self(Inner::Nhcb(Box::new(NhcbParser::new(lines, *options))));
        }
        Self(Inner::Lines(lines))
    }

    /// The next event; `None` at the end of the body.
    pub fn next_event(&mut self) -> Result<Option<Event<'a>>> {
        self.next_expecting(&[])
    }

    /// The next event, where a sample of a series with this [`Sample::key`] is expected: it is recognized without being
    /// read. A wrong guess costs little and changes nothing. The key must come from a body of the same format.
    pub fn next_expecting(&mut self, key: &[u8]) -> Result<Option<Event<'a>>> {
        match &mut self.0 {
            Inner::Lines(parser) => parser.next(key),
            Inner::Protobuf(parser) => parser.next(),
            Inner::Nhcb(parser) => parser.next(),
        }
    }

    /// Series, time and value of the sample that was read last.
    pub fn sample(&self) -> Sample<'_> {
        match &self.0 {
            Inner::Lines(parser) => parser.sample(),
            Inner::Protobuf(parser) => parser.sample(),
            Inner::Nhcb(parser) => parser.sample(),
        }
    }

    /// Appends its labels, the metric's name as `__name__`, in no order and without removing what is there twice.
    pub fn labels(&mut self, into: &mut Pairs) -> Result<()> {
        match &mut self.0 {
            Inner::Lines(parser) => return parser.labels(into),
            Inner::Protobuf(parser) => parser.labels(into),
            Inner::Nhcb(parser) => parser.labels(into),
        }
        Ok(())
    }

    /// The histogram of [`Event::Histogram`], once; `None` for other events.
    pub fn histogram(&mut self) -> Option<Histogram> {
        match &mut self.0 {
            Inner::Lines(_) => None,
            Inner::Protobuf(parser) => parser.histogram(),
            Inner::Nhcb(parser) => parser.histogram(),
        }
    }

    /// The next exemplar of the sample; `None` if there is no further one.
    pub fn exemplar(&mut self) -> Option<RawExemplar> {
        match &mut self.0 {
            Inner::Lines(parser) => parser.exemplar(),
            Inner::Protobuf(parser) => parser.exemplar(),
            Inner::Nhcb(parser) => parser.exemplar(),
        }
    }

    /// Since when the sample counts, milliseconds since the Unix epoch; 0 if that is not known.
    pub fn start_ms(&mut self) -> i64 {
        match &mut self.0 {
            Inner::Lines(parser) => parser.start_ms(),
            Inner::Protobuf(parser) => parser.start_ms(),
            Inner::Nhcb(parser) => parser.start_ms(),
        }
    }
}
