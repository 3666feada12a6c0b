//! Selectors, pipelines, filters.

use model::{MatchOp, Matcher};

use super::{Parser, Result};
use crate::ast::{
    Compare, Extraction, LabelFilter, LabelFormat, LineFilter, LineMatch, LineOp, LogExpr, NamedMatcher,
    Quantity, Stage,
};
use crate::error::ParseError;
use crate::lexer::Kind;
use crate::pattern::Pattern;
use crate::regex;

impl Parser {
    /// A selector with its pipeline, without parentheses around it.
    pub(super) fn log(&mut self) -> Result<LogExpr> {
        let matchers = self.selector()?;
        let mut stages = Vec::new();
        while self.at_stage() {
            stages.push(self.stage()?);
        }
        Ok(LogExpr { matchers, stages })
    }

    pub(super) fn selector(&mut self) -> Result<Vec<Matcher>> {
        self.expect(&Kind::OpenBrace)?;
        let mut matchers = Vec::new();
        if self.accept(&Kind::CloseBrace) {
            return Ok(matchers);
        }
        let name = self.identifier(&["IDENTIFIER", "}"])?;
        matchers.push(self.matcher(name)?);
        while self.accept(&Kind::Comma) {
            let name = self.identifier(&["IDENTIFIER"])?;
            matchers.push(self.matcher(name)?);
        }
        if self.accept(&Kind::CloseBrace) { Ok(matchers) } else { Err(self.unexpected(&["}", ","])) }
    }

    /// A matcher, behind its name.
    fn matcher(&mut self, name: String) -> Result<Matcher> {
        let Some(op) = match_op(self.peek()) else {
            return Err(self.unexpected(&["=", "=~", "!~", "!="]));
        };
        self.next();
        let value = self.text(&["STRING"])?;
        matcher(name, op, value)
    }

    /// Whether a pipeline stage follows, and not the `| unwrap` of a metric query.
    pub(super) fn at_stage(&self) -> bool {
        match self.peek() {
            Kind::Pipe => *self.peek_second() != Kind::Word("unwrap"),
            kind => line_op(kind).is_some(),
        }
    }

    pub(super) fn stage(&mut self) -> Result<Stage> {
        if let Some(op) = line_op(self.peek()) {
            self.next();
            return self.line_filter(op).map(Stage::Line);
        }
        self.expect(&Kind::Pipe)?;
        let Kind::Word(word) = *self.peek() else { return self.label_filter().map(Stage::Label) };
        match word {
            "json" => {
                self.next();
                self.extractions().map(Stage::Json)
            }
            "logfmt" => {
                self.next();
                self.logfmt()
            }
            "regexp" => {
                self.next();
                let pattern = self.text(&["STRING"])?;
                check_regexp_parser(&pattern)?;
                Ok(Stage::Regexp(pattern))
            }
            "pattern" => {
                self.next();
                let pattern = self.text(&["STRING"])?;
                Pattern::check_parser(&pattern)
                    .map_err(|error| ParseError::nowhere(format!("invalid pattern parser: {error}")))?;
                Ok(Stage::Pattern(pattern))
            }
            "unpack" => {
                self.next();
                Ok(Stage::Unpack)
            }
            "line_format" => {
                self.next();
                self.text(&["STRING"]).map(Stage::LineFormat)
            }
            "label_format" => {
                self.next();
                self.label_formats().map(Stage::LabelFormat)
            }
            "decolorize" => {
                self.next();
                Ok(Stage::Decolorize)
            }
            "drop" => {
                self.next();
                self.named_matchers().map(Stage::Drop)
            }
            "keep" => {
                self.next();
                self.named_matchers().map(Stage::Keep)
            }
            _ => Err(self.unexpected(&[])),
        }
    }

    /// What a line filter compares with, behind its operator.
    fn line_filter(&mut self, op: LineOp) -> Result<LineFilter> {
        let mut alternatives = vec![self.line_match()?];
        while self.accept(&Kind::Word("or")) {
            alternatives.push(self.line_match()?);
        }
        Ok(LineFilter { op, alternatives })
    }

    fn line_match(&mut self) -> Result<LineMatch> {
        if self.accept(&Kind::Word("ip")) {
            self.expect(&Kind::OpenParenthesis)?;
            let pattern = self.text(&["STRING"])?;
            self.expect(&Kind::CloseParenthesis)?;
            return Ok(LineMatch::Ip(pattern));
        }
        // Whether an expression or a pattern is one is found when the pipeline is made ready, as in Loki.
        Ok(LineMatch::Text(self.text(&["STRING", "ip"])?))
    }

    fn logfmt(&mut self) -> Result<Stage> {
        let (mut strict, mut keep_empty) = (false, false);
        while let Kind::Flag(flag) = self.peek() {
            strict |= flag == "--strict";
            keep_empty |= flag == "--keep-empty";
            self.next();
        }
        Ok(Stage::Logfmt { strict, keep_empty, wanted: self.extractions()? })
    }

    fn extractions(&mut self) -> Result<Vec<Extraction>> {
        let mut wanted = Vec::new();
        if !matches!(self.peek(), Kind::Identifier(_)) {
            return Ok(wanted);
        }
        loop {
            let name = self.identifier(&["IDENTIFIER"])?;
            let path = if self.accept(&Kind::Equal) { self.text(&["STRING"])? } else { name.clone() };
            wanted.push(Extraction { name, path });
            if !self.accept(&Kind::Comma) {
                return Ok(wanted);
            }
        }
    }

    fn label_formats(&mut self) -> Result<Vec<LabelFormat>> {
        let mut formats: Vec<LabelFormat> = Vec::new();
        loop {
            let name = self.identifier(&["IDENTIFIER"])?;
            self.expect(&Kind::Equal)?;
            formats.push(match self.peek() {
                Kind::Text(_) => LabelFormat::Template { name, template: self.text(&["STRING"])? },
                _ => LabelFormat::Rename { to: name, from: self.identifier(&["IDENTIFIER", "STRING"])? },
            });
            if !self.accept(&Kind::Comma) {
                return Ok(formats);
            }
        }
    }

    fn named_matchers(&mut self) -> Result<Vec<NamedMatcher>> {
        let mut names = Vec::new();
        loop {
            let name = self.identifier(&["IDENTIFIER"])?;
            names.push(match match_op(self.peek()) {
                Some(_) => NamedMatcher::Matcher(self.matcher(name)?),
                None => NamedMatcher::Name(name),
            });
            if !self.accept(&Kind::Comma) {
                return Ok(names);
            }
        }
    }

    /// A condition on labels. `or` binds loosest, then `and`; a comma or nothing between two conditions means "and" and
    /// takes everything behind it as its right side.
    pub(super) fn label_filter(&mut self) -> Result<LabelFilter> {
        self.nested(|parser| parser.label_filter_above(0))
    }

    fn label_filter_above(&mut self, binding: u8) -> Result<LabelFilter> {
        let mut left = self.label_condition()?;
        let mut chain = 0;
        loop {
            Self::chained(&mut chain)?;
            let (word, own_binding) = match self.peek() {
                Kind::Word("or") => ("or", 1),
                Kind::Word("and") => ("and", 2),
                Kind::Comma => (",", 0),
                Kind::Identifier(_) | Kind::OpenParenthesis => ("", 0),
                _ => return Ok(left),
            };
            if own_binding != 0 && own_binding <= binding {
                return Ok(left);
            }
            if !word.is_empty() {
                self.next();
            }
            let right = self.nested(|parser| parser.label_filter_above(own_binding))?;
            let sides = (Box::new(left), Box::new(right));
            left = if word == "or" {
                LabelFilter::Or(sides.0, sides.1)
            } else {
                LabelFilter::And(sides.0, sides.1)
            };
        }
    }

    fn label_condition(&mut self) -> Result<LabelFilter> {
        if self.accept(&Kind::OpenParenthesis) {
            let inner = self.label_filter()?;
            self.expect(&Kind::CloseParenthesis)?;
            return Ok(inner);
        }
        let name = self.identifier(&[])?;
        let kind = self.peek().clone();
        match (&kind, self.peek_second()) {
            (Kind::Regex | Kind::NotRegex, _) | (Kind::Equal | Kind::NotEqual, Kind::Text(_)) => {
                return self.matcher(name).map(LabelFilter::Text);
            }
            (Kind::Equal | Kind::NotEqual, Kind::Word("ip")) => {
                self.next();
                self.next();
                self.expect(&Kind::OpenParenthesis)?;
                let pattern = self.text(&["STRING"])?;
                self.expect(&Kind::CloseParenthesis)?;
                return Ok(LabelFilter::Ip { name, equal: kind == Kind::Equal, pattern });
            }
            _ => {}
        }
        let op = match kind {
            Kind::Equal | Kind::CompareEqual => Compare::Equal,
            Kind::NotEqual => Compare::NotEqual,
            Kind::Greater => Compare::Greater,
            Kind::GreaterEqual => Compare::GreaterEqual,
            Kind::Less => Compare::Less,
            Kind::LessEqual => Compare::LessEqual,
            _ => return Err(self.unexpected(&[])),
        };
        self.next();
        let value = match self.peek() {
            Kind::Duration(ns) => Quantity::Duration(*ns),
            Kind::Bytes(bytes) => Quantity::Bytes(*bytes),
            Kind::Number(_) | Kind::Add | Kind::Subtract => Quantity::Number(self.literal()??),
            _ => return Err(self.unexpected(&[])),
        };
        if !matches!(value, Quantity::Number(_)) {
            self.next();
        }
        Ok(LabelFilter::Quantity { name, op, value })
    }

    /// A number with its sign: an error of its syntax outside, of its value inside.
    pub(super) fn literal(&mut self) -> Result<Result<f64>> {
        let negative = self.accept(&Kind::Subtract);
        if !negative {
            self.accept(&Kind::Add);
        }
        let text = self.number()?;
        let value = parse_float(&text)
            .map_err(|error| ParseError::nowhere(format!("unable to parse literal as a float: {error}")));
        Ok(value.map(|value| if negative { -value } else { value }))
    }
}

/// A number as `strconv.ParseFloat` reads it, or its message.
pub(super) fn parse_float(text: &str) -> std::result::Result<f64, String> {
    let invalid = || format!("strconv.ParseFloat: parsing {}: invalid syntax", model::labels::Quoted(text));
    // Underscores and other bases are read by the scanner only.
    if text.bytes().any(|byte| !byte.is_ascii_digit() && !b".eE+-".contains(&byte)) {
        return Err(invalid());
    }
    text.parse().map_err(|_| invalid())
}

fn matcher(name: String, op: MatchOp, value: String) -> Result<Matcher> {
    if crate::ast::is_regex(op) {
        regex::compile(&value).map_err(ParseError::nowhere)?;
    }
    Matcher::new(name, op, value).map_err(|error| ParseError::nowhere(error.to_string()))
}

fn check_regexp_parser(pattern: &str) -> Result<()> {
    let error = |error: String| ParseError::nowhere(format!("invalid regexp parser: {error}"));
    let regex = regex::compile(pattern).map_err(error)?;
    if regex.capture_names().flatten().next().is_none() {
        return Err(error("at least one named capture must be supplied".to_owned()));
    }
    Ok(())
}

fn match_op(kind: &Kind) -> Option<MatchOp> {
    Some(match kind {
        Kind::Equal => MatchOp::Equal,
        Kind::NotEqual => MatchOp::NotEqual,
        Kind::Regex => MatchOp::Regex,
        Kind::NotRegex => MatchOp::NotRegex,
        _ => return None,
    })
}

fn line_op(kind: &Kind) -> Option<LineOp> {
    Some(match kind {
        Kind::PipeExact => LineOp::Contains,
        Kind::NotEqual => LineOp::NotContains,
        Kind::PipeMatch => LineOp::Matches,
        Kind::NotRegex => LineOp::NotMatches,
        Kind::PipePattern => LineOp::Pattern,
        Kind::NotPattern => LineOp::NotPattern,
        _ => return None,
    })
}
