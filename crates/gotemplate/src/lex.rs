//! Tokens of a template.

use model::labels::Quoted;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Error,
    Bool,
    Char,
    CharConstant,
    Assign,
    Declare,
    Eof,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    Space,
    String,
    Text,
    Variable,
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    End,
    If,
    Nil,
    Range,
    Template,
    With,
}

impl Kind {
    fn keyword(word: &str) -> Option<Self> {
        Some(match word {
            "block" => Self::Block,
            "break" => Self::Break,
            "continue" => Self::Continue,
            "define" => Self::Define,
            "else" => Self::Else,
            "end" => Self::End,
            "if" => Self::If,
            "range" => Self::Range,
            "nil" => Self::Nil,
            "template" => Self::Template,
            "with" => Self::With,
            _ => return None,
        })
    }

    fn is_keyword(self) -> bool {
        matches!(
            self,
            Self::Block
                | Self::Break
                | Self::Continue
                | Self::Dot
                | Self::Define
                | Self::Else
                | Self::End
                | Self::If
                | Self::Nil
                | Self::Range
                | Self::Template
                | Self::With
        )
    }
}

/// A token with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// First byte in the template.
    pub(crate) pos: usize,
    /// Counted from one.
    pub(crate) line: usize,
    /// As it is written; of an error, what is wrong.
    pub(crate) text: String,
}

impl Token {
    /// As Go's messages name it.
    pub(crate) fn describe(&self) -> String {
        match self.kind {
            Kind::Eof => "EOF".to_owned(),
            Kind::Error => self.text.clone(),
            kind if kind.is_keyword() => format!("<{}>", self.text),
            _ => match self.text.char_indices().nth(10) {
                // Go counts bytes and characters alike here; characters are never cut in two.
                Some((end, _)) if self.text.len() > 10 => format!("{}...", Quoted(&self.text[..end])),
                _ => Quoted(&self.text).to_string(),
            },
        }
    }
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Cuts a template into tokens, up to the first error.
pub(crate) fn tokens(input: &str) -> Vec<Token> {
    let mut lexer = Lexer { input, pos: 0, start: 0, line: 1, start_line: 1, parens: 0, out: Vec::new() };
    if let Err(message) = lexer.run() {
        lexer.out.push(Token { kind: Kind::Error, pos: lexer.start, line: lexer.start_line, text: message });
    }
    lexer.out
}

struct Lexer<'a> {
    input: &'a str,
    pos: usize,
    start: usize,
    line: usize,
    start_line: usize,
    parens: usize,
    out: Vec<Token>,
}

type Step = Result<(), String>;

impl<'a> Lexer<'a> {
    fn run(&mut self) -> Step {
        loop {
            let Some(found) = self.rest().find(LEFT) else {
                self.pos = self.input.len();
                if self.pos > self.start {
                    self.emit(Kind::Text);
                }
                self.emit(Kind::Eof);
                return Ok(());
            };
            let delim = self.pos + found;
            self.pos = delim;
            if trims_left(&self.input[delim + LEFT.len()..]) {
                self.pos = self.start + self.input[self.start..delim].trim_end_matches(SPACE).len();
            }
            if self.pos > self.start {
                self.emit(Kind::Text);
            }
            self.pos = delim;
            self.ignore();
            self.action()?;
        }
    }

    fn rest(&self) -> &'a str {
        &self.input[self.pos..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.pos += character.len_utf8();
        Some(character)
    }

    fn emit(&mut self, kind: Kind) {
        let text = self.input[self.start..self.pos].to_owned();
        self.out.push(Token { kind, pos: self.start, line: self.start_line, text });
        self.ignore();
    }

    /// Leaves out what was read since the last token.
    fn ignore(&mut self) {
        self.line += self.input[self.start..self.pos].matches('\n').count();
        self.start = self.pos;
        self.start_line = self.line;
    }

    /// From a left delimiter to behind its right one.
    fn action(&mut self) -> Step {
        let after = self.pos + LEFT.len();
        let marker = if trims_left(&self.input[after..]) { 2 } else { 0 };
        if self.input[after + marker..].starts_with("/*") {
            self.pos = after + marker;
            self.ignore();
            return self.comment();
        }
        self.pos = after;
        self.emit(Kind::LeftDelim);
        self.pos += marker;
        self.ignore();
        self.parens = 0;
        while !self.inside()? {}
        Ok(())
    }

    fn comment(&mut self) -> Step {
        let Some(end) = self.rest()[2..].find("*/") else { return Err("unclosed comment".to_owned()) };
        self.pos += 2 + end + 2;
        let Some(trims) = self.right_delim() else {
            return Err("comment ends before closing delimiter".to_owned());
        };
        self.close(trims);
        Ok(())
    }

    /// Whether a right delimiter follows, and whether it takes the space behind it away.
    fn right_delim(&self) -> Option<bool> {
        let rest = self.rest();
        if rest.starts_with(SPACE) && rest[1..].starts_with("-}}") {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    /// Steps over a right delimiter and the space that it takes away.
    fn close(&mut self, trims: bool) {
        self.pos += if trims { 2 } else { 0 } + RIGHT.len();
        if trims {
            self.pos = self.input.len() - self.rest().trim_start_matches(SPACE).len();
        }
        self.ignore();
    }

    /// One token within an action; true behind its end.
    fn inside(&mut self) -> Result<bool, String> {
        if let Some(trims) = self.right_delim() {
            if self.parens > 0 {
                return Err("unclosed left paren".to_owned());
            }
            self.right(trims);
            return Ok(true);
        }
        let Some(character) = self.next() else { return Err("unclosed action".to_owned()) };
        match character {
            character if SPACE.contains(&character) => return Ok(self.space()),
            '=' => self.emit(Kind::Assign),
            ':' => {
                if self.next() != Some('=') {
                    return Err("expected :=".to_owned());
                }
                self.emit(Kind::Declare);
            }
            '|' => self.emit(Kind::Pipe),
            '"' => self.quoted('"', "unterminated quoted string", Kind::String)?,
            '\'' => self.quoted('\'', "unterminated character constant", Kind::CharConstant)?,
            '`' => {
                let Some(end) = self.rest().find('`') else {
                    return Err("unterminated raw quoted string".to_owned());
                };
                self.pos += end + 1;
                self.emit(Kind::RawString);
            }
            '$' => self.name(Kind::Variable, Kind::Variable)?,
            '.' if !self.peek().is_some_and(|next| next.is_ascii_digit()) => {
                self.name(Kind::Field, Kind::Dot)?;
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.pos = self.start;
                self.number()?;
            }
            character if is_alphanumeric(character) => self.identifier()?,
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen);
            }
            ')' => {
                let Some(parens) = self.parens.checked_sub(1) else {
                    return Err("unexpected right paren".to_owned());
                };
                self.parens = parens;
                self.emit(Kind::RightParen);
            }
            character if character.is_ascii_graphic() => self.emit(Kind::Char),
            character => return Err(format!("unrecognized character in action: {}", code_point(character))),
        }
        Ok(false)
    }

    fn right(&mut self, trims: bool) {
        if trims {
            self.pos += 2;
            self.ignore();
        }
        self.pos += RIGHT.len();
        self.emit(Kind::RightDelim);
        if trims {
            self.pos = self.input.len() - self.rest().trim_start_matches(SPACE).len();
            self.ignore();
        }
    }

    /// A run of space, of which the last may belong to a delimiter that takes space away.
    fn space(&mut self) -> bool {
        let mut length = 1;
        while self.peek().is_some_and(|next| SPACE.contains(&next)) {
            self.pos += 1;
            length += 1;
        }
        if self.rest().starts_with("-}}") {
            self.pos -= 1;
            if length == 1 {
                self.right(true);
                return true;
            }
        }
        self.emit(Kind::Space);
        false
    }

    fn quoted(&mut self, quote: char, unterminated: &str, kind: Kind) -> Step {
        loop {
            match self.next() {
                Some('\\') if self.peek().is_some_and(|next| next != '\n') => {
                    self.next();
                }
                Some(character) if character == quote => break,
                None | Some('\\' | '\n') => return Err(unterminated.to_owned()),
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    /// A field or a variable, whose first character has been read; the character alone is something of its own.
    fn name(&mut self, kind: Kind, alone: Kind) -> Step {
        if self.at_terminator() {
            self.emit(alone);
            return Ok(());
        }
        self.letters()?;
        self.emit(kind);
        Ok(())
    }

    fn identifier(&mut self) -> Step {
        self.letters()?;
        let word = &self.input[self.start..self.pos];
        let kind = match word {
            "true" | "false" => Kind::Bool,
            word => Kind::keyword(word).unwrap_or(Kind::Identifier),
        };
        self.emit(kind);
        Ok(())
    }

    fn letters(&mut self) -> Step {
        while self.peek().is_some_and(is_alphanumeric) {
            self.next();
        }
        if self.at_terminator() {
            return Ok(());
        }
        Err(format!("bad character {}", self.peek().map_or_else(String::new, code_point)))
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(character) => SPACE.contains(&character) || self.rest().starts_with(RIGHT),
        }
    }

    fn accept(&mut self, valid: &str) -> bool {
        let found = self.peek().is_some_and(|next| valid.contains(next));
        if found {
            self.pos += 1;
        }
        found
    }

    fn accept_run(&mut self, valid: &str) {
        while self.accept(valid) {}
    }

    fn number(&mut self) -> Step {
        self.accept("+-");
        let mut digits = "0123456789_";
        if self.accept("0") {
            if self.accept("xX") {
                digits = "0123456789abcdefABCDEF_";
            } else if self.accept("oO") {
                digits = "01234567_";
            } else if self.accept("bB") {
                digits = "01_";
            }
        }
        self.accept_run(digits);
        if self.accept(".") {
            self.accept_run(digits);
        }
        let exponent = match digits.len() {
            11 => "eE",
            23 => "pP",
            _ => "",
        };
        if self.accept(exponent) {
            self.accept("+-");
            self.accept_run("0123456789_");
        }
        if let Some(next) = self.peek().filter(|next| is_alphanumeric(*next)) {
            self.pos += next.len_utf8();
            return Err(format!("bad number syntax: {}", Quoted(&self.input[self.start..self.pos])));
        }
        if self.peek().is_some_and(|next| "+-".contains(next)) {
            return Err(format!("bad number syntax: {}", Quoted(&self.input[self.start..=self.pos])));
        }
        self.emit(Kind::Number);
        Ok(())
    }
}

fn trims_left(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|rest| rest.starts_with(SPACE))
}

fn is_alphanumeric(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

/// `%#U`: `U+0041 'A'`, the character itself only where it can be printed.
fn code_point(character: char) -> String {
    let code = format!("U+{:04X}", character as u32);
    let is_hidden = character.is_control() || (character.is_whitespace() && character != ' ');
    if is_hidden { code } else { format!("{code} '{character}'") }
}
