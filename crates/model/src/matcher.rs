//! Label matchers, the part that PromQL and LogQL selectors share.

use std::fmt;

use ::regex::Regex;

use crate::labels::{Labels, Quoted};
use crate::regex::compile_anchored_sized;

/// How a matcher compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Regex,
    /// `!~`, anchored at both ends
    NotRegex,
}

impl MatchOp {
    /// The operator as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// A regular expression that cannot be used, with the reason in the words of the engine.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct RegexError(String);

impl RegexError {
    /// Whether it is right, and too large once it is compiled.
    pub fn is_too_large(&self) -> bool {
        self.0.starts_with(crate::regex::TOO_LARGE)
    }
}

/// One condition on one label. A label that is absent is compared as the empty text.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    regex: Option<Regex>,
    regex_bytes: usize,
}

impl Matcher {
    /// Compiles the pattern of a regular-expression matcher; a `.` matches a newline, as in Prometheus 3.
    pub fn new(name: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Result<Self, RegexError> {
        let value = value.into();
        let (regex, regex_bytes) = match op {
            MatchOp::Equal | MatchOp::NotEqual => (None, 0),
            MatchOp::Regex | MatchOp::NotRegex => {
                let (regex, bytes) = compile_anchored_sized(&value).map_err(RegexError)?;
                (Some(regex), bytes)
            }
        };
        Ok(Self { name: name.into(), op, value, regex, regex_bytes })
    }

    /// How many bytes its compiled expression takes at most; 0 if it has none.
    pub fn regex_bytes(&self) -> usize {
        self.regex_bytes
    }

    /// The label's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// What it compares with: a text or a pattern.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a label's value (empty if absent) satisfies the condition.
    pub fn matches(&self, value: &str) -> bool {
        let found = || self.regex.as_ref().is_some_and(|regex| regex.is_match(value));
        match self.op {
            MatchOp::Equal => self.value == value,
            MatchOp::NotEqual => self.value != value,
            MatchOp::Regex => found(),
            MatchOp::NotRegex => !found(),
        }
    }

    /// Whether series without the label satisfy the condition too.
    pub fn matches_empty(&self) -> bool {
        self.matches("")
    }

    /// Whether a label set satisfies the condition.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.get(&self.name))
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.name, self.op.as_str(), Quoted(&self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_anchored_and_absent_is_empty() {
        let matcher = Matcher::new("job", MatchOp::Regex, "api|web").unwrap();
        assert!(matcher.matches("api") && !matcher.matches("api2") && !matcher.matches_empty());
        let negative = Matcher::new("job", MatchOp::NotRegex, "api").unwrap();
        assert!(negative.matches_empty());
    }

    #[test]
    fn a_pattern_that_compiles_too_large_is_refused() {
        let bomb = Matcher::new("job", MatchOp::Regex, r"\pL{500}|".repeat(400)).unwrap_err();
        assert!(bomb.is_too_large(), "{bomb}");
        assert!(!Matcher::new("job", MatchOp::Regex, "(").unwrap_err().is_too_large());
    }

    #[test]
    fn thousands_of_values_are_no_bomb() {
        let hosts: Vec<String> = (0..2000).map(|host| format!("node-{host:05}.example.com:9100")).collect();
        let matcher = Matcher::new("instance", MatchOp::Regex, hosts.join("|")).unwrap();
        assert!(
            matcher.matches("node-01999.example.com:9100") && !matcher.matches("node-02000.example.com:9100")
        );
        let small = Matcher::new("instance", MatchOp::Regex, "a.*").unwrap();
        assert!(small.regex_bytes() < matcher.regex_bytes());
    }
}
