//! Text to tokens, with the errors of Prometheus' lexer.
//!
//! `series` has the rules for the points of a series in tests.

mod series;

use model::literal::{QuotedChar, is_printable};

use crate::error::Span;
pub(crate) use series::lex_series;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The end of the query.
    Eof,
    /// The lexer cannot go on; the message is kept beside the tokens.
    Error,
    Number,
    Duration,
    String,
    /// A name without a colon.
    Identifier,
    /// A name with a colon, which only metrics have.
    MetricIdentifier,
    Keyword(Keyword),
    /// An operator that joins or compares expressions, or `@`.
    Operator,
    Equal,
    /// `=~`, within braces only.
    MatchRegex,
    /// `!~`, within braces only.
    NotRegex,
    /// `!=`
    NotEqual,
    At,
    Comma,
    Colon,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    /// Between the points of a series.
    Space,
    /// The `x` of repetitions in a series.
    Times,
    /// A point that is left out of a series: `_`.
    Blank,
    /// `{{`
    OpenHistogram,
    /// `}}`
    CloseHistogram,
    /// A key within a histogram.
    Descriptor,
    /// What a histogram says of resets.
    ResetHint,
}

/// Words with a meaning of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    /// `sum`, `topk` …
    Aggregator,
    /// `and`, `or`, `unless`
    Operator,
    /// `atan2`, an operator that no metric is named
    Atan2,
    Offset,
    Anchored,
    Smoothed,
    By,
    Without,
    /// `start`, `end`
    StartOrEnd,
    /// `step`, `range`, `min_of`, `max_of`
    Preprocessor,
    /// `on`, `ignoring`, `group_left`, `group_right`, `bool`: what only binary operators have, and no metric is named
    BinaryModifier,
    /// `fill`, `fill_left`, `fill_right`, before a parenthesis
    Fill,
}

fn keyword(word: &str) -> Option<Kind> {
    let lower = word.to_ascii_lowercase();
    let keyword = match lower.as_str() {
        "inf" | "nan" => return Some(Kind::Number),
        "and" | "or" | "unless" => Keyword::Operator,
        "atan2" => Keyword::Atan2,
        "sum" | "avg" | "count" | "min" | "max" | "group" | "stddev" | "stdvar" | "topk" | "bottomk"
        | "count_values" | "quantile" | "limitk" | "limit_ratio" => Keyword::Aggregator,
        "offset" => Keyword::Offset,
        "anchored" => Keyword::Anchored,
        "smoothed" => Keyword::Smoothed,
        "by" => Keyword::By,
        "without" => Keyword::Without,
        "start" | "end" => Keyword::StartOrEnd,
        "step" | "range" | "max_of" | "min_of" => Keyword::Preprocessor,
        "on" | "ignoring" | "group_left" | "group_right" | "bool" => Keyword::BinaryModifier,
        "fill" | "fill_left" | "fill_right" => Keyword::Fill,
        _ => return None,
    };
    Some(Kind::Keyword(keyword))
}

/// A token with the bytes that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

/// Which rules hold for what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Statements,
    Duration,
    /// The points of a series.
    Points,
    /// Within the braces of a histogram.
    Histogram,
    /// Within a list of buckets.
    Buckets,
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent, as in the lexer that this one has to equal"
)]
struct Lexer<'a> {
    input: &'a str,
    start: usize,
    at: usize,
    state: State,
    in_braces: bool,
    in_brackets: bool,
    had_colon: bool,
    had_duration: bool,
    paren_depth: usize,
    /// Whether this is a series with its points, not a query.
    series: bool,
    tokens: Vec<Token>,
}

/// What stopped the lexer.
type Stop = String;

/// The tokens of a query: the last one is the end, or an error whose message comes with it.
pub(crate) fn lex(input: &str) -> (Vec<Token>, String) {
    run(input, false)
}

fn run(input: &str, series: bool) -> (Vec<Token>, String) {
    let mut lexer = Lexer {
        input,
        start: 0,
        at: 0,
        state: State::Statements,
        in_braces: false,
        in_brackets: false,
        had_colon: false,
        had_duration: false,
        paren_depth: 0,
        series,
        tokens: Vec::new(),
    };
    loop {
        lexer.start = lexer.at;
        let more = match lexer.state {
            _ if lexer.in_braces => lexer.braces(),
            State::Statements => lexer.statements(),
            State::Duration => lexer.duration(),
            State::Points => lexer.points(),
            State::Histogram => lexer.histogram(),
            State::Buckets => lexer.buckets(),
        };
        match more {
            Ok(true) => {}
            Ok(false) => return (lexer.tokens, String::new()),
            Err(message) => {
                let span = Span { start: lexer.start, end: input.len() };
                lexer.tokens.push(Token { kind: Kind::Error, span });
                return (lexer.tokens, message);
            }
        }
    }
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.input[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// Steps over a character if it is one of these.
    fn accept(&mut self, set: &str) -> bool {
        let found = self.peek().is_some_and(|next| set.contains(next));
        if found {
            self.at += 1;
        }
        found
    }

    fn is(&self, set: &str) -> bool {
        self.peek().is_some_and(|next| set.contains(next))
    }

    fn skip_while(&mut self, test: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&test) {
            self.next();
        }
    }

    fn emit(&mut self, kind: Kind) {
        self.tokens.push(Token { kind, span: Span { start: self.start, end: self.at } });
    }

    fn comment(&mut self) -> bool {
        let found = self.peek() == Some('#');
        if found {
            self.skip_while(|character| character != '\n' && character != '\r');
        }
        found
    }

    fn statements(&mut self) -> Result<bool, Stop> {
        if self.comment() {
            return Ok(true);
        }
        let Some(next) = self.next() else {
            if self.paren_depth != 0 {
                return Err("unclosed left parenthesis".to_owned());
            }
            if self.in_brackets {
                return Err("unclosed left bracket".to_owned());
            }
            self.emit(Kind::Eof);
            return Ok(false);
        };
        match next {
            ',' => self.emit(Kind::Comma),
            space if is_space(space) => self.skip_while(is_space),
            '*' | '/' | '%' | '+' | '-' | '^' => self.emit(Kind::Operator),
            '=' if self.peek() == Some('~') => return Err("unexpected character after '=': '~'".to_owned()),
            '=' => {
                let kind = if self.accept("=") { Kind::Operator } else { Kind::Equal };
                self.emit(kind);
            }
            '!' => {
                let after = self.next();
                if after != Some('=') {
                    return Err(format!("unexpected character after '!': {}", quoted(after)));
                }
                self.emit(Kind::NotEqual);
            }
            '<' | '>' => {
                self.accept("=/");
                self.emit(Kind::Operator);
            }
            digit if is_digit(digit) || (digit == '.' && self.peek().is_some_and(is_digit)) => {
                self.at = self.start;
                self.number_or_duration()?;
            }
            quote @ ('"' | '\'') => self.string(quote)?,
            '`' => self.raw_string()?,
            letter if is_alpha(letter) || letter == ':' => self.word(letter)?,
            '(' => {
                self.emit(Kind::LeftParen);
                self.paren_depth += 1;
            }
            ')' => self.right_paren()?,
            '{' => {
                self.emit(Kind::LeftBrace);
                self.in_braces = true;
            }
            '[' if self.in_brackets => return Err("unexpected left bracket '['".to_owned()),
            '[' => {
                self.emit(Kind::LeftBracket);
                // That there was a duration is not forgotten, as in Prometheus: behind one of another range, the range of
                // a subquery may do without.
                (self.had_colon, self.in_brackets) = (false, true);
                self.skip_while(is_space);
                self.state = State::Duration;
            }
            ']' if !self.in_brackets => return Err("unexpected right bracket ']'".to_owned()),
            ']' => {
                self.emit(Kind::RightBracket);
                self.in_brackets = false;
            }
            '@' => self.emit(Kind::At),
            other => return Err(format!("unexpected character: {}", quoted(Some(other)))),
        }
        Ok(true)
    }

    /// What stops here is said to stand behind the parenthesis, and the parenthesis itself is nobody's.
    fn right_paren(&mut self) -> Result<(), Stop> {
        let Some(depth) = self.paren_depth.checked_sub(1) else {
            self.start = self.at;
            return Err("unexpected right parenthesis ')'".to_owned());
        };
        self.emit(Kind::RightParen);
        self.paren_depth = depth;
        Ok(())
    }

    fn word(&mut self, first: char) -> Result<(), Stop> {
        if self.in_brackets {
            if first == ':' {
                if self.had_colon {
                    return Err("unexpected colon ':'".to_owned());
                }
                self.emit(Kind::Colon);
                self.had_colon = true;
                return Ok(());
            }
            if self.preprocessor(first) {
                return Ok(());
            }
            return Err(format!("unexpected character: {}, expected ':'", quoted(Some(first))));
        }
        self.skip_while(|next| is_alphanumeric(next) || next == ':');
        let word = &self.input[self.start..self.at];
        let kind = match keyword(word) {
            // Metrics may be named so; what fills has its value in parentheses.
            Some(Kind::Keyword(Keyword::Fill)) if !self.is_before_paren() => Kind::Identifier,
            Some(kind) => kind,
            None if word.contains(':') => Kind::MetricIdentifier,
            None => Kind::Identifier,
        };
        self.emit(kind);
        if self.series && self.peek() != Some('{') {
            self.state = State::Points;
        }
        Ok(())
    }

    fn is_before_paren(&self) -> bool {
        self.input[self.at..].trim_start_matches(is_space).starts_with('(')
    }

    /// `step` and its like, within brackets.
    fn preprocessor(&mut self, first: char) -> bool {
        if !matches!(first.to_ascii_lowercase(), 's' | 'r' | 'm') {
            return false;
        }
        self.skip_while(is_alpha);
        let kind = keyword(&self.input[self.start..self.at]);
        let found = kind == Some(Kind::Keyword(Keyword::Preprocessor));
        if found {
            self.emit(Kind::Keyword(Keyword::Preprocessor));
        }
        found
    }

    /// Within the brackets of a range, up to the first number.
    fn duration(&mut self) -> Result<bool, Stop> {
        let Some(next) = self.next() else {
            return Err("unexpected end of input in duration expression".to_owned());
        };
        match next {
            ']' => {
                self.emit(Kind::RightBracket);
                (self.in_brackets, self.had_colon) = (false, false);
                self.state = State::Statements;
            }
            ':' => {
                // As with parentheses, what stops here is said to stand behind the colon.
                if !self.had_duration {
                    self.start = self.at;
                    return Err("unexpected colon before duration in duration expression".to_owned());
                }
                if self.had_colon {
                    self.start = self.at;
                    return Err("unexpected repeated colon in duration expression".to_owned());
                }
                self.emit(Kind::Colon);
                self.had_colon = true;
            }
            '(' => {
                self.emit(Kind::LeftParen);
                self.paren_depth += 1;
            }
            ')' => self.right_paren()?,
            space if is_space(space) => self.skip_while(is_space),
            '+' | '-' | '*' | '/' | '%' | '^' => self.emit(Kind::Operator),
            ',' => self.emit(Kind::Comma),
            digit if is_digit(digit) || (digit == '.' && self.peek().is_some_and(is_digit)) => {
                self.at = self.start;
                self.had_duration = true;
                self.state = State::Statements;
                self.number_or_duration()?;
            }
            other if is_alpha(other) && self.preprocessor(other) => {}
            other => {
                return Err(format!("unexpected character in duration expression: {}", quoted(Some(other))));
            }
        }
        Ok(true)
    }

    fn braces(&mut self) -> Result<bool, Stop> {
        if self.comment() {
            return Ok(true);
        }
        let Some(next) = self.next() else {
            return Err("unexpected end of input inside braces".to_owned());
        };
        match next {
            space if is_space(space) => self.skip_while(is_space),
            letter if is_alpha(letter) => {
                self.skip_while(is_alphanumeric);
                self.emit(Kind::Identifier);
            }
            ',' => self.emit(Kind::Comma),
            quote @ ('"' | '\'') => self.string(quote)?,
            '`' => self.raw_string()?,
            '=' => {
                let kind = if self.accept("~") { Kind::MatchRegex } else { Kind::Equal };
                self.emit(kind);
            }
            '!' => match self.next() {
                Some('~') => self.emit(Kind::NotRegex),
                Some('=') => self.emit(Kind::NotEqual),
                other => {
                    return Err(format!("unexpected character after '!' inside braces: {}", quoted(other)));
                }
            },
            '{' => return Err("unexpected left brace '{'".to_owned()),
            '}' => {
                self.emit(Kind::RightBrace);
                self.in_braces = false;
                if self.series {
                    self.state = State::Points;
                }
            }
            other => return Err(format!("unexpected character inside braces: {}", quoted(Some(other)))),
        }
        Ok(true)
    }

    fn string(&mut self, quote: char) -> Result<(), Stop> {
        loop {
            match self.next() {
                Some('\\') => self.escape(quote)?,
                Some(char::REPLACEMENT_CHARACTER) => return Err("invalid UTF-8 rune".to_owned()),
                None | Some('\n') => return Err("unterminated quoted string".to_owned()),
                Some(next) if next == quote => break,
                Some(_) => {}
            }
        }
        self.emit(Kind::String);
        Ok(())
    }

    fn raw_string(&mut self) -> Result<(), Stop> {
        loop {
            match self.next() {
                Some('`') => break,
                Some(char::REPLACEMENT_CHARACTER) => return Err("invalid UTF-8 rune".to_owned()),
                None => return Err("unterminated raw string".to_owned()),
                Some(_) => {}
            }
        }
        self.emit(Kind::String);
        Ok(())
    }

    /// Checks an escape whose backslash has been read; what it means is read by `text::unquote`.
    fn escape(&mut self, quote: char) -> Result<(), Stop> {
        let first = self.next();
        let (digits, base, limit) = match first {
            None => return Err("escape sequence not terminated".to_owned()),
            Some('a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | '\\') => return Ok(()),
            Some(other) if other == quote => return Ok(()),
            Some('0'..='7') => (3, 8, 255),
            Some('x') => (2, 16, 255),
            Some('u') => (4, 16, 0x10_ffff),
            Some('U') => (8, 16, 0x10_ffff),
            Some(other) => return Err(format!("unknown escape sequence {}", unicode(other))),
        };
        let mut digit = if base == 8 { first } else { self.next() };
        let mut number = 0_u64;
        for left in (0..digits).rev() {
            let Some(character) = digit else { return Err("escape sequence not terminated".to_owned()) };
            let Some(value) = character.to_digit(base) else {
                return Err(format!("illegal character {} in escape sequence", unicode(character)));
            };
            number = number * u64::from(base) + u64::from(value);
            if left > 0 {
                digit = self.next();
            }
        }
        if number > limit || (0xd800..0xe000).contains(&number) {
            return Err("escape sequence is an invalid Unicode code point".to_owned());
        }
        Ok(())
    }

    fn number_or_duration(&mut self) -> Result<(), Stop> {
        if self.scan_number() {
            self.emit(Kind::Number);
        } else if self.scan_rest_of_duration() {
            self.emit(Kind::Duration);
        } else {
            return Err(format!("bad number or duration syntax: {:?}", &self.input[self.start..self.at]));
        }
        Ok(())
    }

    /// Steps over a number, or over its beginning if it is none.
    fn scan_number(&mut self) -> bool {
        let mut digits = "0123456789";
        // In a series, an `x` repeats the number before it.
        let hex = !self.series && self.accept("0") && self.accept("xX");
        if hex {
            self.accept("_");
            digits = "0123456789abcdefABCDEF";
        }
        self.accept(".");
        self.accept(digits);
        let (mut had_dot, mut had_exponent) = (false, false);
        while self.is(digits) || self.is("._eE") {
            if self.is(".") && had_dot {
                self.at += 1;
                return false;
            }
            if self.is("eE") && had_exponent {
                self.at += 1;
                return false;
            }
            if self.accept(".") {
                had_dot = true;
                if self.accept("_.") || hex {
                    return false;
                }
            } else if !hex && self.accept("eE") {
                had_exponent = true;
                self.accept("+-");
                if self.accept("._eE") || self.peek().is_none() {
                    return false;
                }
            } else if self.accept("_") {
                if self.accept("._eE") || self.peek().is_none() {
                    return false;
                }
            } else {
                self.skip_while(|next| digits.contains(next));
            }
        }
        let repeated = self.series && self.peek() == Some('x');
        self.at > self.start && (repeated || !self.peek().is_some_and(is_alphanumeric))
    }

    /// Steps over what makes a duration of digits.
    fn scan_rest_of_duration(&mut self) -> bool {
        if !self.accept("smhdwy") {
            return false;
        }
        self.accept("s");
        while self.accept("0123456789") {
            self.skip_while(is_digit);
            if !self.accept("smhdw") {
                return false;
            }
            self.accept("s");
        }
        match self.peek() {
            Some(next) if is_alphanumeric(next) => {
                self.next();
                false
            }
            _ => true,
        }
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit()
}

fn is_alpha(character: char) -> bool {
    character == '_' || character.is_ascii_alphabetic()
}

fn is_alphanumeric(character: char) -> bool {
    is_alpha(character) || is_digit(character)
}

/// A character as Go's `%q` prints it; the end of the input is printed as a replacement character there.
fn quoted(character: Option<char>) -> String {
    QuotedChar(character.unwrap_or(char::REPLACEMENT_CHARACTER)).to_string()
}

/// A character as Go's `%#U` prints it.
fn unicode(character: char) -> String {
    if is_printable(character) {
        format!("U+{:04X} '{character}'", character as u32)
    } else {
        format!("U+{:04X}", character as u32)
    }
}
