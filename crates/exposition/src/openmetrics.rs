//! OpenMetrics 1.0 text as Prometheus reads it: any order of families and samples, types not compared with values.

mod lexer;

use model::MetricType;

use crate::labels::{self, Lexer as _, Owner, Pairs, Places, Range};
use crate::parser::{Escapes, Event, HelpText, RawExemplar, Sample};
use crate::scan::{Scan, State, Token};
use crate::{Error, Quoted, Result};

use lexer::Lexer;

const CREATED: &[u8] = b"_created";

/// Reads a body line by line.
#[derive(Debug)]
pub struct OpenMetricsParser<'a> {
    lexer: Lexer<'a>,
    skip_created: bool,
    kind: MetricType,
    /// Bytes of the name of the family that was described last.
    family_length: usize,
    line_start: usize,
    series: Range,
    /// Whether `places` are those of the series: not where it was recognized rather than read.
    is_read: bool,
    places: Places,
    value: f64,
    time_ms: Option<i64>,
    /// The same as it stands in the body: there it may be finer.
    seconds: Option<f64>,
    exemplar: Option<Exemplar>,
    exemplar_places: Places,
    ahead: Ahead,
}

#[derive(Debug, Clone, Copy)]
struct Exemplar {
    value: f64,
    time_ms: Option<i64>,
}

/// What is known of the `_created` lines that follow.
#[derive(Debug, Default)]
struct Ahead {
    /// The one that was found last.
    created: Option<Created>,
    /// Up to this place there is no further one.
    none_before: usize,
}

#[derive(Debug)]
struct Created {
    line_start: usize,
    /// The name without `_created`.
    name: Range,
    labels: Vec<(Range, Range)>,
    time_ms: i64,
}

impl<'a> OpenMetricsParser<'a> {
    /// Begins with a body. `skip_created` leaves out the `_created` series of counters, summaries and histograms.
    pub fn new(body: &'a [u8], skip_created: bool) -> Self {
        Self::at(Scan::new(body, false), skip_created)
    }

    fn at(scan: Scan<'a>, skip_created: bool) -> Self {
        Self {
            lexer: Lexer(scan),
            skip_created,
            kind: MetricType::Unknown,
            family_length: 0,
            line_start: 0,
            series: (0, 0),
            is_read: false,
            places: Places::default(),
            value: 0.0,
            time_ms: None,
            seconds: None,
            exemplar: None,
            exemplar_places: Places::default(),
            ahead: Ahead::default(),
        }
    }

    fn scan(&self) -> &Scan<'a> {
        &self.lexer.0
    }

    /// The line of what was read last, from 1.
    pub(crate) fn line(&self) -> usize {
        self.scan().line_of(self.line_start)
    }

    /// The next event; `None` behind `# EOF`. `hint` may be the text of the series that is expected next.
    pub(crate) fn next(&mut self, hint: &[u8]) -> Result<Option<Event<'a>>> {
        loop {
            self.line_start = self.scan().at;
            self.exemplar = None;
            if labels::begins_with(self.scan(), hint) {
                let scan = &mut self.lexer.0;
                self.series = (scan.at, scan.at + hint.len());
                scan.start = scan.at;
                scan.at += hint.len();
                scan.state = State::Value;
                self.is_read = false;
                let token = self.lexer.token();
                self.sample_end(token)?;
                return Ok(Some(Event::Float));
            }
            match self.lexer.token() {
                Token::EofWord => {
                    return match self.lexer.token() {
                        Token::Eof => Ok(None),
                        _ => Err(self.scan().error("unexpected data after # EOF".to_owned())),
                    };
                }
                Token::Eof => return Err(self.ends_early()),
                token @ (Token::Help | Token::Type | Token::Unit) => return self.metadata(token).map(Some),
                token @ (Token::BraceOpen | Token::MetricName) => {
                    let token = self.read_series(token)?;
                    if self.places.name.is_none() {
                        return Err(labels::no_name(self.scan(), self.line_start));
                    }
                    self.sample_end(token)?;
                    if !(self.skip_created && self.is_created()) {
                        return Ok(Some(Event::Float));
                    }
                }
                token => return Err(self.unexpected("expected a valid start token", token)),
            }
        }
    }

    /// The sample that was read last.
    pub(crate) fn sample(&self) -> Sample<'a> {
        let key = self.scan().slice(self.series.0, self.series.1);
        Sample { key, time_ms: self.time_ms, value: self.value }
    }

    /// Its time in seconds.
    pub(crate) fn seconds(&self) -> Option<f64> {
        self.seconds
    }

    /// Its label set.
    pub(crate) fn labels(&mut self, into: &mut Pairs) -> Result<()> {
        self.find_places();
        self.places.read(self.scan(), self.kind, into)
    }

    /// Its label set, bounds and quantiles as they stand in the body.
    pub(crate) fn verbatim_labels(&mut self, into: &mut Pairs) -> Result<()> {
        self.find_places();
        self.places.read(self.scan(), MetricType::Unknown, into)
    }

    /// Its exemplar, once.
    pub(crate) fn exemplar(&mut self) -> Option<RawExemplar> {
        let exemplar = self.exemplar.take()?;
        // Escapes are left as they are: Prometheus does so.
        let text = |range: Range| String::from_utf8_lossy(self.scan().slice(range.0, range.1)).into_owned();
        let labels =
            self.exemplar_places.labels.iter().map(|(name, value)| (text(*name), text(*value))).collect();
        Some(RawExemplar { labels, value: exemplar.value, time_ms: exemplar.time_ms })
    }

    /// Since when the sample counts: the value of the next `_created` line of its family, if it has the same labels.
    pub(crate) fn start_ms(&mut self) -> i64 {
        if !counts(self.kind) || self.scan().at < self.ahead.none_before {
            return 0;
        }
        self.find_places();
        let Some((name_start, _)) = self.places.name else { return 0 };
        let name = (name_start, name_start + self.family_length);
        if let Some(created) = &self.ahead.created {
            if self.is_start_of(created, name) {
                return created.time_ms;
            }
            if created.line_start >= self.scan().at {
                return 0;
            }
        }
        self.look_ahead();
        match &self.ahead.created {
            Some(created) if self.is_start_of(created, name) => created.time_ms,
            _ => 0,
        }
    }

    fn is_start_of(&self, created: &Created, name: Range) -> bool {
        let scan = self.scan();
        let same = |left: Range, right: Range| scan.slice(left.0, left.1) == scan.slice(right.0, right.1);
        let bound: &[u8] = match self.kind {
            MetricType::Summary => b"quantile",
            MetricType::Histogram => b"le",
            _ => b"",
        };
        let identifies = |(name, _): &&(Range, Range)| scan.slice(name.0, name.1) != bound;
        let mut left = self.places.labels.iter().filter(identifies);
        let mut right = created.labels.iter().filter(identifies);
        same(created.name, name)
            && loop {
                match (left.next(), right.next()) {
                    (None, None) => break true,
                    (Some(left), Some(right)) if same(left.0, right.0) && same(left.1, right.1) => {}
                    _ => break false,
                }
            }
    }

    /// Finds the next `_created` line before the family ends.
    fn look_ahead(&mut self) {
        self.ahead = Ahead::default();
        let mut parser = Self::at(self.scan().clone(), false);
        while let Ok(Some(Event::Float)) = parser.next(&[]) {
            let Some((from, to)) = parser.places.name else { continue };
            let name = parser.scan().slice(from, to);
            if name.ends_with(CREATED) {
                self.ahead.created = Some(Created {
                    line_start: parser.line_start,
                    name: (from, to - CREATED.len()),
                    labels: std::mem::take(&mut parser.places.labels),
                    time_ms: millis(parser.value),
                });
                return;
            }
        }
        self.ahead.none_before = parser.line_start;
    }

    /// Reads a series from its first token on, which was taken; gives the token behind it.
    fn read_series(&mut self, first: Token) -> Result<Token> {
        self.is_read = true;
        self.places.clear();
        let mut token = first;
        if first == Token::MetricName {
            self.places.name = Some((self.line_start, self.scan().at));
            self.series = (self.line_start, self.scan().at);
            token = self.lexer.token();
        }
        if token == Token::BraceOpen {
            labels::read_list(&mut self.lexer, Owner::Sample, self.line_start, &mut self.places)?;
            self.series = (self.line_start, self.scan().at);
            token = self.lexer.token();
        }
        Ok(token)
    }

    /// Finds the labels of a series that was recognized: it was read before, so it has no errors.
    fn find_places(&mut self) {
        if self.is_read {
            return;
        }
        let behind = self.scan().clone();
        self.lexer.0.at = self.series.0;
        self.lexer.0.state = State::Init;
        let token = self.lexer.token();
        if self.read_series(token).is_err() {
            self.places.clear();
        }
        self.lexer.0 = behind;
    }

    fn is_created(&self) -> bool {
        let name = self.places.name.map(|(from, to)| self.scan().slice(from, to));
        counts(self.kind) && name.is_some_and(|name| name.ends_with(CREATED))
    }

    fn sample_end(&mut self, token: Token) -> Result<()> {
        self.value = self.number(token, "metric")?;
        (self.time_ms, self.seconds) = (None, None);
        match self.lexer.token() {
            Token::Eof => return Err(self.ends_early()),
            Token::Comment => self.read_exemplar()?,
            Token::Timestamp => {
                let seconds = self.timestamp("timestamp")?;
                (self.time_ms, self.seconds) = (Some(millis(seconds)), Some(seconds));
                match self.lexer.token() {
                    Token::Linebreak => {}
                    Token::Comment => self.read_exemplar()?,
                    token => return Err(self.unexpected("expected next entry after timestamp", token)),
                }
            }
            // What else there is makes the next line an error.
            _ => {}
        }
        Ok(())
    }

    fn read_exemplar(&mut self) -> Result<()> {
        self.exemplar_places.clear();
        labels::read_list(&mut self.lexer, Owner::Exemplar, self.line_start, &mut self.exemplar_places)?;
        let token = self.lexer.token();
        let value = self.number(token, "exemplar labels")?;
        let mut time_ms = None;
        match self.lexer.token() {
            Token::Eof => return Err(self.ends_early()),
            Token::Linebreak => {}
            Token::Timestamp => {
                time_ms = Some(millis(self.timestamp("exemplar timestamp")?));
                let token = self.lexer.token();
                if token != Token::Linebreak {
                    return Err(self.unexpected("expected next entry after exemplar timestamp", token));
                }
            }
            token => return Err(self.unexpected("expected timestamp or comment", token)),
        }
        self.exemplar = Some(Exemplar { value, time_ms });
        Ok(())
    }

    fn number(&self, token: Token, after: &str) -> Result<f64> {
        if token != Token::Value {
            return Err(self.unexpected(&format!("expected value after {after}"), token));
        }
        labels::read_value(self.scan(), &self.scan().text()[1..], self.line_start)
    }

    /// Seconds with a fraction.
    fn timestamp(&self, what: &str) -> Result<f64> {
        let text = &self.scan().text()[1..];
        let seconds = labels::read_value(self.scan(), text, self.line_start)?;
        if seconds.is_finite() {
            return Ok(seconds);
        }
        let number = crate::ShortestFloat(seconds);
        Err(self.scan().error(format!("invalid {what} {number}")))
    }

    fn metadata(&mut self, what: Token) -> Result<Event<'a>> {
        let token = self.lexer.token();
        if token != Token::MetricName {
            return Err(self.unexpected(&format!("expected metric name after {}", what.name()), token));
        }
        let family = match self.scan().text() {
            [b'"', inner @ .., b'"'] => inner,
            name => name,
        };
        self.family_length = family.len();
        if self.lexer.token() != Token::Text {
            return Err(self.scan().error(format!("expected text in {}", what.name())));
        }
        // Without the blank before it and the line break behind it.
        let text = self.scan().text();
        let text = &text[1..text.len() - 1];
        match what {
            Token::Type => {
                self.kind = parse_kind(text)
                    .ok_or_else(|| self.scan().error(format!("invalid metric type {}", Quoted(text))))?;
                Ok(Event::Type { family, kind: self.kind })
            }
            Token::Help if !self.scan().is_utf8(text) => {
                let message = format!("help text {} is not a valid utf8 string", Quoted(text));
                Err(self.scan().error(message))
            }
            Token::Help => Ok(Event::Help { family, text: HelpText { text, escapes: Escapes::Label } }),
            _ => {
                let fits =
                    text.is_empty() || family.strip_suffix(text).is_some_and(|name| name.ends_with(b"_"));
                if fits {
                    return Ok(Event::Unit { family, unit: text });
                }
                let (unit, family) = (Quoted(text), Quoted(family));
                Err(self.scan().error(format!("unit {unit} not a suffix of metric {family}")))
            }
        }
    }

    fn ends_early(&self) -> Error {
        self.scan().error("data does not end with # EOF".to_owned())
    }

    fn unexpected(&self, expected: &str, found: Token) -> Error {
        self.scan().unexpected(expected, found, self.line_start)
    }
}

fn millis(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

/// The type with a name in a `# TYPE` line.
fn parse_kind(name: &[u8]) -> Option<MetricType> {
    let kinds = [
        MetricType::Unknown,
        MetricType::Counter,
        MetricType::Gauge,
        MetricType::Histogram,
        MetricType::GaugeHistogram,
        MetricType::Summary,
        MetricType::Info,
        MetricType::StateSet,
    ];
    kinds.into_iter().find(|kind| kind.as_str().as_bytes() == name)
}

/// Whether series of a type count from a begin.
fn counts(kind: MetricType) -> bool {
    matches!(kind, MetricType::Counter | MetricType::Summary | MetricType::Histogram)
}
