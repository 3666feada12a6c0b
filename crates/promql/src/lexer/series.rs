//! The points of a series, as the tests of Prometheus and of rules have them.

use super::{Kind, Lexer, State, Stop, Token, is_alpha, is_digit, is_space, keyword, quoted};

/// The tokens of a series with its points; the last one is the end, or an error whose message comes with it.
pub(crate) fn lex_series(input: &str) -> (Vec<Token>, String) {
    super::run(input, true)
}

impl Lexer<'_> {
    /// Behind the series itself.
    pub(super) fn points(&mut self) -> Result<bool, Stop> {
        let Some(next) = self.next() else {
            self.emit(Kind::Eof);
            return Ok(false);
        };
        match next {
            '{' if self.accept("{") => {
                self.emit(Kind::OpenHistogram);
                self.state = State::Histogram;
            }
            space if is_space(space) => self.space(),
            '+' | '-' => self.emit(Kind::Operator),
            'x' => self.emit(Kind::Times),
            '_' => self.emit(Kind::Blank),
            digit if is_digit(digit) || (digit == '.' && self.peek().is_some_and(is_digit)) => {
                self.at = self.start;
                self.number()?;
            }
            letter if is_alpha(letter) => {
                self.word(letter)?;
                if self.peek() == Some('{') {
                    self.state = State::Statements;
                }
            }
            other => {
                return Err(format!("unexpected character in series sequence: {}", quoted(Some(other))));
            }
        }
        Ok(true)
    }

    /// A number; there are no durations here.
    fn number(&mut self) -> Result<(), Stop> {
        if !self.scan_number() {
            return Err(format!("bad number syntax: {:?}", &self.input[self.start..self.at]));
        }
        self.emit(Kind::Number);
        Ok(())
    }

    /// A token for all spaces, which covers the first one.
    fn space(&mut self) {
        self.emit(Kind::Space);
        self.skip_while(is_space);
    }

    /// Within the braces of a histogram.
    pub(super) fn histogram(&mut self) -> Result<bool, Stop> {
        let next = self.next();
        match next {
            Some(space) if is_space(space) => self.space(),
            Some(letter) if is_alpha(letter) => self.descriptor()?,
            Some(':') => self.emit(Kind::Colon),
            Some('-') => self.emit(Kind::Operator),
            Some(digit) if is_digit(digit) => {
                self.at = self.start;
                self.number()?;
            }
            Some('[') => {
                self.emit(Kind::LeftBracket);
                self.state = State::Buckets;
            }
            Some('}') if self.accept("}") => {
                self.emit(Kind::CloseHistogram);
                self.state = State::Points;
            }
            other => {
                return Err(format!("histogram description incomplete unexpected: {}", quoted(other)));
            }
        }
        Ok(true)
    }

    /// A word within a histogram.
    fn descriptor(&mut self) -> Result<(), Stop> {
        self.skip_while(is_alpha);
        let word = &self.input[self.start..self.at];
        let kind = match word.to_ascii_lowercase().as_str() {
            "sum" | "count" | "schema" | "offset" | "n_offset" | "buckets" | "n_buckets" | "z_bucket"
            | "z_bucket_w" | "custom_values" | "counter_reset_hint" => {
                if self.peek() != Some(':') {
                    return Err("missing `:` for histogram descriptor".to_owned());
                }
                Kind::Descriptor
            }
            "inf" | "nan" => Kind::Number,
            "unknown" | "reset" | "not_reset" | "gauge" => Kind::ResetHint,
            _ => return Err(format!("bad histogram descriptor found: {word:?}")),
        };
        self.emit(kind);
        Ok(())
    }

    /// Within a list of buckets.
    pub(super) fn buckets(&mut self) -> Result<bool, Stop> {
        loop {
            let next = self.next();
            match next {
                Some(space) if is_space(space) => self.space(),
                Some('-') => {
                    self.emit(Kind::Operator);
                    self.start = self.at;
                    self.number()?;
                }
                Some(digit) if is_digit(digit) => {
                    self.at -= 1;
                    self.number()?;
                }
                Some(']') => {
                    self.emit(Kind::RightBracket);
                    self.state = State::Histogram;
                }
                // A letter alone is no token; a word grows by it until it is a number.
                Some(letter) if is_alpha(letter) => {
                    if keyword(&self.input[self.start..self.at]) != Some(Kind::Number) {
                        continue;
                    }
                    self.emit(Kind::Number);
                }
                other => {
                    return Err(format!("invalid character in buckets description: {}", quoted(other)));
                }
            }
            return Ok(true);
        }
    }
}
