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
        let family = families.entry(name).or_default();
        let shown = Quoted(name);
        if word == b"HELP" {
            if !text.is_empty() && std::mem::replace(&mut family.has_help, true) {
                return Err(format!("second HELP line for metric name {shown}"));
            }
        } else if !text.is_empty() {
            let kind = match text.to_ascii_lowercase().as_slice() {
                b"counter" => MetricType::Counter,
                b"gauge" => MetricType::Gauge,
                b"summary" => MetricType::Summary,
                b"histogram" => MetricType::Histogram,
                b"untyped" => MetricType::Unknown,
                _ => return Err(format!("unknown metric type {}", Quoted(text))),
            };
            if family.kind.replace(kind).is_some() {
                return Err(format!(
                    "second TYPE line for metric name {shown}, or TYPE reported after samples"
                ));
            }
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
        check_labels(family_of(name, families), name, &labels)?;
        self.blanks();
        let value = self.word()?;
        float::parse(value).map_err(|_| format!("expected float as value, got {}", Quoted(value)))?;
        self.blanks();
        if self.rest.first() != Some(&b'\n') {
            let time = self.word()?;
            let number = std::str::from_utf8(time).ok().and_then(|time| time.parse::<i64>().ok());
            number.ok_or_else(|| format!("expected integer as timestamp, got {}", Quoted(time)))?;
            self.blanks();
        }
        Ok(())
    }

    fn word(&mut self) -> Result<&'a [u8], String> {
        let word = self.take_while(|byte| !matches!(byte, b' ' | b'\t' | b'\n'));
        if self.rest.is_empty() { Err(EOF.to_owned()) } else { Ok(word) }
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
                Some(_) => return Err("invalid label name for metric".to_owned()),
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
            let shown = String::from_utf8_lossy(label);
            if label == b"__name__" {
                return Err("label name \"__name__\" is reserved".to_owned());
            }
            if !self.eat(b'=') {
                return Err(format!("expected '=' after label name {shown}"));
            }
            self.blanks();
            match self.rest.first() {
                Some(b'"') => {}
                Some(_) => return Err("expected '\"' at start of label value".to_owned()),
                None => return Err(EOF.to_owned()),
            }
            let value = self.quoted()?;
            if labels.iter().any(|(known, _)| *known == label) {
                return Err(format!("duplicate label names for metric: {shown}"));
            }
            labels.push((label, value));
            self.blanks();
            if !self.eat(b',') && self.rest.first() != Some(&b'}') {
                return Err("unexpected end of label value".to_owned());
            }
        }
    }
}

/// The type of the family that a sample belongs to. A name without one is a family of its own from now on.
fn family_of<'a>(name: &'a [u8], families: &mut Families<'a>) -> MetricType {
    if !families.contains_key(name) {
        let owners: [(&[u8], &[MetricType]); 3] = [
            (b"_count", &[MetricType::Summary, MetricType::Histogram]),
            (b"_sum", &[MetricType::Summary, MetricType::Histogram]),
            (b"_bucket", &[MetricType::Histogram]),
        ];
        for (suffix, kinds) in owners {
            let kind = name.strip_suffix(suffix).and_then(|base| families.get(base)?.kind);
            if let Some(kind) = kind.filter(|kind| kinds.contains(kind)) {
                return kind;
            }
        }
    }
    *families.entry(name).or_default().kind.get_or_insert_default()
}

/// Bounds and quantiles are numbers.
fn check_labels(kind: MetricType, name: &[u8], labels: &[(&[u8], &[u8])]) -> Result<(), String> {
    let number: &[u8] = match kind {
        MetricType::Histogram if name.ends_with(b"_bucket") => b"le",
        MetricType::Summary => b"quantile",
        _ => return Ok(()),
    };
    let wrong = labels.iter().find(|(label, value)| *label == number && float::parse(value).is_err());
    wrong.map_or(Ok(()), |(label, value)| {
        let (label, value) = (String::from_utf8_lossy(label), Quoted(value));
        Err(format!("expected float as value for '{label}' label, got {value}"))
    })
}
