//! The labels of a line of the text formats: where they lie, and how they become a label set.

use model::MetricType;
use model::labels::METRIC_NAME;

use crate::float::{self, OpenMetricsFloat};
use crate::scan::{Scan, State, Token};
use crate::{Error, Result};

/// A label set as it is read: in no order, a name perhaps twice, the metric's name in `__name__`.
pub(crate) type Pairs = Vec<(String, String)>;

/// From and to, as places in the body.
pub(crate) type Range = (usize, usize);

/// Where a line has its metric's name and its labels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    pub(crate) name: Option<Range>,
    pub(crate) labels: Vec<(Range, Range)>,
}

impl Places {
    pub(crate) fn clear(&mut self) {
        self.name = None;
        self.labels.clear();
    }

    /// Appends the label set, the name first, buckets' bounds and quantiles as OpenMetrics writes them.
    pub(crate) fn read(&self, scan: &Scan<'_>, kind: MetricType, into: &mut Pairs) -> Result<()> {
        let text = |(from, to): Range| {
            let part = scan.slice(from, to);
            std::str::from_utf8(part).map(unescape_label).map_err(|_| {
                let quoted = scan.quote(from, to);
                scan.error(format!("invalid metric name or label names: {quoted}"))
            })
        };
        if let Some(name) = self.name {
            into.push((METRIC_NAME.to_owned(), text(name)?));
        }
        for (name, value) in &self.labels {
            let name = text(*name)?;
            let value = normalized(kind, &name, text(*value)?);
            into.push((name, value));
        }
        Ok(())
    }
}

/// Bounds and quantiles may be written in several ways; the series is the same.
fn normalized(kind: MetricType, name: &str, value: String) -> String {
    let bound = matches!((kind, name), (MetricType::Summary, "quantile") | (MetricType::Histogram, "le"));
    if !bound {
        return value;
    }
    float::parse_go(value.as_bytes()).map_or(value, |number| OpenMetricsFloat(number).to_string())
}

/// `\"`, `\\` and `\n`; any other escape stays as it is.
pub(crate) fn unescape_label(text: &str) -> String {
    unescape(text, true)
}

/// `\\` and `\n`: help texts of the Prometheus format have their quotes as they are.
pub(crate) fn unescape_help(text: &str) -> String {
    unescape(text, false)
}

fn unescape(text: &str, quotes: bool) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let (character, length) = match rest.as_bytes().get(at + 1) {
            Some(b'\\') => ('\\', 2),
            Some(b'n') => ('\n', 2),
            Some(b'"') if quotes => ('"', 2),
            _ => ('\\', 1),
        };
        plain.push(character);
        rest = &rest[at + length..];
    }
    plain + rest
}

/// Gives tokens of a text format.
pub(crate) trait Lexer<'a> {
    fn scan(&self) -> &Scan<'a>;
    /// The next token that means something.
    fn token(&mut self) -> Token;
}

/// What a list of labels belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A sample of the Prometheus format, where commas may be left out.
    TextSample,
    /// A sample of OpenMetrics.
    Sample,
    /// An exemplar, which has no name.
    Exemplar,
}

/// Reads labels from behind the opening brace to behind the closing one. A quoted name without a value is the metric's.
pub(crate) fn read_list<'a>(
    lexer: &mut impl Lexer<'a>,
    owner: Owner,
    line_start: usize,
    places: &mut Places,
) -> Result<()> {
    let unexpected =
        |lexer: &Scan<'a>, expected: &str, token| Err(lexer.unexpected(expected, token, line_start));
    let mut token = lexer.token();
    loop {
        let quoted = match token {
            Token::BraceClose => return Ok(()),
            Token::LabelName => false,
            Token::QuotedString => true,
            _ => return unexpected(lexer.scan(), "expected label name", token),
        };
        let (mut from, mut to) = (lexer.scan().start, lexer.scan().at);
        if quoted {
            (from, to) = (from + 1, to - 1);
        }
        token = lexer.token();
        if quoted && matches!(token, Token::Comma | Token::BraceClose) {
            if owner == Owner::Exemplar {
                return unexpected(lexer.scan(), "expected label name", token);
            }
            if places.name.is_some() {
                let line = lexer.scan().quote(line_start, lexer.scan().at);
                return Err(lexer.scan().error(format!("metric name already set while parsing: {line}")));
            }
            places.name = Some((from, to));
            if token == Token::BraceClose {
                return Ok(());
            }
            token = lexer.token();
            continue;
        }
        if token != Token::Equal {
            return unexpected(lexer.scan(), "expected equal", token);
        }
        token = lexer.token();
        if token != Token::LabelValue {
            return unexpected(lexer.scan(), "expected label value", token);
        }
        let scan = lexer.scan();
        if !scan.is_utf8(scan.text()) {
            return Err(scan.error(format!("invalid UTF-8 label value: {}", scan.quote(scan.start, scan.at))));
        }
        places.labels.push(((from, to), (scan.start + 1, scan.at - 1)));
        token = lexer.token();
        if token == Token::Comma {
            token = lexer.token();
        } else if token != Token::BraceClose && owner != Owner::TextSample {
            return unexpected(lexer.scan(), "expected comma or brace close", token);
        }
    }
}

/// The error of a sample without a name.
pub(crate) fn no_name(scan: &Scan<'_>, line_start: usize) -> Error {
    scan.error(format!("metric name not set while parsing: {}", scan.quote(line_start, scan.at)))
}

/// The value behind a series, or the error that it is none.
pub(crate) fn read_value(scan: &Scan<'_>, text: &[u8], line_start: usize) -> Result<f64> {
    match float::parse(text) {
        // One NaN only: the others have meanings of their own in the store.
        Ok(number) if number.is_nan() => Ok(f64::from_bits(NORMAL_NAN_BITS)),
        Ok(number) => Ok(number),
        Err(cause) => Err(while_parsing(scan, &cause, line_start)),
    }
}

/// The NaN of a quotient of zeros, as Prometheus stores it.
pub(crate) const NORMAL_NAN_BITS: u64 = 0x7ff8_0000_0000_0001;

/// A cause with the line so far.
pub(crate) fn while_parsing(scan: &Scan<'_>, cause: &str, line_start: usize) -> Error {
    scan.error(format!("{cause} while parsing: {}", scan.quote(line_start, scan.at)))
}

/// Whether the line at a place begins with a series that was read before: from there on it need not be read again.
///
/// `key` is the text of a series as [`crate::Parser::sample`] gave it. It ends with its closing brace, so that the same
/// bytes are read as the same series; or it is a name alone, behind which a single blank and the value have to follow.
pub(crate) fn begins_with(scan: &Scan<'_>, key: &[u8]) -> bool {
    if scan.state != State::Init || key.is_empty() {
        return false;
    }
    let behind = scan.body.get(scan.at..).and_then(|rest| rest.strip_prefix(key));
    matches!(behind, Some([b' ', next, ..]) if !matches!(next, b' ' | b'\t' | b'{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(unescape_label(r#"a\\b\n\"\t\"#), "a\\b\n\"\\t\\");
        assert_eq!(unescape_help(r#"\"\\n\n"#), "\\\"\\n\n");
    }
}
