//! Tokens of OpenMetrics. Blanks are part of it: exactly one, and only where the specification has one.

use crate::labels;
use crate::scan::{self, Scan, State, Token};

#[derive(Debug)]
pub(super) struct Lexer<'a>(pub(super) Scan<'a>);

impl<'a> labels::Lexer<'a> for Lexer<'a> {
    fn scan(&self) -> &Scan<'a> {
        &self.0
    }

    fn token(&mut self) -> Token {
        let scan = &mut self.0;
        if scan.is_done() {
            return Token::Eof;
        }
        scan.start = scan.at;
        match (scan.state, scan.current()) {
            (State::Init, b'#') => descriptor(scan),
            (State::Init | State::MetaName, first) if scan::is_metric_start(first) => {
                scan.advance_while(scan::is_metric_byte);
                scan.state = if scan.state == State::Init { State::Value } else { State::MetaText };
                Token::MetricName
            }
            (State::Init | State::Value, b'{') => one(scan, State::Labels, Token::BraceOpen),
            (State::MetaName, b'"') => quoted(scan, true, State::MetaText, Token::MetricName),
            (State::MetaText, b' ') => {
                scan.advance_while(|byte| !matches!(byte, b'\n' | 0));
                if scan.is_done() || scan.current() == 0 {
                    return Token::Invalid;
                }
                one(scan, State::Init, Token::Text)
            }
            (State::Labels, b'"') => quoted(scan, true, State::Labels, Token::QuotedString),
            (State::Exemplar, b'"') => quoted(scan, false, State::Exemplar, Token::QuotedString),
            (State::Labels | State::Exemplar, first) if scan::is_label_start(first) => {
                scan.advance_while(scan::is_label_byte);
                Token::LabelName
            }
            (State::Labels, b'}') => one(scan, State::Value, Token::BraceClose),
            (State::Exemplar, b'}') => one(scan, State::ExemplarValue, Token::BraceClose),
            (State::Labels, b'=') => one(scan, State::LabelValue, Token::Equal),
            (State::Exemplar, b'=') => one(scan, State::ExemplarValue, Token::Equal),
            (State::Labels | State::Exemplar, b',') => one(scan, scan.state, Token::Comma),
            (State::LabelValue, b'"') => quoted(scan, false, State::Labels, Token::LabelValue),
            (State::ExemplarValue, b'"') => quoted(scan, false, State::Exemplar, Token::LabelValue),
            (State::Value, b' ') => word(scan, State::Timestamp, Token::Value),
            (State::ExemplarValue, b' ') => word(scan, State::ExemplarTimestamp, Token::Value),
            (State::Timestamp, b' ') => timestamp_or_exemplar(scan),
            (State::ExemplarTimestamp, b' ') => word(scan, State::ExemplarTimestamp, Token::Timestamp),
            (State::Timestamp | State::ExemplarTimestamp, b'\n') => one(scan, State::Init, Token::Linebreak),
            _ => Token::Invalid,
        }
    }
}

fn one(scan: &mut Scan<'_>, then: State, token: Token) -> Token {
    scan.advance();
    scan.state = then;
    token
}

fn quoted(scan: &mut Scan<'_>, line_breaks: bool, then: State, token: Token) -> Token {
    match scan.quoted(line_breaks) {
        Some(()) => {
            scan.state = then;
            token
        }
        None => Token::Invalid,
    }
}

fn is_word(byte: u8) -> bool {
    !matches!(byte, b' ' | b'\n' | 0)
}

/// A blank and something behind it.
fn word(scan: &mut Scan<'_>, then: State, token: Token) -> Token {
    if !is_word(scan.advance()) {
        return Token::Invalid;
    }
    scan.advance_while(is_word);
    scan.state = then;
    token
}

/// ` # {`, or any other word.
fn timestamp_or_exemplar(scan: &mut Scan<'_>) -> Token {
    let first = scan.advance();
    if !is_word(first) {
        return Token::Invalid;
    }
    if first == b'#' {
        match scan.advance() {
            b' ' => {
                return match scan.advance() {
                    b'{' => one(scan, State::Exemplar, Token::Comment),
                    _ => Token::Invalid,
                };
            }
            next if !is_word(next) => return Token::Timestamp,
            _ => {}
        }
    }
    scan.advance_while(is_word);
    Token::Timestamp
}

/// `# HELP `, `# TYPE `, `# UNIT ` or `# EOF`: there are no comments.
fn descriptor(scan: &mut Scan<'_>) -> Token {
    if scan.advance() != b' ' {
        return Token::Invalid;
    }
    scan.state = State::Comment;
    let (word, token): (&[u8], _) = match scan.advance() {
        b'H' => (b"ELP ", Token::Help),
        b'T' => (b"YPE ", Token::Type),
        b'U' => (b"NIT ", Token::Unit),
        b'E' => (b"OF", Token::EofWord),
        _ => return Token::Invalid,
    };
    for byte in word {
        if scan.advance() != *byte {
            return Token::Invalid;
        }
    }
    let next = scan.advance();
    if token == Token::EofWord {
        if next == b'\n' {
            scan.advance();
        }
        scan.state = State::Init;
    } else {
        scan.state = State::MetaName;
    }
    token
}
