//! Series with their points. What the notation means is told in [`crate::series_text`].

mod histogram;

use std::sync::Arc;

use model::labels::METRIC_NAME;
use model::sample::STALE_NAN_BITS;
use model::{Histogram, Labels};

use super::selector::may_name_a_metric;
use super::{MAX_QUERY_BYTES, Parser, Result};
use crate::error::{ParseError, Span};
use crate::lexer::{Kind, lex_series};
use crate::series_text::{MAX_POINTS, Point, SeriesText};
use crate::text;
pub(super) use histogram::item_number;

const POINTS: &str = "series values";
const LABELS: &str = "label set";

/// Reads a series with its points.
pub(crate) fn parse_series(line: &str) -> Result<SeriesText> {
    if line.len() > MAX_QUERY_BYTES {
        let message = format!("the series is longer than {MAX_QUERY_BYTES} bytes");
        return Err(ParseError::new(line, Span::default(), message));
    }
    let (tokens, lex_error) = lex_series(line);
    let mut parser =
        Parser { query: line, tokens, lex_error, at: 0, operators: 0, regex_bytes: 0, aggregates: 0 };
    let labels = parser.metric()?;
    let mut points = Vec::new();
    // Prometheus only says that it reads points where it is in the middle of something.
    let mut context = POINTS;
    while parser.peek().kind != Kind::Eof {
        parser.expect(Kind::Space, context, "")?;
        context = "";
        if parser.peek().kind != Kind::Eof {
            parser.points(&mut points)?;
        }
    }
    Ok(SeriesText { labels, points })
}

/// Reads the labels of a series, its name among them: `up{job="a"}`. No text has no labels.
///
/// # Errors
///
/// In Prometheus' words, with the place in the text.
///
/// ```
/// assert_eq!(promql::parse_metric("up{job=\"a\"}")?.get("__name__"), "up");
/// assert!(promql::parse_metric("")?.is_empty());
/// # Ok::<(), promql::ParseError>(())
/// ```
pub fn parse_metric(text: &str) -> Result<Labels> {
    let mut parser = Parser::new(text)?;
    let labels = parser.metric()?;
    match parser.peek().kind {
        Kind::Eof => Ok(labels),
        _ => Err(parser.unexpected("", "")),
    }
}

impl Parser<'_> {
    fn metric(&mut self) -> Result<Labels> {
        let name = may_name_a_metric(self.peek().kind).then(|| self.advance());
        let mut pairs = Vec::new();
        if self.peek().kind == Kind::LeftBrace {
            self.advance();
            self.label_set(&mut pairs)?;
        }
        if let Some(name) = name {
            pairs.push((METRIC_NAME.to_owned(), self.text(name).to_owned()));
        }
        Ok(Labels::new(pairs))
    }

    fn label_set(&mut self, pairs: &mut Vec<(String, String)>) -> Result<()> {
        loop {
            let token = self.peek();
            match token.kind {
                Kind::RightBrace => {
                    self.advance();
                    return Ok(());
                }
                Kind::Identifier => {
                    self.advance();
                    self.expect(Kind::Equal, LABELS, "\"=\"")?;
                    let value = self.expect(Kind::String, LABELS, "string")?;
                    pairs.push((self.text(token).to_owned(), text::unquote(self.text(value))));
                }
                Kind::String => {
                    self.advance();
                    let quoted = text::unquote(self.text(token));
                    if self.peek().kind == Kind::Equal {
                        self.advance();
                        let value = self.expect(Kind::String, LABELS, "string")?;
                        pairs.push((quoted, text::unquote(self.text(value))));
                    } else {
                        pairs.push((METRIC_NAME.to_owned(), quoted));
                    }
                }
                _ => return Err(self.unexpected(LABELS, "identifier or \"}\"")),
            }
            match self.peek().kind {
                Kind::Comma => _ = self.advance(),
                Kind::RightBrace => {}
                _ => return Err(self.unexpected(LABELS, "\",\" or \"}\"")),
            }
        }
    }

    /// One point, or a row of them.
    fn points(&mut self, points: &mut Vec<Point>) -> Result<()> {
        match self.peek().kind {
            Kind::Blank => {
                self.advance();
                let times = self.times()?.unwrap_or(1);
                self.repeat(points, times, std::iter::repeat(Point::None))
            }
            Kind::OpenHistogram => self.histograms(points),
            Kind::Number | Kind::Identifier | Kind::Operator => self.floats(points),
            _ => Err(self.unexpected("", "")),
        }
    }

    fn floats(&mut self, points: &mut Vec<Point>) -> Result<()> {
        let mut value = self.float()?;
        let step =
            if matches!(self.peek().kind, Kind::Operator) { Some(self.signed_number()?) } else { None };
        let times = match self.times()? {
            Some(times) => times,
            None if step.is_some() => return Err(self.unexpected(POINTS, "")),
            None => return self.repeat(points, 1, std::iter::once(Point::Float(value))),
        };
        let row = std::iter::from_fn(|| {
            let point = Point::Float(value);
            value += step.unwrap_or(0.0);
            Some(point)
        });
        self.repeat(points, times.saturating_add(1), row)
    }

    fn float(&mut self) -> Result<f64> {
        let token = self.peek();
        match token.kind {
            Kind::Identifier if self.text(token) == "stale" => {
                self.advance();
                Ok(f64::from_bits(STALE_NAN_BITS))
            }
            Kind::Identifier => Err(self.unexpected(POINTS, "number or \"stale\"")),
            Kind::Operator => self.signed_number(),
            _ => self.number(POINTS, ""),
        }
    }

    fn signed_number(&mut self) -> Result<f64> {
        let negative = self.is_operator("-");
        self.advance();
        let number = self.number(POINTS, "")?;
        Ok(if negative { -number } else { number })
    }

    fn number(&mut self, context: &str, expected: &str) -> Result<f64> {
        if self.peek().kind != Kind::Number {
            return Err(self.unexpected(context, expected));
        }
        Ok(self.number_or_duration()?.value)
    }

    /// The number behind an `x`, if there is one.
    fn times(&mut self) -> Result<Option<u64>> {
        if self.peek().kind != Kind::Times {
            return Ok(None);
        }
        self.advance();
        self.whole_number(POINTS, "").map(Some)
    }

    fn whole_number(&mut self, context: &str, expected: &str) -> Result<u64> {
        let token = self.expect(Kind::Number, context, expected)?;
        let text = self.text(token);
        text.parse().map_err(|_| {
            let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
            let reason = if all_digits { "value out of range" } else { "invalid syntax" };
            let message =
                format!("invalid repetition in series values: strconv.ParseUint: parsing {text:?}: {reason}");
            self.error(token.span, message)
        })
    }

    /// Adds the first points of a row, unless there are too many.
    fn repeat(&self, points: &mut Vec<Point>, times: u64, row: impl Iterator<Item = Point>) -> Result<()> {
        let left = MAX_POINTS - points.len();
        match usize::try_from(times) {
            Ok(times) if times <= left => points.extend(row.take(times)),
            _ => {
                let message = format!("the series has more than {MAX_POINTS} points");
                return Err(self.error(self.last().span, message));
            }
        }
        Ok(())
    }

    /// The token that was read last.
    fn last(&self) -> crate::lexer::Token {
        self.tokens[self.at.saturating_sub(1)]
    }

    fn histograms(&mut self, points: &mut Vec<Point>) -> Result<()> {
        let (base, mut hint_given) = self.histogram()?;
        let sign = match self.peek().kind {
            Kind::Operator if self.is_operator("+") => 1.0,
            Kind::Operator => -1.0,
            _ => 0.0,
        };
        if sign == 0.0 {
            let times = self.times()?.map_or(1, |times| times.saturating_add(1));
            let point = Point::Histogram { histogram: Arc::new(base), hint_given };
            return self.repeat(points, times, std::iter::repeat(point));
        }
        self.advance();
        if self.peek().kind != Kind::OpenHistogram {
            return Err(self.unexpected(POINTS, ""));
        }
        let step;
        (step, hint_given) = self.histogram()?;
        let Some(times) = self.times()? else { return Err(self.unexpected(POINTS, "")) };
        self.repeat(
            points,
            1,
            std::iter::once(Point::Histogram { histogram: Arc::new(base.clone()), hint_given }),
        )?;
        self.progression(points, base, &step, sign, times, hint_given)
    }

    /// Adds the histograms that come of adding a step again and again.
    fn progression(
        &self,
        points: &mut Vec<Point>,
        mut histogram: Histogram,
        step: &Histogram,
        sign: f64,
        times: u64,
        hint_given: bool,
    ) -> Result<()> {
        for _ in 0..times {
            let message = if histogram.schema > step.schema {
                let (from, to) = (step.schema, histogram.schema);
                Some(format!("error combining histograms: cannot merge from schema {from} to {to}"))
            } else {
                let combined = if sign > 0.0 { histogram.add(step) } else { histogram.sub(step) };
                combined.err().map(|reason| reason.to_string())
            };
            if let Some(message) = message {
                return Err(self.error(self.last().span, message));
            }
            let point = Point::Histogram { histogram: Arc::new(histogram.clone()), hint_given };
            self.repeat(points, 1, std::iter::once(point))?;
        }
        Ok(())
    }
}
