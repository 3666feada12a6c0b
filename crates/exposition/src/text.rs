//! The Prometheus text format, versions 0.0.4 and 1.0.0: lines of `# HELP`, `# TYPE`, comments and samples.

use model::MetricType;

use crate::Result;
use crate::labels::{self, Lexer, Owner, Pairs, Places};
use crate::parser::{Escapes, Event, HelpText, Sample};
use crate::scan::{self, Scan, State, Token};

/// Reads a body line by line.
#[derive(Debug)]
pub struct TextParser<'a> {
    scan: Scan<'a>,
    kind: MetricType,
    line_start: usize,
    series: labels::Range,
    /// `None` where the series was recognized rather than read.
    places: Option<Places>,
    spare: Places,
    value: f64,
    time_ms: Option<i64>,
}

impl<'a> TextParser<'a> {
    /// Begins with a body.
    pub fn new(body: &'a [u8]) -> Self {
        Self {
            scan: Scan::new(body, true),
            kind: MetricType::Unknown,
            line_start: 0,
            series: (0, 0),
            places: None,
            spare: Places::default(),
            value: 0.0,
            time_ms: None,
        }
    }

    /// The next event; `None` at the end. `hint` may be the text of the series that is expected next.
    pub(crate) fn next(&mut self, hint: &[u8]) -> Result<Option<Event<'a>>> {
        loop {
            self.line_start = self.scan.at;
            if labels::begins_with(&self.scan, hint) {
                self.recognize(hint.len());
                let token = self.token();
                return self.sample_end(token).map(Some);
            }
            match self.token() {
                Token::Eof => return Ok(None),
                Token::Linebreak => {}
                token @ (Token::Help | Token::Type) => return self.metadata(token).map(Some),
                Token::Comment => {
                    let text = self.scan.text();
                    let token = self.token();
                    if token != Token::Linebreak {
                        return Err(self.unexpected("linebreak expected after comment", token));
                    }
                    return Ok(Some(Event::Comment(text)));
                }
                token @ (Token::BraceOpen | Token::MetricName) => {
                    let token = self.series(token)?;
                    if self.places.as_ref().is_none_or(|places| places.name.is_none()) {
                        return Err(labels::no_name(&self.scan, self.line_start));
                    }
                    return self.sample_end(token).map(Some);
                }
                token => return Err(self.unexpected("expected a valid start token", token)),
            }
        }
    }

    /// The sample that was read last.
    pub(crate) fn sample(&self) -> Sample<'a> {
        let key = self.scan.slice(self.series.0, self.series.1);
        Sample { key, time_ms: self.time_ms, value: self.value }
    }

    /// Its label set.
    pub(crate) fn labels(&mut self, into: &mut Pairs) -> Result<()> {
        if self.places.is_none() {
            self.read_recognized()?;
        }
        match &self.places {
            Some(places) => places.read(&self.scan, self.kind, into),
            None => Ok(()),
        }
    }

    /// Goes over a series that was read before.
    fn recognize(&mut self, length: usize) {
        self.series = (self.scan.at, self.scan.at + length);
        self.scan.start = self.scan.at;
        self.scan.at += length;
        self.scan.state = State::Value;
        self.forget_places();
    }

    fn forget_places(&mut self) {
        if let Some(places) = self.places.take() {
            self.spare = places;
        }
    }

    /// Finds the labels of a series that was recognized.
    fn read_recognized(&mut self) -> Result<()> {
        let behind = self.scan.clone();
        self.scan.at = self.series.0;
        self.scan.state = State::Init;
        let token = self.token();
        let read = self.series(token);
        self.scan = behind;
        read.map(drop)
    }

    /// Reads a series from its first token on, which was taken; gives the token behind it.
    fn series(&mut self, first: Token) -> Result<Token> {
        self.forget_places();
        let mut places = std::mem::take(&mut self.spare);
        places.clear();
        let mut token = first;
        if first == Token::MetricName {
            places.name = Some((self.line_start, self.scan.at));
            self.series = (self.line_start, self.scan.at);
            token = self.token();
        }
        if token == Token::BraceOpen {
            labels::read_list(self, Owner::TextSample, self.line_start, &mut places)?;
            self.series = (self.line_start, self.scan.at);
            token = self.token();
        }
        self.places = Some(places);
        Ok(token)
    }

    fn sample_end(&mut self, token: Token) -> Result<Event<'a>> {
        if token != Token::Value {
            return Err(self.unexpected("expected value after metric", token));
        }
        self.value = labels::read_value(&self.scan, self.scan.text(), self.line_start)?;
        self.time_ms = None;
        match self.token() {
            Token::Linebreak => {}
            Token::Timestamp => {
                self.time_ms = Some(self.timestamp()?);
                let token = self.token();
                if token != Token::Linebreak {
                    return Err(self.unexpected("expected next entry after timestamp", token));
                }
            }
            token => return Err(self.unexpected("expected timestamp or new record", token)),
        }
        Ok(Event::Float)
    }

    /// Digits, as milliseconds.
    fn timestamp(&self) -> Result<i64> {
        let digits = std::str::from_utf8(self.scan.text()).unwrap_or_default();
        digits.parse().map_err(|_| {
            let cause = format!("strconv.ParseInt: parsing \"{digits}\": value out of range");
            labels::while_parsing(&self.scan, &cause, self.line_start)
        })
    }

    fn metadata(&mut self, what: Token) -> Result<Event<'a>> {
        let token = self.token();
        if token != Token::MetricName {
            return Err(self.unexpected(&format!("expected metric name after {}", what.name()), token));
        }
        let family = unquoted(self.scan.text());
        let token = self.token();
        if token != Token::Text {
            let message = format!("expected text in {}, got {}", what.name(), token.name());
            return Err(self.scan.error(message));
        }
        // The blank between the two.
        let text = self.scan.text().get(1..).unwrap_or_default();
        let event = if what == Token::Type {
            self.kind = match text {
                b"counter" => MetricType::Counter,
                b"gauge" => MetricType::Gauge,
                b"histogram" => MetricType::Histogram,
                b"summary" => MetricType::Summary,
                b"untyped" => MetricType::Unknown,
                _ => return Err(self.bad_type(text)),
            };
            Event::Type { family, kind: self.kind }
        } else {
            if !self.scan.is_utf8(text) {
                let quoted = crate::Quoted(text);
                return Err(self.scan.error(format!("help text {quoted} is not a valid utf8 string")));
            }
            Event::Help { family, text: HelpText { text, escapes: Escapes::Help } }
        };
        match self.token() {
            Token::Linebreak => Ok(event),
            token => Err(self.unexpected("linebreak expected after metadata", token)),
        }
    }

    fn bad_type(&self, text: &[u8]) -> crate::Error {
        self.scan.error(format!("invalid metric type {}", crate::Quoted(text)))
    }

    fn unexpected(&self, expected: &str, found: Token) -> crate::Error {
        self.scan.unexpected(expected, found, self.line_start)
    }

    /// The next token, blanks included.
    fn lex(&mut self) -> Token {
        let scan = &mut self.scan;
        if scan.is_done() {
            return Token::Eof;
        }
        scan.start = scan.at;
        let first = scan.current();
        if matches!(first, b' ' | b'\t') && scan.state != State::Comment {
            return lex_blanks(scan);
        }
        match (scan.state, first) {
            (State::Init, 0) => {
                scan.advance();
                Token::Eof
            }
            (State::Init | State::Timestamp, b'\n') => {
                scan.advance();
                scan.state = State::Init;
                Token::Linebreak
            }
            (State::Init, b'#') => {
                if !matches!(scan.advance(), b' ' | b'\t') {
                    return comment(scan);
                }
                scan.advance_while(|byte| matches!(byte, b' ' | b'\t'));
                scan.state = State::Comment;
                lex_comment(scan)
            }
            (State::Init | State::MetaName, first) if scan::is_metric_start(first) => {
                scan.advance_while(scan::is_metric_byte);
                scan.state = if scan.state == State::Init { State::Value } else { State::MetaText };
                Token::MetricName
            }
            (State::Init | State::Value, b'{') => {
                scan.advance();
                scan.state = State::Labels;
                Token::BraceOpen
            }
            (State::MetaName, b'"') => quoted(scan, State::MetaText, Token::MetricName),
            (State::MetaText, _) => lex_text(scan),
            (State::Labels, b'"') => quoted(scan, State::Labels, Token::QuotedString),
            (State::Labels, first) if scan::is_label_start(first) => {
                scan.advance_while(scan::is_label_byte);
                Token::LabelName
            }
            (State::Labels, b'}') => {
                scan.advance();
                scan.state = State::Value;
                Token::BraceClose
            }
            (State::Labels, b'=') => {
                scan.advance();
                scan.state = State::LabelValue;
                Token::Equal
            }
            (State::Labels, b',') => {
                scan.advance();
                Token::Comma
            }
            (State::LabelValue, b'"') => quoted(scan, State::Labels, Token::LabelValue),
            (State::Value, first) if is_value(first) => {
                scan.advance_while(is_value);
                scan.state = State::Timestamp;
                Token::Value
            }
            (State::Timestamp, b'0'..=b'9') => {
                scan.advance_while(|byte| byte.is_ascii_digit());
                Token::Timestamp
            }
            _ => Token::Invalid,
        }
    }
}

impl<'a> Lexer<'a> for TextParser<'a> {
    fn scan(&self) -> &Scan<'a> {
        &self.scan
    }

    fn token(&mut self) -> Token {
        loop {
            let token = self.lex();
            if token != Token::Whitespace {
                return token;
            }
        }
    }
}

fn is_value(byte: u8) -> bool {
    !matches!(byte, b'{' | b' ' | b'\t' | b'\n' | 0)
}

fn quoted(scan: &mut Scan<'_>, then: State, token: Token) -> Token {
    match scan.quoted(true) {
        Some(()) => {
            scan.state = then;
            token
        }
        None => Token::Invalid,
    }
}

/// Blanks; in a text they are blanks only if nothing else follows.
fn lex_blanks(scan: &mut Scan<'_>) -> Token {
    scan.advance_while(|byte| matches!(byte, b' ' | b'\t'));
    if scan.state == State::MetaText && !matches!(scan.current(), b'\n' | 0) && !scan.is_done() {
        return lex_text(scan);
    }
    Token::Whitespace
}

/// The rest of the line.
fn lex_text(scan: &mut Scan<'_>) -> Token {
    // A zero byte right behind the name ends the text before it begins, one within it is passed over.
    if !matches!(scan.current(), b'\n' | 0) {
        scan.advance_while(|byte| !matches!(byte, b'\n' | 0));
    }
    scan.state = State::Init;
    Token::Text
}

/// Behind `# `: `HELP`, `TYPE`, or anything.
fn lex_comment(scan: &mut Scan<'_>) -> Token {
    let (word, token): (&[u8], _) = match scan.current() {
        b'H' => (b"HELP", Token::Help),
        b'T' => (b"TYPE", Token::Type),
        _ => return comment(scan),
    };
    for byte in &word[1..] {
        if scan.advance() != *byte {
            return comment(scan);
        }
    }
    if !matches!(scan.advance(), b' ' | b'\t') {
        return comment(scan);
    }
    scan.advance_while(|byte| matches!(byte, b' ' | b'\t'));
    scan.state = State::MetaName;
    token
}

/// To the end of the line.
fn comment(scan: &mut Scan<'_>) -> Token {
    let mut byte = scan.current();
    loop {
        match byte {
            0 => return Token::Eof,
            b'\n' => {
                scan.state = State::Init;
                return Token::Comment;
            }
            _ => byte = scan.advance(),
        }
    }
}

fn unquoted(name: &[u8]) -> &[u8] {
    match name {
        [b'"', inner @ .., b'"'] => inner,
        name => name,
    }
}
