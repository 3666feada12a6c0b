//! The lowest layer: characters to names, numbers, quoted texts and single characters, with Go's rules. Blanks and
//! comments as Go has them (`//`, `/* */`) are passed over.

use crate::error::ParseError;

/// What the scanner found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw {
    pub(super) kind: RawKind,
    /// As it is written.
    pub(super) text: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RawKind {
    End,
    /// A name, or a character in single quotes, which means nothing in this language.
    Name,
    Number,
    /// In double quotes or backticks.
    Text,
    Character(char),
}

/// Reads a query.
#[derive(Debug)]
pub(super) struct Scanner {
    characters: Vec<char>,
    at: usize,
    line: usize,
    column: usize,
}

impl Scanner {
    pub(super) fn new(query: &str) -> Self {
        Self { characters: query.chars().collect(), at: 0, line: 1, column: 1 }
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &[char] {
        &self.characters[self.at..]
    }

    pub(super) fn advance(&mut self) {
        if let Some(character) = self.peek() {
            self.at += 1;
            if character == '\n' {
                (self.line, self.column) = (self.line + 1, 1);
            } else {
                self.column += 1;
            }
        }
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(index, wanted)| self.rest().get(index) == Some(&wanted))
    }

    fn advance_while(&mut self, fits: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&fits) {
            self.advance();
        }
    }

    pub(super) fn scan(&mut self) -> Result<Raw, ParseError> {
        self.skip_blanks()?;
        let (start, mut line, mut column) = (self.at, self.line, self.column);
        if self.characters.is_empty() {
            // Go's scanner has no place before it has seen a character.
            (line, column) = (0, 0);
        }
        let error = |message: &str| ParseError::at(message, line, column);
        let kind = match self.peek() {
            None => RawKind::End,
            Some(first) if first.is_alphabetic() || first == '_' => {
                self.advance_while(|next| next.is_alphabetic() || next == '_' || next.is_numeric());
                RawKind::Name
            }
            Some(first) if first.is_ascii_digit() => {
                self.number();
                RawKind::Number
            }
            Some('.') if self.rest().get(1).is_some_and(char::is_ascii_digit) => {
                self.number();
                RawKind::Number
            }
            Some(quote @ ('"' | '\'')) => {
                self.quoted(quote).map_err(error)?;
                if quote == '"' { RawKind::Text } else { RawKind::Name }
            }
            Some('`') => {
                self.advance();
                self.advance_while(|next| next != '`');
                if self.peek().is_none() {
                    return Err(error("literal not terminated"));
                }
                self.advance();
                RawKind::Text
            }
            Some(other) => {
                self.advance();
                RawKind::Character(other)
            }
        };
        let text = self.characters[start..self.at].iter().collect();
        Ok(Raw { kind, text, line, column })
    }

    fn skip_blanks(&mut self) -> Result<(), ParseError> {
        loop {
            self.advance_while(|next| matches!(next, ' ' | '\t' | '\n' | '\r'));
            let (line, column) = (self.line, self.column);
            if self.starts_with("//") {
                self.advance_while(|next| next != '\n');
            } else if self.starts_with("/*") {
                self.advance();
                self.advance();
                while !self.starts_with("*/") {
                    if self.peek().is_none() {
                        return Err(ParseError::at("comment not terminated", line, column));
                    }
                    self.advance();
                }
                self.advance();
                self.advance();
            } else {
                return Ok(());
            }
        }
    }

    fn number(&mut self) {
        let radix = if self.starts_with("0x") || self.starts_with("0X") {
            16
        } else if self.starts_with("0b") || self.starts_with("0o") {
            8
        } else {
            10
        };
        if radix != 10 {
            self.advance();
            self.advance();
            self.advance_while(|next| next.is_digit(radix) || next == '_');
            return;
        }
        self.advance_while(|next| next.is_ascii_digit() || next == '_');
        if self.peek() == Some('.') {
            self.advance();
            self.advance_while(|next| next.is_ascii_digit() || next == '_');
        }
        let exponent = match self.rest() {
            ['e' | 'E', '+' | '-', digit, ..] if digit.is_ascii_digit() => 2,
            ['e' | 'E', digit, ..] if digit.is_ascii_digit() => 1,
            _ => 0,
        };
        if exponent > 0 {
            (0..exponent).for_each(|_| self.advance());
            self.advance_while(|next| next.is_ascii_digit());
        }
    }

    fn quoted(&mut self, quote: char) -> Result<(), &'static str> {
        self.advance();
        loop {
            match self.peek() {
                None | Some('\n') => return Err("literal not terminated"),
                Some('\\') => {
                    self.advance();
                    self.escape(quote)?;
                }
                Some(character) => {
                    self.advance();
                    if character == quote {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn escape(&mut self, quote: char) -> Result<(), &'static str> {
        let (radix, digits) = match self.peek() {
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => {
                self.advance();
                return Ok(());
            }
            Some(character) if character == quote => {
                self.advance();
                return Ok(());
            }
            Some('0'..='7') => (8, 3),
            Some('x') => (16, 2),
            Some('u') => (16, 4),
            Some('U') => (16, 8),
            _ => return Err("invalid char escape"),
        };
        if radix == 16 {
            self.advance();
        }
        for _ in 0..digits {
            if !self.peek().is_some_and(|next| next.is_digit(radix)) {
                return Err("invalid char escape");
            }
            self.advance();
        }
        Ok(())
    }
}
