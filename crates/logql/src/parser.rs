//! Tokens to a query: recursive descent over Loki's grammar, with its messages.
//!
//! A message lists what was expected where that is at most four things, as the parser generator does that Loki uses.

mod log;
mod metric;

use crate::ast::{Expr, LogExpr, Metric};
use crate::error::ParseError;
use crate::lexer::{self, Kind, Token};

/// Longest query, in bytes.
const MAX_BYTES: usize = 131_072;
/// Deepest nesting, and most operators in a row; each takes stack, here and wherever a query is walked.
const MAX_DEPTH: usize = 100;
const MAX_CHAIN: usize = 300;

type Result<T> = std::result::Result<T, ParseError>;

/// Reads a query and checks that it has a meaning.
pub fn parse(query: &str) -> Result<Expr> {
    let expr = parse_syntax(query)?;
    match &expr {
        Expr::Log(log) => check_log(log)?,
        Expr::Metric(metric) => check_metric(metric)?,
    }
    Ok(expr)
}

/// Reads a log query: anything else is refused.
pub fn parse_log(query: &str) -> Result<LogExpr> {
    match parse(query)? {
        Expr::Log(log) => Ok(log),
        Expr::Metric(_) => Err(ParseError::nowhere("only log selector is supported")),
    }
}

/// Why a text is not a set of matchers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MatchersError {
    /// It is no query.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// It is a query, but more than a selector.
    #[error("only label matchers are supported")]
    MoreThanMatchers,
}

/// Reads a stream selector alone, `{app="x"}`; `{}` is allowed if `validate` is not set.
pub fn parse_matchers(text: &str, validate: bool) -> std::result::Result<Vec<model::Matcher>, MatchersError> {
    let expr = if validate { parse(text)? } else { parse_syntax(text)? };
    match expr {
        Expr::Log(log) if log.stages.is_empty() => Ok(log.matchers),
        _ => Err(MatchersError::MoreThanMatchers),
    }
}

fn parse_syntax(query: &str) -> Result<Expr> {
    if query.len() >= MAX_BYTES {
        let length = query.len();
        return Err(ParseError::nowhere(format!("input size too long ({length} > {MAX_BYTES})")));
    }
    let (tokens, lexical_error) = lexer::tokens(query);
    let mut parser = Parser { tokens, at: 0, depth: 0, lexical_error };
    let expr = parser.expr(0)?;
    if *parser.peek() != Kind::End || parser.lexical_error.is_some() {
        return Err(parser.unexpected(&[]));
    }
    Ok(expr)
}

fn check_log(log: &LogExpr) -> Result<()> {
    if log.selects_something() {
        return Ok(());
    }
    Err(ParseError::nowhere(
        "queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will",
    ))
}

fn check_metric(metric: &Metric) -> Result<()> {
    match metric {
        Metric::Invalid(error) => Err(error.clone()),
        Metric::Literal(_) | Metric::Vector(_) => Ok(()),
        Metric::Range(range) => check_log(&range.range.log),
        Metric::LabelReplace { inner, .. } => check_metric(inner),
        Metric::Aggregation(aggregation) => {
            let grouped = aggregation.grouping.as_ref().is_some_and(|grouping| !grouping.labels.is_empty());
            if grouped && matches!(aggregation.function, "sort" | "sort_desc") {
                return Err(ParseError::nowhere("sort and sort_desc doesn't allow grouping by "));
            }
            check_metric(&aggregation.inner)
        }
        Metric::Binary(binary) => {
            check_metric(&binary.left)?;
            check_metric(&binary.right)
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// What stopped the reading; it stands at the last token.
    lexical_error: Option<ParseError>,
}

impl Parser {
    fn peek(&self) -> &Kind {
        &self.tokens[self.at].kind
    }

    fn peek_second(&self) -> &Kind {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].kind
    }

    /// The next token; the end stays where it is.
    fn next(&mut self) -> Kind {
        let kind = self.peek().clone();
        if kind != Kind::End {
            self.at += 1;
        }
        kind
    }

    fn accept(&mut self, kind: &Kind) -> bool {
        let found = self.peek() == kind;
        if found {
            self.at += 1;
        }
        found
    }

    fn expect(&mut self, kind: &Kind) -> Result<()> {
        if self.accept(kind) { Ok(()) } else { Err(self.unexpected(&[&kind.name()])) }
    }

    fn identifier(&mut self, expected: &[&str]) -> Result<String> {
        match self.peek() {
            Kind::Identifier(name) => {
                let name = name.clone();
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    fn text(&mut self, expected: &[&str]) -> Result<String> {
        match self.peek() {
            Kind::Text(text) => {
                let text = text.clone();
                self.at += 1;
                Ok(text)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    fn number(&mut self) -> Result<String> {
        match self.peek() {
            Kind::Number(number) => {
                let number = number.clone();
                self.at += 1;
                Ok(number)
            }
            _ => Err(self.unexpected(&["NUMBER"])),
        }
    }

    /// The error that the next token is not what it should be.
    fn unexpected(&self, expected: &[&str]) -> ParseError {
        let token = &self.tokens[self.at];
        if let (Kind::End, Some(error)) = (&token.kind, &self.lexical_error) {
            return error.clone();
        }
        let mut message = format!("syntax error: unexpected {}", token.kind.name());
        for (index, name) in expected.iter().enumerate() {
            message.push_str(if index == 0 { ", expecting " } else { " or " });
            message.push_str(name);
        }
        ParseError::at(message, token.line, token.column)
    }

    /// Goes one level deeper; too deep is an error and not an overflow of the stack.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return Err(ParseError::nowhere(format!("nested deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// Counts an operator of a row of them.
    fn chained(count: &mut usize) -> Result<()> {
        *count += 1;
        if *count > MAX_CHAIN {
            return Err(ParseError::nowhere(format!("more than {MAX_CHAIN} operators in a row")));
        }
        Ok(())
    }

    /// Names between parentheses, perhaps none.
    fn names_in_parentheses(&mut self) -> Result<Vec<String>> {
        self.expect(&Kind::OpenParenthesis)?;
        let mut names = Vec::new();
        if self.accept(&Kind::CloseParenthesis) {
            return Ok(names);
        }
        names.push(self.identifier(&["IDENTIFIER", ")"])?);
        while self.accept(&Kind::Comma) {
            names.push(self.identifier(&["IDENTIFIER"])?);
        }
        if self.accept(&Kind::CloseParenthesis) { Ok(names) } else { Err(self.unexpected(&[",", ")"])) }
    }
}
