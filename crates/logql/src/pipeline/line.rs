//! Conditions on lines.

use ::regex::Regex;
use memchr::memmem::Finder;

use crate::ast::{LineFilter, LineMatch, LineOp};
use crate::error::{ParseError, PipelineError, Unsupported};
use crate::pattern::Pattern;
use crate::regex;

/// One of the alternatives, or none of them.
#[derive(Debug)]
pub(super) struct LineCondition {
    negative: bool,
    alternatives: Vec<Test>,
}

#[derive(Debug)]
enum Test {
    Contains(Box<Finder<'static>>),
    Pattern(Pattern),
    Regex(Regex),
}

impl LineCondition {
    /// Refuses expressions and patterns that are none, and addresses, which are not supported.
    pub(super) fn new(filter: &LineFilter) -> Result<Self, PipelineError> {
        let stage_error = |error| ParseError::nowhere(format!("stage '{filter}' : {error}"));
        let test = |alternative: &LineMatch| -> Result<Test, PipelineError> {
            let LineMatch::Text(text) = alternative else {
                return Err(Unsupported { what: "ip() filters are", text: filter.to_string() }.into());
            };
            Ok(match filter.op {
                LineOp::Contains | LineOp::NotContains => {
                    Test::Contains(Box::new(Finder::new(text.as_bytes()).into_owned()))
                }
                LineOp::Matches | LineOp::NotMatches => {
                    Test::Regex(regex::compile(text).map_err(stage_error)?)
                }
                LineOp::Pattern | LineOp::NotPattern => {
                    Test::Pattern(Pattern::of_line(text).map_err(stage_error)?)
                }
            })
        };
        let alternatives = filter.alternatives.iter().map(test).collect::<Result<_, _>>()?;
        Ok(Self { negative: filter.op.is_negative(), alternatives })
    }

    pub(super) fn holds(&self, line: &str) -> bool {
        let found = self.alternatives.iter().any(|test| match test {
            Test::Contains(finder) => finder.find(line.as_bytes()).is_some(),
            Test::Pattern(pattern) => pattern.fits(line),
            Test::Regex(regex) => regex.is_match(line),
        });
        found != self.negative
    }

    /// What comes first: texts before patterns before regular expressions.
    pub(super) fn cost(&self) -> u8 {
        let cost = |test: &Test| match test {
            Test::Contains(_) => 0,
            Test::Pattern(_) => 1,
            Test::Regex(_) => 2,
        };
        self.alternatives.iter().map(cost).max().unwrap_or(0)
    }
}
