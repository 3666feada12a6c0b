//! A stream's labels as text: what PromQL's grammar takes for a metric, since Loki reads them with that parser.
//!
//! `{name="value", 'other name'="x"}`, also with a metric's name in front, which becomes `__name__`.

use std::fmt;

use model::Labels;
use model::labels::{METRIC_NAME, Quoted};

/// What is wrong, in the words of Prometheus' parser, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ParseError {
    text: String,
    offset: usize,
    message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.text.get(..self.offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1) + 1;
        write!(f, "{line}:{column}: parse error: {}", self.message)
    }
}

/// Reads labels. Empty values mean "no such label".
pub(super) fn parse(text: &str) -> Result<Labels, ParseError> {
    let mut parser = Parser { text, offset: 0, token_start: 0 };
    parser.labels().map_err(|message| ParseError {
        text: text.to_owned(),
        offset: parser.token_start,
        message,
    })
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    End,
    Open,
    Close,
    Comma,
    Equal,
    /// Another comparison: `!=`, `=~`, `!~`.
    Operator(&'static str),
    Name(String),
    Text(String),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End => f.write_str("end of input"),
            Self::Open => f.write_str("\"{\""),
            Self::Close => f.write_str("\"}\""),
            Self::Comma => f.write_str("\",\""),
            Self::Equal => f.write_str("\"=\""),
            Self::Operator(operator) => write!(f, "<op:{operator}>"),
            Self::Name(name) => write!(f, "identifier {name:?}"),
            Self::Text(text) => write!(f, "string {text:?}"),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    offset: usize,
    /// Where the last token begins.
    token_start: usize,
}

impl Parser<'_> {
    fn labels(&mut self) -> Result<Labels, String> {
        let mut pairs = Vec::new();
        let mut token = self.outside()?;
        if let Token::Name(name) = token {
            pairs.push((METRIC_NAME.to_owned(), name));
            token = self.outside()?;
        }
        match token {
            Token::End => return Ok(Labels::new(pairs)),
            Token::Open => {}
            other => return Err(format!("unexpected {other}")),
        }
        loop {
            let name = match self.inside()? {
                Token::Close => break,
                Token::Name(name) => {
                    self.expect_equal()?;
                    name
                }
                Token::Text(name) => {
                    // A quoted text alone is the metric's name.
                    match self.inside()? {
                        Token::Equal => name,
                        separator => {
                            pairs.push((METRIC_NAME.to_owned(), name));
                            if separator_ends(&separator)? {
                                break;
                            }
                            continue;
                        }
                    }
                }
                other => {
                    return Err(format!("unexpected {other} in label set, expected identifier or \"}}\""));
                }
            };
            match self.inside()? {
                Token::Text(value) => pairs.push((name, value)),
                other => return Err(format!("unexpected {other} in label set, expected string")),
            }
            if separator_ends(&self.inside()?)? {
                break;
            }
        }
        match self.outside()? {
            Token::End => Ok(Labels::new(pairs)),
            other => Err(format!("unexpected {other}")),
        }
    }

    fn expect_equal(&mut self) -> Result<(), String> {
        match self.inside()? {
            Token::Equal => Ok(()),
            other => Err(format!("unexpected {other} in label set, expected \"=\"")),
        }
    }

    fn rest(&self) -> &str {
        &self.text[self.offset..]
    }

    /// Steps over blanks and comments to the next token.
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
            let comment = if rest[blank..].starts_with('#') {
                rest[blank..].find(['\n', '\r']).unwrap_or(rest.len() - blank)
            } else {
                0
            };
            self.offset += blank + comment;
            if comment == 0 {
                break;
            }
        }
        self.token_start = self.offset;
    }

    fn name(&mut self, may_hold_colons: bool) -> String {
        let rest = self.rest();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || (may_hold_colons && c == ':');
        let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let name = rest[..length].to_owned();
        self.offset += length;
        name
    }

    fn outside(&mut self) -> Result<Token, String> {
        self.skip_blanks();
        match self.rest().chars().next() {
            None => Ok(Token::End),
            Some('{') => {
                self.offset += 1;
                Ok(Token::Open)
            }
            Some(first) if first.is_ascii_alphabetic() || first == '_' || first == ':' => {
                Ok(Token::Name(self.name(true)))
            }
            Some(other) => Err(format!("unexpected character: {other:?}")),
        }
    }

    fn inside(&mut self) -> Result<Token, String> {
        self.skip_blanks();
        let rest = self.rest();
        let (token, length) = match rest.as_bytes() {
            [] => return Err("unexpected end of input inside braces".to_owned()),
            [b',', ..] => (Token::Comma, 1),
            [b'}', ..] => (Token::Close, 1),
            [b'{', ..] => return Err("unexpected left brace '{'".to_owned()),
            [b'=', b'~', ..] => (Token::Operator("=~"), 2),
            [b'=', ..] => (Token::Equal, 1),
            [b'!', b'=', ..] => (Token::Operator("!="), 2),
            [b'!', b'~', ..] => (Token::Operator("!~"), 2),
            [quote @ (b'"' | b'\''), ..] => return self.quoted(char::from(*quote)),
            [b'`', ..] => return self.raw(),
            [first, ..] if first.is_ascii_alphabetic() || *first == b'_' => {
                return Ok(Token::Name(self.name(false)));
            }
            _ => {
                let other = rest.chars().next().unwrap_or_default();
                return Err(format!("unexpected character inside braces: {other:?}"));
            }
        };
        self.offset += length;
        Ok(token)
    }

    fn raw(&mut self) -> Result<Token, String> {
        let rest = &self.rest()[1..];
        let length = rest.find('`').ok_or("unterminated raw string")?;
        let text = rest[..length].to_owned();
        self.offset += length + 2;
        Ok(Token::Text(text))
    }

    fn quoted(&mut self, quote: char) -> Result<Token, String> {
        let rest = &self.text[self.offset + 1..];
        // Bytes, since `\xff` and octal escapes name bytes.
        let mut text = Vec::new();
        let mut at = 0;
        loop {
            let Some(character) = rest[at..].chars().next() else {
                return Err("unterminated quoted string".to_owned());
            };
            at += character.len_utf8();
            match character {
                '\n' => return Err("unterminated quoted string".to_owned()),
                '\\' => at += unescape(&rest[at..], quote, &mut text)?,
                end if end == quote => break,
                other => push(&mut text, other),
            }
        }
        self.offset += at + 1;
        Ok(Token::Text(String::from_utf8_lossy(&text).into_owned()))
    }
}

/// Whether what follows a label ends the set; anything but that and a comma is an error.
fn separator_ends(separator: &Token) -> Result<bool, String> {
    match separator {
        Token::Close => Ok(true),
        Token::Comma => Ok(false),
        other => Err(format!("unexpected {other} in label set, expected \",\" or \"}}\"")),
    }
}

fn push(text: &mut Vec<u8>, character: char) {
    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// One escape of a Go string literal, the backslash already read; gives back how many bytes it took.
fn unescape(rest: &str, quote: char, text: &mut Vec<u8>) -> Result<usize, String> {
    let Some(first) = rest.chars().next() else { return Err("escape sequence not terminated".to_owned()) };
    let digits = |from: usize, count: usize, radix: u32| {
        let digits = rest.get(from..from + count).ok_or("escape sequence not terminated")?;
        if let Some(bad) = digits.chars().find(|digit| !digit.is_digit(radix)) {
            return Err(format!("illegal character {bad:?} in escape sequence"));
        }
        u32::from_str_radix(digits, radix).map_err(|error| error.to_string())
    };
    let simple = match first {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0c,
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        'v' => 0x0b,
        '\\' => b'\\',
        _ if first == quote => first as u8,
        'x' => {
            text.push(digits(1, 2, 16)? as u8);
            return Ok(3);
        }
        '0'..='7' => {
            let byte = u8::try_from(digits(0, 3, 8)?);
            text.push(byte.map_err(|_| "escape sequence is an invalid byte".to_owned())?);
            return Ok(3);
        }
        'u' | 'U' => {
            let count = if first == 'u' { 4 } else { 8 };
            let point = char::from_u32(digits(1, count, 16)?);
            push(text, point.ok_or("escape sequence is an invalid Unicode code point")?);
            return Ok(1 + count);
        }
        other => return Err(format!("unknown escape sequence {other:?}")),
    };
    text.push(simple);
    Ok(1)
}

/// Labels that came as pairs, as if they had been written as text: a name that is none is the parser's error.
pub(super) fn from_pairs(pairs: Vec<(String, String)>) -> Result<Labels, ParseError> {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if pairs.iter().all(|(name, _)| is_name(name)) {
        return Ok(Labels::new(pairs));
    }
    let mut sorted = pairs;
    sorted.sort();
    let written: Vec<String> =
        sorted.iter().map(|(name, value)| format!("{name}={}", Quoted(value))).collect();
    parse(&format!("{{{}}}", written.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> String {
        parse(text).unwrap().to_string()
    }

    fn error(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn reads_what_a_metric_may_look_like() {
        assert_eq!(labels(r#"{foo="bar",  b='c' , }"#), r#"{b="c", foo="bar"}"#);
        assert_eq!(labels("{a=`raw \\n`}"), r#"{a="raw \\n"}"#);
        assert_eq!(labels(r#"up{job="x"}"#), r#"{__name__="up", job="x"}"#);
        assert_eq!(labels(r#"{"up", "a.b"="c"}"#), r#"{__name__="up", "a.b"="c"}"#);
        assert_eq!(labels("{}"), "{}");
        assert_eq!(labels(""), "{}");
        assert_eq!(labels("{a=\"b\", # a comment\n c=\"\"}"), r#"{a="b"}"#);
        assert_eq!(labels("{by=\"x\", sum=\"y\"}"), r#"{by="x", sum="y"}"#);
    }

    #[test]
    fn reads_the_escapes_of_go() {
        let read = parse(r#"{a="\n\"\\\x41\101\u00e9\U0001F600 é"}"#).unwrap();
        assert_eq!(read.get("a"), "\n\"\\AA\u{e9}\u{1F600} é");
        assert_eq!(parse(r#"{a="\xff"}"#).unwrap().get("a"), "\u{fffd}");
        assert_eq!(error(r#"{a="\q"}"#), "1:4: parse error: unknown escape sequence 'q'");
        assert_eq!(
            error(r#"{a="\ud800"}"#),
            "1:4: parse error: escape sequence is an invalid Unicode code point"
        );
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        assert_eq!(error("{a-b=\"c\"}"), "1:3: parse error: unexpected character inside braces: '-'");
        assert_eq!(error("{a=\"b\""), "1:7: parse error: unexpected end of input inside braces");
        assert_eq!(
            error("{a=b}"),
            r#"1:4: parse error: unexpected identifier "b" in label set, expected string"#
        );
        assert_eq!(error("{a}"), r#"1:3: parse error: unexpected "}" in label set, expected "=""#);
        assert_eq!(error("{a=~\"b\"}"), r#"1:3: parse error: unexpected <op:=~> in label set, expected "=""#);
        assert_eq!(error("{a=\"b}"), "1:4: parse error: unterminated quoted string");
        assert_eq!(
            error("{a=\"b\" c=\"d\"}"),
            r#"1:8: parse error: unexpected identifier "c" in label set, expected "," or "}""#
        );
        assert_eq!(error("{a=\"b\"} x"), r#"1:9: parse error: unexpected identifier "x""#);
        assert_eq!(error("{\n é}"), "2:2: parse error: unexpected character inside braces: 'é'");
    }

    #[test]
    fn pairs_are_read_as_text_is() {
        let pairs = vec![("b".to_owned(), "\"\n".to_owned()), ("a".to_owned(), "x".to_owned())];
        assert_eq!(from_pairs(pairs).unwrap().to_string(), r#"{a="x", b="\"\n"}"#);
        let refused = from_pairs(vec![("a.b".to_owned(), "x".to_owned())]).unwrap_err();
        assert_eq!(refused.to_string(), "1:3: parse error: unexpected character inside braces: '.'");
        let smuggled = from_pairs(vec![("a=\"b\",c".to_owned(), "x".to_owned())]).unwrap();
        assert_eq!(
            smuggled.to_string(),
            r#"{a="b", c="x"}"#,
            "as Loki does, which writes it down and reads it"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
            if let Err(error) = parse(&text) {
                proptest::prop_assert!(!error.to_string().is_empty());
            }
        }

        #[test]
        fn what_is_written_is_read_back(pairs in proptest::collection::vec(("[a-z_]{1,5}", "[^\\x00]{0,12}"), 0..5)) {
            let written: Labels = pairs.into_iter().collect();
            proptest::prop_assert_eq!(parse(&written.to_string()).unwrap(), written);
        }
    }
}
