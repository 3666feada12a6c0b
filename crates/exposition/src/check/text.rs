//! A body against the text format 0.0.4, as the clients' own library reads it.

use std::collections::HashMap;

use model::MetricType;

use crate::float;
use crate::scan::{is_label_byte, is_label_start, is_metric_byte, is_metric_start};
use crate::{Error, Quoted, Result};

/// Holds a body against the text format. Blanks may stand nearly everywhere; a family is described once and before its
/// samples; every line ends.
pub fn text(body: &[u8]) -> Result<()> {
    let mut families = HashMap::new();
    let mut line = Line { rest: body, number: 1 };
    loop {
        line.blanks();
        let outcome = match line.rest.first() {
            None => return Ok(()),
            Some(b'\n') => Ok(()),
            Some(b'#') => line.comment(&mut families),
            Some(_) => line.sample(&mut families),
        };
        let outcome = outcome.and_then(|()| line.end());
        outcome.map_err(|message| {
            let message = format!("text format parsing error in line {}: {message}", line.number);
            Error { message, line: line.number }
        })?;
        line.number += 1;
    }
}

/// What is known of a family.
#[derive(Debug, Default)]
struct Family {
    kind: Option<MetricType>,
    has_help: bool,
}

type Families<'a> = HashMap<&'a [u8], Family>;

/// What is left of the body, from within a line on.
struct Line<'a> {
    rest: &'a [u8],
    number: usize,
}

const EOF: &str = "unexpected end of input stream";

impl<'a> Line<'a> {
    fn take_while(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|byte| !fits(*byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn blanks(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_there = self.rest.first() == Some(&byte);
        self.rest = &self.rest[usize::from(is_there)..];
        is_there
    }

    /// The line break.
    fn end(&mut self) -> Result<(), String> {
        match self.rest.split_first() {
            Some((b'\n', rest)) => self.rest = rest,
            Some(_) => {
                let spurious = Quoted(self.take_while(|byte| byte != b'\n')).to_string();
                return Err(format!("spurious string after timestamp: {spurious}"));
            }
            None => return Err(EOF.to_owned()),
        }
        Ok(())
    }

    fn name(&mut self) -> Option<&'a [u8]> {
        if self.rest.first() == Some(&b'"') {
            return self.quoted().ok();
        }
        self.rest.first().filter(|first| is_metric_start(**first))?;
        Some(self.take_while(is_metric_byte))
    }

    /// A text in quotes with the escapes that there are; without its quotes.
    fn quoted(&mut self) -> Result<&'a [u8], String> {
        let text = &self.rest[1..];
        let mut escaped = false;
        for (index, byte) in text.iter().enumerate() {
            match byte {
                _ if escaped => {
                    if !matches!(byte, b'"' | b'\\' | b'n') {
                        return Err(format!("invalid escape sequence '\\{}'", char::from(*byte)));
                    }
                    escaped = false;
                }
                b'\\' => escaped = true,
                b'"' => {
                    self.rest = &text[index + 1..];
                    let text = &text[..index];
                    return match std::str::from_utf8(text) {
                        Ok(_) => Ok(text),
                        Err(_) => Err(format!("invalid label value {}", Quoted(text))),
                    };
                }
                b'\n' => {
                    let begun = Quoted(&text[..index]);
                    return Err(format!("label value {begun} contains unescaped new-line"));
                }
                _ => {}
            }
        }
        Err(EOF.to_owned())
    }

    fn comment(&mut self, families: &mut Families<'a>) -> Result<(), String> {
        self.eat(b'#');
        self.blanks();
        let word = self.take_while(|byte| !matches!(byte, b' ' | b'\t' | b'\n'));
        self.blanks();
        if !matches!(word, b"HELP" | b"TYPE") || self.rest.first() == Some(&b'\n') {
            self.take_while(|byte| byte != b'\n');
            return Ok(());
        }
        let name = self.name();
        let name = name.filter(|_| matches!(self.rest.first(), Some(b' ' | b'\t' | b'\n') | None));
        let name = name.ok_or("invalid metric name in comment")?;
        self.blanks();
        let text = self.take_while(|byte| byte != b'\n');
        if self.rest.is_empty() {
            return Err(EOF.to_owned());
        }
        let family = families.entry(name).or_default();
        let shown = Quoted(name);
        if word == b"HELP" {
            check_escapes(text)?;
            if !text.is_empty() && std::mem::replace(&mut family.has_help, true) {
                return Err(format!("second HELP line for metric name {shown}"));
            }
        } else if !text.is_empty() {
            if family.kind.is_some() {
                return Err(format!(
                    "second TYPE line for metric name {shown}, or TYPE reported after samples"
                ));
            }
            family.kind = Some(match text.to_ascii_lowercase().as_slice() {
                b"counter" => MetricType::Counter,
                b"gauge" => MetricType::Gauge,
                b"summary" => MetricType::Summary,
                b"histogram" => MetricType::Histogram,
                b"gaugehistogram" | b"gauge_histogram" => MetricType::GaugeHistogram,
                b"untyped" => MetricType::Unknown,
                _ => return Err(format!("unknown metric type {}", Quoted(text))),
            });
        }
        Ok(())
    }

    fn sample(&mut self, families: &mut Families<'a>) -> Result<(), String> {
        let mut name = None;
        if self.rest.first() != Some(&b'{') {
            name = Some(self.name().filter(|name| !name.is_empty()).ok_or("invalid metric name")?);
            self.blanks();
        }
        let mut labels = Vec::new();
        if self.eat(b'{') {
            self.labels(&mut name, &mut labels)?;
        }
        let name = name.ok_or("invalid metric name")?;
        let (kind, family) = family_of(name, families);
        check_labels(kind, &labels)?;
        self.blanks();
        let value = self.word()?;
        let number =
            float::parse(value).map_err(|_| format!("expected float as value, got {}", Quoted(value)))?;
        if number < 0.0 && is_histogram(kind) {
            let what = match name.strip_prefix(family) {
                Some(b"_count") => "count",
                Some(b"_bucket") => "bucket population",
                _ => "",
            };
            if !what.is_empty() {
                return Err(format!("negative {what} for histogram {}", Quoted(family)));
            }
        }
        // Blanks behind the value announce a time; behind the time nothing may follow.
        if self.rest.first() != Some(&b'\n') {
            self.blanks();
            let time = self.word()?;
            let number = std::str::from_utf8(time).ok().and_then(|time| time.parse::<i64>().ok());
            number.ok_or_else(|| format!("expected integer as timestamp, got {}", Quoted(time)))?;
        }
        Ok(())
    }

    fn word(&mut self) -> Result<&'a [u8], String> {
        let word = self.take_while(|byte| !matches!(byte, b' ' | b'\t' | b'\n'));
        if self.rest.is_empty() { Err(EOF.to_owned()) } else { Ok(word) }
    }

    /// A byte that has to be there.
    fn expect(&mut self, byte: u8, place: &str) -> Result<(), String> {
        match self.rest.first() {
            None => Err(EOF.to_owned()),
            Some(found) if *found != byte => {
                let shown = if *found == b'\n' { "\\n".to_owned() } else { char::from(*found).to_string() };
                Err(format!("expected '{}' {place}, found '{shown}'", char::from(byte)))
            }
            Some(_) => {
                self.eat(byte);
                Ok(())
            }
        }
    }

    /// Labels up to behind the closing brace. A quoted name without a value is the metric's.
    fn labels(
        &mut self,
        name: &mut Option<&'a [u8]>,
        labels: &mut Vec<(&'a [u8], &'a [u8])>,
    ) -> Result<(), String> {
        loop {
            self.blanks();
            if self.eat(b'}') {
                return Ok(());
            }
            let quoted = self.rest.first() == Some(&b'"');
            let label = match self.rest.first() {
                Some(b'"') => self.quoted()?,
                Some(first) if is_label_start(*first) => self.take_while(is_label_byte),
                Some(_) => {
                    let metric = Quoted(name.unwrap_or_default());
                    return Err(format!("invalid label name for metric {metric}"));
                }
                None => return Err(EOF.to_owned()),
            };
            self.blanks();
            if quoted && matches!(self.rest.first(), Some(b',' | b'}')) {
                if name.replace(label).is_some() {
                    return Err("multiple metric names".to_owned());
                }
                self.eat(b',');
                continue;
            }
            self.expect(b'=', "after label name")?;
            if label == b"__name__" {
                return Err("label name \"__name__\" is reserved".to_owned());
            }
            self.blanks();
            if self.rest.first() != Some(&b'"') {
                self.expect(b'"', "at start of label value")?;
            }
            let value = self.quoted()?;
            if labels.iter().any(|(known, _)| *known == label) {
                return Err(format!("duplicate label names for metric {}", Quoted(name.unwrap_or_default())));
            }
            labels.push((label, value));
            self.blanks();
            if !self.eat(b',') && self.rest.first() != Some(&b'}') {
                return Err(format!("unexpected end of label value {}", Quoted(value)));
            }
        }
    }
}

/// The type and the name of the family that a sample belongs to. A name without one is a family of its own from now on.
fn family_of<'a>(name: &'a [u8], families: &mut Families<'a>) -> (MetricType, &'a [u8]) {
    if !families.contains_key(name) {
        for suffix in [b"_count".as_slice(), b"_sum", b"_bucket"] {
            let Some(base) = name.strip_suffix(suffix) else { continue };
            let kind = families.get(base).and_then(|family| family.kind);
            let owns = |kind: &MetricType| {
                is_histogram(*kind) || *kind == MetricType::Summary && suffix != b"_bucket"
            };
            if let Some(kind) = kind.filter(owns) {
                return (kind, base);
            }
        }
    }
    (*families.entry(name).or_default().kind.get_or_insert_default(), name)
}

fn is_histogram(kind: MetricType) -> bool {
    matches!(kind, MetricType::Histogram | MetricType::GaugeHistogram)
}

/// A help text has the escapes of a label value.
fn check_escapes(text: &[u8]) -> Result<(), String> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        match rest.get(at + 1) {
            Some(b'\\' | b'n' | b'"') => rest = &rest[at + 2..],
            Some(other) => return Err(format!("invalid escape sequence '\\{}'", char::from(*other))),
            None => return Err("invalid escape sequence '\\\n'".to_owned()),
        }
    }
    Ok(())
}

/// Bounds and quantiles are numbers.
fn check_labels(kind: MetricType, labels: &[(&[u8], &[u8])]) -> Result<(), String> {
    let number: &[u8] = match kind {
        kind if is_histogram(kind) => b"le",
        MetricType::Summary => b"quantile",
        _ => return Ok(()),
    };
    let wrong = labels.iter().find(|(label, value)| *label == number && float::parse(value).is_err());
    wrong.map_or(Ok(()), |(label, value)| {
        let (label, value) = (String::from_utf8_lossy(label), Quoted(value));
        Err(format!("expected float as value for '{label}' label, got {value}"))
    })
}
