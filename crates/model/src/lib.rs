//! The words that every other crate speaks: attribute values, identifiers, spans, labels, log entries, samples, time.
//!
//! Types only, with the little behaviour that belongs to a type: ordering, formatting, parsing. No I/O, no clock but
//! the [`Clock`] that others pass in, no wire format (that is `otlp`), no storage.
//!
//! Begin with [`value::Value`] and [`span::Span`] for traces, [`labels::Labels`] and [`matcher::Matcher`] for
//! everything that is selected by labels.

pub mod batch;
pub mod duration;
pub mod go_math;
pub mod histogram;
pub mod id;
pub mod kahan;
pub mod labels;
pub mod literal;
pub mod log;
pub mod matcher;
pub mod number;
pub mod regex;
pub mod sample;
pub mod span;
pub mod time;
pub mod value;

pub use batch::{Batch, DataPoint, Family, Metadata, MetricType, SampleValue, SeriesSample, Temporality};
pub use id::{SpanId, TraceId};
pub use labels::Labels;
pub use log::{LogEntry, LogStream};
pub use matcher::{MatchOp, Matcher};
pub use sample::{Exemplar, Histogram, Sample};
pub use span::{Event, Link, Resource, Scope, Span, SpanKind, StatusCode};
pub use time::{Clock, ManualClock, SystemClock, TimeRange};
pub use value::{KeyValue, Value};
