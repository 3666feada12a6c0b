//! Logfmt: `key=value key="a value" key`.

use std::fmt;

/// A text that is not logfmt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LogfmtError {
    /// What is wrong at which byte, counted from one.
    Syntax(String, usize),
    /// A key that came twice.
    Twice(String),
}

impl fmt::Display for LogfmtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(what, position) => write!(f, "{what} at pos {position}"),
            Self::Twice(key) => write!(f, "tag {key} has been set twice"),
        }
    }
}

/// Reads pairs; a key without a value has the empty one. Positions count within a line, as lines are records.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, LogfmtError> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let mut reader = Reader { line: line.as_bytes(), at: 0 };
        while let Some((key, value)) = reader.pair()? {
            if pairs.iter().any(|(known, _)| *known == key) {
                return Err(LogfmtError::Twice(key));
            }
            pairs.push((key, value));
        }
    }
    Ok(pairs)
}

struct Reader<'a> {
    line: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn pair(&mut self) -> Result<Option<(String, String)>, LogfmtError> {
        while self.peek().is_some_and(|byte| byte <= b' ') {
            self.at += 1;
        }
        if self.peek().is_none() {
            return Ok(None);
        }
        let key = self.word()?;
        if self.peek() == Some(b'=') {
            if key.is_empty() {
                return Err(self.unexpected(b'='));
            }
            self.at += 1;
            let value = if self.peek() == Some(b'"') { self.quoted()? } else { self.word_value()? };
            return Ok(Some((key, value)));
        }
        Ok(Some((key, String::new())))
    }

    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    /// Bytes up to a space or `=`; a quote has no place among them.
    fn word(&mut self) -> Result<String, LogfmtError> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => return Err(self.unexpected(byte)),
                b'=' => break,
                byte if byte <= b' ' => break,
                _ => self.at += 1,
            }
        }
        Ok(self.text(start))
    }

    fn word_value(&mut self) -> Result<String, LogfmtError> {
        let value = self.word()?;
        match self.peek() {
            Some(b'=') => Err(self.unexpected(b'=')),
            _ => Ok(value),
        }
    }

    fn quoted(&mut self) -> Result<String, LogfmtError> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    // The escapes are those of JSON.
                    let literal = &self.line[start..self.at];
                    return serde_json::from_slice(literal)
                        .map_err(|_| LogfmtError::Syntax("invalid quoted value".to_owned(), self.at + 1));
                }
                _ => {}
            }
        }
        Err(LogfmtError::Syntax("unterminated quoted value".to_owned(), self.at + 1))
    }

    fn text(&self, start: usize) -> String {
        String::from_utf8_lossy(&self.line[start..self.at]).into_owned()
    }

    fn unexpected(&self, byte: u8) -> LogfmtError {
        LogfmtError::Syntax(format!("unexpected '{}'", byte as char), self.at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read() {
        let pairs = parse("a=1  b=\"x \\\"y\\\"\" c d= é=ü\n e=5").unwrap();
        let pairs: Vec<_> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("b", "x \"y\""), ("c", ""), ("d", ""), ("é", "ü"), ("e", "5")]);
        assert_eq!(parse(""), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_logfmt_is_refused_with_its_position() {
        for (text, error) in [
            ("a=\"b", "unterminated quoted value at pos 5"),
            ("=", "unexpected '=' at pos 1"),
            ("a=b=c", "unexpected '=' at pos 4"),
            ("a\"", "unexpected '\"' at pos 2"),
            ("a=b\"c", "unexpected '\"' at pos 4"),
            ("a=b a=c", "tag a has been set twice"),
        ] {
            assert_eq!(parse(text).map_err(|error| error.to_string()), Err(error.to_owned()), "{text}");
        }
    }
}
