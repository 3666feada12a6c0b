//! A place in a text body, moved byte by byte or token by token. The two text formats share it; each has its own states.

use crate::Error;
use crate::quote::Quoted;

/// What was read, by the names that Prometheus' messages give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Invalid,
    Eof,
    Linebreak,
    Whitespace,
    Help,
    Type,
    Unit,
    EofWord,
    Text,
    Comment,
    MetricName,
    QuotedString,
    BraceOpen,
    BraceClose,
    LabelName,
    LabelValue,
    Comma,
    Equal,
    Timestamp,
    Value,
}

impl Token {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Invalid => "INVALID",
            Self::Eof => "EOF",
            Self::Linebreak => "LINEBREAK",
            Self::Whitespace => "WHITESPACE",
            Self::Help => "HELP",
            Self::Type => "TYPE",
            Self::Unit => "UNIT",
            Self::EofWord => "EOFWORD",
            Self::Text => "TEXT",
            Self::Comment => "COMMENT",
            Self::MetricName => "MNAME",
            Self::QuotedString => "QSTRING",
            Self::BraceOpen => "BOPEN",
            Self::BraceClose => "BCLOSE",
            Self::LabelName => "LNAME",
            Self::LabelValue => "LVALUE",
            Self::Comma => "COMMA",
            Self::Equal => "EQUAL",
            Self::Timestamp => "TIMESTAMP",
            Self::Value => "VALUE",
        }
    }
}

/// Where in a line the reader is: what may come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Init,
    Comment,
    MetaName,
    MetaText,
    Labels,
    LabelValue,
    Value,
    Timestamp,
    Exemplar,
    ExemplarValue,
    ExemplarTimestamp,
}

/// A body and a place in it.
#[derive(Debug, Clone)]
pub(crate) struct Scan<'a> {
    pub(crate) body: &'a [u8],
    /// One behind the last byte; behind the body where a line break is added to it in thought.
    end: usize,
    /// The next byte.
    pub(crate) at: usize,
    /// Where the token began.
    pub(crate) start: usize,
    pub(crate) state: State,
    /// Whether the whole body is UTF-8, so that no part of it need be looked at.
    pub(crate) all_utf8: bool,
}

impl<'a> Scan<'a> {
    /// `closed` adds a line break at the end.
    pub(crate) fn new(body: &'a [u8], closed: bool) -> Self {
        let all_utf8 = std::str::from_utf8(body).is_ok();
        let end = body.len() + usize::from(closed);
        Self { body, end, at: 0, start: 0, state: State::Init, all_utf8 }
    }

    /// Whether nothing is left.
    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.end
    }

    /// The byte at a place: a line break behind the body, and zero behind everything.
    pub(crate) fn byte(&self, at: usize) -> u8 {
        match self.body.get(at) {
            Some(byte) => *byte,
            None if at < self.end => b'\n',
            None => 0,
        }
    }

    /// The next byte.
    pub(crate) fn current(&self) -> u8 {
        self.byte(self.at)
    }

    /// Goes on by one and gives the byte that is next then. Zero bytes are passed over where they are allowed: a zero is
    /// the end to the lexer.
    pub(crate) fn advance(&mut self) -> u8 {
        self.at += 1;
        if matches!(self.state, State::LabelValue | State::MetaText | State::Comment) {
            while self.at < self.end && self.byte(self.at) == 0 {
                self.at += 1;
            }
        }
        if self.at >= self.end { 0 } else { self.byte(self.at) }
    }

    /// Passes over bytes while they fit.
    pub(crate) fn advance_while(&mut self, fits: impl Fn(u8) -> bool) {
        while fits(self.advance()) {}
    }

    /// A quoted text whose quote is next: to behind the closing quote, or `None` with the place where it breaks off.
    pub(crate) fn quoted(&mut self, line_breaks: bool) -> Option<()> {
        loop {
            match self.advance() {
                b'"' => {
                    self.advance();
                    return Some(());
                }
                0 => return None,
                b'\n' if !line_breaks => return None,
                b'\\' => {
                    if matches!(self.advance(), 0 | b'\n') {
                        return None;
                    }
                }
                _ => {}
            }
        }
    }

    /// A part of the body; what lies behind it is left out.
    pub(crate) fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        &self.body[from.min(self.body.len())..to.min(self.body.len())]
    }

    /// The token's bytes.
    pub(crate) fn text(&self) -> &'a [u8] {
        self.slice(self.start, self.at)
    }

    /// A part of the body as a message quotes it, the line break that was added included.
    pub(crate) fn quote(&self, from: usize, to: usize) -> String {
        let mut part = self.slice(from, to).to_vec();
        if to > self.body.len() && self.end > self.body.len() {
            part.push(b'\n');
        }
        Quoted(&part).to_string()
    }

    /// What was expected, what came, and the line up to there, in Prometheus' words.
    pub(crate) fn unexpected(&self, expected: &str, found: Token, line_start: usize) -> Error {
        let to = self.end.min(self.at + 1);
        let (found_text, line) = (self.quote(self.start, to), self.quote(line_start, to));
        let name = found.name();
        self.error(format!("{expected}, got {found_text} (\"{name}\") while parsing: {line}"))
    }

    /// A message with the line that it is about.
    pub(crate) fn error(&self, message: String) -> Error {
        Error { message, line: self.line_of(self.start) }
    }

    /// The line of a place, from 1.
    pub(crate) fn line_of(&self, at: usize) -> usize {
        memchr::memchr_iter(b'\n', self.slice(0, at)).count() + 1
    }

    /// Whether a part of the body is UTF-8.
    pub(crate) fn is_utf8(&self, part: &[u8]) -> bool {
        self.all_utf8 || std::str::from_utf8(part).is_ok()
    }
}

/// Begins the name of a label.
pub(crate) fn is_label_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// Goes on in the name of a label.
pub(crate) fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Begins the name of a metric.
pub(crate) fn is_metric_start(byte: u8) -> bool {
    is_label_start(byte) || byte == b':'
}

/// Goes on in the name of a metric.
pub(crate) fn is_metric_byte(byte: u8) -> bool {
    is_label_byte(byte) || byte == b':'
}
